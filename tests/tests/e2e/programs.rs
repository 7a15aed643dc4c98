//! The programs that a person runs, as processes: `all-in-one` that serves, and any program to its end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{process::Child, time::Instant};

use crate::{
    deployment::{Platform, Scim},
    processes::{PATIENCE, command, ended, spawn, tail},
};

/// How a program ended, and what it had written.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program of this workspace to its end.
pub(crate) async fn run(program: &str, arguments: &[&str]) -> Done {
    run_in(program, arguments, &[]).await
}

/// Runs it with these variables in its environment.
pub(crate) async fn run_in(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
    let mut command = command(program);
    command.args(arguments).envs(environment.iter().copied());
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    let Output { status, stdout, stderr } = ended
        .unwrap_or_else(|_| panic!("{program} {arguments:?} goes on"))
        .unwrap();
    Done {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Nobody but the owner can read the file.
#[track_caller]
pub(crate) fn assert_owners_alone(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}

/// An `all-in-one` that serves.
pub(crate) struct AllInOne {
    pub(crate) child: Child,
    log: PathBuf,
    /// The endpoints file.
    pub(crate) file: PathBuf,
    pub(crate) endpoints: Value,
}

impl AllInOne {
    /// Starts it, and waits for its endpoints. Whoever sees the file sees all of it.
    pub(crate) async fn start(folder: &TempDir, flags: &[&str]) -> Self {
        service_runtime::install_crypto_provider();
        let [log, file] = ["all-in-one.log", "endpoints.json"].map(|name| folder.path().join(name));
        let mut arguments: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("--endpoints-file={}", file.display()));
        let mut child = spawn("all-in-one", &arguments, File::create(&log).unwrap());
        let began = Instant::now();
        let text = loop {
            if let Ok(text) = fs::read_to_string(&file) {
                break text;
            }
            let goes_on = child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE;
            assert!(goes_on, "no endpoints:\n{}", fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let endpoints: Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<_> = endpoints.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = [
            "adapter_grpc",
            "bearer_token",
            "identity_grpc",
            "oauth_client_id",
            "oauth_client_secret",
            "oauth_token_url",
            "platform_url",
            "scim_base_url",
        ];
        assert_eq!(keys, documented);
        Self {
            child,
            log,
            file,
            endpoints,
        }
    }

    /// One of the endpoints.
    pub(crate) fn endpoint(&self, name: &str) -> &str {
        self.endpoints[name].as_str().unwrap()
    }

    /// Its SCIM side.
    pub(crate) fn scim(&self) -> Scim {
        Scim::at(self.endpoint("scim_base_url"), self.endpoint("bearer_token"))
    }

    /// The simulated Platform's own side.
    pub(crate) fn platform(&self) -> Platform {
        Platform::at(self.endpoint("platform_url").to_owned())
    }

    /// All that it wrote.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has written this.
    pub(crate) async fn says(&mut self, said: &str) {
        let began = Instant::now();
        while !self.output().contains(said) {
            let goes_on = self.child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE;
            assert!(goes_on, "{said:?} was not said:\n{}", tail(&self.output()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ctrl-C; gives the exit status.
    pub(crate) async fn interrupt(&mut self) -> i32 {
        let id = self.child.id().unwrap();
        let sent = command_line(&format!("kill -INT {id}")).await;
        assert!(sent, "the signal was not sent");
        ended(&mut self.child).await.code().unwrap()
    }
}

/// The shell sends the signal: the standard library cannot.
async fn command_line(line: &str) -> bool {
    let status = tokio::process::Command::new("sh").args(["-c", line]).status().await;
    status.unwrap().success()
}
