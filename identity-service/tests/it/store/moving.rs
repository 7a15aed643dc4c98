//! What was moved from a store to another is the same there for everyone who asks, and goes on as it would have.

use identity_service::{
    id::{Kind, ResourceId, Tenant},
    index::Index,
    store::{
        Applied, Brakes, Entry, ExportCursor, ImportMark, Intent, Limit, MOVED_AT_ONCE, Reverted, Settlement,
        StoreError, WorkState, Write, WriteError,
    },
};

use super::{
    Engine,
    bench::{Bench, applied, at, create, create_with, delete, failure, postponed, refused},
    chores::{large_group, manager_of, report, sweep},
};

/// Everything that a store gives out of a tenant, in pages of that size.
pub(super) async fn export(bench: &Bench, limit: usize) -> Vec<Entry> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (entries, next) = bench.store.export(&bench.tenant, after, limit).await.unwrap();
        assert!(entries.iter().map(Entry::items).sum::<usize>() <= limit);
        all.extend(entries);
        match next {
            // A cursor is text, and survives the process.
            Some(ExportCursor(text)) => after = Some(ExportCursor(text)),
            None => return all,
        }
    }
}

/// Puts entries into a store, in steps that are small enough.
pub(super) async fn import(bench: &Bench, entries: &[Entry]) {
    let mut step = Vec::new();
    for entry in entries {
        if step.iter().map(Entry::items).sum::<usize>() + entry.items() > MOVED_AT_ONCE {
            bench
                .store
                .import(&bench.tenant, std::mem::take(&mut step))
                .await
                .unwrap();
        }
        step.push(entry.clone());
    }
    bench.store.import(&bench.tenant, step).await.unwrap();
}

/// A store of the engine with all that this one has.
async fn moved(engine: &dyn Engine, bench: &Bench) -> Bench {
    let there = Bench::new(engine).await;
    import(&there, &export(bench, MOVED_AT_ONCE).await).await;
    there
}

/// Entries with one item each, so that it does not matter how they were cut into pages.
fn single(entries: &[Entry]) -> Vec<Entry> {
    let one = |entry: &Entry| match entry {
        Entry::Members { group, members } => members
            .iter()
            .map(|member| Entry::Members {
                group: *group,
                members: vec![*member],
            })
            .collect(),
        Entry::Unconfirmed { group, members } => members
            .iter()
            .map(|member| Entry::Unconfirmed {
                group: *group,
                members: vec![*member],
            })
            .collect(),
        entry => vec![entry.clone()],
    };
    entries.iter().flat_map(one).collect()
}

/// The same in an order of their own: engines differ in theirs.
fn sorted(entries: &[Entry]) -> Vec<String> {
    let mut shown: Vec<_> = single(entries).iter().map(|entry| format!("{entry:?}")).collect();
    shown.sort_unstable();
    shown
}

/// A directory in which there is some of everything, and the ids of all that is or was in it.
async fn directory(bench: &Bench) -> Vec<ResourceId> {
    let boss = bench.user("boss").await;
    let linked = bench.user("Linked").await;
    let early = bench.group("early", &[boss, linked]).await;
    bench.deliver_all(at(1)).await;
    // Tombstones: of a group, of an account that is kept, and a newer one of the same name.
    let old = bench.user("gone").await;
    bench.deliver_all(at(2)).await;
    bench.delete(Kind::User, old).await.unwrap();
    bench.delete(Kind::Group, early).await.unwrap();
    // A manager, an external id, a member without an account, one that is no resource, one that the Platform refused.
    let mut document = report(7, boss);
    document["externalId"] = "X7".into();
    let reporter = bench
        .write(create_with(Kind::User, document, &[]))
        .await
        .unwrap()
        .record
        .id;
    let mut sales = create(Kind::Group, "sales", &[boss, linked, reporter, ResourceId::generate()]);
    sales.keep_unknown_members = true;
    let sales = bench.write(sales).await.unwrap().record.id;
    for claim in bench.claim_all(at(3)).await {
        let order = bench.order(&claim).await;
        if claim.id == sales {
            let answer = applied(&claim, &order);
            let answer = Applied {
                confirmed: answer.confirmed[..1].to_vec(),
                refused: answer.confirmed[1..].to_vec(),
                refused_because: Some(failure()),
                ..answer
            };
            bench.settle(&claim, Settlement::Applied(answer), at(3)).await;
        } else if claim.id == reporter {
            assert_eq!(
                bench.store.record_intent(&claim, "Report 7").await.unwrap(),
                Intent::Noted
            );
            bench.settle(&claim, refused(at(4_000)), at(3)).await;
        } else {
            let waits = Settlement::Postponed {
                failure: failure(),
                retry_at: at(500),
                not_before: Some(at(400)),
                waits_for: Some(boss),
                void_intents: Vec::new(),
            };
            bench.settle(&claim, waits, at(3)).await;
        }
    }
    // Only planned.
    let drafted = bench.user("drafted").await;
    let claim = bench.claim(at(3)).await;
    bench
        .settle(
            &claim,
            Settlement::Planned(vec!["create the account".to_owned()]),
            at(3),
        )
        .await;
    // A group that waits for its deleted namesake, and work of which nobody has heard.
    let early_again = bench.group("early", &[linked]).await;
    let fresh = bench.user("fresh").await;
    vec![boss, linked, early, old, reporter, sales, early_again, fresh, drafted]
}

/// All that a store shows of these.
async fn everything(bench: &Bench, ids: &[ResourceId]) -> Vec<String> {
    let (store, tenant) = (&bench.store, &bench.tenant);
    let mut shown = Vec::new();
    for kind in Kind::ALL {
        for id in ids {
            shown.push(format!("{:?}", bench.get(kind, *id).await));
        }
        let listed = store
            .list(tenant, kind, identity_service::store::From::Offset(0), 1_000)
            .await;
        shown.push(format!(
            "{:?} of {}",
            listed.unwrap(),
            store.count(tenant, kind).await.unwrap()
        ));
        for (index, value) in [
            (Index::Name, "linked"),
            (Index::Name, "SALES"),
            (Index::Name, "gone"),
            (Index::ExternalId, "x7"),
            (Index::Manager, &ids[0].to_string()),
        ] {
            shown.push(format!("{value}: {:?}", bench.find(kind, index, value).await));
        }
        for name in ["report 7", "gone", "nobody"] {
            shown.push(format!("{:?}", store.intender(tenant, kind, name).await.unwrap()));
        }
    }
    for id in ids {
        shown.push(format!("{:?}", store.members(tenant, *id, None, 1_000).await.unwrap()));
        shown.push(format!("{:?}", bench.groups_of(*id).await));
        let link = store.link(tenant, *id).await.unwrap();
        if let Some(object) = link.as_ref().and_then(|link| link.platform_id.as_deref()) {
            for kind in Kind::ALL {
                shown.push(format!("{:?}", store.owner(tenant, kind, object).await.unwrap()));
            }
        }
        shown.push(format!("{link:?} {:?}", bench.delivery(*id).await));
    }
    for state in [
        None,
        Some(WorkState::Pending),
        Some(WorkState::Refused),
        Some(WorkState::Planned),
    ] {
        shown.push(format!(
            "{:?}",
            store.deliveries(tenant, state, None, 1_000).await.unwrap()
        ));
    }
    shown.push(format!("{:?}", bench.summary().await));
    shown
}

pub(super) async fn what_is_held_or_refused_is_taken_back_there_too(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let users = [here.user("odile").await, here.user("anders").await];
    let group = here.group("rack", &users).await;
    here.deliver_all(at(1)).await;
    here.rename(Kind::User, users[0], "odette").await.unwrap();
    let brakes = Brakes {
        removals: Some(Limit { least: 0, percent: 0 }),
        deactivations: None,
    };
    let held = Write {
        brakes,
        ..delete(&here.record(Kind::Group, group).await)
    };
    here.write(held).await.unwrap();
    assert_eq!(here.summary().await.held, 1);

    let there = moved(engine, &here).await;
    for (kind, id) in [(Kind::User, users[0]), (Kind::Group, group)] {
        let image = there.store.pre_image(&there.tenant, kind, id).await.unwrap();
        assert!(image.as_ref().is_some_and(|image| image.record.is_some()));
        assert_eq!(image, here.store.pre_image(&here.tenant, kind, id).await.unwrap());
    }
    let taken = there.write(create(Kind::User, "odile", &[])).await;
    assert!(
        matches!(taken, Err(WriteError::NameReserved(_))),
        "it is given up, and not yet on the Platform: {taken:?}"
    );
    for (bench, name) in [(&here, "here"), (&there, "there")] {
        for (kind, id) in [(Kind::Group, group), (Kind::User, users[0])] {
            let restored = bench.take_back(kind, id, false).await;
            assert!(matches!(restored, Reverted::Restored(_)), "{name}: {restored:?}");
        }
        sweep(bench, 600).await;
        assert_eq!(bench.members(group).await, users, "{name}");
        assert_eq!(bench.named(Kind::User, "odile").await, Some(users[0]));
    }
    assert_eq!(sorted(&export(&there, 7).await), sorted(&export(&here, 7).await));
}

pub(super) async fn what_was_moved_is_the_same_for_every_reader(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let ids = directory(&here).await;
    let there = moved(engine, &here).await;
    assert_eq!(everything(&there, &ids).await, everything(&here, &ids).await);
    // What is due comes in the same order, with the same orders.
    for now in [10, 100, 450, 1_000, 5_000] {
        loop {
            let claims = here.take(at(now), 1).await;
            let same = there.take(at(now), 1).await;
            assert_eq!(same.next_due, claims.next_due);
            let (Some(claim), Some(same)) = (claims.claims.first(), same.claims.first()) else {
                assert_eq!(same.claims.len(), claims.claims.len());
                break;
            };
            assert_eq!(
                (same.id, same.stamp, same.attempts),
                (claim.id, claim.stamp, claim.attempts)
            );
            assert_eq!(there.order(same).await, here.order(claim).await);
            let until = at(now + 10_000);
            here.settle(claim, postponed(until), at(now)).await;
            there.settle(same, postponed(until), at(now)).await;
        }
    }
}

pub(super) async fn a_move_to_another_engine_and_back_loses_nothing(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let ids = directory(&here).await;
    // A hold upon a removal that is under way stays behind, and with it the wait for what is gone.
    let old = here.user("held").await;
    here.deliver_all(at(5)).await;
    here.delete(Kind::User, old).await.unwrap();
    assert_eq!(here.claim_all(at(6)).await.len(), 1);
    here.user("held").await;
    let there = moved(&super::InMemory, &here).await;
    assert_eq!(
        sorted(&export(&there, MOVED_AT_ONCE).await),
        sorted(&export(&here, MOVED_AT_ONCE).await)
    );
    let back = moved(engine, &there).await;
    assert_eq!(everything(&back, &ids).await, everything(&there, &ids).await);
    assert_eq!(
        sorted(&export(&back, 7).await),
        sorted(&export(&here, MOVED_AT_ONCE).await)
    );
}

pub(super) async fn deliveries_go_on_after_a_move(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let ids = directory(&here).await;
    let there = moved(engine, &here).await;
    for bench in [&here, &there] {
        bench.deliver_all(at(10)).await;
        for id in &ids {
            bench.store.retry(&bench.tenant, *id, None, at(20)).await.unwrap();
        }
        bench.deliver_all(at(20)).await;
        assert_eq!(bench.summary().await.refused, 0);
    }
    assert_eq!(there.summary().await, here.summary().await);
    for id in ids {
        assert_eq!(there.account(id).await, here.account(id).await);
        let left = async |bench: &Bench| bench.delivery(id).await.map(|delivery| delivery.pending_members);
        assert_eq!(left(&there).await, left(&here).await);
    }
}

pub(super) async fn an_export_gives_the_same_twice_and_in_pages_of_any_size(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    directory(&bench).await;
    let whole = export(&bench, MOVED_AT_ONCE).await;
    assert_eq!(export(&bench, MOVED_AT_ONCE).await, whole);
    for kind in [
        "Counters",
        "Resource",
        "Members",
        "Link",
        "Tombstone",
        "Unconfirmed",
        "Work",
        "Waiting",
    ] {
        let there = whole.iter().any(|entry| format!("{entry:?}").starts_with(kind));
        assert!(there, "the directory has no {kind}");
    }
    for limit in [1, 2, 7] {
        assert_eq!(
            single(&export(&bench, limit).await),
            single(&whole),
            "in pages of {limit}"
        );
    }
}

pub(super) async fn an_entry_put_twice_or_in_another_order_is_as_one_put_once(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let ids = directory(&here).await;
    let entries = export(&here, MOVED_AT_ONCE).await;
    let there = Bench::new(engine).await;
    import(&there, &entries).await;
    let backwards: Vec<_> = entries.iter().rev().cloned().collect();
    import(&there, &backwards).await;
    let other = Bench::new(engine).await;
    import(&other, &backwards).await;
    for there in [there, other] {
        assert_eq!(everything(&there, &ids).await, everything(&here, &ids).await);
        assert_eq!(sorted(&export(&there, MOVED_AT_ONCE).await), sorted(&entries));
    }
}

pub(super) async fn a_tombstone_is_taken_over_after_a_move(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let old = here.user("odile").await;
    here.deliver_all(at(1)).await;
    let account = here.account(old).await;
    here.delete(Kind::User, old).await.unwrap();
    let there = moved(engine, &here).await;
    let new = there.user("Odile").await;
    assert_eq!(there.account(new).await, account);
    assert!(there.delivery(old).await.is_none(), "the removal is called off");
}

/// Two accounts of one name: the second was renamed to it when the first was gone.
pub(super) async fn of_several_tombstones_the_newest_is_taken_over_after_a_move(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let mut accounts = Vec::new();
    for name in ["first", "second"] {
        let user = here.user(name).await;
        here.deliver_all(at(1)).await;
        accounts.push((user, here.account(user).await));
    }
    here.rename(Kind::User, accounts[1].0, "odile").await.unwrap();
    here.deliver_all(at(1)).await;
    here.delete(Kind::User, accounts[1].0).await.unwrap();
    here.rename(Kind::User, accounts[0].0, "odile").await.unwrap();
    here.deliver_all(at(0)).await;
    here.delete(Kind::User, accounts[0].0).await.unwrap();
    let there = moved(engine, &here).await;
    let new = there.user("odile").await;
    assert_eq!(there.account(new).await, accounts[0].1);
}

pub(super) async fn a_lease_stays_behind(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let user = here.user("odile").await;
    let claim = here.claim(at(1)).await;
    let order = here.order(&claim).await;
    let there = moved(engine, &here).await;
    there
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(2))
        .await;
    assert!(
        there.account(user).await.is_none(),
        "a claim of the old store settles nothing in the new one"
    );
    assert!(
        there.claim_all(at(2)).await.is_empty(),
        "what had begun may still be under way"
    );
    let again = there.claim(at(1) + super::bench::LEASE).await;
    assert!(again.token > claim.token);
}

pub(super) async fn a_change_after_a_move_is_told_from_what_came_with_it(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let user = here.user("odile").await;
    let group = here.group("sales", &[]).await;
    here.deliver_all(at(1)).await;
    here.add(group, &[user]).await;
    let before = here.claim(at(1)).await;
    let there = moved(engine, &here).await;
    let claim = there.claim(at(1) + super::bench::LEASE).await;
    assert_eq!(claim.stamp, before.stamp);
    let answer = applied(&claim, &there.order(&claim).await);
    there.remove(group, &[user]).await;
    there.settle(&claim, Settlement::Applied(answer), at(100)).await;
    let delivery = there.delivery(group).await.unwrap();
    assert_eq!(delivery.pending_members, 1, "the removal is still to come");
    assert!(delivery.work.unwrap().stamp > claim.stamp);
}

pub(super) async fn chores_go_on_after_a_move(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let boss = manager_of(&here, 1_200).await;
    here.delete(Kind::User, boss).await.unwrap();
    let there = moved(engine, &here).await;
    let (left_here, left_there) = (sweep(&here, 3).await, sweep(&there, 3).await);
    assert!(left_here > 0 && left_there == left_here, "{left_here} {left_there}");
    assert_eq!(there.summary().await.pending, here.summary().await.pending);
}

pub(super) async fn what_a_deleted_group_left_stays_behind(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let (group, user) = large_group(&here, 2_500).await;
    assert!(
        export(&here, MOVED_AT_ONCE)
            .await
            .iter()
            .map(Entry::items)
            .sum::<usize>()
            > 5_000
    );
    let there = moved(engine, &here).await;
    assert_eq!(there.members(group).await, here.members(group).await);
    here.delete(Kind::Group, group).await.unwrap();
    let there = moved(engine, &here).await;
    assert!(there.members(group).await.is_empty() && there.groups_of(user).await.is_empty());
    assert_eq!(sweep(&there, 1).await, 0);
    let entries = export(&here, MOVED_AT_ONCE).await;
    assert!(entries.len() < 10, "{entries:?}");
}

pub(super) async fn only_the_tenant_asked_for_is_moved(engine: &dyn Engine) {
    let mut bench = Bench::new(engine).await;
    bench.user("odile").await;
    let entries = export(&bench, MOVED_AT_ONCE).await;
    bench.tenant = Tenant::new("umbrella");
    assert_eq!(
        export(&bench, MOVED_AT_ONCE).await,
        [Entry::Counters {
            stamp: 0,
            pause: None,
            credentials: None
        }]
    );
    import(&bench, &entries).await;
    assert_eq!(export(&bench, MOVED_AT_ONCE).await, entries);
    assert!(bench.store.log(&bench.tenant, 0, 10).await.unwrap().entries.is_empty());
}

pub(super) async fn what_does_not_go_together_is_refused(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    let ids = directory(&here).await;
    let entries = export(&here, MOVED_AT_ONCE).await;
    let there = Bench::new(engine).await;
    import(&there, &entries).await;
    let another = ResourceId::generate();
    let unfit = entries.iter().filter_map(|entry| match entry {
        Entry::Resource(record) => {
            let mut record = record.clone();
            record.id = another;
            Some(Entry::Resource(record))
        }
        Entry::Link { kind, link, .. } => Some(Entry::Link {
            id: another,
            kind: *kind,
            link: link.clone(),
        }),
        _ => None,
    });
    for entry in unfit {
        // Whatever goes before it in the same step.
        for before in [vec![], entries[..2].to_vec()] {
            let step = [before, vec![entry.clone()]].concat();
            let refused = there.store.import(&there.tenant, step).await.unwrap_err();
            let StoreError::Unfit { what, .. } = refused else {
                panic!("{entry:?}: {refused:?}")
            };
            assert_eq!(what == "resource", matches!(entry, Entry::Resource(_)), "{what}");
        }
    }
    assert_eq!(everything(&there, &ids).await, everything(&here, &ids).await);
    // A name that came with the move is taken.
    let taken = there.write(create(Kind::User, "LINKED", &[])).await.unwrap_err();
    assert!(matches!(taken, WriteError::NameTaken), "{taken:?}");
    let nonsense = Some(ExportCursor("nonsense".to_owned()));
    there.store.export(&there.tenant, nonsense, 10).await.unwrap_err();
}

pub(super) async fn the_mark_of_an_import_stands_until_it_is_complete(engine: &dyn Engine) {
    let mut bench = Bench::new(engine).await;
    let mark = |source: &str, lines, complete| ImportMark {
        source: source.to_owned(),
        lines,
        complete,
    };
    assert_eq!(bench.store.importing(&bench.tenant).await.unwrap(), None);
    for (next, seen) in [
        (mark("a", 0, false), Some(mark("a", 0, false))),
        (mark("a", 700, false), Some(mark("a", 700, false))),
        (mark("a", 200, false), Some(mark("a", 700, false))),
        (mark("b", 5, false), Some(mark("b", 5, false))),
        (mark("b", 9, true), None),
        (mark("b", 9, true), None),
    ] {
        let entries = vec![Entry::Import(next)];
        bench.store.import(&bench.tenant, entries).await.unwrap();
        assert_eq!(bench.store.importing(&bench.tenant).await.unwrap(), seen);
        let exported = export(&bench, MOVED_AT_ONCE).await;
        assert_eq!(
            exported,
            [Entry::Counters {
                stamp: 0,
                pause: None,
                credentials: None
            }],
            "a mark is in no export"
        );
    }
    import(&bench, &[Entry::Import(mark("a", 1, false))]).await;
    bench.tenant = Tenant::new("umbrella");
    assert_eq!(bench.store.importing(&bench.tenant).await.unwrap(), None);
}
