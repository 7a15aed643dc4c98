//! One program as a process at an address that stays its own, so that it can be killed at any moment and comes back where the
//! others look for it. What it writes goes into a file.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use redis_for_tests::free_port;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::PATIENCE;

const PAUSE: Duration = Duration::from_millis(10);

/// A process, running or not. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// Answer 200 when it is alive, and when it is ready.
    checks: [String; 2],
    log: PathBuf,
    child: Option<Child>,
}

/// Where programs are and where they write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folders<'a> {
    pub(crate) programs: &'a Path,
    pub(crate) work: &'a Path,
}

impl Process {
    /// A service with an operators' listener; it does not run yet.
    pub(crate) fn service(program: &str, listen: &str, flags: &[String], folders: Folders<'_>) -> Result<Self> {
        let ops = format!("127.0.0.1:{}", free_port());
        let checks = ["healthz", "readyz"].map(|check| format!("http://{ops}/{check}"));
        let mut arguments = vec![format!("--listen={listen}"), format!("--ops-listen={ops}")];
        arguments.extend_from_slice(flags);
        Self::new(program, arguments, checks, folders)
    }

    /// The simulated Platform; it does not run yet.
    pub(crate) fn simulator(listen: &str, flags: &[String], folders: Folders<'_>) -> Result<Self> {
        let checks = ["health"; 2].map(|check| format!("http://{listen}/{check}"));
        let mut arguments = vec![format!("--listen={listen}")];
        arguments.extend_from_slice(flags);
        Self::new("platform-simulator", arguments, checks, folders)
    }

    fn new(
        name: &str,
        arguments: Vec<String>,
        checks: [String; 2],
        Folders { programs, work }: Folders<'_>,
    ) -> Result<Self> {
        let program = programs.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        ensure!(
            program.is_file(),
            "{} is missing; run `cargo build --workspace --bins` first",
            program.display()
        );
        Ok(Self {
            name: name.to_owned(),
            program,
            arguments,
            checks,
            log: work.join(format!("{name}.log")),
            child: None,
        })
    }

    /// The same with a number, as one of several.
    pub(crate) fn numbered(mut self, nth: usize, work: &Path) -> Self {
        self.name = format!("{} {nth}", self.name);
        self.log = work.join(format!("{}.log", self.name.replace(' ', "-")));
        self
    }

    /// Starts it; it is not alive yet.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        // Without settings from this process's environment.
        let kept = std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR");
        command.env_clear().envs(kept).env("RUST_BACKTRACE", "1");
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it is alive; it may wait for others still.
    pub(crate) async fn alive(&mut self) -> Result<()> {
        self.passes(0).await
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        self.passes(1).await
    }

    async fn passes(&mut self, check: usize) -> Result<()> {
        // A client of its own: the pool of another would have connections to who has died since.
        let http = reqwest::Client::builder().no_proxy().build()?;
        let began = Instant::now();
        loop {
            let answer = http.get(&self.checks[check]).timeout(PATIENCE).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            self.goes_on()?;
            if began.elapsed() > PATIENCE {
                bail!("{} does not pass {} within {PATIENCE:?}", self.name, self.checks[check]);
            }
            sleep(PAUSE).await;
        }
    }

    /// An error if it has ended by itself.
    pub(crate) fn goes_on(&mut self) -> Result<()> {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            bail!("{} ended by itself: {status}", self.name);
        }
        Ok(())
    }

    /// Ends it as `kill -9` does; it is gone when this returns.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.goes_on()?;
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(crate) async fn signal(&mut self, signal: &str) -> Result<()> {
        self.goes_on()?;
        if let Some(id) = self.child.as_ref().and_then(Child::id) {
            let sent = Command::new("sh")
                .args(["-c", &format!("kill -{signal} {id}")])
                .status()
                .await?;
            ensure!(sent.success(), "{} got no {signal}: {sent}", self.name);
        }
        Ok(())
    }

    /// Its name, and where it writes.
    pub(crate) fn log(&self) -> (&str, &Path) {
        (&self.name, &self.log)
    }
}
