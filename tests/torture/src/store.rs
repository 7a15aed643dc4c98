//! What identity-service keeps its state in.

use std::fmt;

/// One of the two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A file of its own.
    Embedded,
    /// A server, with `appendfsync always`.
    Redis,
}

impl Store {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Embedded, Self::Redis];
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        })
    }
}
