//! A script, how it is sent, and what an error says about whether it was run. It must not know what scripts do.

use std::sync::Arc;

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection};

use super::target::Host;

/// A script of the store. A clone is the same script.
#[derive(Debug, Clone)]
pub(crate) struct Script(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    source: String,
    hash: String,
}

impl Script {
    /// The script of that name; `source` is Lua.
    pub(crate) fn new(name: &'static str, source: impl Into<String>) -> Self {
        let source = source.into();
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Self(Arc::new(Inner { name, source, hash }))
    }

    /// What it is called in errors.
    pub(crate) fn name(&self) -> &'static str {
        self.0.name
    }

    /// Sends it by its hash or, `with_source`, such as it is.
    pub(super) async fn send(
        &self,
        connection: &MultiplexedConnection,
        with_source: bool,
        key: &str,
        args: &[Vec<u8>],
    ) -> RedisResult<Value> {
        let mut command = match with_source {
            true => redis::cmd("EVAL"),
            false => redis::cmd("EVALSHA"),
        };
        command.arg(if with_source { &self.0.source } else { &self.0.hash });
        command.arg(1).arg(key);
        for arg in args {
            command.arg(arg.as_slice());
        }
        command.query_async(&mut connection.clone()).await
    }
}

/// What an error means for the call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not run: the server does not know the script.
    Unknown,
    /// Not run: the key is at another node.
    Moved(Option<Host>),
    /// Not run: the server may take it in a moment.
    Later,
    /// Not run: this is no master.
    NotMaster,
    /// Perhaps run: the connection broke, or was given up.
    Broken,
    /// An answer that stands.
    Refused,
}

impl Verdict {
    pub(super) fn on(error: &RedisError) -> Self {
        let host = || error.redirect_node().and_then(|(address, _)| redirected(address));
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => Self::Unknown,
            ErrorKind::Server(ServerErrorKind::Moved) => Self::Moved(host()),
            // A slot is on its way, key by key. ASK would send us to where some of the tenant's keys are and others are not yet,
            // and a script names only one of them: so it is waited for until the slot has moved.
            ErrorKind::Server(
                ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown,
            ) => Self::Later,
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::NotMaster,
            ErrorKind::Io | ErrorKind::Parse => Self::Broken,
            // Another script runs for too long.
            _ if error.code() == Some("BUSY") => Self::Later,
            _ => Self::Refused,
        }
    }
}

/// An address as a redirection has it: without brackets around IPv6, and perhaps without a name.
fn redirected(address: &str) -> Option<Host> {
    let (name, port) = address.rsplit_once(':')?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    Some(Host::new(name, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whether_the_script_was_run() {
        let answered = |line: &str| {
            let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            Verdict::on(&value.extract_error().unwrap_err())
        };
        for (line, verdict) in [
            ("NOSCRIPT No matching script.", Verdict::Unknown),
            (
                "MOVED 866 10.0.0.2:7001",
                Verdict::Moved(Some(Host::new("10.0.0.2", 7001))),
            ),
            ("MOVED 866 :7001", Verdict::Moved(Some(Host::new("", 7001)))),
            (
                "MOVED 866 fe80::1:7001",
                Verdict::Moved(Some(Host::new("fe80::1", 7001))),
            ),
            ("ASK 866 10.0.0.2:7001", Verdict::Later),
            ("BUSY Redis is busy running a script.", Verdict::Later),
            ("CLUSTERDOWN Hash slot not served", Verdict::Later),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                Verdict::Later,
            ),
            ("LOADING Redis is loading the dataset in memory", Verdict::Later),
            (
                "READONLY You can't write against a read only replica.",
                Verdict::NotMaster,
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                Verdict::Refused,
            ),
            ("NOREPLICAS Not enough good replicas to write.", Verdict::Refused),
            ("ERR user_script:1: attempt to call a nil value", Verdict::Refused),
        ] {
            assert_eq!(answered(line), verdict, "{line}");
        }
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert_eq!(Verdict::on(&broken), Verdict::Broken);
    }

    #[test]
    fn a_script_is_known_by_the_hash_that_redis_knows_it_by() {
        let script = Script::new("one", "return 1");
        assert_eq!(script.0.hash, "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
