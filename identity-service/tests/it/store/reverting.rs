//! Taking back what the Platform does not have: what was last applied is known, its names are kept free, and it is restored
//! only where nothing newer would be lost.

use identity_service::{
    id::{Kind, ResourceId},
    index::keys,
    store::{
        Applied, Brakes, Claim, Limit, MemberChange, Revert, Reverted, Settlement, Stage, Usable, WhyNot, WorkState,
        Write, WriteError,
    },
};
use serde_json::json;

use super::{
    Engine,
    bench::{Bench, adding, applied, at, create_with, delete, document, failure, refused, update_members},
};

impl Bench {
    /// Wants what is refused, or held, taken back.
    pub(super) async fn take_back(&self, kind: Kind, id: ResourceId, only_if_refused: bool) -> Reverted {
        let present = self.get(kind, id).await;
        let image = self.store.pre_image(&self.tenant, kind, id).await.unwrap();
        let before = image.and_then(|image| image.record);
        let version = self.delivery(id).await.map_or(0, |delivery| delivery.version);
        let revert = Revert {
            kind,
            id,
            expected: present.as_ref().map_or(version, |record| record.document_version),
            only_if_refused,
            old_keys: present.map_or_else(Vec::new, |record| keys(kind, &record.document)),
            new_keys: before.map_or_else(Vec::new, |record| keys(kind, &record.document)),
            attributes: vec!["userName".to_owned()],
            request: None,
            now: at(500),
            traceparent: None,
            diff: Vec::new(),
            origin: None,
        };
        self.store.revert(&self.tenant, revert).await.unwrap()
    }

    /// The only work there is, refused.
    async fn refuse(&self, now: i64) -> Claim {
        let claim = self.claim(at(now)).await;
        self.settle(&claim, refused(at(10_000)), at(now)).await;
        claim
    }

    async fn applied_user(&self, name: &str) -> ResourceId {
        let user = self.user(name).await;
        self.deliver_all(at(1)).await;
        user
    }

    async fn sweep_all(&self) {
        while self.store.sweep(&self.tenant, at(400)).await.unwrap() > 0 {}
    }
}

pub(super) async fn a_refused_change_is_taken_back(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.applied_user("odile").await;
    bench.rename(Kind::User, user, "anders").await.unwrap();
    bench.refuse(2).await;
    let Reverted::Restored(record) = bench.take_back(Kind::User, user, true).await else {
        panic!("it is not taken back")
    };
    assert_eq!(
        (record.text("userName"), record.version, record.document_version),
        (Some("odile"), 3, 3)
    );
    assert_eq!(bench.record(Kind::User, user).await, record);
    assert_eq!(bench.named(Kind::User, "odile").await, Some(user));
    assert_eq!(bench.named(Kind::User, "anders").await, None);
    // What was half done is put right.
    let claim = bench.claim(at(500)).await;
    assert_eq!(
        bench.order(&claim).await.record.unwrap().text("userName"),
        Some("odile")
    );
    bench.apply(&claim, at(501)).await;
    assert_eq!(bench.state(user).await, None);
    assert_eq!(
        bench.store.pre_image(&bench.tenant, Kind::User, user).await.unwrap(),
        None
    );
    bench.user("anders").await;
}

pub(super) async fn a_refused_creation_is_taken_back(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.refuse(1).await;
    assert_eq!(bench.take_back(Kind::User, user, true).await, Reverted::Removed);
    assert_eq!(
        (bench.get(Kind::User, user).await, bench.delivery(user).await),
        (None, None)
    );
    assert!(bench.claim_all(at(100_000)).await.is_empty());
    assert_eq!(bench.summary().await.users, 0);
    bench.user("odile").await;
    let group = bench.group("rack", &[]).await;
    for claim in bench.claim_all(at(600)).await {
        bench.settle(&claim, refused(at(10_000)), at(600)).await;
    }
    assert_eq!(bench.take_back(Kind::Group, group, true).await, Reverted::Removed);
    bench.group("rack", &[]).await;
}

pub(super) async fn what_may_have_been_created_is_not_taken_back(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    let claim = bench.claim(at(1)).await;
    bench.store.record_intent(&claim, "odile").await.unwrap();
    assert_eq!(
        bench.take_back(Kind::User, user, false).await,
        Reverted::Not(WhyNot::UnderWay)
    );
    bench.settle(&claim, refused(at(10_000)), at(2)).await;
    assert_eq!(
        bench.take_back(Kind::User, user, true).await,
        Reverted::Not(WhyNot::UnderWay)
    );
    assert!(bench.get(Kind::User, user).await.is_some());
}

pub(super) async fn a_creation_that_others_refer_to_is_not_taken_back(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    for refers in ["as a member", "as a manager"] {
        let user = bench.user(refers).await;
        let claim = bench.claim(at(1)).await;
        bench.settle(&claim, refused(at(10_000)), at(1)).await;
        if refers == "as a member" {
            bench.group("rack", &[user]).await;
        } else {
            let manager = json!({"value": user.to_string()});
            let mut report = document(Kind::User, "report");
            report["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = json!({"manager": manager});
            bench.write(create_with(Kind::User, report, &[])).await.unwrap();
        }
        assert_eq!(
            bench.take_back(Kind::User, user, true).await,
            Reverted::Not(WhyNot::Referred),
            "{refers}"
        );
        bench.deliver_all(at(2)).await;
    }
}

pub(super) async fn nothing_newer_is_lost(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.applied_user("odile").await;
    bench.rename(Kind::User, user, "anders").await.unwrap();
    let claim = bench.claim(at(2)).await;
    let first = bench.record(Kind::User, user).await.document_version;
    bench.touch(Kind::User, user).await;
    bench.settle(&claim, refused(at(10_000)), at(3)).await;
    assert_eq!(
        bench.state(user).await,
        Some(WorkState::Pending),
        "the newer change is tried"
    );
    bench.refuse(3).await;
    // It is refused, too, but it is not the only change since the last that was applied.
    assert_eq!(
        bench.take_back(Kind::User, user, true).await,
        Reverted::Not(WhyNot::Moved)
    );
    let stale = Revert {
        kind: Kind::User,
        id: user,
        expected: first,
        only_if_refused: true,
        old_keys: Vec::new(),
        new_keys: Vec::new(),
        attributes: Vec::new(),
        request: None,
        now: at(4),
        traceparent: None,
        diff: Vec::new(),
        origin: None,
    };
    assert_eq!(
        bench.store.revert(&bench.tenant, stale).await.unwrap(),
        Reverted::Not(WhyNot::Moved)
    );
    // A person may discard both.
    let Reverted::Restored(record) = bench.take_back(Kind::User, user, false).await else {
        panic!("it is not discarded")
    };
    assert_eq!(record.document, document(Kind::User, "odile"));
}

pub(super) async fn what_was_never_applied_is_not_restored(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.user("odile").await;
    bench.rename(Kind::User, user, "anders").await.unwrap();
    bench.refuse(1).await;
    assert_eq!(
        bench.take_back(Kind::User, user, true).await,
        Reverted::Not(WhyNot::Moved),
        "its predecessor is not confirmed"
    );
    bench.user("odile").await;
}

pub(super) async fn a_name_is_reserved_until_the_change_of_it_is_applied(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.applied_user("odile").await;
    bench.rename(Kind::User, user, "anders").await.unwrap();
    bench.rename(Kind::User, user, "cy").await.unwrap();
    let taken = bench.write(super::bench::create(Kind::User, "ODILE", &[])).await;
    assert!(
        matches!(taken, Err(WriteError::NameReserved(owner)) if owner == user),
        "{taken:?}"
    );
    bench.user("anders").await;
    let other = bench.user("dee").await;
    let taken = bench.rename(Kind::User, other, "odile").await;
    assert!(matches!(taken, Err(WriteError::NameReserved(_))), "{taken:?}");
    assert_eq!(bench.named(Kind::User, "odile").await, None, "nobody is found under it");
    bench.rename(Kind::User, user, "odile").await.unwrap();
    bench.rename(Kind::User, user, "ed").await.unwrap();
    bench.deliver_all(at(5)).await;
    bench.user("odile").await;
}

pub(super) async fn what_was_applied_meanwhile_is_what_is_restored(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let user = bench.applied_user("odile").await;
    bench.rename(Kind::User, user, "anders").await.unwrap();
    let claim = bench.claim(at(2)).await;
    let order = bench.order(&claim).await;
    bench.rename(Kind::User, user, "cy").await.unwrap();
    let answer = Applied {
        document: order.record.as_ref().map(|record| record.document.clone()),
        names: vec!["anders".to_owned()],
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(answer), at(3)).await;
    bench.user("odile").await;
    let taken = bench.write(super::bench::create(Kind::User, "anders", &[])).await;
    assert!(
        matches!(taken, Err(WriteError::NameReserved(owner)) if owner == user),
        "{taken:?}"
    );
    let image = bench
        .store
        .pre_image(&bench.tenant, Kind::User, user)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(image.record.unwrap().document, document(Kind::User, "anders"));
    for claim in bench.claim_all(at(4)).await {
        bench.settle(&claim, refused(at(10_000)), at(4)).await;
    }
    let Reverted::Restored(record) = bench.take_back(Kind::User, user, false).await else {
        panic!("it is not discarded")
    };
    assert_eq!(record.text("userName"), Some("anders"));
}

pub(super) async fn refused_members_are_taken_back_one_by_one(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for name in ["ada", "bo", "cy", "dee"] {
        users.push(bench.user(name).await);
    }
    let group = bench.group("rack", &users[..1]).await;
    bench.deliver_all(at(1)).await;
    let change = MemberChange {
        add: users[1..].to_vec(),
        remove: users[..1].to_vec(),
        ..MemberChange::default()
    };
    bench.set_members(group, change).await.unwrap();
    bench.sweep_all().await;
    let claim = bench.claim(at(400)).await;
    let order = bench.order(&claim).await;
    // The last one changes once more meanwhile.
    let (refused, confirmed): (Vec<_>, Vec<_>) = order.batch.iter().cloned().partition(|member| member.id != users[1]);
    let answer = Applied {
        confirmed,
        refused,
        refused_because: Some(failure()),
        ..applied(&claim, &order)
    };
    bench.settle(&claim, Settlement::Applied(answer), at(3)).await;
    let stages = bench.store.stages(&bench.tenant, group, &users).await.unwrap();
    let stands: Vec<_> = stages.iter().map(|stage| stage.map(|(stage, _)| stage)).collect();
    let no = Some(Stage::Refused(0));
    assert_eq!(stands, [no, None, no, no]);
    let version = bench.record(Kind::Group, group).await.version;
    let with_stamp = |at: usize, wrong: u64| (users[at], stages[at].unwrap().1 + wrong);
    let asked = [with_stamp(0, 0), with_stamp(2, 0), with_stamp(3, 1)];
    let back = bench
        .store
        .revert_members(&bench.tenant, group, &asked, None, at(5))
        .await
        .unwrap();
    assert_eq!(back, [users[0], users[2]], "one has another stamp");
    assert_eq!(bench.members(group).await, [users[0], users[1], users[3]]);
    let present = bench.record(Kind::Group, group).await;
    assert_eq!((present.version > version, present.member_count), (true, 3));
    let stages = bench.store.stages(&bench.tenant, group, &users).await.unwrap();
    assert_eq!(
        stages.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, false, false, true]
    );
}

const GONE: Usable = Usable {
    before: true,
    after: false,
};

fn no_more() -> Brakes {
    let none = Some(Limit { least: 0, percent: 0 });
    Brakes {
        removals: none,
        deactivations: none,
    }
}

pub(super) async fn a_held_deletion_is_discarded(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = [bench.user("odile").await, bench.user("anders").await];
    let group = bench.group("rack", &users).await;
    bench.deliver_all(at(1)).await;
    for (kind, id) in [(Kind::Group, group), (Kind::User, users[0])] {
        let write = Write {
            usable: GONE,
            brakes: no_more(),
            ..delete(&bench.record(kind, id).await)
        };
        bench.write(write).await.unwrap();
        bench.sweep_all().await;
    }
    assert!(bench.groups_of(users[1]).await.is_empty());
    assert_eq!(bench.summary().await.held, 2);
    for (kind, id) in [(Kind::Group, group), (Kind::User, users[0])] {
        let Reverted::Restored(record) = bench.take_back(kind, id, false).await else {
            panic!("{kind:?} is not restored")
        };
        assert_eq!((record.version, bench.get(kind, id).await), (3, Some(record.clone())));
    }
    bench.sweep_all().await;
    // Who was deleted meanwhile is in no group any more.
    assert_eq!(bench.members(group).await, users[1..]);
    assert_eq!(bench.record(Kind::Group, group).await.member_count, 1);
    assert_eq!(bench.named(Kind::User, "odile").await, Some(users[0]));
    bench.deliver_all(at(500)).await;
    let summary = bench.summary().await;
    assert_eq!(
        (summary.users, summary.groups, summary.held, summary.pending),
        (2, 1, 0, 0)
    );
}

pub(super) async fn a_refused_deletion_of_a_group_is_discarded_with_its_members(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let users = [bench.user("odile").await, bench.user("anders").await];
    let group = bench.group("rack", &users).await;
    bench.deliver_all(at(1)).await;
    bench.delete(Kind::Group, group).await.unwrap();
    bench.sweep_all().await;
    assert!(bench.groups_of(users[0]).await.is_empty() && bench.members(group).await.is_empty());
    bench.refuse(2).await;
    let restored = bench.take_back(Kind::Group, group, false).await;
    assert!(matches!(restored, Reverted::Restored(record) if record.member_count == 2));
    bench.sweep_all().await;
    assert_eq!(bench.members(group).await, users, "as the Platform has it");
    assert_eq!(bench.groups_of(users[0]).await, [group]);
    // Once it is gone from the Platform, nothing of it is left.
    bench.deliver_all(at(500)).await;
    bench.delete(Kind::Group, group).await.unwrap();
    bench.deliver_all(at(501)).await;
    bench.sweep_all().await;
    assert!(bench.delivery(group).await.is_none());
    assert!(bench.groups_of(users[0]).await.is_empty());
}

pub(super) async fn a_group_that_comes_back_knows_what_became_of_its_members(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let (anders, odile) = (bench.user("anders").await, bench.user("odile").await);
    let group = bench.group("rack", &[anders, odile]).await;
    bench.deliver_all(at(1)).await;
    // Boris has no account when the group is deleted, and gets one before it comes back; Anders is gone by then.
    let boris = bench.user("boris").await;
    bench.add(group, &[boris]).await;
    bench.delete(Kind::Group, group).await.unwrap();
    for claim in bench.claim_all(at(2)).await {
        if claim.id == group {
            bench.settle(&claim, refused(at(10_000)), at(2)).await;
        } else {
            bench.apply(&claim, at(2)).await;
        }
    }
    bench.delete(Kind::User, anders).await.unwrap();
    bench.sweep_all().await;
    let removal = bench.claim(at(3)).await;
    bench.apply(&removal, at(3)).await;
    bench.sweep_all().await;
    let restored = bench.take_back(Kind::Group, group, false).await;
    assert!(matches!(restored, Reverted::Restored(record) if record.member_count == 2));
    assert_eq!(bench.members(group).await, [odile, boris]);
    let claim = bench.claim(at(500)).await;
    let order = bench.order(&claim).await;
    let batch: Vec<_> = order.batch.iter().map(|member| (member.id, member.wanted)).collect();
    assert_eq!(batch, [(boris, true)]);
    bench.apply(&claim, at(501)).await;
    assert_eq!(bench.state(group).await, None);
}

pub(super) async fn a_name_taken_meanwhile_keeps_the_deleted_one_away(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let group = bench.group("rack", &[]).await;
    bench.deliver_all(at(1)).await;
    let write = Write {
        brakes: no_more(),
        ..delete(&bench.record(Kind::Group, group).await)
    };
    bench.write(write).await.unwrap();
    bench.group("rack", &[]).await;
    assert_eq!(
        bench.take_back(Kind::Group, group, false).await,
        Reverted::Not(WhyNot::NameTaken)
    );
}

pub(super) async fn held_members_are_put_in_again(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let mut users = Vec::new();
    for number in 0..25 {
        users.push(bench.user(&format!("user{number}")).await);
    }
    let group = bench.group("rack", &users).await;
    bench.deliver_all(at(1)).await;
    assert!(
        !bench
            .store
            .discard_members(&bench.tenant, group, None, at(2))
            .await
            .unwrap()
    );
    let all_out = MemberChange {
        replace: true,
        ..MemberChange::default()
    };
    let write = Write {
        brakes: no_more(),
        ..update_members(group, all_out)
    };
    bench.write(write).await.unwrap();
    bench.sweep_all().await;
    assert!(bench.members(group).await.is_empty());
    bench.set_members(group, adding(&users[..1])).await.unwrap();
    assert!(
        bench
            .store
            .discard_members(&bench.tenant, group, None, at(3))
            .await
            .unwrap()
    );
    bench.sweep_all().await;
    assert_eq!(bench.members(group).await, users);
    assert_eq!(bench.record(Kind::Group, group).await.member_count, 25);
    bench.deliver_all(at(500)).await;
    assert_eq!((bench.state(group).await, bench.summary().await.held), (None, 0));
}
