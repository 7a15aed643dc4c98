//! Running steps on a resource, in order, all or none.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    Op, Step,
    alike::{Listed, covers, key, same_type},
    work::{Work, all_looks, looks},
};
use crate::{
    canonical::{bounded, element, finish, holder, keep_primary},
    error::{Error, ErrorKind},
    filter::{CompareOp, Filter, Literal, Matcher},
    immutable,
    schema::{Attribute, AttributeType, Mutability, ResourceSchema, Target},
};

/// Applies steps to a resource in canonical form and gives the result, again in canonical form: equal to what it was if
/// nothing changed (Q22).
///
/// ```
/// use scim::{Op, Operation, Schemas, apply, steps};
/// use serde_json::json;
///
/// let schemas = Schemas::builtin();
/// let user = json!({"schemas": [scim::URN_USER], "userName": "odile@kestrel.example"});
/// let operation = Operation {
///     op: Op::Replace,
///     path: Some(r#"emails[type eq "work"].value"#.to_owned()),
///     value: Some(json!("odile@kestrel.example")),
///     number: 0,
/// };
/// let steps = steps(schemas.user(), [operation])?;
/// let user = apply(schemas.user(), user, &steps)?;
/// assert_eq!(user["emails"], json!([{"type": "work", "value": "odile@kestrel.example"}]));
/// # Ok::<(), scim::Error>(())
/// ```
pub fn apply(schema: &ResourceSchema, resource: Value, steps: &[Step]) -> Result<Value, Error> {
    let before = resource.clone();
    let Value::Object(mut resource) = resource else {
        return Err(Error::new(
            ErrorKind::InvalidSyntax,
            "the resource is not a JSON object",
        ));
    };
    let mut work = Work::new();
    for step in steps {
        let Some(Target::Attribute {
            extension, attribute, ..
        }) = schema.resolve(&step.path.attr)
        else {
            return Err(Error::new(
                ErrorKind::InvalidPath,
                format!("there is no attribute `{}`", step.path.attr),
            ));
        };
        run(holder(&mut resource, extension), attribute, step, &mut work)
            .map_err(|error| error.in_operation(step.operation))?;
    }
    let after = finish(schema, resource, Some(&before))?;
    immutable::check(schema, &before, &after)?;
    Ok(after)
}

fn run(holder: &mut Map<String, Value>, attribute: &Attribute, step: &Step, work: &mut Work) -> Result<(), Error> {
    let sub = step.path.sub_attribute();
    match (&step.path.filter, attribute.kind) {
        (Some(filter), _) => filtered(holder, attribute, filter, sub, step, work)?,
        (None, AttributeType::Complex) if sub.is_some() => {
            parts(holder, attribute, sub.unwrap_or_default(), step, work)?;
        }
        (None, _) => whole(holder, attribute, step, work)?,
    }
    // After each step, so that many small additions cost no more than one large one.
    let values = holder
        .get(&attribute.name)
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    bounded(attribute, &attribute.name, values)
}

/// The attribute as a whole.
fn whole(holder: &mut Map<String, Value>, attribute: &Attribute, step: &Step, work: &mut Work) -> Result<(), Error> {
    let name = &attribute.name;
    match (step.op, &step.value) {
        (Op::Remove, None) => drop(holder.remove(name)),
        (Op::Remove, Some(listed)) => {
            if let Some(Value::Array(values)) = holder.get_mut(name) {
                let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default();
                work.spend(all_looks(values) + all_looks(listed))?;
                let listed = Listed::new(attribute, listed);
                let mut kept = Vec::with_capacity(values.len());
                for value in std::mem::take(values) {
                    if !listed.cover(attribute, &value, work)? {
                        kept.push(value);
                    }
                }
                *values = kept;
            }
        }
        (Op::Add, Some(Value::Array(new))) if attribute.multi_valued => {
            add(list(holder, name), attribute, new, work)?;
        }
        (_, Some(Value::Object(new))) if !attribute.multi_valued => {
            // A reference is one thing: a new `value` makes the old `$ref` and name wrong. Other complex attributes merge.
            let replaces = new.contains_key("value");
            let old = holder.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            match old {
                Value::Object(map) if !replaces => map.extend(new.clone()),
                old => *old = Value::Object(new.clone()),
            }
        }
        (_, Some(value)) => drop(holder.insert(name.clone(), value.clone())),
        (Op::Add | Op::Replace, None) => return Err(no_value(step)),
    }
    Ok(())
}

/// A part, of the one value or of each.
fn parts(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    sub: &str,
    step: &Step,
    work: &mut Work,
) -> Result<(), Error> {
    let name = &attribute.name;
    if step.op == Op::Remove {
        match holder.get_mut(name) {
            Some(Value::Object(map)) => drop(map.remove(sub)),
            Some(Value::Array(values)) => {
                work.spend(values.len())?;
                for map in values.iter_mut().filter_map(Value::as_object_mut) {
                    immutable::check_part(attribute, sub, map.get(sub), None)?;
                    map.remove(sub);
                }
            }
            _ => {}
        }
        return Ok(());
    }
    let new = step.value.clone().ok_or_else(|| no_value(step))?;
    if attribute.multi_valued {
        let values = list(holder, name);
        if values.is_empty() {
            values.push(Value::Object(Map::new()));
        }
        work.spend(values.len() * looks(&new))?;
        for map in values.iter_mut().filter_map(Value::as_object_mut) {
            immutable::check_part(attribute, sub, map.get(sub), Some(&new))?;
            map.insert(sub.to_owned(), new.clone());
        }
        return Ok(());
    }
    let old = holder.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(map) = old {
        map.insert(sub.to_owned(), new);
    }
    Ok(())
}

/// The values that a filter selects. A single-valued complex attribute is a list of at most one (`manager[value eq …]`, R13).
fn filtered(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    filter: &Filter,
    sub: Option<&str>,
    step: &Step,
    work: &mut Work,
) -> Result<(), Error> {
    let name = &attribute.name;
    let mut values = match holder.remove(name) {
        Some(Value::Array(values)) => values,
        Some(value) => vec![value],
        None => Vec::new(),
    };
    let outcome = select(&mut values, attribute, filter, sub, step, work);
    let value = if attribute.multi_valued {
        Some(Value::Array(values))
    } else {
        values.pop()
    };
    holder.extend(value.map(|value| (name.clone(), value)));
    outcome
}

fn select(
    values: &mut Vec<Value>,
    attribute: &Attribute,
    filter: &Filter,
    sub: Option<&str>,
    step: &Step,
    work: &mut Work,
) -> Result<(), Error> {
    // Each value is asked everything, and may get what is new.
    let new = step.value.as_ref().map_or(0, looks);
    work.spend((all_looks(values) + 1) * (1 + filter.comparisons()) + values.len() * new)?;
    let matcher = Matcher::of_value(filter, attribute);
    let selected = |value: &Value| matcher.matches(value);
    if step.op == Op::Remove {
        match sub {
            None => values.retain(|value| !selected(value)),
            Some(sub) => {
                for value in values.iter_mut().filter(|value| selected(value)) {
                    immutable::check_part(attribute, sub, value.get(sub).filter(|_| attribute.multi_valued), None)?;
                    value.as_object_mut().map(|map| map.remove(sub));
                }
            }
        }
        return Ok(());
    }
    let new = step.value.clone().ok_or_else(|| no_value(step))?;
    if !values.iter().any(selected) {
        // Nothing matches: the filter itself says what the new value is like (Q05, Q06).
        let made = made_of(attribute, filter).ok_or_else(|| {
            Error::new(
                ErrorKind::NoTarget,
                format!(
                    "`{}` matches no value, and does not say what a new one would be",
                    step.path.shown()
                ),
            )
        })?;
        if !attribute.multi_valued {
            values.clear();
        }
        values.push(made);
    }
    let mut primary = None;
    let last = values.len() - 1;
    for (at, value) in values.iter_mut().enumerate() {
        let fresh = at == last && Some(&*value) == made_of(attribute, filter).as_ref();
        if !fresh && !selected(value) {
            continue;
        }
        if attribute.multi_valued && !fresh {
            refuse_immutable(value, attribute, sub, &new)?;
        }
        change(value, attribute, filter, sub, step.op, &new);
        if value["primary"] == true && (fresh || touches_primary(sub, &new)) {
            primary = Some(at);
        }
    }
    if let Some(primary) = primary {
        keep_primary(values, primary);
    }
    Ok(())
}

/// One of several values keeps its immutable parts: only the whole value can be removed, and another be added.
fn refuse_immutable(value: &Value, attribute: &Attribute, sub: Option<&str>, new: &Value) -> Result<(), Error> {
    let part = |name: &str, new: &Value| immutable::check_part(attribute, name, value.get(name), Some(new));
    match (sub, new) {
        (Some(sub), new) => part(sub, new),
        (None, Value::Object(new)) => new.iter().try_for_each(|(name, new)| part(name, new)),
        (None, _) => Ok(()),
    }
}

fn change(value: &mut Value, attribute: &Attribute, filter: &Filter, sub: Option<&str>, op: Op, new: &Value) {
    let Some(map) = value.as_object_mut() else {
        // A simple value is replaced by another; to add to it means nothing.
        if sub.is_none() && op == Op::Replace && !new.is_object() {
            *value = new.clone();
        }
        return;
    };
    match (sub, new) {
        (Some(sub), new) => drop(map.insert(sub.to_owned(), new.clone())),
        (None, Value::Object(new)) if op == Op::Replace => {
            // What the filter selected by stays true of the value, unless the new one says otherwise.
            let mut replaced = match made_of(attribute, filter) {
                Some(Value::Object(made)) => made,
                _ => Map::new(),
            };
            replaced.extend(new.clone());
            *map = replaced;
        }
        (None, Value::Object(new)) => map.extend(new.clone()),
        (None, _) => {}
    }
}

fn touches_primary(sub: Option<&str>, new: &Value) -> bool {
    match sub {
        Some(sub) => sub == "primary",
        None => new.get("primary").is_some(),
    }
}

/// The value that a filter demands by `eq`, if it is made of nothing else and all of it can be had together.
fn made_of(attribute: &Attribute, filter: &Filter) -> Option<Value> {
    let simple = attribute.kind != AttributeType::Complex;
    let (mut map, mut itself) = (Map::new(), None);
    for part in filter.conjuncts() {
        let Filter::Compare {
            path,
            op: CompareOp::Eq,
            value,
        } = part
        else {
            return None;
        };
        let sub = attribute.part_of_value(&path.attribute)?;
        if sub.mutability == Mutability::ReadOnly {
            return None;
        }
        let value = match value {
            Literal::String(text) => Value::from(text.as_str()),
            Literal::Boolean(truth) => Value::Bool(*truth),
            Literal::Number(number) => Value::Number(number.clone()),
            Literal::Null => return None,
        };
        // A literal that becomes a value is held to what holds for values.
        let value = element(sub, &sub.name, value).ok()??;
        if simple {
            itself = Some(value);
        } else {
            map.insert(sub.name.clone(), value);
        }
    }
    let made = if simple { itself? } else { Value::Object(map) };
    Matcher::of_value(filter, attribute).matches(&made).then_some(made)
}

fn list<'h>(holder: &'h mut Map<String, Value>, name: &str) -> &'h mut Vec<Value> {
    let value = holder
        .entry(name.to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    if !value.is_array() {
        *value = Value::Array(vec![value.take()]);
    }
    value
        .as_array_mut()
        .expect("it was made a list just above if it was not one")
}

/// Adds the values that are not there yet (Q20). One with the same `value` and `type` is the same one: it takes on what is
/// new.
fn add(values: &mut Vec<Value>, attribute: &Attribute, new: &[Value], work: &mut Work) -> Result<(), Error> {
    // Looked up by `value`, so that a long list costs no more than its length.
    work.spend(all_looks(values) + all_looks(new))?;
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, value) in values.iter().enumerate() {
        places
            .entry(key(attribute, value).unwrap_or_default())
            .or_default()
            .push(at);
    }
    for new in new {
        let alike = key(attribute, new).map(|key| places.entry(key).or_default());
        work.spend(alike.as_ref().map_or(values.len(), |places| places.len()))?;
        let there = match &alike {
            Some(places) => places.iter().any(|at| covers(attribute, &values[*at], new)),
            None => values.iter().any(|old| covers(attribute, old, new)),
        };
        if there {
            continue;
        }
        let same = alike
            .iter()
            .flat_map(|places| places.iter())
            .find(|at| same_type(attribute, &values[**at], new))
            .copied();
        let at = same.unwrap_or(values.len());
        match (same.and_then(|at| values[at].as_object_mut()), new) {
            (Some(old), Value::Object(new)) => old.extend(new.clone()),
            _ => {
                values.push(new.clone());
                alike.into_iter().for_each(|places| places.push(at));
            }
        }
        if values[at]["primary"] == true {
            work.spend(values.len())?;
            keep_primary(values, at);
        }
    }
    Ok(())
}

fn no_value(step: &Step) -> Error {
    Error::new(
        ErrorKind::InvalidValue,
        format!("`{}` of `{}` needs a value", step.op, step.path.shown()),
    )
}
