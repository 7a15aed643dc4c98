//! One finding, and how it is written.

use proto::adapter::v1::{self, Severity};

/// What was found of one prerequisite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The prerequisite; it stays the same from version to version.
    pub(crate) name: &'static str,
    pub(crate) verdict: Verdict,
    /// What was found, and why that matters.
    pub(crate) found: String,
    /// What to do; empty where nothing is to be done.
    pub(crate) todo: String,
}

/// Whether a prerequisite is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is.
    Ok,
    /// It works, with less than one would expect, or somebody should know.
    Warning,
    /// Deliveries fail until it is settled.
    Problem,
    /// It could not be told.
    Unknown,
}

impl Verdict {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Unknown => "could not tell",
        }
    }
}

impl Finding {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, found, "")
    }

    pub(crate) fn warning(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, found, todo)
    }

    pub(crate) fn problem(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(name, Verdict::Problem, found, todo)
    }

    pub(crate) fn unknown(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(name, Verdict::Unknown, found, todo)
    }

    fn new(name: &'static str, verdict: Verdict, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            found: found.into(),
            todo: todo.into(),
        }
    }
}

impl From<Finding> for v1::Finding {
    fn from(finding: Finding) -> Self {
        let severity = match finding.verdict {
            Verdict::Ok => Severity::Ok,
            Verdict::Warning => Severity::Warning,
            Verdict::Problem => Severity::Error,
            Verdict::Unknown => Severity::Unknown,
        };
        Self {
            name: finding.name.to_owned(),
            severity: severity.into(),
            message: finding.found,
            action: finding.todo,
        }
    }
}
