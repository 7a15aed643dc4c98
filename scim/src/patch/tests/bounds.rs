//! What a PATCH may ask for: how much at once, and no contradictions.

use serde_json::{Map, json};

use super::{super::*, ENTERPRISE, check, operations, patched, refused, user};
use crate::{MAX_VALUES, Schemas};

#[test]
fn one_place_is_named_once() {
    let before = user(json!({"title": "x"}));
    for value in [
        json!({"title": "y", "TITLE": "z"}),
        json!({"title": "y", "urn:ietf:params:scim:schemas:core:2.0:User:title": "z"}),
        json!({"department": "y", format!("{ENTERPRISE}:department"): "z"}),
        json!({ENTERPRISE: {"department": "y"}, format!("{ENTERPRISE}:department"): "z"}),
        json!({"name": {"familyName": "y", "FamilyName": "z"}}),
        json!({"name.familyName": "y", "Name.familyName": "z"}),
        json!({"emails": [{"value": "a@x", "VALUE": "b@x"}]}),
    ] {
        let error = refused(&before, &json!([{"op": "replace", "value": value}]));
        assert_eq!(error.kind, ErrorKind::InvalidSyntax, "{value}");
        assert!(error.detail.contains("more than once"), "{}", error.detail);
    }
    let error = refused(
        &before,
        &json!([{"op": "replace", "path": ENTERPRISE, "value": {"division": "y", "DIVISION": "z"}}]),
    );
    assert_eq!(error.kind, ErrorKind::InvalidSyntax);
    for body in [
        json!({"Operations": [], "operations": [{"op": "remove", "path": "title"}]}),
        json!({"Operations": [{"op": "add", "path": "title", "Path": "nickName", "value": "x"}]}),
    ] {
        let error = PatchRequest::from_json(body.clone()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidSyntax, "{body}");
    }
}

#[test]
fn one_place_named_twice_alike_is_no_contradiction() {
    check([(
        "an old sample",
        json!({ENTERPRISE: {"manager": {"value": "m1"}, "department": "Halls"}}),
        json!([{"op": "replace", "value": {"manager": null, ENTERPRISE: {"manager": null}, "Title": "x", "title": "x"}}]),
        json!({ENTERPRISE: {"department": "Halls"}, "title": "x"}),
    )]);
}

#[test]
fn steps_are_as_few_as_operations_and_keep_their_numbers() {
    let schemas = Schemas::builtin();
    let key = |n: usize| format!("emails[type eq \"t{n}\"].value");
    let value: Map<_, _> = (0..11).map(|n| (key(n), json!("a@x"))).collect();
    let list = |count: usize| json!(vec![json!({"op": "add", "value": value}); count]);
    assert!(steps(schemas.user(), operations(&list(900))).is_ok());
    let error = steps(schemas.user(), operations(&list(1_000))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidSyntax);

    // The client's own count, also after the steps were printed and read again.
    let list = json!([
        {"op": "replace", "value": {"title": "a", "nickName": "b", "displayName": "c"}},
        {"op": "remove", "path": "userName"},
        {"op": "add", "path": "emails[type ne \"x\"].value", "value": "a@x"},
    ]);
    let first = steps(schemas.user(), operations(&list)).unwrap();
    let again = steps(schemas.user(), first.iter().map(Step::to_operation)).unwrap();
    assert_eq!(
        again.iter().map(|step| step.operation).collect::<Vec<_>>(),
        [0, 0, 0, 1, 2]
    );
    let error = apply(schemas.user(), user(json!({})), &again).unwrap_err();
    assert!(error.detail.starts_with("operation 3: "), "{}", error.detail);
}

#[test]
fn work_is_bounded_whatever_the_operations() {
    let emails: Vec<_> = (0..MAX_VALUES).map(|n| json!({"value": format!("{n}@x")})).collect();
    let full = user(json!({"emails": emails}));
    let listed = vec![json!("a"); 100];
    // Much is still possible: everything once, and each value by an operation of its own.
    let once = json!([{"op": "remove", "path": "emails", "value": emails}]);
    assert_eq!(patched(&full, &once).unwrap(), user(json!({})));
    let each: Vec<_> = (0..300)
        .map(|n| json!({"op": "remove", "path": format!("emails[value eq \"{n}@x\"]")}))
        .collect();
    assert_eq!(
        patched(&full, &json!(each)).unwrap()["emails"]
            .as_array()
            .unwrap()
            .len(),
        700
    );
    for operation in [
        json!({"op": "remove", "path": "emails", "value": listed}),
        json!({"op": "add", "path": "emails", "value": [{"type": "work"}, {"value": "1@x"}]}),
        json!({"op": "replace", "path": "emails.display", "value": "x".repeat(4_000)}),
        json!({"op": "remove", "path": "emails.display"}),
        json!({"op": "remove", "path": "emails[value co \"a\" or value co \"b\" or value co \"c\"]"}),
    ] {
        let error = patched(&full, &json!(vec![operation.clone(); 1_200])).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooMany, "{operation}");
    }
}

#[test]
fn values_are_counted_across_operations() {
    let some = |from: usize| -> Vec<_> {
        (from..from + MAX_VALUES)
            .map(|n| json!({"value": format!("{n}@x")}))
            .collect()
    };
    let add = |from| json!({"op": "add", "path": "emails", "value": some(from)});
    assert!(patched(&user(json!({})), &json!([add(0), add(0)])).is_ok());
    let error = refused(&user(json!({})), &json!([add(0), add(MAX_VALUES)]));
    assert_eq!(error.kind, ErrorKind::InvalidValue);
    assert!(error.detail.contains("emails"), "{}", error.detail);
}

#[test]
fn members_are_asked_without_json() {
    let schemas = Schemas::builtin();
    let id = "2f0a52e6-58f7-4c5e-a9a1-0d7a6cf5a001";
    for (text, user, group) in [
        ("type eq \"group\"", false, true),
        ("type ne \"Group\"", true, false),
        ("not (type eq Group) and value sw \"2f0a\"", true, false),
        (
            "value eq \"2F0A52E6-58F7-4C5E-A9A1-0D7A6CF5A001\" and type pr",
            true,
            true,
        ),
        ("value eq null or value co \"zzz\"", false, false),
    ] {
        let matcher = MemberMatcher::new(&crate::Filter::parse(text).unwrap(), schemas.group());
        assert_eq!(
            (matcher.matches(id, "User"), matcher.matches(id, "Group")),
            (user, group),
            "{text}"
        );
    }
}
