//! The scripts: each is put together of the parts that it needs.

use super::connection::Script;

/// Puts a script together of files in `lua`; the last is the step, the others what it builds on.
macro_rules! script {
    ($name:literal: $($part:literal)*) => {
        Script::new($name, concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),*))
    };
}

/// Every script of the store.
pub(super) struct Scripts {
    pub(super) reads: Script,
    pub(super) write: Script,
    pub(super) claim: Script,
    pub(super) intend: Script,
    pub(super) settle: Script,
    pub(super) retry: Script,
    pub(super) sweep: Script,
    pub(super) prepare: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            reads: script!("reads": "base" "records" "work" "links" "pending" "members" "tombstones" "reads"),
            write: script!("write": "base" "records" "work" "links" "pending" "members" "chores" "tombstones" "write"),
            claim: script!("claim": "base" "work" "claim"),
            intend: script!("intend": "base" "work" "links" "intend"),
            settle: script!("settle": "base" "records" "work" "links" "pending" "members" "chores" "tombstones" "settle"),
            retry: script!("retry": "base" "records" "work" "links" "pending" "members" "tombstones" "retry"),
            sweep: script!("sweep": "base" "records" "work" "links" "pending" "members" "chores" "sweep"),
            prepare: script!("prepare": "base" "prepare"),
        }
    }
}
