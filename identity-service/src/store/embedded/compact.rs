//! Giving back what the file does not need.
//!
//! The file never shrinks by itself: what was deleted leaves room in it, which later changes fill. A large deletion, or the
//! end of a large import, may leave more room than will be needed soon.

use std::path::Path;

use super::{EmbeddedStore, OpenError, Options, open_database, open_file};

/// How long the file was and is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub before: u64,
    /// Now.
    pub after: u64,
}

impl EmbeddedStore {
    /// Moves what a file holds together and cuts off the rest. Nobody else may have the file open; whatever happens
    /// meanwhile, what it holds stays. Not for a runtime's thread.
    pub fn compact(path: &Path, options: Options) -> Result<Compacted, OpenError> {
        let shown = path.display().to_string();
        let length = || {
            let file = std::fs::metadata(path);
            let length = file.map(|file| file.len());
            length.map_err(|error| OpenError::new(&shown, redb::Error::Io(error)))
        };
        let before = length()?;
        let (mut database, _) = open_database(open_file(path, false)?, &shown, options)?;
        database.compact().map_err(|error| OpenError::new(&shown, error))?;
        drop(database);
        Ok(Compacted {
            before,
            after: length()?,
        })
    }
}
