//! From a path as a client wrote it to the place in the table that it names.

use super::{Attribute, ResourceSchema, Schema, URN_ENTERPRISE_USER};
use crate::path::AttrPath;

/// What is accepted and never kept: no table has it, and no extension gets it by accident.
const NEVER_KEPT: &str = "password";

/// The place that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'s> {
    /// A whole extension.
    Extension(&'s Schema),
    /// An attribute or one of its parts.
    Attribute {
        /// The extension that it belongs to; `None` for core and common attributes.
        extension: Option<&'s Schema>,
        /// The attribute.
        attribute: &'s Attribute,
        /// The part.
        sub: Option<&'s Attribute>,
    },
}

/// Where in the text of a resource a URN leads.
enum Space<'s> {
    Core,
    Extension(&'s Schema),
}

pub(super) fn resolve<'s>(schema: &'s ResourceSchema, path: &AttrPath) -> Option<Target<'s>> {
    let Some(urn) = &path.urn else {
        return bare(schema, path);
    };
    match space(schema, urn) {
        // An administrator's target may be called so (R16).
        Some(Space::Core) if path.attribute.eq_ignore_ascii_case("role") => {
            attribute(None, schema.attribute("roles")?, path)
        }
        Some(Space::Core) => attribute(None, schema.attribute(&path.attribute)?, path),
        Some(Space::Extension(extension)) => attribute(Some(extension), extension.attribute(&path.attribute)?, path),
        // The last part of a URN reads like an attribute's name: the whole text may be an extension's URN.
        None => match space(schema, &path.to_string())? {
            Space::Extension(extension) => Some(Target::Extension(extension)),
            Space::Core => None,
        },
    }
}

fn bare<'s>(schema: &'s ResourceSchema, path: &AttrPath) -> Option<Target<'s>> {
    if let Some(found) = schema.attribute(&path.attribute) {
        return attribute(None, found, path);
    }
    // What every client may send to anybody must not end in an extension that has the same name.
    if path.attribute.eq_ignore_ascii_case(NEVER_KEPT) {
        return None;
    }
    // Older clients leave the URN out (`manager`, R13). That always was the enterprise extension's; of the others, only
    // where one alone can be meant.
    let owner = |extension: &'s Schema| Some((extension, extension.attribute(&path.attribute)?));
    let (enterprise, others): (Vec<_>, Vec<_>) = schema
        .extensions
        .iter()
        .filter_map(owner)
        .partition(|(extension, _)| extension.id == URN_ENTERPRISE_USER);
    match (enterprise.first(), others.as_slice()) {
        (Some((extension, found)), _) => attribute(Some(*extension), found, path),
        (None, [(extension, found)]) => attribute(Some(*extension), found, path),
        _ => None,
    }
}

fn attribute<'s>(extension: Option<&'s Schema>, attribute: &'s Attribute, path: &AttrPath) -> Option<Target<'s>> {
    let sub = match &path.sub {
        None => None,
        Some(name) => Some(attribute.sub_attribute(name)?),
    };
    Some(Target::Attribute {
        extension,
        attribute,
        sub,
    })
}

/// A slip of an old sample, still met in the field: it lacks the last colon of the enterprise extension's URN (Q26).
pub(super) fn is_slipped_enterprise(urn: &str) -> bool {
    urn.len() + 1 == URN_ENTERPRISE_USER.len()
        && urn.eq_ignore_ascii_case(&URN_ENTERPRISE_USER.replace(":User", "User"))
}

fn space<'s>(schema: &'s ResourceSchema, urn: &str) -> Option<Space<'s>> {
    if urn.eq_ignore_ascii_case(&schema.core.id) {
        return Some(Space::Core);
    }
    let known = schema
        .extensions
        .iter()
        .find(|extension| extension.id.eq_ignore_ascii_case(urn));
    let known = known.or_else(|| {
        let slipped = is_slipped_enterprise(urn);
        schema
            .extensions
            .iter()
            .find(|extension| slipped && extension.id == URN_ENTERPRISE_USER)
    });
    known.map(Space::Extension)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{ResourceType, Schemas};

    #[test]
    fn names_without_a_urn_lead_where_they_always_led() {
        let names = [
            "manager",
            "members",
            "userName",
            "id",
            "password",
            "badgeTier",
            "shared",
        ];
        let attributes: Vec<_> = names
            .iter()
            .map(|name| json!({"name": name, "type": "string"}))
            .collect();
        let document = |urn: &str| json!({"id": urn, "name": "x", "attributes": attributes});
        let (first, second) = ("urn:kestrel:one:User", "urn:kestrel:two:User");
        let declared = |urns: &[&str]| {
            let declarations = urns.iter().map(|urn| crate::Declaration {
                resource_type: ResourceType::User,
                required: false,
                document: document(urn),
            });
            Schemas::with_extensions(declarations).unwrap()
        };
        let owner = |schemas: &Schemas, path: &str| {
            let path = AttrPath::parse(path).unwrap();
            schemas.user().resolve(&path).map(|target| match target {
                Target::Extension(extension) => format!("all of {}", extension.id),
                Target::Attribute { extension, .. } => {
                    extension.map(|extension| extension.id.clone()).unwrap_or_default()
                }
            })
        };
        let one = declared(&[first]);
        let both = declared(&[first, second]);
        for schemas in [&one, &both] {
            assert_eq!(owner(schemas, "manager").as_deref(), Some(URN_ENTERPRISE_USER));
            assert_eq!(owner(schemas, "userName").as_deref(), Some(""));
            assert_eq!(owner(schemas, "ID").as_deref(), Some(""));
            assert_eq!(owner(schemas, "password"), None);
            for name in names {
                assert_eq!(owner(schemas, &format!("{first}:{name}")).as_deref(), Some(first));
            }
            assert_eq!(owner(schemas, first), Some(format!("all of {first}")));
        }
        assert_eq!(owner(&one, "badgeTier").as_deref(), Some(first));
        assert_eq!(owner(&both, "badgeTier"), None, "it could be either's");
    }
}
