//! Running until told to stop: the first signal drains within a limit, a second one leaves at once. A server or task
//! that ends by itself stops the process too, for somebody to start it again.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, Running};

/// The exit code for settings that cannot be used.
pub const EX_USAGE: i32 = 64;
/// The exit code for a start that failed, or a run that did not end cleanly.
pub const EX_START: i32 = 1;

/// Runs one service until a signal comes. `Ok(true)` says that everything came to its end within `grace`.
pub async fn run_until_stopped(running: Running, grace: Duration) -> Result<bool, Error> {
    run_with(&mut Signals::new()?, vec![running], grace).await
}

/// Runs several services until a signal comes, then stops them as [`drain`] does.
pub async fn run_with(signals: &mut Signals, running: Vec<Running>, grace: Duration) -> Result<bool, Error> {
    let failures = running.iter().map(|service| Box::pin(service.failed()));
    let failure = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal = signal?, grace_ms = millis(grace), "draining");
            None
        }
        (error, ..) = futures_util::future::select_all(failures), if !running.is_empty() => Some(error),
    };
    let drained = drain(signals, running, grace).await?;
    failure.map_or(Ok(drained), Err)
}

/// Stops services in the order given, callers before those they call, within `grace` altogether; a signal ends even that.
/// `Ok(true)` says that everything came to its end.
pub async fn drain(signals: &mut Signals, running: Vec<Running>, grace: Duration) -> Result<bool, Error> {
    tokio::select! {
        drained = stop_all(running, grace) => Ok(drained),
        signal = signals.next() => {
            tracing::warn!(signal = signal?, "second signal; leaving at once");
            Ok(false)
        }
    }
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
#[derive(Debug)]
pub struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on.
    pub fn new() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Error::Signals)?,
            terminate: signal(SignalKind::terminate()).map_err(Error::Signals)?,
        })
    }

    /// Waits for the next one and gives its name.
    pub async fn next(&mut self) -> Result<&'static str, Error> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok("SIGINT"),
            _ = self.terminate.recv() => Ok("SIGTERM"),
        }
    }
}

/// The signals that stop a service.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Listens from now on.
    pub fn new() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits for the next one and gives its name.
    pub async fn next(&mut self) -> Result<&'static str, Error> {
        tokio::signal::ctrl_c().await.map_err(Error::Signals)?;
        Ok("Ctrl-C")
    }
}

/// `SIGHUP`, which asks a process to read its files anew, and by default ends it. From the moment that one of these exists it
/// ends this process no longer.
#[cfg(unix)]
#[derive(Debug)]
pub struct Hangups(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangups {
    /// Listens from now on.
    pub fn new() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup()).map(Self).map_err(Error::Signals)
    }

    /// Waits for the next one; several at once are one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// The signal that asks a process to read its files anew; there is none here.
#[cfg(not(unix))]
#[derive(Debug)]
pub struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    /// Listens from now on.
    pub fn new() -> Result<Self, Error> {
        Ok(Self)
    }

    /// Waits without end.
    pub async fn next(&mut self) {
        std::future::pending().await
    }
}
