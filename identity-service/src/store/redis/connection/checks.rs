//! What a server says of itself when it is reached: whether it may be used, and what a change that it acknowledged survives.
//! Where a managed service or an ACL keeps INFO and CONFIG from us, nothing is known and nothing is refused.

use std::collections::HashMap;

use redis::{RedisResult, aio::MultiplexedConnection};

/// The oldest version that has every command of the scripts.
const OLDEST: (u32, u32) = (6, 2);

/// What is known of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// `Redis 7.0.15`, or `Valkey 8.1.0`.
    pub(super) version: Option<String>,
    /// One life of one server process.
    pub(super) run_id: Option<String>,
    /// What its word is worth.
    pub(super) durability: Durability,
    /// At how many bytes it refuses writes; `None` when it has no limit, or none that is known.
    pub(super) memory_limit: Option<u64>,
}

/// Why a server must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too old.
    #[error("it is {0}; Redis 6.2, Valkey 7.2 or newer is needed")]
    TooOld(String),
    /// It throws keys away when memory is short.
    #[error(
        "it throws away keys when memory is short (maxmemory-policy is {0}), and so loses users in silence; set maxmemory-policy noeviction"
    )]
    Evicts(String),
    /// It is a node of a cluster, and the URL does not say so.
    #[error("it is a node of a cluster; write redis+cluster:// instead of redis://")]
    Cluster,
    /// It is no node of a cluster, and the URL says that it is.
    #[error("it is no node of a cluster; write redis:// instead of redis+cluster://")]
    NoCluster,
}

/// What a change survives that the server acknowledged. The weaker is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Durability {
    /// The append-only file is on disk before the answer.
    Always,
    /// The server would not say.
    Unknown,
    /// The append-only file is on disk a second later.
    EverySecond,
    /// The append-only file is on disk when the operating system finds time.
    WhenConvenient,
    /// There is no append-only file.
    InMemory,
}

impl Durability {
    /// The same as a sentence for the operator.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Always => "changes survive the death of Redis and a power loss (appendfsync always)",
            Self::Unknown => {
                "could not tell whether changes survive a power loss: Redis lets us read neither INFO nor CONFIG; it should have appendonly yes and appendfsync always"
            }
            Self::EverySecond => {
                "changes survive the death of Redis, but one or two seconds of them may be lost at a power loss (appendfsync everysec); set appendfsync always"
            }
            Self::WhenConvenient => {
                "changes survive the death of Redis, but half a minute of them may be lost at a power loss (appendfsync no); set appendfsync always"
            }
            Self::InMemory => {
                "changes are lost with the Redis process, back to its last snapshot (appendonly no); set appendonly yes and appendfsync always"
            }
        }
    }
}

/// What a change survives that was answered with success: what promise P1 holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    /// What the weakest server's word is worth.
    pub(crate) durability: Durability,
    /// Whether a replica may take over that does not have the change.
    pub(crate) lost_at_fail_over: bool,
}

impl Promise {
    /// Whether it survives all of it.
    pub(crate) fn is_whole(self) -> bool {
        self.durability == Durability::Always && !self.lost_at_fail_over
    }

    /// The same as a sentence for the operator.
    pub(crate) fn words(self) -> String {
        let words = self.durability.words();
        match self.lost_at_fail_over {
            false => words.to_owned(),
            true => format!(
                "{words}; the newest changes may be lost when a replica takes over (REDIS_WAIT_REPLICAS is 0); set it to 1"
            ),
        }
    }
}

/// What a server says.
pub(super) struct Answers {
    info: HashMap<String, String>,
    fsync: Option<String>,
}

impl Answers {
    /// Asks a server.
    pub(super) async fn of(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        let info: Option<String> = allowed(redis::cmd("INFO").query_async(connection).await)?;
        let mut config = redis::cmd("CONFIG");
        config.arg("GET").arg("appendfsync");
        let fsync: Option<HashMap<String, String>> = allowed(config.query_async(connection).await)?;
        Ok(Self {
            info: info.as_deref().map(fields).unwrap_or_default(),
            fsync: fsync.and_then(|mut settings| settings.remove("appendfsync")),
        })
    }

    /// Whether it says that it is a replica.
    pub(super) fn is_replica(&self) -> bool {
        self.get("role") == Some("slave")
    }

    /// Whether it says that it is reading its data yet.
    pub(super) fn is_loading(&self) -> bool {
        self.get("loading") == Some("1")
    }

    /// Judges it. `in_cluster` is what the URL says.
    pub(super) fn judge(&self, in_cluster: bool) -> Result<Facts, Refusal> {
        match (self.get("redis_mode"), in_cluster) {
            (Some("cluster"), false) => return Err(Refusal::Cluster),
            (Some("standalone"), true) => return Err(Refusal::NoCluster),
            _ => {}
        }
        let version = self.version();
        let is_old = |number: &str| {
            let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < OLDEST
        };
        // Valkey gives here the version of Redis that it is compatible with.
        if let (Some(version), true) = (&version, self.get("redis_version").is_some_and(is_old)) {
            return Err(Refusal::TooOld(version.clone()));
        }
        let memory_limit = self.get("maxmemory").and_then(|bytes| bytes.parse().ok());
        let memory_limit = memory_limit.filter(|bytes| *bytes > 0);
        match self.get("maxmemory_policy") {
            Some(policy) if memory_limit.is_some() && policy != "noeviction" => {
                return Err(Refusal::Evicts(policy.to_owned()));
            }
            _ => {}
        }
        Ok(Facts {
            version,
            run_id: self.get("run_id").map(str::to_owned),
            durability: self.durability(),
            memory_limit,
        })
    }

    fn version(&self) -> Option<String> {
        let valkey = self.get("valkey_version").map(|version| format!("Valkey {version}"));
        valkey.or_else(|| self.get("redis_version").map(|version| format!("Redis {version}")))
    }

    fn durability(&self) -> Durability {
        match (self.get("aof_enabled"), self.fsync.as_deref()) {
            (Some("0"), _) => Durability::InMemory,
            (Some(_), Some("always")) => Durability::Always,
            (Some(_), Some("everysec")) => Durability::EverySecond,
            (Some(_), Some("no")) => Durability::WhenConvenient,
            _ => Durability::Unknown,
        }
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.info.get(field).map(String::as_str)
    }
}

/// `None` for what the server lets us not ask; a failed connection stays an error.
fn allowed<T>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_io_error() || error.is_unrecoverable_error() => Err(error),
        Err(_) => Ok(None),
    }
}

fn fields(info: &str) -> HashMap<String, String> {
    let fields = info.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(info: &str, fsync: Option<&str>) -> Answers {
        Answers {
            info: fields(&info.replace(' ', "\r\n")),
            fsync: fsync.map(str::to_owned),
        }
    }

    #[test]
    fn what_must_not_be_used_is_refused() {
        let judge = |info: &str, in_cluster| answers(info, None).judge(in_cluster).err();
        assert_eq!(
            judge("redis_version:6.0.16", false),
            Some(Refusal::TooOld("Redis 6.0.16".into()))
        );
        assert_eq!(judge("redis_version:6.2.0", false), None);
        assert_eq!(judge("redis_version:10.0.0", false), None);
        let evicting = "redis_version:7.0.15 maxmemory:1000 maxmemory_policy:allkeys-lru";
        assert_eq!(judge(evicting, false), Some(Refusal::Evicts("allkeys-lru".into())));
        assert_eq!(
            judge("maxmemory:0 maxmemory_policy:allkeys-lru", false),
            None,
            "no limit"
        );
        assert_eq!(judge("maxmemory:1000 maxmemory_policy:noeviction", false), None);
        assert_eq!(judge("redis_mode:cluster", false), Some(Refusal::Cluster));
        assert_eq!(judge("redis_mode:standalone", true), Some(Refusal::NoCluster));
        assert_eq!(judge("", true), None, "nothing is known, so nothing is refused");
    }

    #[test]
    fn the_name_of_the_server_is_its_own() {
        let facts = answers("redis_version:7.2.4 valkey_version:8.1.0 server_name:valkey", None);
        assert_eq!(facts.judge(false).unwrap().version.as_deref(), Some("Valkey 8.1.0"));
    }

    #[test]
    fn durability_is_what_the_append_only_file_gives() {
        for (info, fsync, durability) in [
            ("aof_enabled:1", Some("always"), Durability::Always),
            ("aof_enabled:1", Some("everysec"), Durability::EverySecond),
            ("aof_enabled:1", Some("no"), Durability::WhenConvenient),
            ("aof_enabled:0", Some("always"), Durability::InMemory),
            ("aof_enabled:0", None, Durability::InMemory),
            ("aof_enabled:1", None, Durability::Unknown),
            ("", None, Durability::Unknown),
        ] {
            assert_eq!(
                answers(info, fsync).judge(false).unwrap().durability,
                durability,
                "{info} {fsync:?}"
            );
        }
        let weakest = [Durability::Always, Durability::EverySecond, Durability::Unknown];
        assert_eq!(weakest.into_iter().max(), Some(Durability::EverySecond));
    }
}
