//! PATCH (RFC 7644 §3.5.2): from a body to operations, from operations to steps, from steps to a changed resource.
//!
//! [`steps()`] is where dialects end: each step has one op, one path in proper spelling and a value in canonical form,
//! whatever the client wrote. [`apply()`] runs steps, all or none.

mod alike;
mod apply;
mod members;
mod steps;
mod work;

use std::{fmt, str::FromStr};

use serde_json::Value;

use crate::{
    error::{Error, ErrorKind},
    name::take,
    path::Path,
};

pub use apply::apply;
pub use members::{MemberMatcher, MemberTarget, member_target};
pub use steps::steps;

/// How many operations one PATCH may have, and how many steps they may come to.
pub const MAX_OPERATIONS: usize = 10_000;

/// The body of a PATCH.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    /// The operations, in the order they are applied.
    pub operations: Vec<Operation>,
}

impl PatchRequest {
    /// Reads a body. Names of members are read in any letter case, stray ones are ignored. It takes the body: values can be
    /// large, and are moved on from here to the steps.
    pub fn from_json(body: Value) -> Result<Self, Error> {
        let syntax = |detail: String| Error::new(ErrorKind::InvalidSyntax, detail);
        let Value::Object(mut body) = body else {
            return Err(syntax("the body is not a JSON object".to_owned()));
        };
        let list = take(&mut body, "Operations").map_err(syntax)?;
        let list = list.ok_or_else(|| syntax("the body has no `Operations`".to_owned()))?;
        let Value::Array(list) = list else {
            return Err(syntax("`Operations` is not a list".to_owned()));
        };
        if list.len() > MAX_OPERATIONS {
            return Err(syntax(format!(
                "`Operations` has {} entries; at most {MAX_OPERATIONS} are taken",
                list.len()
            )));
        }
        let operations = list.into_iter().enumerate().map(|(number, operation)| {
            read(number, operation).map_err(|problem| syntax(format!("operation {}: {problem}", number + 1)))
        });
        Ok(Self {
            operations: operations.collect::<Result<_, _>>()?,
        })
    }
}

fn read(number: usize, operation: Value) -> Result<Operation, String> {
    let Value::Object(mut operation) = operation else {
        return Err("it is not a JSON object".to_owned());
    };
    let op = take(&mut operation, "op")?;
    let op = op.as_ref().and_then(Value::as_str).ok_or("it has no `op`")?;
    let path = match take(&mut operation, "path")? {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(path),
        Some(_) => return Err("`path` is not a text".to_owned()),
    };
    Ok(Operation {
        op: op.parse()?,
        path,
        value: take(&mut operation, "value")?,
        number,
    })
}

/// One operation as the client wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What to do.
    pub op: Op,
    /// Where; left out, the value's keys say where.
    pub path: Option<String>,
    /// With what.
    pub value: Option<Value>,
    /// Its place among the client's operations, counted from 0: what an error calls it by.
    pub number: usize,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Adds values, or sets a single one.
    Add,
    /// Removes values.
    Remove,
    /// Replaces values.
    Replace,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        })
    }
}

impl FromStr for Op {
    type Err = String;

    /// Any letter case: one of Entra's dialects capitalises (Q01).
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [("add", Self::Add), ("remove", Self::Remove), ("replace", Self::Replace)];
        let found = all
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, op)| op);
        found.ok_or_else(|| {
            format!(
                "`op` is `{}`; it must be add, remove or replace",
                text.chars().take(32).collect::<String>()
            )
        })
    }
}

/// One change of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What to do.
    pub op: Op,
    /// Where, in the table's spelling.
    pub path: Path,
    /// With what, in canonical form; `None` for a removal of everything there.
    pub value: Option<Value>,
    /// The operation it came from, counted from 0.
    pub operation: usize,
}

impl Step {
    /// The step as an operation that reads back as this step.
    pub fn to_operation(&self) -> Operation {
        Operation {
            op: self.op,
            path: Some(self.path.to_string()),
            value: self.value.clone(),
            number: self.operation,
        }
    }
}

#[cfg(test)]
mod tests;
