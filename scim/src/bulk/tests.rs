use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::*;

const ENTERPRISE: &str = crate::schema::URN_ENTERPRISE_USER;
const LIMIT: usize = 1000;

fn read(operations: Value) -> Result<Bulk, Refusal> {
    let mut body = json!({});
    body["Operations"] = operations;
    Bulk::read(body, &Schemas::builtin(), LIMIT)
}

fn user(bulk_id: &str, data: Value) -> Value {
    let mut operation = json!({"method": "POST", "path": "/Users", "bulkId": bulk_id});
    operation["data"] = data;
    if operation["data"].get("userName").is_none() {
        operation["data"]["userName"] = json!(bulk_id);
    }
    operation
}

fn managed(bulk_id: &str, by: &str) -> Value {
    user(
        bulk_id,
        json!({ENTERPRISE: {"department": "Halls", "manager": {"value": format!("bulkId:{by}")}}}),
    )
}

fn group(bulk_id: &str, members: &[&str]) -> Value {
    let members: Vec<_> = members
        .iter()
        .map(|name| json!({"value": format!("bulkId:{name}")}))
        .collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": {"displayName": bulk_id, "members": members}})
}

/// Serves everything: each resource gets the id `id-of-` and its name, but for those that fail.
fn serve(mut bulk: Bulk, fails: &[&str]) -> (Vec<String>, Vec<(String, Value)>) {
    let mut calls = Vec::new();
    while let Some(call) = bulk.next_call() {
        let body = call.body.clone().unwrap_or_default();
        let name = body.get("userName").or(body.get("displayName")).and_then(Value::as_str);
        let id = call.id.clone().or(name.map(|name| format!("id-of-{name}"))).unwrap();
        calls.push(format!("{} {} {body}", call.method.name(), id));
        let outcome = if fails.contains(&&*id) {
            BulkOutcome {
                status: 400,
                error: Some(error_body(400, None, "refused")),
                ..BulkOutcome::default()
            }
        } else {
            BulkOutcome {
                status: if call.id.is_some() { 204 } else { 201 },
                id: call.id.is_none().then_some(id),
                version: Some(format!("W/\"{}\"", calls.len())),
                error: None,
            }
        };
        bulk.settle(&call, outcome);
    }
    (calls, told(bulk))
}

/// Each result as `bulkId or place → JSON`.
fn told(bulk: Bulk) -> Vec<(String, Value)> {
    let results = bulk.results().into_iter().map(|result| {
        let location = result
            .resource
            .clone()
            .map(|(kind, id)| format!("{}/{id}", kind.endpoint()));
        let name = result.bulk_id.clone().or(location.clone()).unwrap_or_default();
        (name, result.into_json(location))
    });
    results.collect()
}

fn detail(result: &Value) -> &str {
    assert_eq!(result["response"]["status"], result["status"], "{result}");
    result["response"]["detail"].as_str().unwrap()
}

#[test]
fn references_wait_for_what_they_name() {
    let operations = json!([
        {"method": "DELETE", "path": "/Users/bulkId:u"},
        {"method": "patch", "path": "Groups/7/", "version": "W/\"3\"", "data": {"Operations": [
            {"op": "remove", "path": "members[value eq \"bulkId:u\" or value eq \"\\\"\"]"},
            {"op": "add", "path": "members", "value": ["bulkId:u", {"value": "x", "$ref": "https://gw.example/scim/v2/Users/bulkId:u"}]},
        ]}},
        group("g", &["u", "u"]),
        {"method": "PUT", "path": "/Groups/7", "data": {"displayName": "not bulkId:u", "externalId": "bulkId:u"}},
        {"METHOD": "POST", "PATH": "/Users", "BULKID": "u", "DATA": {"userName": "u"}},
    ]);
    let (calls, results) = serve(read(operations).unwrap(), &[]);
    let expected = [
        json!({"userName": "u"}),
        Value::Null,
        json!({"Operations": [
            {"op": "remove", "path": "members[value eq \"id-of-u\" or value eq \"\\\"\"]"},
            {"op": "add", "path": "members", "value": ["id-of-u", {"value": "x", "$ref": "https://gw.example/scim/v2/Users/id-of-u"}]},
        ]}),
        json!({"displayName": "g", "members": [{"value": "id-of-u"}, {"value": "id-of-u"}]}),
        json!({"displayName": "not bulkId:u", "externalId": "id-of-u"}),
    ];
    let places = ["POST id-of-u", "DELETE id-of-u", "PATCH 7", "POST id-of-g", "PUT 7"];
    let expected: Vec<_> = places
        .iter()
        .zip(expected)
        .map(|(place, body)| format!("{place} {body}"))
        .collect();
    assert_eq!(calls, expected);
    // The answer keeps the order of the request.
    let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
    assert_eq!(
        results[0],
        json!({"method": "DELETE", "location": "/Users/id-of-u", "status": "204", "version": "W/\"2\""})
    );
    assert_eq!(
        results[4],
        json!({"method": "POST", "bulkId": "u", "location": "/Users/id-of-u", "status": "201", "version": "W/\"1\""})
    );
}

#[test]
fn a_version_goes_with_the_call() {
    let operations = json!([
        {"method": "PUT", "path": "/Users/1", "version": "W/\"3\"", "data": {"userName": "u"}},
        {"method": "POST", "path": "/Users", "bulkId": "u", "version": "W/\"3\"", "data": {"userName": "u"}},
    ]);
    let mut bulk = read(operations).unwrap();
    assert_eq!(bulk.next_call().unwrap().version.as_deref(), Some("W/\"3\""));
    assert_eq!(bulk.next_call().unwrap().version, None, "nothing exists yet");
}

#[test]
fn circles_are_opened_and_closed_again() {
    let operations = json!([
        {"method": "PATCH", "path": "/Users/bulkId:a", "data": {"Operations": []}},
        managed("a", "b"),
        managed("b", "a"),
        managed("self", "self"),
        group("g", &["a", "self"]),
        managed("outside", "a"),
    ]);
    let (calls, results) = serve(read(operations).unwrap(), &[]);
    let bare = |name: &str| {
        format!(
            "POST id-of-{name} {}",
            json!({"userName": name, ENTERPRISE: {"department": "Halls"}})
        )
    };
    let set = |name: &str, by: &str| {
        let value = json!({ENTERPRISE: {"manager": {"value": format!("id-of-{by}")}}});
        let body = json!({"schemas": [URN_PATCH_OP], "Operations": [{"op": "add", "value": value}]});
        format!("PATCH id-of-{name} {body}")
    };
    assert_eq!(
        calls[..4],
        [
            bare("a"),
            bare("b"),
            set("a", "b"),
            "PATCH id-of-a {\"Operations\":[]}".to_owned()
        ]
    );
    assert_eq!(calls[4..7], [set("b", "a"), bare("self"), set("self", "self")]);
    assert!(
        calls[7].contains(r#"[{"value":"id-of-a"},{"value":"id-of-self"}]"#),
        "{}",
        calls[7]
    );
    assert!(calls[8].contains(r#""manager":{"value":"id-of-a"}"#), "{}", calls[8]);
    let (_, a) = &results[1];
    assert_eq!(
        (&a["status"], &a["version"]),
        (&json!("201"), &json!("W/\"3\"")),
        "the version after all of it"
    );
}

#[test]
fn what_depends_on_a_failure_is_not_tried() {
    let operations = || {
        json!([
            group("g", &["boss"]),
            managed("report", "boss"),
            user("boss", json!({})),
            {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {}},
            user("other", json!({})),
        ])
    };
    let (calls, results) = serve(read(operations()).unwrap(), &["id-of-boss"]);
    assert_eq!(calls.len(), 2, "{calls:?}");
    let statuses: Vec<_> = results.iter().map(|(_, result)| result["status"].clone()).collect();
    assert_eq!(statuses, ["409", "409", "400", "409", "201"]);
    assert!(detail(&results[0].1).contains("`boss`"));
    assert!(detail(&results[3].1).contains("`g`"));

    // A circle of which one is refused: the other is there, and says what it lacks.
    let (_, results) = serve(
        read(json!([managed("a", "b"), managed("b", "a")])).unwrap(),
        &["id-of-b"],
    );
    let (_, a) = &results[0];
    assert_eq!(
        (&a["status"], &a["location"]),
        (&json!("409"), &json!("/Users/id-of-a"))
    );
    assert!(
        detail(a).starts_with("created, but") && detail(a).contains("`b`"),
        "{a}"
    );
    assert_eq!(results[1].1["status"], "400");
}

#[test]
fn a_circle_that_cannot_be_opened_is_a_conflict() {
    let closed = |bulk_id: &str, by: &str| user(bulk_id, json!({"userName": format!("bulkId:{by}")}));
    let operations = json!([
        closed("a", "b"),
        closed("b", "a"),
        managed("c", "a"),
        user("d", json!({}))
    ]);
    let (calls, results) = serve(read(operations).unwrap(), &[]);
    assert_eq!(calls.len(), 1);
    let statuses: Vec<_> = results.iter().map(|(_, result)| result["status"].clone()).collect();
    assert_eq!(statuses, ["409", "409", "409", "201"]);
    assert!(detail(&results[0].1).contains("circle"));
    assert!(detail(&results[2].1).contains("`a`"));
}

#[test]
fn enough_errors_end_it() {
    let body = |limit: Value| {
        let bad = json!({"method": "POST", "path": "/Users", "data": {}});
        json!({"failOnErrors": limit, "Operations": [user("a", json!({})), bad, user("b", json!({})), bad, user("c", json!({}))]})
    };
    for (limit, done) in [(json!(1), 2), (json!(2), 4), (json!(3), 5), (Value::Null, 5)] {
        let bulk = Bulk::read(body(limit.clone()), &Schemas::builtin(), LIMIT).unwrap();
        let (_, results) = serve(bulk, &[]);
        assert_eq!(results.len(), done, "{limit}");
    }
    for limit in [json!(0), json!(-1), json!(1.5), json!("1"), json!(true)] {
        let refusal = Bulk::read(body(limit.clone()), &Schemas::builtin(), LIMIT).unwrap_err();
        assert_eq!(
            (refusal.status, refusal.scim_type),
            (400, Some("invalidValue")),
            "{limit}"
        );
        assert!(refusal.detail.contains("failOnErrors"));
    }
    // What is created and not complete when it ends says so.
    let mut bulk = Bulk::read(
        json!({"failOnErrors": 1, "Operations": [managed("a", "b"), {"method": "GET", "path": "/Users"}, managed("b", "a")]}),
        &Schemas::builtin(),
        LIMIT,
    )
    .unwrap();
    let call = bulk.next_call().unwrap();
    bulk.settle(
        &call,
        BulkOutcome {
            status: 201,
            id: Some("1".to_owned()),
            ..BulkOutcome::default()
        },
    );
    assert_eq!(bulk.next_call(), None);
    let results = told(bulk);
    assert_eq!(results.len(), 2);
    assert!(detail(&results[0].1).contains("failOnErrors"));
    assert_eq!(results[0].1["location"], "/Users/1");
}

#[test]
fn what_is_not_done_in_time_is_answered_for() {
    let mut bulk =
        read(json!([managed("a", "b"), managed("b", "a"), {"method": "DELETE", "path": "/Users/7"}])).unwrap();
    let call = bulk.next_call().unwrap();
    bulk.settle(
        &call,
        BulkOutcome {
            status: 201,
            id: Some("1".to_owned()),
            ..BulkOutcome::default()
        },
    );
    bulk.next_call().unwrap();
    bulk.stop(&Refusal::new(504, "late"));
    assert_eq!(bulk.next_call(), None);
    let results = told(bulk);
    assert!(
        results.iter().all(|(_, result)| result["status"] == "504"),
        "{results:?}"
    );
    assert_eq!(
        detail(&results[0].1),
        "created, but without what closes a circle of bulkIds: late"
    );
    assert_eq!(detail(&results[1].1), "late");
    assert_eq!(results[2].1["location"], "/Users/7");
}

#[test]
fn an_operation_that_cannot_be_meant_is_its_own_error() {
    let data = json!({"userName": "u"});
    let table = [
        (json!({}), 400, "invalidSyntax", "method"),
        (json!({"method": 7}), 400, "invalidSyntax", "method"),
        (
            json!({"method": "GET", "path": "/Users/1"}),
            405,
            "",
            "POST, PUT, PATCH or DELETE",
        ),
        (
            json!({"method": "POST", "bulkId": "u", "data": data}),
            400,
            "invalidSyntax",
            "path",
        ),
        (
            json!({"method": "POST", "path": "/Users", "data": data}),
            400,
            "invalidSyntax",
            "bulkId",
        ),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": "", "data": data}),
            400,
            "invalidValue",
            "bulkId",
        ),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": "a\nb", "data": data}),
            400,
            "invalidValue",
            "bulkId",
        ),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": "a".repeat(257), "data": data}),
            400,
            "invalidValue",
            "bulkId",
        ),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": 7, "data": data}),
            400,
            "invalidSyntax",
            "bulkId",
        ),
        (
            json!({"method": "POST", "path": "/Users", "bulkId": "u"}),
            400,
            "invalidSyntax",
            "data",
        ),
        (
            json!({"method": "PUT", "path": "/Users/1", "data": null}),
            400,
            "invalidSyntax",
            "data",
        ),
        (
            json!({"method": "PATCH", "path": "/Users/1", "version": 1, "data": {}}),
            400,
            "invalidSyntax",
            "version",
        ),
        (
            json!({"method": "POST", "path": "/Users/1", "bulkId": "u", "data": data}),
            405,
            "",
            "POST",
        ),
        (json!({"method": "DELETE", "path": "/Users"}), 405, "", "one resource"),
        (
            json!({"method": "POST", "path": "/Bulk", "bulkId": "u", "data": {}}),
            400,
            "invalidValue",
            "path",
        ),
        (
            json!({"method": "POST", "path": "/Users/.search?x", "bulkId": "u", "data": {}}),
            400,
            "invalidValue",
            "path",
        ),
        (
            json!({"method": "DELETE", "path": "/Users/1/2"}),
            400,
            "invalidValue",
            "path",
        ),
        (
            json!({"method": "DELETE", "path": "/Users/a b"}),
            400,
            "invalidValue",
            "path",
        ),
        (
            json!({"method": "DELETE", "path": "https://gw.example/scim/v2/Users/1"}),
            400,
            "invalidValue",
            "path",
        ),
        (
            json!({"method": "DELETE", "path": "/Users/bulkId:nobody"}),
            400,
            "invalidValue",
            "`nobody`",
        ),
        (
            json!({"method": "PATCH", "path": "/Users/1", "data": {"Operations": [
                {"op": "remove", "path": "manager[value eq \"bulkId:nobody\"]"},
            ]}}),
            400,
            "invalidValue",
            "`nobody`",
        ),
    ];
    for (operation, status, scim_type, named) in table {
        let (calls, results) = serve(read(json!([operation, user("good", json!({}))])).unwrap(), &[]);
        assert_eq!(calls.len(), 1, "{operation}");
        let (_, result) = &results[0];
        assert_eq!(result["status"], status.to_string(), "{operation}");
        assert_eq!(
            result["response"]["scimType"].as_str().unwrap_or_default(),
            scim_type,
            "{operation}"
        );
        assert!(detail(result).contains(named), "{operation}: {result}");
        assert_eq!(results[1].1["status"], "201", "{operation}");
    }
}

#[test]
fn a_request_that_cannot_be_meant_is_refused_whole() {
    let table = [
        (json!([]), 400, Some("invalidSyntax"), "object"),
        (json!({}), 400, Some("invalidSyntax"), "Operations"),
        (json!({"Operations": {}}), 400, Some("invalidSyntax"), "Operations"),
        (json!({"Operations": [7]}), 400, Some("invalidSyntax"), "operation 1"),
        (
            json!({"Operations": [user("a", json!({})), user("a", json!({}))]}),
            400,
            Some("invalidValue"),
            "`a`",
        ),
        (
            json!({"Operations": vec![json!({}); LIMIT + 1]}),
            413,
            None,
            "maxOperations is 1000",
        ),
    ];
    for (body, status, scim_type, named) in table {
        let refusal = Bulk::read(body, &Schemas::builtin(), LIMIT).unwrap_err();
        assert_eq!((refusal.status, refusal.scim_type), (status, scim_type), "{refusal}");
        assert!(refusal.detail.contains(named), "{refusal}");
    }
    assert_eq!(serve(read(json!([])).unwrap(), &[]).1, []);
}

#[test]
fn a_long_chain_and_a_large_circle_are_no_burden() {
    let names: Vec<_> = (0..10_000).map(|at| format!("u{at}")).collect();
    for circle in [false, true] {
        let by = |at: usize| {
            if circle {
                (at + 1) % names.len()
            } else {
                (at + 1).min(names.len() - 1)
            }
        };
        let operations: Vec<_> = (0..names.len()).map(|at| managed(&names[at], &names[by(at)])).collect();
        let bulk = Bulk::read(json!({"Operations": operations}), &Schemas::builtin(), names.len()).unwrap();
        let (calls, results) = serve(bulk, &[]);
        // In the chain only the last one, its own manager, comes in two steps.
        assert_eq!(calls.len(), if circle { 20_000 } else { 10_001 });
        assert!(results.iter().all(|(_, result)| result["status"] == "201"));
    }
}

/// Operations on users and groups that refer to one another, and sometimes to nobody.
fn operations() -> impl Strategy<Value = Vec<Value>> {
    let one = (0..6_u8, prop::collection::vec(0..9_usize, 0..3));
    prop::collection::vec(one, 0..8).prop_map(|shapes| {
        let name = |at: usize| format!("n{at}");
        let operation = |(at, (kind, to)): (usize, (u8, Vec<usize>))| {
            let to: Vec<_> = to.into_iter().map(name).collect();
            let first = to.first().map_or("n0", String::as_str);
            match kind {
                0 => group(&name(at), &to.iter().map(String::as_str).collect::<Vec<_>>()),
                1 => managed(&name(at), first),
                2 => user(&name(at), json!({"userName": format!("bulkId:{first}")})),
                3 => user(&name(at), json!({"title": to})),
                // Each on a resource of its own: on the same one, their order is meant.
                4 => json!({"method": "PATCH", "path": format!("/Users/{at}"), "data": {"Operations": to.iter().map(|to| json!({
                    "op": "add", "path": "manager", "value": format!("bulkId:{to}"),
                })).collect::<Vec<_>>()}}),
                _ => user(&name(at), json!({})),
            }
        };
        shapes.into_iter().enumerate().map(operation).collect()
    })
}

proptest! {
    #[test]
    fn any_order_of_operations_gives_the_same_plan(operations in operations(), shuffle in prop::collection::vec(any::<Index>(), 8), failing in 0..9_usize) {
        let failing = format!("id-of-n{failing}");
        let mut shuffled = operations.clone();
        for (at, index) in shuffle.iter().enumerate().take(shuffled.len()) {
            let other = index.index(shuffled.len());
            shuffled.swap(at, other);
        }
        let run = |operations: Vec<Value>| {
            let (mut calls, mut results) = serve(read(operations.into()).unwrap(), &[&failing]);
            prop_assert!(calls.iter().all(|call| !call.contains("bulkId:")), "{calls:?}");
            calls.sort_unstable();
            // The versions here count the calls.
            results.iter_mut().for_each(|(_, result)| drop(result.as_object_mut().unwrap().remove("version")));
            // Of several that are missing, the first by name is told; results differ in nothing else.
            results.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Ok((calls, results))
        };
        prop_assert_eq!(run(operations)?, run(shuffled)?);
    }

    #[test]
    fn every_operation_is_answered_once(operations in operations(), failing in 0..9_usize) {
        let count = operations.len();
        let (calls, results) = serve(read(operations.into()).unwrap(), &[&format!("id-of-n{failing}")]);
        prop_assert_eq!(results.len(), count);
        prop_assert!(calls.len() <= 2 * count);
    }

    #[test]
    fn nothing_panics(operations in prop::collection::vec(any_operation(), 0..6), more in any_json()) {
        if let Ok(bulk) = read(operations.into()) {
            serve_blindly(bulk);
        }
        if let Ok(bulk) = Bulk::read(more, &Schemas::builtin(), LIMIT) {
            serve_blindly(bulk);
        }
    }
}

fn serve_blindly(mut bulk: Bulk) {
    let mut served = 0;
    while let Some(call) = bulk.next_call() {
        served += 1;
        let id = Some(served.to_string());
        bulk.settle(
            &call,
            BulkOutcome {
                status: 201,
                id,
                ..BulkOutcome::default()
            },
        );
    }
    bulk.results();
}

fn any_operation() -> impl Strategy<Value = Value> {
    let member = prop_oneof![
        Just("method"),
        Just("path"),
        Just("bulkId"),
        Just("data"),
        Just("version"),
        Just("Path")
    ];
    let value = prop_oneof![
        any_json(),
        prop_oneof![Just("POST"), Just("PATCH"), Just("DELETE")].prop_map(Value::from),
        prop_oneof![
            Just("/Users"),
            Just("/Groups/"),
            Just("/Users/bulkId:a"),
            Just("/Users/1")
        ]
        .prop_map(Value::from),
        prop_oneof![Just("a"), Just("b")].prop_map(Value::from),
    ];
    prop::collection::hash_map(member, value, 0..6).prop_map(|members| {
        members
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<Map<_, _>>()
            .into()
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        Just("bulkId:a".to_owned()),
        Just("bulkId:".to_owned()),
        Just("x/Users/bulkId:b".to_owned()),
        "[\"\\\\a-c:bulkId\\[\\] ]{0,24}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.clone().prop_map(Value::from)
    ];
    let key = prop_oneof![
        text,
        Just("path".to_owned()),
        Just("Operations".to_owned()),
        Just("manager".to_owned()),
        Just(ENTERPRISE.to_owned())
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}
