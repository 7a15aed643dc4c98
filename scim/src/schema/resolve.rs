//! From a path as a client wrote it to the place in the table that it names.

use super::{Attribute, ResourceSchema, Schema, URN_ENTERPRISE_USER};
use crate::path::AttrPath;

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
    // Older clients leave the URN out (`manager`, R13): fine where only one extension can be meant.
    let mut owners = schema
        .extensions
        .iter()
        .filter_map(|extension| Some((extension, extension.attribute(&path.attribute)?)));
    match (owners.next(), owners.next()) {
        (Some((extension, found)), None) => attribute(Some(extension), found, path),
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

fn space<'s>(schema: &'s ResourceSchema, urn: &str) -> Option<Space<'s>> {
    if urn.eq_ignore_ascii_case(&schema.core.id) {
        return Some(Space::Core);
    }
    let known = schema
        .extensions
        .iter()
        .find(|extension| extension.id.eq_ignore_ascii_case(urn));
    // An old sample, still met in the field, lacks the last colon of this one (Q26).
    let known = known.or_else(|| {
        let slipped = urn.len() + 1 == URN_ENTERPRISE_USER.len()
            && urn.eq_ignore_ascii_case(&URN_ENTERPRISE_USER.replace(":User", "User"));
        schema
            .extensions
            .iter()
            .find(|extension| slipped && extension.id == URN_ENTERPRISE_USER)
    });
    known.map(Space::Extension)
}
