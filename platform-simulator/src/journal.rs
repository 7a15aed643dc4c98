//! The state on disk: an append-only file of JSON lines, one for each change, on disk before the change is answered.
//! A thread of its own writes; all changes that wait share one fsync. At start the file is read, a torn last line is
//! dropped, and the whole is written anew without its past. It knows operations, not what they mean.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::state::{Op, State};

const FILE: &str = "journal.jsonl";
const FRESH: &str = "journal.jsonl.new";
const LOCK: &str = "lock";
/// How many bytes of changes are kept before the file is written anew without its past.
const ROOM: i64 = 64 << 20;

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or a file in it could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// A line that is not the last one cannot be understood.
    #[error("line {line} of {path} is damaged")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// The change could not be put on disk, so no further one is accepted: the state in memory would run ahead of it.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct NotDurable;

/// Where changes are kept: in a folder, or nowhere.
#[derive(Debug)]
pub(crate) struct Journal {
    lines: Option<mpsc::Sender<Message>>,
    /// Whether the writer has given up.
    broken: Arc<AtomicBool>,
    /// How many bytes may still be added before the file is written anew.
    room: AtomicI64,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>, oneshot::Sender<()>),
    /// The whole state, to take the place of all that was written before.
    Anew(Vec<Op>),
    Close,
}

/// One change on its way to the disk.
#[must_use = "a change is answered when it is durable"]
#[derive(Debug, Default)]
pub(crate) struct Commit(Option<oneshot::Receiver<()>>);

impl Commit {
    /// A change that cannot be kept.
    pub(crate) fn failed() -> Self {
        Self(Some(oneshot::channel().1))
    }

    /// Waits until the change is on disk.
    pub(crate) async fn durable(self) -> Result<(), NotDurable> {
        match self.0 {
            None => Ok(()),
            Some(written) => written.await.map_err(|_| NotDurable),
        }
    }
}

impl Journal {
    /// A journal that keeps nothing.
    pub(crate) fn memory() -> Self {
        Self {
            lines: None,
            broken: Arc::default(),
            room: AtomicI64::new(i64::MAX),
            writer: Mutex::new(None),
        }
    }

    /// Whether changes can still be kept.
    pub(crate) fn takes_changes(&self) -> bool {
        !self.broken.load(Ordering::Acquire)
    }

    /// Takes the folder, reads what it holds, and writes it anew without its past. Blocks.
    pub(crate) fn open(folder: &Path) -> Result<(Self, State), JournalError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let lock = lock(&folder.join(LOCK))?;
        let state = load(&folder.join(FILE))?;
        let file = compact(folder, state.snapshot())?;
        let home = folder.to_owned();
        let (lines, waiting) = mpsc::channel();
        let broken = Arc::new(AtomicBool::new(false));
        let breaks = Arc::clone(&broken);
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                write(&home, file, &waiting);
                breaks.store(true, Ordering::Release);
                drop(lock);
            })
            .map_err(at(folder))?;
        Ok((
            Self {
                lines: Some(lines),
                broken,
                room: AtomicI64::new(ROOM),
                writer: Mutex::new(Some(writer)),
            },
            state,
        ))
    }

    /// Queues one change. The order of calls is the order on disk.
    pub(crate) fn append(&self, ops: &[Op]) -> Commit {
        let Some(lines) = &self.lines else { return Commit(None) };
        let mut line = serde_json::to_vec(ops).expect("operations hold only strings, numbers and lists");
        line.push(b'\n');
        self.room
            .fetch_sub(i64::try_from(line.len()).unwrap_or(i64::MAX), Ordering::AcqRel);
        let (done, written) = oneshot::channel();
        // A closed journal drops `done`, and the change is answered as not durable.
        let _ = lines.send(Message::Line(line, done));
        Commit(Some(written))
    }

    /// Writes the file anew where it has grown long: without its past, it is as long as the state. The state must be the one
    /// that all changes so far have made.
    pub(crate) fn compact_when_long(&self, state: &State) {
        let Some(lines) = &self.lines else { return };
        if self.room.load(Ordering::Acquire) > 0 {
            return;
        }
        self.room.store(ROOM, Ordering::Release);
        let _ = lines.send(Message::Anew(state.snapshot().collect()));
    }

    /// Writes what waits and gives the folder back. Later changes are refused.
    pub(crate) fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(lines), Some(writer)) = (&self.lines, writer) {
            let _ = lines.send(Message::Close);
            let _ = writer.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Takes the lock, which ends with the file and so with the process.
fn lock(path: &Path) -> Result<File, JournalError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked(path.parent().unwrap_or(path).to_owned())),
        Err(TryLockError::Error(source)) => Err(at(path)(source)),
    }
}

fn load(path: &Path) -> Result<State, JournalError> {
    let mut state = State::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(state),
        Err(error) => return Err(at(path)(error)),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(at(path))? == 0 {
            break;
        }
        match serde_json::from_slice::<Vec<Op>>(&text) {
            // Without its newline the line never was answered, even where it happens to be whole.
            Ok(ops) if text.ends_with(b"\n") => ops.iter().for_each(|op| state.apply(op)),
            Ok(_) => tracing::warn!(line, "dropped a torn last line"),
            Err(_) if reader.fill_buf().map_err(at(path))?.is_empty() => {
                tracing::warn!(line, "dropped a torn last line");
            }
            Err(source) => {
                return Err(JournalError::Damaged {
                    path: path.to_owned(),
                    line,
                    source,
                });
            }
        }
    }
    Ok(state)
}

/// Writes the state as a new journal beside the old one and puts it in its place by rename.
fn compact(folder: &Path, ops: impl IntoIterator<Item = Op>) -> Result<File, JournalError> {
    let fresh = folder.join(FRESH);
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&fresh)
        .map_err(at(&fresh))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    for op in ops {
        serde_json::to_writer(&mut out, &[op])
            .map_err(io::Error::from)
            .map_err(at(&fresh))?;
        out.write_all(b"\n").map_err(at(&fresh))?;
    }
    let mut file = out.into_inner().map_err(|error| at(&fresh)(error.into_error()))?;
    file.sync_all().map_err(at(&fresh))?;
    std::fs::rename(&fresh, folder.join(FILE)).map_err(at(&fresh))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at(folder))?;
    file.seek(SeekFrom::End(0)).map_err(at(&fresh))?;
    Ok(file)
}

/// The writer's whole life: everything that waits goes out in one write and one fsync.
fn write(folder: &Path, mut file: File, waiting: &mpsc::Receiver<Message>) {
    const PORTION: usize = 1 << 20;
    let mut text = Vec::new();
    let mut done: Vec<oneshot::Sender<()>> = Vec::new();
    let mut open = true;
    while open {
        let mut anew = None;
        let mut next = waiting.recv().ok();
        open = next.is_some();
        while let Some(message) = next.take() {
            match message {
                Message::Line(line, written) => {
                    text.extend_from_slice(&line);
                    done.push(written);
                    if text.len() < PORTION {
                        next = waiting.try_recv().ok();
                    }
                }
                Message::Anew(ops) => anew = Some(ops),
                Message::Close => open = false,
            }
        }
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            tracing::error!(%error, "the journal cannot be written; changes are refused from here on");
            return;
        }
        if let Some(ops) = anew {
            match compact(folder, ops) {
                Ok(fresh) => file = fresh,
                Err(error) => {
                    tracing::error!(%error, "the journal cannot be written anew; changes are refused from here on");
                    return;
                }
            }
        }
        text.clear();
        // Nobody waits any more for an answer that was cut: that is no error.
        for written in done.drain(..) {
            let _ = written.send(());
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::User;

    fn user(id: &str) -> Op {
        Op::User(Arc::new(User {
            id: id.into(),
            name: format!("{id}@x"),
            ..User::default()
        }))
    }

    fn names(state: &State) -> Vec<&str> {
        state.users().map(|user| user.name.as_str()).collect()
    }

    #[tokio::test]
    async fn what_was_durable_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(&[user("a"), user("b")]).durable().await.unwrap();
        journal.append(&[Op::UserGone("a".into())]).durable().await.unwrap();
        drop(journal);
        let (_journal, state) = Journal::open(folder.path()).unwrap();
        assert_eq!(names(&state), ["b@x"]);
        let lines = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(
            lines.lines().count(),
            2,
            "one account and the counter; the past is gone"
        );
    }

    #[tokio::test]
    async fn a_torn_last_line_is_dropped_and_a_damaged_one_before_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let line = |id| serde_json::to_string(&[user(id)]).unwrap();
        for torn in [
            line("b")[..20].to_owned(),
            line("b"),
            "{]\n".to_owned(),
            "\u{0}\u{0}".to_owned(),
        ] {
            std::fs::write(&path, format!("{}\n{torn}", line("a"))).unwrap();
            let (journal, state) = Journal::open(folder.path()).unwrap();
            assert_eq!(names(&state), ["a@x"], "torn: {torn:?}");
            journal.append(&[user("c")]).durable().await.unwrap();
            drop(journal);
            assert_eq!(names(&Journal::open(folder.path()).unwrap().1), ["a@x", "c@x"]);
        }
        std::fs::write(&path, format!("{}\nrubbish\n{}\n", line("a"), line("b"))).unwrap();
        let error = Journal::open(folder.path()).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { line: 2, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_folder_has_one_owner_and_a_closed_journal_takes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        assert!(matches!(
            Journal::open(folder.path()).unwrap_err(),
            JournalError::Locked(_)
        ));
        journal.close();
        assert!(!journal.takes_changes());
        journal.append(&[user("a")]).durable().await.unwrap_err();
        assert_eq!(names(&Journal::open(folder.path()).unwrap().1), Vec::<&str>::new());
    }

    #[tokio::test]
    async fn a_journal_that_grew_long_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, mut state) = Journal::open(folder.path()).unwrap();
        for _ in 0..50 {
            state.apply(&user("a"));
            journal.append(&[user("a")]).durable().await.unwrap();
        }
        journal.compact_when_long(&state);
        let length = || std::fs::metadata(folder.path().join(FILE)).unwrap().len();
        let long = length();
        journal.room.store(0, Ordering::Release);
        journal.compact_when_long(&state);
        state.apply(&user("b"));
        journal.append(&[user("b")]).durable().await.unwrap();
        assert!(length() < long / 10);
        drop(journal);
        assert_eq!(names(&Journal::open(folder.path()).unwrap().1), ["a@x", "b@x"]);
    }

    #[tokio::test]
    async fn many_changes_share_their_fsyncs() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path()).unwrap();
        let commits: Vec<_> = (0..5000).map(|n| journal.append(&[user(&format!("{n:04}"))])).collect();
        for commit in commits {
            commit.durable().await.unwrap();
        }
        drop(journal);
        assert_eq!(names(&Journal::open(folder.path()).unwrap().1).len(), 5000);
    }
}
