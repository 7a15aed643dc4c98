//! Membership is a set, seen from both sides, with atomic add, remove and replace.

use std::sync::Arc;

use identity_service::{
    id::{Kind, ResourceId},
    store::{Member, MemberChange, WriteError},
};

use super::{
    Engine,
    bench::{Bench, adding, at, create, update_members},
};

async fn users(bench: &Bench, count: usize) -> Vec<ResourceId> {
    let mut users = Vec::new();
    for number in 0..count {
        users.push(bench.user(&format!("user {number}")).await);
    }
    users
}

pub(super) async fn membership_is_seen_from_both_sides(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 3).await;
    let one = bench.group("one", &users[..2]).await;
    let two = bench.group("two", &[]).await;
    bench.add(two, &users[1..]).await;
    assert_eq!(bench.members(one).await, users[..2]);
    assert_eq!(bench.members(two).await, users[1..]);
    assert_eq!(bench.groups_of(users[0]).await, [one]);
    assert_eq!(bench.groups_of(users[1]).await, [one, two]);
    for (group, member, is) in [(one, users[0], true), (one, users[2], false), (two, users[2], true)] {
        let answer = bench.store.is_member(&bench.tenant, group, member).await.unwrap();
        assert_eq!(answer, is);
    }
    assert_eq!(bench.record(Kind::Group, two).await.member_count, 2);
}

pub(super) async fn adding_and_removing_again_changes_nothing(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 2).await;
    let group = bench.group("g", &users[..1]).await;
    assert!(!bench.add(group, &users[..1]).await.changed);
    assert!(!bench.remove(group, &users[1..]).await.changed);
    assert!(bench.add(group, &users).await.changed, "one of the two is new");
    assert!(bench.remove(group, &users[..1]).await.changed);
    assert!(!bench.remove(group, &users[..1]).await.changed);
    assert_eq!(bench.members(group).await, users[1..]);
    let record = bench.record(Kind::Group, group).await;
    assert_eq!(
        (record.version, record.document_version, record.member_count),
        (3, 1, 1)
    );
}

pub(super) async fn a_replacement_is_exact(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 4).await;
    let group = bench.group("g", &users[..3]).await;
    let replace = |members: &[ResourceId]| MemberChange {
        replace: true,
        ..adding(members)
    };
    let written = bench.set_members(group, replace(&users[2..])).await.unwrap();
    assert_eq!((written.replaced_out, written.record.member_count), (2, 2));
    assert_eq!(bench.members(group).await, users[2..]);
    assert!(bench.groups_of(users[0]).await.is_empty());
    let again = bench.set_members(group, replace(&users[2..])).await.unwrap();
    assert!(!again.changed);
    let emptied = bench.set_members(group, replace(&[])).await.unwrap();
    assert_eq!((emptied.replaced_out, emptied.record.member_count), (2, 0));
    assert!(bench.members(group).await.is_empty());
}

pub(super) async fn an_unknown_member_is_refused_and_nothing_is_written(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 2).await;
    let group = bench.group("g", &users[..1]).await;
    let nobody = ResourceId::generate();
    let change = MemberChange {
        replace: true,
        ..adding(&[users[1], nobody])
    };
    let refused = bench.set_members(group, change).await;
    assert!(
        matches!(refused, Err(WriteError::UnknownMember(id)) if id == nobody),
        "{refused:?}"
    );
    assert_eq!(bench.members(group).await, users[..1]);
    let refused = bench.write(create(Kind::Group, "h", &[nobody])).await;
    assert!(
        matches!(refused, Err(WriteError::UnknownMember(id)) if id == nobody),
        "{refused:?}"
    );
    assert_eq!(bench.summary().await.groups, 1);
}

pub(super) async fn a_group_is_no_member_of_a_group(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 1).await;
    let inner = bench.group("inner", &[]).await;
    let outer = bench.group("outer", &[]).await;
    let refused = bench.set_members(outer, adding(&[users[0], inner])).await;
    assert!(
        matches!(refused, Err(WriteError::NestedGroup(id)) if id == inner),
        "{refused:?}"
    );
    let mut keeping = update_members(outer, adding(&[inner]));
    keeping.keep_unknown_members = true;
    let refused = bench.write(keeping).await;
    assert!(
        matches!(refused, Err(WriteError::NestedGroup(_))),
        "a group is not unknown: {refused:?}"
    );
    assert!(bench.members(outer).await.is_empty());
}

pub(super) async fn unknown_members_are_kept_where_that_is_wanted(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 1).await;
    let group = bench.group("g", &[]).await;
    let unknown = ResourceId::generate();
    let mut keeping = update_members(group, adding(&[users[0], unknown]));
    keeping.keep_unknown_members = true;
    assert_eq!(bench.write(keeping).await.unwrap().record.member_count, 2);
    let members = bench.store.members(&bench.tenant, group, None, 10).await.unwrap();
    let member = |id, kind| Member { id, kind };
    assert_eq!(members, [member(users[0], Some(Kind::User)), member(unknown, None)]);
    bench.remove(group, &[unknown]).await;
    assert_eq!(bench.members(group).await, users);
}

pub(super) async fn all_of_many_concurrent_adds_survive(engine: &dyn Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    let users = users(&bench, 64).await;
    let group = bench.group("g", &[]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for user in users.clone() {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move { bench.add(group, &[user]).await });
    }
    let written = tasks.join_all().await;
    assert!(written.iter().all(|written| written.changed));
    assert_eq!(bench.members(group).await, users);
    let record = bench.record(Kind::Group, group).await;
    assert_eq!((record.version, record.member_count), (65, 64));
}

pub(super) async fn a_deleted_user_leaves_every_group(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 2).await;
    let one = bench.group("one", &users).await;
    let two = bench.group("two", &users[..1]).await;
    bench.delete(Kind::User, users[0]).await.unwrap();
    assert_eq!(bench.members(one).await, users[1..]);
    assert!(bench.members(two).await.is_empty());
    assert!(bench.groups_of(users[0]).await.is_empty());
    for (group, count) in [(one, 1), (two, 0)] {
        let record = bench.record(Kind::Group, group).await;
        assert_eq!(
            (record.version, record.document_version, record.member_count),
            (2, 1, count)
        );
    }
}

pub(super) async fn a_deleted_group_leaves_nobody_in_it(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 2).await;
    let group = bench.group("g", &users).await;
    bench.delete(Kind::Group, group).await.unwrap();
    assert!(bench.members(group).await.is_empty());
    assert!(bench.groups_of(users[0]).await.is_empty());
    assert_eq!(
        bench.record(Kind::User, users[0]).await.version,
        1,
        "the user did not change"
    );
    assert_eq!(bench.summary().await.groups, 0);
}

pub(super) async fn members_are_read_in_pages(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 8).await;
    let group = bench.group("g", &users).await;
    let neighbour = bench.group("h", &users[..1]).await;
    assert_eq!(bench.members(group).await, users);
    let page = bench
        .store
        .members(&bench.tenant, group, Some(users[5]), 10)
        .await
        .unwrap();
    assert_eq!(page.iter().map(|member| member.id).collect::<Vec<_>>(), users[6..]);
    let page = bench
        .store
        .groups_of(&bench.tenant, users[0], Some(group), 10)
        .await
        .unwrap();
    assert_eq!(page, [neighbour]);
}

pub(super) async fn an_unknown_member_has_no_account_though_a_tombstone_of_its_id_has(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let gone = bench.user("odile").await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::User, gone).await.unwrap();
    assert!(bench.account(gone).await.is_some());
    let group = bench.group("g", &[]).await;
    let mut keeping = update_members(group, adding(&[gone]));
    keeping.keep_unknown_members = true;
    bench.write(keeping).await.unwrap();
    let claims = bench.claim_all(at(2)).await;
    let claim = claims.iter().find(|claim| claim.id == group).unwrap();
    assert_eq!(bench.order(claim).await.batch, []);
    assert_eq!(bench.delivery(group).await.unwrap().pending_members, 1);
}
