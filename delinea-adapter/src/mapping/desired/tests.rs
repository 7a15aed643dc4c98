//! What accounts shall be, by the default table and by others.

use proptest::prelude::*;
use proto::resource::v1::MultiValue;
use serde_json::json;

use super::*;
use crate::{config::tests::platform, mapping::tests::by};

fn value(kind: &str, value: &str, primary: bool) -> MultiValue {
    MultiValue {
        value: Some(value.to_owned()),
        r#type: (!kind.is_empty()).then(|| kind.to_owned()),
        primary: primary.then_some(true),
        ..MultiValue::default()
    }
}

fn named(user_name: &str) -> User {
    User {
        user_name: Some(user_name.to_owned()),
        ..User::default()
    }
}

fn row(value: Value) -> Row {
    match value {
        Value::Object(row) => Row(row),
        _ => unreachable!("an object literal"),
    }
}

#[test]
fn each_attribute_has_its_field() {
    let user = User {
        display_name: Some("Anna".to_owned()),
        emails: vec![value("home", "h@x", true), value("Work", "w@x", false)],
        phone_numbers: vec![
            value("work", "1", false),
            value("mobile", "2", false),
            value("home", "3", false),
        ],
        preferred_language: Some("de-DE".to_owned()),
        active: Some(false),
        ..named("anna@example.com")
    };
    let desired = Desired::of(&user, Some("boss"), &by("[]")).unwrap();
    let expected = json!({
        "Name": "anna@example.com", "DisplayName": "Anna", "Mail": "w@x", "OfficeNumber": "1", "MobileNumber": "2",
        "HomeNumber": "3", "PreferredCulture": "de-DE", "ReportsTo": "boss",
    });
    assert_eq!(Value::Object(desired.to_create()), expected);
    assert_eq!(desired.active, Some(false));
}

#[test]
fn the_login_name_stands_in_for_what_is_missing() {
    let desired = Desired::of(&named("anna@example.com"), None, &by("[]")).unwrap();
    let name = "anna@example.com";
    assert_eq!(
        Value::Object(desired.to_create()),
        json!({"Name": name, "DisplayName": name, "Mail": name})
    );
}

#[test]
fn mail_is_the_work_address_or_the_next_best() {
    let name = "anna@x";
    for (emails, mail_is) in [
        (vec![value("home", "h", true), value("work", "w", false)], "w"),
        (vec![value("work", "w1", false), value("work", "w2", true)], "w2"),
        (vec![value("home", "h", false), value("other", "o", true)], "o"),
        (vec![value("", " ", true), value("home", "h", false)], "h"),
        (vec![], name),
    ] {
        let user = User { emails, ..named(name) };
        let desired = Desired::of(&user, None, &by("[]")).unwrap();
        assert_eq!(desired.to_create()["Mail"], mail_is);
    }
}

#[test]
fn a_tenants_own_table_decides() {
    let mapping = by(r#"[
        {"platform": "DisplayName", "scim": ["name.formatted", "displayName"], "transform": ["upper", {"first": 4}]},
        {"platform": "Mail", "scim": ["emails[type eq \"other\"]"], "clear": "keep"},
        {"platform": "ReportsTo", "off": true},
        {"platform": "Description", "scim": ["urn:x:2.0:User:desk.seat", "title"], "when": "create"},
        {"platform": "UserType", "scim": ["userType"], "constant": "Employee", "transform": [{"map": {"contractor": "Vendor"}}]}
    ]"#);
    let user = User {
        display_name: Some("Anna Berg".to_owned()),
        emails: vec![value("work", "w@x", true)],
        user_type: Some("Contractor".to_owned()),
        extensions: [("urn:x:2.0:User".to_owned(), r#"{"desk": {"seat": 4}}"#.to_owned())].into(),
        ..named("anna@x")
    };
    let desired = Desired::of(&user, Some("boss"), &mapping).unwrap();
    let expected = json!({"Name": "anna@x", "DisplayName": "ANNA", "Description": "4", "UserType": "Vendor"});
    assert_eq!(Value::Object(desired.to_create()), expected);
    assert_eq!(desired.listed().display_name.as_deref(), Some("ANNA"));
    assert_eq!(desired.listed().mail, None, "it may be anything");
    // Mail is kept, Description is nobody's after the creation, and a truth value or a number is read as its text.
    let account = row(json!({"displayname": "ANNA", "Mail": "m@x", "Description": "other", "UserType": "Employee"}));
    let difference = desired.difference(&account, ClearValue::Empty);
    assert_eq!(Value::Object(difference), json!({"UserType": "Vendor"}));
    let plain = Desired::of(&named("anna@x"), None, &mapping).unwrap();
    assert_eq!(plain.to_create()["UserType"], "Employee");
    assert_eq!(plain.listed().display_name.as_deref(), Some(""), "it is cleared");
    let broken = User {
        extensions: [("urn:x:2.0:User".to_owned(), "{".to_owned())].into(),
        ..named("anna@x")
    };
    assert!(Desired::of(&broken, None, &mapping).is_err());
}

#[test]
fn what_depends_on_more_than_the_user_is_not_expected() {
    let mapping = by(r#"[
        {"platform": "DisplayName", "scim": ["displayName"], "when": "create"},
        {"platform": "Mail", "scim": ["$managerAccount"]}
    ]"#);
    let listed = Desired::of(&named("anna@x"), None, &mapping).unwrap().listed();
    assert_eq!((listed.display_name, listed.mail), (None, None));
    let off = by(r#"[{"platform": "Mail", "off": true}]"#);
    assert_eq!(Desired::of(&named("anna@x"), None, &off).unwrap().listed().mail, None);
}

#[test]
fn only_what_differs_is_written() {
    let desired = Desired::of(&named("anna@x"), None, &by("[]")).unwrap();
    let same = row(json!({"DisplayName": "anna@x", "Mail": "anna@x", "ReportsTo": "Unassigned", "HomeNumber": null}));
    assert!(desired.difference(&same, ClearValue::Empty).is_empty());
    let other = row(json!({"DisplayName": "Anna", "Mail": "anna@x", "ReportsTo": "boss"}));
    let empty = desired.difference(&other, ClearValue::Empty);
    assert_eq!(Value::Object(empty), json!({"DisplayName": "anna@x", "ReportsTo": ""}));
    assert_eq!(desired.difference(&other, ClearValue::Null)["ReportsTo"], Value::Null);
}

#[test]
fn a_value_that_is_no_text_there_is_compared_as_one() {
    let mapping = by(r#"[{"platform": "Tier", "scim": ["title"]}, {"platform": "Remote", "scim": ["locale"]}]"#);
    let user = User {
        title: Some("3".to_owned()),
        locale: Some("true".to_owned()),
        ..named("anna@x")
    };
    let desired = Desired::of(&user, None, &mapping).unwrap();
    let account = row(json!({"DisplayName": "anna@x", "Mail": "anna@x", "Tier": 3, "Remote": true}));
    assert!(desired.difference(&account, ClearValue::Empty).is_empty());
    let account = row(json!({"DisplayName": "anna@x", "Mail": "anna@x", "Tier": 4, "Remote": false}));
    assert_eq!(desired.difference(&account, ClearValue::Empty).len(), 2);
}

proptest! {
    #[test]
    fn what_was_written_differs_no_more(
        display in ".{0,20}", work in ".{0,20}", mobile in ".{0,20}", manager in proptest::option::of("[a-f0-9]{0,8}")
    ) {
        let user = User {
            display_name: Some(display),
            emails: vec![value("work", &work, true)],
            phone_numbers: vec![value("mobile", &mobile, false)],
            ..named("anna@example.com")
        };
        let desired = Desired::of(&user, manager.as_deref(), &by("[]")).unwrap();
        prop_assert!(desired.difference(&Row(desired.to_create()), ClearValue::Empty).is_empty());
    }
}

#[test]
fn a_change_that_repeats_the_account_sends_what_it_is() {
    let config = platform(&["--change-user-mode=full"]).unwrap();
    let mapping = Mapping::of(&config, Some("[{\"platform\": \"Tier\", \"scim\": [\"title\"]}]")).unwrap();
    let account = row(json!({
        "Uuid": "1", "name": "anna@x", "displayname": "Anna", "mail": "", "Description": "kept", "ReportsTo": "Unassigned",
        "InEverybodyRole": true, "OauthClient": false, "Tier": 3, "Alias": "x", "Version": 7, "AccountExp": null,
    }));
    let changes = Map::from_iter([("DisplayName".to_owned(), json!("Anna Holm"))]);
    let sent = mapping.to_change(&account, changes.clone());
    let expected = json!({
        "Name": "anna@x", "DisplayName": "Anna Holm", "Description": "kept", "InEverybodyRole": true,
        "OauthClient": false, "Tier": 3,
    });
    assert_eq!(Value::Object(sent), expected);
    assert_eq!(by("[]").to_change(&account, changes.clone()), changes);
}
