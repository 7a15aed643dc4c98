//! Refusals and what they are about.

use proptest::prelude::*;

use super::*;
use crate::config::tests::platform;

const METHOD: &str = "Controller/Method";

/// The built-in matchers, with those of a tenant's file before them.
pub(crate) fn matchers(file: &str) -> Matchers {
    Matchers {
        own: file::parse(file).unwrap(),
        ..Matchers::read(&platform(&[]).unwrap(), Metrics::new("default")).unwrap()
    }
}

fn meaning(matchers: &Matchers, reason: Reason<'_>, names: &[&str]) -> Meaning {
    matchers.judge(METHOD, &reason, names).meaning
}

fn message(message: &str) -> Reason<'_> {
    Reason {
        message,
        status: 200,
        ..Reason::default()
    }
}

#[test]
fn refusals_are_classified() {
    let matchers = matchers("[]");
    for (reason, class) in [
        (
            Reason {
                error_id: "ChallengeRequired",
                ..Reason::default()
            },
            Class::Challenge,
        ),
        (
            Reason {
                message_id: "_I18N_User_Already_Exists",
                ..Reason::default()
            },
            Class::Duplicate,
        ),
        (
            Reason {
                error_id: "ENTITY_NOT_FOUND",
                message: "already exists",
                ..Reason::default()
            },
            Class::NotFound,
        ),
        (
            Reason {
                exception: "The object already exists",
                ..Reason::default()
            },
            Class::Duplicate,
        ),
        (message("The user name a@b is already in use."), Class::Duplicate),
        (message("A role with the name x already exists."), Class::Duplicate),
        (message("User 7 not found."), Class::NotFound),
        (message("Directory entry doesn't exist"), Class::NotFound),
        (message("The login suffix x does not exist"), Class::Validation),
        (message("The password does not meet the policy."), Class::WeakPassword),
        (message("You are not authorized to perform this"), Class::Permission),
        (message("You are not authorized to set a password"), Class::Permission),
        (message("Please try again later"), Class::Transient),
        (message("The built-in role x cannot be modified."), Class::Other),
        (message(""), Class::Other),
    ] {
        assert_eq!(meaning(&matchers, reason, &[]), Meaning::Refused(class), "{reason:?}");
    }
    for reason in [
        message("Too many requests, please try again"),
        message("The call was throttled."),
        Reason {
            error_id: "RequestThrottled",
            ..Reason::default()
        },
    ] {
        assert_eq!(meaning(&matchers, reason, &[]), Meaning::Throttled, "{reason:?}");
    }
}

#[test]
fn a_status_decides_where_no_text_does() {
    let matchers = matchers("[]");
    for (status, said, class) in [
        (403, "nein", Class::Permission),
        (404, "nein", Class::NotFound),
        (409, "nein", Class::Duplicate),
        (409, "is missing", Class::Validation),
        (400, "nein", Class::Other),
        (500, "nein", Class::Other),
    ] {
        let reason = Reason {
            status,
            ..message(said)
        };
        assert_eq!(
            meaning(&matchers, reason, &[]),
            Meaning::Refused(class),
            "{status} {said}"
        );
    }
}

#[test]
fn a_quoted_name_does_not_decide() {
    let matchers = matchers(r#"[{"field": "message", "regex": "gesperrt|geheim", "class": "transient"}]"#);
    for (said, names, class) in [
        (
            "A role with the name Challenge Team already exists.",
            &["Challenge Team"][..],
            Class::Duplicate,
        ),
        ("Role NOT FOUND is built in.", &["not found"], Class::Other),
        (
            "A role with the name Already Exist already exists.",
            &["Already Exist"],
            Class::Duplicate,
        ),
        ("A role with the name e already exists.", &["e"], Class::Duplicate),
        (
            "The name password@x is already in use.",
            &["Password@x"],
            Class::Duplicate,
        ),
        (
            "The name already exists already exists.",
            &["already exists"],
            Class::Duplicate,
        ),
        (
            "Team Geheim Nord: nein.",
            &["Nord", "Team Geheim Nord", "Geheim"],
            Class::Other,
        ),
        ("Team Geheim ist gesperrt.", &["Team Geheim"], Class::Transient),
    ] {
        assert_eq!(
            meaning(&matchers, message(said), names),
            Meaning::Refused(class),
            "{said}"
        );
    }
}

#[test]
fn a_tenants_own_matchers_come_first_and_in_their_order() {
    let matchers = matchers(
        r#"[
          {"field": "message_id", "contains": "_I18N_Benutzer_Vorhanden", "class": "duplicate"},
          {"field": "error_id", "contains": "E-7", "status": "5xx", "class": "validation"},
          {"field": "error_id", "contains": "e-7", "class": "permission"},
          {"field": "exception", "regex": "^system\\.timeout", "class": "transient"},
          {"contains": "KONTINGENT", "class": "throttled"},
          {"field": "message", "regex": "kennwort .* richtlinie", "class": "weak_password"},
          {"field": "message", "contains": "already exists", "class": "other"},
          {"status": 423, "class": "transient"}
        ]"#,
    );
    let blank = Reason {
        status: 200,
        ..Reason::default()
    };
    for (reason, expected, own) in [
        (
            Reason {
                message_id: "_i18n_benutzer_vorhanden",
                ..blank
            },
            Meaning::Refused(Class::Duplicate),
            true,
        ),
        (
            Reason {
                error_id: "E-7",
                ..blank
            },
            Meaning::Refused(Class::Permission),
            true,
        ),
        (
            Reason {
                error_id: "E-7",
                status: 503,
                ..blank
            },
            Meaning::Refused(Class::Validation),
            true,
        ),
        // The pattern of one field is not looked for in another.
        (message("E-7"), Meaning::Refused(Class::Other), false),
        (
            Reason {
                exception: "System.TimeoutException: x",
                message: "nein",
                ..blank
            },
            Meaning::Refused(Class::Transient),
            true,
        ),
        (message("Das Kontingent ist ersch\u{f6}pft"), Meaning::Throttled, true),
        (
            Reason {
                error_id: "kontingent",
                ..blank
            },
            Meaning::Throttled,
            true,
        ),
        (
            message("Das KENNWORT entspricht nicht der Richtlinie"),
            Meaning::Refused(Class::WeakPassword),
            true,
        ),
        (message("It already exists"), Meaning::Refused(Class::Other), true),
        (
            message("It is already in use"),
            Meaning::Refused(Class::Duplicate),
            false,
        ),
        (
            Reason { status: 423, ..blank },
            Meaning::Refused(Class::Transient),
            true,
        ),
    ] {
        let judged = matchers.judge(METHOD, &reason, &[]);
        let expected = Judgement { meaning: expected, own };
        assert_eq!(judged, expected, "{reason:?}");
    }
}

#[test]
fn what_nobody_knows_is_told_once_for_each_id_and_only_so_often() {
    let matchers = matchers("[]");
    let told = || matchers.told.lock().unwrap().clone();
    let unknown = |error_id: &str| {
        let reason = Reason {
            error_id,
            message: "anna@example.com: nein",
            ..Reason::default()
        };
        assert_eq!(meaning(&matchers, reason, &[]), Meaning::Refused(Class::Other));
    };
    for id in ["E-1", "E-1", "E-2", "", "", "anna@example.com"] {
        unknown(id);
    }
    assert_eq!(told().len(), 4);
    assert!(told().iter().all(|which| !which.contains("anna")), "{:?}", told());
    assert_eq!(
        meaning(&matchers, message("It already exists"), &[]),
        Meaning::Refused(Class::Duplicate)
    );
    assert_eq!(told().len(), 4, "what is known is not told");
    for n in 0..MOST * 2 {
        unknown(&format!("X-{n}"));
    }
    assert_eq!(told().len(), MOST);
}

#[test]
fn the_page_has_matchers_that_can_be_used() {
    let page = include_str!("../../../../docs/mapping.md");
    let last = page
        .rsplit_once("```json\n")
        .and_then(|(_, rest)| rest.split_once("```"));
    assert_eq!(matchers(last.unwrap().0).own.len(), 5);
}

proptest! {
    /// A name in a message decides nothing, whatever it is made of.
    #[test]
    fn no_name_decides(index in 0..table::TEXTS.len(), before in "[A-Z]{0,3}", id in "[a-z0-9]{0,6}") {
        let matchers = matchers("[]");
        let name = format!("{before} {} x", table::TEXTS[index].1);
        let said = format!("<{name}> nein.");
        let reason = Reason { error_id: &id, ..message(&said) };
        let without = Reason { error_id: &id, ..message("<> nein.") };
        prop_assert_eq!(
            matchers.judge(METHOD, &reason, &[&name]).meaning,
            matchers.judge(METHOD, &without, &[]).meaning
        );
    }

    /// The first of two that fit decides, and one that does not fit changes nothing.
    #[test]
    fn order_decides(word in "[a-z]{1,6}", status in 200u16..600, others in "[A-Z]{0,6}") {
        let said = format!("{others}{word}{others}");
        let reason = Reason { status, ..message(&said) };
        let entry = |class: &str, word: &str| format!(r#"{{"contains": "{word}", "class": "{class}"}}"#);
        let no_such = entry("challenge", "0");
        let file = format!("[{no_such}, {}, {}]", entry("not_found", &word), entry("duplicate", &word));
        prop_assert_eq!(meaning(&matchers(&file), reason, &[]), Meaning::Refused(Class::NotFound));
        let file = format!("[{no_such}]");
        prop_assert_eq!(
            meaning(&matchers(&file), reason, &[]),
            meaning(&matchers("[]"), reason, &[])
        );
    }

    #[test]
    fn whatever_is_said_is_judged(
        error_id in any::<String>(), said in any::<String>(), name in any::<String>(), status in any::<u16>()
    ) {
        let reason = Reason { error_id: &error_id, status, ..message(&said) };
        matchers("[]").judge(METHOD, &reason, &[&name, &said]);
    }
}
