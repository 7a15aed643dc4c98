//! Whom a step on `members` is about. Who keeps memberships as sets runs such steps on the sets, not on a document.

use serde_json::Value;

use super::Step;
use crate::{
    error::{Error, ErrorKind},
    filter::{CompareOp, Filter, Literal},
};

/// The members that a step names.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberTarget {
    /// All of them.
    All,
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those that match a filter over the parts of a member.
    Matching(Filter),
}

/// The members that a step on `members` names. A step on a part of a member is refused: members come and go whole
/// (their parts are immutable, RFC 7643 §4.2).
pub fn member_target(step: &Step) -> Result<MemberTarget, Error> {
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
        return Ok(match ids_of(filter) {
            Some(ids) => MemberTarget::Ids(ids),
            None => MemberTarget::Matching(filter.clone()),
        });
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
        Filter::Compare {
            path,
            op: CompareOp::Eq,
            value: Literal::String(id),
        } if path.attribute.eq_ignore_ascii_case("value") => Some(vec![id.clone()]),
        _ => None,
    }
}
