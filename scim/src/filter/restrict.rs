//! What is left of a filter over several resource types when only one of them is looked at (RFC 7644 §3.4.2.1): an
//! attribute that the type does not have counts as one without a value, and the type's own name is known.

use serde_json::json;

use super::{CompareOp, Filter, Literal};
use crate::{path::AttrPath, schema::ResourceSchema, schema::Target};

/// What a filter comes to for one resource type.
#[derive(Debug, Clone, PartialEq)]
pub enum Restricted {
    /// Every resource of the type matches.
    All,
    /// None does.
    None,
    /// Those that this filter matches; it only mentions attributes that the type has.
    Some(Filter),
}

impl Restricted {
    fn constant(truth: bool) -> Self {
        if truth { Self::All } else { Self::None }
    }
}

pub(super) fn restrict(filter: &Filter, schema: &ResourceSchema) -> Restricted {
    match filter {
        Filter::And(parts) => join(parts, schema, Restricted::All, Restricted::None, Filter::and),
        Filter::Or(parts) => join(parts, schema, Restricted::None, Restricted::All, Filter::or),
        Filter::Not(inner) => match restrict(inner, schema) {
            Restricted::All => Restricted::None,
            Restricted::None => Restricted::All,
            Restricted::Some(inner) => Restricted::Some(Filter::Not(Box::new(inner))),
        },
        Filter::Present(path) | Filter::Compare { path, .. } if names_type(schema, path) => {
            let typed = json!({ "meta": { "resourceType": schema.resource_type.name() } });
            Restricted::constant(filter.matches(schema, &typed))
        }
        Filter::Present(path) | Filter::Compare { path, .. } | Filter::ValuePath { attr: path, .. }
            if schema.resolve(path).is_some() =>
        {
            Restricted::Some(filter.clone())
        }
        // As with an attribute of the type that has no value.
        Filter::Compare { op, value, .. } => Restricted::constant(match value {
            Literal::Null => *op == CompareOp::Eq,
            _ => *op == CompareOp::Ne,
        }),
        Filter::Present(_) | Filter::ValuePath { .. } => Restricted::None,
    }
}

/// Joins parts of which `neutral` ones change nothing and a `deciding` one decides.
fn join(
    parts: &[Filter],
    schema: &ResourceSchema,
    neutral: Restricted,
    deciding: Restricted,
    joined: fn(Vec<Filter>) -> Filter,
) -> Restricted {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match restrict(part, schema) {
            Restricted::Some(part) => kept.push(part),
            decided if decided == deciding => return deciding,
            _ => {}
        }
    }
    match kept.len() {
        0 => neutral,
        1 => Restricted::Some(kept.remove(0)),
        _ => Restricted::Some(joined(kept)),
    }
}

fn names_type(schema: &ResourceSchema, path: &AttrPath) -> bool {
    matches!(
        schema.resolve(path),
        Some(Target::Attribute { extension: None, attribute, sub: Some(sub) })
            if attribute.name == "meta" && sub.name == "resourceType"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schemas;

    #[test]
    fn each_type_keeps_what_it_can_tell() {
        let schemas = Schemas::builtin();
        let table = [
            ("userName pr", "userName pr", "none"),
            ("externalId eq \"x\"", "externalId eq \"x\"", "externalId eq \"x\""),
            (
                "userName eq \"a\" or displayName eq \"a\"",
                "userName eq \"a\" or displayName eq \"a\"",
                "displayName eq \"a\"",
            ),
            (
                "userName eq \"a\" and displayName eq \"a\"",
                "userName eq \"a\" and displayName eq \"a\"",
                "none",
            ),
            ("not (userName pr)", "not (userName pr)", "all"),
            ("title ne \"x\" and id pr", "title ne \"x\" and id pr", "id pr"),
            ("title eq null", "title eq null", "all"),
            ("title ne null or members pr", "title ne null", "members pr"),
            ("emails[type eq \"work\"]", "emails[type eq \"work\"]", "none"),
            ("meta.resourceType eq \"User\"", "all", "none"),
            (
                "meta.resourceType eq \"Group\" and displayName sw \"R\"",
                "none",
                "displayName sw \"R\"",
            ),
            ("meta.resourceType eq User or meta.resourceType eq Group", "all", "all"),
            (
                "meta.resourceType pr and meta.created pr",
                "meta.created pr",
                "meta.created pr",
            ),
            (
                "urn:ietf:params:scim:schemas:core:2.0:Group:displayName pr",
                "none",
                "urn:ietf:params:scim:schemas:core:2.0:Group:displayName pr",
            ),
        ];
        for (text, user, group) in table {
            let filter = Filter::parse(text).unwrap();
            let shown = |schema| match filter.restrict(schema) {
                Restricted::All => "all".to_owned(),
                Restricted::None => "none".to_owned(),
                Restricted::Some(filter) => {
                    filter.check(schema).unwrap();
                    filter.to_string()
                }
            };
            assert_eq!(
                (shown(schemas.user()), shown(schemas.group())),
                (user.to_owned(), group.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn the_attributes_of_a_filter_are_listed() {
        let filter = Filter::parse("not (a pr) and (b.c eq 1 or d[e pr and f eq 2])").unwrap();
        let attributes: Vec<_> = filter.attributes().iter().map(ToString::to_string).collect();
        assert_eq!(attributes, ["a", "b.c", "d"]);
    }
}
