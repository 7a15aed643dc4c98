//! An account as a SCIM document, and a document as an account.

use http::header::HOST;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::discovery::USER;
use super::{Ask, Refusal, ids};
use crate::api::params::{member, text};
use crate::api::rules::check_policy;
use crate::api::states::enabled_state;
use crate::envelope::Failure;
use crate::profile::Profile;
use crate::records::{User, fold};

/// Takes over what the document says; what it does not say is cleared, and whoever is not said to be inactive is active.
pub(super) fn fill(user: &mut User, document: &Value, profile: &Profile) -> Result<(), Refusal> {
    let said = |name: &str| member(document, name).and_then(text).unwrap_or_default();
    let missing = |name: &str| Refusal::invalid(Failure::new(&profile.texts.missing_parameter, name));
    let is_new = user.name.is_empty();
    let user_name = said("userName");
    if user_name.trim().is_empty() {
        return Err(missing("userName"));
    }
    // Answers have it in lower case; whoever sends that back renames nobody.
    if user_name != fold(&user.name) {
        user.name = user_name;
    }
    check_policy(profile, member(document, "password").and_then(text), false).map_err(Refusal::invalid)?;
    let part = |name: &str| {
        let parts = member(document, "name")?;
        member(parts, name).and_then(text)
    };
    user.given_name = part("givenName").unwrap_or_default();
    user.family_name = part("familyName").unwrap_or_default();
    let formatted = part("formatted").unwrap_or_else(|| format!("{} {}", user.given_name, user.family_name));
    let shown = Some(said("displayName"))
        .filter(|name| !name.is_empty())
        .unwrap_or(formatted);
    // An account that was made without one over RPC may stay without one.
    if shown.trim().is_empty() && (is_new || !user.display_name.is_empty()) {
        return Err(missing("displayName"));
    }
    shown.trim().clone_into(&mut user.display_name);
    user.external_id = said("externalId");
    user.preferred_culture = said("preferredLanguage");
    user.mail = value_of(document, "emails", "work", true);
    user.office_number = value_of(document, "phoneNumbers", "work", false);
    user.mobile_number = value_of(document, "phoneNumbers", "mobile", false);
    user.home_number = value_of(document, "phoneNumbers", "home", false);
    let active = match said("active").to_ascii_lowercase().as_str() {
        "" | "true" => true,
        "false" => false,
        _ => {
            return Err(Refusal::invalid(Failure::new(
                &profile.texts.invalid_parameter,
                "active",
            )));
        }
    };
    user.state = enabled_state(&user.state, active);
    if profile.disabling_ends_sessions && !active {
        user.sessions = 0;
    }
    Ok(())
}

/// The value of this type, or else, where any will do, the primary or the first.
fn value_of(document: &Value, name: &str, kind: &str, any: bool) -> String {
    let entries = match member(document, name) {
        Some(Value::Array(entries)) => entries.as_slice(),
        _ => &[],
    };
    let of_type = |entry: &&Value| {
        let its = member(entry, "type").and_then(text);
        its.is_some_and(|its| its.eq_ignore_ascii_case(kind))
    };
    let primary = |entry: &&Value| member(entry, "primary") == Some(&json!(true));
    let other = || entries.iter().find(primary).or(entries.first()).filter(|_| any);
    let entry = entries.iter().find(of_type).or_else(other);
    let value = entry.and_then(|entry| member(entry, "value")).and_then(text);
    value.unwrap_or_default()
}

pub(super) fn resource(ask: &Ask<'_>, user: &User) -> Value {
    let id = ids::outer(ask.profile, &user.id);
    let numbers = [
        ("work", &user.office_number),
        ("mobile", &user.mobile_number),
        ("home", &user.home_number),
    ];
    let numbers = numbers.into_iter().filter(|(_, number)| !number.is_empty());
    let numbers: Vec<_> = numbers
        .map(|(kind, number)| json!({ "type": kind, "value": number }))
        .collect();
    let mails = if user.mail.is_empty() {
        json!([])
    } else {
        json!([{ "type": "work", "value": user.mail, "primary": true }])
    };
    let created = Timestamp::from_millisecond(user.create_date).unwrap_or_default();
    let mut resource = json!({
        "schemas": [USER],
        "id": id,
        "userName": fold(&user.name),
        "displayName": user.display_name,
        "active": !user.state.contains("Disabled"),
        "emails": mails,
        "meta": {
            "resourceType": "User",
            "created": created.to_string(),
            "version": format!("W/\"{}\"", user.version),
            "location": location(ask, "Users", &id),
        },
    });
    for (name, value) in [
        ("externalId", &user.external_id),
        ("preferredLanguage", &user.preferred_culture),
    ] {
        if !value.is_empty() {
            resource[name] = json!(value);
        }
    }
    for (name, value) in [("givenName", &user.given_name), ("familyName", &user.family_name)] {
        if !value.is_empty() {
            resource["name"][name] = json!(value);
        }
    }
    if !numbers.is_empty() {
        resource["phoneNumbers"] = json!(numbers);
    }
    resource
}

/// Where a resource is, as the client sees this endpoint.
pub(super) fn location(ask: &Ask<'_>, kind: &str, id: &str) -> String {
    let host = ask.parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let base = host.map_or_else(String::new, |host| format!("http://{host}"));
    format!("{base}/scim/v2/{kind}/{id}")
}
