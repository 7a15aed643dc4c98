//! Which attributes an answer has: `attributes`, `excludedAttributes` (RFC 7644 §3.9) and each attribute's `returned`.

use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorKind},
    path::Path,
    schema::{Attribute, ResourceSchema, Returned, Schema, Target},
};

/// How many attributes a request may name.
const MAX_NAMED: usize = 100;

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
        self.resolved(schema).keeps(None, known)
    }

    /// Takes everything out of a resource that was not asked for.
    pub fn apply(&self, schema: &ResourceSchema, resource: &mut Value) {
        let Some(map) = resource.as_object_mut() else { return };
        let resolved = self.resolved(schema);
        map.retain(|name, value| {
            if let Some(extension) = schema.extensions.iter().find(|extension| extension.id == *name) {
                let Some(inner) = value.as_object_mut() else {
                    return false;
                };
                resolved.reduce(extension, inner);
                return !inner.is_empty();
            }
            let Some(attribute) = schema.attribute(name) else {
                return self.choice == Choice::Default;
            };
            resolved.keeps(None, attribute) && resolved.reduce_parts(None, attribute, value)
        });
    }

    /// The choice in the table's terms, so that names are looked up once for a resource.
    fn resolved<'s>(&self, schema: &'s ResourceSchema) -> Resolved<'s> {
        let (kind, paths) = match &self.choice {
            Choice::Default => (Kind::Default, &[][..]),
            Choice::Only(paths) => (Kind::Only, paths.as_slice()),
            Choice::Without(paths) => (Kind::Without, paths.as_slice()),
        };
        Resolved {
            kind,
            mentions: paths.iter().filter_map(|path| mention(schema, path)).collect(),
        }
    }
}

/// A choice in the table's terms.
struct Resolved<'s> {
    kind: Kind,
    mentions: Vec<Mention<'s>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Default,
    Only,
    Without,
}

/// What one path names: an extension, an attribute, or a part of one.
struct Mention<'s> {
    extension: Option<&'s str>,
    attribute: Option<&'s str>,
    part: Option<&'s str>,
}

impl Resolved<'_> {
    fn reduce(&self, extension: &Schema, map: &mut Map<String, Value>) {
        map.retain(|name, value| {
            let attribute = extension.attribute(name);
            attribute.is_some_and(|attribute| {
                self.keeps(Some(extension), attribute) && self.reduce_parts(Some(extension), attribute, value)
            })
        });
    }

    /// The paths that name an attribute or what it is in.
    fn about(&self, extension: Option<&Schema>, attribute: &Attribute) -> impl Iterator<Item = &Mention<'_>> {
        let extension = extension.map(|schema| schema.id.as_str());
        self.mentions.iter().filter(move |mention| {
            mention.extension == extension && mention.attribute.is_none_or(|name| name == attribute.name)
        })
    }

    fn keeps(&self, extension: Option<&Schema>, attribute: &Attribute) -> bool {
        match (attribute.returned, self.kind) {
            (Returned::Always, _) => true,
            (Returned::Never, _) => false,
            (_, Kind::Only) => self.about(extension, attribute).next().is_some(),
            (Returned::Request, _) => false,
            (Returned::Default, Kind::Default) => true,
            (Returned::Default, Kind::Without) => {
                !self.about(extension, attribute).any(|mention| mention.part.is_none())
            }
        }
    }

    /// Takes out the parts that were not asked for; tells whether anything is left.
    fn reduce_parts(&self, extension: Option<&Schema>, attribute: &Attribute, value: &mut Value) -> bool {
        let only = self.kind == Kind::Only;
        let whole = self.about(extension, attribute).any(|mention| mention.part.is_none());
        let parts: Vec<_> = self
            .about(extension, attribute)
            .filter_map(|mention| mention.part)
            .collect();
        if parts.is_empty() || (only && whole) {
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

fn mention<'s>(schema: &'s ResourceSchema, path: &Path) -> Option<Mention<'s>> {
    Some(match schema.resolve(&path.attr)? {
        Target::Extension(named) => Mention {
            extension: Some(&named.id),
            attribute: None,
            part: None,
        },
        Target::Attribute {
            extension,
            attribute,
            sub,
        } => {
            let part = sub.or_else(|| attribute.sub_attribute(path.sub.as_deref()?));
            Mention {
                extension: extension.map(|schema| schema.id.as_str()),
                attribute: Some(&attribute.name),
                part: part.map(|part| part.name.as_str()),
            }
        }
    })
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
