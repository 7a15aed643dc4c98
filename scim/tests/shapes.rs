//! Bodies of POST and PUT in the shapes that clients send (R07, R08, Q02–Q03, Q10, Q11, Q14, Q15, Q23–Q27, Q38, Q39), and
//! the attributes that answers have (Q43).

use scim::{
    ErrorKind, MAX_TEXT_CHARS, MAX_VALUES, Projection, Schemas, URN_ENTERPRISE_USER, URN_GROUP, URN_USER, canonicalize,
};
use serde_json::{Value, json};

const ENTERPRISE: &str = URN_ENTERPRISE_USER;

fn user(body: Value) -> Value {
    let shown = body.to_string();
    canonicalize(Schemas::builtin().user(), body).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

/// The canonical form of a user with these attributes, without what every user has.
fn rest(mut body: Value) -> Value {
    body["userName"] = json!("odile");
    let mut canonical = user(body);
    let map = canonical.as_object_mut().expect("canonical form is an object");
    map.remove("userName");
    map.remove("schemas");
    canonical
}

#[test]
fn r07_a_user_as_entra_creates_it() {
    let body = json!({
        "schemas": [URN_USER, ENTERPRISE],
        "externalId": "omarchetti", "userName": "odile.marchetti@kestrelworks.example", "active": true,
        "displayName": "Odile Marchetti", "title": null, "preferredLanguage": "fr-CA",
        "name": {"formatted": "Odile Marchetti", "givenName": "Odile", "familyName": "Marchetti"},
        "emails": [{"primary": true, "type": "work", "value": "odile@kestrelworks.example"}],
        "phoneNumbers": null, "roles": [],
        ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls", "manager": null},
        "meta": {"resourceType": "User"},
    });
    let expected = json!({
        "schemas": [URN_USER, ENTERPRISE],
        "externalId": "omarchetti", "userName": "odile.marchetti@kestrelworks.example", "active": true,
        "displayName": "Odile Marchetti", "preferredLanguage": "fr-CA",
        "name": {"formatted": "Odile Marchetti", "givenName": "Odile", "familyName": "Marchetti"},
        "emails": [{"primary": true, "type": "work", "value": "odile@kestrelworks.example"}],
        ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls"},
    });
    assert_eq!(user(body), expected);
    assert_eq!(
        user(json!({"schemas": [URN_USER, ENTERPRISE], "userName": "x"}))["schemas"],
        json!([URN_USER])
    );
}

#[test]
fn r08_a_group_as_entra_creates_it() {
    let body = json!({
        "schemas": [URN_GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "6c0f8a52", "displayName": "Rack Operators", "members": [], "meta": {"resourceType": "Group"},
        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group": {},
    });
    let expected = json!({"schemas": [URN_GROUP], "externalId": "6c0f8a52", "displayName": "Rack Operators"});
    assert_eq!(canonicalize(Schemas::builtin().group(), body), Ok(expected));
    let members =
        json!({"displayName": "g", "members": ["u1", {"value": "u2", "$ref": null, "display": "x"}, {"value": "u1"}]});
    let group = canonicalize(Schemas::builtin().group(), members).unwrap();
    assert_eq!(group["members"], json!([{"value": "u1"}, {"value": "u2"}]));
}

#[test]
fn shapes_come_to_one_form() {
    let manager = |value: Value| json!({ENTERPRISE: {"manager": value}});
    let table = [
        ("Q02", json!({"active": "True"}), json!({"active": true})),
        ("Q47", json!({"active": "false"}), json!({"active": false})),
        (
            "Q03",
            json!({"roles": [{"value": "a", "primary": "True"}]}),
            json!({"roles": [{"value": "a", "primary": true}]}),
        ),
        (
            "Q10",
            json!({"DISPLAYNAME": "x", "Emails": [{"VALUE": "a@x"}]}),
            json!({"displayName": "x", "emails": [{"value": "a@x"}]}),
        ),
        (
            "Q11 path",
            json!({"urn:ietf:params:scim:schemas:core:2.0:User:title": "x"}),
            json!({"title": "x"}),
        ),
        ("Q11 object", json!({URN_USER: {"title": "x"}}), json!({"title": "x"})),
        (
            "dotted",
            json!({"name.givenName": "Odile", "name": {"familyName": "Roy"}}),
            json!({"name": {"givenName": "Odile", "familyName": "Roy"}}),
        ),
        (
            "Q09",
            json!({format!("{ENTERPRISE}:department"): "Halls"}),
            json!({ENTERPRISE: {"department": "Halls"}}),
        ),
        ("Q14 text", manager(json!("m1")), manager(json!({"value": "m1"}))),
        (
            "Q14 list",
            manager(json!([{"value": "m1"}])),
            manager(json!({"value": "m1"})),
        ),
        (
            "Q14 bare",
            json!({"manager": {"value": "m1", "displayName": "x"}}),
            manager(json!({"value": "m1"})),
        ),
        ("Q15 text", manager(json!("")), json!({})),
        ("Q15 object", manager(json!({"value": "", "$ref": "x"})), json!({})),
        ("Q15 list", manager(json!([{"value": null}])), json!({})),
        (
            "Q23",
            json!({"id": "x", "meta": {}, "groups": [{"value": "g"}]}),
            json!({}),
        ),
        (
            "Q24",
            json!({"shoeSize": 44, "urn:example:none:2.0:User": {"a": 1}, ENTERPRISE: {"shoeSize": 44}}),
            json!({}),
        ),
        (
            "Q25",
            json!({"title": null, "name": {"givenName": null}, "emails": [null], "addresses": {}}),
            json!({}),
        ),
        (
            "Q25 beside another key",
            json!({"title": "x", "TITLE": null, "Manager": null, ENTERPRISE: {"manager": {"value": "m1"}}, "manager": null}),
            json!({"title": "x", ENTERPRISE: {"manager": {"value": "m1"}}}),
        ),
        (
            "Q26",
            json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0User": {"department": "Halls"}}),
            json!({ENTERPRISE: {"department": "Halls"}}),
        ),
        (
            "Q27",
            json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
            json!({"emails": [{"value": "a", "primary": false}, {"value": "b", "primary": true}]}),
        ),
        (
            "Q38",
            json!({ENTERPRISE: {"employeeNumber": 417}}),
            json!({ENTERPRISE: {"employeeNumber": "417"}}),
        ),
        (
            "R16",
            json!({"roles": ["{\"id\":\"r1\",\"value\":\"auditor\",\"displayName\":\"Auditor\"}"]}),
            json!({"roles": [{"value": "auditor", "display": "Auditor"}]}),
        ),
        (
            "R16 within itself",
            json!({"roles": [json!({"value": json!({"value": "auditor"}).to_string()}).to_string()]}),
            json!({"roles": [{"value": "auditor"}]}),
        ),
        (
            "R16 in any case",
            json!({"roles": [{"Value": "{\"value\":\"auditor\"}"}]}),
            json!({"roles": [{"value": "auditor"}]}),
        ),
        (
            "one for a list",
            json!({"emails": "a@x", "ims": {"value": "b"}}),
            json!({"emails": [{"value": "a@x"}], "ims": [{"value": "b"}]}),
        ),
        (
            "a list for one",
            json!({"title": ["x"], "nickName": [{"value": "y"}]}),
            json!({"title": "x", "nickName": "y"}),
        ),
        (
            "R16 both names",
            json!({"roles": [{"value": "a", "display": "A", "displayName": "B"}, {"value": "b", "DisplayName": "C"}]}),
            json!({"roles": [{"value": "a", "display": "A"}, {"value": "b", "display": "C"}]}),
        ),
        (
            "base64 with and without padding",
            json!({"x509Certificates": ["QUI=", "QUI", "QU\nJD"]}),
            json!({"x509Certificates": [{"value": "QUI="}, {"value": "QUI"}, {"value": "QU\nJD"}]}),
        ),
        (
            "duplicates",
            json!({"emails": [{"value": "a@x"}, "a@x"]}),
            json!({"emails": [{"value": "a@x"}]}),
        ),
        (
            "labels alone",
            json!({"emails": [{"type": "work", "value": ""}]}),
            json!({}),
        ),
        (
            "password",
            json!({"password": "secret", "urn:ietf:params:scim:schemas:core:2.0:User:password": "secret"}),
            json!({}),
        ),
        (
            "byte for byte",
            json!({"phoneNumbers": [{"value": " (514) 555-0117 "}], "title": "ÄÖ\tß"}),
            json!({"phoneNumbers": [{"value": " (514) 555-0117 "}], "title": "ÄÖ\tß"}),
        ),
    ];
    for (name, body, expected) in table {
        assert_eq!(rest(body), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let many: Vec<_> = (0..=MAX_VALUES).map(|n| format!("{n}@x")).collect();
    let table = [
        (json!([]), ErrorKind::InvalidSyntax, "object"),
        (json!({}), ErrorKind::InvalidValue, "userName"),
        (json!({"userName": " "}), ErrorKind::InvalidValue, "userName"),
        (json!({"userName": null}), ErrorKind::InvalidValue, "userName"),
        (json!({"userName": {"a": 1}}), ErrorKind::InvalidValue, "userName"),
        (json!({"userName": ["a", "b"]}), ErrorKind::InvalidValue, "userName"),
        (
            json!({"userName": "x", "active": "perhaps"}),
            ErrorKind::InvalidValue,
            "active",
        ),
        (
            json!({"userName": "x", "name": "Odile"}),
            ErrorKind::InvalidValue,
            "name",
        ),
        (
            json!({"userName": "x", "emails": [[]]}),
            ErrorKind::InvalidValue,
            "emails",
        ),
        (
            json!({"userName": "x", "emails": [{"value": {"a": 1}}]}),
            ErrorKind::InvalidValue,
            "emails.value",
        ),
        (
            json!({"userName": "x", "emails": many}),
            ErrorKind::InvalidValue,
            "emails",
        ),
        (
            json!({"userName": "x", "title": "x".repeat(MAX_TEXT_CHARS + 1)}),
            ErrorKind::InvalidValue,
            "title",
        ),
        (json!({"userName": "x\u{0}"}), ErrorKind::InvalidValue, "userName"),
        (
            json!({"userName": "a", "USERNAME": "b"}),
            ErrorKind::InvalidSyntax,
            "userName",
        ),
        (
            json!({"userName": "a", "title": "b", "urn:ietf:params:scim:schemas:core:2.0:User:title": "c"}),
            ErrorKind::InvalidSyntax,
            "title",
        ),
        (
            json!({"userName": "a", "department": "b", ENTERPRISE: {"Department": "c"}}),
            ErrorKind::InvalidSyntax,
            "department",
        ),
        (
            json!({"userName": "a", "name": {"givenName": "b", "GivenName": "c"}}),
            ErrorKind::InvalidSyntax,
            "name.givenName",
        ),
        (
            serde_json::from_str(r#"{"userName": "x", "employeeNumber": 123456789012345678901234567890}"#).unwrap(),
            ErrorKind::InvalidValue,
            "employeeNumber",
        ),
        (
            json!({"userName": "x", "x509Certificates": [{"value": "no base64!"}]}),
            ErrorKind::InvalidValue,
            "x509Certificates.value",
        ),
        (
            json!({"userName": "x", ENTERPRISE: {"manager": ["a", "b"]}}),
            ErrorKind::InvalidValue,
            "manager",
        ),
    ];
    for (body, kind, named) in table {
        let error = canonicalize(Schemas::builtin().user(), body).unwrap_err();
        assert_eq!(error.kind, kind, "{named}");
        assert!(error.detail.contains(named), "{named}: {}", error.detail);
    }
    let longest = "é".repeat(MAX_TEXT_CHARS);
    assert_eq!(
        rest(json!({"title": longest})),
        json!({"title": longest}),
        "Q39: the limit counts characters"
    );
}

#[test]
fn answers_have_what_was_asked_for() {
    let whole = json!({
        "schemas": [URN_USER, ENTERPRISE], "id": "u1", "userName": "odile", "active": true,
        "name": {"givenName": "Odile", "familyName": "Roy"},
        "emails": [{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x"}],
        ENTERPRISE: {"department": "Halls", "manager": {"value": "m1"}},
        "meta": {"resourceType": "User"},
    });
    let keys = |attributes: Option<&str>, excluded: Option<&str>| {
        let mut resource = whole.clone();
        Projection::parse(attributes, excluded)
            .unwrap()
            .apply(Schemas::builtin().user(), &mut resource);
        resource
    };
    let schemas = json!([URN_USER, ENTERPRISE]);
    assert_eq!(keys(None, None), whole);
    assert_eq!(keys(Some(" "), Some("")), whole);
    assert_eq!(keys(Some("id"), None), json!({"schemas": schemas, "id": "u1"}), "R06");
    assert_eq!(
        keys(
            Some("USERNAME, emails[type eq \"work\"].value ,name.familyName"),
            Some("userName")
        ),
        json!({
            "schemas": schemas, "id": "u1", "userName": "odile", "name": {"familyName": "Roy"},
            "emails": [{"value": "a@x"}, {"value": "b@x"}],
        }),
        "attributes win, a value filter is tolerated",
    );
    let department = format!("{ENTERPRISE}:department");
    for named in [department.as_str(), "department"] {
        assert_eq!(
            keys(Some(named), None),
            json!({"schemas": schemas, "id": "u1", ENTERPRISE: {"department": "Halls"}})
        );
    }
    assert_eq!(keys(Some(ENTERPRISE), None)[ENTERPRISE], whole[ENTERPRISE]);
    let mut without = whole.clone();
    without.as_object_mut().unwrap().remove("userName");
    assert_eq!(
        keys(None, Some("userName,id,schemas,unknown")),
        without,
        "Q43, and what is always returned stays"
    );
    assert_eq!(keys(None, Some("name.givenName"))["name"], json!({"familyName": "Roy"}));
    let group = Schemas::builtin();
    assert!(
        !Projection::parse(None, Some("members"))
            .unwrap()
            .wants(group.group(), "members"),
        "R04"
    );
    assert!(Projection::parse(None, None).unwrap().wants(group.group(), "members"));
    assert!(
        Projection::parse(Some("members.value"), None)
            .unwrap()
            .wants(group.group(), "members")
    );
    assert!(Projection::parse(Some("a b"), None).is_err());
}
