//! PATCH bodies in both dialects, computed from what the server last answered (R09–R11, R13–R15).
//!
//! The rule of convergence: what the answer does not show is added, what it shows differently is replaced, what it
//! shows rightly is left alone. A server that drops a value is therefore told again each time it is asked.

use serde_json::{Map, Value, json};

use super::{ENTERPRISE_URN, Place, boolean, group_values, user_values};
use crate::{
    directory::{Group, User},
    knobs::{Dialect, Knobs, ManagerClear, ManagerSet},
};

/// The operations that bring the answer last seen to what the directory says; none when they agree.
pub(crate) fn user(user: &User, seen: &Value, knobs: &Knobs) -> Vec<Value> {
    let mut changes = Vec::new();
    for (place, value) in user_values(user) {
        if let Some(value) = value {
            changes.extend(Change::between(place, value, seen));
        }
    }
    changes.extend(activity(user.is_active(), seen, knobs));
    operations(changes, knobs.dialect)
}

/// The operations that disable a user who leaves the scope; none when the answer shows it disabled.
pub(crate) fn disable(seen: &Value, knobs: &Knobs) -> Vec<Value> {
    operations(activity(false, seen, knobs).into_iter().collect(), knobs.dialect)
}

/// R14: the operations that bring a group's attributes to what the directory says.
pub(crate) fn group(group: &Group, seen: &Value, knobs: &Knobs) -> Vec<Value> {
    let changes = group_values(group)
        .into_iter()
        .filter_map(|(place, value)| Change::between(place, value, seen));
    operations(changes.collect(), knobs.dialect)
}

/// R13: sets the manager to a SCIM id, where `current` is the one the server has, as far as is known.
pub(crate) fn set_manager(id: &str, current: Option<&str>, knobs: &Knobs) -> Value {
    let path = format!("{ENTERPRISE_URN}:manager");
    let op = verb(if current.is_some() { Op::Replace } else { Op::Add }, knobs.dialect);
    match knobs.manager_set() {
        ManagerSet::Text => json!({"op": op, "path": path, "value": id}),
        ManagerSet::Object => json!({"op": op, "path": path, "value": {"value": id}}),
        ManagerSet::Array => {
            json!({"op": op, "path": "manager", "value": [{"$ref": format!("../Users/{id}"), "value": id}]})
        }
        ManagerSet::Pathless => json!({"op": op, "value": {path: id}}),
    }
}

/// R13: clears the manager, who is `current` now.
pub(crate) fn clear_manager(current: &str, knobs: &Knobs) -> Value {
    let path = format!("{ENTERPRISE_URN}:manager");
    let (remove, replace) = (verb(Op::Remove, knobs.dialect), verb(Op::Replace, knobs.dialect));
    match knobs.manager_clear() {
        ManagerClear::Remove => json!({"op": remove, "path": path}),
        ManagerClear::RemoveFiltered => json!({"op": remove, "path": format!("manager[value eq \"{current}\"]")}),
        ManagerClear::EmptyText => json!({"op": replace, "path": path, "value": ""}),
        ManagerClear::EmptyObject => json!({"op": replace, "path": path, "value": {"value": ""}}),
    }
}

/// R15: puts users, by SCIM id, into a group.
pub(crate) fn add_members(ids: &[&str], dialect: Dialect) -> Vec<Value> {
    vec![json!({"op": verb(Op::Add, dialect), "path": "members", "value": references(ids)})]
}

/// R15: takes users, by SCIM id, out of a group.
pub(crate) fn remove_members(ids: &[&str], dialect: Dialect) -> Vec<Value> {
    match dialect {
        Dialect::Default => vec![json!({"op": "Remove", "path": "members", "value": references(ids)})],
        Dialect::Flagged => ids
            .iter()
            .map(|id| json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}))
            .collect(),
    }
}

/// The whole body of a PATCH.
pub(crate) fn body(operations: &[Value]) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

struct Change {
    op: Op,
    path: String,
    /// Whether the path selects elements of a list, which a path-less operation cannot say.
    filtered: bool,
    value: Value,
}

impl Change {
    fn between(place: Place, value: String, seen: &Value) -> Option<Self> {
        let op = match place.read(seen) {
            Some(shown) if shown == value => return None,
            Some(_) => Op::Replace,
            None => Op::Add,
        };
        let filtered = matches!(place, Place::Typed { .. });
        Some(Self {
            op,
            path: place.path(),
            filtered,
            value: value.into(),
        })
    }
}

/// Only a JSON boolean in the answer counts as an echo of `active`.
fn activity(active: bool, seen: &Value, knobs: &Knobs) -> Option<Change> {
    let op = match &seen["active"] {
        Value::Bool(shown) if *shown == active => return None,
        Value::Null => Op::Add,
        _ => Op::Replace,
    };
    Some(Change {
        op,
        path: "active".to_owned(),
        filtered: false,
        value: boolean(active, knobs.booleans()),
    })
}

fn operations(changes: Vec<Change>, dialect: Dialect) -> Vec<Value> {
    let with_path =
        |change: Change| json!({"op": verb(change.op, dialect), "path": change.path, "value": change.value});
    if dialect == Dialect::Default {
        return changes.into_iter().map(with_path).collect();
    }
    let (filtered, single): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.filtered);
    let (added, replaced): (Vec<_>, Vec<_>) = single.into_iter().partition(|change| change.op == Op::Add);
    let mut operations: Vec<Value> = filtered.into_iter().map(with_path).collect();
    for merged in [added, replaced] {
        if merged.len() <= 1 {
            operations.extend(merged.into_iter().map(with_path));
        } else {
            let op = verb(merged[0].op, dialect);
            let value: Map<String, Value> = merged.into_iter().map(|change| (change.path, change.value)).collect();
            operations.push(json!({"op": op, "value": value}));
        }
    }
    operations
}

fn verb(op: Op, dialect: Dialect) -> &'static str {
    match (dialect, op) {
        (Dialect::Default, Op::Add) => "Add",
        (Dialect::Default, Op::Replace) => "Replace",
        (Dialect::Default, Op::Remove) => "Remove",
        (Dialect::Flagged, Op::Add) => "add",
        (Dialect::Flagged, Op::Replace) => "replace",
        (Dialect::Flagged, Op::Remove) => "remove",
    }
}

fn references(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| json!({"$ref": null, "value": id})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        knobs::Booleans,
        mapping::{new_user, tests::odile},
    };

    const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

    /// One directory change, what the server had, and the operations of the default and the flagged dialect.
    type Row = (&'static str, fn(&mut User), fn(&mut Value), Value, Value);

    #[test]
    fn operations_follow_from_the_last_answer() {
        let nothing: fn(&mut Value) = |_| ();
        let rows: Vec<Row> = vec![
            ("nothing differs", |_| (), nothing, json!([]), json!([])),
            (
                "one simple attribute",
                |user| user.display_name = "Odile M. Roy".to_owned(),
                nothing,
                json!([{"op": "Replace", "path": "displayName", "value": "Odile M. Roy"}]),
                json!([{"op": "replace", "path": "displayName", "value": "Odile M. Roy"}]),
            ),
            (
                "simple, dotted, extended and filtered attributes together",
                |user| {
                    user.display_name = "Odile M. Roy".to_owned();
                    user.surname = "Roy".to_owned();
                    user.department = Some("Halls East".to_owned());
                    user.mail = Some("odile.roy@kestrelworks.example".to_owned());
                },
                nothing,
                json!([
                    {"op": "Replace", "path": "displayName", "value": "Odile M. Roy"},
                    {"op": "Replace", "path": "name.familyName", "value": "Roy"},
                    {"op": "Replace", "path": "name.formatted", "value": "Odile Roy"},
                    {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@kestrelworks.example"},
                    {"op": "Replace", "path": DEPARTMENT, "value": "Halls East"},
                ]),
                json!([
                    {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "odile.roy@kestrelworks.example"},
                    {"op": "replace", "value": {
                        "displayName": "Odile M. Roy",
                        "name.familyName": "Roy",
                        "name.formatted": "Odile Roy",
                        DEPARTMENT: "Halls East",
                    }},
                ]),
            ),
            (
                "values that are not echoed are added again",
                |_| (),
                |seen| {
                    seen.as_object_mut().unwrap().remove("title");
                    seen["phoneNumbers"] = json!([{"type": "work", "value": "5145550117"}]);
                },
                json!([
                    {"op": "Add", "path": "title", "value": "Rack technician"},
                    {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "5145550118"},
                ]),
                json!([
                    {"op": "add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "5145550118"},
                    {"op": "add", "path": "title", "value": "Rack technician"},
                ]),
            ),
            (
                "a value that became empty does not flow",
                |user| (user.job_title, user.mobile) = (None, None),
                nothing,
                json!([]),
                json!([]),
            ),
            (
                "leaving",
                |user| user.account_enabled = false,
                nothing,
                json!([{"op": "Replace", "path": "active", "value": "False"}]),
                json!([{"op": "replace", "path": "active", "value": false}]),
            ),
            (
                "an echo of active as text is no echo",
                |_| (),
                |seen| seen["active"] = json!("True"),
                json!([{"op": "Replace", "path": "active", "value": "True"}]),
                json!([{"op": "replace", "path": "active", "value": true}]),
            ),
        ];
        for (name, change, spoil, default, flagged) in rows {
            let mut seen = new_user(&odile(), &Knobs::default());
            spoil(&mut seen);
            let mut now = odile();
            change(&mut now);
            for (dialect, expected) in [(Dialect::Default, default), (Dialect::Flagged, flagged)] {
                assert_eq!(
                    Value::from(user(&now, &seen, &Knobs::of(dialect))),
                    expected,
                    "{name}, {dialect:?}"
                );
            }
        }
    }

    #[test]
    fn booleans_have_the_form_that_was_chosen() {
        let seen = json!({"active": true});
        for (form, value) in [
            (Booleans::Capitalised, json!("False")),
            (Booleans::LowerCase, json!("false")),
            (Booleans::Json, json!(false)),
        ] {
            let knobs = Knobs {
                booleans: Some(form),
                ..Knobs::default()
            };
            assert_eq!(
                disable(&seen, &knobs),
                [json!({"op": "Replace", "path": "active", "value": value})]
            );
        }
        assert!(disable(&json!({"active": false}), &Knobs::default()).is_empty());
    }

    #[test]
    fn managers_are_set_and_cleared_in_all_shapes() {
        let default = Knobs::default();
        let flagged = Knobs::of(Dialect::Flagged);
        assert_eq!(
            set_manager("m1", None, &default),
            json!({"op": "Add", "path": MANAGER, "value": "m1"})
        );
        assert_eq!(
            set_manager("m1", Some("m0"), &flagged),
            json!({"op": "replace", "path": MANAGER, "value": "m1"})
        );
        assert_eq!(clear_manager("m1", &default), json!({"op": "Remove", "path": MANAGER}));
        assert_eq!(
            clear_manager("m1", &flagged),
            json!({"op": "remove", "path": "manager[value eq \"m1\"]"})
        );
        for (shape, expected) in [
            (
                ManagerSet::Object,
                json!({"op": "Add", "path": MANAGER, "value": {"value": "m1"}}),
            ),
            (
                ManagerSet::Array,
                json!({"op": "Add", "path": "manager", "value": [{"$ref": "../Users/m1", "value": "m1"}]}),
            ),
            (ManagerSet::Pathless, json!({"op": "Add", "value": {MANAGER: "m1"}})),
        ] {
            let knobs = Knobs {
                manager_set: Some(shape),
                ..Knobs::default()
            };
            assert_eq!(set_manager("m1", None, &knobs), expected);
        }
        for (shape, value) in [
            (ManagerClear::EmptyText, json!("")),
            (ManagerClear::EmptyObject, json!({"value": ""})),
        ] {
            let knobs = Knobs {
                manager_clear: Some(shape),
                ..Knobs::default()
            };
            assert_eq!(
                clear_manager("m1", &knobs),
                json!({"op": "Replace", "path": MANAGER, "value": value})
            );
        }
    }

    #[test]
    fn members_come_and_go_as_each_dialect_does_it() {
        let list = json!([{"$ref": null, "value": "u1"}, {"$ref": null, "value": "u2"}]);
        let ids = ["u1", "u2"];
        assert_eq!(
            add_members(&ids, Dialect::Default),
            [json!({"op": "Add", "path": "members", "value": list})]
        );
        assert_eq!(
            remove_members(&ids, Dialect::Default),
            [json!({"op": "Remove", "path": "members", "value": list})]
        );
        assert_eq!(
            add_members(&ids, Dialect::Flagged),
            [json!({"op": "add", "path": "members", "value": list})]
        );
        assert_eq!(
            remove_members(&ids, Dialect::Flagged),
            [
                json!({"op": "remove", "path": "members[value eq \"u1\"]"}),
                json!({"op": "remove", "path": "members[value eq \"u2\"]"}),
            ]
        );
    }

    #[test]
    fn groups_are_renamed_and_get_a_missing_external_id() {
        let renamed = Group {
            object_id: "g1".to_owned(),
            display_name: "Rack Operators East".to_owned(),
            members: [].into(),
        };
        let seen = json!({"displayName": "Rack Operators"});
        let expected = [
            json!({"op": "Replace", "path": "displayName", "value": "Rack Operators East"}),
            json!({"op": "Add", "path": "externalId", "value": "g1"}),
        ];
        assert_eq!(group(&renamed, &seen, &Knobs::default()), expected);
        let seen = json!({"displayName": "Rack Operators East", "externalId": "g1"});
        assert!(group(&renamed, &seen, &Knobs::default()).is_empty());
    }
}
