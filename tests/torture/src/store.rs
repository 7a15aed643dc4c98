//! What identity-service keeps its state in.

use std::fmt;

/// One of the two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A file, which one identity-service can have open.
    Embedded,
    /// A server with `appendfsync always`, and two of each service before it.
    Redis,
}

impl Store {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Embedded, Self::Redis];

    /// How many gateways and how many identity-services there are.
    pub(crate) fn replicas(self) -> usize {
        match self {
            Self::Embedded => 1,
            Self::Redis => 2,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        })
    }
}
