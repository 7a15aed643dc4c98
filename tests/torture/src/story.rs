//! What really happened in a campaign, and when, line by line in a file: the plan says what is meant to happen, and a machine
//! is faster or slower than another.

use std::{
    fmt,
    fs::File,
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::Result;
use jiff::Timestamp;
use tokio::time::Instant;

/// The lines so far.
#[derive(Debug)]
pub(crate) struct Story {
    began: Instant,
    told: Mutex<Told>,
}

#[derive(Debug)]
struct Told {
    lines: Vec<String>,
    file: File,
}

impl Story {
    /// An empty one, in that file.
    pub(crate) fn begin(file: &Path) -> Result<Self> {
        Ok(Self {
            began: Instant::now(),
            told: Mutex::new(Told {
                lines: Vec::new(),
                file: File::create(file)?,
            }),
        })
    }

    /// Adds a line. The time of day is that of the programs' logs.
    pub(crate) fn tell(&self, what: impl fmt::Display) {
        let line = format!(
            "{:7.3}  {:.3}  {what}",
            self.began.elapsed().as_secs_f64(),
            Timestamp::now()
        );
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // The file is for people: a campaign does not fail for want of it.
        let _ = writeln!(told.file, "{line}");
        told.lines.push(line);
    }

    /// The last so many lines.
    pub(crate) fn end(&self, lines: usize) -> Vec<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.lines[told.lines.len().saturating_sub(lines)..].to_vec()
    }
}
