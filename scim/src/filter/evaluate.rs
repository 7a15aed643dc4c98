//! Whether a resource matches a filter. Case by `caseExact`, dates as instants, numbers as numbers; ids and other UUIDs
//! without regard to case (Q12, Q13).
//!
//! A filter is made ready once, [`Matcher`], and then asked of many resources: names are looked up and literals read
//! and folded before the first one.

use serde_json::Value;

use super::{Filter, literal::Test};
use crate::{
    path::AttrPath,
    schema::{Attribute, AttributeType, ResourceSchema, Target},
};

/// A filter made ready for the resources of one type.
///
/// ```
/// use scim::{Filter, Schemas};
/// use serde_json::json;
///
/// let schemas = Schemas::builtin();
/// let matcher = Filter::parse("title pr")?.matcher(schemas.user());
/// let users = [json!({"title": "Dr"}), json!({})];
/// assert_eq!(users.iter().filter(|user| matcher.matches(user)).count(), 1);
/// # Ok::<(), scim::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Matcher<'s>(Node<'s>);

#[derive(Debug, Clone)]
enum Node<'s> {
    And(Vec<Node<'s>>),
    Or(Vec<Node<'s>>),
    Not(Box<Node<'s>>),
    /// What the table does not know matches nothing.
    Nothing,
    /// The resource has this extension.
    Extension(&'s str),
    Test(Place<'s>, Test),
    /// The value itself, one of several simple ones.
    Itself(Test),
    /// One value matches as a whole.
    Value(Place<'s>, Box<Node<'s>>),
}

/// Where values stand: in an extension or not, under a name, and there perhaps in a part.
#[derive(Debug, Clone, Copy)]
struct Place<'s> {
    extension: Option<&'s str>,
    name: &'s str,
    part: Option<&'s str>,
}

impl<'s> Matcher<'s> {
    pub(super) fn of(filter: &Filter, schema: &'s ResourceSchema) -> Self {
        Self(node(filter, schema))
    }

    /// A filter over the parts of one value of a complex attribute.
    pub(crate) fn of_value(filter: &Filter, attribute: &'s Attribute) -> Self {
        Self(part_node(filter, attribute))
    }

    /// Whether a resource in canonical form matches.
    pub fn matches(&self, resource: &Value) -> bool {
        self.0
            .holds(&|place, test| test.holds(place.values(resource)), resource)
    }

    /// Whether something that is no JSON matches: its parts are texts, which `text` tells by their names.
    pub(crate) fn matches_texts<'t>(&self, text: impl Fn(&str) -> Option<&'t str>) -> bool {
        let asked = |place: &Place<'_>, test: &Test| test.holds_text(text(place.name));
        self.0.holds(&asked, &Value::Null)
    }
}

impl Node<'_> {
    fn holds(&self, test: &impl Fn(&Place<'_>, &Test) -> bool, resource: &Value) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(test, resource)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(test, resource)),
            Self::Not(inner) => !inner.holds(test, resource),
            Self::Nothing => false,
            Self::Extension(urn) => resource.get(urn).is_some(),
            Self::Test(place, asked) => test(place, asked),
            Self::Itself(asked) => asked.holds(std::iter::once(resource)),
            Self::Value(place, inner) => place.values(resource).any(|value| inner.holds_in(value)),
        }
    }

    fn holds_in(&self, value: &Value) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds_in(value)),
            Self::Or(parts) => parts.iter().any(|part| part.holds_in(value)),
            Self::Not(inner) => !inner.holds_in(value),
            Self::Test(place, test) => test.holds(place.values(value)),
            Self::Itself(test) => test.holds(std::iter::once(value)),
            Self::Nothing | Self::Extension(_) | Self::Value(..) => false,
        }
    }
}

impl Place<'_> {
    fn values<'v>(&self, resource: &'v Value) -> impl Iterator<Item = &'v Value> + Clone {
        let holder = self.extension.map_or(Some(resource), |urn| resource.get(urn));
        let values = match holder.and_then(|holder| holder.get(self.name)) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
        };
        let part = self.part;
        values.iter().filter_map(move |value| match part {
            None => Some(value),
            Some(part) => value.get(part),
        })
    }
}

/// What stands for a complex attribute when it is compared as a whole: its part `value` (`manager eq "…"`, Q46).
pub(super) fn significant(attribute: &Attribute) -> &Attribute {
    attribute.sub_attribute("value").unwrap_or(attribute)
}

fn node<'s>(filter: &Filter, schema: &'s ResourceSchema) -> Node<'s> {
    match filter {
        Filter::And(parts) => Node::And(parts.iter().map(|part| node(part, schema)).collect()),
        Filter::Or(parts) => Node::Or(parts.iter().map(|part| node(part, schema)).collect()),
        Filter::Not(inner) => Node::Not(Box::new(node(inner, schema))),
        Filter::Present(path) => match schema.resolve(path) {
            Some(Target::Extension(extension)) => Node::Extension(&extension.id),
            _ => located(schema, path).map_or(Node::Nothing, |(place, _)| Node::Test(place, Test::Present)),
        },
        Filter::Compare { path, op, value } => located(schema, path).map_or(Node::Nothing, |(place, leaf)| {
            Node::Test(place, Test::new(leaf, *op, value))
        }),
        Filter::ValuePath { attr, filter } => {
            let Some(Target::Attribute {
                extension,
                attribute,
                sub: None,
            }) = schema.resolve(attr)
            else {
                return Node::Nothing;
            };
            let place = Place {
                extension: extension.map(|schema| schema.id.as_str()),
                name: &attribute.name,
                part: None,
            };
            Node::Value(place, Box::new(part_node(filter, attribute)))
        }
    }
}

fn part_node<'s>(filter: &Filter, attribute: &'s Attribute) -> Node<'s> {
    let asked = |path: &AttrPath, test: &dyn Fn(&Attribute) -> Test| match attribute.part_of_value(&path.attribute) {
        Some(itself) if attribute.kind != AttributeType::Complex => Node::Itself(test(itself)),
        Some(sub) => {
            let place = Place {
                extension: None,
                name: &sub.name,
                part: None,
            };
            Node::Test(place, test(sub))
        }
        None => Node::Nothing,
    };
    match filter {
        Filter::And(parts) => Node::And(parts.iter().map(|part| part_node(part, attribute)).collect()),
        Filter::Or(parts) => Node::Or(parts.iter().map(|part| part_node(part, attribute)).collect()),
        Filter::Not(inner) => Node::Not(Box::new(part_node(inner, attribute))),
        Filter::Present(path) => asked(path, &|_| Test::Present),
        Filter::Compare { path, op, value } => asked(path, &|part| Test::new(part, *op, value)),
        Filter::ValuePath { .. } => Node::Nothing,
    }
}

/// Where the values stand that a path names, and what they are.
fn located<'s>(schema: &'s ResourceSchema, path: &AttrPath) -> Option<(Place<'s>, &'s Attribute)> {
    let Target::Attribute {
        extension,
        attribute,
        sub,
    } = schema.resolve(path)?
    else {
        return None;
    };
    let mut place = Place {
        extension: extension.map(|schema| schema.id.as_str()),
        name: &attribute.name,
        part: None,
    };
    if attribute.kind != AttributeType::Complex {
        return Some((place, attribute));
    }
    let leaf = sub.unwrap_or_else(|| significant(attribute));
    if leaf.kind != AttributeType::Complex {
        place.part = Some(&leaf.name);
    }
    Some((place, leaf))
}
