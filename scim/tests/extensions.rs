//! Declared attributes behave as the built-in ones do, whatever their characteristics and names.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::needless_pass_by_value, reason = "callers write the JSON in place")]

use scim::{
    Declaration, ErrorKind, Filter, PatchRequest, Projection, Schemas, SortBy, URN_ENTERPRISE_USER, URN_USER, apply,
    canonicalize, replace, requested_by_body, requested_by_steps, steps,
};
use serde_json::{Value, json};

const URN: &str = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User";

fn table() -> Schemas {
    let parts = |required: bool| {
        json!([
            {"name": "value"},
            {"name": "serial", "mutability": "immutable"},
            {"name": "seat", "required": required},
            {"name": "floor", "type": "integer"},
            {"name": "type"},
            {"name": "primary", "type": "boolean"},
            {"name": "code", "mutability": "writeOnly"},
            {"name": "label", "returned": "always"},
            {"name": "remark", "returned": "request"},
        ])
    };
    let file = json!([{"id": URN, "attributes": [
        {"name": "badgeTier", "canonicalValues": ["T1", "T2"]},
        {"name": "badgeNumber", "type": "integer", "mutability": "immutable"},
        {"name": "rate", "type": "decimal"},
        {"name": "remote", "type": "boolean"},
        {"name": "contractEnd", "type": "dateTime"},
        {"name": "handbook", "type": "reference", "referenceTypes": ["external"]},
        {"name": "fingerprint", "type": "binary"},
        {"name": "tags", "multiValued": true},
        {"name": "codes", "multiValued": true, "caseExact": true, "mutability": "immutable"},
        {"name": "desk", "type": "complex", "subAttributes": parts(true)},
        {"name": "keys", "type": "complex", "multiValued": true, "subAttributes": parts(false)},
        {"name": "pin", "mutability": "writeOnly"},
        {"name": "score", "returned": "never"},
        {"name": "notes", "returned": "request"},
        {"name": "site", "returned": "always"},
        {"name": "grade", "mutability": "readOnly"},
        // Names that mean something elsewhere.
        {"name": "userName"}, {"name": "id"}, {"name": "schemas"}, {"name": "password"},
        {"name": "members", "multiValued": true}, {"name": "roles", "multiValued": true}, {"name": "manager"},
    ]}]);
    Schemas::with_extensions(Declaration::read(&file.to_string()).unwrap()).unwrap()
}

/// What becomes of the extension in a POST.
fn kept(extension: Value) -> Result<Value, scim::Error> {
    let body = json!({"userName": "odile", URN: extension});
    canonicalize(table().user(), body).map(|mut user| user[URN].take())
}

fn user(extension: Value) -> Value {
    canonicalize(table().user(), json!({"userName": "odile", URN: extension})).unwrap()
}

fn patched(before: Value, operations: Value) -> Result<Value, scim::Error> {
    let request = PatchRequest::from_json(json!({"Operations": operations})).unwrap();
    let schemas = table();
    let steps = steps(schemas.user(), request.operations)?;
    // As they travel to whoever keeps the resource.
    let printed: Vec<_> = steps.iter().map(scim::Step::to_operation).collect();
    let again = scim::steps(schemas.user(), printed)?;
    apply(schemas.user(), user(before), &again).map(|mut user| user[URN].take())
}

fn path(name: &str) -> String {
    format!("{URN}:{name}")
}

#[test]
fn types_are_held_to() {
    let same = |value: Value| (value.clone(), value);
    let table = [
        same(json!({"badgeTier": "T9"})),
        (json!({"BADGETIER": 7}), json!({"badgeTier": "7"})),
        (
            json!({"badgeNumber": "417", "rate": "1.5"}),
            json!({"badgeNumber": 417, "rate": 1.5}),
        ),
        (json!({"badgeNumber": 7.0}), json!({"badgeNumber": 7})),
        same(json!({"badgeNumber": i64::MIN, "rate": 2})),
        (json!({"remote": "True"}), json!({"remote": true})),
        same(json!({"contractEnd": "2027-03-01T00:00:00+01:00"})),
        same(json!({"fingerprint": "AQID"})),
        same(json!({"fingerprint": "/+8="})),
        same(json!({"tags": ["a", "B"]})),
        (json!({"tags": "a"}), json!({"tags": ["a"]})),
        (json!({"tags": [{"value": "a"}, "a", null, ""]}), json!({"tags": ["a"]})),
        (
            json!({"desk": {"SEAT": "4b", "floor": "3", "x": 1}}),
            json!({"desk": {"seat": "4b", "floor": 3}}),
        ),
        (
            json!({"keys": [{"value": "k1", "primary": "true"}, {"type": "x"}]}),
            json!({"keys": [{"value": "k1", "primary": true}]}),
        ),
        (json!({"grade": "A", "badgeTier": ""}), Value::Null),
        same(
            json!({"userName": "x", "id": "y", "schemas": "z", "password": "w", "members": ["m"], "roles": ["{\"value\":\"r\"}"], "manager": "m"}),
        ),
    ];
    for (given, expected) in table {
        assert_eq!(kept(given.clone()).unwrap(), expected, "{given}");
    }
    for (given, named) in [
        (json!({"badgeNumber": 1.5}), "badgeNumber` takes a whole number"),
        (json!({"badgeNumber": "1.5"}), "badgeNumber` takes a whole number"),
        (json!({"badgeNumber": 1e300}), "badgeNumber` takes a whole number"),
        (json!({"badgeNumber": true}), "badgeNumber` takes a number"),
        (json!({"rate": "much"}), "rate` takes a number"),
        (json!({"remote": "perhaps"}), "remote` takes true or false"),
        (json!({"contractEnd": 0}), "contractEnd` takes a date"),
        (json!({"contractEnd": "2027-03-01"}), "contractEnd` takes a date"),
        (json!({"fingerprint": "not base64!"}), "fingerprint` takes bytes"),
        (json!({"fingerprint": "A"}), "fingerprint` takes bytes"),
        (json!({"fingerprint": "AA="}), "fingerprint` takes bytes"),
        (json!({"badgeTier": ["a", "b"]}), "badgeTier` takes one value"),
        (json!({"desk": "4b"}), "desk.seat` is required"),
        (json!({"desk": {"floor": 3}}), "desk.seat` is required"),
        (json!({"members": vec!["m"; 1001]}), "members` has 1001 values"),
    ] {
        let error = kept(given.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidValue, "{given}");
        assert!(
            error.detail.contains(named) && error.detail.contains(URN),
            "{given}: {error}"
        );
    }
}

#[test]
fn keys_of_a_body_may_be_urn_paths() {
    let body = json!({
        "schemas": [URN_USER], "userName": "odile", "badgeTier": "T1", path("tags"): ["a"], path("desk.seat"): "4b",
        "manager": "m1", "password": "secret",
    });
    let user = canonicalize(table().user(), body).unwrap();
    assert_eq!(
        user,
        json!({
            "schemas": [URN_USER, URN_ENTERPRISE_USER, URN], "userName": "odile",
            URN: {"badgeTier": "T1", "tags": ["a"], "desk": {"seat": "4b"}},
            URN_ENTERPRISE_USER: {"manager": {"value": "m1"}},
        }),
        "R07, R13: a bare manager is the enterprise extension's, a bare password nobody's"
    );
}

#[test]
fn patches_reach_declared_attributes_in_both_dialects() {
    let table = [
        // R09
        (
            json!({}),
            json!([{"op": "Add", "path": path("badgeTier"), "value": "T2"}]),
            json!({"badgeTier": "T2"}),
        ),
        (
            json!({}),
            json!([{"op": "Replace", "path": path("remote"), "value": "False"}]),
            json!({"remote": false}),
        ),
        (
            json!({"remote": true}),
            json!([{"op": "Remove", "path": path("remote")}]),
            Value::Null,
        ),
        // R10
        (
            json!({"rate": 2}),
            json!([{"op": "replace", "value": {path("badgeTier"): "T2", path("desk.seat"): "4b", URN: {"badgeNumber": "7"}}}]),
            json!({"rate": 2, "badgeTier": "T2", "desk": {"seat": "4b"}, "badgeNumber": 7}),
        ),
        (
            json!({}),
            json!([{"op": "add", "path": URN, "value": {"tags": ["a"]}}]),
            json!({"tags": ["a"]}),
        ),
        (
            json!({"tags": ["a"], "rate": 1}),
            json!([{"op": "remove", "path": URN}]),
            Value::Null,
        ),
        // Simple values, several of them.
        (
            json!({"tags": ["a"]}),
            json!([{"op": "add", "path": path("tags"), "value": ["b", "a"]}]),
            json!({"tags": ["a", "b"]}),
        ),
        (
            json!({"tags": ["a", "b"]}),
            json!([{"op": "remove", "path": path("tags"), "value": ["a"]}]),
            json!({"tags": ["b"]}),
        ),
        (
            json!({"tags": ["a", "b"]}),
            json!([{"op": "remove", "path": path("tags[value eq \"A\"]")}]),
            json!({"tags": ["b"]}),
        ),
        (
            json!({"tags": ["a", "b"]}),
            json!([{"op": "replace", "path": path("tags[value eq \"a\"]"), "value": "c"}]),
            json!({"tags": ["c", "b"]}),
        ),
        (
            json!({"tags": ["b"]}),
            json!([{"op": "add", "path": path("tags[value eq \"a\"]"), "value": "a"}]),
            json!({"tags": ["b", "a"]}),
        ),
        // Complex ones.
        (
            json!({"keys": [{"type": "main", "value": "k1"}]}),
            json!([{"op": "Replace", "path": path("keys[type eq \"main\"].value"), "value": "k2"}]),
            json!({"keys": [{"type": "main", "value": "k2"}]}),
        ),
        (
            json!({}),
            json!([{"op": "Add", "path": path("keys[type eq \"spare\"].floor"), "value": "2"}]),
            json!({"keys": [{"type": "spare", "floor": 2}]}),
        ),
        // Names that mean something elsewhere.
        (
            json!({"members": ["a"]}),
            json!([{"op": "add", "path": path("members"), "value": ["b"]}, {"op": "add", "path": path("schemas"), "value": "s"}]),
            json!({"members": ["a", "b"], "schemas": "s"}),
        ),
        (
            json!({}),
            json!([{"op": "add", "path": path("password"), "value": "p"}, {"op": "add", "path": "password", "value": "q"}]),
            json!({"password": "p"}),
        ),
    ];
    for (before, operations, after) in table {
        assert_eq!(patched(before, operations.clone()).unwrap(), after, "{operations}");
    }
    for (operations, kind) in [
        (
            json!([{"op": "add", "path": path("grade"), "value": "A"}]),
            ErrorKind::Mutability,
        ),
        (
            json!([{"op": "add", "path": path("badgeTier[value eq \"a\"]"), "value": "A"}]),
            ErrorKind::InvalidPath,
        ),
        (
            json!([{"op": "add", "path": path("tags[display eq \"a\"]"), "value": "A"}]),
            ErrorKind::InvalidFilter,
        ),
        (
            json!([{"op": "add", "path": path("desk.floor"), "value": 3}]),
            ErrorKind::InvalidValue,
        ),
    ] {
        assert_eq!(
            patched(json!({}), operations.clone()).unwrap_err().kind,
            kind,
            "{operations}"
        );
    }
}

#[test]
fn what_is_immutable_is_set_once() {
    let before = json!({
        "badgeNumber": 7, "codes": ["a", "b"], "desk": {"seat": "4b", "serial": "s1"}, "keys": [{"value": "k1", "serial": "s1"}],
    });
    let add = |name: &str, value: Value| json!([{"op": "add", "path": path(name), "value": value}]);
    let fine = [
        add("badgeNumber", json!(7)),
        add("codes", json!(["b"])),
        add("desk.serial", json!("s1")),
        add("desk.seat", json!("5a")),
        add("keys[value eq \"k1\"].floor", json!(3)),
        add("keys", json!([{"value": "k2", "serial": "s2"}])),
        json!([{"op": "remove", "path": path("keys[value eq \"k1\"]")}]),
        json!([{"op": "remove", "path": path("desk")}]),
        json!([{"op": "remove", "path": path("badgeNumber")}, {"op": "add", "path": path("badgeNumber"), "value": 7}]),
    ];
    for operations in fine {
        patched(before.clone(), operations.clone()).unwrap_or_else(|error| panic!("{operations}: {error}"));
    }
    let refused = [
        add("badgeNumber", json!(8)),
        json!([{"op": "remove", "path": path("badgeNumber")}]),
        json!([{"op": "replace", "path": URN, "value": null}]),
        add("codes", json!(["c"])),
        json!([{"op": "replace", "path": path("codes"), "value": ["a"]}]),
        add("desk.serial", json!("s2")),
        json!([{"op": "remove", "path": path("desk.serial")}]),
        add("keys[value eq \"k1\"].serial", json!("s2")),
        json!([{"op": "remove", "path": path("keys[value eq \"k1\"].serial")}]),
        json!([{"op": "replace", "path": path("keys[value eq \"k1\"]"), "value": {"value": "k1", "serial": "s2"}}]),
        json!([{"op": "replace", "path": path("keys.serial"), "value": "s2"}]),
        json!([{"op": "replace", "path": path("keys"), "value": [{"value": "k1", "serial": "s2"}]}]),
    ];
    for operations in refused {
        let error = patched(before.clone(), operations.clone()).expect_err(&operations.to_string());
        assert_eq!(error.kind, ErrorKind::Mutability, "{operations}: {error}");
    }
    for (name, value) in [("badgeNumber", json!(7)), ("desk.serial", json!("s"))] {
        patched(json!({"desk": {"seat": "4b"}}), add(name, value)).unwrap();
    }
}

#[test]
fn a_put_clears_what_it_leaves_out_but_for_what_nobody_can_say_again() {
    let present = user(json!({
        "badgeTier": "T1", "badgeNumber": 7, "pin": "1234", "score": "9", "tags": ["a"],
        "desk": {"seat": "4b", "floor": 3, "serial": "s1", "code": "c"}, "keys": [{"value": "k1", "serial": "s1"}],
    }));
    let put = |extension: Value| {
        let body = canonicalize(table().user(), json!({"userName": "odile", URN: extension}))?;
        replace(table().user(), &present, body)
    };
    let always = json!({"badgeNumber": 7, "pin": "1234", "score": "9"});
    assert_eq!(put(json!({})).unwrap()[URN], always);
    let with_desk = put(json!({"desk": {"seat": "5a"}, "pin": "9999"})).unwrap();
    assert_eq!(
        with_desk[URN],
        json!({"badgeNumber": 7, "pin": "9999", "score": "9", "desk": {"seat": "5a", "serial": "s1", "code": "c"}})
    );
    assert_eq!(with_desk["schemas"], json!([URN_USER, URN]));
    put(json!({"badgeNumber": "7"})).unwrap();
    for other in [
        json!({"badgeNumber": 8}),
        json!({"desk": {"seat": "4b", "serial": "s2"}}),
        json!({"keys": [{"value": "k1", "serial": "s2"}]}),
    ] {
        assert_eq!(put(other.clone()).unwrap_err().kind, ErrorKind::Mutability, "{other}");
    }
    // An extension that the table does not know any more waits for its return.
    let body = canonicalize(Schemas::builtin().user(), json!({"userName": "odile"})).unwrap();
    let put = replace(Schemas::builtin().user(), &present, body).unwrap();
    assert_eq!((&put[URN], &put["schemas"]), (&present[URN], &json!([URN_USER])));
}

#[test]
fn a_required_extension_and_a_new_requirement() {
    let file = json!([
        {"id": URN, "attributes": [{"name": "badgeTier", "required": true}, {"name": "rate"}]},
        {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "name": "User", "schemaExtensions": [{"schema": URN, "required": true}]},
    ]);
    let schemas = Schemas::with_extensions(Declaration::read(&file.to_string()).unwrap()).unwrap();
    let post = |body: Value| canonicalize(schemas.user(), body);
    for (body, named) in [
        (json!({"userName": "odile"}), format!("`{URN}` is required")),
        (
            json!({"userName": "odile", URN: {"rate": "x"}}),
            format!("`{URN}:badgeTier` is required"),
        ),
        (
            json!({"userName": "odile", URN: {"badgeTier": "  "}}),
            format!("`{URN}:badgeTier` is required"),
        ),
    ] {
        let error = post(body).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidValue);
        assert!(error.detail.contains(&named), "{error}");
    }
    let patch = |before: &Value, operations: Value| {
        let request = PatchRequest::from_json(json!({"Operations": operations})).unwrap();
        apply(
            schemas.user(),
            before.clone(),
            &steps(schemas.user(), request.operations)?,
        )
    };
    let complete = post(json!({"userName": "odile", URN: {"badgeTier": "T1"}})).unwrap();
    for path in [URN.to_owned(), path("badgeTier")] {
        assert_eq!(
            patch(&complete, json!([{"op": "remove", "path": path}]))
                .unwrap_err()
                .kind,
            ErrorKind::InvalidValue
        );
    }
    // From before the requirement: whoever leaves can be disabled all the same.
    let old = canonicalize(Schemas::builtin().user(), json!({"userName": "odile", "active": true})).unwrap();
    let left = patch(&old, json!([{"op": "Replace", "path": "active", "value": "False"}])).unwrap();
    assert_eq!(left["active"], false);
    let half = patch(&old, json!([{"op": "add", "path": path("rate"), "value": "x"}]));
    assert_eq!(
        half.unwrap_err().kind,
        ErrorKind::InvalidValue,
        "the extension begins whole"
    );
}

#[test]
fn filters_and_orders_know_declared_attributes() {
    let schemas = table();
    let resource = user(json!({
        "badgeTier": "T2", "badgeNumber": 7, "rate": 1.5, "remote": true, "contractEnd": "2027-03-01T00:00:00Z",
        "tags": ["Night", "Fork"], "codes": ["X"], "desk": {"seat": "4b", "floor": 3}, "keys": [{"value": "k1", "type": "main"}],
        "userName": "other", "id": "7", "members": ["m1"], "manager": "m1", "pin": "1234", "score": "9",
    }));
    let matching = [
        "badgeTier eq \"t2\"",
        "badgeNumber gt 6",
        "badgeNumber eq \"7\"",
        "rate le 1.5",
        "remote eq \"True\"",
        "contractEnd gt \"2027-02-28T22:00:00-01:00\"",
        "contractEnd pr",
        "tags eq \"night\"",
        "tags sw \"fo\"",
        "tags[value eq \"night\"]",
        "tags[value eq \"x\" or value co \"ork\"]",
        "codes eq \"X\"",
        "desk.floor lt 4",
        "desk[seat eq \"4B\" and floor eq 3]",
        "keys[type eq \"main\"].value eq \"k1\"",
        "userName eq \"other\"",
        "id eq \"7\"",
        "members eq \"m1\"",
        "manager eq \"m1\"",
    ];
    for filter in matching {
        let filter = format!("{URN}:{filter}");
        let filter = Filter::parse(&filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        filter.check(schemas.user()).unwrap();
        assert!(filter.matches(schemas.user(), &resource), "{filter}");
        let printed = Filter::parse(&filter.to_string()).unwrap();
        assert_eq!(printed, filter);
    }
    for filter in [
        "codes eq \"x\"",
        "tags eq \"nigh\"",
        "tags[value eq \"night\" and value eq \"fork\"]",
        "remote eq false",
        "keys[type eq \"main\" and value eq \"k2\"]",
    ] {
        let filter = Filter::parse(&format!("{URN}:{filter}")).unwrap();
        filter.check(schemas.user()).unwrap();
        assert!(!filter.matches(schemas.user(), &resource), "{filter}");
    }
    assert!(
        Filter::parse(&format!("{URN} pr"))
            .unwrap()
            .matches(schemas.user(), &resource)
    );
    let refused = [
        "unknown pr",
        "badgeNumber co \"7\"",
        "badgeNumber eq \"x\"",
        "remote gt true",
        "contractEnd eq \"soon\"",
        "fingerprint gt \"AA==\"",
        "badgeTier[value eq \"x\"]",
        "tags[display eq \"x\"]",
        // Nobody finds out by asking what nobody sees.
        "pin eq \"1234\"",
        "score pr",
        "desk.code pr",
        "keys[code eq \"x\"]",
    ];
    for filter in refused {
        let error = Filter::parse(&format!("{URN}:{filter}"))
            .unwrap()
            .check(schemas.user())
            .expect_err(filter);
        assert_eq!(error.kind, ErrorKind::InvalidFilter, "{filter}");
    }
    for by in ["badgeNumber", "contractEnd", "tags", "desk.floor", "id", "members"] {
        let by = SortBy::parse(schemas.user(), &format!("{URN}:{by}")).unwrap();
        assert!(by.key(&resource) < by.key(&user(json!({}))));
        assert!(!by.is_core("members"));
    }
    for by in ["pin", "score", "desk.code"] {
        assert!(SortBy::parse(schemas.user(), &format!("{URN}:{by}")).is_err(), "{by}");
    }
}

#[test]
fn answers_show_what_returned_says() {
    let schemas = table();
    let part = json!({"value": "v", "seat": "4b", "code": "c", "label": "l", "remark": "r"});
    let resource = user(json!({
        "badgeTier": "T1", "pin": "1", "score": "2", "notes": "n", "site": "s", "desk": part, "keys": [part],
    }));
    let shown = |attributes: Option<&str>, excluded: Option<&str>| {
        let mut resource = resource.clone();
        Projection::parse(attributes, excluded)
            .unwrap()
            .apply(schemas.user(), &mut resource);
        resource[URN].take()
    };
    let usual = json!({"value": "v", "seat": "4b", "label": "l"});
    let whole = json!({"badgeTier": "T1", "site": "s", "desk": usual, "keys": [usual]});
    let mut table = vec![
        (None, None, whole.clone()),
        (Some(URN.to_owned()), None, whole.clone()),
        (Some("userName".to_owned()), None, json!({"site": "s"})),
        (Some(path("notes")), None, json!({"site": "s", "notes": "n"})),
        (Some(path("pin")), None, json!({"site": "s"})),
        (Some(path("score")), None, json!({"site": "s"})),
        (Some(path("desk")), None, json!({"site": "s", "desk": usual})),
        (
            Some(path("desk.seat")),
            None,
            json!({"site": "s", "desk": {"seat": "4b", "label": "l"}}),
        ),
        (
            Some(path("desk.remark")),
            None,
            json!({"site": "s", "desk": {"remark": "r", "label": "l"}}),
        ),
        (
            Some(path("keys.code")),
            None,
            json!({"site": "s", "keys": [{"label": "l"}]}),
        ),
        (None, Some(URN.to_owned()), json!({"site": "s"})),
        (None, Some(path("site")), whole.clone()),
        (None, Some(path("notes")), whole),
    ];
    let without = |names: &[&str]| {
        let mut part = usual.clone();
        names
            .iter()
            .for_each(|name| drop(part.as_object_mut().unwrap().remove(*name)));
        part
    };
    table.push((
        None,
        Some(
            [
                path("desk.seat"),
                path("desk.label"),
                path("keys.value"),
                path("badgeTier"),
            ]
            .join(","),
        ),
        json!({"site": "s", "desk": without(&["seat"]), "keys": [without(&["value"])]}),
    ));
    for (attributes, excluded, expected) in table {
        let named = format!("{attributes:?} {excluded:?}");
        assert_eq!(shown(attributes.as_deref(), excluded.as_deref()), expected, "{named}");
    }
    // The answer to a write shows what the write said.
    let written = |said: Value, attributes: Option<&str>, excluded: Option<&str>| {
        let mut projection = Projection::parse(attributes, excluded).unwrap();
        projection.after_write(requested_by_body(schemas.user(), &user(said)));
        let mut resource = resource.clone();
        projection.apply(schemas.user(), &mut resource);
        ["/notes", "/desk/remark", "/keys/0/remark"].map(|at| resource[URN].pointer(at).cloned().unwrap_or_default())
    };
    let said = json!({"notes": "n", "keys": [{"value": "v", "remark": "r"}], "desk": {"seat": "4b"}});
    let (n, r) = (json!("n"), json!("r"));
    let none = Value::Null;
    assert_eq!(written(said.clone(), None, None), [n.clone(), none.clone(), r.clone()]);
    assert_eq!(
        written(json!({}), None, None),
        [none.clone(), none.clone(), none.clone()]
    );
    let excluded = format!("{},{}", path("notes"), path("keys.remark"));
    assert_eq!(
        written(said.clone(), None, Some(&excluded)),
        [none.clone(), none.clone(), none.clone()]
    );
    assert_eq!(
        written(said, Some("userName"), None),
        [none.clone(), none.clone(), none]
    );
    let request = PatchRequest::from_json(json!({"Operations": [
        {"op": "add", "path": path("desk.remark"), "value": "r"},
        {"op": "replace", "value": {path("notes"): "n", path("tags"): ["a"]}},
    ]}));
    let steps = steps(schemas.user(), request.unwrap().operations).unwrap();
    let said: Vec<_> = requested_by_steps(schemas.user(), &steps)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(said, [path("desk.remark"), path("notes")]);
    // What the table does not know any more is not shown, not even by name.
    let mut old = resource.clone();
    Projection::default().apply(Schemas::builtin().user(), &mut old);
    assert_eq!(old, json!({"schemas": [URN_USER], "userName": "odile"}));
}
