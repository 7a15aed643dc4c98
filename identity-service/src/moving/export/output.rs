//! Where the lines of an export go, and how far they are known to be good.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use service_runtime::private;
use sha2::{Digest, Sha256};

use crate::{
    id::Tenant,
    moving::{
        Counts, Footer, Header, MovingError, Origin,
        file::{FooterLine, HeaderLine, hex},
    },
    store::{Entry, ExportCursor},
};

/// What moves when anybody writes to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Tells the store from another one.
    pub(super) feed: u64,
    pub(super) newest_entry: u64,
    pub(super) stamp: u64,
}

/// How far an export is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) tenant: String,
    pub(super) state: State,
    pub(super) cursor: ExportCursor,
    /// How many bytes of the file are good.
    pub(super) bytes: u64,
    pub(super) counts: Counts,
}

/// Where the lines go.
pub(super) struct Output {
    sink: Sink,
    digest: Sha256,
    pub(super) bytes: u64,
    pub(super) counts: Counts,
}

enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File { names: Names, file: BufWriter<File> },
}

/// The names of a file that is being made.
struct Names {
    whole: PathBuf,
    partial: PathBuf,
    progress: PathBuf,
}

impl Names {
    fn new(path: &Path) -> Self {
        let beside = |ending: &str| {
            let mut name = OsString::from(path);
            name.push(ending);
            PathBuf::from(name)
        };
        Self {
            whole: path.to_owned(),
            partial: beside(".partial"),
            progress: beside(".progress"),
        }
    }
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self {
            sink: Sink::Stdout(BufWriter::with_capacity(1 << 18, io::stdout())),
            digest: Sha256::new(),
            bytes: 0,
            counts: Counts::default(),
        }
    }

    /// A file for its owner alone. Gives where to go on when an export of the same store in the same state was cut off.
    pub(super) fn file(
        path: &Path,
        tenant: &Tenant,
        state: State,
    ) -> Result<(Self, Option<ExportCursor>), MovingError> {
        let names = Names::new(path);
        let good = fs::read(&names.progress)
            .ok()
            .and_then(|text| serde_json::from_slice::<Progress>(&text).ok())
            .filter(|progress| progress.tenant == tenant.as_str() && progress.state == state);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = || MovingError::file("write", &names.partial);
        let mut file = options.open(&names.partial).map_err(failed())?;
        let resumed = match good {
            Some(progress) => read_again(&mut file, progress.bytes)
                .map_err(failed())?
                .map(|digest| (digest, progress)),
            None => None,
        };
        let bytes = resumed.as_ref().map_or(0, |(_, progress)| progress.bytes);
        file.set_len(bytes)
            .and_then(|()| file.seek(SeekFrom::Start(bytes)))
            .map_err(failed())?;
        let (digest, counts, cursor) = match resumed {
            Some((digest, progress)) => (digest, progress.counts, Some(progress.cursor)),
            None => (Sha256::new(), Counts::default(), None),
        };
        let sink = Sink::File {
            file: BufWriter::with_capacity(1 << 18, file),
            names,
        };
        let output = Self {
            sink,
            digest,
            bytes,
            counts,
        };
        Ok((output, cursor))
    }

    pub(super) fn header(&mut self, tenant: &Tenant, at: Timestamp, origin: Origin) -> Result<(), MovingError> {
        let header = Header::new(tenant.as_str(), at, origin);
        self.line(&HeaderLine { header })
    }

    pub(super) fn entries(&mut self, entries: &[Entry]) -> Result<(), MovingError> {
        for entry in entries {
            self.counts.add(entry);
            self.line(entry)?;
        }
        Ok(())
    }

    /// Notes how far the file is; what was written so far is on disk then.
    pub(super) fn note(&mut self, progress: &Progress) -> Result<(), MovingError> {
        let Sink::File { names, file } = &mut self.sink else {
            return Ok(());
        };
        file.flush()
            .and_then(|()| file.get_ref().sync_data())
            .map_err(MovingError::file("write", &names.partial))?;
        let text = serde_json::to_string(progress).unwrap_or_default();
        // A note that is cut off in the middle is none; then the one before it should still be there.
        let mut new = names.progress.clone().into_os_string();
        new.push(".new");
        private::write(Path::new(&new), &text)
            .and_then(|()| fs::rename(&new, &names.progress))
            .map_err(MovingError::file("write", &names.progress))
    }

    /// Ends the file and gives it its name.
    pub(super) fn finish(mut self) -> Result<Counts, MovingError> {
        let sha256 = hex(self.digest.clone());
        let counts = self.counts;
        self.line(&FooterLine {
            footer: Footer { counts, sha256 },
        })?;
        match self.sink {
            Sink::Stdout(mut out) => out.flush().map_err(MovingError::Output)?,
            Sink::File { names, mut file } => {
                file.flush()
                    .and_then(|()| file.get_ref().sync_all())
                    .and_then(|()| fs::rename(&names.partial, &names.whole))
                    .map_err(MovingError::file("write", &names.whole))?;
                // It says nothing of the file that is there now.
                drop(fs::remove_file(&names.progress));
            }
        }
        Ok(counts)
    }

    /// Forgets what was written: nothing can be made of it any more.
    pub(super) fn give_up(self) {
        if let Sink::File { names, .. } = self.sink {
            drop(fs::remove_file(&names.progress));
            drop(fs::remove_file(&names.partial));
        }
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), MovingError> {
        let mut line = serde_json::to_vec(value)
            .expect("what a line holds has string keys and no failing Serialize, so it is always JSON");
        line.push(b'\n');
        self.digest.update(&line);
        self.bytes += line.len() as u64;
        match &mut self.sink {
            Sink::Stdout(out) => out.write_all(&line).map_err(MovingError::Output),
            Sink::File { names, file } => file
                .write_all(&line)
                .map_err(MovingError::file("write", &names.partial)),
        }
    }
}

/// The digest of a file's first bytes; `None` when it has not as many.
fn read_again(file: &mut File, bytes: u64) -> io::Result<Option<Sha256>> {
    let mut digest = Sha256::new();
    let mut left = bytes;
    let mut reader = BufReader::with_capacity(1 << 18, file).take(bytes);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok((left == 0).then_some(digest));
        }
        digest.update(&buffer[..read]);
        left -= read as u64;
    }
}
