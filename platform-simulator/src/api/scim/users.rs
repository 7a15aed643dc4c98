//! Users over SCIM: a document is made of an account and an account of a document; the rules are those of the RPC calls.

use std::sync::Arc;

use http::StatusCode;
use http::header::HOST;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::discovery::USER;
use super::filter::{Condition, Path};
use super::list::{Question, bad_filter};
use super::patch::{apply, steps};
use super::{Answer, Ask, Refusal, Reply, ids};
use crate::api::params::{member, text};
use crate::api::users::{
    changed, check_policy, check_suffix, enabled_state, end_tokens, hold_back, in_everybody, taken,
};
use crate::envelope::Failure;
use crate::platform::{ADMIN_ID, CALLER_ID};
use crate::profile::Profile;
use crate::records::{User, fold};
use crate::state::Op;

pub(super) fn create(ask: &Ask<'_>) -> Answer {
    let (profile, document) = (ask.profile, ask.json()?);
    let mut user = User {
        id: Uuid::new_v4().to_string(),
        state: "None".to_owned(),
        source_ds: "CDS".to_owned(),
        in_everybody_role: true,
        create_date: Timestamp::now().as_millisecond(),
        version: 1,
        ..User::default()
    };
    fill(&mut user, &document, profile)?;
    check_suffix(profile, &user.name).map_err(Refusal::invalid)?;
    let user = Arc::new(user);
    let ((), commit) = ask.platform.change(|state| {
        if taken(state, profile, &user.name).is_some() {
            return Err(Refusal::taken(Failure::new(&profile.texts.duplicate_user, &user.name)));
        }
        Ok((vec![Op::User(Arc::clone(&user)), in_everybody(&user)], ()))
    })?;
    Ok(Reply {
        status: StatusCode::CREATED,
        body: resource(ask, &user),
        object: user.id.clone(),
        commit,
    })
}

pub(super) fn read(ask: &Ask<'_>) -> Answer {
    let question = Question::of(ask)?;
    let id = ask.id();
    let found = ask.platform.read(|state| ids::user(state, ask.profile, &id).cloned());
    let user = found.ok_or_else(|| unknown(ask, &id))?;
    let resource = resource(ask, &ask.platform.seen(&user));
    Ok(Reply::read(question.shape(resource), &user.id))
}

pub(super) fn list(ask: &Ask<'_>) -> Answer {
    let question = Question::of(ask)?;
    let tests: Vec<_> = question.conditions.iter().map(Test::of).collect::<Result<_, _>>()?;
    let name = tests
        .iter()
        .find(|test| test.field == Field::UserName)
        .map(|test| test.value.clone());
    let matches = |user: &&Arc<User>| ask.profile.shows(user) && tests.iter().all(|test| test.holds(ask.profile, user));
    let found: Vec<Arc<User>> = ask.platform.read(|state| match name {
        Some(name) => {
            let namesakes = [true, false].map(|local| state.namesake(&name, local));
            namesakes.into_iter().flatten().filter(matches).cloned().collect()
        }
        None => state
            .users_by_name()
            .map(|(_, user)| user)
            .filter(matches)
            .cloned()
            .collect(),
    });
    let page = question.page(&found, |user| resource(ask, &ask.platform.seen(user)));
    Ok(Reply::read(page, ""))
}

pub(super) fn replace(ask: &Ask<'_>) -> Answer {
    let document = ask.json()?;
    let reply = edit(ask, |_| Ok(document))?;
    let user = ask.platform.read(|state| state.user(&reply.object).cloned());
    Ok(Reply {
        status: StatusCode::OK,
        body: user.map_or(Value::Null, |user| resource(ask, &ask.platform.seen(&user))),
        ..reply
    })
}

pub(super) fn change(ask: &Ask<'_>) -> Answer {
    let body = ask.json()?;
    let steps = steps(&body)?;
    edit(ask, |user| {
        let mut document = resource(ask, user);
        if let Value::Object(document) = &mut document {
            steps.iter().try_for_each(|step| apply(document, step))?;
        }
        Ok(document)
    })
}

/// Gone for good, also from every group.
pub(super) fn delete(ask: &Ask<'_>) -> Answer {
    let (id, texts) = (ask.id(), &ask.profile.texts);
    let (object, commit) = ask.platform.change(|state| {
        let user = ids::user(state, ask.profile, &id).ok_or_else(|| unknown(ask, &id))?;
        let text = match user.id.as_str() {
            CALLER_ID => &texts.remove_caller,
            ADMIN_ID => &texts.system_administrator,
            id => return Ok((vec![Op::UserGone(id.to_owned())], id.to_owned())),
        };
        Err(forbidden(Failure::new(text, &user.name)))
    })?;
    Ok(Reply::done(object, commit))
}

/// Makes the account what a document says, which is made of it as it is now.
fn edit(ask: &Ask<'_>, document: impl FnOnce(&User) -> Result<Value, Refusal>) -> Answer {
    let (id, profile) = (ask.id(), ask.profile);
    let texts = &profile.texts;
    let (old, commit) = ask.platform.change(|state| {
        let old = ids::user(state, profile, &id).ok_or_else(|| unknown(ask, &id))?;
        if !old.is_local() {
            return Err(forbidden(Failure::new(&texts.not_local, &old.name)));
        }
        let mut new = User::clone(old);
        fill(&mut new, &document(old)?, profile)?;
        if new.name != old.name {
            check_suffix(profile, &new.name).map_err(Refusal::invalid)?;
        }
        if taken(state, profile, &new.name).is_some_and(|other| other.id != old.id) {
            return Err(Refusal::taken(Failure::new(&texts.duplicate_user, &new.name)));
        }
        if old.id == ADMIN_ID && new.state.contains("Disabled") {
            return Err(forbidden(Failure::new(&texts.system_administrator, &old.name)));
        }
        Ok((changed(old, new), Arc::clone(old)))
    })?;
    hold_back(ask.platform, profile, &old);
    end_tokens(ask.platform, profile, &old.id);
    Ok(Reply::done(old.id.clone(), commit))
}

/// Takes over what the document says; what it does not say is cleared, and whoever is not said to be inactive is active.
fn fill(user: &mut User, document: &Value, profile: &Profile) -> Result<(), Refusal> {
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

fn resource(ask: &Ask<'_>, user: &User) -> Value {
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

fn unknown(ask: &Ask<'_>, id: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Failure::new(&ask.profile.texts.unknown_user, id))
}

pub(super) fn forbidden(failure: Failure) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, failure)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Id,
    UserName,
    ExternalId,
    DisplayName,
    Mail,
    Active,
    /// One that nobody has a value for.
    None,
}

/// A condition of a filter.
struct Test {
    field: Field,
    value: String,
}

impl Test {
    fn of(condition: &Condition) -> Result<Self, Refusal> {
        let Path { attribute, of, part } = &condition.path;
        let part = part.as_deref();
        let is_work = |of: &[Condition]| {
            of.iter()
                .all(|of| of.path.attribute == "type" && of.text().eq_ignore_ascii_case("work"))
        };
        let field = match (attribute.as_str(), part) {
            ("id", None) if of.is_empty() => Field::Id,
            ("username", None) if of.is_empty() => Field::UserName,
            ("externalid", None) if of.is_empty() => Field::ExternalId,
            ("displayname", None) if of.is_empty() => Field::DisplayName,
            ("active", None) if of.is_empty() => Field::Active,
            ("emails", Some("value") | None) if is_work(of) => Field::Mail,
            ("emails", Some("value")) => Field::None,
            _ => return Err(bad_filter()),
        };
        let value = condition.text();
        Ok(Self { field, value })
    }

    fn holds(&self, profile: &Profile, user: &User) -> bool {
        let same = |text: &str| fold(text) == fold(&self.value);
        match self.field {
            Field::Id => ids::outer(profile, &user.id) == self.value,
            Field::UserName => same(&user.name),
            Field::ExternalId => user.external_id == self.value,
            Field::DisplayName => same(&user.display_name),
            Field::Mail => same(&user.mail),
            Field::Active => (!user.state.contains("Disabled")).to_string() == self.value,
            Field::None => false,
        }
    }
}
