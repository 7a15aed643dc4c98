//! Standard output: tables for people or JSON for programs, each written at once so that a reader sees whole lines.

use std::io::{self, IsTerminal, Write};

use clap_complete::Shell;
use console::Term;
use serde::Serialize;

use crate::{
    error::Error,
    json::{Contract, Json},
    table::Table,
};

/// Where a command writes, and in which form.
#[derive(Debug)]
pub(crate) struct Output {
    /// JSON is wanted.
    pub(crate) json: bool,
    width: Option<usize>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let size = io::stdout().is_terminal().then(|| Term::stdout().size_checked());
        Self {
            json,
            width: size.flatten().map(|(_, columns)| columns.into()),
        }
    }

    /// A table that fits the terminal, if it is one.
    pub(crate) fn table(&self, heads: &[&'static str]) -> Table {
        Table::new(heads, self.width)
    }

    /// Writes a text.
    pub(crate) fn text(&self, text: &str) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Writes a message of the contract, on a line of its own.
    pub(crate) fn message(&self, message: &impl Contract) -> Result<(), Error> {
        self.document(&Json::of(message)?)
    }

    /// Writes a document, on a line of its own.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<(), Error> {
        let line = serde_json::to_string(document).map_err(|error| Error::Answer(error.to_string()))?;
        self.text(&format!("{line}\n"))
    }

    /// Says something beside the output, such as where to go on.
    pub(crate) fn aside(&self, text: &str) {
        // Standard error may be closed; then nobody reads it.
        let _ = writeln!(io::stderr(), "admin: {text}");
    }

    /// Writes the completion script of a shell.
    pub(crate) fn completion(&self, shell: Shell, command: &mut clap::Command) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(shell, command, "admin", &mut script);
        let mut out = io::stdout().lock();
        out.write_all(&script)?;
        Ok(out.flush()?)
    }
}
