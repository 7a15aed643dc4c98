//! One `redis-server` process, running or not; it is gone when this is dropped.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use tokio::time::{Instant, sleep};

use crate::{PATIENCE, PAUSE};

/// How many lines of a log a failed test shows.
const TAIL: usize = 40;

#[derive(Debug)]
pub(crate) struct Process {
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// One that is to run with these arguments and to write its log into that folder; it does not run yet.
    pub(crate) fn new(arguments: Vec<String>, folder: &Path) -> Self {
        Self {
            arguments,
            log: folder.join("redis.log"),
            child: None,
        }
    }

    /// Starts it; it may end again at once.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        File::create(&self.log).unwrap();
        // Both write at its end.
        let log = OpenOptions::new().append(true).open(&self.log).unwrap();
        let mut command = Command::new("redis-server");
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn();
        self.child = Some(child.expect("redis-server is not installed; `make install-test-packages` does it"));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("the server does not run").id()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        self.child = None;
        Some(status)
    }

    /// Sends it a signal: `STOP`, `CONT`, `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success(), "{kill}: {sent}");
    }

    /// Asks it to end, and waits until it is gone.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM");
        let began = Instant::now();
        while self.ended().is_none() {
            assert!(began.elapsed() < PATIENCE, "the server goes on:\n{}", self.tail());
            sleep(PAUSE).await;
        }
    }

    /// Ends it as `kill -9` does; it is gone when this returns.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The last lines that it wrote.
    pub(crate) fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let arguments = self.arguments.join(" ");
            eprintln!("--- the end of what redis-server {arguments} wrote:\n{}", self.tail());
        }
        self.kill();
    }
}
