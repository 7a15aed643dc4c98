//! What was written is read back, by id, by key, and in pages.

use identity_service::{
    id::{Kind, ResourceId},
    index::{Index, Key},
    store::{From, Which},
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

pub(super) async fn what_is_looked_up_comes_with_its_groups(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let person = |name: &str| json!({"userName": name, "displayName": "Twin"});
    let mut users = Vec::new();
    for name in ["a", "b", "c"] {
        let written = bench.write(create_with(Kind::User, person(name), &[])).await;
        users.push(written.unwrap().record);
    }
    let [a, b, c] = [users[0].id, users[1].id, users[2].id];
    let mut groups = Vec::new();
    for (name, members) in [("one", &[a, b][..]), ("two", &[b]), ("three", &[a, b])] {
        groups.push(bench.group(name, members).await);
    }
    bench.group("nobody", &[]).await;
    let (name, shared, nowhere) = (
        Key::new(Index::Name, "B"),
        Key::new(Index::DisplayName, "twin"),
        Key::new(Index::ExternalId, "b"),
    );
    let nobody = ResourceId::generate();
    for (which, wanted) in [
        (Which::Ids(&[b]), &users[1..2]),
        (
            Which::Ids(&[a, nobody, c, groups[0]]),
            &[users[0].clone(), users[2].clone()],
        ),
        (Which::Ids(&[]), &[]),
        (Which::Key(&name, 10), &users[1..2]),
        (Which::Key(&shared, 10), &users),
        (Which::Key(&nowhere, 10), &[]),
        (Which::Listed(From::Offset(0), 10), &users),
        (Which::Listed(From::Offset(2), 10), &users[2..]),
        (Which::Listed(From::After(a), 10), &users[1..]),
        (Which::Listed(From::After(c), 10), &[]),
        (Which::Listed(From::Offset(u64::MAX), 10), &[]),
    ] {
        for limit in [0, 1, 2, 10] {
            let found = bench.look_up(Kind::User, which, limit).await;
            let records: Vec<_> = found.seen.iter().map(|seen| seen.record.clone()).collect();
            assert!(
                records == wanted || found.more && !records.is_empty() && wanted.starts_with(&records),
                "{which:?}: {records:?}"
            );
            for seen in found.seen {
                let (along, more) = (&seen.groups.records, seen.groups.more);
                assert!(along.len() <= limit, "{which:?}");
                assert!(limit > 0 || more, "what was not read may be there");
                for group in along {
                    assert_eq!(*group, bench.record(Kind::Group, group.id).await);
                }
                assert_eq!(bench.all_groups(&seen).await, bench.groups_of(seen.record.id).await);
            }
        }
    }
    assert_eq!(bench.groups_of(b).await, groups);
    // One resource and its groups are no burden to any engine: they come in one step.
    let one = bench.look_up(Kind::User, Which::Ids(&[a]), 1).await;
    assert_eq!(one.seen[0].groups.records[0].id, groups[0]);
    let found = bench.look_up(Kind::Group, Which::Ids(&[groups[1]]), 0).await;
    assert_eq!(found.seen[0].record, bench.record(Kind::Group, groups[1]).await);
    let other = identity_service::id::Tenant::new("other");
    let found = bench.store.look_up(&other, Kind::User, Which::Key(&name, 10), 10).await;
    assert!(found.unwrap().seen.is_empty());
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
        for (which, most) in [
            (Which::Listed(From::Offset(0), limit), limit),
            (Which::Key(&name, limit), limit.min(1)),
            (Which::Ids(&users[..limit]), limit),
        ] {
            let found = bench.look_up(Kind::User, which, limit).await;
            assert_eq!(found.seen.len(), most, "{which:?}");
        }
        assert_eq!(store.members(tenant, group, None, limit).await.unwrap().len(), limit);
        assert_eq!(store.deliveries(tenant, None, None, limit).await.unwrap().len(), limit);
        assert_eq!(store.log(tenant, 0, limit).await.unwrap().entries.len(), limit);
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
