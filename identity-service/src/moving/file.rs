//! The file: a header, entries, a footer, one JSON object a line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{Counts, MovingError};
use crate::store::{Entry, MOVED_AT_ONCE};

/// The format's name.
const FORMAT: &str = "delinea-scim-gateway-store";
/// The format's version.
const VERSION: u64 = 1;
/// How the footer begins.
const FOOTER: &[u8] = b"{\"footer\":";
/// No line that an export writes is longer: a document has at most a few MiB.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// The first line: what the file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Tells the format from any other.
    pub format: String,
    /// The format's version.
    pub version: u64,
    /// Whose state it is.
    pub tenant: String,
    /// When the export began.
    pub at: Timestamp,
    /// The store that it comes from, for people.
    #[serde(flatten)]
    pub origin: Origin,
}

/// The kind of store that an export comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The engine's name.
    pub engine: String,
    /// Its layout.
    pub layout: u64,
}

impl Header {
    /// The header of a new file.
    pub(super) fn new(tenant: &str, at: Timestamp, origin: Origin) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            tenant: tenant.to_owned(),
            at,
            origin,
        }
    }
}

/// The last line: what should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// How much of each kind there is.
    pub counts: Counts,
    /// SHA-256 of every byte before this line, in lower-case hex.
    pub sha256: String,
}

/// The first line, as it stands there.
#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine {
    pub(super) header: Header,
}

/// The last line, as it stands there.
#[derive(Serialize, Deserialize)]
pub(super) struct FooterLine {
    pub(super) footer: Footer,
}

/// A digest as the footer has it.
pub(super) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file to be imported, line by line.
pub(super) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    line: Vec<u8>,
    /// How many lines were read.
    pub(super) number: u64,
    /// How many bytes were read.
    pub(super) bytes: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, MovingError> {
        let file = File::open(path).map_err(MovingError::file("read", path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 18, file),
            line: Vec::new(),
            number: 0,
            bytes: 0,
        })
    }

    /// Reads the whole file and gives header and footer, if every byte is what the footer says; then goes back to the first
    /// entry.
    pub(super) fn check(&mut self, mut read: impl FnMut(u64)) -> Result<(Header, Footer), MovingError> {
        if !self.next()? {
            return Err(self.unreadable("it is empty"));
        }
        let HeaderLine { header } = self
            .parse()
            .map_err(|_| self.unreadable("its first line is no header of an export"))?;
        if header.format != FORMAT {
            return Err(self.unreadable("its first line is no header of an export"));
        }
        if header.version != VERSION {
            let problem = format!(
                "it has version {}; this program reads version {VERSION}",
                header.version
            );
            return Err(self.unreadable(&problem));
        }
        let (after_header, mut digest) = (self.bytes, Sha256::new());
        digest.update(&self.line);
        while self.next()? {
            if self.line.starts_with(FOOTER) {
                let FooterLine { footer } = self.parse()?;
                if self.next()? {
                    return Err(self.unreadable("something follows its footer"));
                }
                if footer.sha256 != hex(digest) {
                    return Err(self
                        .unreadable("it was changed or damaged: its lines are not those that the footer was made of"));
                }
                self.file
                    .seek(SeekFrom::Start(after_header))
                    .map_err(MovingError::file("read", &self.path))?;
                (self.number, self.bytes) = (1, after_header);
                return Ok((header, footer));
            }
            digest.update(&self.line);
            read(self.bytes);
        }
        Err(MovingError::Incomplete {
            path: self.path.clone(),
        })
    }

    /// The next entry; `None` at the footer.
    pub(super) fn entry(&mut self) -> Result<Option<Entry>, MovingError> {
        if !self.next()? || self.line.starts_with(FOOTER) {
            return Ok(None);
        }
        let entry: Entry = self.parse()?;
        let fits = entry.items() <= MOVED_AT_ONCE && !matches!(entry, Entry::Import(_));
        if !fits {
            let problem = format!("line {} is none that an export writes", self.number);
            return Err(self.unreadable(&problem));
        }
        Ok(Some(entry))
    }

    /// Passes over lines that are in the store already.
    pub(super) fn skip_to(&mut self, number: u64) -> Result<(), MovingError> {
        while self.number < number && self.next()? {}
        Ok(())
    }

    fn next(&mut self) -> Result<bool, MovingError> {
        self.line.clear();
        let mut rest = (&mut self.file).take(MAX_LINE);
        let read = rest
            .read_until(b'\n', &mut self.line)
            .map_err(MovingError::file("read", &self.path))?;
        if read > 0 && !self.line.ends_with(b"\n") {
            // An export that was cut off ends anywhere.
            return if self.line.len() as u64 == MAX_LINE {
                Err(self.unreadable("a line is longer than any that an export writes"))
            } else {
                Err(MovingError::Incomplete {
                    path: self.path.clone(),
                })
            };
        }
        self.number += u64::from(read > 0);
        self.bytes += read as u64;
        Ok(read > 0)
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, MovingError> {
        // The error's own words may quote a value.
        serde_json::from_slice(&self.line).map_err(|error| {
            let problem = format!(
                "line {}: {:?} error at column {}",
                self.number,
                error.classify(),
                error.column()
            );
            self.unreadable(&problem)
        })
    }

    fn unreadable(&self, problem: &str) -> MovingError {
        MovingError::Unreadable {
            path: self.path.clone(),
            problem: problem.to_owned(),
        }
    }

    /// The file's length.
    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.file.get_ref().metadata()?.len())
    }
}
