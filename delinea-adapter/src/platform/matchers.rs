//! What a refusal is about, judged by its `ErrorID`, `MessageID` and `Message`. The Platform publishes no list of them,
//! so this is an ordered table of loose patterns: the first that fits decides, and what fits none is permanent and shown.

use std::collections::HashSet;

use super::failure::Class;

/// What a failed envelope says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reason<'a> {
    /// `ErrorID` or `ErrorCode`.
    pub(crate) error_id: &'a str,
    /// `MessageID`.
    pub(crate) message_id: &'a str,
    /// `Message`, or else `Exception`.
    pub(crate) message: &'a str,
}

/// Where a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// In `ErrorID` and `MessageID`, with everything but letters left out.
    Id,
    /// In `Message`.
    Message,
}

/// A text that contains the pattern is of that class. Patterns are in lower case.
struct Matcher(Field, &'static str, Class);

const MATCHERS: &[Matcher] = &[
    Matcher(Field::Id, "challenge", Class::Challenge),
    Matcher(Field::Message, "challenge", Class::Challenge),
    Matcher(Field::Id, "duplicate", Class::Duplicate),
    Matcher(Field::Id, "alreadyexist", Class::Duplicate),
    Matcher(Field::Id, "alreadyinuse", Class::Duplicate),
    Matcher(Field::Id, "notfound", Class::NotFound),
    Matcher(Field::Id, "nosuch", Class::NotFound),
    Matcher(Field::Id, "accessdenied", Class::Permission),
    Matcher(Field::Id, "unauthorized", Class::Permission),
    Matcher(Field::Id, "notauthorized", Class::Permission),
    Matcher(Field::Id, "permission", Class::Permission),
    Matcher(Field::Id, "throttl", Class::Transient),
    Matcher(Field::Id, "timeout", Class::Transient),
    // A suffix that "does not exist" is a wrong value, not a missing object; a taken alias is a taken name.
    Matcher(Field::Message, "suffix", Class::Validation),
    Matcher(Field::Message, "already exist", Class::Duplicate),
    Matcher(Field::Message, "already in use", Class::Duplicate),
    Matcher(Field::Message, "already taken", Class::Duplicate),
    Matcher(Field::Message, "already been taken", Class::Duplicate),
    Matcher(Field::Message, "already used", Class::Duplicate),
    Matcher(Field::Message, "duplicate", Class::Duplicate),
    Matcher(Field::Message, "not unique", Class::Duplicate),
    Matcher(Field::Message, "must be unique", Class::Duplicate),
    Matcher(Field::Message, "not found", Class::NotFound),
    Matcher(Field::Message, "not exist", Class::NotFound),
    Matcher(Field::Message, "n't exist", Class::NotFound),
    Matcher(Field::Message, "no such", Class::NotFound),
    Matcher(Field::Message, "cannot find", Class::NotFound),
    Matcher(Field::Message, "unable to find", Class::NotFound),
    Matcher(Field::Message, "not be found", Class::NotFound),
    Matcher(Field::Message, "permission", Class::Permission),
    Matcher(Field::Message, "not authorized", Class::Permission),
    Matcher(Field::Message, "unauthorized", Class::Permission),
    Matcher(Field::Message, "access denied", Class::Permission),
    Matcher(Field::Message, "access is denied", Class::Permission),
    Matcher(Field::Message, "insufficient", Class::Permission),
    Matcher(Field::Message, "administrative right", Class::Permission),
    Matcher(Field::Message, "password", Class::Validation),
    Matcher(Field::Message, "try again", Class::Transient),
    Matcher(Field::Message, "temporar", Class::Transient),
    Matcher(Field::Message, "timed out", Class::Transient),
    Matcher(Field::Message, "timeout", Class::Transient),
    Matcher(Field::Message, "too many requests", Class::Transient),
    Matcher(Field::Message, "throttl", Class::Transient),
    Matcher(Field::Message, "unavailable", Class::Transient),
    Matcher(Field::Message, "deadlock", Class::Transient),
    Matcher(Field::Message, "invalid", Class::Validation),
    Matcher(Field::Message, "not valid", Class::Validation),
    Matcher(Field::Message, "is missing", Class::Validation),
    Matcher(Field::Message, "required", Class::Validation),
];

/// What the refusal is about. Names that the message quotes are left out, for they may be made of the very words that are
/// looked for.
pub(crate) fn classify(reason: Reason<'_>, names: &[&str]) -> Class {
    let letters = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let ids = format!("{} {}", letters(reason.error_id), letters(reason.message_id));
    let names: HashSet<_> = names.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut message = reason.message.to_lowercase();
    for name in names.iter().filter(|name| !name.is_empty()) {
        leave_out(&mut message, name);
    }
    let fits = |matcher: &&Matcher| match matcher.0 {
        Field::Id => ids.contains(matcher.1),
        Field::Message => message.contains(matcher.1),
    };
    MATCHERS.iter().find(fits).map_or(Class::Other, |matcher| matcher.2)
}

/// Leaves out a name where it first stands as words of its own. Later on the same words may be the message's.
fn leave_out(text: &mut String, name: &str) {
    let stands_alone = |at: &usize| {
        !text[..*at].ends_with(char::is_alphanumeric) && !text[at + name.len()..].starts_with(char::is_alphanumeric)
    };
    let found = text.match_indices(name).map(|(at, _)| at).find(stands_alone);
    if let Some(at) = found {
        text.replace_range(at..at + name.len(), "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_classified() {
        let message = |message| Reason {
            message,
            ..Reason::default()
        };
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
            (message("The user name a@b is already in use."), Class::Duplicate),
            (message("A role with the name x already exists."), Class::Duplicate),
            (message("User 7 not found."), Class::NotFound),
            (message("Directory entry doesn't exist"), Class::NotFound),
            (message("The login suffix x does not exist"), Class::Validation),
            (message("The password does not meet the policy."), Class::Validation),
            (message("You are not authorized to perform this"), Class::Permission),
            (message("Please try again later"), Class::Transient),
            (message("The built-in role x cannot be modified."), Class::Other),
            (message(""), Class::Other),
        ] {
            assert_eq!(classify(reason, &[]), class, "{reason:?}");
        }
    }

    #[test]
    fn a_quoted_name_does_not_decide() {
        for (message, name, class) in [
            (
                "A role with the name Challenge Team already exists.",
                "Challenge Team",
                Class::Duplicate,
            ),
            ("Role NOT FOUND is built in.", "not found", Class::Other),
            (
                "A role with the name Already Exist already exists.",
                "Already Exist",
                Class::Duplicate,
            ),
            ("A role with the name e already exists.", "e", Class::Duplicate),
            ("The name password@x is already in use.", "Password@x", Class::Duplicate),
            (
                "The name already exists already exists.",
                "already exists",
                Class::Duplicate,
            ),
        ] {
            let reason = Reason {
                message,
                ..Reason::default()
            };
            assert_eq!(classify(reason, &[name]), class, "{message}");
        }
    }
}
