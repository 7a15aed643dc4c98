//! The table and files that change it, good and faulty.

use super::*;

#[test]
fn the_default_table_is_one() {
    let names: Vec<_> = default().unwrap().into_iter().map(|field| field.name).collect();
    let known = [
        "DisplayName",
        "Mail",
        "OfficeNumber",
        "HomeNumber",
        "MobileNumber",
        "PreferredCulture",
        "ReportsTo",
    ];
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), known);
}

/// The page's blocks of JSON.
fn documented() -> Vec<&'static str> {
    let page = include_str!("../../../../docs/mapping.md");
    let blocks = page.split("```json\n").skip(1);
    blocks.filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

#[test]
fn the_page_has_the_default_table_and_an_example_that_can_be_used() {
    let blocks = documented();
    assert_eq!(blocks[0], DEFAULT);
    let table = with(blocks[1]).unwrap();
    assert_eq!(table.len(), 9);
    let not_mappable = include_str!("../../../../docs/mapping.md")
        .split_once("These fields cannot be mapped")
        .unwrap()
        .1;
    let named = not_mappable.split_once("\n\n").unwrap().0.split('`').skip(1).step_by(2);
    for name in named.filter(|name| !name.contains("_") || *name == "ID") {
        assert!(fields::unmappable(name).is_some(), "{name}");
    }
}

#[test]
fn a_file_replaces_adds_and_switches_off() {
    let table = with(
        r#"[
          {"platform": "home_number", "off": true, "comment": "private"},
          {"platform": "displayname", "scim": ["nickName"], "direction": "scim_to_platform"},
          {"platform": "CostCentre", "constant": "7", "when": "create", "clear": "keep"}
        ]"#,
    )
    .unwrap();
    let names: Vec<_> = table.iter().map(|field| &*field.name).collect();
    let expected = [
        "DisplayName",
        "Mail",
        "OfficeNumber",
        "MobileNumber",
        "PreferredCulture",
        "ReportsTo",
        "CostCentre",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        table[0].paths().map(ToString::to_string).collect::<Vec<_>>(),
        ["nickName"]
    );
    assert_eq!((table[6].when, table[6].clear), (When::Create, Clear::Keep));
    assert_eq!(with("[]").unwrap().len(), 7);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    for (entry, said) in [
        (r#"{"platform": "Name", "scim": ["displayName"]}"#, "userName"),
        (r#"{"platform": "id", "scim": ["id"]}"#, "gives ids"),
        (r#"{"platform": "STATE", "constant": "None"}"#, "active"),
        (r#"{"platform": "Password", "constant": "x"}"#, "PASSWORD_SOURCE"),
        (r#"{"platform": "service_user", "constant": "true"}"#, "service user"),
        (r#"{"platform": "InSysAdminRole", "constant": "true"}"#, "administrator"),
        (
            r#"{"platform": "CmaRedirectedUserUuid", "scim": ["title"]}"#,
            "second factor",
        ),
        (
            r#"{"platform": "PasswordNeverExpire", "constant": "true"}"#,
            "EXTRA_CREATE_FIELDS",
        ),
        (r#"{"platform": "a b", "constant": "x"}"#, "not a field's name"),
        (r#"{"platform": "Description"}"#, "needs `scim`"),
        (
            r#"{"platform": "Description", "off": true}"#,
            "not in the default table",
        ),
        (r#"{"platform": "Mail", "off": true, "constant": "x"}"#, "nothing else"),
        (r#"{"platform": "Mail", "constant": " "}"#, "is empty"),
        (
            r#"{"platform": "Mail", "constant": "x", "transform": ["lower"]}"#,
            "nothing transforms it",
        ),
        (r#"{"platform": "Mail", "scim": ["mail"]}"#, "no attribute `mail`"),
        (r#"{"platform": "Mail", "scim": ["$mail"]}"#, "$managerAccount"),
        (r#"{"platform": "Mail", "scim": ["a["]}"#, "no choice"),
        (r#"{"platform": "Mail", "scim": "title"}"#, "expected a sequence"),
        (
            r#"{"platform": "Mail", "scim": ["title"], "transform": ["trim"]}"#,
            "unknown variant `trim`",
        ),
        (
            r#"{"platform": "Mail", "scim": ["title"], "transform": [{"first": 0}]}"#,
            "leaves nothing",
        ),
        (
            r#"{"platform": "Mail", "scim": ["title"], "when": "never"}"#,
            "expected `always` or `create`",
        ),
        (
            r#"{"platform": "Mail", "scim": ["title"], "direction": "platform_to_scim"}"#,
            "scim_to_platform",
        ),
        (
            r#"{"platform": "Mail", "scim": ["title"], "scmi": []}"#,
            "unknown field `scmi`",
        ),
        (
            r#"{"platform": "title_", "scim": ["title"]}, {"platform": "Title", "scim": ["title"]}"#,
            "already",
        ),
    ] {
        let fault = with(&format!("[\n\n{entry}]")).unwrap_err();
        assert_eq!(fault.line, 3, "{fault}");
        assert!(fault.reason.contains(said), "{entry}: {fault}");
    }
}
