//! A server at an address that stays its own, with a folder that stays its own.

use std::{fs, path::Path};

use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::{Options, PATIENCE, PAUSE, User, free_port, process::Process, tls::Tls};

/// A server, gone when it is dropped. A test that needs a clean one starts one: it takes some ten milliseconds.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    /// Where the nodes of a cluster talk to each other.
    cluster_port: Option<u16>,
    user: Option<User>,
    tls: Option<Tls>,
    process: Process,
    // The last field: the process goes before its folder does.
    folder: TempDir,
}

/// What a process is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Sentinel,
    ClusterNode,
}

impl RedisServer {
    /// Starts one that keeps nothing on disk and lets everybody in; it answers when this returns.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts one that differs.
    pub async fn with(options: Options) -> Self {
        Self::launch(Role::Server, &options.config(), options.user, options.tls).await
    }

    /// Starts one with this configuration, all but address and TLS.
    pub(crate) async fn launch(role: Role, config: &str, user: Option<User>, tls: bool) -> Self {
        loop {
            let mut server = Self::prepare(role, config, user.clone(), tls);
            if server.try_start().await {
                return server;
            }
            // Somebody else was quicker to take the port.
        }
    }

    fn prepare(role: Role, config: &str, user: Option<User>, tls: bool) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let tls = tls.then(|| Tls::make(folder.path()));
        let mut head = format!("bind 127.0.0.1\ndir {}\n", folder.path().display());
        head += &match &tls {
            None => format!("port {port}\n"),
            Some(tls) => format!("port 0\ntls-port {port}\n{}", tls.config()),
        };
        let cluster_port = (role == Role::ClusterNode).then(free_port);
        if let Some(port) = cluster_port {
            head += &format!("cluster-enabled yes\ncluster-port {port}\n");
        }
        let file = folder.path().join("redis.conf");
        fs::write(&file, head + config).unwrap();
        let mut arguments = vec![file.display().to_string()];
        if role == Role::Sentinel {
            arguments.push("--sentinel".to_owned());
        }
        Self {
            port,
            cluster_port,
            user,
            tls,
            process: Process::new(arguments, folder.path()),
            folder,
        }
    }

    /// Starts it again where it was, with what it has on disk, after it was stopped or killed.
    pub async fn start_again(&mut self) {
        let began = Instant::now();
        while !self.try_start().await {
            assert!(began.elapsed() < PATIENCE, "port {} stays taken", self.port);
            sleep(PAUSE).await;
        }
    }

    /// Starts it and waits until it answers; `false` when its port is taken.
    async fn try_start(&mut self) -> bool {
        self.process.start();
        let began = Instant::now();
        while !self.answers().await {
            if let Some(status) = self.process.ended() {
                let wrote = self.process.tail();
                assert!(wrote.contains("Address already in use"), "{status}:\n{wrote}");
                return false;
            }
            assert!(began.elapsed() < PATIENCE, "no answer:\n{}", self.process.tail());
            sleep(PAUSE).await;
        }
        true
    }

    /// Whether it, and not another at its port, answers with all that it has read from disk.
    async fn answers(&self) -> bool {
        let own = format!("process_id:{}", self.pid());
        let info = self.try_cli(&["INFO"]).await.unwrap_or_default();
        info.lines().any(|line| line == own) && !info.contains("loading:1")
    }

    /// Asks it to end, as a system does that shuts down; it is gone when this returns.
    pub async fn stop(&mut self) {
        self.process.stop().await;
    }

    /// Ends it as `kill -9` does; it is gone when this returns.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Makes it say nothing, while its connections stay.
    pub fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on after a pause.
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// Where it is and who may come in, as the store's setting wants it.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://{}127.0.0.1:{}", self.user_of_url(), self.port)
    }

    pub(crate) fn user_of_url(&self) -> String {
        let user = self.user.as_ref();
        let user = user.map(|User { name, password }| format!("{name}:{password}@"));
        user.unwrap_or_default()
    }

    /// Its port on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cluster_port(&self) -> u16 {
        self.cluster_port.expect("the server is no node of a cluster")
    }

    pub(crate) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it was started and neither stopped nor killed since.
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Its folder: what it keeps on disk is there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of its authority (PEM).
    pub fn ca_file(&self) -> &Path {
        &self.tls().ca
    }

    /// A certificate that it lets in (PEM); its own.
    pub fn cert_file(&self) -> &Path {
        &self.tls().cert
    }

    /// The key of that certificate (PEM).
    pub fn key_file(&self) -> &Path {
        &self.tls().key
    }

    fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("the server does not talk TLS")
    }

    /// What it answers to a command; an array is a line for each element.
    pub async fn cli(&self, words: &[&str]) -> String {
        let answer = self.try_cli(words).await;
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same, or its refusal.
    pub async fn try_cli(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new("redis-cli");
        command.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(tls) = &self.tls {
            command.args(tls.arguments());
        }
        if let Some(User { name, password }) = &self.user {
            command.args(["--user", name]).env("REDISCLI_AUTH", password);
        }
        let output = command.args(words).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        let output = output.map_err(|_| "no answer".to_owned())?;
        let output = output.expect("redis-cli is not installed; `make install-test-packages` does it");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\r', "").trim_end().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr) + &text(&output.stdout)),
        }
    }
}
