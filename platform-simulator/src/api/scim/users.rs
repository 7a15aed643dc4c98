//! Users over SCIM, by the rules of the RPC calls.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::document::{fill, resource};
use super::filter::{Condition, Path};
use super::list::{Question, bad_filter};
use super::patch::{apply, steps};
use super::{Answer, Ask, Refusal, Reply, ids};
use crate::api::rules::{changed, check_name, renamed, taken};
use crate::api::states::end_tokens;
use crate::api::users::{hold_back, in_everybody};
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
    check_name(profile, &user.name).map_err(Refusal::invalid)?;
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
        new.name = renamed(profile, old, new.name).map_err(Refusal::invalid)?;
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
