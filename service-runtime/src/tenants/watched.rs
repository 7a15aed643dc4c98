//! Files that the file of tenants names, and what they held when they were read: what tells whether anything has changed.
//! Contents are compared and not times, which a restored or linked file may have from before.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// What tells one state of settings, or of a file, from another.
pub type Digest = [u8; 32];

/// Of a larger file only the beginning is looked at.
const MAX_WATCHED_BYTES: u64 = 16 << 20;
/// A file that cannot be read.
const ABSENT: Digest = [0; 32];

/// Files and what they held.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched(Arc<Mutex<BTreeMap<PathBuf, Digest>>>);

impl Watched {
    /// Looks at a file, and remembers what it holds. Look before you read: a change in between is then seen as one.
    pub(super) fn look(&self, path: &Path) -> Digest {
        let digest = digest(path);
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), digest);
        digest
    }

    /// What was looked at, as it was then.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Digest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a file holds now.
pub(super) fn digest(path: &Path) -> Digest {
    let held = File::open(path).and_then(|file| {
        let mut text = Vec::new();
        file.take(MAX_WATCHED_BYTES).read_to_end(&mut text)?;
        Ok(text)
    });
    held.map_or(ABSENT, |text| Sha256::digest(text).into())
}

/// Reads a file of at most so many bytes.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {most} bytes"),
        ));
    }
    Ok(text)
}
