//! How much one PATCH may make us do. A body of bounded size can ask for far more than its size: each of many operations
//! for a look at each of many values.

use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// How many looks at a value all operations of a PATCH may take together: a moment's work, and far more than any client's
/// changes come to.
const MAX_LOOKS: usize = 1_000_000;
/// How much text of a value is one look.
const TEXT: usize = 64;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Work(usize);

impl Work {
    pub(super) fn new() -> Self {
        Self(MAX_LOOKS)
    }

    pub(super) fn spend(&mut self, looks: usize) -> Result<(), Error> {
        self.0 = self.0.checked_sub(looks).ok_or_else(|| {
            let detail = "the operations would have to look at too many values; send fewer in one request";
            Error::new(ErrorKind::TooMany, detail)
        })?;
        Ok(())
    }
}

/// The looks that a value is worth: more, the larger it is.
pub(super) fn looks(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len() / TEXT,
        Value::Array(values) => 1 + all_looks(values),
        Value::Object(map) => map.values().map(looks).sum::<usize>().max(1),
        _ => 1,
    }
}

/// The looks that several values are worth.
pub(super) fn all_looks(values: &[Value]) -> usize {
    values.iter().map(looks).sum()
}
