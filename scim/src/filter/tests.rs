//! The filter language as a table: what is read, what is refused and where, what matches (R03, R04, R06, Q04, Q10–Q13,
//! Q28, Q29, Q46).

use serde_json::json;

use super::*;
use crate::{
    MAX_COMPARISONS, MAX_EXPRESSION_BYTES, MAX_NESTING, Schemas, URN_ENTERPRISE_USER,
    schema::{Attribute, AttributeType, ResourceType, Schema},
};

fn user() -> Value {
    json!({
        "schemas": [crate::URN_USER, URN_ENTERPRISE_USER],
        "id": "2f0a52e6-58f7-4c5e-a9a1-0d7a6cf5a001",
        "externalId": "6c0f8a52-0f4e-4f6e-9b1f-5d2f6a1c7e90",
        "userName": "Odile.Marchetti@Kestrelworks.example",
        "displayName": "Odile \"Oe\" Straße",
        "name": {"familyName": "Marchetti", "givenName": "Odile"},
        "active": true,
        "emails": [
            {"type": "work", "value": "odile@kestrelworks.example", "primary": true},
            {"type": "home", "value": "odile@home.example"},
        ],
        "roles": [{"value": "auditor", "primary": true}],
        URN_ENTERPRISE_USER: {"employeeNumber": "0417", "department": "Halls", "manager": {"value": "m-1"}},
        "meta": {"resourceType": "User", "created": "2026-11-23T10:00:00Z", "lastModified": "2026-11-23T12:00:00+02:00"},
    })
}

fn matches(text: &str) -> bool {
    let schemas = Schemas::builtin();
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    filter
        .check(schemas.user())
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.matches(schemas.user(), &user())
}

#[test]
fn what_matches_and_what_does_not() {
    let table = [
        // R03 and Q10: names, URNs and values in another letter case.
        (r#"userName eq "odile.marchetti@kestrelworks.example""#, true),
        (r#"USERNAME EQ "ODILE.MARCHETTI@KESTRELWORKS.EXAMPLE""#, true),
        (r#"emails[type eq "work"].value eq "odile@kestrelworks.example""#, true),
        (r#"emails[type eq "work"].value eq "odile@home.example""#, false),
        (r#"emails[Type eq "WORK" and Value co "@kestrel"]"#, true),
        (r#"emails[type eq "work" and value co "@home"]"#, false),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "0417""#,
            true,
        ),
        (
            r#"URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user:department eq "halls""#,
            true,
        ),
        // Q11: a core attribute with its URN; bare names of the extension.
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:active eq true"#, true),
        (r#"department eq "Halls""#, true),
        // R06, in its spellings.
        (
            r#"id eq "2f0a52e6-58f7-4c5e-a9a1-0d7a6cf5a001" and manager eq "m-1""#,
            true,
        ),
        (r#"manager.value eq m-1"#, true),
        (r#"manager[value eq "m-1"]"#, true),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "m-2""#,
            false,
        ),
        // Q12, Q13: a UUID in another letter case.
        (r#"id eq "2F0A52E6-58F7-4C5E-A9A1-0D7A6CF5A001""#, true),
        (r#"externalId eq "6C0F8A52-0F4E-4F6E-9B1F-5D2F6A1C7E90""#, true),
        (r#"manager eq "M-1""#, false),
        // Q46, and a whole multi-valued attribute.
        (r#"emails[type eq "work"] eq "odile@kestrelworks.example""#, true),
        (r#"emails eq "odile@home.example""#, true),
        // Q04: a text compared with a boolean.
        (r#"roles[primary eq "True"].value eq "auditor""#, true),
        (r#"active eq "False""#, false),
        (r#"active ne false"#, true),
        // Q29 and letters beyond ASCII.
        (r#"displayName eq "odile \"OE\" STRASSE""#, true),
        (r#"displayName co "\u0022Oe\u0022""#, true),
        // Bare words.
        (r"userName sw O", true),
        (r"employeeNumber eq 0417", true),
        (r"employeeNumber eq 417", false),
        (r"meta.created gt 2015-10-10T14:38:21.8617979-07:00", true),
        (r#"emails[type eq "work"] pr"#, true),
        (r#"emails[type eq "other"] pr"#, false),
        // A date and time without its offset is taken for UTC.
        (r#"meta.created eq "2026-11-23T10:00:00""#, true),
        // Dates are instants.
        (r#"meta.lastModified eq "2026-11-23T10:00:00.000Z""#, true),
        (r#"meta.created ge "2026-11-23T11:00:00+01:00""#, true),
        (r#"meta.created lt "2026-11-23T10:00:00Z""#, false),
        // Presence, absence, null.
        (r"title pr", false),
        (r"name pr and emails pr and emails.display pr", false),
        (r"name.familyName pr", true),
        (r"title eq null", true),
        (r"userName ne null", true),
        (r#"title ne "x""#, true),
        // `ne` asks for one value that differs, as `eq` asks for one that is alike; what has no value is not equal.
        (r#"emails.type ne "work""#, true),
        (r#"emails.primary ne true"#, false),
        (r#"roles.value ne "auditor""#, false),
        (r#"emails[type ne "work"]"#, true),
        (r#"phoneNumbers.type ne "work""#, true),
        (r#"not (emails.type eq "work")"#, false),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr"#, true),
        // Order of texts.
        (r#"name.familyName gt "ma" and name.familyName le "MARCHETTI""#, true),
        (r#"userName ew ".EXAMPLE""#, true),
        // Precedence, groups, not.
        (r#"title pr or userName pr and active eq true"#, true),
        (r#"(title pr or userName pr) and active eq false"#, false),
        (r#"not (title pr) and NOT(active eq false)"#, true),
        (r#"not (emails[type eq "other"])"#, true),
        (
            r#"name.FamilyName eq Marchetti and (emails.Value co y or emails.Value co home)"#,
            true,
        ),
    ];
    for (text, expected) in table {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn what_is_refused_names_the_position() {
    let table = [
        ("", 1, "an attribute's name"),
        ("userName", 9, "an operator"),
        ("userName is \"x\"", 10, "an operator"),
        ("userName eq", 12, "a value"),
        ("userName eq \"x", 15, "a closing quote"),
        ("userName eq \"\\x\"", 13, "a JSON text"),
        ("displayName eq Rack Operators", 21, "the end"),
        ("(userName pr", 13, "`)`"),
        ("userName pr)", 12, "the end"),
        ("userName pr and", 16, "an attribute's name"),
        ("emails[type eq \"work\"", 22, "`]`"),
        ("emails[type eq \"work\"].", 24, "a part's name"),
        // Not a name anywhere else either: it would not read back once printed.
        ("emails[type eq \"work\"].-value pr", 24, "a part's name"),
        ("é eq \"x\"", 1, "an attribute's name"),
        ("userName eq \"é\" xor title pr", 17, "the end"),
        ("name.given.more pr", 1, "an attribute's name"),
    ];
    for (text, position, expected) in table {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!(error.kind, ErrorKind::InvalidFilter, "{text}");
        let wanted = format!("at position {position}: expected {expected}");
        assert!(error.detail.starts_with(&wanted), "{text}: {}", error.detail);
    }
}

#[test]
fn what_the_table_does_not_allow_is_refused() {
    let table = [
        (r#"badge eq "x""#, "`badge`"),
        (r#"name eq "x""#, "complex"),
        (r#"emails[colour eq "red"]"#, "`colour`"),
        (r#"emails[type[value eq "x"]]"#, "do not nest"),
        (r#"userName[value eq "x"]"#, "`userName`"),
        (r#"active gt true"#, "eq and ne"),
        (r#"active eq "perhaps""#, "true or false"),
        (r#"meta.created gt "yesterday""#, "date and time"),
        (r#"x509Certificates.value gt "AA==""#, "bytes"),
        (r#"title gt null"#, "null"),
        (r#"meta.location eq "https://gw.example/Users/1""#, "`meta.location`"),
        (r#"groups[$ref pr]"#, "`$ref`"),
        (r#"manager.$ref pr"#, "`manager.$ref`"),
        (r#"password eq "x""#, "`password`"),
        (r#"urn:example:none:2.0:User:x pr"#, "urn:example:none:2.0:User:x"),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User eq "x""#,
            "User",
        ),
    ];
    for (text, named) in table {
        let error = Filter::parse(text)
            .unwrap()
            .check(Schemas::builtin().user())
            .expect_err(text);
        assert_eq!(error.kind, ErrorKind::InvalidFilter, "{text}");
        assert!(error.detail.contains(named), "{text}: {}", error.detail);
    }
}

#[test]
fn errors_do_not_repeat_values() {
    let secret = "odile.marchetti@kestrelworks.example";
    for text in [
        format!("active eq \"{secret}\""),
        format!("meta.created gt \"{secret}\""),
        format!("displayName eq Rack {secret}"),
        format!("userName \"{secret}\""),
        format!("title[value eq \"{secret}\"]"),
    ] {
        let error = match Filter::parse(&text) {
            Ok(filter) => filter.check(Schemas::builtin().user()).expect_err(&text),
            Err(error) => error,
        };
        assert!(!error.detail.contains("odile"), "{text}: {}", error.detail);
    }
}

#[test]
fn numbers_are_compared_as_numbers() {
    let extension = Schema {
        id: "urn:example:kestrel:2.0:User".to_owned(),
        name: "Kestrel".to_owned(),
        description: "An extension.".to_owned(),
        attributes: vec![Attribute::new("badgeLevel", AttributeType::Integer, "A number.")],
    };
    let mut table = Schemas::builtin().resource(ResourceType::User).clone();
    table.extensions.push(extension);
    let resource = json!({"userName": "u", "urn:example:kestrel:2.0:User": {"badgeLevel": 10}});
    for (text, expected) in [
        ("badgeLevel gt 9", true),
        ("badgeLevel eq 10.0", true),
        ("badgeLevel eq \"10\"", true),
        ("badgeLevel lt 9", false),
    ] {
        let filter = Filter::parse(text).unwrap();
        filter.check(&table).unwrap();
        assert_eq!(filter.matches(&table, &resource), expected, "{text}");
    }
    for text in ["badgeLevel eq ten", "badgeLevel co 1"] {
        let refused = Filter::parse(text).unwrap().check(&table).expect_err(text);
        assert_eq!(refused.kind, ErrorKind::InvalidFilter);
    }
}

#[test]
fn long_and_deep_filters_are_bounded() {
    let flat = |count: usize| vec!["id eq \"x\""; count].join(" or ");
    for count in [300, MAX_COMPARISONS] {
        let filter = Filter::parse(&flat(count)).unwrap();
        assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
        assert!(!filter.matches(Schemas::builtin().user(), &user()));
    }
    for count in [MAX_COMPARISONS + 1, MAX_EXPRESSION_BYTES / 9] {
        let refused = Filter::parse(&flat(count)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidFilter);
    }

    let nested = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_NESTING)).is_ok());
    for open in ["(", "not (", "emails["] {
        let error = Filter::parse(&open.repeat(5_000)).unwrap_err();
        assert!(error.detail.contains("nests deeper"), "{open}: {}", error.detail);
    }
}

#[test]
fn a_number_keeps_its_text_for_texts() {
    let schemas = Schemas::builtin();
    let number = "123456789012345678901234567890";
    for (text, held, expected) in [
        (format!("employeeNumber eq {number}"), number, true),
        (format!("employeeNumber eq {number}"), "1.2345678901234568e29", false),
        ("employeeNumber eq 1.50".to_owned(), "1.50", true),
        ("employeeNumber eq 1.50".to_owned(), "1.5", false),
        ("employeeNumber eq 417".to_owned(), "417", true),
    ] {
        let filter = Filter::parse(&text).unwrap();
        let user = json!({URN_ENTERPRISE_USER: {"employeeNumber": held}});
        assert_eq!(filter.matches(schemas.user(), &user), expected, "{text} of {held}");
        assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter, "{text}");
    }
}

#[test]
fn conjuncts_are_the_parts_that_must_all_hold() {
    let filter = Filter::parse("a pr and (b pr and c pr) and (d pr or e pr)").unwrap();
    let parts: Vec<_> = filter.conjuncts().into_iter().map(ToString::to_string).collect();
    assert_eq!(parts, ["a pr", "b pr", "c pr", "d pr or e pr"]);
    assert_eq!(Filter::parse("a pr or b pr").unwrap().conjuncts().len(), 1);
}
