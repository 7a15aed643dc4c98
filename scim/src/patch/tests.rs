//! PATCH as Entra and its test tools send it, each shape by its name (R09–R16, Q01–Q31, Q38–Q42).

mod bounds;

use serde_json::json;

use super::*;
use crate::{ResourceSchema, Schemas, URN_ENTERPRISE_USER, URN_GROUP, URN_USER, canonicalize};

const ENTERPRISE: &str = URN_ENTERPRISE_USER;

fn operations(list: &Value) -> Vec<Operation> {
    PatchRequest::from_json(json!({"Operations": list})).unwrap().operations
}

/// The result for a user; each case also shows that printed steps read back as themselves.
fn patched(start: &Value, list: &Value) -> Result<Value, Error> {
    patched_as(Schemas::builtin().user(), start, list)
}

fn patched_as(table: &ResourceSchema, start: &Value, list: &Value) -> Result<Value, Error> {
    let steps = steps(table, operations(list))?;
    let printed: Vec<_> = steps.iter().map(Step::to_operation).collect();
    let again = super::steps(table, printed)?;
    let shape = |steps: &[Step]| steps.iter().map(Step::to_operation).collect::<Vec<_>>();
    assert_eq!(shape(&again), shape(&steps), "{list}");
    apply(table, start.clone(), &steps)
}

fn user(mut body: Value) -> Value {
    body["userName"] = json!("odile@kestrel.example");
    canonicalize(Schemas::builtin().user(), body).unwrap()
}

fn refused(start: &Value, list: &Value) -> Error {
    patched(start, list).expect_err(&list.to_string())
}

/// Each case: name, what there was, the operations, what there is then (beside `userName`).
fn check(cases: impl IntoIterator<Item = (&'static str, Value, Value, Value)>) {
    for (name, before, list, after) in cases {
        let result = patched(&user(before), &list).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(result, user(after), "{name}");
    }
}

#[test]
fn r09_default_dialect() {
    let before = user(json!({
        "displayName": "Odile Marchetti", "title": "Rack technician", "name": {"familyName": "Marchetti", "givenName": "Odile"},
        "emails": [{"type": "work", "value": "odile@kestrel.example", "primary": true}, {"type": "home", "value": "o@home.example"}],
    }));
    let list = json!([
        {"op": "Replace", "path": "displayName", "value": "Odile M. Roy"},
        {"op": "Replace", "path": "name.familyName", "value": "Roy"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@kestrel.example"},
        {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "5145550199"},
        {"op": "Add", "path": "addresses[type eq \"work\"].postalCode", "value": "H7N 0C2"},
        {"op": "Replace", "path": "externalId", "value": "oroy"},
        {"op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Halls East"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User:badgeTier", "value": "T2"},
        {"op": "Remove", "path": "title"},
    ]);
    let after = user(json!({
        "displayName": "Odile M. Roy", "name": {"familyName": "Roy", "givenName": "Odile"}, "externalId": "oroy",
        "emails": [{"type": "work", "value": "odile.roy@kestrel.example", "primary": true}, {"type": "home", "value": "o@home.example"}],
        "phoneNumbers": [{"type": "mobile", "value": "5145550199"}],
        "addresses": [{"type": "work", "postalCode": "H7N 0C2"}],
        ENTERPRISE: {"department": "Halls East"},
    }));
    assert_eq!(patched(&before, &list).unwrap(), after);
    assert_eq!(after["schemas"], json!([URN_USER, ENTERPRISE]));
    // Old jobs wrap a scalar.
    check([(
        "wrapped",
        json!({}),
        json!([{"op": "Add", "path": "title", "value": [{"value": "x"}]}]),
        json!({"title": "x"}),
    )]);
}

#[test]
fn r10_flagged_dialect_and_q08_q09_q42() {
    let before = json!({"title": "stays", "name": {"givenName": "Odile"}, ENTERPRISE: {"division": "stays"}});
    let keys = json!({
        "displayName": "Odile M. Roy", "name.familyName": "Roy", "active": true,
        format!("{ENTERPRISE}:department"): "Halls East",
        format!("{ENTERPRISE}:manager.value"): "m1",
        ENTERPRISE: {"costCenter": "C7"},
    });
    let after = json!({
        "title": "stays", "displayName": "Odile M. Roy", "name": {"givenName": "Odile", "familyName": "Roy"}, "active": true,
        ENTERPRISE: {"division": "stays", "department": "Halls East", "manager": {"value": "m1"}, "costCenter": "C7"},
    });
    for op in ["replace", "add", "Add", "REPLACE"] {
        check([(op, before.clone(), json!([{"op": op, "value": keys}]), after.clone())]);
    }
}

#[test]
fn r11_disable_and_restore_q02_q45_q47() {
    for (op, value, active) in [
        ("Replace", json!("False"), false),
        ("replace", json!(false), false),
        ("Add", json!("False"), false),
        ("Replace", json!("false"), false),
        ("Replace", json!("True"), true),
        ("replace", json!(true), true),
    ] {
        let before = json!({"active": !active, "title": "stays"});
        let after = json!({"active": active, "title": "stays"});
        check([
            (
                "path",
                before.clone(),
                json!([{"op": op, "path": "active", "value": value}]),
                after.clone(),
            ),
            ("merged", before, json!([{"op": op, "value": {"active": value}}]), after),
        ]);
    }
}

#[test]
fn r13_manager_q14_q15() {
    let manager = |value: Value| json!({ENTERPRISE: {"manager": value}});
    let path = format!("{ENTERPRISE}:manager");
    let set = [
        json!({"op": "Add", "path": path, "value": "m1"}),
        json!({"op": "replace", "path": path, "value": {"value": "m1"}}),
        json!({"op": "Add", "path": "manager", "value": [{"value": "m1"}]}),
        json!({"op": "replace", "value": {path.clone(): "m1"}}),
        json!({"op": "replace", "value": {ENTERPRISE: {"manager": {"value": "m1", "displayName": "ignored"}}}}),
        json!({"op": "replace", "path": format!("{path}.value"), "value": "m1"}),
        json!({"op": "replace", "path": "manager.value", "value": "m1"}),
    ];
    for operation in set {
        check([
            (
                "from none",
                json!({}),
                json!([operation]),
                manager(json!({"value": "m1"})),
            ),
            (
                "from another",
                manager(json!({"value": "m0"})),
                json!([operation]),
                manager(json!({"value": "m1"})),
            ),
        ]);
    }
    let with_ref = json!([{"op": "Add", "path": "manager", "value": [{"$ref": "https://gw/Users/m1", "value": "m1"}]}]);
    let whole = manager(json!({"$ref": "https://gw/Users/m1", "value": "m1"}));
    check([("with $ref", json!({}), with_ref, whole.clone())]);
    // The address of the old manager must not outlive them.
    check([(
        "another",
        whole,
        json!([{"op": "replace", "path": path, "value": "m2"}]),
        manager(json!({"value": "m2"})),
    )]);

    let clear = [
        json!({"op": "replace", "path": path, "value": ""}),
        json!({"op": "replace", "path": path, "value": {"value": ""}}),
        json!({"op": "replace", "path": path, "value": null}),
        json!({"op": "replace", "path": path, "value": [{"value": null}]}),
        json!({"op": "Remove", "path": path}),
        json!({"op": "remove", "path": "manager[value eq \"m1\"]"}),
        json!({"op": "remove", "path": format!("{path}[value eq \"m1\"]")}),
        json!({"op": "replace", "value": {path.clone(): ""}}),
        json!({"op": "replace", "value": {path.clone(): {"value": ""}}}),
        json!({"op": "remove", "path": format!("{path}.value")}),
    ];
    for operation in clear {
        let before = json!({ENTERPRISE: {"manager": {"value": "m1"}, "department": "Halls"}});
        check([
            (
                "set",
                before,
                json!([operation]),
                json!({ENTERPRISE: {"department": "Halls"}}),
            ),
            ("unset", json!({}), json!([operation]), json!({})),
        ]);
    }
    check([(
        "another's",
        manager(json!({"value": "m2"})),
        json!([{"op": "remove", "path": "manager[value eq \"m1\"]"}]),
        manager(json!({"value": "m2"})),
    )]);
}

#[test]
fn r14_r15_groups() {
    let schemas = Schemas::builtin();
    let group = |more: Value| {
        let mut body = json!({"displayName": "Rack Operators"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        canonicalize(schemas.group(), body).unwrap()
    };
    let cases = [
        (
            json!({"op": "Replace", "path": "displayName", "value": "East"}),
            json!({"displayName": "East"}),
        ),
        (
            json!({"op": "replace", "value": {"displayName": "East"}}),
            json!({"displayName": "East"}),
        ),
        (
            json!({"op": "Add", "path": "externalId", "value": "6c0f"}),
            json!({"externalId": "6c0f"}),
        ),
        (
            json!({"op": "replace", "value": {"externalId": "6c0f"}}),
            json!({"externalId": "6c0f"}),
        ),
    ];
    for (operation, after) in cases {
        let result = patched_as(schemas.group(), &group(json!({})), &json!([operation])).unwrap();
        assert_eq!(result, group(after));
    }
}

fn target(operation: &Value) -> Vec<(Op, MemberTarget)> {
    let schemas = Schemas::builtin();
    let steps = steps(schemas.group(), operations(&json!([operation]))).unwrap();
    let again = super::steps(
        schemas.group(),
        steps.iter().map(Step::to_operation).collect::<Vec<_>>(),
    )
    .unwrap();
    assert_eq!(again, steps);
    steps
        .iter()
        .map(|step| (step.op, member_target(step).unwrap()))
        .collect()
}

#[test]
fn r15_members_q17_q20() {
    let ids = |op, ids: &[&str]| vec![(op, MemberTarget::Ids(ids.iter().map(ToString::to_string).collect()))];
    let table = [
        (
            json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": "u1"}]}),
            ids(Op::Add, &["u1"]),
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"value": "u1"}, {"value": "u2"}]}),
            ids(Op::Add, &["u1", "u2"]),
        ),
        (
            json!({"op": "add", "path": "members", "value": "u1"}),
            ids(Op::Add, &["u1"]),
        ),
        (
            json!({"name": "addMember", "op": "add", "path": "members", "value": [{"displayName": "x", "value": "u1"}]}),
            ids(Op::Add, &["u1"]),
        ),
        (
            json!({"op": "add", "value": {"members": [{"value": "u1"}]}}),
            ids(Op::Add, &["u1"]),
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u1"}]}),
            ids(Op::Remove, &["u1"]),
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": "u1"}]}),
            ids(Op::Remove, &["u1"]),
        ),
        (
            json!({"op": "Remove", "path": "members", "value": "u1"}),
            ids(Op::Remove, &["u1"]),
        ),
        (
            json!({"op": "Remove", "path": "members", "value": ["u1", "u2"]}),
            ids(Op::Remove, &["u1", "u2"]),
        ),
        (
            json!({"op": "Remove", "path": "members.value", "value": "u1"}),
            ids(Op::Remove, &["u1"]),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u1\"]"}),
            ids(Op::Remove, &["u1"]),
        ),
        (
            json!({"op": "remove", "path": "MEMBERS[VALUE EQ u1]"}),
            ids(Op::Remove, &["u1"]),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u1\" or value eq \"u2\"]"}),
            ids(Op::Remove, &["u1", "u2"]),
        ),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": "u1"}]}),
            ids(Op::Replace, &["u1"]),
        ),
        (
            json!({"op": "remove", "path": "members"}),
            vec![(Op::Remove, MemberTarget::All)],
        ),
        (
            // Still a replacement: a tenant may have it only ever add.
            json!({"op": "replace", "path": "members", "value": []}),
            ids(Op::Replace, &[]),
        ),
        (
            json!({"op": "remove", "path": "members[type eq \"Group\"]"}),
            vec![(
                Op::Remove,
                MemberTarget::Matching(crate::Filter::parse("type eq \"Group\"").unwrap()),
            )],
        ),
        // A list that names nobody takes nobody out.
        (json!({"op": "Remove", "path": "members", "value": []}), vec![]),
        (json!({"op": "Remove", "path": "members", "value": ""}), vec![]),
        (json!({"op": "Add", "path": "members", "value": []}), vec![]),
        // Path-less replaces that do not mention members leave them alone.
        (json!({"op": "replace", "value": {"id": "g1"}}), vec![]),
    ];
    for (operation, expected) in table {
        assert_eq!(target(&operation), expected, "{operation}");
    }
}

#[test]
fn r15_members_that_cannot_be_meant_are_refused() {
    let schemas = Schemas::builtin();
    let table = [
        // What does not say whom must not be taken for everybody, nor for nobody.
        (
            json!({"op": "Remove", "path": "members", "value": [{"display": "Odile"}]}),
            ErrorKind::InvalidValue,
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": null}]}),
            ErrorKind::InvalidValue,
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"display": "Odile"}]}),
            ErrorKind::InvalidValue,
        ),
        (
            json!({"op": "Add", "path": "members", "value": [[{"value": "u1"}]]}),
            ErrorKind::InvalidValue,
        ),
        (
            json!({"op": "remove", "path": "members[colour eq \"red\"]"}),
            ErrorKind::InvalidFilter,
        ),
    ];
    for (operation, kind) in table {
        let result = steps(schemas.group(), operations(&json!([operation])));
        assert_eq!(result.expect_err(&operation.to_string()).kind, kind, "{operation}");
    }
    let immutable = steps(
        schemas.group(),
        operations(&json!([{"op": "replace", "path": "members[value eq \"u1\"].type", "value": "User"}])),
    );
    assert_eq!(
        member_target(&immutable.unwrap()[0]).unwrap_err().kind,
        ErrorKind::Mutability
    );
    // Nothing else is kept of a member: such a filter would find nobody, and be answered as if it had.
    for (path, refused_by_table) in [
        ("members[display eq \"Odile\"]", true),
        ("members[$ref eq \"https://gw.example/Users/u1\"]", true),
        ("members[value eq \"u1\" and type pr]", false),
        ("members[not (type eq \"Group\")]", false),
    ] {
        let steps = steps(schemas.group(), operations(&json!([{"op": "remove", "path": path}])));
        assert_eq!(
            steps.as_ref().map_err(|error| error.kind).err(),
            refused_by_table.then_some(ErrorKind::InvalidFilter),
            "{path}"
        );
        for step in steps.unwrap_or_default() {
            assert!(matches!(member_target(&step), Ok(MemberTarget::Matching(_))), "{path}");
        }
    }
}

#[test]
fn r16_roles_q03_q04() {
    let packed = json!({"id": "r1", "value": "auditor", "displayName": "Auditor"}).to_string();
    check([
        (
            "a JSON document in a text",
            json!({}),
            json!([{"op": "Add", "path": "roles", "value": [{"value": packed}]}]),
            json!({"roles": [{"value": "auditor", "display": "Auditor"}]}),
        ),
        (
            "displayName for display",
            json!({}),
            json!([{"op": "Add", "path": "roles", "value": [{"value": "auditor", "displayName": "Auditor", "primary": "False"}]}]),
            json!({"roles": [{"value": "auditor", "display": "Auditor", "primary": false}]}),
        ),
        (
            "by a text that means true",
            json!({}),
            json!([
                {"op": "Add", "path": "roles[primary eq \"True\"].display", "value": "Auditor"},
                {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "auditor"},
                {"op": "Add", "path": "roles[primary eq \"True\"].type", "value": "WindowsAzureActiveDirectoryRole"},
            ]),
            json!({"roles": [{"primary": true, "display": "Auditor", "value": "auditor", "type": "WindowsAzureActiveDirectoryRole"}]}),
        ),
        (
            "assertive: all are replaced",
            json!({"roles": [{"value": "auditor"}, {"value": "gone"}]}),
            json!([{"op": "replace", "path": "roles", "value": [{"value": "auditor"}, {"value": "operator"}]}]),
            json!({"roles": [{"value": "auditor"}, {"value": "operator"}]}),
        ),
    ]);
}

#[test]
fn q01_ops_in_any_case_and_no_others() {
    for op in ["add", "Add", "ADD", "Replace", "rEMOVE"] {
        assert!(op.parse::<Op>().is_ok(), "{op}");
    }
    for body in [
        json!({"Operations": [{"op": "move", "path": "title", "value": "x"}]}),
        json!({"Operations": [{"path": "title", "value": "x"}]}),
        json!({"Operations": {"op": "add"}}),
        json!({"Operations": ["add"]}),
        json!({"Operations": [{"op": "add", "path": 7, "value": "x"}]}),
        json!({}),
        json!([]),
        json!(null),
    ] {
        assert_eq!(
            PatchRequest::from_json(body.clone()).expect_err(&body.to_string()).kind,
            ErrorKind::InvalidSyntax
        );
    }
    let many = vec![json!({"op": "remove", "path": "title"}); MAX_OPERATIONS + 1];
    assert!(PatchRequest::from_json(json!({"Operations": many})).is_err());
    assert!(PatchRequest::from_json(json!({"schemas": [], "operations": [], "id": "stray"})).is_ok());
}

#[test]
fn q05_q06_q07_filtered_values() {
    let emails =
        json!({"emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "b@x"}]});
    check([
        (
            "Q05 creates",
            json!({}),
            json!([{"op": "Replace", "path": "emails[type eq \"work\" and primary eq \"True\"].value", "value": "a@x"}]),
            json!({"emails": [{"type": "work", "primary": true, "value": "a@x"}]}),
        ),
        (
            "Q06 extends the same",
            json!({}),
            json!([
                {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Laval"},
                {"op": "Add", "path": "addresses[type eq \"work\"].region", "value": "QC"},
                {"op": "Add", "path": "addresses[type eq \"other\"].region", "value": "ON"},
            ]),
            json!({"addresses": [{"type": "work", "locality": "Laval", "region": "QC"}, {"type": "other", "region": "ON"}]}),
        ),
        (
            "Q06 begins with a label",
            json!({}),
            json!([
                {"op": "Add", "path": "emails[type eq \"work\"].primary", "value": "True"},
                {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@x"},
            ]),
            json!({"emails": [{"type": "work", "primary": true, "value": "a@x"}]}),
        ),
        (
            "Q07 leaves siblings",
            emails.clone(),
            json!([{"op": "Replace", "path": "emails[type eq \"HOME\"].value", "value": "c@x"}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "c@x"}]}),
        ),
        (
            "a label alone",
            emails.clone(),
            json!([{"op": "add", "path": "emails[type eq \"home\"]", "value": {"primary": true}}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": false}, {"type": "home", "value": "b@x", "primary": true}]}),
        ),
        (
            "remove one",
            emails.clone(),
            json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
            json!({"emails": [{"type": "home", "value": "b@x"}]}),
        ),
        (
            "remove a part; what is left says nothing",
            emails.clone(),
            json!([{"op": "remove", "path": "emails[type eq \"work\"].value"}]),
            json!({"emails": [{"type": "home", "value": "b@x"}]}),
        ),
        (
            "remove a part of all",
            emails.clone(),
            json!([{"op": "remove", "path": "emails.type"}]),
            json!({"emails": [{"value": "a@x", "primary": true}, {"value": "b@x"}]}),
        ),
        (
            "a part of all",
            emails.clone(),
            json!([{"op": "replace", "path": "emails.display", "value": "D"}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": true, "display": "D"}, {"type": "home", "value": "b@x", "display": "D"}]}),
        ),
        (
            "remove where nothing matches",
            emails.clone(),
            json!([{"op": "remove", "path": "emails[type eq \"other\"]"}]),
            emails.clone(),
        ),
    ]);
    // A filter that cannot say what a new value would be has no target.
    for path in [
        "emails[type ne \"work\" and type ne \"home\"].value",
        "emails[type eq \"a\" and type eq \"b\"].value",
        "emails[type eq \"\"].value",
        "emails[not (type pr)].value",
    ] {
        let error = refused(
            &user(emails.clone()),
            &json!([{"op": "add", "path": path, "value": "x@x"}]),
        );
        assert_eq!(error.kind, ErrorKind::NoTarget, "{path}");
    }
}

#[test]
fn q10_q11_names_in_any_case_and_with_their_urn() {
    for path in [
        "TITLE",
        "urn:ietf:params:scim:schemas:core:2.0:User:title",
        "URN:IETF:PARAMS:SCIM:SCHEMAS:CORE:2.0:USER:Title",
    ] {
        check([
            (
                "path",
                json!({}),
                json!([{"op": "add", "path": path, "value": "x"}]),
                json!({"title": "x"}),
            ),
            (
                "key",
                json!({}),
                json!([{"op": "add", "value": {path: "x"}}]),
                json!({"title": "x"}),
            ),
        ]);
    }
    check([
        (
            "core URN as key",
            json!({}),
            json!([{"op": "add", "value": {URN_USER: {"title": "x"}}}]),
            json!({"title": "x"}),
        ),
        (
            "core URN as path",
            json!({}),
            json!([{"op": "add", "path": URN_USER, "value": {"title": "x"}}]),
            json!({"title": "x"}),
        ),
    ]);
}

#[test]
fn q16_nothing_replaces_by_removing() {
    let before =
        json!({"title": "x", "name": {"givenName": "Odile", "familyName": "Roy"}, "emails": [{"value": "a@x"}]});
    for nothing in [json!(""), json!(null), json!([])] {
        check([
            (
                "path",
                before.clone(),
                json!([{"op": "Replace", "path": "title", "value": nothing}, {"op": "replace", "path": "emails", "value": nothing}]),
                json!({"name": {"givenName": "Odile", "familyName": "Roy"}}),
            ),
            (
                "merged",
                before.clone(),
                json!([{"op": "replace", "value": {"title": nothing, "name.givenName": nothing, "emails": nothing}}]),
                json!({"name": {"familyName": "Roy"}}),
            ),
            (
                "a whole complex value",
                before.clone(),
                json!([{"op": "Replace", "path": "name", "value": nothing}]),
                json!({"title": "x", "emails": [{"value": "a@x"}]}),
            ),
            (
                "inside a complex value: the other parts stay",
                before.clone(),
                json!([{"op": "replace", "value": {"name": {"givenName": nothing}}}]),
                json!({"title": "x", "name": {"familyName": "Roy"}, "emails": [{"value": "a@x"}]}),
            ),
            (
                "beside a part that is set",
                before.clone(),
                json!([{"op": "replace", "path": "name", "value": {"givenName": nothing, "familyName": "Marchetti"}}]),
                json!({"title": "x", "name": {"familyName": "Marchetti"}, "emails": [{"value": "a@x"}]}),
            ),
        ]);
    }
    check([(
        "an empty object names no part",
        before.clone(),
        json!([{"op": "replace", "path": "name", "value": {}}, {"op": "replace", "path": ENTERPRISE, "value": {}}]),
        before,
    )]);
    for attribute in ["userName", "USERNAME"] {
        for operation in [
            json!({"op": "Remove", "path": attribute}),
            json!({"op": "Replace", "path": attribute, "value": ""}),
            json!({"op": "Replace", "path": attribute, "value": "  "}),
            json!({"op": "Replace", "value": {attribute: null}}),
        ] {
            let error = refused(&user(json!({})), &json!([operation]));
            assert_eq!(error.kind, ErrorKind::InvalidValue);
            assert!(error.detail.contains("userName"), "{}", error.detail);
        }
    }
}

#[test]
fn q17_to_q20_q41() {
    let emails = json!({"emails": [{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x"}], "title": "x"});
    check([
        (
            "Q17 by value",
            emails.clone(),
            json!([{"op": "Remove", "path": "emails", "value": [{"value": "a@x"}]}]),
            json!({"emails": [{"type": "home", "value": "b@x"}], "title": "x"}),
        ),
        (
            "Q17 by part",
            emails.clone(),
            json!([{"op": "Remove", "path": "emails.value", "value": "a@x"}]),
            json!({"emails": [{"type": "home", "value": "b@x"}], "title": "x"}),
        ),
        (
            "Q17 of what is not there",
            emails.clone(),
            json!([{"op": "Remove", "path": "emails", "value": [{"value": "c@x"}]}]),
            emails.clone(),
        ),
        (
            "Q17 of nothing",
            emails.clone(),
            json!([{"op": "Remove", "path": "emails", "value": []}]),
            emails.clone(),
        ),
        (
            "Q18",
            emails.clone(),
            json!([{"op": "Remove", "path": "nickName"}, {"op": "Remove", "path": "ims"}]),
            emails.clone(),
        ),
        (
            "Q19 Q41",
            emails.clone(),
            json!([{"op": "Add", "path": "title", "value": "y"}, {"op": "Add", "path": "emails", "value": null}]),
            {
                let mut after = emails.clone();
                after["title"] = json!("y");
                after
            },
        ),
        (
            "Q20",
            emails.clone(),
            json!([{"op": "Add", "path": "emails", "value": [{"value": "a@x", "type": "work"}, {"value": "b@x"}]}]),
            emails.clone(),
        ),
        ("Q21", emails.clone(), json!([]), emails),
    ]);
}

#[test]
fn q23_q24_what_is_ignored_and_what_is_not() {
    let before = user(json!({"title": "x"}));
    let body = json!({
        "id": "other", "meta": {"version": "9"}, "schemas": ["urn:other"], "groups": [{"value": "g1"}], "password": "secret",
        "shoeSize": 44, "urn:example:none:2.0:User": {"a": 1}, "urn:example:none:2.0:User:a": 1, "a key, as it seems": 1,
        format!("{ENTERPRISE}:manager.displayName"): "of another", ENTERPRISE: {"shoeSize": 44},
    });
    for op in ["add", "replace"] {
        assert_eq!(patched(&before, &json!([{"op": op, "value": body}])).unwrap(), before);
    }
    for path in [
        "password",
        "schemas",
        "urn:example:none:2.0:User:a",
        "urn:example:none:2.0:User",
        "shoeSize",
        "shoeSize[value eq \"x\"]",
        "name.nick",
        "title.short",
        "manager.displayName",
        "emails[type eq \"work\"].colour",
        "urn:ietf:params:scim:schemas:core:2.0:User:shoeSize",
        &format!("{ENTERPRISE}:shoeSize"),
    ] {
        for op in ["add", "replace", "remove"] {
            assert_eq!(
                patched(&before, &json!([{"op": op, "path": path, "value": "x"}])).unwrap(),
                before,
                "{op} {path}"
            );
        }
    }
    let table = [
        ("id", ErrorKind::Mutability),
        ("meta.created", ErrorKind::Mutability),
        ("groups", ErrorKind::Mutability),
        ("emails[type eq \"work\"", ErrorKind::InvalidPath),
        ("title[value eq \"x\"]", ErrorKind::InvalidPath),
        ("title[value eq \"x\"].colour", ErrorKind::InvalidPath),
        ("emails[colour eq \"red\"].value", ErrorKind::InvalidFilter),
        ("emails[colour eq \"red\"].hue", ErrorKind::InvalidFilter),
        // The schema of another type: a group's operation at a user's endpoint.
        (
            "urn:ietf:params:scim:schemas:core:2.0:Group:displayName",
            ErrorKind::InvalidPath,
        ),
        (URN_GROUP, ErrorKind::InvalidPath),
    ];
    for (path, kind) in table {
        let error = refused(&before, &json!([{"op": "replace", "path": path, "value": "x"}]));
        assert_eq!(error.kind, kind, "{path}");
        assert!(error.detail.starts_with("operation 1: "), "{}", error.detail);
    }
    // So in the keys of a value; and a key that cannot be read, but was meant for us, is not passed over.
    for key in [
        "urn:ietf:params:scim:schemas:core:2.0:Group:displayName",
        URN_GROUP,
        "emails[type eq \"work\".value",
        "name..familyName",
        "title x",
    ] {
        let error = refused(
            &before,
            &json!([{"op": "replace", "value": {"displayName": "y", key: "x"}}]),
        );
        assert_eq!(error.kind, ErrorKind::InvalidPath, "{key}");
    }
    let enterprise = json!([{"op": "replace", "path": format!("{ENTERPRISE}:department"), "value": "x"}]);
    let group = json!({"schemas": [URN_GROUP], "displayName": "Rack Operators"});
    let error = patched_as(Schemas::builtin().group(), &group, &enterprise).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidPath);
}

#[test]
fn q20_values_are_compared_as_their_attribute_is() {
    let before =
        json!({"emails": [{"value": "a@x", "type": "work", "display": "A"}], "x509Certificates": [{"value": "QUJD"}]});
    let mut both = before.clone();
    both["x509Certificates"] = json!([{"value": "QUJD"}, {"value": "qujd"}]);
    check([
        (
            "the same in another case",
            before.clone(),
            json!([{"op": "add", "path": "emails", "value": [{"value": "A@X", "type": "Work"}, {"value": "A@X"}]}]),
            before.clone(),
        ),
        (
            "case exact",
            before.clone(),
            json!([{"op": "add", "path": "x509Certificates", "value": [{"value": "qujd"}]}]),
            both,
        ),
        (
            "removed in another case",
            before.clone(),
            json!([{"op": "remove", "path": "emails", "value": [{"value": "A@X"}]}]),
            json!({"x509Certificates": [{"value": "QUJD"}]}),
        ),
        (
            "not removed where case counts",
            before.clone(),
            json!([{"op": "remove", "path": "x509Certificates", "value": [{"value": "qujd"}]}]),
            before,
        ),
    ]);
}

#[test]
fn r16_role_by_its_urn() {
    let path = "urn:ietf:params:scim:schemas:core:2.0:User:role";
    check([(
        "role",
        json!({}),
        json!([{"op": "Add", "path": path, "value": "auditor"}]),
        json!({"roles": [{"value": "auditor"}]}),
    )]);
}

#[test]
fn whole_extensions() {
    let before = json!({ENTERPRISE: {"department": "Halls", "manager": {"value": "m1"}}, "title": "x"});
    let gone = json!({"title": "x"});
    check([
        (
            "merge",
            before.clone(),
            json!([{"op": "replace", "path": ENTERPRISE, "value": {"division": "D"}}]),
            {
                let mut after = before.clone();
                after[ENTERPRISE]["division"] = json!("D");
                after
            },
        ),
        (
            "remove",
            before.clone(),
            json!([{"op": "remove", "path": ENTERPRISE}]),
            gone.clone(),
        ),
        (
            "null",
            before.clone(),
            json!([{"op": "replace", "value": {ENTERPRISE: null}}]),
            gone.clone(),
        ),
        (
            "empty text",
            before.clone(),
            json!([{"op": "replace", "path": ENTERPRISE, "value": ""}]),
            gone,
        ),
    ]);
    // What makes no sense must not wipe the extension.
    for value in [json!("junk"), json!(7), json!([1])] {
        let error = refused(
            &user(before.clone()),
            &json!([{"op": "replace", "path": ENTERPRISE, "value": value}]),
        );
        assert_eq!(error.kind, ErrorKind::InvalidValue, "{value}");
    }
}

#[test]
fn q27_the_newest_primary_wins() {
    let before = json!({"emails": [{"type": "work", "value": "a@x", "primary": true}]});
    let after = json!({"emails": [{"type": "work", "value": "a@x", "primary": false}, {"type": "home", "value": "b@x", "primary": true}]});
    check([
        (
            "added",
            before.clone(),
            json!([{"op": "add", "path": "emails", "value": [{"type": "home", "value": "b@x", "primary": true}]}]),
            after.clone(),
        ),
        (
            "by filter",
            json!({"emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "b@x"}]}),
            json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": "True"}]),
            after,
        ),
        (
            "the older one again",
            json!({"emails": [{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x", "primary": true}]}),
            json!([{"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@x", "primary": true}]}]),
            json!({"emails": [{"type": "work", "value": "a@x", "primary": true}, {"type": "home", "value": "b@x", "primary": false}]}),
        ),
    ]);
}

#[test]
fn q38_q39_values_out_of_type_or_bounds() {
    check([(
        "Q38",
        json!({}),
        json!([{"op": "add", "path": "employeeNumber", "value": 417}]),
        json!({ENTERPRISE: {"employeeNumber": "417"}}),
    )]);
    let long = "x".repeat(70_000);
    for (path, value) in [
        ("title", json!(long)),
        ("title", json!({"a": 1})),
        ("title", json!(["a", "b"])),
        ("title", json!("a\u{0}b")),
        ("active", json!("perhaps")),
        ("active", json!(1)),
        ("name", json!("Odile")),
        ("emails", json!([["a@x"]])),
        ("emails[type eq \"work\"].value", json!({"a": 1})),
        ("manager", json!([{"value": "a"}, {"value": "b"}])),
    ] {
        let error = refused(
            &user(json!({})),
            &json!([{"op": "replace", "path": path, "value": value}]),
        );
        assert_eq!(error.kind, ErrorKind::InvalidValue, "{path}");
        let name = path.split('[').next().unwrap();
        assert!(error.detail.contains(name), "{path}: {}", error.detail);
    }
    for operation in [
        json!({"op": "add", "path": "title"}),
        json!({"op": "Replace", "path": "emails[type eq \"work\"].value"}),
    ] {
        assert_eq!(
            refused(&user(json!({})), &json!([operation])).kind,
            ErrorKind::InvalidValue
        );
    }
    assert_eq!(
        refused(&user(json!({})), &json!([{"op": "remove"}])).kind,
        ErrorKind::NoTarget
    );
    // A filter's own texts are held to the same bounds when they become values.
    let path = format!("emails[value eq \"{}\"].type", "x".repeat(10_000));
    assert_eq!(
        refused(&user(json!({})), &json!([{"op": "add", "path": path, "value": "work"}])).kind,
        ErrorKind::NoTarget
    );
}

#[test]
fn q40_all_or_nothing_and_in_order() {
    let before = user(json!({"title": "x"}));
    let error = refused(
        &before,
        &json!([{"op": "replace", "path": "title", "value": "y"}, {"op": "replace", "path": "active", "value": "perhaps"}]),
    );
    assert!(error.detail.starts_with("operation 2: "), "{}", error.detail);
    check([
        (
            "P2",
            json!({"title": "x"}),
            json!([
                {"op": "remove", "path": "title"}, {"op": "add", "path": "title", "value": "y"}, {"op": "replace", "path": "title", "value": "z"},
            ]),
            json!({"title": "z"}),
        ),
        (
            "P5",
            json!({}),
            json!([
                {"op": "add", "path": "emails", "value": [{"value": "a@x"}]}, {"op": "remove", "path": "emails[value eq \"a@x\"]"},
            ]),
            json!({}),
        ),
    ]);
}

#[test]
fn errors_do_not_repeat_values() {
    let secret = "odile.marchetti@kestrel.example";
    for (path, value) in [
        (format!("title[value eq \"{secret}\"]"), json!("x")),
        (format!("emails[value co \"{secret}\"].type"), json!("x")),
        (format!("emails[value eq \"{secret}\"].primary"), json!("perhaps")),
        (format!("emails[colour eq \"{secret}\"].value"), json!("x")),
        ("active".to_owned(), json!(secret)),
        ("emails".to_owned(), json!([[secret]])),
    ] {
        let error = refused(&user(json!({})), &json!([{"op": "add", "path": path, "value": value}]));
        assert!(!error.detail.contains("odile"), "{path}: {}", error.detail);
    }
}

#[test]
fn a_group_keeps_its_name() {
    let schemas = Schemas::builtin();
    let group = json!({"schemas": [URN_GROUP], "displayName": "Rack Operators"});
    let result = patched_as(
        schemas.group(),
        &group,
        &json!([{"op": "replace", "path": "displayName", "value": null}]),
    );
    assert_eq!(result.unwrap_err().kind, ErrorKind::InvalidValue);
}
