//! `/Bulk` as far as the gateway answers it by itself.

use tokio::net::TcpListener;

use super::*;

fn bulk(operations: &Value) -> String {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}).to_string()
}

/// Each result's status, with a SCIM error of the same status beside it.
fn statuses(body: &Value) -> Vec<&str> {
    assert_eq!(
        body["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"])
    );
    let results = body["Operations"].as_array().unwrap().iter();
    results
        .map(|result| {
            assert_eq!(result["response"]["status"], result["status"], "{result}");
            assert!(result["response"]["detail"].as_str().is_some(), "{result}");
            result["status"].as_str().unwrap()
        })
        .collect()
}

fn three() -> Value {
    let user: Value = serde_json::from_str(USER).unwrap();
    json!([
        {"method": "POST", "path": "/Users", "bulkId": "u", "data": user},
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Racks", "members": [{"value": "bulkId:u"}]}},
        {"method": "DELETE", "path": "/Users/7"},
    ])
}

#[tokio::test]
async fn the_limits_are_told_and_held() {
    let mut config = config();
    (config.scim.max_bulk_body, config.scim.max_bulk_operations) = (2048, 2);
    let running = start(config).await;
    let told = ask("GET /scim/v2/ServiceProviderConfig").of(&running).await.json();
    assert_eq!(
        told["bulk"],
        json!({"supported": true, "maxOperations": 2, "maxPayloadSize": 2048})
    );
    let large =
        bulk(&json!([{"method": "POST", "path": "/Users", "bulkId": "u", "data": {"title": "x".repeat(2048)}}]));
    for (body, named) in [
        (bulk(&three()), "maxOperations is 2"),
        (large, "maxPayloadSize, which is 2048"),
    ] {
        let (scim_type, detail) = ask("POST /scim/v2/Bulk").body(&body).of(&running).await.error(413);
        assert_eq!(scim_type, None);
        assert!(detail.contains(named), "{detail}");
    }
    for (body, named) in [("{", "line 1"), ("{}", "Operations"), ("[]", "object")] {
        let (scim_type, detail) = ask("POST /scim/v2/Bulk").body(body).of(&running).await.error(400);
        assert_eq!(scim_type.as_deref(), Some("invalidSyntax"));
        assert!(detail.contains(named), "{detail}");
    }
}

#[tokio::test]
async fn each_operation_is_answered_as_it_would_be_alone() {
    let running = gateway().await;
    let operations = json!([
        {"method": "POST", "path": "/Users", "bulkId": "large", "data": {"userName": "odile", "title": "x".repeat(1024)}},
        {"method": "POST", "path": "/Users", "bulkId": "nameless", "data": {"title": "Rack technician"}},
        {"method": "PATCH", "path": "/Users/7", "data": {"Operations": [{"op": "increase", "path": "title"}]}},
        {"method": "PUT", "path": "/Users/7", "version": "7", "data": {"userName": "odile"}},
        {"method": "DELETE", "path": "/Groups/7", "version": "a\nb"},
        {"method": "DELETE", "path": "/Groups/%00"},
        {"method": "GET", "path": "/Users"},
        {"method": "POST", "path": "/Bulk", "bulkId": "inner", "data": {}},
        {"method": "DELETE", "path": "/Users/7"},
    ]);
    let body = bulk(&operations);
    let answer = ask("POST /scim/v2/Bulk").body(&body).of(&running).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(
        statuses(&body),
        ["413", "400", "400", "400", "400", "404", "405", "400", "503"]
    );
    let results = &body["Operations"];
    assert_eq!(
        (&results[0]["method"], &results[0]["bulkId"]),
        (&json!("POST"), &json!("large"))
    );
    assert!(results[1]["response"]["detail"].as_str().unwrap().contains("userName"));
    assert_eq!(results[1]["response"]["scimType"], "invalidValue");
    assert_eq!(results[2]["location"], "http://gw.example/scim/v2/Users/7");
    assert!(results[3]["response"]["detail"].as_str().unwrap().contains("If-Match"));
    assert_eq!(results[0].get("location"), None, "a failed POST has none");
}

#[tokio::test]
async fn without_identity_service_nothing_is_lost_in_silence() {
    let running = gateway().await;
    let body = ask("POST /scim/v2/Bulk")
        .body(&bulk(&three()))
        .of(&running)
        .await
        .json();
    assert_eq!(statuses(&body), ["503", "409", "503"]);
}

#[tokio::test]
async fn what_is_not_done_in_time_is_answered_too() {
    // It takes connections, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config();
    config.identity_url = format!("http://{}", silent.local_addr().unwrap());
    config.scim.request_timeout = Duration::from_millis(500);
    let running = start(config).await;
    let answer = ask("POST /scim/v2/Bulk").body(&bulk(&three())).of(&running).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    // Whether the first one's connection or its time is over first is the same to the client.
    assert_eq!(statuses(&body)[1..], ["409", "504"], "{body}");
    assert!(["503", "504"].contains(&statuses(&body)[0]), "{body}");
    assert_eq!(body["Operations"][2]["location"], "http://gw.example/scim/v2/Users/7");
}
