//! A schema from its document (RFC 7643 §7): the inverse of [`documents`](super::documents), and strict. What is published
//! is exactly what works, so a declaration that asks for what is not done is refused rather than half obeyed.

use serde_json::{Map, Value};

use super::{
    Attribute, AttributeType, Mutability, Returned, Schema, URN_SCHEMA, Uniqueness,
    problem::{DeclarationError, DeclarationProblem as Problem},
    words::Word,
};
use crate::path::AttrPath;

/// How many attributes a declared schema may have.
pub const MAX_ATTRIBUTES: usize = 100;
/// How many parts a declared complex attribute may have.
pub const MAX_SUB_ATTRIBUTES: usize = 30;
/// How many canonical values an attribute may name.
pub const MAX_CANONICAL_VALUES: usize = 100;
/// How long a URN or an attribute's name may be.
pub const MAX_NAME_CHARS: usize = 200;
/// How long a description, a schema's name or a canonical value may be.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;

const SCHEMA_MEMBERS: &[&str] = &["schemas", "id", "name", "description", "attributes", "meta"];
const ATTRIBUTE_MEMBERS: &[&str] = &[
    "name",
    "type",
    "subAttributes",
    "multiValued",
    "description",
    "required",
    "canonicalValues",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "referenceTypes",
];
/// What a reference may point to here.
const REFERENCE_TYPES: &[&str] = &["external", "uri", "User", "Group"];

/// Reads one Schema document.
pub(super) fn schema(document: &Value) -> Result<Schema, DeclarationError> {
    let id = document.get("id").and_then(Value::as_str);
    let fail = |problem| DeclarationError {
        schema: id.map(shortened),
        attribute: None,
        problem,
    };
    let read = || -> Result<Schema, Problem> {
        let members = Members::of(document, SCHEMA_MEMBERS)?;
        let id = members.text("id")?.ok_or(Problem::Missing("id"))?;
        if !is_urn(id) {
            return Err(Problem::MalformedUrn);
        }
        let schemas = members.texts("schemas")?;
        if !schemas.is_empty() && !schemas.iter().any(|urn| urn.eq_ignore_ascii_case(URN_SCHEMA)) {
            return Err(Problem::UnknownDocument);
        }
        Ok(Schema {
            id: id.to_owned(),
            name: members.prose("name")?.unwrap_or(id).to_owned(),
            description: members.prose("description")?.unwrap_or_default().to_owned(),
            attributes: Vec::new(),
        })
    };
    let mut schema = read().map_err(fail)?;
    let list = document.get("attributes").ok_or(Problem::Missing("attributes"));
    let list = list.and_then(|list| list.as_array().ok_or(Problem::WrongType("attributes", "a list")));
    let list = list.map_err(fail)?;
    if list.is_empty() {
        return Err(fail(Problem::NoAttributes));
    }
    if list.len() > MAX_ATTRIBUTES {
        return Err(fail(Problem::TooManyAttributes));
    }
    schema.attributes = attributes(list, None).map_err(|(attribute, problem)| DeclarationError {
        schema: Some(schema.id.clone()),
        attribute: Some(attribute),
        problem,
    })?;
    Ok(schema)
}

/// The attributes of a schema, or the parts of one; a problem comes with the name it is about.
fn attributes(list: &[Value], parent: Option<&str>) -> Result<Vec<Attribute>, (String, Problem)> {
    let mut read: Vec<Attribute> = Vec::with_capacity(list.len());
    for (at, document) in list.iter().enumerate() {
        let name = document.get("name").and_then(Value::as_str);
        let name = name.map_or_else(|| format!("number {}", at + 1), shortened);
        let place = parent.map_or_else(|| name.clone(), |parent| format!("{parent}.{name}"));
        let found = attribute(document, parent.is_some()).map_err(|problem| (place.clone(), problem))?;
        let repeated = read.iter().any(|known| known.name.eq_ignore_ascii_case(&found.name));
        if repeated {
            return Err((place, Problem::RepeatedName));
        }
        let parts = match (found.kind, document.get("subAttributes")) {
            (AttributeType::Complex, Some(Value::Array(parts))) if parts.len() > MAX_SUB_ATTRIBUTES => {
                return Err((place, Problem::TooManySubAttributes));
            }
            (AttributeType::Complex, Some(Value::Array(parts))) if !parts.is_empty() => {
                attributes(parts, Some(&found.name))?
            }
            (AttributeType::Complex, None | Some(Value::Array(_))) => return Err((place, Problem::NoSubAttributes)),
            (AttributeType::Complex, Some(_)) => return Err((place, Problem::WrongType("subAttributes", "a list"))),
            // Published schemas have empty lists here now and then.
            (_, None) => Vec::new(),
            (_, Some(Value::Array(parts))) if parts.is_empty() => Vec::new(),
            (_, Some(_)) => return Err((place, Problem::SubAttributesOfSimple)),
        };
        read.push(Attribute {
            sub_attributes: parts,
            ..found
        });
    }
    Ok(read)
}

/// One attribute without its parts.
fn attribute(document: &Value, is_part: bool) -> Result<Attribute, Problem> {
    let members = Members::of(document, ATTRIBUTE_MEMBERS)?;
    let name = members.text("name")?.ok_or(Problem::Missing("name"))?;
    if !(is_name(name) || is_part && name == "$ref") {
        return Err(Problem::MalformedName);
    }
    let kind = members.word("type")?.unwrap_or(AttributeType::String);
    let mut attribute = Attribute::new(name, kind, members.prose("description")?.unwrap_or_default());
    attribute.multi_valued = members.truth("multiValued")?.unwrap_or(false);
    attribute.required = members.truth("required")?.unwrap_or(false);
    if is_part && kind == AttributeType::Complex {
        return Err(Problem::NestedComplex);
    }
    if is_part && attribute.multi_valued {
        return Err(Problem::MultiValuedSubAttribute);
    }
    attribute.mutability = members.word("mutability")?.unwrap_or(Mutability::ReadWrite);
    let returned = members.word("returned")?;
    attribute.returned = match (attribute.mutability, returned) {
        (Mutability::WriteOnly, None | Some(Returned::Never)) => Returned::Never,
        (Mutability::WriteOnly, Some(returned)) => return Err(Problem::ReturnedWriteOnly(returned)),
        (_, returned) => returned.unwrap_or(Returned::Default),
    };
    if attribute.required && attribute.mutability == Mutability::ReadOnly {
        return Err(Problem::RequiredReadOnly);
    }
    if members.word("uniqueness")?.unwrap_or(Uniqueness::None) != Uniqueness::None {
        return Err(Problem::NotUnique);
    }
    match (kind, members.truth("caseExact")?) {
        (AttributeType::Binary, Some(false)) => return Err(Problem::BinaryCase),
        // Numbers, booleans and objects have no case; published schemas say something here all the same.
        (AttributeType::String | AttributeType::Reference | AttributeType::DateTime, Some(exact)) => {
            attribute.case_exact = exact;
        }
        _ => {}
    }
    attribute.canonical_values = owned(&members.texts("canonicalValues")?);
    if attribute.canonical_values.len() > MAX_CANONICAL_VALUES {
        return Err(Problem::TooManyCanonicalValues);
    }
    if attribute.canonical_values.iter().any(|value| is_long(value)) {
        return Err(Problem::LongText("canonicalValues"));
    }
    let has_texts = matches!(kind, AttributeType::String | AttributeType::Reference);
    if !attribute.canonical_values.is_empty() && !has_texts {
        return Err(Problem::NotForType {
            kind,
            member: "canonicalValues",
        });
    }
    attribute.reference_types = owned(&members.texts("referenceTypes")?);
    if kind != AttributeType::Reference && !attribute.reference_types.is_empty() {
        return Err(Problem::NotForType {
            kind,
            member: "referenceTypes",
        });
    }
    let known = |name: &String| REFERENCE_TYPES.contains(&name.as_str());
    let fits = !attribute.reference_types.is_empty() && attribute.reference_types.iter().all(known);
    if kind == AttributeType::Reference && !fits {
        return Err(Problem::ReferenceTypes);
    }
    Ok(attribute)
}

/// The members of one object of a declaration.
struct Members<'d>(&'d Map<String, Value>);

impl<'d> Members<'d> {
    fn of(document: &'d Value, known: &[&str]) -> Result<Self, Problem> {
        let map = document.as_object().ok_or(Problem::UnknownDocument)?;
        match map.keys().find(|name| !known.contains(&name.as_str())) {
            // A slip of the pen would pass for a characteristic left out.
            Some(unknown) => Err(Problem::UnknownMember(shortened(unknown))),
            None => Ok(Self(map)),
        }
    }

    fn text(&self, name: &'static str) -> Result<Option<&'d str>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(Problem::WrongType(name, "a text")),
        }
    }

    fn prose(&self, name: &'static str) -> Result<Option<&'d str>, Problem> {
        match self.text(name)? {
            Some(text) if is_long(text) => Err(Problem::LongText(name)),
            text => Ok(text),
        }
    }

    fn truth(&self, name: &'static str) -> Result<Option<bool>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_bool()
                .map(Some)
                .ok_or(Problem::WrongType(name, "true or false")),
        }
    }

    fn texts(&self, name: &'static str) -> Result<Vec<&'d str>, Problem> {
        let wrong = || Problem::WrongType(name, "a list of texts");
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(value) => {
                let values = value.as_array().ok_or_else(wrong)?.iter();
                values.map(|value| value.as_str().ok_or_else(wrong)).collect()
            }
        }
    }

    fn word<W: Word>(&self, name: &'static str) -> Result<Option<W>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        W::of(text).map(Some).ok_or_else(|| Problem::UnknownWord {
            member: name,
            value: shortened(text),
            known: W::all(),
        })
    }
}

/// RFC 8141, as far as a path can carry it: the language's own parser must find the URN before an attribute's name.
fn is_urn(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let urn = parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn"));
    let namespace = parts.next().is_some_and(|name| (2..=32).contains(&name.len()));
    let rest = parts
        .next()
        .is_some_and(|rest| !rest.is_empty() && rest.split(':').all(|part| !part.is_empty()));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._$:".contains(&byte);
    let before_a_name = || AttrPath::parse(&format!("{text}:a")).is_ok_and(|path| path.urn.as_deref() == Some(text));
    let alone = || AttrPath::parse(text).is_ok_and(|path| path.to_string() == text);
    urn && namespace && rest && text.len() <= MAX_NAME_CHARS && text.bytes().all(plain) && before_a_name() && alone()
}

/// RFC 7643 §2.1.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME_CHARS
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$'))
}

fn is_long(text: &str) -> bool {
    text.len() > MAX_DESCRIPTION_CHARS && text.chars().count() > MAX_DESCRIPTION_CHARS
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// For a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MAX_NAME_CHARS).collect()
}
