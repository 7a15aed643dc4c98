//! R13 to R15: managers, a group's attributes, and its members.

use serde_json::{Value, json};

use super::RACK;
use crate::deployment::{Deployment, group, user};
use crate::entra::{ENTERPRISE, NOBODY, ODILE, Person, each_on_a_new_user, group_at};

#[tokio::test]
async fn r13_a_manager_is_set_and_cleared_in_every_shape() {
    let manager = format!("{ENTERPRISE}:manager");
    let named = |path: Option<&str>, op: &str, value: Value| match path {
        Some(path) => json!({"op": op, "path": path, "value": value}),
        None => json!({"op": op, "value": value}),
    };
    let m = NOBODY;
    let set = [
        named(Some(&manager), "Add", json!(m)),
        named(Some(&manager), "Replace", json!(m)),
        named(Some(&manager), "replace", json!({"value": m})),
        named(
            Some("manager"),
            "Add",
            json!([{"$ref": format!("https://gw.example/Users/{m}"), "value": m}]),
        ),
        named(None, "replace", json!({&manager: m})),
        named(None, "add", json!({ENTERPRISE: {"manager": {"value": m}}})),
        named(Some(&format!("{manager}.value")), "replace", json!(m)),
    ];
    let mut clear = vec![
        json!({"op": "Remove", "path": manager}),
        json!({"op": "remove", "path": format!("manager[value eq \"{m}\"]")}),
        named(None, "replace", json!({&manager: ""})),
    ];
    for nothing in [json!(""), json!({"value": ""}), json!(null), json!([{"value": null}])] {
        clear.push(named(Some(&manager), "replace", nothing));
    }
    let halls = |manager: Option<&str>| {
        let mut extension = json!({"employeeNumber": "K-0417", "department": "Halls"});
        if let Some(id) = manager {
            extension["manager"] = json!({"value": id});
        }
        json!({ENTERPRISE: extension})
    };
    let mut table: Vec<_> = set.iter().map(|set| (json!([set]), halls(Some(m)))).collect();
    table.extend(clear.iter().map(|clear| (json!([set[0], clear]), halls(None))));
    each_on_a_new_user(&user(ODILE), table).await;
}

#[tokio::test]
async fn r14_a_groups_attributes_are_patched_without_an_answer_that_lists_members() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let id = scim.create("/Groups", &group("Old", &[&person.id])).await;
    for (operation, name, external) in [
        (
            json!({"op": "Replace", "path": "displayName", "value": "East"}),
            "East",
            "external id of Old",
        ),
        (
            json!({"op": "replace", "value": {"displayName": "West"}}),
            "West",
            "external id of Old",
        ),
        (
            json!({"op": "Add", "path": "displayName", "value": RACK}),
            RACK,
            "external id of Old",
        ),
        (
            json!({"op": "Add", "path": "externalId", "value": "6c0f"}),
            RACK,
            "6c0f",
        ),
        (json!({"op": "replace", "value": {"externalId": "7d1a"}}), RACK, "7d1a"),
    ] {
        let answer = scim.patch(&group_at(&id), operation.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{operation}");
        let read = scim.get(&group_at(&id)).await.expect(200);
        assert_eq!(
            [&read["displayName"], &read["externalId"]],
            [name, external],
            "{operation}"
        );
        assert_eq!(read["members"][0]["value"], person.id.as_str(), "{operation}");
    }
    person.it.settled().await;
    assert_eq!(person.it.platform.group_names().await, [RACK]);
}

#[tokio::test]
async fn r15_members_come_and_go_in_every_shape() {
    let it = Deployment::start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(it.scim.create_user(&format!("user{n}@kestrel.example")).await);
    }
    let [a, b, c] = &ids[..] else { unreachable!() };
    let id = it.scim.create_group(RACK, &[a]).await;
    let table: [(Value, &[usize]); 14] = [
        (
            json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": b}]}),
            &[0, 1],
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"value": b}, {"value": c}]}),
            &[0, 1, 2],
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": a}]}),
            &[1, 2],
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": a}]}),
            &[1, 2],
        ),
        (
            json!({"op": "remove", "path": format!("members[value eq \"{b}\"]")}),
            &[2],
        ),
        (json!({"op": "add", "path": "members", "value": a}), &[0, 2]),
        (
            json!({"name": "addMember", "op": "add", "path": "members", "value": [{"displayName": "x", "value": b}]}),
            &[0, 1, 2],
        ),
        (json!({"op": "replace", "value": {"displayName": RACK}}), &[0, 1, 2]),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": a}]}),
            &[0],
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"value": a}, {"value": c}]}),
            &[0, 2],
        ),
        (
            json!([
                {"op": "Add", "path": "members", "value": [{"value": b}]},
                {"op": "Remove", "path": "members", "value": [{"value": a}]},
            ]),
            &[1, 2],
        ),
        (
            json!({"op": "remove", "path": format!("members[value eq \"{}\"]", c.to_uppercase())}),
            &[1],
        ),
        (json!({"op": "remove", "path": "members"}), &[]),
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": NOBODY}]}),
            &[],
        ),
    ];
    for (operation, expected) in table {
        let answer = it.scim.patch(&group_at(&id), operation.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{operation}");
        it.settled().await;
        let read = it.scim.get(&group_at(&id)).await.expect(200);
        let mut shown: Vec<_> = read["members"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|member| &member["value"])
            .collect();
        shown.sort_by_key(ToString::to_string);
        let mut wanted: Vec<_> = expected.iter().map(|n| json!(ids[*n])).collect();
        wanted.sort_by_key(Value::to_string);
        assert_eq!(shown, wanted.iter().collect::<Vec<_>>(), "{operation}");
        let held = expected.iter().map(|n| format!("user{n}@kestrel.example")).collect();
        assert_eq!(it.platform.members(RACK).await, held, "{operation}");
    }
    // Somebody unknown, or a group: a client's mistake that is told by name, and never a 500.
    let nested = it.scim.create_group::<&str>("Nested", &[]).await;
    for unknown in [NOBODY, &nested] {
        let add = json!({"op": "Add", "path": "members", "value": [{"value": unknown}]});
        assert!(
            it.scim
                .patch(&group_at(&id), add)
                .await
                .error(400, "invalidValue")
                .contains(unknown)
        );
    }
}
