//! A small file that somebody may replace while the service runs. What it says is in force once it is read without a fault; a
//! faulty one changes nothing, and why is told. A text counts when it has stood for a second.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::LOOK;
use crate::Error;

/// No such file is larger.
const MOST_BYTES: u64 = 1 << 20;

/// The file, and what it said when it was last in order.
pub(crate) struct Watched<T> {
    setting: &'static str,
    path: PathBuf,
    read: fn(&str) -> Result<T, String>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    /// The digest of the text that was judged last, in order or not. The text itself may hold secrets.
    judged: [u8; 32],
    /// That of one which was seen once.
    seen: Option<[u8; 32]>,
    next_look: Instant,
    fault: Option<String>,
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({} = {})", self.setting, self.path.display())
    }
}

impl<T> Watched<T> {
    /// Reads it for the first time. `read` says what is wrong with a text, without anything secret.
    pub(crate) fn open(setting: &'static str, path: &Path, read: fn(&str) -> Result<T, String>) -> Result<Self, Error> {
        let wrong = |reason: String| Error::setting(setting, format!("{}: {reason}", path.display()));
        let text = text_of(path).map_err(wrong)?;
        let value = read(&text).map_err(wrong)?;
        Ok(Self {
            setting,
            path: path.to_owned(),
            read,
            state: Mutex::new(State {
                value: Arc::new(value),
                judged: Sha256::digest(&text).into(),
                seen: None,
                next_look: Instant::now() + LOOK,
                fault: None,
            }),
        })
    }

    /// What is in force. The file is looked at first, unless that was done within the last second: it is small and local, and
    /// so the look may stand in the way of a request.
    pub(crate) fn get(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.next_look <= now {
            state.next_look = now + LOOK;
            self.look(&mut state);
        }
        Arc::clone(&state.value)
    }

    /// What is wrong with the present file, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        self.get();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.fault.clone()
    }

    /// Whether nobody has written it for a while, by the file system's word. Who looks seldom must not see the old text longer
    /// than others.
    fn is_old(&self) -> bool {
        let written = std::fs::metadata(&self.path).and_then(|file| file.modified());
        written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age >= LOOK))
    }

    fn look(&self, state: &mut State<T>) {
        let text = text_of(&self.path);
        // What cannot be read is looked at as a text of its own.
        let digest = text.as_ref().map_or([0; 32], |text| Sha256::digest(text).into());
        if digest == state.judged {
            state.seen = None;
            return;
        }
        // It may be half of what somebody is writing, and make sense all the same: it is judged when it has stood for a while.
        if state.seen.replace(digest) != Some(digest) && !self.is_old() {
            return;
        }
        state.judged = digest;
        let looked = text.and_then(|text| (self.read)(&text));
        let (setting, path) = (self.setting, self.path.display());
        match looked {
            Ok(value) => {
                tracing::info!(setting, %path, "the file has changed; what it says is in force");
                state.value = Arc::new(value);
                state.fault = None;
            }
            Err(reason) => {
                let fault = format!("{setting}: {path}: {reason}; what it said before stays in force");
                if state.fault.as_ref() != Some(&fault) {
                    tracing::warn!(
                        setting,
                        fault,
                        "a file cannot be used; what it said before stays in force"
                    );
                    state.fault = Some(fault);
                }
            }
        }
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > MOST_BYTES {
        return Err("is larger than 1 MiB".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn number(text: &str) -> Result<u32, String> {
        text.trim().parse().map_err(|_| "is no number".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_text_is_in_force_and_a_faulty_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        assert!(Watched::open("NUMBER", &path, number).is_err(), "it is not there");
        fs::write(&path, "x").unwrap();
        let error = Watched::open("NUMBER", &path, number).unwrap_err().to_string();
        assert!(
            error.starts_with("NUMBER: ") && error.ends_with("is no number"),
            "{error}"
        );

        fs::write(&path, "1").unwrap();
        let watched = Watched::open("NUMBER", &path, number).unwrap();
        let look = async || {
            for _ in 0..2 {
                tokio::time::advance(LOOK).await;
                watched.get();
            }
            (*watched.get(), watched.fault())
        };
        fs::write(&path, "2").unwrap();
        assert_eq!(*watched.get(), 1, "it was looked at just now");
        assert_eq!(look().await, (2, None));
        // Whoever writes slowly has written a number at each moment.
        for part in ["4", "42"] {
            fs::write(&path, part).unwrap();
            tokio::time::advance(LOOK).await;
            assert_eq!(*watched.get(), 2);
        }
        fs::write(&path, "half").unwrap();
        let (value, fault) = look().await;
        assert!(value == 2 && fault.unwrap().contains("is no number"));
        let (value, fault) = look().await;
        assert!(value == 2 && fault.is_some(), "the fault stays while the file does");
        fs::remove_file(&path).unwrap();
        assert!(look().await.1.unwrap().contains("cannot be read"));
        fs::write(&path, "3").unwrap();
        assert_eq!(look().await, (3, None));
        fs::remove_file(&path).unwrap();
        assert!(look().await.1.is_some());
        fs::write(&path, "3").unwrap();
        assert_eq!(look().await, (3, None), "it is back as it was");
    }
}
