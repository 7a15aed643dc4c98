//! The parameters of a call: members of the JSON body or of the query string, in any letter case.
//! Booleans may come as strings, numbers as either. It knows no call.

use axum::body::Bytes;
use axum::extract::Query;
use http::Uri;
use serde_json::Value;

use crate::envelope::Failure;

/// What the client sent along.
pub(super) struct Params {
    body: Value,
    query: Vec<(String, String)>,
}

impl Params {
    /// An empty body is no parameters; a body that is not JSON fails the call.
    pub(super) fn parse(uri: &Uri, body: &Bytes) -> Result<Self, Failure> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map(|Query(query)| query)
            .unwrap_or_default();
        let body = match body.trim_ascii() {
            [] => Value::Null,
            text => serde_json::from_slice(text).map_err(|_| Failure::new("The request is not valid JSON.", ""))?,
        };
        Ok(Self { body, query })
    }

    /// The body as it came.
    pub(super) fn body(&self) -> &Value {
        &self.body
    }

    /// The body's member of this name, null included.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        member(&self.body, name)
    }

    /// The parameter as text; null is the same as absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.member(name) {
            Some(value) => text(value),
            None => {
                let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            }
        }
    }

    /// The parameter as text that is not empty.
    pub(super) fn filled(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.trim().is_empty())
    }

    /// The parameter as a boolean.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.text(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// The parameter as a list of texts; absent is empty.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.member(name).map(texts).unwrap_or_default()
    }
}

/// An object's member in any letter case.
pub(super) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let object = object.as_object()?;
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// A scalar as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The texts of a list; a single scalar is a list of one.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().filter_map(text).collect(),
        single => text(single).into_iter().collect(),
    }
}
