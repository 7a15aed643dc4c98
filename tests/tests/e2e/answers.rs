//! The answer to Entra is true: a refused change is answered with the Platform's words and taken back where nothing else is
//! lost by it, everything else is done, or durable and delivered later (P1, P3, P6).

use std::time::Duration;

use http::Method;
use proto::identity::v1::{DeliveryState, PauseDeliveriesRequest};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::deployment::{Deployment, Setup, TENANT, fault, group, user};

const CREATE: &str = "CDirectoryService/CreateUser";
const CHANGE: &str = "CDirectoryService/ChangeUser";
const ODILE: &str = "odile@kestrel.example";
const ROY: &str = "odile.roy@kestrel.example";

/// How long an answer waits: long enough for a busy machine.
const WAIT: &str = "--answer-wait=30s";

async fn waiting() -> Deployment {
    Setup::default().identity(&[WAIT]).start().await
}

fn refusal(method: &str, words: &str, times: u64) -> Value {
    json!({"method": method, "fault": "failure", "message": words, "times": times})
}

fn rename(name: &str) -> Value {
    json!({"op": "Replace", "path": "userName", "value": name})
}

fn at(id: &str) -> String {
    format!("/Users/{id}")
}

#[tokio::test]
async fn what_was_answered_with_success_is_on_the_platform() {
    let it = waiting().await;
    let id = it.scim.create_user(ODILE).await;
    assert_eq!(it.platform.names().await, [ODILE]);
    it.scim.patch(&at(&id), rename(ROY)).await.expect(204);
    assert_eq!(it.platform.names().await, [ROY]);
    let group = it.scim.create_group("Rack", &[&id]).await;
    assert_eq!(it.platform.members("Rack").await, [ROY.to_owned()].into());
    let out = json!({"op": "Remove", "path": format!("members[value eq \"{id}\"]")});
    it.scim.patch(&format!("/Groups/{group}"), out).await.expect(204);
    assert!(it.platform.members("Rack").await.is_empty());
}

#[tokio::test]
async fn a_refused_create_is_answered_with_the_platforms_words_and_is_not_there() {
    let it = waiting().await;
    it.platform
        .fault(refusal(CREATE, "The parameter Mail is not valid.", 1))
        .await;
    let detail = it.scim.post("/Users", &user(ODILE)).await.error(400, "invalidValue");
    assert!(detail.contains("The parameter Mail is not valid."), "{detail}");
    assert_eq!(
        it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await,
        [Value::Null; 0]
    );
    assert_eq!(it.refused().await, []);
    // Entra tries again, and now it works.
    it.scim.create_user(ODILE).await;
    assert_eq!(it.platform.names().await, [ODILE]);
}

#[tokio::test]
async fn an_account_that_exists_is_a_conflict_that_names_it() {
    let it = waiting().await;
    it.platform.strangers(&[ODILE]).await;
    let detail = it.scim.post("/Users", &user(ODILE)).await.error(409, "uniqueness");
    assert!(detail.contains(ODILE), "{detail}");
    assert_eq!(
        it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await,
        [Value::Null; 0]
    );
}

#[tokio::test]
async fn a_refused_change_is_taken_back_as_a_new_version() {
    let it = waiting().await;
    let id = it.scim.create_user(ODILE).await;
    let before = it.scim.get(&at(&id)).await.expect(200);
    it.platform.fault(refusal(CHANGE, "The suffix is unknown.", 1)).await;
    let detail = it
        .scim
        .patch(&at(&id), rename("odile@elsewhere.example"))
        .await
        .error(400, "invalidValue");
    assert!(detail.contains("The suffix is unknown."), "{detail}");
    let after = it.scim.get(&at(&id)).await.expect(200);
    assert_eq!(after["userName"], ODILE);
    assert_ne!(after["meta"]["version"], before["meta"]["version"]);
    it.settled().await;
    assert_eq!(
        (it.refused().await, it.platform.names().await),
        (vec![], vec![ODILE.to_owned()])
    );
    // Nothing keeps the name that was not taken.
    it.scim.create_user("odile@elsewhere.example").await;
}

/// What comes between a change and its verdict.
async fn meanwhile(
    it: &Deployment,
    slow: Value,
    first: impl Future<Output = crate::deployment::Answer>,
    then: impl AsyncFnOnce(),
) -> crate::deployment::Answer {
    let method = slow["method"].as_str().unwrap().to_owned();
    let before = it.platform.calls_of(&method).await;
    it.platform.fault(slow).await;
    let second = async {
        it.until(async |it| it.platform.calls_of(&method).await > before).await;
        then().await;
    };
    tokio::join!(first, second).0
}

fn slow_refusal(method: &str) -> Value {
    json!({"method": method, "fault": "failure", "message": "No.", "times": 1, "delay_ms": 400})
}

#[tokio::test]
async fn a_newer_change_is_not_lost_when_an_older_one_is_refused() {
    let it = waiting().await;
    let id = it.scim.create_user(ODILE).await;
    it.platform.profile(json!({"latency_ms": 150})).await;
    let title = async || {
        let change = json!({"op": "Replace", "path": "displayName", "value": "Odile R."});
        it.scim.patch(&at(&id), change).await.expect(204);
    };
    let path = at(&id);
    let first = it.scim.patch(&path, rename(ROY));
    meanwhile(&it, slow_refusal(CHANGE), first, title).await;
    it.settled().await;
    let present = it.scim.get(&at(&id)).await.expect(200);
    assert_eq!(
        (&present["userName"], &present["displayName"]),
        (&json!(ROY), &json!("Odile R."))
    );
    assert_eq!(it.platform.names().await, [ROY], "the newer change brought it all");
}

#[tokio::test]
async fn nobody_is_told_of_success_that_is_then_taken_back() {
    let it = waiting().await;
    let id = it.scim.create_user(ODILE).await;
    it.platform.profile(json!({"latency_ms": 150})).await;
    it.platform.fault(refusal(CHANGE, "No.", 1_000)).await;
    let (path, before) = (at(&id), it.platform.calls_of(CHANGE).await);
    // The same once more while the first waits, as by a client that did not hear.
    let again = async {
        it.until(async |it| it.scim.get(&path).await.expect(200)["userName"] == ROY)
            .await;
        it.scim.patch(&path, rename(ROY)).await
    };
    let (first, second) = tokio::join!(it.scim.patch(&path, rename(ROY)), again);
    assert!(it.platform.calls_of(CHANGE).await > before);
    for answer in [first, second] {
        answer.error(400, "invalidValue");
    }
    // The second came on top of what is not confirmed yet: if it could not be taken back, it stands in the list.
    it.settled().await;
    let shown = it.scim.get(&path).await.expect(200)["userName"].clone();
    assert_eq!(it.refused().await.len(), usize::from(shown == ROY), "{shown}");
}

#[tokio::test]
async fn a_change_on_top_of_an_unconfirmed_one_stays_listed_when_it_is_refused() {
    let it = waiting().await;
    // Both at once: between them the creation would be tried again, and succeed.
    let rules = [
        json!({"method": CREATE, "fault": "unavailable", "times": 1}),
        refusal(CREATE, "No.", 1_000),
    ];
    it.platform.fault(json!(rules)).await;
    // No verdict: the change is safe, and the answer says so at once.
    let began = Instant::now();
    let id = it.scim.create_user(ODILE).await;
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "it did not wait for its time"
    );
    let answer = it.scim.patch(&at(&id), rename(ROY)).await;
    if answer.status != 204 {
        let detail = answer.error(400, "invalidValue");
        assert!(detail.contains("stays, listed as refused"), "{detail}");
    }
    it.until(async |it| it.refused().await.len() == 1).await;
    assert_eq!(it.scim.get(&at(&id)).await.expect(200)["userName"], ROY);
}

#[tokio::test]
async fn a_name_given_up_by_a_rename_is_free_once_that_is_applied() {
    let it = Setup::default().identity(&["--answer-wait=0"]).start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    it.platform
        .fault(json!({"method": CHANGE, "fault": "unavailable"}))
        .await;
    it.scim.patch(&at(&id), rename(ROY)).await.expect(204);
    let detail = it.scim.post("/Users", &user(ODILE)).await.error(409, "uniqueness");
    assert!(detail.contains(&id) && detail.contains("try again later"), "{detail}");
    it.platform.no_faults().await;
    it.settled().await;
    it.scim.create_user(ODILE).await;
    it.settled().await;
    assert_eq!(
        it.platform.names().await,
        [ROY, ODILE]
            .map(str::to_owned)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_refused_create_that_somebody_refers_to_stays_listed() {
    for refers in ["member", "manager"] {
        let it = waiting().await;
        it.platform.profile(json!({"latency_ms": 150})).await;
        let refer = async || {
            let found = it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await;
            let id = found[0]["id"].as_str().unwrap().to_owned();
            let body = if refers == "member" {
                group("Rack", &[&id])
            } else {
                let mut report = user(ROY);
                report["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] =
                    json!({"manager": {"value": id}});
                report
            };
            let path = if refers == "member" { "/Groups" } else { "/Users" };
            it.scim
                .request(Method::POST, path)
                .body(body.to_string())
                .header("content-type", "application/scim+json")
                .timeout(Duration::from_millis(100))
                .send()
                .await
                .ok();
        };
        let odile = user(ODILE);
        let first = it.scim.post("/Users", &odile);
        let detail = meanwhile(&it, slow_refusal(CREATE), first, refer)
            .await
            .error(400, "invalidValue");
        assert!(detail.contains("stays, listed as refused"), "{refers}: {detail}");
        assert_eq!(
            it.scim.find("/Users", &format!("userName eq \"{ODILE}\"")).await.len(),
            1
        );
    }
}

#[tokio::test]
async fn of_a_hundred_members_the_one_that_is_refused_is_taken_back() {
    let it = waiting().await;
    let mut ids = Vec::new();
    for number in 0..100 {
        ids.push(it.scim.create_user(&format!("user{number:02}@kestrel.example")).await);
    }
    let rack = it.scim.create_group("Rack", &[""; 0]).await;
    // An administrator removed the account by hand.
    let poisoned = it.platform.account("user42@kestrel.example").await["ID"]
        .as_str()
        .unwrap()
        .to_owned();
    it.platform
        .control(Method::DELETE, &format!("users/{poisoned}"), &Value::Null)
        .await;
    let members: Vec<_> = ids.iter().map(|id| json!({"value": id})).collect();
    let add = json!({"op": "Add", "path": "members", "value": members});
    let detail = it
        .scim
        .patch(&format!("/Groups/{rack}"), add)
        .await
        .error(400, "invalidValue");
    assert!(detail.contains(&ids[42]), "{detail}");
    it.settled().await;
    assert_eq!(it.platform.members("Rack").await.len(), 99);
    let shown = it.scim.get(&format!("/Groups/{rack}")).await.expect(200);
    let shown: Vec<_> = shown["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["value"].as_str().unwrap())
        .collect();
    assert!(shown.len() == 99 && !shown.contains(&ids[42].as_str()));
    assert_eq!(it.refused().await, []);
}

#[tokio::test]
async fn where_no_verdict_is_to_be_had_the_answer_comes_at_once() {
    let it = waiting().await;
    let pause = PauseDeliveriesRequest {
        tenant: TENANT.to_owned(),
        ..PauseDeliveriesRequest::default()
    };
    it.deliveries().pause_deliveries(pause).await.unwrap();
    let began = Instant::now();
    let id = it.scim.create_user(ODILE).await;
    assert!(began.elapsed() < Duration::from_secs(20), "a pause ends the wait");
    assert_eq!(it.delivery(&id).await.unwrap().state(), DeliveryState::Pending);
}

#[tokio::test]
async fn where_nothing_is_delivered_the_answer_comes_at_once() {
    let it = Setup::default()
        .identity(&[WAIT, "--delivery-concurrency=0"])
        .start()
        .await;
    let began = Instant::now();
    let id = it.scim.create_user(ODILE).await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "there is nothing to wait for"
    );
    assert_eq!(it.delivery(&id).await.unwrap().state(), DeliveryState::Pending);
}

#[tokio::test]
async fn the_operations_of_a_bulk_request_wait_no_longer_than_one_request() {
    let it = Setup::default().identity(&["--answer-wait=3s"]).start().await;
    it.platform.profile(json!({"latency_ms": 60_000})).await;
    let creates = (0..8).map(|number| {
        let data = user(&format!("{number}.{ODILE}"));
        json!({"method": "POST", "path": "/Users", "bulkId": number.to_string(), "data": data})
    });
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": creates.collect::<Vec<_>>(),
    });
    let began = Instant::now();
    let answer = it.scim.post("/Bulk", &bulk).await.expect(200);
    let took = began.elapsed();
    let created = answer["Operations"].as_array().unwrap();
    assert!(created.iter().all(|one| one["status"] == "201"), "{answer}");
    assert!(took < Duration::from_secs(8 * 3), "each waited by itself: {took:?}");
    assert_eq!(
        it.platform.names().await,
        [""; 0],
        "the Platform has not said yes to any"
    );
    it.platform.profile(json!({"latency_ms": 0})).await;
}

#[tokio::test]
async fn credentials_that_the_platform_does_not_take_take_nothing_back() {
    let it = waiting().await;
    it.scim.create_user(ROY).await;
    it.platform.fault(fault(CREATE, "bare404", 1_000)).await;
    let id = it.scim.create_user(ODILE).await;
    assert_eq!(it.scim.get(&at(&id)).await.expect(200)["userName"], ODILE);
    it.platform.no_faults().await;
    it.retry(&id).await;
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 2);
}
