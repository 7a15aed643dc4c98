//! Which attributes an answer has: `attributes`, `excludedAttributes` (RFC 7644 §3.9) and each attribute's `returned`.

use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorKind},
    path::{AttrPath, Path},
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
    /// What the write said that this is the answer to.
    written: Vec<AttrPath>,
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
                written: Vec::new(),
            });
        }
        let without = named(excluded)?;
        Ok(Self {
            choice: if without.is_empty() {
                Choice::Default
            } else {
                Choice::Without(without)
            },
            written: Vec::new(),
        })
    }

    /// The same choice for the answer to a write that said these: what is returned on request is shown without being asked
    /// for, unless `attributes` asks for others (RFC 7643 §7).
    pub fn after_write(&mut self, said: Vec<AttrPath>) {
        self.written = said;
    }

    /// Whether an answer would have this attribute, should it have a value.
    pub fn wants(&self, schema: &ResourceSchema, attribute: &str) -> bool {
        let Some(known) = schema.attribute(attribute) else {
            return false;
        };
        self.resolved(schema).keeps(None, known)
    }

    /// Whether an answer would have anything of this extension, should it have values.
    pub fn wants_extension(&self, schema: &ResourceSchema, urn: &str) -> bool {
        let Some(extension) = schema.extensions.iter().find(|extension| extension.id == urn) else {
            return false;
        };
        let resolved = self.resolved(schema);
        let mut attributes = extension.attributes.iter();
        attributes.any(|attribute| resolved.keeps(Some(extension), attribute))
    }

    /// Takes everything out of a resource that was not asked for, or is not for anybody to see. `schemas` names what the
    /// resource has and the table knows: an extension that is no longer declared is not shown.
    pub fn apply(&self, schema: &ResourceSchema, resource: &mut Value) {
        let Some(map) = resource.as_object_mut() else { return };
        if map.contains_key("schemas") {
            let has = |extension: &&Schema| map.contains_key(&extension.id);
            let known = std::iter::once(&schema.core).chain(schema.extensions.iter().filter(has));
            let known = known.map(|schema| Value::from(schema.id.as_str())).collect();
            map.insert("schemas".to_owned(), known);
        }
        let resolved = self.resolved(schema);
        map.retain(|name, value| {
            if let Some(extension) = schema.extensions.iter().find(|extension| extension.id == *name) {
                let Some(inner) = value.as_object_mut() else {
                    return false;
                };
                inner.retain(|name, value| {
                    let attribute = extension.attribute(name);
                    attribute.is_some_and(|attribute| resolved.reduce(Some(extension), attribute, value))
                });
                return !inner.is_empty();
            }
            let attribute = schema.attribute(name);
            attribute.is_some_and(|attribute| resolved.reduce(None, attribute, value))
        });
    }

    /// The choice in the table's terms, so that names are looked up once for a resource.
    fn resolved<'s>(&self, schema: &'s ResourceSchema) -> Resolved<'s> {
        let (kind, paths) = match &self.choice {
            Choice::Default => (Kind::Default, &[][..]),
            Choice::Only(paths) => (Kind::Only, paths.as_slice()),
            Choice::Without(paths) => (Kind::Without, paths.as_slice()),
        };
        let mention = |path: &Path| mention(schema, &path.attr, path.sub.as_deref());
        let written = |path: &AttrPath| self::mention(schema, path, None);
        Resolved {
            kind,
            mentions: paths.iter().filter_map(mention).collect(),
            written: self.written.iter().filter_map(written).collect(),
        }
    }
}

/// A choice in the table's terms.
struct Resolved<'s> {
    kind: Kind,
    mentions: Vec<Mention<'s>>,
    /// What the write said.
    written: Vec<Mention<'s>>,
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

impl Mention<'_> {
    /// Whether it names an attribute or what that is in.
    fn is_about(&self, extension: Option<&Schema>, attribute: &Attribute) -> bool {
        self.extension == extension.map(|schema| schema.id.as_str())
            && self.attribute.is_none_or(|name| name == attribute.name)
    }
}

impl Resolved<'_> {
    /// The paths that name an attribute or what it is in.
    fn about(&self, extension: Option<&Schema>, attribute: &Attribute) -> impl Iterator<Item = &Mention<'_>> {
        let about = move |mention: &&Mention<'_>| mention.is_about(extension, attribute);
        self.mentions.iter().filter(about)
    }

    fn keeps(&self, extension: Option<&Schema>, attribute: &Attribute) -> bool {
        if attribute.is_hidden() {
            return false;
        }
        let mut about = self.about(extension, attribute);
        match (attribute.returned, self.kind) {
            (Returned::Never, _) => false,
            (Returned::Always, _) => true,
            // Asked for by its own name; its extension's does only where that has nothing else.
            (Returned::Request, Kind::Only) => {
                let all = extension.is_some_and(is_on_request);
                about.any(|mention| all || mention.attribute.is_some())
            }
            (Returned::Request, _) => {
                let mut written = self.written.iter();
                written.any(|mention| mention.is_about(extension, attribute))
                    && about.all(|mention| mention.part.is_some())
            }
            (Returned::Default, Kind::Default) => true,
            (Returned::Default, Kind::Only) => about.next().is_some(),
            (Returned::Default, Kind::Without) => about.all(|mention| mention.part.is_some()),
        }
    }

    /// Takes out the parts that are not shown; tells whether anything is left of the attribute.
    fn reduce(&self, extension: Option<&Schema>, attribute: &Attribute, value: &mut Value) -> bool {
        if !self.keeps(extension, attribute) {
            return false;
        }
        let parts: Vec<_> = self
            .about(extension, attribute)
            .filter_map(|mention| mention.part)
            .collect();
        let usual = |part: &Attribute| part.returned == Returned::Default && !part.is_hidden();
        if parts.is_empty() && attribute.sub_attributes.iter().all(usual) {
            return true;
        }
        // Without a word about parts, all of the attribute is meant; with one, these alone.
        let whole = parts.is_empty() || self.about(extension, attribute).any(|mention| mention.part.is_none());
        let only = self.kind == Kind::Only;
        let shown = |name: &str| {
            let (part, named) = (attribute.sub_attribute(name), parts.contains(&name));
            if part.is_some_and(Attribute::is_hidden) {
                return false;
            }
            match part.map_or(Returned::Default, |part| part.returned) {
                Returned::Never => false,
                Returned::Always => true,
                Returned::Request if only => named,
                Returned::Request => !named && self.was_written(extension, attribute, name),
                Returned::Default if only => whole || named,
                Returned::Default => !named,
            }
        };
        let reduce = |map: &mut Map<String, Value>| {
            map.retain(|name, _| shown(name));
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

    fn was_written(&self, extension: Option<&Schema>, attribute: &Attribute, part: &str) -> bool {
        let mut written = self.written.iter();
        written.any(|mention| mention.part == Some(part) && mention.is_about(extension, attribute))
    }
}

/// Whether all of an extension is returned on request.
fn is_on_request(extension: &Schema) -> bool {
    let mut attributes = extension.attributes.iter();
    attributes.all(|attribute| attribute.returned == Returned::Request)
}

fn mention<'s>(schema: &'s ResourceSchema, path: &AttrPath, part: Option<&str>) -> Option<Mention<'s>> {
    Some(match schema.resolve(path)? {
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
            let part = sub.or_else(|| attribute.sub_attribute(part?));
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
