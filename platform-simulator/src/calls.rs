//! What was called: counters for each method and a bounded log of the recent calls. It never sees a body.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;

/// So many calls are remembered.
const KEPT: usize = 2000;

/// One call.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// When it was answered.
    pub time: Timestamp,
    /// `Controller/Method`, `entities/localusers`, `scim:POST /Users`, `token`, or `unknown`.
    pub method: String,
    /// The HTTP status; null: the connection was cut.
    pub status: Option<u16>,
    /// The envelope's verdict; null: there was no envelope.
    pub success: Option<bool>,
    /// The id of the object it was about, where there is one.
    pub object: String,
    /// The caller's trace context, as received.
    pub traceparent: Option<String>,
    /// The fault that hit it, if any.
    pub fault: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// The counters and the log.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// How often each method was called.
    pub(crate) by_method: BTreeMap<&'static str, u64>,
    /// How many calls would change something.
    pub(crate) writes: u64,
    /// How many calls only read.
    pub(crate) reads: u64,
    /// How many calls are under way.
    at_once: u64,
    /// The most that ever were.
    pub(crate) most_at_once: u64,
    recent: VecDeque<Call>,
}

impl Calls {
    /// Forgets all but what is under way.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            at_once: self.at_once,
            most_at_once: self.at_once,
            ..Self::default()
        };
    }

    /// Counts a call as it arrives, and tells how many others are under way; it is so itself until it is logged.
    pub(crate) fn count(&mut self, method: &'static str, writes: Option<bool>) -> u64 {
        let others = self.at_once;
        self.at_once += 1;
        self.most_at_once = self.most_at_once.max(self.at_once);
        *self.by_method.entry(method).or_default() += 1;
        match writes {
            Some(true) => self.writes += 1,
            Some(false) => self.reads += 1,
            None => {}
        }
        others
    }

    /// Remembers a call that has ended.
    pub(crate) fn log(&mut self, call: Call) {
        self.at_once -= 1;
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(call);
    }

    /// The recent calls, newest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &Call> {
        self.recent.iter().rev()
    }
}
