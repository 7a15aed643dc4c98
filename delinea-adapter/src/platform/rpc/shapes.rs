//! How a tenant's answers look: what differs from tenant to tenant and is told to whoever looks into one. Nothing is decided
//! by it.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::super::rows::Row;

/// What was seen last.
#[derive(Debug, Default)]
pub(crate) struct Shapes(Mutex<Seen>);

/// The shapes of one tenant; empty: not seen yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How columns of reports are spelled: `lower`, `pascal` or `mixed`.
    pub(crate) columns: &'static str,
    /// The ids of accounts: `uuid` or `other`.
    pub(crate) user_ids: &'static str,
    /// The ids of groups: `uuid`, `uuid with underscores` or `other`.
    pub(crate) role_ids: &'static str,
}

impl Shapes {
    pub(crate) fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a row of a list of accounts.
    pub(crate) fn user(&self, row: &Row) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.columns = casing(row);
        seen.user_ids = id_shape(row.text("ID"));
    }

    /// Takes in a row of a list of groups.
    pub(crate) fn role(&self, row: &Row) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.columns.is_empty() {
            seen.columns = casing(row);
        }
        seen.role_ids = id_shape(row.text("ID"));
    }
}

/// `ID` is spelled so everywhere.
fn casing(row: &Row) -> &'static str {
    let names = || row.0.keys().filter(|name| !name.eq_ignore_ascii_case("id"));
    let lower = |name: &String| !name.contains(char::is_uppercase);
    let pascal = |name: &String| name.starts_with(char::is_uppercase);
    match () {
        () if names().next().is_none() => "",
        () if names().all(lower) => "lower",
        () if names().all(pascal) => "pascal",
        () => "mixed",
    }
}

fn id_shape(id: &str) -> &'static str {
    match () {
        () if Uuid::parse_str(id).is_ok() => "uuid",
        () if Uuid::parse_str(&id.replace('_', "-")).is_ok() => "uuid with underscores",
        () => "other",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn shapes_are_named() {
        let row = |value: Value| match value {
            Value::Object(row) => Row(row),
            _ => unreachable!("an object literal"),
        };
        for (value, name) in [
            (json!({"ID": "1", "displayname": ""}), "lower"),
            (json!({"ID": "1", "DisplayName": ""}), "pascal"),
            (json!({"ID": "1", "DisplayName": "", "email": ""}), "mixed"),
            (json!({"ID": "1"}), ""),
        ] {
            assert_eq!(casing(&row(value.clone())), name, "{value}");
        }
        for (id, shape) in [
            ("5ca1ab1e-0000-4000-8000-000000000001", "uuid"),
            ("5ca1ab1e_0000_4000_8000_000000000001", "uuid with underscores"),
            ("Everybody", "other"),
            ("", "other"),
        ] {
            assert_eq!(id_shape(id), shape, "{id}");
        }
    }
}
