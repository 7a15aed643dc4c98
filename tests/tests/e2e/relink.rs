//! The store was lost, and everything was provisioned anew: links are rebuilt by names, as a person confirmed, and nothing on
//! the Platform is made anew or taken from anybody. And what the policies of adoption would do is told before they do it.

use std::collections::BTreeMap;

use proto::{
    error::{Details, ErrorReason},
    identity::v1::{
        ApplyRelinkRequest, DeliveryState, OperatorAct, PlanRelinkRequest, RelinkEntry, RelinkSummary, RelinkVerdict,
        apply_relink_response, audit_entry::Record, plan_relink_response,
    },
};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    deployment::{Deployment, Setup, TENANT},
    users::audit::entries,
};

struct Plan {
    entries: Vec<RelinkEntry>,
    summary: RelinkSummary,
}

impl Plan {
    /// The names of that verdict, sorted.
    fn of(&self, verdict: RelinkVerdict) -> Vec<&str> {
        let of = self.entries.iter().filter(|entry| entry.verdict() == verdict);
        let mut names: Vec<_> = of.map(|entry| entry.platform_name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

async fn plan(it: &Deployment, with_adoption: bool) -> Plan {
    let request = PlanRelinkRequest {
        tenant: TENANT.to_owned(),
        with_adoption,
    };
    let mut parts = it.relink().plan_relink(request).await.unwrap().into_inner();
    let (mut entries, mut summary) = (Vec::new(), None);
    while let Some(part) = parts.message().await.unwrap() {
        match part.part.unwrap() {
            plan_relink_response::Part::Entry(entry) => entries.push(entry),
            plan_relink_response::Part::Summary(last) => summary = Some(last),
        }
    }
    let summary = summary.unwrap();
    Plan { entries, summary }
}

async fn apply(it: &Deployment, digest: &str) -> Result<Plan, Status> {
    let request = ApplyRelinkRequest {
        tenant: TENANT.to_owned(),
        digest: digest.to_owned(),
    };
    let mut parts = it.relink().apply_relink(request).await?.into_inner();
    let (mut entries, mut summary) = (Vec::new(), None);
    while let Some(part) = parts.message().await? {
        match part.part.unwrap() {
            apply_relink_response::Part::Entry(entry) => entries.push(entry),
            apply_relink_response::Part::Summary(last) => summary = Some(last),
        }
    }
    let summary = summary.unwrap();
    Ok(Plan { entries, summary })
}

/// What Entra would provision again.
async fn provision(it: &Deployment) -> Vec<String> {
    let mut ids = Vec::new();
    for name in ["odile@x.example", "bert@x.example", "carla@x.example"] {
        ids.push(it.scim.create_user(name).await);
    }
    ids.push(it.scim.create_group("Crew", &ids).await);
    it.settled().await;
    ids
}

/// All accounts and groups, by id.
async fn objects(it: &Deployment) -> BTreeMap<String, Value> {
    let state = it.platform.state().await;
    let all = ["users", "groups"]
        .into_iter()
        .flat_map(|of| state[of].as_array().unwrap().clone());
    all.map(|object| (object["ID"].as_str().unwrap().to_owned(), object))
        .collect()
}

#[track_caller]
fn changed(refused: Result<Plan, Status>) {
    let refused = refused.err().expect("it is not what was shown");
    assert_eq!(refused.code(), Code::Aborted, "{refused:?}");
    assert_eq!(Details::of(&refused).unwrap().reason, ErrorReason::RelinkChanged);
}

#[tokio::test]
async fn links_are_rebuilt_after_the_store_was_lost() {
    let adapter = ["--protected-names=breakglass@x.example", "--default-suffix=x.example"];
    let mut it = Setup::default().adapter(&adapter).start().await;
    provision(&it).await;
    let nothing = plan(&it, false).await.summary;
    assert_eq!((nothing.digest.as_str(), nothing.unmatched), ("", 0));
    changed(apply(&it, "").await);
    let strangers = ["stranger@x.example", "breakglass@x.example", "twice@x.example"];
    it.platform.strangers(&strangers).await;
    it.platform.strange_group("Theirs", &["stranger@x.example"]).await;
    let before = objects(&it).await;

    // As an operator does it: in a dry run, so that nobody is answered with a refusal and taken back.
    it.identity_loses_its_store(&["--dry-run=true", "--answer-wait=2s"])
        .await;
    let ids = provision(&it).await;
    let mut others = Vec::new();
    for name in ["breakglass@x.example", "twice", "twice@x.example", "new@x.example"] {
        others.push(it.scim.create_user(name).await);
    }
    it.settled().await;
    assert_eq!(it.refused().await.len(), 7, "they are not known to be ours");

    let shown = plan(&it, false).await;
    let names = ["Crew", "bert@x.example", "carla@x.example", "odile@x.example"];
    assert_eq!(shown.of(RelinkVerdict::Link), names);
    assert_eq!(shown.of(RelinkVerdict::Protected), ["breakglass@x.example"]);
    assert_eq!(shown.of(RelinkVerdict::Ambiguous), ["twice@x.example"; 2]);
    let summary = &shown.summary;
    assert_eq!((shown.entries.len(), summary.linked, summary.unmatched), (7, 4, 1));
    // The stranger, the service user, the administrator; their group and the built-in ones.
    assert!(summary.strangers >= 4, "{summary:?}");
    assert_eq!(plan(&it, false).await.summary, shown.summary, "the same again");

    // Only what was shown is done: nothing of it, where there is one more by now.
    for digest in ["", "0123"] {
        changed(apply(&it, digest).await);
    }
    it.platform.strangers(&["late@x.example"]).await;
    let late = it.scim.create_user("late@x.example").await;
    changed(apply(&it, &shown.summary.digest).await);
    assert_eq!(it.delivery(&ids[0]).await.unwrap().platform_id, None);
    it.scim.delete(&format!("/Users/{late}")).await.expect(204);

    let done = apply(&it, &shown.summary.digest).await.unwrap();
    assert_eq!(done.of(RelinkVerdict::Link), names);
    changed(apply(&it, &shown.summary.digest).await);
    let acts = entries(it.audit())
        .await
        .into_iter()
        .filter_map(|entry| match entry.record {
            Some(Record::OperatorAct(act)) if act.act() == OperatorAct::Relink => act.resource_id,
            _ => None,
        });
    assert_eq!(acts.count(), 4);

    it.identity_restarts(&["--dry-run=false"]).await;
    it.until(async |it| it.listed(DeliveryState::Planned).await.is_empty())
        .await;
    it.settled().await;
    let mut after = objects(&it).await;
    after.retain(|_, object| object["Name"] != "new@x.example" && object["Name"] != "late@x.example");
    let ids_of = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids_of(&after), ids_of(&before), "nothing is made anew");
    for (id, object) in &before {
        let (mut was, mut is) = (object.clone(), after[id].clone());
        if object["BuiltIn"] == true {
            continue;
        }
        for version in [&mut was["Version"], &mut is["Version"]] {
            *version = Value::Null;
        }
        assert_eq!(is, was);
    }
    for id in &ids {
        let delivery = it.delivery(id).await.unwrap();
        assert_eq!(delivery.state(), DeliveryState::Applied, "{delivery:?}");
        assert!(before.contains_key(delivery.platform_id.as_deref().unwrap()));
    }
    it.linked_by_name(&[(&ids[0], "odile@x.example"), (&others[3], "new@x.example")])
        .await;
    // And they are ours: who is deleted goes.
    it.scim.delete(&format!("/Users/{}", ids[0])).await.expect(204);
    it.settled().await;
    assert!(!it.platform.names().await.contains(&"odile@x.example".to_owned()));
    assert_eq!(it.platform.members("Crew").await.len(), 2);
}

/// What is linked is compared, and what differs is written: linking is adoption that a person confirmed (P8).
#[tokio::test]
async fn what_differs_is_written_to_what_was_linked() {
    let it = Deployment::start().await;
    let accounts = it.platform.strangers(&["odile@x.example", "roy@x.example"]).await;
    it.platform.strange_group("Crew", &["roy@x.example"]).await;
    let odile = it.scim.create_user("odile@x.example").await;
    let crew = it.scim.create_group("crew", &[&odile]).await;
    it.settled().await;
    let shown = plan(&it, false).await;
    assert_eq!(shown.of(RelinkVerdict::Link), ["Crew", "odile@x.example"]);
    apply(&it, &shown.summary.digest).await.unwrap();
    it.settled().await;
    assert_eq!(it.refused().await, []);
    for id in [&odile, &crew] {
        assert_eq!(it.delivery(id).await.unwrap().state(), DeliveryState::Applied);
    }
    let account = it.platform.account("odile@x.example").await;
    assert_eq!(
        (&account["ID"], &account["DisplayName"]),
        (&json!(accounts[0]), &json!("The person odile"))
    );
    // Who was in it by another hand stays.
    let members = it.platform.members("crew").await;
    assert_eq!(
        members.into_iter().collect::<Vec<_>>(),
        ["odile@x.example", "roy@x.example"]
    );
    assert_eq!(
        it.platform.account("roy@x.example").await["DisplayName"],
        "Made by hand"
    );
}

/// An account that one of ours may have created is not another's, whoever has its name now.
#[tokio::test]
async fn what_another_of_ours_has_is_not_linked() {
    let it = Deployment::start().await;
    let first = it.scim.create_user("odile@x.example").await;
    it.settled().await;
    let account = it.delivery(&first).await.unwrap().platform_id.unwrap();
    it.platform.edit(&account, json!({"Name": "roy@x.example"})).await;
    it.scim.create_user("roy@x.example").await;
    it.settled().await;
    let shown = plan(&it, true).await;
    assert_eq!(shown.of(RelinkVerdict::Owned), ["roy@x.example"]);
    assert_eq!((shown.summary.digest.as_str(), shown.summary.owned), ("", 1));
    assert_eq!(shown.entries[0].adoption, None, "no policy takes it");
}

#[tokio::test]
async fn a_plan_tells_what_each_policy_would_adopt_and_so_they_do() {
    let mut it = Setup::default()
        .adapter(&["--protected-names=breakglass@x.example"])
        .adopt_listed("robot@x.example\n")
        .identity(&["--adopt=never"])
        .start()
        .await;
    it.platform
        .strangers(&["plain@x.example", "breakglass@x.example"])
        .await;
    let robot = json!([{"Name": "robot@x.example", "ServiceUser": true}]);
    it.platform.control(http::Method::POST, "users", &robot).await;
    it.platform.strange_group("Theirs", &["plain@x.example"]).await;
    it.platform.strange_group("Empty", &[]).await;
    let mut ids = BTreeMap::new();
    for name in ["plain@x.example", "breakglass@x.example", "robot@x.example"] {
        ids.insert(name, it.scim.create_user(name).await);
    }
    for name in ["Theirs", "Empty"] {
        ids.insert(name, it.scim.create_group(name, &[""; 0]).await);
    }
    it.settled().await;
    let writes = it.platform.state().await["writes"].clone();

    let shown = plan(&it, true).await;
    assert_eq!(shown.entries.len(), 5);
    let mut matching = Vec::new();
    for entry in &shown.entries {
        let (name, outlook) = (entry.platform_name.as_str(), entry.adoption.as_ref().unwrap());
        assert_eq!(entry.resource_id, ids[name]);
        assert!(outlook.listed, "{entry:?}");
        assert_eq!(outlook.is_on_list, name == "robot@x.example");
        assert_ne!(outlook.matching, outlook.matching_why_not.is_some());
        if outlook.matching {
            matching.push(name);
        }
    }
    matching.sort_unstable();
    assert_eq!(matching, ["Empty", "plain@x.example"]);
    let why = |name: &str| {
        let entry = shown.entries.iter().find(|entry| entry.platform_name == name).unwrap();
        entry.adoption.as_ref().unwrap().matching_why_not.clone().unwrap()
    };
    assert!(why("robot@x.example").contains("service user"));
    assert!(why("breakglass@x.example").contains("PROTECTED_NAMES"));
    assert!(why("Theirs").contains("has members"));
    assert_eq!(it.platform.state().await["writes"], writes, "a plan writes nothing");

    // And so it comes.
    it.identity_restarts(&["--adopt=matching"]).await;
    for id in ids.values() {
        it.retry(id).await;
    }
    it.settled().await;
    for (name, id) in &ids {
        let adopted = it.delivery(id).await.unwrap().state() == DeliveryState::Applied;
        assert_eq!(adopted, matching.contains(name), "{name}");
    }
}
