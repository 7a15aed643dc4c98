//! What was written is read back, by id, by key, and in pages.

use identity_service::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    store::From,
};
use serde_json::json;

use super::{
    Engine,
    bench::{Bench, at, create_with},
};

pub(super) async fn what_was_created_is_read_back(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let document = json!({"userName": "odile", "name": {"familyName": "Mercier"}, "emails": [{"value": "o@x"}]});
    let written = bench
        .write(create_with(Kind::User, document.clone(), &[]))
        .await
        .unwrap();
    assert!(written.changed);
    let record = bench.record(Kind::User, written.record.id).await;
    assert_eq!(record, written.record);
    assert_eq!(
        (record.version, record.document_version, record.member_count),
        (1, 1, 0)
    );
    assert_eq!((record.created, record.modified), (at(0), at(0)));
    assert_eq!(record.document, document);
}

pub(super) async fn what_does_not_exist_is_not_found(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let nobody = ResourceId::generate();
    assert!(bench.get(Kind::User, nobody).await.is_none());
    assert!(bench.get(Kind::Group, user).await.is_none(), "a user is no group");
    assert!(bench.delivery(nobody).await.is_none());
    assert!(bench.store.link(&bench.tenant, nobody).await.unwrap().is_none());
    assert!(bench.members(nobody).await.is_empty());
    let some = bench
        .store
        .get_many(&bench.tenant, Kind::User, &[nobody, user])
        .await
        .unwrap();
    assert_eq!(some.iter().map(|record| record.id).collect::<Vec<_>>(), [user]);
}

pub(super) async fn every_key_finds_its_resource_until_it_is_given_up(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let person = |name: &str, external: &str, email: &str| json!({"userName": name, "externalId": external, "displayName": "Twin", "emails": [{"value": email}]});
    let one = bench
        .write(create_with(Kind::User, person("a", "X1", "a@x"), &[]))
        .await
        .unwrap()
        .record
        .id;
    let two = bench
        .write(create_with(Kind::User, person("b", "X2", "b@x"), &[]))
        .await
        .unwrap()
        .record
        .id;
    assert_eq!(bench.find(Kind::User, Index::DisplayName, "TWIN").await, [one, two]);
    assert_eq!(bench.find(Kind::User, Index::ExternalId, "x2").await, [two]);
    assert_eq!(bench.find(Kind::User, Index::Email, "A@X").await, [one]);

    bench.change(Kind::User, one, person("a", "X3", "b@x")).await.unwrap();
    assert!(bench.find(Kind::User, Index::ExternalId, "x1").await.is_empty());
    assert!(bench.find(Kind::User, Index::Email, "a@x").await.is_empty());
    assert_eq!(bench.find(Kind::User, Index::Email, "b@x").await, [one, two]);

    bench.delete(Kind::User, two).await.unwrap();
    assert_eq!(bench.find(Kind::User, Index::Email, "b@x").await, [one]);
    assert_eq!(bench.find(Kind::User, Index::DisplayName, "twin").await, [one]);
}

pub(super) async fn a_listing_is_in_order_of_creation_and_pages_both_ways(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for number in 0..7 {
        users.push(bench.user(&format!("user {}", 9 - number)).await);
    }
    bench.group("not listed among users", &[]).await;
    let listed = async |from, limit| {
        let records = bench.store.list(&bench.tenant, Kind::User, from, limit).await.unwrap();
        records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(From::Offset(0), 100).await, users);
    assert_eq!(listed(From::Offset(2), 3).await, users[2..5]);
    assert_eq!(listed(From::After(users[4]), 100).await, users[5..]);
    assert!(listed(From::Offset(7), 5).await.is_empty());
    assert!(listed(From::Offset(u64::MAX), 5).await.is_empty());
    assert!(listed(From::After(users[6]), 5).await.is_empty());
    assert_eq!(bench.store.count(&bench.tenant, Kind::User).await.unwrap(), 7);

    bench.delete(Kind::User, users[4]).await.unwrap();
    assert_eq!(
        listed(From::After(users[4]), 100).await,
        users[5..],
        "a cursor outlives its resource"
    );
    assert_eq!(bench.store.count(&bench.tenant, Kind::User).await.unwrap(), 6);
}

pub(super) async fn limits_are_kept(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = [bench.user("a").await, bench.user("b").await, bench.user("c").await];
    let group = bench.group("g", &users).await;
    let (store, tenant) = (&bench.store, &bench.tenant);
    let name = Key::new(Index::Name, "a");
    for limit in 0..3 {
        assert_eq!(
            store
                .list(tenant, Kind::User, From::Offset(0), limit)
                .await
                .unwrap()
                .len(),
            limit
        );
        assert_eq!(store.members(tenant, group, None, limit).await.unwrap().len(), limit);
        assert_eq!(store.deliveries(tenant, None, None, limit).await.unwrap().len(), limit);
        assert_eq!(store.changes(tenant, 0, limit).await.unwrap().changes.len(), limit);
        assert_eq!(
            store.groups_of(tenant, users[0], None, limit).await.unwrap().len(),
            limit.min(1)
        );
        assert_eq!(
            store.find(tenant, Kind::User, &name, limit).await.unwrap().len(),
            limit.min(1)
        );
    }
}
