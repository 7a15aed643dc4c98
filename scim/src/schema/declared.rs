//! A tenant's own extensions: from a file to declarations, and from declarations to the table.
//!
//! The file is a JSON list of Schema documents (RFC 7643 §7), or a `ListResponse` with them in `Resources`; ResourceType
//! documents (RFC 7643 §6) among them say which type has which extension, and whether it must.

use serde_json::Value;

use super::{
    ResourceType, Schema, Schemas, URN_DELIVERY, URN_ENTERPRISE_USER, URN_RESOURCE_TYPE, documents,
    problem::{DeclarationError, DeclarationProblem as Problem},
    read::{self, shortened},
    resolve::is_slipped_enterprise,
};

/// How many extensions one resource type may have beside the built-in ones.
pub const MAX_EXTENSIONS: usize = 20;
/// How long a file of declarations may be, in bytes.
pub const MAX_DECLARATION_BYTES: usize = 1024 * 1024;

/// URNs with these beginnings are the RFCs' own.
const RESERVED: &[&str] = &["urn:ietf:params:scim:schemas:core:", "urn:ietf:params:scim:api:"];

/// One extension of one resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Who has it.
    pub resource_type: ResourceType,
    /// Whether every such resource must have it.
    pub required: bool,
    /// The Schema document.
    pub document: Value,
}

impl Declaration {
    /// Reads the text of a file.
    ///
    /// ```
    /// let file = r#"[{"id": "urn:example:badge:User", "attributes": [{"name": "badgeTier", "type": "string"}]}]"#;
    /// let schemas = scim::Schemas::with_extensions(scim::Declaration::read(file)?)?;
    /// let path = "urn:example:badge:User:badgeTier".parse().unwrap();
    /// assert!(schemas.user().resolve(&path).is_some());
    /// # Ok::<(), scim::DeclarationError>(())
    /// ```
    pub fn read(text: &str) -> Result<Vec<Self>, DeclarationError> {
        if text.len() > MAX_DECLARATION_BYTES {
            return Err(whole(Problem::TooLong));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: Value = serde_json::from_str(text).map_err(|error| whole(Problem::NoJson(error.to_string())))?;
        let list = match &file {
            Value::Array(list) => Some(list),
            Value::Object(map) => map.get("Resources").and_then(Value::as_array),
            _ => None,
        };
        let list = list.ok_or_else(|| whole(Problem::NoList))?;
        let (types, schemas): (Vec<&Value>, Vec<&Value>) = list.iter().partition(|document| is_resource_type(document));
        let mut uses = Vec::new();
        for document in types {
            uses.extend(Use::read(document)?);
        }
        let mut declared = Vec::new();
        for (at, document) in schemas.iter().enumerate() {
            let id = document
                .get("id")
                .and_then(Value::as_str)
                .ok_or_else(|| DeclarationError {
                    schema: Some(format!("document {}", at + 1)),
                    ..whole(Problem::UnknownDocument)
                })?;
            let twice = schemas[..at].iter().any(|earlier| {
                let earlier = earlier.get("id").and_then(Value::as_str);
                earlier.is_some_and(|earlier| earlier.eq_ignore_ascii_case(id))
            });
            if twice {
                return Err(about(id, Problem::RepeatedUrn));
            }
            let mut owners: Vec<_> = uses
                .iter()
                .filter(|using| using.urn.eq_ignore_ascii_case(id))
                .map(|using| (using.resource_type, using.required))
                .collect();
            if owners.is_empty() {
                owners.push((
                    by_last_segment(id).ok_or_else(|| about(id, Problem::NoResourceType))?,
                    false,
                ));
            }
            declared.extend(owners.into_iter().map(|(resource_type, required)| Self {
                resource_type,
                required,
                document: (*document).clone(),
            }));
        }
        for using in uses.iter().filter(|using| !is_built_in(&using.urn)) {
            let there = schemas.iter().filter_map(|document| document.get("id")?.as_str());
            if !there.into_iter().any(|id| id.eq_ignore_ascii_case(&using.urn)) {
                let problem = Problem::UndeclaredExtension(shortened(&using.urn));
                return Err(about(using.resource_type.name(), problem));
            }
        }
        Ok(declared)
    }
}

/// Whether the built-in table has this extension.
fn is_built_in(urn: &str) -> bool {
    [URN_ENTERPRISE_USER, URN_DELIVERY]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(urn))
}

impl Schemas {
    /// The built-in table and the extensions that are declared.
    pub fn with_extensions(declarations: impl IntoIterator<Item = Declaration>) -> Result<Self, DeclarationError> {
        let mut schemas = Self::builtin();
        for declaration in declarations {
            let extension = read::schema(&declaration.document)?;
            let id = extension.id.clone();
            schemas
                .admit(&extension, declaration.resource_type)
                .map_err(|problem| about(&id, problem))?;
            let table = match declaration.resource_type {
                ResourceType::User => &mut schemas.user,
                ResourceType::Group => &mut schemas.group,
            };
            if declaration.required {
                table.required_extensions.push(id);
            }
            table.extensions.push(extension);
        }
        Ok(schemas)
    }

    /// What is declared beside the built-in table: [`Schemas::with_extensions`] makes this very table of it.
    pub fn declarations(&self) -> Vec<Declaration> {
        let builtin = Self::builtin();
        let of = |kind: &ResourceType| {
            let (table, known) = (self.resource(*kind), builtin.resource(*kind));
            let resource_type = *kind;
            let own = table
                .extensions
                .iter()
                .filter(|extension| !known.extensions.contains(extension));
            own.map(|extension| Declaration {
                resource_type,
                required: table.requires(extension),
                document: documents::document(extension),
            })
            .collect::<Vec<_>>()
        };
        ResourceType::ALL.iter().flat_map(of).collect()
    }

    /// Whether an extension goes with what the table has already.
    fn admit(&self, extension: &Schema, resource_type: ResourceType) -> Result<(), Problem> {
        let id = &extension.id;
        let reserved = RESERVED.iter().find(|reserved| {
            id.get(..reserved.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(reserved))
        });
        let builtin = Self::builtin();
        if is_slipped_enterprise(id) || builtin.all().any(|known| known.id.eq_ignore_ascii_case(id)) {
            return Err(Problem::BuiltInUrn);
        }
        if let Some(reserved) = reserved {
            return Err(Problem::ReservedUrn(reserved));
        }
        let table = self.resource(resource_type);
        let known = table.extensions.iter().any(|known| known.id.eq_ignore_ascii_case(id));
        // The other type may have it, too, if it is the same there.
        let differs = self
            .all()
            .any(|known| known.id.eq_ignore_ascii_case(id) && known != extension);
        if known || differs {
            return Err(Problem::RepeatedUrn);
        }
        if let Some(other) = self.all().find(|known| begins(&known.id, id) || begins(id, &known.id)) {
            return Err(Problem::AmbiguousUrn(other.id.clone()));
        }
        if table.extensions.len() - builtin.resource(resource_type).extensions.len() == MAX_EXTENSIONS {
            return Err(Problem::TooManyExtensions);
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Schema> {
        let tables = [&self.user, &self.group].into_iter();
        tables.flat_map(|table| std::iter::once(&table.core).chain(&table.extensions))
    }
}

/// What a ResourceType document says of one extension.
struct Use {
    resource_type: ResourceType,
    urn: String,
    required: bool,
}

impl Use {
    fn read(document: &Value) -> Result<Vec<Self>, DeclarationError> {
        let name = document
            .get("name")
            .or_else(|| document.get("id"))
            .and_then(Value::as_str);
        let fail = |problem| about(name.unwrap_or("a ResourceType document"), problem);
        let builtin = Schemas::builtin();
        let core = document.get("schema").and_then(Value::as_str);
        let resource_type = ResourceType::ALL.into_iter().find(|kind| match (core, name) {
            (Some(urn), _) => builtin.resource(*kind).core.id.eq_ignore_ascii_case(urn),
            (None, name) => name == Some(kind.name()),
        });
        let resource_type = resource_type.ok_or_else(|| fail(Problem::UnknownResourceType))?;
        let list = match document.get("schemaExtensions") {
            None => return Ok(Vec::new()),
            Some(list) => list
                .as_array()
                .ok_or_else(|| fail(Problem::WrongType("schemaExtensions", "a list")))?,
        };
        let mut uses: Vec<Self> = Vec::new();
        for entry in list {
            let urn = entry.get("schema").and_then(Value::as_str);
            let urn = urn.ok_or_else(|| fail(Problem::WrongType("schemaExtensions.schema", "a URN")))?;
            let required = match entry.get("required") {
                None => false,
                Some(required) => required
                    .as_bool()
                    .ok_or_else(|| fail(Problem::WrongType("schemaExtensions.required", "true or false")))?,
            };
            if uses.iter().any(|known| known.urn.eq_ignore_ascii_case(urn)) {
                return Err(fail(Problem::RepeatedExtension(shortened(urn))));
            }
            if required && is_built_in(urn) {
                return Err(fail(Problem::RequiredBuiltIn(shortened(urn))));
            }
            uses.push(Self {
                resource_type,
                urn: urn.to_owned(),
                required,
            });
        }
        Ok(uses)
    }
}

fn is_resource_type(document: &Value) -> bool {
    let says_so = document.get("schemas").and_then(Value::as_array).is_some_and(|urns| {
        let mut urns = urns.iter().filter_map(Value::as_str);
        urns.any(|urn| urn.eq_ignore_ascii_case(URN_RESOURCE_TYPE))
    });
    says_so || document.get("attributes").is_none() && document.get("schemaExtensions").is_some()
}

/// The type that a URN names at its end, as those of the RFCs do.
fn by_last_segment(urn: &str) -> Option<ResourceType> {
    let (_, last) = urn.rsplit_once(':')?;
    ResourceType::ALL
        .into_iter()
        .find(|kind| last.eq_ignore_ascii_case(kind.name()))
}

/// Whether `urn` followed by a colon begins `longer`: then a path could mean an attribute of the one or all of the other.
fn begins(urn: &str, longer: &str) -> bool {
    longer.as_bytes().get(urn.len()) == Some(&b':')
        && longer
            .get(..urn.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(urn))
}

fn whole(problem: Problem) -> DeclarationError {
    DeclarationError {
        schema: None,
        attribute: None,
        problem,
    }
}

fn about(schema: &str, problem: Problem) -> DeclarationError {
    DeclarationError {
        schema: Some(shortened(schema)),
        ..whole(problem)
    }
}
