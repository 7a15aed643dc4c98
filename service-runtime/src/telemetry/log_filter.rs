//! Which log records are written, changeable while the process runs: an operator who looks for something turns the log up, and it
//! comes back by itself. What may be asked for then is less than at the start: libraries that carry requests would write
//! headers into the log at their finest levels, and with them tokens.

use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tracing_subscriber::filter::{Directive, ParseError};
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The filter of the process, once telemetry is set up.
static PROCESS: OnceLock<LogFilter> = OnceLock::new();

/// The libraries that see requests. Never finer than this while the process runs.
const CARRIERS: [&str; 9] = [
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
    "rustls=info",
    "tonic=info",
    "tower=info",
    "redis=info",
    "instant_acme=info",
];

/// Why a filter is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It is no filter.
    #[error("is not a level or a filter such as info,gateway=debug")]
    Filter(#[source] ParseError),
    /// It asks a library for more than may be asked for now.
    #[error("{0} carries requests, and its log may show what is in them: set LOG, and restart")]
    Carrier(String),
    /// The log of this process is not ours, as in a test.
    #[error("the log of this process cannot be changed")]
    NotOurs,
}

/// A filter that can be replaced.
pub(crate) struct LogFilter {
    configured: String,
    present: Mutex<Present>,
    handle: reload::Handle<EnvFilter, Registry>,
}

struct Present {
    filter: String,
    /// Puts back what is configured, later.
    end: Option<AbortHandle>,
}

impl LogFilter {
    /// The process's filter, if telemetry has been set up.
    pub(crate) fn of_process() -> Option<&'static Self> {
        PROCESS.get()
    }

    pub(super) fn of(configured: &str, handle: reload::Handle<EnvFilter, Registry>) -> Self {
        let filter = configured.to_owned();
        Self {
            present: Mutex::new(Present {
                filter: filter.clone(),
                end: None,
            }),
            configured: filter,
            handle,
        }
    }

    pub(super) fn install(self) {
        // Telemetry is set up once.
        let _ = PROCESS.set(self);
    }

    /// What is in force.
    pub(crate) fn present(&self) -> String {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.filter.clone()
    }

    /// Has another filter in force: for so long, or until the next.
    pub(crate) fn replace(&'static self, filter: &str, time: Option<Duration>) -> Result<(), Unusable> {
        let parsed = within_bounds(filter)?;
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut present, filter, parsed)?;
        present.end = time.map(|time| {
            let back = async move {
                tokio::time::sleep(time).await;
                // It ends this very task, which has nothing left to do.
                if let Err(error) = self.restore() {
                    tracing::error!(%error, "the log's filter could not be put back");
                }
            };
            tokio::spawn(back).abort_handle()
        });
        Ok(())
    }

    /// Has the configured filter in force again.
    pub(crate) fn restore(&self) -> Result<(), Unusable> {
        let configured = EnvFilter::try_new(&self.configured).map_err(Unusable::Filter)?;
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(&mut present, &self.configured, configured)
    }

    fn put(&self, present: &mut Present, filter: &str, parsed: EnvFilter) -> Result<(), Unusable> {
        // Before it is so: nobody shall silence the log without a record of it.
        tracing::warn!(filter, "another filter decides what is logged");
        self.handle.reload(parsed).map_err(|_| Unusable::NotOurs)?;
        present.filter = filter.to_owned();
        if let Some(end) = present.end.take() {
            end.abort();
        }
        Ok(())
    }
}

/// The filter, with what carries requests held back.
fn within_bounds(filter: &str) -> Result<EnvFilter, Unusable> {
    let mut parsed = EnvFilter::try_new(filter).map_err(Unusable::Filter)?;
    for carrier in CARRIERS {
        let (name, _) = carrier.split_once('=').unwrap_or((carrier, ""));
        let named = |directive: &str| {
            let target = directive.trim().trim_start_matches(['"', ' ']);
            let target = target.split(['=', '[', ':']).next().unwrap_or_default();
            target.trim() == name
        };
        if filter.split(',').any(named) {
            return Err(Unusable::Carrier(name.to_owned()));
        }
        let held = Directive::from_str(carrier).map_err(Unusable::Filter)?;
        parsed = parsed.add_directive(held);
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_requests_stays_quiet() {
        for good in [
            "debug",
            "info,gateway=trace",
            "warn,identity_service[deliver]=debug",
            "off",
        ] {
            let filter = within_bounds(good).unwrap().to_string();
            for carrier in CARRIERS {
                assert!(filter.contains(carrier), "{good}: {filter}");
            }
        }
        for (filter, expected) in [
            ("h2=trace", "h2 carries requests"),
            ("info,hyper=debug", "hyper carries requests"),
            ("info,reqwest", "reqwest carries requests"),
            ("info,hyper_util::client=trace", "hyper_util carries requests"),
            ("debug,tonic[{x}]=trace", "tonic carries requests"),
            ("=,=", "is not a level or a filter"),
        ] {
            let refused = within_bounds(filter).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{filter}: {refused}");
        }
    }
}
