//! What a filter asks about memberships, which are sets of their own and stand in no document: `groups` of users and
//! `members` of groups, by id or whether there are any, anywhere in a filter. All else is asked of the document.

use std::{borrow::Cow, pin::Pin};

use scim::{Filter, Literal, Matcher, ResourceSchema, Target};

use super::{Query, too_many};
use crate::{
    error::Error,
    id::{Kind, ResourceId},
    record::Record,
};

/// A part of a filter.
pub(super) enum Tree<'s> {
    /// It asks the document alone.
    Own(Matcher<'s>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// There is a membership.
    Any,
    /// There is one with this resource. An id that is none of ours has none.
    With(Option<ResourceId>),
}

impl<'s> Tree<'s> {
    pub(super) fn new(filter: &Filter, kind: Kind, schema: &'s ResourceSchema) -> Result<Self, Error> {
        if !mentions(filter, kind, schema) {
            return Ok(Self::Own(filter.matcher(schema)));
        }
        if let Some(id) = asked(filter, kind, schema) {
            return Ok(Self::With(id.parse().ok()));
        }
        let all = |parts: &[Filter]| -> Result<Vec<_>, Error> {
            parts.iter().map(|part| Self::new(part, kind, schema)).collect()
        };
        Ok(match filter {
            Filter::And(parts) => Self::And(all(parts)?),
            Filter::Or(parts) => Self::Or(all(parts)?),
            Filter::Not(inner) => Self::Not(Box::new(Self::new(inner, kind, schema)?)),
            Filter::Present(path) if is_whole(path.sub.as_deref()) => Self::Any,
            Filter::Compare {
                path,
                op,
                value: Literal::Null,
            } if is_whole(path.sub.as_deref()) => match op {
                scim::CompareOp::Eq => Self::Not(Box::new(Self::Any)),
                _ => Self::Any,
            },
            _ => return Err(refused(kind)),
        })
    }

    /// Whether a record matches. `looks` is how often the store was asked for memberships in the whole search.
    pub(super) fn holds<'a>(
        &'a self,
        query: &'a Query<'_>,
        record: &'a mut Record,
        looks: &'a mut usize,
    ) -> Pin<Box<dyn Future<Output = Result<bool, Error>> + Send + 'a>> {
        Box::pin(async move {
            match self {
                Self::Own(matcher) => Ok(record.look(|resource| matcher.matches(resource))),
                Self::And(parts) => {
                    for part in parts {
                        if !part.holds(query, record, looks).await? {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                }
                Self::Or(parts) => {
                    for part in parts {
                        if part.holds(query, record, looks).await? {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                }
                Self::Not(inner) => Ok(!inner.holds(query, record, looks).await?),
                Self::With(None) => Ok(false),
                Self::Any if query.kind == Kind::Group => Ok(record.member_count > 0),
                Self::Any | Self::With(Some(_)) => {
                    *looks += 1;
                    if *looks > query.scan_limit {
                        return Err(too_many(query.scan_limit));
                    }
                    match (self, query.kind) {
                        (Self::With(Some(other)), kind) => {
                            let (group, member) = match kind {
                                Kind::Group => (record.id, *other),
                                Kind::User => (*other, record.id),
                            };
                            Ok(query.store.is_member(query.tenant, group, member).await?)
                        }
                        _ => {
                            let groups = query.store.groups_of(query.tenant, record.id, None, 1).await?;
                            Ok(!groups.is_empty())
                        }
                    }
                }
            }
        })
    }
}

/// The id in `members eq "…"` of groups or `groups eq "…"` of users, in all its spellings (R06).
pub(super) fn asked<'f>(filter: &'f Filter, kind: Kind, schema: &ResourceSchema) -> Option<Cow<'f, str>> {
    match filter {
        Filter::Compare { .. } => {
            let (path, id) = filter.equality()?;
            (is_whole(path.sub.as_deref()) && names_set(path, kind, schema)).then_some(id)
        }
        Filter::ValuePath { attr, filter } if names_set(attr, kind, schema) => {
            let (path, id) = filter.equality()?;
            path.attribute.eq_ignore_ascii_case("value").then_some(id)
        }
        _ => None,
    }
}

/// The attribute that is a set of its own.
pub(super) fn set_attribute(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "groups",
        Kind::Group => "members",
    }
}

fn mentions(filter: &Filter, kind: Kind, schema: &ResourceSchema) -> bool {
    filter
        .attributes()
        .into_iter()
        .any(|path| names_set(path, kind, schema))
}

/// A schema of the tenant's own may have an attribute of that name, too; that one stands in the document.
fn names_set(path: &scim::AttrPath, kind: Kind, schema: &ResourceSchema) -> bool {
    matches!(
        schema.resolve(path),
        Some(Target::Attribute { extension: None, attribute, .. }) if attribute.name == set_attribute(kind)
    )
}

/// An id is all that is kept of a membership, so it is what the attribute stands for.
fn is_whole(sub: Option<&str>) -> bool {
    sub.is_none_or(|sub| sub.eq_ignore_ascii_case("value"))
}

/// Without what it is compared with, which may be a person's value.
fn refused(kind: Kind) -> Error {
    let set = set_attribute(kind);
    let detail = format!("`{set}` can be asked with `eq` for an id and with `pr`, and not by anything else of theirs");
    let kind = scim::ErrorKind::InvalidFilter;
    scim::Error { kind, detail }.into()
}
