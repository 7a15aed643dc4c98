//! Directory and job in one file, so that a later run continues as the same Entra tenant.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    directory::Directory,
    error::Error,
    job::{Job, Memory},
};

/// What a state file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    /// The directory as it is now.
    pub directory: Directory,
    pub(crate) memory: Memory,
}

impl SavedState {
    /// A directory that no job has ever provisioned.
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            memory: Memory::default(),
        }
    }

    /// A copy of a directory and of what a job remembers of it.
    pub fn of(directory: &Directory, job: &Job) -> Self {
        Self {
            directory: directory.clone(),
            memory: job.memory().clone(),
        }
    }

    /// The job that goes on from here, and the directory.
    pub fn resume(self, client: Client) -> (Directory, Job) {
        (self.directory, Job::with_memory(client, self.memory))
    }

    /// Reads a state file; none if there is no such file.
    pub async fn load(path: &Path) -> Result<Option<Self>, Error> {
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(Error::File {
                    action: "reading",
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let state = serde_json::from_slice(&bytes);
        state.map(Some).map_err(|source| Error::StateFile {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes a state file whole: a reader sees the former or the new one.
    pub async fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = serde_json::to_vec(self).map_err(|source| Error::StateFile {
            path: path.to_owned(),
            source,
        })?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let written = async {
            tokio::fs::write(&beside, &bytes).await?;
            tokio::fs::rename(&beside, path).await
        };
        written.await.map_err(|source| Error::File {
            action: "writing",
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenant.json");
        assert_eq!(SavedState::load(&path).await.unwrap(), None);
        let mut state = SavedState::new(Directory::generate(4, 12, 3));
        state.directory.advance();
        state.save(&path).await.unwrap();
        let mut loaded = SavedState::load(&path).await.unwrap().unwrap();
        assert_eq!(loaded, state);
        // The rounds go on where they were.
        assert_eq!(loaded.directory.advance(), state.directory.advance());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(SavedState::load(&path).await, Err(Error::StateFile { .. })));
    }
}
