//! The scripts: each is put together of the parts that it needs.

use super::connection::Script;

/// Puts a script together of files in `lua`; the last is the step, the others what it builds on.
macro_rules! script {
    ($batch:ident $name:literal: $($part:literal)*) => {
        Script::new(
            $name,
            &format!("local BATCH = {}\n{}", $batch, concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),*)),
        )
    };
}

/// Every script of the store.
pub(super) struct Scripts {
    pub(super) get: Script,
    pub(super) find: Script,
    pub(super) reads: Script,
    pub(super) write: Script,
    pub(super) stage: Script,
    pub(super) claim: Script,
    pub(super) renew: Script,
    pub(super) intend: Script,
    pub(super) settle: Script,
    pub(super) retry: Script,
    pub(super) sweep: Script,
    pub(super) release: Script,
    pub(super) revert: Script,
    pub(super) put_back: Script,
    pub(super) pause: Script,
    pub(super) prepare: Script,
    pub(super) import: Script,
}

impl Scripts {
    /// The scripts, which touch at most so many entries each.
    pub(super) fn new(batch: usize) -> Self {
        Self {
            get: script!(batch "get": "get"),
            find: script!(batch "find": "find"),
            reads: script!(batch "reads": "base" "records" "work" "links" "before" "pending" "members" "tombstones" "reads"),
            write: script!(batch "write": "base" "records" "index" "work" "links" "before" "pending" "members" "chores" "tombstones" "brakes" "write"),
            stage: script!(batch "stage": "base" "records" "work" "links" "pending" "members" "stage"),
            claim: script!(batch "claim": "base" "work" "claim"),
            renew: script!(batch "renew": "base" "work" "renew"),
            intend: script!(batch "intend": "base" "work" "links" "intend"),
            settle: script!(batch "settle": "base" "records" "work" "links" "before" "pending" "members" "chores" "tombstones" "settle"),
            retry: script!(batch "retry": "base" "records" "work" "links" "before" "pending" "members" "tombstones" "retry"),
            sweep: script!(batch "sweep": "base" "records" "work" "links" "pending" "members" "chores" "sweep"),
            release: script!(batch "release": "base" "records" "work" "links" "before" "pending" "members" "chores" "tombstones" "release"),
            revert: script!(batch "revert": "base" "records" "index" "work" "links" "before" "pending" "members" "chores" "tombstones" "revert"),
            put_back: script!(batch "put_back": "base" "records" "work" "links" "pending" "members" "chores" "put_back"),
            pause: script!(batch "pause": "base" "pause"),
            prepare: script!(batch "prepare": "base" "prepare"),
            import: script!(batch "import": "base" "records" "work" "links" "pending" "import"),
        }
    }
}
