//! The built-in table: loose patterns in English, for no list of the Platform's texts is public.

use super::{Meaning, Place, Test};

use crate::platform::failure::Class;

/// A text at that place that contains the pattern has that meaning. Patterns are in lower case; those for ids have letters
/// and digits only.
pub(super) struct BuiltIn(pub(super) Place, pub(super) &'static str, pub(super) Meaning);

const ID: Place = Place::AnyId;
const MESSAGE: Place = Place::Said;

const CHALLENGE: Meaning = Meaning::Refused(Class::Challenge);
const DUPLICATE: Meaning = Meaning::Refused(Class::Duplicate);
const NOT_FOUND: Meaning = Meaning::Refused(Class::NotFound);
const PERMISSION: Meaning = Meaning::Refused(Class::Permission);
const VALIDATION: Meaning = Meaning::Refused(Class::Validation);
const WEAK_PASSWORD: Meaning = Meaning::Refused(Class::WeakPassword);
const TRANSIENT: Meaning = Meaning::Refused(Class::Transient);

pub(super) const TEXTS: &[BuiltIn] = &[
    BuiltIn(ID, "challenge", CHALLENGE),
    BuiltIn(MESSAGE, "challenge", CHALLENGE),
    BuiltIn(ID, "duplicate", DUPLICATE),
    BuiltIn(ID, "alreadyexist", DUPLICATE),
    BuiltIn(ID, "alreadyinuse", DUPLICATE),
    BuiltIn(ID, "notfound", NOT_FOUND),
    BuiltIn(ID, "nosuch", NOT_FOUND),
    BuiltIn(ID, "accessdenied", PERMISSION),
    BuiltIn(ID, "unauthorized", PERMISSION),
    BuiltIn(ID, "notauthorized", PERMISSION),
    BuiltIn(ID, "permission", PERMISSION),
    BuiltIn(ID, "throttl", Meaning::Throttled),
    BuiltIn(ID, "timeout", TRANSIENT),
    // A suffix that "does not exist" is a wrong value, not a missing object; a taken alias is a taken name.
    BuiltIn(MESSAGE, "suffix", VALIDATION),
    BuiltIn(MESSAGE, "already exist", DUPLICATE),
    BuiltIn(MESSAGE, "already in use", DUPLICATE),
    BuiltIn(MESSAGE, "already taken", DUPLICATE),
    BuiltIn(MESSAGE, "already been taken", DUPLICATE),
    BuiltIn(MESSAGE, "already used", DUPLICATE),
    BuiltIn(MESSAGE, "duplicate", DUPLICATE),
    BuiltIn(MESSAGE, "not unique", DUPLICATE),
    BuiltIn(MESSAGE, "must be unique", DUPLICATE),
    BuiltIn(MESSAGE, "not found", NOT_FOUND),
    BuiltIn(MESSAGE, "not exist", NOT_FOUND),
    BuiltIn(MESSAGE, "n't exist", NOT_FOUND),
    BuiltIn(MESSAGE, "no such", NOT_FOUND),
    BuiltIn(MESSAGE, "cannot find", NOT_FOUND),
    BuiltIn(MESSAGE, "unable to find", NOT_FOUND),
    BuiltIn(MESSAGE, "not be found", NOT_FOUND),
    BuiltIn(MESSAGE, "permission", PERMISSION),
    BuiltIn(MESSAGE, "not authorized", PERMISSION),
    BuiltIn(MESSAGE, "unauthorized", PERMISSION),
    BuiltIn(MESSAGE, "access denied", PERMISSION),
    BuiltIn(MESSAGE, "access is denied", PERMISSION),
    BuiltIn(MESSAGE, "insufficient", PERMISSION),
    BuiltIn(MESSAGE, "administrative right", PERMISSION),
    BuiltIn(MESSAGE, "password", WEAK_PASSWORD),
    BuiltIn(MESSAGE, "too many requests", Meaning::Throttled),
    BuiltIn(MESSAGE, "throttl", Meaning::Throttled),
    BuiltIn(MESSAGE, "try again", TRANSIENT),
    BuiltIn(MESSAGE, "temporar", TRANSIENT),
    BuiltIn(MESSAGE, "timed out", TRANSIENT),
    BuiltIn(MESSAGE, "timeout", TRANSIENT),
    BuiltIn(MESSAGE, "unavailable", TRANSIENT),
    BuiltIn(MESSAGE, "deadlock", TRANSIENT),
    BuiltIn(MESSAGE, "invalid", VALIDATION),
    BuiltIn(MESSAGE, "not valid", VALIDATION),
    BuiltIn(MESSAGE, "is missing", VALIDATION),
    BuiltIn(MESSAGE, "required", VALIDATION),
];

/// What an envelope's HTTP status says where no text does. Without an envelope a status never comes here.
pub(super) const STATUSES: &[(u16, Meaning)] = &[(403, PERMISSION), (404, NOT_FOUND), (409, DUPLICATE)];

impl BuiltIn {
    /// The test for the text.
    pub(super) fn test(&self) -> (Place, Test<'_>) {
        (self.0, Test::Contains(self.1))
    }
}
