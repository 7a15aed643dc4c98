//! The settings that name a file with a table: how attributes become fields, and what refusals are about.

use std::path::PathBuf;

/// The tables of a tenant.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct TableFiles {
    /// File that says which SCIM attributes the fields of accounts are made of, where that differs from the default; see
    /// docs/mapping.md.
    #[arg(long, env = "ATTRIBUTE_MAP_FILE", value_name = "FILE")]
    pub attribute_map_file: Option<PathBuf>,
    /// File that says what refusals of the Platform are about, asked before the built-in table; see docs/mapping.md.
    #[arg(long, env = "ERROR_MATCHERS_FILE", value_name = "FILE")]
    pub error_matchers_file: Option<PathBuf>,
}
