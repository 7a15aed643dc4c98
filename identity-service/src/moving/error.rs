//! Why an export or an import came to nothing. None of it quotes the file: it holds personal data.

use std::path::PathBuf;

use super::Counts;
use crate::{StartError, store::StoreError};

/// Why an export or an import came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] StartError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("cannot {doing} {path}")]
    File {
        /// What was being tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    /// Somebody wrote to the store meanwhile, so that the pages do not fit together.
    #[error("the store changed during the export; stop every identity-service that uses it, and export again")]
    Changed,
    /// It is no file of ours, or of a later version.
    #[error("{path} cannot be imported: {problem}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The export was cut off.
    #[error(
        "{path} is not complete: it has no footer. Run the export again with the same --file: it goes on where it stopped"
    )]
    Incomplete {
        /// The file.
        path: PathBuf,
    },
    /// Another tenant's file.
    #[error("the file is of the tenant {found}, not {wanted}; name the tenant with --tenant")]
    Tenant {
        /// The tenant in the file.
        found: String,
        /// The tenant that is set.
        wanted: String,
    },
    /// Something is there already.
    #[error("the tenant {tenant} is not empty in this store; an import needs a store that the tenant has never used")]
    NotEmpty {
        /// The tenant.
        tenant: String,
    },
    /// Another import was begun.
    #[error("the import of another file was begun in this store; end that one, or take an empty store")]
    AnotherImport,
    /// An entry cannot be put into the store.
    #[error("one of the lines {first} to {last} cannot be imported; do not use this store")]
    Entry {
        /// The first line that it may be.
        first: u64,
        /// The last line that it may be.
        last: u64,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// What is in the store is not what was in the file.
    #[error(
        "the counts differ; do not use this store. The file says\n{file}and the store, which counts {users} users, {groups} groups and {work} pieces of work, has\n{store}"
    )]
    Differs {
        /// The counts in the file's last line.
        file: Box<Counts>,
        /// The counts of what is in the store.
        store: Box<Counts>,
        /// How many users the store counts itself.
        users: u64,
        /// How many groups it counts itself.
        groups: u64,
        /// How much work it counts itself.
        work: u64,
    },
}

impl MovingError {
    pub(super) fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
