//! What one account shall be, and in what it differs from what it is.

use std::sync::Arc;

use proto::{adapter::v1::PlatformUser, resource::v1::User};
use serde_json::{Map, Value};

use crate::{
    config::ClearValue,
    error::ApplyError,
    platform::rows::{self, Row},
};

use super::{
    Mapping,
    fields::{NAME, NO_MANAGER, REPORTS_TO},
    table::{Clear, Source, When},
};

const NOT_SCIM: ApplyError = ApplyError::Invalid {
    field: "user.extensions",
    reason: "has a text that is not JSON",
};

/// What a Platform account shall be.
#[derive(Clone)]
pub(crate) struct Desired {
    /// The login name.
    pub(crate) name: String,
    /// Whether it may be used; `None` leaves that as it is.
    pub(crate) active: Option<bool>,
    fields: Vec<Wanted>,
}

/// What one field shall be.
#[derive(Clone)]
struct Wanted {
    name: Arc<str>,
    /// `None` clears it, or leaves it alone.
    value: Option<String>,
    when: When,
    clear: Clear,
    /// Whether the user alone says what it shall be.
    of_user: bool,
}

impl Wanted {
    /// Whether an account that is there shall have this.
    fn is_kept_up(&self) -> bool {
        self.when == When::Always && (self.value.is_some() || self.clear == Clear::Clear)
    }

    fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

impl Desired {
    /// What the account of a user shall be.
    pub(crate) fn of(user: &User, manager: Option<&str>, mapping: &Mapping) -> Result<Self, ApplyError> {
        let login_name = mapping.names.login(user.user_name.as_deref().unwrap_or_default())?;
        let Ok(Value::Object(document)) = serde_json::to_value(user) else {
            return Err(NOT_SCIM);
        };
        mapping.tell_unmapped(&document);
        let source = Source {
            user: &document,
            login_name: &login_name,
            manager,
        };
        let fields = mapping.fields.iter().map(|field| Wanted {
            name: Arc::clone(&field.name),
            value: field.value(&source),
            when: field.when,
            clear: field.clear,
            of_user: !field.names_manager(),
        });
        Ok(Self {
            active: user.active,
            fields: fields.collect(),
            name: login_name,
        })
    }

    /// The fields to create the account with.
    pub(crate) fn to_create(&self) -> Map<String, Value> {
        let given = self
            .fields
            .iter()
            .filter_map(|field| Some((&*field.name, field.value.clone()?)));
        let name = std::iter::once((NAME, self.name.clone()));
        name.chain(given)
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect()
    }

    /// The account as the Platform would list it. What is not kept up, or depends on more than the user, is not expected to
    /// be anything.
    pub(crate) fn listed(&self) -> PlatformUser {
        let field = |name: &str| {
            let found = self.fields.iter().find(|field| &*field.name == name);
            found
                .filter(|field| field.of_user && field.is_kept_up())
                .map(|field| field.text().to_owned())
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
        let wanted = self.fields.iter().find(|wanted| &*wanted.name == field);
        let seen = shown(now, field);
        now.has(field) && seen == shown(before, field) && seen != wanted.map(Wanted::text).unwrap_or_default()
    }

    /// The fields in which an account differs, with what they shall be.
    pub(crate) fn difference(&self, account: &Row, clear: ClearValue) -> Map<String, Value> {
        let cleared = match clear {
            ClearValue::Empty => Value::String(String::new()),
            ClearValue::Null => Value::Null,
        };
        let kept_up = self.fields.iter().filter(|field| field.is_kept_up());
        let differing = kept_up.filter(|field| shown(account, &field.name) != field.text());
        let value = |wanted: &Option<String>| wanted.clone().map_or_else(|| cleared.clone(), Value::String);
        differing
            .map(|field| (field.name.as_ref().to_owned(), value(&field.value)))
            .collect()
    }
}

/// What an account has in a field, as the text that would be written. A field of a tenant's own may be a number or a truth
/// value there.
fn shown(account: &Row, name: &str) -> String {
    match rows::column(&account.0, name) {
        Some(Value::String(text)) if name == REPORTS_TO && text.eq_ignore_ascii_case(NO_MANAGER) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
