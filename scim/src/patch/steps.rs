//! From operations in any dialect to steps in one form.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{MAX_OPERATIONS, Op, Operation, Step};
use crate::{
    canonical::{canonical, element, invalid, parts, twice},
    error::{Error, ErrorKind},
    filter::check_value,
    path::{AttrPath, Path},
    schema::{
        Attribute, AttributeType, Mutability, ResourceSchema, Schema, Target, URN_ENTERPRISE_USER, URN_GROUP, URN_USER,
    },
};

/// Turns operations into steps: paths resolved, path-less values taken apart, values in canonical form.
pub fn steps(schema: &ResourceSchema, operations: impl IntoIterator<Item = Operation>) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    for operation in operations {
        let Operation {
            op,
            path,
            value,
            number,
        } = operation;
        let reading = Reading {
            schema,
            op,
            operation: number,
        };
        let found = match path {
            Some(path) => reading.with_path(&path, value),
            None => reading.without_path(value),
        };
        steps.extend(found.map_err(|error| error.in_operation(number))?);
        // Printed and read again they are as many, so that whoever reads them on has the same limit.
        if steps.len() > MAX_OPERATIONS {
            let detail =
                format!("the operations come to more than {MAX_OPERATIONS} changes; send fewer in one request");
            return Err(Error::new(ErrorKind::InvalidSyntax, detail).in_operation(number));
        }
    }
    Ok(steps)
}

/// The reading of one operation.
struct Reading<'s> {
    schema: &'s ResourceSchema,
    op: Op,
    operation: usize,
}

impl Reading<'_> {
    fn with_path(&self, text: &str, value: Option<Value>) -> Result<Vec<Step>, Error> {
        let path = Path::parse(text)?;
        if self.op != Op::Remove && value.is_none() {
            return Err(Error::new(
                ErrorKind::InvalidValue,
                format!("`{}` of `{}` needs a value", self.op, path.shown()),
            ));
        }
        let value = value.unwrap_or(Value::Null);
        if text.trim().eq_ignore_ascii_case(&self.schema.core.id) {
            return self.without_path(Some(value));
        }
        let Some(target) = self.schema.resolve(&path.attr) else {
            return self.unknown(&path.attr);
        };
        match target {
            Target::Extension(extension) => once(self.extension(extension, value)?),
            Target::Attribute {
                extension,
                attribute,
                sub,
            } => {
                if extension.is_none() && attribute.name == "schemas" {
                    return Ok(Vec::new());
                }
                if attribute.mutability == Mutability::ReadOnly {
                    return Err(Error::new(
                        ErrorKind::Mutability,
                        format!("`{}` is read-only", path.shown()),
                    ));
                }
                self.change(extension, attribute, sub, &path, value)
            }
        }
    }

    /// A value whose keys are paths (RFC 7644 §3.5.2.1, Q08, Q09). It merges; what it does not name stays (Q42).
    fn without_path(&self, value: Option<Value>) -> Result<Vec<Step>, Error> {
        if self.op == Op::Remove {
            return Err(Error::new(ErrorKind::NoTarget, "`remove` needs a path"));
        }
        let Some(Value::Object(values)) = value else {
            return Err(Error::new(
                ErrorKind::InvalidSyntax,
                format!("`{}` without a path needs an object of attributes", self.op),
            ));
        };
        once(self.keys(values)?)
    }

    fn keys(&self, values: Map<String, Value>) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        for (key, value) in values {
            if key.eq_ignore_ascii_case(&self.schema.core.id) {
                if let Value::Object(inner) = value {
                    let core = inner
                        .into_iter()
                        .filter(|(name, _)| self.schema.attribute(name).is_some());
                    steps.extend(self.keys(core.collect())?);
                }
                continue;
            }
            let path = match Path::parse(&key) {
                Ok(path) => path,
                Err(error) if self.means_us(&key) => return Err(error),
                Err(_) => continue,
            };
            match self.schema.resolve(&path.attr) {
                None => steps.extend(self.unknown(&path.attr)?),
                Some(Target::Extension(extension)) => steps.extend(self.extension(extension, value)?),
                // What only we may write is ignored in a body (Q23).
                Some(Target::Attribute { attribute, sub, .. })
                    if sub.unwrap_or(attribute).mutability == Mutability::ReadOnly => {}
                Some(Target::Attribute {
                    extension,
                    attribute,
                    sub,
                }) => {
                    steps.extend(self.change(extension, attribute, sub, &path, value)?);
                }
            }
        }
        Ok(steps)
    }

    /// An operation on what no table of ours has does nothing (Q24): mappings name attributes that we do not keep. One on
    /// the schema of another type is at the wrong endpoint.
    fn unknown(&self, attr: &AttrPath) -> Result<Vec<Step>, Error> {
        let whole = attr.to_string();
        let names = |urn: &str| {
            let inside = attr.urn.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(urn));
            inside || whole.eq_ignore_ascii_case(urn)
        };
        let foreign = [URN_USER, URN_GROUP, URN_ENTERPRISE_USER]
            .into_iter()
            .find(|urn| names(urn) && !self.knows(urn));
        match foreign {
            Some(urn) => {
                let detail = format!("`{urn}` is no schema of a {}", self.schema.resource_type.name());
                Err(Error::new(ErrorKind::InvalidPath, detail))
            }
            None => Ok(Vec::new()),
        }
    }

    /// Whether a key that is no path was meant to be one: it has a filter, or begins with a name of ours.
    fn means_us(&self, key: &str) -> bool {
        let first = key.split(['.', ' ']).next().unwrap_or_default();
        let ours = std::iter::once(&self.schema.core).chain(&self.schema.extensions);
        let mut urns = ours.map(|schema| schema.id.as_str());
        key.contains(['[', ']'])
            || self.schema.attribute(first).is_some()
            || urns.any(|urn| {
                key.get(..urn.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(urn))
            })
    }

    /// A whole extension: a step for each attribute named, or for each there is when all of it goes.
    fn extension(&self, extension: &Schema, value: Value) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        match value {
            Value::Object(values) if self.op != Op::Remove => {
                for (name, value) in values {
                    let Some(attribute) = extension.attribute(&name) else {
                        continue;
                    };
                    if attribute.mutability != Mutability::ReadOnly {
                        steps.extend(self.change(
                            Some(extension),
                            attribute,
                            None,
                            &Path::of(AttrPath::new(&name)),
                            value,
                        )?);
                    }
                }
            }
            // A removal, or a replacement by nothing. Anything else must not wipe an extension.
            value if self.op == Op::Remove || (self.op == Op::Replace && (value.is_null() || value == "")) => {
                for attribute in extension
                    .attributes
                    .iter()
                    .filter(|attribute| attribute.mutability != Mutability::ReadOnly)
                {
                    let path = Path::of(spelled(Some(extension), attribute, None));
                    steps.push(Step {
                        op: Op::Remove,
                        path,
                        value: None,
                        operation: self.operation,
                    });
                }
            }
            Value::Null => {}
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidValue,
                    format!("`{}` takes an object", extension.id),
                ));
            }
        }
        Ok(steps)
    }

    /// The steps for one attribute. A complex value merges part by part, so a part that is empty goes and the parts that
    /// are not named stay (RFC 7644 §3.5.2.3, Q16).
    fn change(
        &self,
        extension: Option<&Schema>,
        attribute: &Attribute,
        sub: Option<&Attribute>,
        path: &Path,
        value: Value,
    ) -> Result<Vec<Step>, Error> {
        let merges = attribute.kind == AttributeType::Complex
            && !attribute.multi_valued
            && attribute.sub_attribute("value").is_none()
            && self.op != Op::Remove;
        let whole = sub.is_none() && path.filter.is_none();
        let value = match value {
            Value::Array(mut values) if merges && whole && values.len() == 1 => values.remove(0),
            value => value,
        };
        let map = match value {
            Value::Object(map) if merges && whole => map,
            value => return Ok(self.step(extension, attribute, sub, path, value)?.into_iter().collect()),
        };
        let step = |op, sub, value| Step {
            op,
            path: Path::of(spelled(extension, attribute, sub)),
            value,
            operation: self.operation,
        };
        let (mut kept, mut emptied) = (Map::new(), Vec::new());
        for (name, value) in map {
            let sub = attribute.sub_attribute(&name);
            let Some(sub) = sub.filter(|sub| sub.mutability != Mutability::ReadOnly) else {
                continue;
            };
            let path = format!("{}.{}", attribute.name, sub.name);
            match canonical(sub, &path, value)? {
                Some(value) => {
                    let before = kept.insert(sub.name.clone(), value);
                    if before.is_some() {
                        return Err(twice(&path));
                    }
                }
                None if self.op == Op::Replace => emptied.push(step(Op::Remove, Some(sub), None)),
                None => {}
            }
        }
        let set = (!kept.is_empty()).then(|| step(self.op, None, Some(Value::Object(kept))));
        Ok(set.into_iter().chain(emptied).collect())
    }

    /// One change of one attribute; none when there is nothing to do.
    fn step(
        &self,
        extension: Option<&Schema>,
        attribute: &Attribute,
        sub: Option<&Attribute>,
        path: &Path,
        value: Value,
    ) -> Result<Option<Step>, Error> {
        let sub = match (&path.sub, sub) {
            (Some(name), _) => match attribute.sub_attribute(name) {
                Some(sub) => Some(sub),
                // As with an attribute that no table has (Q24), once the path itself makes sense.
                None => {
                    filterable(attribute, path)?;
                    return Ok(None);
                }
            },
            (None, sub) => sub,
        };
        if let Some(sub) = sub.filter(|sub| sub.mutability == Mutability::ReadOnly) {
            return Err(Error::new(
                ErrorKind::Mutability,
                format!("`{}.{}` is read-only", attribute.name, sub.name),
            ));
        }
        // Only a list says which values go (Q17); `members.value` with a value is one too.
        let lists = self.op == Op::Remove && attribute.multi_valued && path.filter.is_none() && !value.is_null();
        let sub = sub.filter(|sub| !(lists && sub.name == "value"));
        filterable(attribute, path)?;
        let spelling = spelled(extension, attribute, sub.filter(|_| path.filter.is_none()));
        let to = Path {
            attr: spelling,
            filter: path.filter.clone(),
            sub: sub.filter(|_| path.filter.is_some()).map(|sub| sub.name.clone()),
        };
        let named = to.shown();
        let value = match (sub, &path.filter) {
            (None, None) if lists => {
                let none_listed = value == "" || value.as_array().is_some_and(Vec::is_empty);
                match canonical(attribute, &named, value)? {
                    None if none_listed => return Ok(None),
                    // To take this for "all of them" would empty a group.
                    None => return Err(invalid(&named, "lists nothing that could be removed")),
                    listed => listed,
                }
            }
            // A single-valued attribute, a selection or a part goes whole, whatever value comes along.
            _ if self.op == Op::Remove => None,
            (Some(sub), _) => canonical(sub, &named, value)?,
            (None, Some(_)) => self.selected(attribute, &named, value)?,
            (None, None) => canonical(attribute, &named, value)?,
        };
        let step = |op, value| {
            Some(Step {
                op,
                path: to.clone(),
                value,
                operation: self.operation,
            })
        };
        Ok(match (self.op, value) {
            // Nothing to add.
            (Op::Add, None) => None,
            // No values at all are still a replacement: who reads `replace` otherwise than `remove` must see which it was.
            (Op::Replace, None) if attribute.multi_valued && sub.is_none() && path.filter.is_none() => {
                step(Op::Replace, Some(Value::Array(Vec::new())))
            }
            // To replace by nothing is to remove (Q16), with or without having been set (Q18).
            (Op::Replace, None) => step(Op::Remove, None),
            (op, value) => step(op, value),
        })
    }

    /// What the values that a filter selects become, or get in addition: then a label alone is something, too.
    fn selected(&self, attribute: &Attribute, named: &str, value: Value) -> Result<Option<Value>, Error> {
        let value = match value {
            Value::Array(mut values) if values.len() <= 1 => values.pop().unwrap_or_default(),
            value => value,
        };
        match value {
            Value::Object(map) if self.op == Op::Add => {
                let map = parts(attribute, named, map)?;
                Ok((!map.is_empty()).then_some(Value::Object(map)))
            }
            value => element(attribute, named, value),
        }
    }

    fn knows(&self, urn: &str) -> bool {
        let ours = std::iter::once(&self.schema.core).chain(&self.schema.extensions);
        ours.into_iter().any(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
}

/// Refuses a filter that the attribute's values cannot be asked.
fn filterable(attribute: &Attribute, path: &Path) -> Result<(), Error> {
    match &path.filter {
        None => Ok(()),
        // One value of a simple attribute has no parts; of several, one can be chosen by what it is.
        Some(_) if attribute.kind != AttributeType::Complex && !attribute.multi_valued => Err(Error::new(
            ErrorKind::InvalidPath,
            format!("`{}` has no parts to filter by", path.attr),
        )),
        Some(filter) => check_value(filter, &path.attr, attribute),
    }
}

/// Refuses a value that names one place twice, in different letter case or by its URN, and does not mean the same: one of
/// the two would be ignored.
fn once(steps: Vec<Step>) -> Result<Vec<Step>, Error> {
    let mut first = HashMap::with_capacity(steps.len());
    let other = steps
        .iter()
        .find(|step| **first.entry(step.path.to_string()).or_insert(*step) != **step);
    match other {
        Some(step) => Err(twice(&step.path.shown())),
        None => Ok(steps),
    }
}

impl Path {
    fn of(attr: AttrPath) -> Self {
        Self {
            attr,
            filter: None,
            sub: None,
        }
    }
}

/// The path in the table's spelling. Attributes of an extension always carry its URN.
fn spelled(extension: Option<&Schema>, attribute: &Attribute, sub: Option<&Attribute>) -> AttrPath {
    AttrPath {
        urn: extension.map(|extension| extension.id.clone()),
        attribute: attribute.name.clone(),
        sub: sub.map(|sub| sub.name.clone()),
    }
}
