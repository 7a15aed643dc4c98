//! The scripts: each is put together of the parts that it needs.

use super::{Options, connection::Script};

/// Puts a script together of files in `lua`; the last is the step, the others what it builds on.
macro_rules! script {
    ($head:ident $name:literal: $($part:literal)*) => {
        Script::new(
            $name,
            &format!("{}{}", $head, concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),*)),
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
    pub(super) rewind: Script,
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
    pub(super) doubt: Script,
    pub(super) turn: Script,
    pub(super) compared: Script,
    pub(super) credentials: Script,
    pub(super) repaired: Script,
    pub(super) planned: Script,
    pub(super) relink: Script,
}

impl Scripts {
    /// The scripts. What was chosen of the store stands before each, so that it is not sent with every call.
    pub(super) fn new(options: Options) -> Self {
        let Options {
            batch,
            feed_length,
            log_retention,
        } = options;
        let head = format!(
            "local BATCH, LOG_LENGTH, LOG_RETENTION = {batch}, {feed_length}, {}\n",
            log_retention.as_millis()
        );
        Self {
            get: script!(head "get": "start" "get"),
            find: script!(head "find": "start" "find"),
            look_up: script!(head "look_up": "start" "seek" "sets" "look_up"),
            reads: script!(head "reads": "start" "base" "records" "work" "links" "before" "pending" "sets" "members" "tombstones" "reads"),
            write: script!(head "write": "start" "base" "records" "log" "index" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "brakes" "write"),
            stage: script!(head "stage": "start" "base" "records" "work" "links" "pending" "sets" "members" "stage"),
            claim: script!(head "claim": "start" "base" "work" "claim"),
            renew: script!(head "renew": "start" "base" "work" "renew"),
            rewind: script!(head "rewind": "start" "base" "work" "rewind"),
            intend: script!(head "intend": "start" "base" "work" "links" "intend"),
            settle: script!(head "settle": "start" "base" "records" "log" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "told" "settle"),
            retry: script!(head "retry": "start" "base" "records" "log" "work" "links" "before" "pending" "sets" "members" "tombstones" "retry"),
            sweep: script!(head "sweep": "start" "base" "records" "log" "work" "links" "pending" "sets" "members" "chores" "sweep"),
            release: script!(head "release": "start" "base" "records" "log" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "release"),
            revert: script!(head "revert": "start" "base" "records" "log" "index" "work" "links" "before" "pending" "sets" "members" "chores" "tombstones" "revert"),
            put_back: script!(head "put_back": "start" "base" "records" "log" "work" "links" "pending" "sets" "members" "chores" "put_back"),
            pause: script!(head "pause": "start" "base" "log" "pause"),
            prepare: script!(head "prepare": "start" "base" "prepare"),
            import: script!(head "import": "start" "base" "records" "work" "links" "before" "pending" "import"),
            doubt: script!(head "doubt": "start" "base" "records" "log" "work" "links" "pending" "sets" "members" "doubt"),
            turn: script!(head "turn": "start" "base" "turn"),
            repaired: script!(head "repaired": "start" "base" "log" "repaired"),
            compared: script!(head "compared": "start" "base" "compared"),
            credentials: script!(head "credentials": "start" "base" "log" "credentials"),
            relink: script!(head "relink": "start" "base" "records" "log" "work" "links" "pending" "sets" "members" "chores" "relink"),
            planned: script!(head "planned": "start" "base" "work" "planned"),
        }
    }
}
