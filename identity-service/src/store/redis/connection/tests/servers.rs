//! Real servers, as children on free ports.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::FromRedisValue;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long a test waits for a state. Generous: it is only reached when something is wrong.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A server; it dies with this.
pub(super) struct Server {
    pub(super) port: u16,
    options: Vec<String>,
    pub(super) folder: TempDir,
    child: Child,
}

impl Server {
    /// Starts one with options as on its command line, split at spaces.
    pub(super) async fn start(options: &str) -> Self {
        Self::on(free_port(), options).await
    }

    pub(super) async fn on(port: u16, options: &str) -> Self {
        let options = options.split(' ').filter(|option| !option.is_empty());
        let options: Vec<_> = options.map(str::to_owned).collect();
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(port, &options, &folder);
        let server = Self {
            port,
            options,
            folder,
            child,
        };
        server.answers().await;
        server
    }

    /// A Sentinel of that configuration.
    pub(super) async fn sentinel(config: &str) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, config).unwrap();
        // The file has to come first.
        let options = vec![file.display().to_string(), "--sentinel".to_owned()];
        let child = spawn(port, &options, &folder);
        let server = Self {
            port,
            options,
            folder,
            child,
        };
        server.answers().await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it as a power cut would.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub(super) async fn start_again(&mut self) {
        self.child = spawn(self.port, &self.options, &self.folder);
        self.answers().await;
    }

    /// Stops or continues its process, so that it is there and says nothing.
    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// What it answers to a command, asked by a connection of our own.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &str) -> T {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    async fn answers(&self) {
        let port = self.port;
        until("a server listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, options: &[String], folder: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command
        .args(options)
        .args(["--bind", "127.0.0.1", "--dir"])
        .arg(folder.path());
    if !options.iter().any(|option| option == "--tls-port") {
        command.args(["--port", &port.to_string()]);
    }
    command
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

/// A free port, low enough that a cluster's second port, ten thousand above, is one.
pub(super) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}

/// Waits for a state.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
