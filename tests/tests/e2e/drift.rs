//! What somebody else changed, deleted or added on the Platform is found and, where that is wanted, set right. A list that
//! shrank sharply is not believed, and nothing is said of what is still on its way.

mod long;
mod removals;
mod replicas;
mod told;

use std::collections::BTreeSet;

use http::Method;
use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        ApplyDriftRequest, DriftDifference, DriftKind, DriftSummary, GetDriftRequest, GetDriftResponse,
        PauseDeliveriesRequest, PlanDriftRequest, ResumeDeliveriesRequest, apply_drift_response,
        drift_service_client::DriftServiceClient, plan_drift_response,
    },
};
use serde_json::{Value, json};
use service_runtime::Connection;
use tonic::{Code, Status};

use crate::deployment::{Deployment, Setup, TENANT};

/// Clocks that differ by less than this are trusted with what was changed before; what is newer is skipped.
const LEASE: &str = "--delivery-lease=1s";

fn usual() -> Setup {
    Setup::default().identity(&[LEASE])
}

/// What a comparison found.
#[derive(Debug)]
struct Found {
    differences: Vec<DriftDifference>,
    summary: DriftSummary,
}

impl Found {
    /// The resources of which something of that kind differs.
    fn of(&self, kind: DriftKind) -> BTreeSet<&str> {
        let of_kind = self.differences.iter().filter(|one| one.kind() == kind);
        of_kind.map(|one| one.resource_id.as_str()).collect()
    }

    /// The members of whom something of that kind is told.
    fn members(&self, kind: DriftKind) -> BTreeSet<&str> {
        let of_kind = self.differences.iter().filter(|one| one.kind() == kind);
        of_kind.filter_map(|one| one.member_id.as_deref()).collect()
    }

    fn the(&self, kind: DriftKind) -> &DriftDifference {
        let mut of_kind = self.differences.iter().filter(|one| one.kind() == kind);
        let one = of_kind.next().unwrap_or_else(|| panic!("{self:#?}"));
        assert!(of_kind.next().is_none(), "{self:#?}");
        one
    }

    fn is_clean(&self) -> bool {
        self.summary.failure.is_none() && self.differences.is_empty() && self.summary.skipped == 0
    }
}

async fn try_plan(it: &Deployment) -> Result<Found, Status> {
    let request = PlanDriftRequest {
        tenant: TENANT.to_owned(),
    };
    let mut parts = it.drift().plan_drift(request).await?.into_inner();
    let (mut differences, mut summary) = (Vec::new(), None);
    while let Some(part) = parts.message().await? {
        assert!(summary.is_none(), "the summary comes last");
        match part.part.unwrap() {
            plan_drift_response::Part::Difference(difference) => differences.push(difference),
            plan_drift_response::Part::Summary(last) => summary = Some(last),
        }
    }
    let summary = summary.unwrap();
    Ok(Found { differences, summary })
}

/// What differs now. Nothing is changed by it.
async fn plan(it: &Deployment) -> Found {
    let written = it.platform.state().await["writes"].clone();
    let found = try_plan(it).await.unwrap();
    assert_eq!(it.platform.state().await["writes"], written);
    assert!(
        !found.summary.repairs && found.differences.iter().all(|one| !one.repaired),
        "{found:#?}"
    );
    found
}

async fn apply(it: &Deployment, despite_alarm: bool) -> Found {
    let request = ApplyDriftRequest {
        tenant: TENANT.to_owned(),
        despite_alarm,
    };
    let mut parts = it.drift().apply_drift(request).await.unwrap().into_inner();
    let (mut differences, mut summary) = (Vec::new(), None);
    while let Some(part) = parts.message().await.unwrap() {
        match part.part.unwrap() {
            apply_drift_response::Part::Difference(difference) => differences.push(difference),
            apply_drift_response::Part::Summary(last) => summary = Some(last),
        }
    }
    let summary = summary.unwrap();
    assert_eq!((&summary.failure, summary.repairs), (&None, true));
    Found { differences, summary }
}

/// Waits until everything is applied for long enough to be compared, and finds that nothing differs.
async fn clean(it: &Deployment) {
    it.settled().await;
    it.until(async |it| {
        let found = try_plan(it).await.unwrap();
        assert!(found.differences.is_empty(), "{found:#?}");
        found.is_clean()
    })
    .await;
}

/// The question for the last comparison.
fn about() -> GetDriftRequest {
    GetDriftRequest {
        tenant: TENANT.to_owned(),
        ..GetDriftRequest::default()
    }
}

/// What an identity-service says of the last comparison.
async fn last(drift: &DriftServiceClient<Connection>) -> GetDriftResponse {
    drift.clone().get_drift(about()).await.unwrap().into_inner()
}

async fn account_id(it: &Deployment, name: &str) -> String {
    it.platform.account(name).await["ID"].as_str().unwrap().to_owned()
}

async fn group_id(it: &Deployment, name: &str) -> String {
    it.platform.group(name).await["ID"].as_str().unwrap().to_owned()
}

fn at(kind: &str, id: &str) -> String {
    format!("/{kind}/{id}")
}

#[tokio::test]
async fn nothing_is_said_of_a_directory_that_nobody_touched() {
    let it = usual().identity(&["--delete-mode=disable"]).start().await;
    let mut ids = Vec::new();
    for name in ["odile@x.example", "Bert@x.example", "carla@x.example", "gone@x.example"] {
        ids.push(it.scim.create_user(name).await);
    }
    it.scim.create_group("Crew", &ids).await;
    it.scim.create_group(" Empty ", &[] as &[&str]).await;
    it.settled().await;
    let leaves = json!({"op": "Replace", "path": "active", "value": "False"});
    it.scim.patch(&at("Users", &ids[2]), leaves).await.expect(204);
    it.scim.delete(&at("Users", &ids[3])).await.expect(204);
    it.platform.strangers(&["someone@x.example"]).await;
    it.platform.strange_group("Theirs", &["someone@x.example"]).await;
    clean(&it).await;

    let found = plan(&it).await;
    let summary = &found.summary;
    assert_eq!(
        (
            summary.users_compared,
            summary.groups_compared,
            summary.members_compared
        ),
        (4, 2, 3)
    );
    assert_eq!((summary.unreadable, summary.not_kept, summary.repaired), (0, 0, 0));
    // The two accounts and the groups that a tenant comes with, and those of somebody else.
    assert!(
        summary.unmanaged_users >= 3 && summary.unmanaged_groups >= 2,
        "{summary:#?}"
    );
    assert!(summary.started_at.is_some() && summary.finished_at.is_some() && summary.alarms.is_empty());
    assert!(apply(&it, false).await.is_clean());
    it.settled().await;
    assert_eq!(plan(&it).await.summary.skipped, 0, "nothing was delivered for it");
}

#[tokio::test]
async fn what_was_changed_by_hand_is_found_and_set_right() {
    let it = usual().start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    let bert = it.scim.create_user("bert@x.example").await;
    let carla = it.scim.create_user("carla@x.example").await;
    let crew = it.scim.create_group("Crew", &[&odile]).await;
    clean(&it).await;
    let before = [
        it.platform.account("odile@x.example").await,
        it.platform.account("bert@x.example").await,
    ];

    let account = account_id(&it, "odile@x.example").await;
    let fields = json!({"DisplayName": "Somebody", "Mail": "else@x.example"});
    it.platform.edit(&account, fields).await;
    let account = account_id(&it, "bert@x.example").await;
    it.platform.edit(&account, json!({"State": "Disabled"})).await;
    // What no list shows is not compared.
    let account = account_id(&it, "carla@x.example").await;
    it.platform.edit(&account, json!({"Description": "by hand"})).await;
    it.platform.rename_group(&group_id(&it, "Crew").await, "Gang").await;

    let found = plan(&it).await;
    assert_eq!(found.of(DriftKind::Changed), BTreeSet::from([&*odile, &*bert, &*crew]));
    assert_eq!(
        (found.summary.changed, found.differences.len()),
        (3, 3),
        "{found:#?} {carla}"
    );
    let attributes = |id: &str| {
        let one = found.differences.iter().find(|one| one.resource_id == id).unwrap();
        one.attributes.clone()
    };
    assert_eq!(attributes(&odile), ["display_name", "mail"]);
    assert_eq!(attributes(&bert), ["enabled"]);
    assert_eq!(attributes(&crew), ["name"]);
    // The replica keeps what it found, and gives it page by page.
    let mut request = GetDriftRequest {
        tenant: TENANT.to_owned(),
        page_size: Some(2),
        page_token: None,
    };
    let first = it.drift().get_drift(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token.clone();
    let second = it.drift().get_drift(request.clone()).await.unwrap().into_inner();
    assert_eq!([first.differences, second.differences].concat(), found.differences);
    assert_eq!((second.next_page_token, second.summary), (None, Some(found.summary)));

    let repaired = apply(&it, false).await;
    assert_eq!(repaired.summary.repaired, 3, "{repaired:#?}");
    let stale = it.drift().get_drift(request).await.unwrap_err();
    assert_eq!(stale.code(), Code::InvalidArgument, "of another comparison");
    it.settled().await;
    for (name, before) in ["odile@x.example", "bert@x.example"].iter().zip(before) {
        let now = it.platform.account(name).await;
        for field in ["ID", "DisplayName", "Mail", "State"] {
            assert_eq!(now[field], before[field], "{name} {field}");
        }
    }
    assert_eq!(it.platform.group_names().await, ["Crew"]);
    clean(&it).await;
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_made_anew() {
    let it = usual().start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    let bert = it.scim.create_user("bert@x.example").await;
    it.scim.create_group("Crew", &[&odile, &bert]).await;
    let other = it.scim.create_group("Other", &[&bert]).await;
    clean(&it).await;
    let account = account_id(&it, "odile@x.example").await;
    it.platform.delete_account(&account).await;
    let group = group_id(&it, "Other").await;
    it.platform
        .control(Method::DELETE, &format!("groups/{group}"), &Value::Null)
        .await;

    let found = plan(&it).await;
    // That the account is in no group any more goes without saying.
    assert_eq!(
        found.of(DriftKind::Gone),
        BTreeSet::from([&*odile, &*other]),
        "{found:#?}"
    );
    assert_eq!((found.summary.gone, found.differences.len()), (2, 2), "{found:#?}");
    let ids: BTreeSet<_> = found.differences.iter().map(|one| one.platform_id.clone()).collect();
    assert_eq!(ids, BTreeSet::from([account.clone(), group]));
    assert_eq!(found.summary.alarms, [], "a handful raises none");

    assert_eq!(apply(&it, false).await.summary.repaired, 2);
    it.settled().await;
    assert_ne!(account_id(&it, "odile@x.example").await, account);
    let everybody = BTreeSet::from(["bert@x.example".to_owned(), "odile@x.example".to_owned()]);
    it.until(async |it| it.platform.members("Crew").await == everybody)
        .await;
    it.until(async |it| it.platform.members("Other").await.len() == 1).await;
    clean(&it).await;
}

#[tokio::test]
async fn members_put_in_or_out_by_hand_are_found_and_set_right_and_foreign_ones_stay() {
    let it = usual().start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    let bert = it.scim.create_user("bert@x.example").await;
    let carla = it.scim.create_user("carla@x.example").await;
    let crew = it.scim.create_group("Crew", &[&odile, &bert]).await;
    clean(&it).await;
    let stranger = it.platform.strangers(&["stranger@x.example"]).await.remove(0);
    it.platform
        .take_out(&group_id(&it, "Crew").await, &account_id(&it, "odile@x.example").await)
        .await;
    it.platform
        .put_in(&group_id(&it, "Crew").await, &account_id(&it, "carla@x.example").await)
        .await;
    it.platform.put_in(&group_id(&it, "Crew").await, &stranger).await;

    let found = plan(&it).await;
    assert_eq!(
        found.members(DriftKind::MemberMissing),
        BTreeSet::from([&*odile]),
        "{found:#?}"
    );
    assert_eq!(
        found.members(DriftKind::MemberExtra),
        BTreeSet::from([&*carla]),
        "{found:#?}"
    );
    let foreign = found.the(DriftKind::ForeignMembers);
    assert_eq!(
        (
            &foreign.resource_id,
            foreign.foreign_count,
            &foreign.foreign_platform_ids
        ),
        (&crew, 1, &vec![stranger.clone()])
    );
    assert_eq!(found.differences.len(), 3);

    assert_eq!(apply(&it, false).await.summary.repaired, 2);
    it.settled().await;
    let left = ["bert@x.example", "odile@x.example", "stranger@x.example"];
    assert_eq!(it.platform.members("Crew").await, left.map(str::to_owned).into());
    let found = plan(&it).await;
    assert_eq!(
        (found.differences.len(), found.summary.foreign_members),
        (1, 1),
        "{found:#?}"
    );
}

#[tokio::test]
async fn foreign_members_are_taken_out_where_the_tenant_wants_that() {
    let it = usual().identity(&["--foreign-members=remove"]).start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    let crew = it.scim.create_group("Crew", &[&odile]).await;
    clean(&it).await;
    let strangers = it.platform.strangers(&["one@x.example", "two@x.example"]).await;
    let group = group_id(&it, "Crew").await;
    for stranger in &strangers {
        it.platform.put_in(&group, stranger).await;
    }
    let found = plan(&it).await;
    assert!(found.summary.removes_foreign_members, "{found:#?}");
    assert_eq!((found.summary.foreign_members, found.summary.foreign_removed), (2, 0));
    assert_eq!(it.platform.members("Crew").await.len(), 3);

    // A pause holds it up as it does every delivery.
    let request = PauseDeliveriesRequest {
        tenant: TENANT.to_owned(),
        ..PauseDeliveriesRequest::default()
    };
    it.deliveries().pause_deliveries(request).await.unwrap();
    assert_eq!(apply(&it, false).await.summary.foreign_removed, 0);
    let request = ResumeDeliveriesRequest {
        tenant: TENANT.to_owned(),
    };
    it.deliveries().resume_deliveries(request).await.unwrap();

    let found = apply(&it, false).await;
    let foreign = found.the(DriftKind::ForeignMembers);
    assert_eq!(
        (&foreign.resource_id, foreign.foreign_removed, foreign.repaired),
        (&crew, 2, true)
    );
    assert_eq!(it.platform.members("Crew").await, ["odile@x.example".to_owned()].into());
    assert_eq!(it.platform.names().await.len(), 3, "their accounts are left alone");
    clean(&it).await;
}

#[tokio::test]
async fn a_list_that_shrank_sharply_is_an_alarm_and_nothing_is_made_anew_before_a_person_says_so() {
    let it = usual().start().await;
    for number in 0..30 {
        it.scim.create_user(&format!("u{number:02}@x.example")).await;
    }
    clean(&it).await;
    for number in 0..24 {
        let account = account_id(&it, &format!("u{number:02}@x.example")).await;
        it.platform.delete_account(&account).await;
    }
    let account = account_id(&it, "u29@x.example").await;
    it.platform.edit(&account, json!({"DisplayName": "Somebody"})).await;

    let found = plan(&it).await;
    let alarm = found.summary.alarms.first().unwrap();
    assert_eq!((&*alarm.resource_type, alarm.linked, alarm.missing), ("User", 30, 24));
    let found = apply(&it, false).await;
    assert_eq!(
        (found.summary.gone, found.summary.changed, found.summary.repaired),
        (24, 1, 1)
    );
    assert!(found.of(DriftKind::Gone).len() == 24 && found.the(DriftKind::Changed).repaired);
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 6, "nobody is made anew");

    let found = apply(&it, true).await;
    assert_eq!((found.summary.alarms.len(), found.summary.repaired), (1, 24));
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 30);
    clean(&it).await;
}

#[tokio::test]
async fn what_is_still_to_be_delivered_is_not_spoken_of() {
    let it = usual().start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    let bert = it.scim.create_user("bert@x.example").await;
    let crew = it.scim.create_group("Crew", &[&odile]).await;
    clean(&it).await;
    let request = PauseDeliveriesRequest {
        tenant: TENANT.to_owned(),
        ..PauseDeliveriesRequest::default()
    };
    it.deliveries().pause_deliveries(request).await.unwrap();
    let renamed = json!({"op": "Replace", "path": "displayName", "value": "Odile the Second"});
    it.scim.patch(&at("Users", &odile), renamed).await.expect(204);
    let joins = json!({"op": "Add", "path": "members", "value": [{"value": bert}]});
    it.scim.patch(&at("Groups", &crew), joins).await.expect(204);
    let account = account_id(&it, "odile@x.example").await;
    it.platform.edit(&account, json!({"Mail": "by-hand@x.example"})).await;
    it.platform.take_out(&group_id(&it, "Crew").await, &account).await;

    let found = plan(&it).await;
    assert_eq!((found.differences.len(), found.summary.skipped), (0, 2), "{found:#?}");
    let request = ResumeDeliveriesRequest {
        tenant: TENANT.to_owned(),
    };
    it.deliveries().resume_deliveries(request).await.unwrap();
    it.settled().await;
    // The delivery set the mail right; that the member was taken out is found now.
    it.until(async |it| try_plan(it).await.unwrap().summary.skipped == 0)
        .await;
    let found = plan(&it).await;
    assert_eq!(found.the(DriftKind::MemberMissing).member_id.as_ref(), Some(&odile));
    assert_eq!(found.differences.len(), 1, "{found:#?}");
}

#[tokio::test]
async fn a_leaver_who_was_let_in_by_hand_is_shut_out_again() {
    let it = usual().identity(&["--delete-mode=disable"]).start().await;
    let odile = it.scim.create_user("odile@x.example").await;
    it.settled().await;
    it.scim.delete(&at("Users", &odile)).await.expect(204);
    clean(&it).await;
    let account = account_id(&it, "odile@x.example").await;
    it.platform.edit(&account, json!({"State": "None"})).await;
    let found = plan(&it).await;
    let changed = found.the(DriftKind::Changed);
    assert_eq!(
        (&changed.resource_id, &changed.attributes[..]),
        (&odile, &["enabled".to_owned()][..])
    );
    apply(&it, false).await;
    it.settled().await;
    assert_eq!(it.platform.account("odile@x.example").await["State"], "Disabled");
    clean(&it).await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_to_its_end_says_nothing_of_what_is_missing() {
    let it = usual().start().await;
    it.scim.create_user("odile@x.example").await;
    clean(&it).await;
    it.platform
        .delete_account(&account_id(&it, "odile@x.example").await)
        .await;
    for method in ["entities/localusers", "Report/RunReport"] {
        it.platform.fault(json!({"method": method, "fault": "error"})).await;
    }
    let found = try_plan(&it).await.unwrap();
    assert!(found.differences.is_empty() && found.summary.gone == 0, "{found:#?}");
    let failure = found.summary.failure.unwrap();
    assert!(failure.contains("PLATFORM_UNAVAILABLE"), "{failure}");
    it.platform.no_faults().await;
    assert_eq!(plan(&it).await.summary.gone, 1);
}

#[tokio::test]
async fn one_comparison_is_made_at_a_time() {
    let it = usual().start().await;
    let slow = json!({"method": "entities/localusers", "fault": "slow", "delay_ms": 500});
    it.platform.fault(slow).await;
    // On a busy machine the second may come when the first is over.
    it.until(async |it| {
        let (one, other) = tokio::join!(try_plan(it), try_plan(it));
        let Err(refused) = one.and(other) else { return false };
        assert_eq!(refused.code(), Code::Aborted);
        assert_eq!(Details::of(&refused).unwrap().reason, ErrorReason::DriftUnderWay);
        true
    })
    .await;
    it.platform.no_faults().await;
    // Who leaves ends the comparison.
    it.until(async |it| try_plan(it).await.is_ok()).await;
}

#[tokio::test]
async fn on_a_schedule_it_is_told_or_repaired_as_the_policy_says() {
    for (policy, repairs) in [("--drift-policy=report", false), ("--drift-policy=repair", true)] {
        let it = usual().identity(&[policy, "--drift-interval=200ms"]).start().await;
        let odile = it.scim.create_user("odile@x.example").await;
        it.settled().await;
        let account = account_id(&it, "odile@x.example").await;
        it.platform.edit(&account, json!({"DisplayName": "Somebody"})).await;
        if repairs {
            it.until(async |it| it.platform.account("odile@x.example").await["DisplayName"] != "Somebody")
                .await;
        } else {
            it.until(async |it| !last(&it.drift()).await.differences.is_empty())
                .await;
            let last = last(&it.drift()).await;
            assert_eq!(
                (&last.differences[0].resource_id, last.differences[0].repaired),
                (&odile, false)
            );
            assert_eq!(it.platform.account("odile@x.example").await["DisplayName"], "Somebody");
        }
    }
}
