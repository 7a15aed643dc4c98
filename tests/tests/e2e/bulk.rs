//! Bulk requests (RFC 7644 §3.7): what one request makes of users, groups and references between them, on the Platform too.

use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, Scim, Setup, group, patch, profile, user};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ODILE: &str = "odile@kestrel.example";
const MARC: &str = "marc@kestrel.example";
const RACK: &str = "Rack Operators";

/// The results of a bulk request that is carried out.
async fn bulk(scim: &Scim, operations: Value) -> Vec<Value> {
    send(scim, json!({"Operations": operations})).await
}

async fn send(scim: &Scim, mut body: Value) -> Vec<Value> {
    body["schemas"] = json!(["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]);
    let answer = scim.post("/Bulk", &body).await.expect(200);
    assert_eq!(
        answer["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"])
    );
    let results = answer["Operations"].as_array().unwrap().clone();
    for result in &results {
        let status: u16 = result["status"].as_str().unwrap().parse().unwrap();
        let error = result.get("response");
        assert_eq!(error.is_some(), status >= 400, "{result}");
        if let Some(error) = error {
            assert_eq!(error["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
            assert_eq!(error["status"], result["status"], "{result}");
        }
    }
    results
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results
        .iter()
        .map(|result| result["status"].as_str().unwrap())
        .collect()
}

fn detail(result: &Value) -> &str {
    result["response"]["detail"].as_str().unwrap()
}

fn post(path: &str, bulk_id: &str, data: Value) -> Value {
    let mut operation = json!({"method": "POST", "path": path, "bulkId": bulk_id});
    operation["data"] = data;
    operation
}

fn managed(name: &str, by: &str) -> Value {
    let mut data = user(name);
    data[ENTERPRISE]["manager"] = json!({"value": format!("bulkId:{by}")});
    data
}

/// What a result's `location` leads to, whose version must be the result's.
async fn located(it: &Deployment, result: &Value) -> Value {
    let location = result["location"].as_str().unwrap();
    let path = location.strip_prefix(it.scim.base()).unwrap();
    let answer = it.scim.get(path).await;
    assert_eq!(answer.header("etag"), result["version"].as_str().unwrap(), "{result}");
    answer.expect(200)
}

#[tokio::test]
async fn users_and_their_group_arrive_in_reverse_order() {
    let it = Deployment::start().await;
    let results = bulk(
        &it.scim,
        json!([
            {"method": "PATCH", "path": "/Groups/bulkId:racks", "data": patch(json!([
                {"op": "remove", "path": "members[value eq \"bulkId:marc\"]"},
                {"op": "add", "path": "members", "value": [{"value": "bulkId:late", "$ref": "/Users/bulkId:late"}]},
            ]))},
            post("/Groups", "racks", group(RACK, &["bulkId:odile", "bulkId:marc"])),
            post("/Users", "marc", managed(MARC, "odile")),
            post("/Users", "odile", user(ODILE)),
            post("/Users", "late", user("late@kestrel.example")),
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["204", "201", "201", "201", "201"], "{results:#?}");
    let named: Vec<_> = results
        .iter()
        .map(|result| [&result["method"], &result["bulkId"]])
        .collect();
    assert_eq!(named[0], [&json!("PATCH"), &Value::Null]);
    assert_eq!(named[1], [&json!("POST"), &json!("racks")]);
    let racks = located(&it, &results[0]).await;
    assert_eq!(results[1]["location"], results[0]["location"]);
    assert_eq!(racks["members"].as_array().unwrap().len(), 2);
    let (marc, odile) = (located(&it, &results[2]).await, located(&it, &results[3]).await);
    assert_eq!(marc[ENTERPRISE]["manager"]["value"], odile["id"]);

    it.settled().await;
    let members = it.platform.members(RACK).await;
    assert!(members.iter().eq(["late@kestrel.example", ODILE]), "{members:?}");
    let account = it.platform.account(ODILE).await;
    if profile::holds_managers() {
        assert_eq!(it.platform.account(MARC).await["ReportsTo"], account["ID"]);
    }
}

#[tokio::test]
async fn users_who_manage_each_other_are_created() {
    let it = Deployment::start().await;
    let results = bulk(
        &it.scim,
        json!([
            post("/Users", "odile", managed(ODILE, "marc")),
            post("/Users", "marc", managed(MARC, "odile")),
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["201", "201"], "{results:#?}");
    let (odile, marc) = (located(&it, &results[0]).await, located(&it, &results[1]).await);
    assert_eq!(odile[ENTERPRISE]["manager"]["value"], marc["id"]);
    assert_eq!(marc[ENTERPRISE]["manager"]["value"], odile["id"]);
    assert_eq!(
        odile[ENTERPRISE]["department"], "Halls",
        "the rest of the extension is there"
    );
    it.settled().await;
    let (odile, marc) = (it.platform.account(ODILE).await, it.platform.account(MARC).await);
    if profile::holds_managers() {
        assert_eq!((&odile["ReportsTo"], &marc["ReportsTo"]), (&marc["ID"], &odile["ID"]));
    }
}

#[tokio::test]
async fn a_circle_that_a_refusal_breaks_says_what_is_there() {
    let it = Deployment::start().await;
    it.scim.create_user(MARC).await;
    let results = bulk(
        &it.scim,
        json!([
            post("/Users", "odile", managed(ODILE, "marc")),
            post("/Users", "marc", managed(MARC, "odile")),
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["409", "409"]);
    assert!(detail(&results[0]).starts_with("created, but"), "{}", results[0]);
    assert_eq!(located(&it, &results[0]).await["userName"], ODILE);
    assert_eq!(results[1]["response"]["scimType"], "uniqueness");
}

#[tokio::test]
async fn one_that_fails_stops_only_what_needs_it() {
    let it = Deployment::start().await;
    let marc = it.scim.create_user(MARC).await;
    let gone = it.scim.create_user("gone@kestrel.example").await;
    let mut renamed = user(MARC);
    renamed["displayName"] = json!("Marc A. Roy");
    let results = bulk(
        &it.scim,
        json!([
            post("/Users", "nameless", json!({"displayName": "Nobody"})),
            post("/Groups", "racks", group(RACK, &["bulkId:nameless", &marc])),
            post("/Groups", "halls", group("Halls", &["bulkId:odile"])),
            {"method": "PUT", "path": format!("/Users/{marc}"), "data": renamed},
            {"method": "PATCH", "path": format!("/Users/{marc}"), "data": patch(json!({"op": "replace", "path": "active", "value": false}))},
            {"method": "PATCH", "path": format!("/Users/{marc}"), "data": patch(json!({"op": "replace", "path": "title[", "value": "Lead"}))},
            {"method": "DELETE", "path": format!("/Users/{gone}")},
            {"method": "DELETE", "path": "/Groups/bulkId:nobody"},
            {"method": "GET", "path": format!("/Users/{marc}")},
            post("/Bulk", "inner", json!({"Operations": []})),
            post("/Users", "odile", user(ODILE)),
        ]),
    )
    .await;
    assert_eq!(
        statuses(&results),
        [
            "400", "409", "201", "200", "204", "400", "204", "400", "405", "400", "201"
        ],
        "{results:#?}"
    );
    for (at, named) in [
        (0, "userName"),
        (1, "`nameless`"),
        (5, "position"),
        (7, "`nobody`"),
        (9, "/Users"),
    ] {
        assert!(detail(&results[at]).contains(named), "{}", results[at]);
    }
    assert_eq!(results[5]["response"]["scimType"], "invalidPath");
    assert_eq!(results[5]["location"], results[4]["location"]);
    assert_eq!(located(&it, &results[4]).await["active"], false);

    it.settled().await;
    assert_eq!(it.platform.names().await, [MARC, ODILE]);
    assert_eq!(it.platform.group_names().await, ["Halls"]);
    assert!(it.platform.members("Halls").await.iter().eq([ODILE]));
    let account = it.platform.account(MARC).await;
    assert_eq!(
        (&account["DisplayName"], &account["State"]),
        (&json!("Marc A. Roy"), &json!("Disabled"))
    );
}

#[tokio::test]
async fn fail_on_errors_stops_the_rest() {
    let it = Deployment::start().await;
    let operations = json!([
        post("/Users", "odile", user(ODILE)),
        post("/Users", "again", user(ODILE)),
        post("/Users", "marc", user(MARC)),
        post("/Users", "nameless", json!({})),
        post("/Users", "late", user("late@kestrel.example")),
    ]);
    let results = send(&it.scim, json!({"failOnErrors": 1, "Operations": operations})).await;
    assert_eq!(statuses(&results), ["201", "409"]);
    it.settled().await;
    assert_eq!(it.platform.names().await, [ODILE]);
    // The two that are there already, and then Marc, before the third error.
    let results = send(&it.scim, json!({"failOnErrors": 3, "Operations": operations})).await;
    assert_eq!(statuses(&results), ["409", "409", "201", "400"]);
    it.settled().await;
    assert_eq!(it.platform.names().await, [MARC, ODILE]);
}

#[tokio::test]
async fn a_version_that_has_passed_is_a_conflict() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let path = format!("/Users/{id}");
    let version = it.scim.get(&path).await.header("etag").to_owned();
    let title = |title: &str| patch(json!({"op": "replace", "path": "title", "value": title}));
    let results = bulk(
        &it.scim,
        json!([
            {"method": "PATCH", "path": path, "version": version, "data": title("Lead")},
            {"method": "PATCH", "path": path, "version": version, "data": title("Nobody's lead")},
            {"method": "PUT", "path": path, "version": version, "data": user(MARC)},
            {"method": "DELETE", "path": path, "version": version},
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["204", "412", "412", "412"]);
    let shown = located(&it, &results[0]).await;
    assert_eq!((&shown["title"], &shown["userName"]), (&json!("Lead"), &json!(ODILE)));
    let version = &results[0]["version"];
    let results = bulk(
        &it.scim,
        json!([{"method": "DELETE", "path": path, "version": version}]),
    )
    .await;
    assert_eq!(statuses(&results), ["204"]);
    it.settled().await;
    assert!(it.platform.names().await.is_empty());
}

#[tokio::test]
async fn a_repeat_changes_nothing() {
    let it = Deployment::start().await;
    let operations = json!([
        post("/Groups", "racks", group(RACK, &["bulkId:odile"])),
        post("/Users", "marc", managed(MARC, "odile")),
        post("/Users", "odile", user(ODILE)),
    ]);
    assert_eq!(
        statuses(&bulk(&it.scim, operations.clone()).await),
        ["201", "201", "201"]
    );
    it.settled().await;
    let (users, groups) = (it.scim.get("/Users").await.text, it.scim.get("/Groups").await.text);
    let calls = it.platform.calls().await;
    assert_eq!(statuses(&bulk(&it.scim, operations).await), ["409", "409", "409"]);
    it.settled().await;
    assert_eq!(it.scim.get("/Users").await.text, users);
    assert_eq!(it.scim.get("/Groups").await.text, groups);
    assert_eq!(it.platform.calls().await, calls);
}

#[tokio::test]
async fn the_limits_are_published_and_held() {
    let it = Setup::default()
        .gateway(&["--max-bulk-operations=3", "--max-bulk-body=8KiB"])
        .start()
        .await;
    let told = it.scim.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(
        told["bulk"],
        json!({"supported": true, "maxOperations": 3, "maxPayloadSize": 8192})
    );
    let users = |count: usize| {
        let one = |at: usize| {
            post(
                "/Users",
                &at.to_string(),
                json!({"userName": format!("u{at}@kestrel.example")}),
            )
        };
        json!({"Operations": (0..count).map(one).collect::<Vec<_>>()})
    };
    let refused = |answer: Answer, named: &str| {
        let detail = answer.error(413, "");
        assert!(detail.contains(named), "{detail}");
    };
    refused(it.scim.post("/Bulk", &users(4)).await, "maxOperations is 3");
    refused(it.scim.post("/Bulk", &users(10_000)).await, "maxPayloadSize");
    assert_eq!(it.scim.get("/Users").await.expect(200)["totalResults"], 0);
    let results = send(&it.scim, users(3)).await;
    assert_eq!(statuses(&results), ["201", "201", "201"]);
    // One bulkId for two would leave both references and results in doubt.
    let twice = json!([post("/Users", "u", user(ODILE)), post("/Users", "u", user(MARC))]);
    let detail = it
        .scim
        .post("/Bulk", &json!({"Operations": twice}))
        .await
        .error(400, "invalidValue");
    assert!(detail.contains("`u`"), "{detail}");
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 3);
}
