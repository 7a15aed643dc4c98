//! Whom a step on `members` is about. Who keeps memberships as sets runs such steps on the sets, not on a document.

use serde_json::Value;

use super::Step;
use crate::{
    error::{Error, ErrorKind},
    filter::{Filter, Matcher},
    schema::ResourceSchema,
};

/// The members that a step names.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberTarget {
    /// All of them.
    All,
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those that match a filter over the two parts of a member that are kept, `value` and `type`.
    Matching(Filter),
}

/// A filter over members, made ready to be asked of many.
#[derive(Debug, Clone)]
pub struct MemberMatcher<'s>(Option<Matcher<'s>>);

impl<'s> MemberMatcher<'s> {
    /// Makes a filter of a [`MemberTarget`] ready.
    pub fn new(filter: &Filter, schema: &'s ResourceSchema) -> Self {
        let members = schema.attribute("members");
        Self(members.map(|members| Matcher::of_value(filter, members)))
    }

    /// Whether a member of this id and type matches.
    pub fn matches(&self, id: &str, kind: &str) -> bool {
        let text = |part: &str| match part {
            "value" => Some(id),
            "type" => Some(kind),
            _ => None,
        };
        self.0.as_ref().is_some_and(|matcher| matcher.matches_texts(text))
    }
}

/// The members that a step on `members` names. A step on a part of a member is refused: members come and go whole
/// (their parts are immutable, RFC 7643 §4.2).
pub fn member_target(step: &Step) -> Result<MemberTarget, Error> {
    target(step).map_err(|error| error.in_operation(step.operation))
}

fn target(step: &Step) -> Result<MemberTarget, Error> {
    if let Some(sub) = step
        .path
        .sub_attribute()
        .filter(|sub| !sub.eq_ignore_ascii_case("value"))
    {
        return Err(Error::new(
            ErrorKind::Mutability,
            format!("`members.{sub}` is immutable; remove the member and add another"),
        ));
    }
    if let Some(filter) = &step.path.filter {
        if let Some(ids) = ids_of(filter) {
            return Ok(MemberTarget::Ids(ids));
        }
        only_what_is_kept(filter)?;
        return Ok(MemberTarget::Matching(filter.clone()));
    }
    match &step.value {
        None => Ok(MemberTarget::All),
        Some(value) => Ok(MemberTarget::Ids(listed(value))),
    }
}

fn listed(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(listed).collect(),
        Value::Object(member) => member.get("value").map(listed).unwrap_or_default(),
        Value::String(id) => vec![id.clone()],
        _ => Vec::new(),
    }
}

/// The ids in `value eq "a" or value eq "b"`.
fn ids_of(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Or(parts) => parts.iter().map(ids_of).try_fold(Vec::new(), |mut all, ids| {
            all.extend(ids?);
            Some(all)
        }),
        Filter::Compare { .. } => {
            let (path, id) = filter.equality()?;
            let value = path.attribute.eq_ignore_ascii_case("value");
            value.then(|| vec![id.into_owned()])
        }
        _ => None,
    }
}

/// Refuses a filter by anything that is not kept of a member: it would find nobody, and look as if it had.
fn only_what_is_kept(filter: &Filter) -> Result<(), Error> {
    let strange = filter.attributes().into_iter().find(|path| {
        !["value", "type"]
            .iter()
            .any(|part| path.attribute.eq_ignore_ascii_case(part))
    });
    match strange {
        None => Ok(()),
        Some(path) => Err(Error::new(
            ErrorKind::InvalidFilter,
            format!("`members[…]`: members are found by `value` and `type`, not by `{path}`"),
        )),
    }
}
