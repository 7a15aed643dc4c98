//! One connection that is kept: made anew when it breaks, when it no longer answers, and when the server stops being the
//! master. Callers share it, and never wait for it longer than REDIS_TIMEOUT: neither from when they came, nor from when it
//! broke, so that in a long outage each is told at once. It must not know what is sent.

use std::{sync::Arc, time::Duration};

use redis::{RedisError, aio::MultiplexedConnection};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{checks::Facts, dial::Dialer, error::OpenError};

/// How often a connection that is up is asked whether it still is.
const PROBE: Duration = Duration::from_secs(2);
/// The first and the longest pause between two tries to connect. Dialing costs a server little, and whoever waits waits for it.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A kept connection. A clone is the same one; the last one to go ends it.
#[derive(Clone)]
pub(super) struct Link {
    state: watch::Sender<State>,
    name: Arc<str>,
    timeout: Duration,
    _keeper: Arc<DropGuard>,
}

#[derive(Clone)]
enum State {
    Up(Up),
    Down {
        since: Instant,
        /// `None` before the first try.
        reason: Option<Arc<OpenError>>,
    },
}

/// A connection that works, as far as is known.
#[derive(Clone)]
pub(super) struct Up {
    pub(super) connection: MultiplexedConnection,
    /// Tells a link's connections apart.
    pub(super) generation: u64,
    /// Whether it is the first of its link.
    pub(super) is_first: bool,
    /// Since when.
    pub(super) since: Instant,
    pub(super) facts: Arc<Facts>,
}

impl Link {
    /// Begins to connect. `callers_wait` is how long a caller waits for a connection.
    pub(super) fn keep(dialer: Dialer, callers_wait: Duration) -> Self {
        let since = Instant::now();
        let state = watch::Sender::new(State::Down { since, reason: None });
        let stop = CancellationToken::new();
        let link = Self {
            state: state.clone(),
            name: dialer.name().into(),
            timeout: callers_wait,
            _keeper: Arc::new(stop.clone().drop_guard()),
        };
        tokio::spawn(async move {
            stop.run_until_cancelled(keep(dialer, state.clone())).await;
            // The connection knows the channel that it stands in; so it would not go by itself.
            state.send_replace(State::Down { since, reason: None });
        });
        link
    }

    /// Where it leads, for logs.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The connection, which is waited for until `deadline` at most.
    pub(super) async fn up(&self, deadline: Instant) -> Result<Up, Arc<OpenError>> {
        // Nearly always; and who does not wait need not subscribe.
        if let State::Up(up) = &*self.state.borrow() {
            return Ok(up.clone());
        }
        let mut states = self.state.subscribe();
        loop {
            let until = match &*states.borrow_and_update() {
                State::Up(up) => return Ok(up.clone()),
                State::Down { since, .. } => deadline.min(*since + self.timeout),
            };
            // The sender is ours, so the channel cannot be closed.
            if timeout_at(until, states.changed()).await.is_err() {
                return self.now();
            }
        }
    }

    /// The connection, or why there is none.
    pub(super) fn now(&self) -> Result<Up, Arc<OpenError>> {
        match &*self.state.borrow() {
            State::Up(up) => Ok(up.clone()),
            State::Down {
                reason: Some(reason), ..
            } => Err(reason.clone()),
            State::Down { reason: None, .. } => Err(Arc::new(self.silent())),
        }
    }

    /// Whether it has been away for longer than a caller waits.
    pub(super) fn is_long_away(&self) -> bool {
        match &*self.state.borrow() {
            State::Up(_) => false,
            State::Down { since, .. } => since.elapsed() >= self.timeout,
        }
    }

    /// Says that a connection is of no use any more. Nobody gets it from now on; who has it may yet get its answer.
    pub(super) fn give_up(&self, generation: u64, reason: RedisError) {
        let reason = Arc::new(OpenError::Unreachable {
            target: self.name.to_string(),
            source: reason,
        });
        lose(&self.state, generation, reason);
    }

    fn silent(&self) -> OpenError {
        OpenError::Silent {
            target: self.name.to_string(),
        }
    }
}

fn lose(state: &watch::Sender<State>, generation: u64, reason: Arc<OpenError>) {
    state.send_if_modified(|state| match state {
        State::Up(up) if up.generation == generation => {
            *state = State::Down {
                since: Instant::now(),
                reason: Some(reason),
            };
            true
        }
        _ => false,
    });
}

async fn keep(dialer: Dialer, state: watch::Sender<State>) {
    let (mut generation, mut is_first, mut pause) = (0, true, PAUSE.0);
    loop {
        generation += 1;
        let told = state.clone();
        let name = dialer.name();
        let closed = move || {
            let source = std::io::Error::from(std::io::ErrorKind::ConnectionReset).into();
            let target = name.clone();
            lose(&told, generation, Arc::new(OpenError::Unreachable { target, source }));
        };
        match dialer.dial(closed).await {
            Ok((connection, facts)) => {
                pause = PAUSE.0;
                let facts = Arc::new(facts);
                tracing::info!(
                    server = dialer.name(),
                    version = facts.version.as_deref().unwrap_or("unknown"),
                    memory_limit_bytes = facts.memory_limit,
                    durability = ?facts.durability,
                    "connected to Redis"
                );
                let up = Up {
                    connection,
                    generation,
                    is_first,
                    since: Instant::now(),
                    facts,
                };
                is_first = false;
                state.send_replace(State::Up(up.clone()));
                attend(&dialer, &state, up).await;
            }
            Err(error) => {
                let mut is_news = false;
                state.send_modify(|state| {
                    if let State::Down { reason, .. } = state {
                        let text = error.to_string();
                        is_news = reason.as_ref().is_none_or(|known| known.to_string() != text);
                        *reason = Some(Arc::new(error.clone()));
                    }
                });
                if is_news {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Redis is away; trying on");
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

/// Returns when the connection is lost.
async fn attend(dialer: &Dialer, state: &watch::Sender<State>, up: Up) {
    let mut states = state.subscribe();
    loop {
        let lost = states.wait_for(|state| matches!(state, State::Down { .. }));
        if let Ok(lost) = timeout(PROBE, lost).await {
            if let Ok(State::Down {
                reason: Some(reason), ..
            }) = lost.as_deref()
            {
                tracing::warn!(
                    error = &**reason as &dyn std::error::Error,
                    "lost the connection to Redis"
                );
            }
            return;
        }
        if let Err(error) = probe(dialer, up.connection.clone()).await {
            lose(state, up.generation, Arc::new(error));
        }
    }
}

/// Whether the server still answers, and still is a master.
async fn probe(dialer: &Dialer, mut connection: MultiplexedConnection) -> Result<(), OpenError> {
    let target = dialer.name();
    let role: Result<redis::Value, _> = redis::cmd("ROLE").query_async(&mut connection).await;
    match role {
        Ok(redis::Value::Array(parts)) => match parts.first() {
            Some(redis::Value::BulkString(role)) if role == b"slave" => Err(OpenError::Replica { target }),
            _ => Ok(()),
        },
        Err(source) if source.is_io_error() || source.is_unrecoverable_error() => {
            Err(OpenError::Unreachable { target, source })
        }
        // An ACL may forbid to ask; it answers at least.
        _ => Ok(()),
    }
}
