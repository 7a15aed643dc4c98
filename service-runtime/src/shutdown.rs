//! Running until told to stop: the first signal drains within a limit, a second one leaves at once. A server or task
//! that ends by itself stops the process too, for somebody to start it again.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, Running};

/// The exit code for settings that cannot be used.
pub const EX_USAGE: i32 = 64;
/// The exit code for a start that failed, or a run that did not end cleanly.
pub const EX_START: i32 = 1;

/// Waits for the first SIGINT or SIGTERM and returns its name.
pub async fn signal() -> Result<&'static str, Error> {
    Signals::new()?.next().await
}

/// Runs one service until a signal comes. `Ok(true)` says that everything came to its end within `grace`.
pub async fn run_until_stopped(running: Running, grace: Duration) -> Result<bool, Error> {
    run_all_until_stopped(vec![running], grace).await
}

/// Runs several services until a signal comes, then stops them in the order given, callers before those they call,
/// within `grace` altogether.
pub async fn run_all_until_stopped(running: Vec<Running>, grace: Duration) -> Result<bool, Error> {
    run_with(Signals::new()?, running, grace).await
}

/// As [`run_all_until_stopped`], with signals that are already listened for.
pub(crate) async fn run_with(mut signals: Signals, running: Vec<Running>, grace: Duration) -> Result<bool, Error> {
    let failures = running.iter().map(|service| Box::pin(service.failed()));
    let failure = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal = signal?, grace_ms = millis(grace), "draining");
            None
        }
        (error, ..) = futures_util::future::select_all(failures), if !running.is_empty() => Some(error),
    };
    let drained = tokio::select! {
        drained = stop_all(running, grace) => drained,
        signal = signals.next() => {
            tracing::warn!(signal = signal?, "second signal; leaving at once");
            false
        }
    };
    failure.map_or(Ok(drained), Err)
}

async fn stop_all(running: Vec<Running>, grace: Duration) -> bool {
    let end = Instant::now() + grace;
    let mut drained = true;
    for service in running {
        drained &= service.stop(end.saturating_duration_since(Instant::now())).await;
    }
    drained
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The signals that stop a service. They are queued from the moment this exists.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Error::Signals)?,
            terminate: signal(SignalKind::terminate()).map_err(Error::Signals)?,
        })
    }

    pub(crate) async fn next(&mut self) -> Result<&'static str, Error> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok("SIGINT"),
            _ = self.terminate.recv() => Ok("SIGTERM"),
        }
    }
}

/// The signals that stop a service.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> Result<Self, Error> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> Result<&'static str, Error> {
        tokio::signal::ctrl_c().await.map_err(Error::Signals)?;
        Ok("Ctrl-C")
    }
}
