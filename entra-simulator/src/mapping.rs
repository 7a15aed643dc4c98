//! Entra's default attribute mapping: which directory value goes where in SCIM, how it is read back from an answer,
//! and the bodies of POST requests (R07, R08).

pub(crate) mod patch;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    directory::{Group, User},
    endpoint::equals,
    knobs::{Booleans, GroupMatching, Knobs, Matching},
};

pub(crate) const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The vendor schema that Entra lists on groups.
const VENDOR_GROUP_URN: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

/// Where a mapped value stands in a SCIM user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A simple attribute of the resource.
    Top(&'static str),
    /// A sub-attribute of a single-valued complex attribute.
    Sub(&'static str, &'static str),
    /// A sub-attribute of the element of a list that has this `type`.
    Typed {
        list: &'static str,
        kind: &'static str,
        sub: &'static str,
    },
    /// An attribute of the enterprise extension.
    Enterprise(&'static str),
}

impl Place {
    /// The attribute path as PATCH requests and filters write it.
    pub(crate) fn path(self) -> String {
        match self {
            Self::Top(name) => name.to_owned(),
            Self::Sub(parent, name) => format!("{parent}.{name}"),
            Self::Typed { list, kind, sub } => format!("{list}[type eq \"{kind}\"].{sub}"),
            Self::Enterprise(name) => format!("{ENTERPRISE_URN}:{name}"),
        }
    }

    /// The value that a resource shows here. Names must have the RFC's spelling; an empty text counts as absent,
    /// and what is not a text is shown as JSON, which no directory value equals.
    pub(crate) fn read(self, resource: &Value) -> Option<String> {
        let value = match self {
            Self::Top(name) => &resource[name],
            Self::Sub(parent, name) => &resource[parent][name],
            Self::Typed { list, kind, sub } => {
                let is_kind = |element: &&Value| element["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(kind));
                &resource[list].as_array()?.iter().find(is_kind)?[sub]
            }
            Self::Enterprise(name) => &resource[ENTERPRISE_URN][name],
        };
        shown(value)
    }

    fn write(self, resource: &mut Map<String, Value>, value: &str) {
        match self {
            Self::Top(name) => {
                resource.insert(name.to_owned(), value.into());
            }
            Self::Sub(parent, name) => object_at(resource, parent, name, value),
            Self::Enterprise(name) => object_at(resource, ENTERPRISE_URN, name, value),
            Self::Typed { list, kind, sub } => {
                let elements = resource.entry(list).or_insert_with(|| json!([]));
                let Some(elements) = elements.as_array_mut() else {
                    return;
                };
                let place = elements
                    .iter()
                    .position(|element| element["type"] == kind)
                    .unwrap_or_else(|| {
                        elements.push(match list {
                            "emails" => json!({"primary": true, "type": kind}),
                            "addresses" => json!({"type": kind, "primary": false}),
                            _ => json!({"type": kind}),
                        });
                        elements.len() - 1
                    });
                elements[place][sub] = value.into();
            }
        }
    }
}

fn object_at(resource: &mut Map<String, Value>, parent: &str, name: &str, value: &str) {
    resource.entry(parent).or_insert_with(|| json!({}))[name] = value.into();
}

pub(crate) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

const fn typed(list: &'static str, kind: &'static str, sub: &'static str) -> Place {
    Place::Typed { list, kind, sub }
}

/// The work address, which the Platform knows as the account's mail.
pub(crate) const WORK_MAIL: Place = typed("emails", "work", "value");
/// The work telephone.
pub(crate) const WORK_PHONE: Place = typed("phoneNumbers", "work", "value");
/// The mobile telephone.
pub(crate) const MOBILE_PHONE: Place = typed("phoneNumbers", "mobile", "value");
/// The language tag.
pub(crate) const LANGUAGE: Place = Place::Top("preferredLanguage");

/// The default mapping of a user without `active` and the manager, which have rules of their own. A value that is
/// empty in the directory does not flow.
pub(crate) fn user_values(user: &User) -> Vec<(Place, Option<String>)> {
    let formatted = format!("{} {}", user.given_name, user.surname);
    let some = |text: &String| Some(text.clone());
    vec![
        (Place::Top("userName"), some(&user.user_principal_name)),
        (Place::Top("externalId"), some(&user.mail_nickname)),
        (Place::Top("displayName"), some(&user.display_name)),
        (Place::Top("title"), user.job_title.clone()),
        (LANGUAGE, user.preferred_language.clone()),
        (Place::Sub("name", "givenName"), some(&user.given_name)),
        (Place::Sub("name", "familyName"), some(&user.surname)),
        (Place::Sub("name", "formatted"), Some(formatted)),
        (WORK_MAIL, user.mail.clone()),
        (typed("addresses", "work", "formatted"), user.office.clone()),
        (typed("addresses", "work", "streetAddress"), user.street_address.clone()),
        (typed("addresses", "work", "locality"), user.city.clone()),
        (typed("addresses", "work", "region"), user.state.clone()),
        (typed("addresses", "work", "postalCode"), user.postal_code.clone()),
        (typed("addresses", "work", "country"), user.country.clone()),
        (WORK_PHONE, user.telephone_number.clone()),
        (MOBILE_PHONE, user.mobile.clone()),
        (typed("phoneNumbers", "fax", "value"), user.facsimile.clone()),
        (Place::Enterprise("employeeNumber"), user.employee_id.clone()),
        (Place::Enterprise("department"), user.department.clone()),
    ]
}

/// The values that flow to SCIM when this user is written, by path.
pub(crate) fn flowing(user: &User) -> BTreeMap<String, String> {
    user_values(user)
        .into_iter()
        .filter_map(|(place, value)| Some((place.path(), value?)))
        .collect()
}

/// The default mapping of a group without its members.
pub(crate) fn group_values(group: &Group) -> [(Place, String); 2] {
    [
        (Place::Top("displayName"), group.display_name.clone()),
        (Place::Top("externalId"), group.object_id.clone()),
    ]
}

/// The id of the manager that a user resource shows.
pub(crate) fn shown_manager(resource: &Value) -> Option<String> {
    shown(&resource[ENTERPRISE_URN]["manager"]["value"])
}

/// R07: the body of a POST. Both schemas are always listed; the manager follows later as a reference.
pub(crate) fn new_user(user: &User, knobs: &Knobs) -> Value {
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!([USER_URN, ENTERPRISE_URN]));
    let style = if knobs.string_booleans_in_post {
        knobs.booleans()
    } else {
        Booleans::Json
    };
    body.insert("active".to_owned(), boolean(user.is_active(), style));
    for (place, value) in user_values(user) {
        if let Some(value) = value {
            place.write(&mut body, &value);
        }
    }
    body.insert("roles".to_owned(), json!([]));
    body.insert("meta".to_owned(), json!({"resourceType": "User"}));
    Value::Object(body)
}

/// R08: the body of a POST; members follow later as references.
pub(crate) fn new_group(group: &Group) -> Value {
    json!({
        "schemas": [GROUP_URN, VENDOR_GROUP_URN],
        "externalId": group.object_id,
        "displayName": group.display_name,
        "members": [],
        "meta": {"resourceType": "Group"},
    })
}

pub(crate) fn boolean(value: bool, style: Booleans) -> Value {
    match (style, value) {
        (Booleans::Json, value) => value.into(),
        (Booleans::LowerCase, value) => value.to_string().into(),
        (Booleans::Capitalised, true) => "True".into(),
        (Booleans::Capitalised, false) => "False".into(),
    }
}

impl Matching {
    fn place(self) -> Place {
        match self {
            Self::UserName => Place::Top("userName"),
            Self::ExternalId => Place::Top("externalId"),
            Self::WorkEmail => WORK_MAIL,
            Self::EmployeeNumber => Place::Enterprise("employeeNumber"),
        }
    }

    /// The R03 filter for a user, unless the user lacks the value.
    pub(crate) fn filter(self, user: &User) -> Option<String> {
        let (place, value) = user_values(user)
            .into_iter()
            .find(|(place, _)| *place == self.place())?;
        Some(equals(&place.path(), &value?))
    }

    /// A filter on this attribute for any value.
    pub(crate) fn filter_for(self, value: &str) -> String {
        equals(&self.place().path(), value)
    }
}

impl GroupMatching {
    /// The R04 filter for a group.
    pub(crate) fn filter(self, group: &Group) -> String {
        match self {
            Self::DisplayName => equals("displayName", &group.display_name),
            Self::ExternalId => equals("externalId", &group.object_id),
        }
    }

    /// A filter on this attribute for any value.
    pub(crate) fn filter_for(self, value: &str) -> String {
        match self {
            Self::DisplayName => equals("displayName", value),
            Self::ExternalId => equals("externalId", value),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A user with every mapped value.
    pub(crate) fn odile() -> User {
        let text = |text: &str| Some(text.to_owned());
        User {
            object_id: "0b1d0001-0000-4000-8000-000000000001".to_owned(),
            user_principal_name: "odile.marchetti@kestrelworks.example".to_owned(),
            mail_nickname: "omarchetti".to_owned(),
            display_name: "Odile Marchetti".to_owned(),
            given_name: "Odile".to_owned(),
            surname: "Marchetti".to_owned(),
            mail: text("odile@kestrelworks.example"),
            job_title: text("Rack technician"),
            department: text("Halls"),
            employee_id: text("K-0417"),
            telephone_number: text("5145550117"),
            mobile: text("5145550118"),
            facsimile: None,
            office: text("Hall 3"),
            street_address: None,
            city: text("Laval"),
            state: None,
            postal_code: None,
            country: None,
            preferred_language: text("fr-CA"),
            account_enabled: true,
            soft_deleted: false,
            assigned: true,
            manager: None,
        }
    }

    #[test]
    fn a_new_user_has_the_documented_shape() {
        let expected = json!({
            "schemas": [USER_URN, ENTERPRISE_URN],
            "externalId": "omarchetti",
            "userName": "odile.marchetti@kestrelworks.example",
            "active": true,
            "displayName": "Odile Marchetti",
            "title": "Rack technician",
            "preferredLanguage": "fr-CA",
            "name": {"formatted": "Odile Marchetti", "givenName": "Odile", "familyName": "Marchetti"},
            "emails": [{"primary": true, "type": "work", "value": "odile@kestrelworks.example"}],
            "addresses": [{"type": "work", "primary": false, "formatted": "Hall 3", "locality": "Laval"}],
            "phoneNumbers": [{"type": "work", "value": "5145550117"}, {"type": "mobile", "value": "5145550118"}],
            "roles": [],
            ENTERPRISE_URN: {"employeeNumber": "K-0417", "department": "Halls"},
            "meta": {"resourceType": "User"},
        });
        assert_eq!(new_user(&odile(), &Knobs::default()), expected);
        let knobs = Knobs {
            string_booleans_in_post: true,
            ..Knobs::default()
        };
        assert_eq!(new_user(&odile(), &knobs)["active"], "True");
    }

    #[test]
    fn what_is_written_is_read_back_from_the_same_place() {
        let user = odile();
        let body = new_user(&user, &Knobs::default());
        for (place, value) in user_values(&user) {
            assert_eq!(place.read(&body), value, "{}", place.path());
        }
        let odd = json!({"title": 7, "displayName": "", "active": "True", "emails": [{"type": "Work", "value": "x"}]});
        assert_eq!(Place::Top("title").read(&odd).as_deref(), Some("7"));
        assert_eq!(Place::Top("displayName").read(&odd), None);
        assert_eq!(WORK_MAIL.read(&odd).as_deref(), Some("x"));
        assert_eq!(
            shown_manager(&json!({ENTERPRISE_URN: {"manager": {"value": "m1"}}})).as_deref(),
            Some("m1")
        );
        assert_eq!(shown_manager(&body), None);
    }

    #[test]
    fn filters_name_the_matching_attribute() {
        let user = odile();
        for (matching, filter) in [
            (
                Matching::UserName,
                r#"userName eq "odile.marchetti@kestrelworks.example""#.to_owned(),
            ),
            (Matching::ExternalId, r#"externalId eq "omarchetti""#.to_owned()),
            (
                Matching::WorkEmail,
                r#"emails[type eq "work"].value eq "odile@kestrelworks.example""#.to_owned(),
            ),
            (
                Matching::EmployeeNumber,
                format!(r#"{ENTERPRISE_URN}:employeeNumber eq "K-0417""#),
            ),
        ] {
            assert_eq!(matching.filter(&user), Some(filter));
        }
        assert_eq!(Matching::WorkEmail.filter(&User { mail: None, ..user }), None);
    }
}
