//! What users have of which no Platform field is made: kept in SCIM, and told once for each attribute. A path is told, and
//! never a value, nor a label that a client chose.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use crate::metrics::Metrics;

use super::{
    attributes::ENTERPRISE_URN,
    path::{Path, member},
};

/// How many attributes are told at most.
const MOST: usize = 200;

/// Attributes that the gateway itself uses, or that are about the document.
const USED: &[&str] = &["schemas", "id", "externalId", "userName", "active", "groups", "meta"];

/// Labels that RFC 7643 §4.1.2 has; others are the client's.
const LABELS: &[&str] = &["work", "home", "mobile", "fax", "pager", "other"];

/// The attributes that were told.
pub(super) struct Unmapped {
    told: Mutex<BTreeSet<String>>,
    metrics: Metrics,
}

impl Unmapped {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            told: Mutex::default(),
            metrics,
        }
    }

    /// Whose users these are.
    pub(super) fn tenant(&self) -> &str {
        self.metrics.tenant()
    }

    /// Tells what this user has that was not told before.
    pub(super) fn tell(&self, user: &Map<String, Value>, paths: &[&Path], manager_is_mapped: bool) {
        for attribute in unmapped(user, paths, manager_is_mapped) {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= MOST || told.contains(&attribute) {
                continue;
            }
            tracing::info!(
                scim.tenant = self.metrics.tenant(),
                attribute,
                "users have an attribute that no Platform field is made of; it is kept in SCIM"
            );
            self.metrics.unmapped(&attribute);
            told.insert(attribute);
            if told.len() == MOST {
                tracing::info!(
                    scim.tenant = self.metrics.tenant(),
                    "further attributes of that kind are not told"
                );
            }
        }
    }
}

/// The attributes of a user that have a value, and that none of the paths is about.
fn unmapped(user: &Map<String, Value>, paths: &[&Path], manager_is_mapped: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in user {
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) {
            let is_enterprise = name.eq_ignore_ascii_case(ENTERPRISE_URN);
            for (attribute, value) in value.as_object().into_iter().flatten() {
                if !(is_enterprise && manager_is_mapped && attribute.eq_ignore_ascii_case("manager")) {
                    look(&mut found, paths, Some(name), attribute, value);
                }
            }
        } else if !USED.iter().any(|used| used.eq_ignore_ascii_case(name)) {
            look(&mut found, paths, None, name, value);
        }
    }
    found
}

fn look(found: &mut BTreeSet<String>, paths: &[&Path], urn: Option<&str>, attribute: &str, value: &Value) {
    let same = |one: &str, other: Option<&str>| other.is_some_and(|other| one.eq_ignore_ascii_case(other));
    let about = paths.iter().filter(|path| {
        let same_urn = urn.map_or(path.urn.is_none(), |urn| same(urn, path.urn.as_deref()));
        same_urn && path.attribute.eq_ignore_ascii_case(attribute)
    });
    let about: Vec<_> = about.collect();
    let named = || match urn {
        Some(urn) => format!("{urn}:{attribute}"),
        None => attribute.to_owned(),
    };
    match value {
        Value::Array(values) => {
            for value in values.iter().filter(|value| has_value(value)) {
                if !about.iter().any(|path| path.chooses(value)) {
                    let label = value.as_object().and_then(|parts| member(parts, "type")?.as_str());
                    let label = label.and_then(|label| LABELS.iter().find(|known| known.eq_ignore_ascii_case(label)));
                    let chosen = label.map(|label| format!("[type eq \"{label}\"]"));
                    found.insert(named() + &chosen.unwrap_or_default());
                }
            }
        }
        Value::Object(parts) => {
            for (part, _) in parts.iter().filter(|(_, value)| has_value(value)) {
                let is_value = part.eq_ignore_ascii_case("value");
                let covers = |path: &&&Path| match path.part.as_deref() {
                    None => is_value,
                    given => same(part, given),
                };
                if !about.iter().any(covers) {
                    found.insert(format!("{}.{part}", named()));
                }
            }
        }
        value if has_value(value) && about.is_empty() => {
            found.insert(named());
        }
        _ => {}
    }
}

/// Whether there is anything that could be mapped.
fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(values) => values.iter().any(has_value),
        Value::Object(parts) => parts.values().any(has_value),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            _ => unreachable!("an object literal"),
        }
    }

    #[test]
    fn what_no_path_is_about_is_found() {
        let user = object(json!({
            "schemas": ["x"], "id": "1", "externalId": "2", "userName": "anna@x", "active": true, "meta": {"version": "1"},
            "displayName": "Anna", "title": "Engineer", "nickName": " ",
            "name": {"givenName": "Anna", "familyName": "Berg", "middleName": ""},
            "emails": [{"value": "w", "type": "work"}, {"value": "h", "type": "Home"}, {"value": "o", "type": "Anna's own"}],
            "roles": [{"value": "admin", "primary": true}], "ims": [],
            "addresses": [{"locality": "Ume\u{e5}", "type": "work"}],
            ENTERPRISE_URN: {"department": "IT", "costCenter": "7", "manager": {"value": "3"}},
            "urn:x:2.0:User": {"tier": 3, "desk": {"seat": "4", "floor": 1}, "tags": ["a"], "none": null},
        }));
        let written = [
            "displayName",
            "emails[type eq \"work\"].value",
            "name.givenName",
            "addresses[type eq \"home\"].locality",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department",
            "urn:x:2.0:User:desk.seat",
        ];
        let paths: Vec<_> = written.iter().map(|path| Path::parse(path).unwrap()).collect();
        let paths: Vec<_> = paths.iter().collect();
        let found: Vec<_> = unmapped(&user, &paths, true).into_iter().collect();
        let manager = format!("{ENTERPRISE_URN}:manager.value");
        let mut expected = vec![
            "addresses[type eq \"work\"]".to_owned(),
            "emails".to_owned(),
            "emails[type eq \"home\"]".to_owned(),
            "name.familyName".to_owned(),
            "roles".to_owned(),
            "title".to_owned(),
            format!("{ENTERPRISE_URN}:costCenter"),
            "urn:x:2.0:User:desk.floor".to_owned(),
            "urn:x:2.0:User:tags".to_owned(),
            "urn:x:2.0:User:tier".to_owned(),
        ];
        assert_eq!(found, expected);
        expected.push(manager);
        expected.sort_unstable();
        let found: Vec<_> = unmapped(&user, &paths, false).into_iter().collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_is_told_once_and_no_more_than_so_many() {
        let unmapped = Unmapped::new(Metrics::new("default"));
        let told = || unmapped.told.lock().unwrap().len();
        let user = object(json!({"title": "a", "nickName": "b"}));
        for _ in 0..3 {
            unmapped.tell(&user, &[], true);
        }
        assert_eq!(told(), 2);
        for n in 0..MOST * 2 {
            unmapped.tell(&object(json!({format!("a{n}"): "x"})), &[], true);
        }
        assert_eq!(told(), MOST);
    }
}
