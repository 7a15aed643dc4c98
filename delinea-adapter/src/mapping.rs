//! What a Platform account shall be, from what SCIM has: the table of fields, and how a `userName` becomes a login name.
//! Pure: it knows both vocabularies and no call.

use proto::{
    adapter::v1::PlatformUser,
    resource::v1::{MultiValue, User},
};
use serde_json::{Map, Value};

use crate::{
    config::{ClearValue, PlatformConfig},
    error::ApplyError,
    platform::rows::Row,
};

/// How long a name may be.
const MAX_NAME: usize = 255;

/// What one Platform field is made of.
struct Field {
    name: &'static str,
    /// The value; `None` clears the field.
    value: fn(&Source<'_>) -> Option<String>,
}

/// What fields are made of.
struct Source<'a> {
    user: &'a User,
    login_name: &'a str,
    manager: Option<&'a str>,
}

/// The table. `Name` and `State` are not in it: they are changed by rules of their own.
const FIELDS: &[Field] = &[
    Field {
        name: "DisplayName",
        value: |from| text(from.user.display_name.as_ref()).or_else(|| from.login()),
    },
    Field {
        name: "Mail",
        value: |from| mail(&from.user.emails).or_else(|| from.login()),
    },
    Field {
        name: "OfficeNumber",
        value: |from| of_type(&from.user.phone_numbers, "work"),
    },
    Field {
        name: "HomeNumber",
        value: |from| of_type(&from.user.phone_numbers, "home"),
    },
    Field {
        name: "MobileNumber",
        value: |from| of_type(&from.user.phone_numbers, "mobile"),
    },
    Field {
        name: "PreferredCulture",
        value: |from| text(from.user.preferred_language.as_ref()),
    },
    Field {
        name: "ReportsTo",
        value: |from| from.manager.map(str::to_owned).filter(|id| !id.is_empty()),
    },
];

/// What tenants show in `ReportsTo` of an account without a manager, beside nothing.
const NO_MANAGER: &str = "Unassigned";

/// What a Platform account shall be.
#[derive(Clone)]
pub(crate) struct Desired {
    /// The login name.
    pub(crate) name: String,
    /// Whether it may be used; `None` leaves that as it is.
    pub(crate) active: Option<bool>,
    fields: Vec<(&'static str, Option<String>)>,
}

impl Source<'_> {
    fn login(&self) -> Option<String> {
        Some(self.login_name.to_owned())
    }
}

impl Desired {
    /// What the account of a user shall be.
    pub(crate) fn of(user: &User, manager: Option<&str>, config: &PlatformConfig) -> Result<Self, ApplyError> {
        let login_name = login_name(user.user_name.as_deref().unwrap_or_default(), config)?;
        let source = Source {
            user,
            login_name: &login_name,
            manager,
        };
        let fields = FIELDS
            .iter()
            .map(|field| (field.name, (field.value)(&source)))
            .collect();
        Ok(Self {
            active: user.active,
            fields,
            name: login_name,
        })
    }

    /// The fields to create the account with.
    pub(crate) fn to_create(&self) -> Map<String, Value> {
        let given = self
            .fields
            .iter()
            .filter_map(|(name, value)| Some((*name, value.clone()?)));
        let name = std::iter::once(("Name", self.name.clone()));
        name.chain(given)
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect()
    }

    /// The account as the Platform would list it.
    pub(crate) fn listed(&self) -> PlatformUser {
        let field = |name: &str| {
            let found = self.fields.iter().find(|(field, _)| *field == name);
            found.map(|(_, value)| value.clone().unwrap_or_default())
        };
        PlatformUser {
            name: self.name.clone(),
            display_name: field("DisplayName"),
            mail: field("Mail"),
            enabled: self.active,
            ..PlatformUser::default()
        }
    }

    /// Whether a field that was changed is still seen as it was before. A value that the Platform shows in a form of its
    /// own, or does not show at all, is not waited for.
    pub(crate) fn lags(&self, field: &str, before: &Row, now: &Row) -> bool {
        let wanted = self.fields.iter().find(|(name, _)| *name == field);
        let wanted = wanted.and_then(|(_, wanted)| wanted.as_deref());
        let seen = now.text(field);
        now.has(field) && seen == before.text(field) && seen != wanted.unwrap_or_default()
    }

    /// The fields in which an account differs, with what they shall be.
    pub(crate) fn difference(&self, account: &Row, clear: ClearValue) -> Map<String, Value> {
        let cleared = match clear {
            ClearValue::Empty => Value::String(String::new()),
            ClearValue::Null => Value::Null,
        };
        let differs = |name: &str, wanted: &Option<String>| {
            let present = account.text(name);
            let present = if name == "ReportsTo" && present.eq_ignore_ascii_case(NO_MANAGER) {
                ""
            } else {
                present
            };
            present != wanted.as_deref().unwrap_or_default()
        };
        let differing = self.fields.iter().filter(|(name, wanted)| differs(name, wanted));
        let value = |wanted: &Option<String>| wanted.clone().map_or_else(|| cleared.clone(), Value::String);
        differing
            .map(|(name, wanted)| ((*name).to_owned(), value(wanted)))
            .collect()
    }
}

/// The login name of a `userName`: as it is when it has a suffix, else with the default one.
fn login_name(user_name: &str, config: &PlatformConfig) -> Result<String, ApplyError> {
    let invalid = |reason| {
        Err(ApplyError::Invalid {
            field: "user.user_name",
            reason,
        })
    };
    let user_name = user_name.trim();
    if user_name.is_empty() {
        return invalid("is missing");
    }
    let name = match user_name.rsplit_once('@') {
        Some(("", _) | (_, "")) => return invalid("has an @ without a name before it or a suffix behind it"),
        Some((local, suffix)) => {
            let lower = suffix.to_lowercase();
            match config.suffix_map.iter().find(|mapping| mapping.old == lower) {
                Some(mapping) => format!("{local}@{}", mapping.new),
                None => user_name.to_owned(),
            }
        }
        None => match config
            .default_suffix
            .as_deref()
            .map(|suffix| suffix.trim_start_matches('@'))
        {
            Some(suffix) if !suffix.is_empty() => format!("{user_name}@{suffix}"),
            _ => return invalid("has no login suffix, and DEFAULT_SUFFIX is not set"),
        },
    };
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return invalid("is longer than 255 characters or has control characters");
    }
    Ok(name)
}

/// The suffix of a login name.
pub(crate) fn suffix(name: &str) -> &str {
    name.rsplit_once('@').map_or("", |(_, suffix)| suffix)
}

/// The name of a Platform group.
pub(crate) fn group_name(display_name: Option<&str>) -> Result<String, ApplyError> {
    let invalid = |reason| {
        Err(ApplyError::Invalid {
            field: "group.display_name",
            reason,
        })
    };
    match display_name.map(str::trim).unwrap_or_default() {
        "" => invalid("is missing"),
        name if name.chars().count() > MAX_NAME => invalid("is longer than 255 characters"),
        name if name.chars().any(char::is_control) => invalid("has control characters"),
        name => Ok(name.to_owned()),
    }
}

fn text(value: Option<&String>) -> Option<String> {
    value
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

fn of_type(values: &[MultiValue], kind: &str) -> Option<String> {
    let is_kind = |value: &&MultiValue| {
        value
            .r#type
            .as_deref()
            .is_some_and(|given| given.eq_ignore_ascii_case(kind))
    };
    let of_kind = || values.iter().filter(is_kind);
    let primary = of_kind().find(|value| value.primary == Some(true));
    primary
        .into_iter()
        .chain(of_kind())
        .find_map(|value| text(value.value.as_ref()))
}

/// The work address; else the primary one; else the first.
fn mail(emails: &[MultiValue]) -> Option<String> {
    let primary = emails.iter().filter(|email| email.primary == Some(true));
    of_type(emails, "work").or_else(|| primary.chain(emails).find_map(|email| text(email.value.as_ref())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::tests::platform;

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
        let desired = Desired::of(&user, Some("boss"), &platform(&[]).unwrap()).unwrap();
        let expected = json!({
            "Name": "anna@example.com", "DisplayName": "Anna", "Mail": "w@x", "OfficeNumber": "1", "MobileNumber": "2",
            "HomeNumber": "3", "PreferredCulture": "de-DE", "ReportsTo": "boss",
        });
        assert_eq!(Value::Object(desired.to_create()), expected);
        assert_eq!(desired.active, Some(false));
    }

    #[test]
    fn the_login_name_stands_in_for_what_is_missing() {
        let desired = Desired::of(&named("anna@example.com"), None, &platform(&[]).unwrap()).unwrap();
        let name = "anna@example.com";
        assert_eq!(
            Value::Object(desired.to_create()),
            json!({"Name": name, "DisplayName": name, "Mail": name})
        );
    }

    #[test]
    fn mail_is_the_work_address_or_the_next_best() {
        for (emails, mail_is) in [
            (vec![value("home", "h", true), value("work", "w", false)], Some("w")),
            (vec![value("work", "w1", false), value("work", "w2", true)], Some("w2")),
            (vec![value("home", "h", false), value("other", "o", true)], Some("o")),
            (vec![value("", " ", true), value("home", "h", false)], Some("h")),
            (vec![], None),
        ] {
            assert_eq!(mail(&emails).as_deref(), mail_is);
        }
    }

    #[test]
    fn login_names_get_their_suffix() {
        let arguments = [
            "--default-suffix",
            "@corp.example",
            "--suffix-map",
            "old.example=new.example",
        ];
        let config = platform(&arguments).unwrap();
        for (user_name, name) in [
            ("anna", Ok("anna@corp.example")),
            (" anna@x.example ", Ok("anna@x.example")),
            ("anna@OLD.example", Ok("anna@new.example")),
            ("a@b@old.example", Ok("a@b@new.example")),
            ("", Err(())),
            ("@x", Err(())),
            ("x@", Err(())),
            ("a\nb@x", Err(())),
        ] {
            assert_eq!(
                login_name(user_name, &config).as_deref().map_err(drop),
                name,
                "{user_name:?}"
            );
        }
        assert!(login_name("anna", &platform(&[]).unwrap()).is_err());
        assert!(login_name(&format!("{}@x", "a".repeat(300)), &config).is_err());
    }

    #[test]
    fn only_what_differs_is_written() {
        let desired = Desired::of(&named("anna@x"), None, &platform(&[]).unwrap()).unwrap();
        let row = |value: Value| match value {
            Value::Object(row) => Row(row),
            _ => unreachable!("an object literal"),
        };
        let same =
            row(json!({"DisplayName": "anna@x", "Mail": "anna@x", "ReportsTo": "Unassigned", "HomeNumber": null}));
        assert!(desired.difference(&same, ClearValue::Empty).is_empty());
        let other = row(json!({"DisplayName": "Anna", "Mail": "anna@x", "ReportsTo": "boss"}));
        let empty = desired.difference(&other, ClearValue::Empty);
        assert_eq!(Value::Object(empty), json!({"DisplayName": "anna@x", "ReportsTo": ""}));
        assert_eq!(desired.difference(&other, ClearValue::Null)["ReportsTo"], Value::Null);
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
            let desired = Desired::of(&user, manager.as_deref(), &platform(&[]).unwrap()).unwrap();
            prop_assert!(desired.difference(&Row(desired.to_create()), ClearValue::Empty).is_empty());
        }
    }
}
