//! Which attributes an answer has: `attributes`, `excludedAttributes` (RFC 7644 §3.9) and each attribute's `returned`.

use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorKind},
    path::Path,
    schema::{Attribute, ResourceSchema, Returned, Schema, Target},
};

/// How many attributes a request may name.
const MAX_NAMED: usize = 500;

/// A choice of attributes.
///
/// ```
/// use scim::{Projection, Schemas};
/// use serde_json::json;
///
/// let schemas = Schemas::builtin();
/// let mut user = json!({"id": "u1", "userName": "odile", "name": {"givenName": "Odile", "familyName": "Roy"}});
/// Projection::parse(Some("name.familyName"), None)?.apply(schemas.user(), &mut user);
/// assert_eq!(user, json!({"id": "u1", "name": {"familyName": "Roy"}}));
/// # Ok::<(), scim::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    choice: Choice,
}

#[derive(Debug, Clone, PartialEq, Default)]
enum Choice {
    #[default]
    Default,
    Only(Vec<Path>),
    Without(Vec<Path>),
}

impl Projection {
    /// Reads the two query parameters, lists with commas. Given both, `attributes` wins. A value filter in them is
    /// tolerated and has no effect.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, Error> {
        let only = named(attributes)?;
        if !only.is_empty() {
            return Ok(Self {
                choice: Choice::Only(only),
            });
        }
        let without = named(excluded)?;
        Ok(Self {
            choice: if without.is_empty() {
                Choice::Default
            } else {
                Choice::Without(without)
            },
        })
    }

    /// Whether an answer would have this attribute, should it have a value.
    pub fn wants(&self, schema: &ResourceSchema, attribute: &str) -> bool {
        let Some(known) = schema.attribute(attribute) else {
            return false;
        };
        self.keeps(schema, None, known)
    }

    /// Takes everything out of a resource that was not asked for.
    pub fn apply(&self, schema: &ResourceSchema, resource: &mut Value) {
        let Some(map) = resource.as_object_mut() else { return };
        map.retain(|name, value| {
            if let Some(extension) = schema.extensions.iter().find(|extension| extension.id == *name) {
                let Some(inner) = value.as_object_mut() else {
                    return false;
                };
                self.reduce(schema, Some(extension), inner);
                return !inner.is_empty();
            }
            let Some(attribute) = schema.attribute(name) else {
                return self.choice == Choice::Default;
            };
            self.keeps(schema, None, attribute) && self.reduce_parts(schema, None, attribute, value)
        });
    }

    fn reduce(&self, schema: &ResourceSchema, extension: Option<&Schema>, map: &mut Map<String, Value>) {
        map.retain(|name, value| {
            let attribute = extension.and_then(|extension| extension.attribute(name));
            attribute.is_some_and(|attribute| {
                self.keeps(schema, extension, attribute) && self.reduce_parts(schema, extension, attribute, value)
            })
        });
    }

    fn keeps(&self, schema: &ResourceSchema, extension: Option<&Schema>, attribute: &Attribute) -> bool {
        match (attribute.returned, &self.choice) {
            (Returned::Always, _) => true,
            (Returned::Never, _) => false,
            (_, Choice::Only(paths)) => paths
                .iter()
                .any(|path| mention(schema, path, extension, attribute).is_some()),
            (Returned::Request, _) => false,
            (Returned::Default, Choice::Default) => true,
            (Returned::Default, Choice::Without(paths)) => !paths
                .iter()
                .any(|path| mention(schema, path, extension, attribute) == Some(Mention::Whole)),
        }
    }

    /// Takes out the parts that were not asked for; tells whether anything is left.
    fn reduce_parts(
        &self,
        schema: &ResourceSchema,
        extension: Option<&Schema>,
        attribute: &Attribute,
        value: &mut Value,
    ) -> bool {
        let (paths, only) = match &self.choice {
            Choice::Default => return true,
            Choice::Only(paths) => (paths, true),
            Choice::Without(paths) => (paths, false),
        };
        let mentions: Vec<_> = paths
            .iter()
            .filter_map(|path| mention(schema, path, extension, attribute))
            .collect();
        let parts: Vec<_> = mentions.iter().filter_map(|mention| mention.part()).collect();
        if parts.is_empty() || (only && mentions.contains(&Mention::Whole)) {
            return true;
        }
        let reduce = |map: &mut Map<String, Value>| {
            map.retain(|name, _| parts.iter().any(|part| *part == name) == only);
            !map.is_empty()
        };
        match value {
            Value::Object(map) => reduce(map),
            Value::Array(values) => {
                values.retain_mut(|value| value.as_object_mut().is_none_or(reduce));
                !values.is_empty()
            }
            _ => true,
        }
    }
}

/// How a path mentions an attribute.
#[derive(Debug, Clone, PartialEq)]
enum Mention {
    Whole,
    Part(String),
}

impl Mention {
    fn part(&self) -> Option<&str> {
        match self {
            Self::Whole => None,
            Self::Part(name) => Some(name),
        }
    }
}

fn mention(schema: &ResourceSchema, path: &Path, extension: Option<&Schema>, attribute: &Attribute) -> Option<Mention> {
    match schema.resolve(&path.attr)? {
        Target::Extension(named) => (extension == Some(named)).then_some(Mention::Whole),
        Target::Attribute {
            extension: named,
            attribute: found,
            sub,
        } => {
            if named.map(|schema| &schema.id) != extension.map(|schema| &schema.id) || found.name != attribute.name {
                return None;
            }
            let part = sub
                .map(|sub| sub.name.clone())
                .or_else(|| Some(attribute.sub_attribute(path.sub.as_deref()?)?.name.clone()));
            Some(part.map_or(Mention::Whole, Mention::Part))
        }
    }
}

fn named(list: Option<&str>) -> Result<Vec<Path>, Error> {
    let names = split(list.unwrap_or_default());
    if names.len() > MAX_NAMED {
        return Err(Error::new(
            ErrorKind::InvalidValue,
            format!("{} attributes are named; at most {MAX_NAMED} can be", names.len()),
        ));
    }
    names.into_iter().map(Path::parse).collect()
}

/// Splits at commas that stand outside brackets and quotes.
fn split(list: &str) -> Vec<&str> {
    let (mut names, mut start, mut inside, mut quoted) = (Vec::new(), 0, 0_usize, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'[' if !quoted => inside += 1,
            b']' if !quoted => inside = inside.saturating_sub(1),
            b',' if !quoted && inside == 0 => {
                names.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names.push(&list[start..]);
    names
        .into_iter()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}
