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
    pub(super) look_up: Script,
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
            get: script!(batch "get": "start" "get"),
            find: script!(batch "find": "start" "find"),
            look_up: script!(batch "look_up": "start" "seek" "sets" "look_up"),
            reads: script!(batch "reads": "start" "base" "records" "work" "links" "before" "pending" "sets" "members" "tombstones" "reads"),
            write: script!(batch "write": "start" "base" "records" "index" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "brakes" "write"),
            stage: script!(batch "stage": "start" "base" "records" "work" "links" "pending" "sets" "members" "stage"),
            claim: script!(batch "claim": "start" "base" "work" "claim"),
            renew: script!(batch "renew": "start" "base" "work" "renew"),
            intend: script!(batch "intend": "start" "base" "work" "links" "intend"),
            settle: script!(batch "settle": "start" "base" "records" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "settle"),
            retry: script!(batch "retry": "start" "base" "records" "work" "links" "before" "pending" "sets" "members" "tombstones" "retry"),
            sweep: script!(batch "sweep": "start" "base" "records" "work" "links" "pending" "sets" "members" "chores" "sweep"),
            release: script!(batch "release": "start" "base" "records" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "release"),
            revert: script!(batch "revert": "start" "base" "records" "index" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "revert"),
            put_back: script!(batch "put_back": "start" "base" "records" "work" "links" "pending" "sets" "members" "chores" "put_back"),
            pause: script!(batch "pause": "start" "base" "pause"),
            prepare: script!(batch "prepare": "start" "base" "prepare"),
            import: script!(batch "import": "start" "base" "records" "work" "links" "pending" "import"),
        }
    }
}
