//! Changes of many members, and those that come meanwhile: each is there wholly or not at all, and none is lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use identity_service::{
    id::{Kind, ResourceId},
    store::{MemberChange, RequestKey, Which, WriteError},
};

use super::{
    Engine,
    bench::{Bench, adding, at, create, update_members},
};

async fn users(bench: &Bench, count: usize) -> Vec<ResourceId> {
    join_all((0..count).map(async |number| bench.user(&format!("u{number}")).await)).await
}

fn removing(members: &[ResourceId]) -> MemberChange {
    MemberChange {
        remove: members.to_vec(),
        ..MemberChange::default()
    }
}

fn replacing(members: &[ResourceId]) -> MemberChange {
    MemberChange {
        replace: true,
        add: members.to_vec(),
        remove: Vec::new(),
    }
}

async fn sweep(bench: &Bench, now: i64) {
    while bench.store.sweep(&bench.tenant, at(now)).await.unwrap() > 0 {}
}

fn sorted(members: impl IntoIterator<Item = ResourceId>) -> Vec<ResourceId> {
    members.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) async fn large_and_small_changes_of_one_group_all_survive(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 60).await;
    let group = bench.group("everybody", &users[..20]).await;
    let (stay, large_out) = users[..20].split_at(12);
    let (large_in, rest) = users[20..].split_at(15);
    let (another_in, small) = rest.split_at(15);
    let (small_in, never) = small.split_at(6);
    let small_out = &stay[..4];

    let changes = [adding(large_in), removing(large_out), adding(another_in)];
    let large = join_all(changes.map(|change| bench.set_members(group, change)));
    let singles = small_in.iter().map(|member| adding(&[*member]));
    let singles = singles.chain(small_out.iter().map(|member| removing(&[*member])));
    let small = join_all(singles.map(|change| bench.set_members(group, change)));
    let (large, small) = join(large, small).await;
    for written in large.into_iter().chain(small) {
        assert!(written.unwrap().changed);
    }
    let wanted = sorted([&stay[4..], large_in, another_in, small_in].concat());
    for _ in 0..2 {
        assert_eq!(bench.members(group).await, wanted);
        let record = bench.record(Kind::Group, group).await;
        assert_eq!(record.member_count, wanted.len() as u64);
        assert_eq!(record.version, 1 + 3 + 10, "one for each change");
        for member in &wanted {
            assert_eq!(bench.groups_of(*member).await, [group]);
        }
        for gone in large_out.iter().chain(small_out).chain(never) {
            assert!(bench.groups_of(*gone).await.is_empty());
        }
        sweep(&bench, 1).await;
    }
    // Whoever came is to be put in; nobody had an account, so there is nobody to be taken out.
    let delivery = bench.delivery(group).await.unwrap();
    assert_eq!(delivery.pending_members, wanted.len() as u64);
}

pub(super) async fn a_large_change_and_small_ones_of_the_same_members_agree(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 24).await;
    let group = bench.group("everybody", &users[..12]).await;
    // The order is not known; that the counts fit the set is.
    for round in 0..4 {
        let (half, other) = users.split_at(12);
        let wanted = if round % 2 == 0 { other } else { half };
        let single = users.iter().map(|member| match round % 3 {
            0 => adding(&[*member]),
            _ => removing(&[*member]),
        });
        let small = join_all(single.map(|change| bench.set_members(group, change)));
        let (large, small) = join(bench.set_members(group, replacing(wanted)), small).await;
        large.unwrap();
        small.into_iter().for_each(|written| drop(written.unwrap()));
        for _ in 0..2 {
            let members = bench.members(group).await;
            let record = bench.record(Kind::Group, group).await;
            assert_eq!(record.member_count, members.len() as u64, "round {round}");
            for user in &users {
                let is_member = bench.store.is_member(&bench.tenant, group, *user).await.unwrap();
                assert_eq!(is_member, members.contains(user));
                assert_eq!(bench.groups_of(*user).await.contains(&group), is_member);
            }
            sweep(&bench, 1).await;
        }
    }
}

pub(super) async fn who_is_deleted_while_a_large_change_comes_into_force_is_taken_out(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let everybody = users(&bench, 48).await;
    for (users, replace) in everybody.chunks(24).zip([true, false]) {
        let group = bench.group(&format!("everybody {replace}"), users).await;
        sweep(&bench, 1).await;
        bench.deliver_all(at(2)).await;
        let gone = users[0];
        let change = if replace {
            replacing(&users[12..])
        } else {
            removing(&users[..12])
        };
        bench.set_members(group, change).await.unwrap();
        bench.delete(Kind::User, gone).await.unwrap();
        sweep(&bench, 3).await;
        assert_eq!(bench.members(group).await, sorted(users[12..].to_vec()));
        let stages = bench.store.stages(&bench.tenant, group, &[gone]).await.unwrap();
        assert!(stages[0].is_some(), "the Platform is still to be told, {replace}");
    }
}

pub(super) async fn a_large_change_shows_all_at_once(engine: &dyn Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    let users = users(&bench, 30).await;
    let group = bench.group("everybody", &users[..10]).await;
    let (first, last) = (users[0], users[29]);
    let writing = {
        let (bench, users) = (bench.clone(), users.clone());
        tokio::spawn(async move { bench.set_members(group, replacing(&users[10..])).await.unwrap() })
    };
    loop {
        let before = bench.store.is_member(&bench.tenant, group, first).await.unwrap();
        let count = bench.record(Kind::Group, group).await.member_count;
        let after = bench.store.is_member(&bench.tenant, group, last).await.unwrap();
        assert!(count == 10 || count == 20, "{count}");
        // Whoever looks a member up sees the group as it was at that moment, and all its members alike.
        let both = bench.look_up(Kind::User, Which::Ids(&[first, last]), 10).await.seen;
        if both.iter().all(|seen| !seen.groups.more) {
            assert_eq!(both[0].groups.records.len() + both[1].groups.records.len(), 1);
        }
        for (member, count) in [(first, 10), (last, 20)] {
            let seen = bench.look_up(Kind::User, Which::Ids(&[member]), 1).await.seen;
            let counts: Vec<_> = seen[0].groups.records.iter().map(|group| group.member_count).collect();
            assert!(counts.is_empty() || counts == [count], "{counts:?}");
        }
        // What is read later is not older.
        assert!(before || count == 20, "the first left before the change was there");
        assert!(count == 10 || after, "the last came after the change was there");
        if after {
            break;
        }
        tokio::task::yield_now().await;
    }
    let written = writing.await.unwrap();
    assert_eq!((written.changed, written.replaced_out), (true, 10));
    assert_eq!(bench.members(group).await, sorted(users[10..].to_vec()));
}

pub(super) async fn a_large_change_that_is_cut_off_is_there_wholly_or_not_at_all(engine: &dyn Engine) {
    let bench = Arc::new(Bench::new(engine).await);
    let users = users(&bench, 40).await;
    for round in 0..12_u64 {
        let group = bench.group(&format!("group {round}"), &[users[0]]).await;
        let writing = {
            let (bench, users) = (bench.clone(), users.clone());
            tokio::spawn(async move { bench.set_members(group, adding(&users[1..])).await })
        };
        tokio::time::sleep(Duration::from_micros(round * 500)).await;
        writing.abort();
        drop(writing.await);
        // The script under way may still be run: look until two looks are the same after everything was swept.
        let members = bench.members(group).await;
        assert!(members.len() == 1 || members.len() == 40, "{}", members.len());
        let late = 10_000;
        sweep(&bench, late).await;
        let mut again = update_members(group, adding(&users[1..]));
        again.now = at(late);
        bench.write(again).await.unwrap();
        sweep(&bench, late).await;
        assert_eq!(bench.members(group).await, sorted(users.clone()));
        assert_eq!(bench.record(Kind::Group, group).await.member_count, 40);
    }
}

pub(super) async fn a_large_change_that_is_refused_leaves_no_trace(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = users(&bench, 20).await;
    let group = bench.group("everybody", &users[..2]).await;
    let nobody = ResourceId::generate();
    users.push(nobody);
    let refused = bench.set_members(group, adding(&users)).await;
    assert!(
        matches!(refused, Err(WriteError::UnknownMember(id)) if id == nobody),
        "{refused:?}"
    );
    let refused = bench.write(create(Kind::Group, "others", &users)).await;
    assert!(
        matches!(refused, Err(WriteError::UnknownMember(id)) if id == nobody),
        "{refused:?}"
    );
    users.pop();
    let refused = bench.write(create(Kind::Group, "everybody", &users)).await;
    assert!(matches!(refused, Err(WriteError::NameTaken)), "{refused:?}");
    for _ in 0..2 {
        assert_eq!(bench.members(group).await, sorted(users[..2].to_vec()));
        assert_eq!(bench.groups_of(users[5]).await, []);
        assert_eq!(bench.record(Kind::Group, group).await.version, 1);
        sweep(&bench, 1).await;
    }
    assert!(bench.set_members(group, adding(&users)).await.unwrap().changed);
    assert!(
        !bench.set_members(group, replacing(&users)).await.unwrap().changed,
        "it is so already"
    );
}

pub(super) async fn a_repeat_beside_a_large_creation_gets_its_answer(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 40).await;
    let mut write = create(Kind::Group, "everybody", &users);
    write.request = Some(RequestKey {
        id: "r1".to_owned(),
        digest: [7; 32],
    });
    let (first, repeat) = join(bench.write(write.clone()), bench.write(write)).await;
    assert_eq!(first.unwrap().record, repeat.unwrap().record);
    assert_eq!(bench.store.count(&bench.tenant, Kind::Group).await.unwrap(), 1);
}

pub(super) async fn a_user_in_many_groups_leaves_them_all_at_once(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = users(&bench, 2).await;
    let groups = join_all((0..12).map(async |number| bench.group(&format!("g{number}"), &users).await)).await;
    bench.delete(Kind::User, users[0]).await.unwrap();
    for _ in 0..2 {
        for group in &groups {
            assert_eq!(bench.members(*group).await, [users[1]]);
            let is_member = bench.store.is_member(&bench.tenant, *group, users[0]).await.unwrap();
            assert!(!is_member);
        }
        assert!(bench.groups_of(users[0]).await.is_empty());
        sweep(&bench, 1).await;
    }
    for group in &groups {
        let record = bench.record(Kind::Group, *group).await;
        assert_eq!((record.version, record.member_count), (2, 1));
    }
}
