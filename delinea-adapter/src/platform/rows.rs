//! Rows of reports and attributes of objects. The Platform spells columns differently from tenant to tenant, so they are
//! found without regard to case, spaces and underscores.

use serde_json::{Map, Value};

/// A row, or an object's attributes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row(pub(crate) Map<String, Value>);

impl Row {
    /// The column's text; empty when it is absent, null, or no text.
    pub(crate) fn text(&self, name: &str) -> &str {
        column(&self.0, name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The first of several columns that has a text.
    pub(crate) fn first(&self, names: &[&str]) -> &str {
        names
            .iter()
            .map(|name| self.text(name))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    }

    /// Whether there is such a column.
    pub(crate) fn has(&self, name: &str) -> bool {
        column(&self.0, name).is_some()
    }

    /// The column's truth value, if it has one.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        column(&self.0, name).and_then(flag)
    }
}

/// A member of an object, by a name spelled in any way.
pub(crate) fn column<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| same_column(key, name))
            .map(|(_, value)| value)
    })
}

/// Whether two names are of one column.
pub(crate) fn same_column(one: &str, other: &str) -> bool {
    plain(one).eq(plain(other))
}

/// A column's name in the one form that all its spellings have.
pub(crate) fn folded(name: &str) -> Vec<u8> {
    plain(name).collect()
}

fn plain(name: &str) -> impl Iterator<Item = u8> {
    name.bytes()
        .filter(|byte| !matches!(byte, b' ' | b'_'))
        .map(|byte| byte.to_ascii_lowercase())
}

/// A truth value in any of the forms that the Platform writes.
pub(crate) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::Number(number) => number.as_u64().and_then(|number| match number {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }),
        _ => None,
    }
}

/// The id that a call which creates answers with: the text itself, or a member of an object.
pub(crate) fn created_id(result: &Value) -> Option<String> {
    let id = match result {
        Value::String(id) => Some(id.as_str()),
        Value::Object(object) => ["ID", "_RowKey", "Uuid"]
            .iter()
            .find_map(|name| column(object, name).and_then(Value::as_str)),
        _ => None,
    };
    id.map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_found_however_they_are_spelled() {
        let Value::Object(row) = json!({"ID": "1", "directory service uuid": "cds", "ServiceUser": "True", "n": 1})
        else {
            unreachable!("an object literal");
        };
        let row = Row(row);
        assert_eq!(row.text("id"), "1");
        assert_eq!(row.text("DirectoryServiceUuid"), "cds");
        assert_eq!(row.flag("serviceuser"), Some(true));
        assert_eq!(row.flag("n"), Some(true));
        assert_eq!((row.text("n"), row.flag("ID"), row.text("absent")), ("", None, ""));
        assert_eq!(row.first(&["absent", "ID"]), "1");
    }

    #[test]
    fn a_created_id_is_found_in_each_shape() {
        for (result, id) in [
            (json!("1"), Some("1")),
            (json!({"ID": "1"}), Some("1")),
            (json!({"_RowKey": "1_2"}), Some("1_2")),
            (json!(""), None),
            (json!({"ID": ""}), None),
            (json!(null), None),
            (json!(7), None),
        ] {
            assert_eq!(created_id(&result).as_deref(), id, "{result}");
        }
    }
}
