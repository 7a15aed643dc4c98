//! The simulated Platform of a system that delivers, as a process: how it answers, and what it was asked. It talks to the
//! simulator as anybody does, by `/_sim`.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use http::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    client::{Connection, Request, Target},
    processes::Process,
};

/// Who calls it.
const USER: &str = "gateway@kestrelworks.example";
/// By which secret.
const SECRET: &str = "the-secret-of-the-load-generator";

/// How it answers. By default at once, whatever is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// How long each call takes.
    pub latency: Duration,
    /// How many calls a second it takes, and the adapter makes; 0: no limit.
    pub max_rps: u32,
}

/// The simulator.
#[derive(Debug)]
pub struct SimulatedPlatform {
    _process: Process,
    target: Target,
}

/// What it was asked.
#[derive(Debug, Deserialize)]
pub struct Calls {
    /// How often each method was called.
    #[serde(rename = "calls")]
    pub by_method: BTreeMap<String, u64>,
    /// How many of the calls would change something.
    pub writes: u64,
}

impl Calls {
    /// How many there were.
    pub fn all(&self) -> u64 {
        self.by_method.values().sum()
    }

    /// How often members were put in or out.
    pub fn of_members(&self) -> u64 {
        self.by_method.get("Roles/UpdateRole").copied().unwrap_or_default()
    }
}

impl SimulatedPlatform {
    /// Takes a process that listens there, and has it answer so.
    pub(super) async fn new(process: Process, addr: SocketAddr, answers: Answers) -> Result<Self> {
        let target = Target {
            addr,
            base: "/_sim".to_owned(),
            token: None,
        };
        let platform = Self {
            _process: process,
            target,
        };
        platform.answer(answers).await?;
        Ok(platform)
    }

    /// Has it answer so from now on. The adapter keeps its own pace.
    pub async fn answer(&self, answers: Answers) -> Result<()> {
        let profile = json!({"latency_ms": answers.latency.as_millis(), "max_rps": answers.max_rps});
        let request = Request::new(Method::PATCH, "/profile".to_owned(), profile.to_string());
        let _: Value = self.ask(request).await?;
        Ok(())
    }

    /// Counts calls from now on.
    pub async fn forget_calls(&self) -> Result<()> {
        let request = Request::new(Method::DELETE, "/calls".to_owned(), "");
        let answer = Connection::new(&self.target).send(request).await?;
        ensure!(answer.status.is_success(), "forgetting calls: {}", answer.status);
        Ok(())
    }

    /// What it was asked since then.
    pub async fn calls(&self) -> Result<Calls> {
        self.ask(Request::get("/state".to_owned())).await
    }

    /// How many of the last two thousand calls it turned away.
    pub async fn throttled(&self) -> Result<usize> {
        #[derive(Deserialize)]
        struct Call {
            status: Option<u16>,
        }
        let calls: Vec<Call> = self.ask(Request::get("/calls".to_owned())).await?;
        let away = StatusCode::TOO_MANY_REQUESTS.as_u16();
        Ok(calls.iter().filter(|call| call.status == Some(away)).count())
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let answer = Connection::new(&self.target).send(request).await?;
        ensure!(answer.status.is_success(), "the simulator answers {}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

/// What the simulator is started with.
pub(super) fn settings() -> Vec<String> {
    vec![format!("--client-id={USER}"), format!("--client-secret={SECRET}")]
}

/// What the adapter is started with, to call a Platform there at that pace.
pub(super) fn adapter_settings(addr: SocketAddr, max_rps: u32) -> Vec<String> {
    vec![
        format!("--platform-url=http://{addr}"),
        format!("--platform-client-id={USER}"),
        format!("--platform-client-secret={SECRET}"),
        format!("--max-rps={max_rps}"),
    ]
}
