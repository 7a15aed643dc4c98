//! Processes that are measured: started from their programs, asked whether they are ready, looked at for their memory. They
//! end with the value that stands for them.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::client::{Connection, Request, Target};

/// How long a process may take until it is ready, and to end.
const PATIENCE: Duration = Duration::from_secs(300);
/// What the system counts CPU time in, on every Linux that we run on (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(2);

/// A process.
#[derive(Debug)]
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    threads: Option<usize>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Starts a program that writes its log into `folder`; if it is one of tokio's, on so many threads.
    pub fn start(program: &Path, arguments: Vec<String>, threads: Option<usize>, folder: &Path) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut process = Self {
            log: folder.join(format!("{name}.log")),
            name,
            program: program.to_owned(),
            arguments,
            threads,
            child: None,
        };
        process.spawn()?;
        Ok(process)
    }

    /// Starts it again, as it was.
    pub fn spawn(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = command(&self.program);
        command
            .args(&self.arguments)
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        if let Some(threads) = self.threads {
            command.env("TOKIO_WORKER_THREADS", threads.to_string());
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until its operators' listener says that it is ready.
    pub async fn ready(&mut self, ops: SocketAddr) -> Result<()> {
        let target = Target {
            addr: ops,
            base: String::new(),
            token: None,
        };
        let began = Instant::now();
        loop {
            let answer = Connection::new(&target).send(Request::get("/readyz".to_owned())).await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                return Ok(());
            }
            self.goes_on(began)?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until somebody listens there.
    pub async fn listens(&mut self, addr: SocketAddr) -> Result<()> {
        let began = Instant::now();
        while tokio::net::TcpStream::connect(addr).await.is_err() {
            self.goes_on(began)?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    fn goes_on(&mut self, began: Instant) -> Result<()> {
        let ended = match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        };
        if ended.is_some() || began.elapsed() > PATIENCE {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let last = log.lines().rev().take(5).collect::<Vec<_>>();
            let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
            bail!("{} does not get ready:\n{last}", self.name);
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> Result<()> {
        self.end("-TERM").await
    }

    /// Ends it as a power cut would.
    pub async fn kill(&mut self) -> Result<()> {
        self.end("-KILL").await
    }

    async fn end(&mut self, signal: &str) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        if let Some(id) = child.id() {
            // The standard library sends no signal but the last.
            Command::new("kill").args([signal, &id.to_string()]).status().await?;
        }
        tokio::time::timeout(PATIENCE, child.wait())
            .await
            .with_context(|| format!("{} does not end", self.name))??;
        Ok(())
    }

    /// Its resident memory now, in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most that it ever had, in bytes.
    pub fn most_resident(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// The CPU time that it has taken since it was started.
    pub fn cpu(&self) -> Result<Duration> {
        let id = self.child.as_ref().and_then(Child::id).context("it does not run")?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // After the name, which may hold anything: user and system time are the 14th and 15th field (proc(5)).
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11));
        let ticks: Vec<u64> = fields.into_iter().flatten().take(2).flat_map(str::parse).collect();
        let [user, system] = ticks[..] else {
            bail!("no times in the status of {}", self.name)
        };
        Ok(TICK * u32::try_from(user + system)?)
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let id = self.child.as_ref().and_then(Child::id).context("it does not run")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Ok(kib.with_context(|| format!("no {field} in the status of {}", self.name))? * 1024)
    }
}

/// A command without settings from this process's environment.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let kept = std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TMPDIR");
    command.env_clear().envs(kept).stdin(Stdio::null());
    command
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
