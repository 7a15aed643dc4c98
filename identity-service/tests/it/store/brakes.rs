//! The brakes: what is beyond so many in an hour is held; and the order in which work is taken, and pauses.

use identity_service::{
    id::{Kind, ResourceId},
    store::{
        Applied, Brake, Brakes, Deed, Held, Limit, Logged, MemberChange, Pause, Settlement, Usable, WorkState, Write,
        Written,
    },
};

use super::{
    Engine,
    bench::{Bench, adding, applied, at, delete, document, update, update_members},
};

/// A brake that lets so many through.
fn most(least: u64) -> Option<Limit> {
    Some(Limit { least, percent: 0 })
}

const USABLE_NO_MORE: Usable = Usable {
    before: true,
    after: false,
};

/// Users with accounts.
async fn staff(bench: &Bench, count: usize) -> Vec<ResourceId> {
    let mut users = Vec::new();
    for number in 0..count {
        users.push(bench.user(&format!("user{number}")).await);
    }
    bench.deliver_all(at(1)).await;
    users
}

impl Bench {
    /// Deletes a resource under brakes.
    async fn delete_under(&self, kind: Kind, id: ResourceId, brakes: Brakes, seconds: i64) -> Written {
        let present = self.record(kind, id).await;
        let write = Write {
            usable: Usable {
                before: true,
                after: false,
            },
            brakes,
            now: at(seconds),
            ..delete(&present)
        };
        self.write(write).await.unwrap()
    }

    /// Changes a user under brakes.
    async fn change_under(&self, id: ResourceId, usable: Usable, brakes: Brakes, seconds: i64) -> Written {
        let present = self.record(Kind::User, id).await;
        let name = present.text("userName").unwrap().to_owned();
        let mut wanted = document(Kind::User, &name);
        wanted["touched"] = seconds.into();
        let write = Write {
            usable,
            brakes,
            now: at(seconds),
            ..update(&present, wanted)
        };
        self.write(write).await.unwrap()
    }

    async fn change_members_under(&self, group: ResourceId, change: MemberChange, limit: u64, seconds: i64) -> Written {
        let brakes = Brakes {
            removals: most(limit),
            deactivations: None,
        };
        let write = Write {
            brakes,
            now: at(seconds),
            ..update_members(group, change)
        };
        self.write(write).await.unwrap()
    }

    async fn sweep(&self) {
        while self.store.sweep(&self.tenant, at(10)).await.unwrap() > 0 {}
    }

    async fn braked(&self, id: ResourceId) -> Option<Brake> {
        self.delivery(id).await.unwrap().work.and_then(|work| work.braked)
    }
}

pub(super) async fn deactivations_beyond_the_limit_are_held(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 4).await;
    let brakes = Brakes {
        removals: None,
        deactivations: most(2),
    };
    for (number, user) in users.iter().enumerate() {
        let written = bench.change_under(*user, USABLE_NO_MORE, brakes, 10).await;
        assert_eq!(written.braked, (number >= 2).then_some(Brake::Deactivations));
    }
    let states = [WorkState::Pending, WorkState::Pending, WorkState::Held, WorkState::Held];
    for (user, state) in users.iter().zip(states) {
        assert_eq!(bench.state(*user).await, Some(state));
    }
    assert_eq!(bench.claim_all(at(10_000)).await.len(), 2, "what is held is never due");
    let summary = bench.summary().await;
    assert_eq!((summary.pending, summary.held), (2, 2));
    let held = bench
        .store
        .deliveries(&bench.tenant, Some(WorkState::Held), None, 10)
        .await;
    let held: Vec<_> = held.unwrap().into_iter().map(|delivery| delivery.id).collect();
    assert_eq!(held, users[2..]);
}

pub(super) async fn a_brake_lets_go_after_an_hour(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 3).await;
    let brakes = Brakes {
        removals: None,
        deactivations: most(1),
    };
    for (user, seconds, braked) in [
        (users[0], 10, None),
        (users[1], 3_609, Some(Brake::Deactivations)),
        (users[2], 3_611, None),
    ] {
        let written = bench.change_under(user, USABLE_NO_MORE, brakes, seconds).await;
        assert_eq!(written.braked, braked, "after {seconds} s");
    }
    assert_eq!(
        bench.state(users[1]).await,
        Some(WorkState::Held),
        "a person must release it"
    );
}

pub(super) async fn a_limit_grows_with_the_directory(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 10).await;
    let limit = Some(Limit { least: 1, percent: 20 });
    let brakes = Brakes {
        removals: None,
        deactivations: limit,
    };
    for (number, user) in users[..3].iter().enumerate() {
        let written = bench.change_under(*user, USABLE_NO_MORE, brakes, 10).await;
        assert_eq!(written.braked.is_some(), number >= 2);
    }
}

pub(super) async fn who_has_no_account_passes_every_brake(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let brakes = Brakes {
        removals: most(0),
        deactivations: most(0),
    };
    let user = bench.user("odile").await;
    assert_eq!(bench.change_under(user, USABLE_NO_MORE, brakes, 1).await.braked, None);
    assert_eq!(bench.delete_under(Kind::User, user, brakes, 2).await.braked, None);
}

pub(super) async fn who_may_be_used_again_is_held_no_longer(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = staff(&bench, 1).await[0];
    let brakes = Brakes {
        removals: None,
        deactivations: most(0),
    };
    bench.change_under(user, USABLE_NO_MORE, brakes, 10).await;
    let still = Usable {
        before: false,
        after: false,
    };
    bench.change_under(user, still, brakes, 11).await;
    assert_eq!(
        bench.state(user).await,
        Some(WorkState::Held),
        "another change does not let it go"
    );
    assert!(bench.store.retry(&bench.tenant, user, None, at(12)).await.unwrap());
    assert_eq!(
        bench.state(user).await,
        Some(WorkState::Held),
        "nor does a wish for a try"
    );
    let again = Usable {
        before: false,
        after: true,
    };
    bench.change_under(user, again, brakes, 13).await;
    assert_eq!(bench.claim(at(13)).await.braked, None);
}

pub(super) async fn what_is_released_goes_on(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = staff(&bench, 1).await[0];
    assert!(
        !bench.store.release(&bench.tenant, user, None, at(5)).await.unwrap(),
        "nothing is held"
    );
    let brakes = Brakes {
        removals: None,
        deactivations: most(0),
    };
    bench.change_under(user, USABLE_NO_MORE, brakes, 10).await;
    assert!(bench.store.release(&bench.tenant, user, None, at(20)).await.unwrap());
    let last = bench.log(0).await.pop().map(|entry| entry.what);
    assert!(matches!(last, Some(Logged::Act(act)) if act.act == Deed::Release && act.resource.is_some()));
    assert!(
        !bench.store.release(&bench.tenant, user, None, at(20)).await.unwrap(),
        "it is held no longer"
    );
    let claim = bench.claim(at(20)).await;
    assert_eq!(claim.braked, None);
    bench.apply(&claim, at(21)).await;
    assert_eq!(bench.state(user).await, None);
    assert_eq!(bench.summary().await.held, 0);
}

pub(super) async fn a_removal_beyond_the_limit_is_held_when_the_account_is_disabled(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 2).await;
    let brakes = Brakes {
        removals: most(1),
        deactivations: most(10),
    };
    assert_eq!(bench.delete_under(Kind::User, users[0], brakes, 10).await.braked, None);
    let written = bench.delete_under(Kind::User, users[1], brakes, 10).await;
    assert_eq!(written.braked, Some(Brake::Removals));
    let claims = bench.claim_all(at(10)).await;
    let claim = claims.into_iter().find(|claim| claim.id == users[1]).unwrap();
    assert_eq!(claim.braked, Some(Brake::Removals), "it may be disabled");
    let held = Held {
        object: bench.account(users[1]).await.map(|id| (id, "rpc".to_owned())),
        disabled: true,
        brake: claim.braked,
    };
    bench.settle(&claim, Settlement::Held(held), at(11)).await;
    let delivery = bench.delivery(users[1]).await.unwrap();
    assert!(delivery.deleted && delivery.link.disabled);
    assert_eq!(delivery.work.unwrap().state, WorkState::Held);
    assert!(bench.claim_all(at(12)).await.is_empty());
    assert!(
        bench
            .store
            .release(&bench.tenant, users[1], None, at(20))
            .await
            .unwrap()
    );
    assert_eq!(bench.claim(at(20)).await.braked, None, "now it is to be removed");
}

pub(super) async fn a_brake_that_comes_on_with_a_delivery_holds_until_a_person_releases_it(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 2).await;
    let group = bench.group("Crew", &[]).await;
    bench.deliver_all(at(2)).await;
    let none = Brakes::default();
    for user in &users {
        assert_eq!(bench.delete_under(Kind::User, *user, none, 10).await.braked, None);
    }
    bench.delete_under(Kind::Group, group, none, 10).await;
    let claims = bench.claim_all(at(10)).await;
    let of = |id| claims.iter().find(|claim| claim.id == id).unwrap();
    assert!(claims.iter().all(|claim| claim.braked.is_none() && !claim.released));
    let held = Held {
        brake: Some(Brake::Alarm),
        ..Held::default()
    };
    bench.settle(of(users[0]), Settlement::Held(held.clone()), at(11)).await;
    bench.settle(of(group), Settlement::Held(held.clone()), at(11)).await;
    for id in [users[0], group] {
        assert_eq!(
            (bench.state(id).await, bench.braked(id).await),
            (Some(WorkState::Held), Some(Brake::Alarm))
        );
    }
    assert_eq!(bench.summary().await.held, 2);
    // Whatever wakes it, it is held on.
    assert!(
        bench
            .claim_all(at(5_000))
            .await
            .iter()
            .all(|claim| claim.id == users[1])
    );
    for id in [users[0], group] {
        assert!(bench.store.release(&bench.tenant, id, None, at(20)).await.unwrap());
        let claims = bench.claim_all(at(20)).await;
        let claim = claims.iter().find(|claim| claim.id == id).unwrap();
        assert!(
            claim.braked.is_none() && claim.released,
            "no brake comes on again: {claim:?}"
        );
    }
}

pub(super) async fn a_release_counts_for_what_is_wanted_then(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 1).await;
    let brakes = Brakes {
        removals: None,
        deactivations: most(0),
    };
    bench.change_under(users[0], USABLE_NO_MORE, brakes, 10).await;
    assert!(
        bench
            .store
            .release(&bench.tenant, users[0], None, at(11))
            .await
            .unwrap()
    );
    assert!(bench.delivery(users[0]).await.unwrap().work.unwrap().released);
    bench.delete_under(Kind::User, users[0], Brakes::default(), 12).await;
    assert!(
        !bench.delivery(users[0]).await.unwrap().work.unwrap().released,
        "nobody released the removal"
    );
}

pub(super) async fn too_many_disabled_by_held_removals_are_held_as_they_are(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 2).await;
    let brakes = Brakes {
        removals: most(0),
        deactivations: most(1),
    };
    for (user, brake) in users.iter().zip([Brake::Removals, Brake::Deactivations]) {
        assert_eq!(
            bench.delete_under(Kind::User, *user, brakes, 10).await.braked,
            Some(brake)
        );
        assert_eq!(bench.braked(*user).await, Some(brake));
    }
    assert_eq!(bench.state(users[1]).await, Some(WorkState::Held));
    let claims = bench.claim_all(at(10)).await;
    assert_eq!(claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [users[0]]);
}

pub(super) async fn whose_deactivation_is_held_is_not_disabled_by_a_deletion(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 2).await;
    let brakes = Brakes {
        removals: most(0),
        deactivations: most(0),
    };
    for (user, deletion_disables) in users.into_iter().zip([false, true]) {
        let held = bench.change_under(user, USABLE_NO_MORE, brakes, 10).await;
        assert_eq!(held.braked, Some(Brake::Deactivations));
        let present = bench.record(Kind::User, user).await;
        let write = Write {
            usable: Usable {
                before: false,
                after: false,
            },
            brakes,
            deletion_disables,
            now: at(11),
            ..delete(&present)
        };
        let written = bench.write(write).await.unwrap();
        assert_eq!(written.braked, Some(Brake::Deactivations), "{deletion_disables}");
        assert_eq!(bench.state(user).await, Some(WorkState::Held));
    }
    assert!(bench.claim_all(at(12)).await.is_empty());
}

pub(super) async fn whose_account_is_disabled_already_passes_the_brake_on_deactivations(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 2).await;
    let brakes = Brakes {
        removals: most(0),
        deactivations: most(1),
    };
    bench.change_under(users[0], USABLE_NO_MORE, brakes, 10).await;
    let claim = bench.claim(at(10)).await;
    let order = bench.order(&claim).await;
    let disabled = Applied {
        disabled: true,
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(disabled), at(11)).await;
    // Back, and gone again before anything was done about it.
    let back = Usable {
        before: false,
        after: true,
    };
    bench.change_under(users[0], back, brakes, 12).await;
    let again = bench.change_under(users[0], USABLE_NO_MORE, brakes, 13).await;
    assert_eq!(again.braked, None, "nothing is taken away");
    let deleted = bench.delete_under(Kind::User, users[0], brakes, 14).await;
    assert_eq!(deleted.braked, Some(Brake::Removals), "and it may stay disabled");
}

pub(super) async fn a_new_user_of_the_name_ends_a_held_removal(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let old = staff(&bench, 1).await[0];
    let brakes = Brakes {
        removals: most(0),
        deactivations: most(0),
    };
    bench.delete_under(Kind::User, old, brakes, 10).await;
    assert_eq!(bench.summary().await.held, 1);
    let new = bench.user("user0").await;
    assert_eq!(bench.claim(at(20)).await.id, new);
    assert_eq!(bench.summary().await.held, 0);
}

pub(super) async fn a_large_groups_deletion_counts_for_its_members(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 25).await;
    let (small, large) = (
        bench.group("small", &users[..2]).await,
        bench.group("large", &users).await,
    );
    bench.deliver_all(at(2)).await;
    let brakes = Brakes {
        removals: most(10),
        deactivations: None,
    };
    assert_eq!(bench.delete_under(Kind::Group, small, brakes, 10).await.braked, None);
    let written = bench.delete_under(Kind::Group, large, brakes, 10).await;
    assert_eq!(written.braked, Some(Brake::Removals));
    assert_eq!(bench.state(large).await, Some(WorkState::Held));
    bench.sweep().await;
    assert_eq!(bench.state(large).await, Some(WorkState::Held));
    assert!(bench.store.release(&bench.tenant, large, None, at(20)).await.unwrap());
    let claims = bench.claim_all(at(20)).await;
    assert!(claims.iter().any(|claim| claim.id == large && claim.braked.is_none()));
}

pub(super) async fn many_who_leave_a_group_at_once_are_held(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 50).await;
    let group = bench.group("rack", &users).await;
    bench.deliver_all(at(2)).await;
    let out = |some: &[ResourceId]| MemberChange {
        remove: some.to_vec(),
        ..MemberChange::default()
    };
    // Nineteen are few, whatever the share; they count for nothing.
    assert_eq!(
        bench.change_members_under(group, out(&users[..19]), 0, 10).await.braked,
        None
    );
    bench.sweep().await;
    bench.deliver_all(at(11)).await;
    let written = bench.change_members_under(group, out(&users[19..40]), 20, 12).await;
    assert_eq!(written.braked, Some(Brake::Removals));
    bench.sweep().await;
    assert_eq!(bench.members(group).await, users[40..], "SCIM shows what is wanted");
    // What else changes is delivered, and not those who are held.
    bench.rename(Kind::Group, group, "racks").await.unwrap();
    bench.add(group, &users[..1]).await;
    let claim = bench.claim(at(13)).await;
    let order = bench.order(&claim).await;
    assert_eq!(
        order.batch.iter().map(|member| member.id).collect::<Vec<_>>(),
        users[..1]
    );
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(14))
        .await;
    let delivery = bench.delivery(group).await.unwrap();
    assert_eq!(
        (delivery.work.unwrap().state, delivery.pending_members),
        (WorkState::Held, 21)
    );

    assert!(bench.store.release(&bench.tenant, group, None, at(20)).await.unwrap());
    bench.sweep().await;
    let claim = bench.claim(at(20)).await;
    let order = bench.order(&claim).await;
    assert_eq!(order.batch.len(), 21);
    assert!(order.batch.iter().all(|member| !member.wanted));
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(21))
        .await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn who_is_put_in_again_is_held_no_longer(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 20).await;
    let group = bench.group("rack", &users).await;
    bench.deliver_all(at(2)).await;
    let all_out = MemberChange {
        replace: true,
        ..MemberChange::default()
    };
    assert_eq!(
        bench.change_members_under(group, all_out, 5, 10).await.braked,
        Some(Brake::Removals)
    );
    bench.sweep().await;
    bench.set_members(group, adding(&users)).await.unwrap();
    bench.sweep().await;
    let claim = bench.claim(at(11)).await;
    let order = bench.order(&claim).await;
    assert!(order.batch.len() == 20 && order.batch.iter().all(|member| member.wanted));
    bench
        .settle(&claim, Settlement::Applied(applied(&claim, &order)), at(12))
        .await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn what_takes_access_away_is_taken_first(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = staff(&bench, 5).await;
    let group = bench.group("rack", &users).await;
    bench.deliver_all(at(2)).await;
    for user in &users[..2] {
        bench.touch(Kind::User, *user).await;
    }
    let none = Brakes::default();
    bench.change_under(users[2], USABLE_NO_MORE, none, 10).await;
    bench.remove(group, &users[3..4]).await;
    bench.delete_under(Kind::User, users[4], none, 11).await;
    let mut taken = Vec::new();
    while let Some(claim) = bench.take(at(20), 1).await.claims.pop() {
        taken.push(claim.id);
    }
    taken[..3].sort_unstable();
    taken[3..].sort_unstable();
    let mut first = [users[2], group, users[4]];
    first.sort_unstable();
    assert_eq!(taken, [&first[..], &users[..2]].concat());
}

pub(super) async fn the_oldest_that_is_pending_is_told(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    assert_eq!(bench.summary().await.oldest_pending, None);
    let users = staff(&bench, 2).await;
    assert_eq!(bench.summary().await.oldest_pending, None, "all is applied");
    for (user, seconds) in users.iter().zip([20, 10]) {
        bench
            .change_under(*user, Usable::ALWAYS, Brakes::default(), seconds)
            .await;
    }
    assert_eq!(bench.summary().await.oldest_pending, Some(at(10)));
    let claims = bench.claim_all(at(30)).await;
    for claim in claims.iter().filter(|claim| claim.id == users[1]) {
        bench.settle(claim, super::bench::refused(at(1_000)), at(31)).await;
    }
    assert_eq!(
        bench.summary().await.oldest_pending,
        Some(at(20)),
        "what is refused is not pending"
    );
}

pub(super) async fn nothing_is_claimed_of_a_tenant_that_is_paused(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    let pause = Pause {
        at: at(2),
        by: "Hana".to_owned(),
        reason: "a migration".to_owned(),
    };
    bench
        .store
        .set_pause(&bench.tenant, Some(pause.clone()), None, at(1))
        .await
        .unwrap();
    assert_eq!(bench.store.pause(&bench.tenant).await.unwrap(), Some(pause));
    bench.apply(&claim, at(3)).await;
    assert_eq!(bench.state(user).await, None, "what is under way comes to its end");
    bench.touch(Kind::User, user).await;
    assert!(bench.claim_all(at(4)).await.is_empty());
    bench.store.set_pause(&bench.tenant, None, None, at(2)).await.unwrap();
    assert_eq!(bench.store.pause(&bench.tenant).await.unwrap(), None);
    assert_eq!(bench.claim_all(at(5)).await.len(), 1);
}
