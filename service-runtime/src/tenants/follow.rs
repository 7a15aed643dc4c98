//! Keeping up with the file of tenants: on `SIGHUP`, and when it or a file that it names holds something else. What is read is
//! put in force as a whole or not at all: a faulty file changes nothing, and says why in log, readiness and metrics.
//!
//! A file that is being written may be read half, and half a file may look like a whole one with fewer tenants. So a change
//! counts once it was seen twice, one look apart; a file that is written beside and renamed over the old one is never half.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::watched::{self, Digest};
use super::{Live, TenantsArgs, TenantsFile};
use crate::{Chain, Dependency, Hangups};

/// After how long a file that was not taken is tried again although it is the same: what kept it may have been something else.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// Why a file was not put in force.
pub type Refused = Box<dyn StdError + Send + Sync>;

/// Makes what the service needs of a file, and checks all of it, given what is in force so far.
type Make<T> = Box<dyn Fn(TenantsFile, Option<Arc<T>>) -> BoxFuture<'static, Result<T, Refused>> + Send + Sync>;

/// Follows a file of tenants.
pub struct Follower<T> {
    args: TenantsArgs,
    path: PathBuf,
    service: &'static str,
    make: Make<T>,
    live: watch::Sender<Arc<T>>,
    hangups: Hangups,
    metrics: Metrics,
    /// What was last tried, in force or not.
    tried: Seen,
}

/// What the file held, and the files that it names.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    file: Digest,
    named: BTreeMap<PathBuf, Digest>,
}

impl Seen {
    /// What the same files hold now.
    fn now(&self, path: &std::path::Path) -> Self {
        Self {
            file: watched::digest(path),
            named: self
                .named
                .keys()
                .map(|path| (path.clone(), watched::digest(path)))
                .collect(),
        }
    }
}

impl<T: Send + Sync + 'static> Follower<T> {
    /// Reads the file for the first time; a file that cannot be used is an error. `make` gets each state of the file, and what
    /// is in force; what it gives is put in force. Nothing may be done in it that an error after it would have to undo.
    pub async fn open<F>(args: &TenantsArgs, service: &'static str, make: F) -> Result<Self, Refused>
    where
        F: Fn(TenantsFile, Option<Arc<T>>) -> BoxFuture<'static, Result<T, Refused>> + Send + Sync + 'static,
    {
        let path = args.file().map(PathBuf::from).unwrap_or_default();
        let hangups = Hangups::new()?;
        let mut tried = Seen {
            file: watched::digest(&path),
            named: BTreeMap::new(),
        };
        let file = TenantsFile::read(&path)?;
        let (count, named) = (file.tenants().count(), file.watched.clone());
        let value = make(file, None).await?;
        tried.named = named.files();
        let metrics = Metrics::new(service);
        metrics.served(count);
        Ok(Self {
            args: args.clone(),
            path,
            service,
            make: Box::new(make),
            live: watch::Sender::new(Arc::new(value)),
            hangups,
            metrics,
            tried,
        })
    }

    /// What is in force.
    pub fn live(&self) -> Live<T> {
        Live::of(self.live.subscribe())
    }

    /// Follows the file until told to stop, and tells readiness how it is.
    pub async fn run(mut self, state: Dependency, stop: CancellationToken) {
        state.ready();
        let mut trouble: Option<Trouble> = None;
        let mut changes = Changes::default();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.hangups.next() => true,
                () = pause(self.args.tenants_poll) => false,
            };
            let (tried, path) = (self.tried.clone(), self.path.clone());
            let looking = tokio::task::spawn_blocking(move || tried.now(&path));
            let Ok(seen) = looking.await else { continue };
            let overdue = trouble
                .as_ref()
                .is_some_and(|trouble| trouble.since.elapsed() >= TRY_AGAIN);
            let moved = changes.settled(&self.tried, &seen);
            if !asked && !overdue && !moved {
                continue;
            }
            match self.load(seen).await {
                Ok(count) => {
                    trouble = None;
                    state.ready();
                    self.metrics.served(count);
                    tracing::info!(
                        service = self.service,
                        tenants = count,
                        "the file of tenants is in force"
                    );
                }
                Err(error) => {
                    let words = Chain(&*error).to_string();
                    state.degraded(format!("what is in force is older than the file: {words}"));
                    // Said once, and again to whoever asks.
                    if asked || trouble.as_ref().is_none_or(|trouble| trouble.words != words) {
                        self.metrics.refused();
                        tracing::error!(service = self.service, "the file of tenants changes nothing: {words}");
                    }
                    let since = Instant::now();
                    trouble = Some(Trouble { words, since });
                }
            }
        }
    }

    /// Puts the file in force, whatever `seen` says of it; gives how many tenants it has.
    async fn load(&mut self, seen: Seen) -> Result<usize, Refused> {
        // Before it is read: what changes from here on is seen as a change.
        self.tried.file = seen.file;
        let file = TenantsFile::read(&self.path);
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                self.tried.named.clear();
                return Err(error.into());
            }
        };
        let (count, named) = (file.tenants().count(), file.watched.clone());
        let in_force = self.live.borrow().clone();
        let made = (self.make)(file, Some(in_force)).await;
        self.tried.named = named.files();
        self.live.send_replace(Arc::new(made?));
        Ok(count)
    }
}

impl<T> std::fmt::Debug for Follower<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Tells a change that has come to its end from one that is being made.
#[derive(Default)]
struct Changes {
    candidate: Option<Seen>,
}

impl Changes {
    /// Whether what is seen now differs from what was tried, and was seen in the same way the last time.
    fn settled(&mut self, tried: &Seen, now: &Seen) -> bool {
        if now == tried {
            self.candidate = None;
            return false;
        }
        let settled = self.candidate.as_ref() == Some(now);
        self.candidate = (!settled).then(|| now.clone());
        settled
    }
}

/// A file that was not taken.
struct Trouble {
    words: String,
    since: Instant,
}

async fn pause(poll: Duration) {
    if poll.is_zero() {
        std::future::pending::<()>().await;
    } else {
        tokio::time::sleep(poll).await;
    }
}

struct Metrics {
    service: KeyValue,
    readings: Counter<u64>,
    faulty: Gauge<u64>,
    served: Gauge<u64>,
}

impl Metrics {
    fn new(service: &'static str) -> Self {
        let meter = crate::meter("service-runtime");
        Self {
            service: KeyValue::new("service", service),
            readings: meter
                .u64_counter("tenants.file.readings")
                .with_description("Times that the file of tenants was read, by outcome: applied, refused")
                .build(),
            faulty: meter
                .u64_gauge("tenants.file.faulty")
                .with_description(
                    "1 while the file of tenants cannot be used and an older state of it is in force, 0 otherwise",
                )
                .build(),
            served: meter
                .u64_gauge("tenants.served")
                .with_description("How many tenants of the file are served")
                .build(),
        }
    }

    fn served(&self, count: usize) {
        let outcome = KeyValue::new("outcome", "applied");
        self.readings.add(1, &[self.service.clone(), outcome]);
        self.faulty.record(0, std::slice::from_ref(&self.service));
        self.served.record(count as u64, std::slice::from_ref(&self.service));
    }

    fn refused(&self) {
        let outcome = KeyValue::new("outcome", "refused");
        self.readings.add(1, &[self.service.clone(), outcome]);
        self.faulty.record(1, std::slice::from_ref(&self.service));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::Args;
    use futures_util::FutureExt;

    use super::*;
    use crate::health::State;
    use crate::{Error, Readiness};

    #[derive(Args, Clone, Debug)]
    struct Settings {
        #[arg(long, hide_env_values = true)]
        word: Option<String>,
    }

    /// The words of a file's tenants; the word `bad` is refused.
    fn words(file: &TenantsFile) -> Result<Vec<String>, Refused> {
        let words = file.tenants().map(|tenant| {
            let said = tenant
                .over("platform", &Settings { word: None }, |_| true)?
                .settings
                .word;
            let said = said.unwrap_or_default();
            match said.as_str() {
                "bad" => Err(Error::tenant(tenant.name(), Error::setting("WORD", "is bad"))),
                _ => Ok(format!("{}={said}", tenant.name())),
            }
        });
        Ok(words.collect::<Result<_, _>>()?)
    }

    struct World {
        folder: tempfile::TempDir,
        live: Live<Vec<String>>,
        readiness: Readiness,
        stop: CancellationToken,
    }

    impl World {
        async fn start(poll: Duration) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let world = |folder: &Path| folder.join("tenants.toml");
            fs::write(folder.path().join("word"), "one").unwrap();
            fs::write(world(folder.path()), Self::text(folder.path(), &["a"])).unwrap();
            let args = TenantsArgs {
                tenants_file: Some(world(folder.path())),
                tenants_poll: poll,
            };
            let make = |file: TenantsFile, _| async move { words(&file) }.boxed();
            let follower = Follower::open(&args, "test", make).await.unwrap();
            let (readiness, stop) = (Readiness::new(), CancellationToken::new());
            let live = follower.live();
            tokio::spawn(follower.run(readiness.dependency("tenants file"), stop.clone()));
            Self {
                folder,
                live,
                readiness,
                stop,
            }
        }

        fn text(folder: &Path, tenants: &[&str]) -> String {
            let word = folder.join("word");
            let section =
                |name: &&str| format!("[tenants.{name}.platform]\nword = {{ file = '{}' }}\n", word.display());
            tenants.iter().map(section).collect()
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Puts a file in another's place in one step.
        fn swap(&self, text: &str) {
            fs::write(self.path("beside"), text).unwrap();
            fs::rename(self.path("beside"), self.path("tenants.toml")).unwrap();
        }

        async fn come_to(&mut self, expected: &[&str]) {
            let come = async {
                while *self.live.take() != expected {
                    self.live.changed().await;
                }
            };
            let came = tokio::time::timeout(Duration::from_secs(20), come).await;
            assert!(came.is_ok(), "{:?} is not {expected:?}", self.live.get());
        }

        async fn says(&self, expected: impl Fn(&State) -> bool) -> String {
            let mut reports = self.readiness.subscribe();
            let told = reports.wait_for(|report| report.dependencies.values().any(&expected));
            let told = tokio::time::timeout(Duration::from_secs(20), told)
                .await
                .unwrap()
                .unwrap();
            format!("{:?}", told.dependencies)
        }

        async fn is_degraded(&self) -> String {
            self.says(|state| matches!(state, State::Degraded(_))).await
        }

        async fn is_ready(&self) {
            self.says(|state| *state == State::Ready).await;
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            self.stop.cancel();
        }
    }

    const OFTEN: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_changed_file_and_a_changed_secret_come_into_force() {
        let mut world = World::start(OFTEN).await;
        world.come_to(&["a=one"]).await;
        world.swap(&World::text(world.folder.path(), &["a", "b"]));
        world.come_to(&["a=one", "b=one"]).await;
        fs::write(world.path("word"), "two").unwrap();
        world.come_to(&["a=two", "b=two"]).await;
        // A link that is moved on, as orchestrators do with what they mount.
        fs::write(world.path("v2"), World::text(world.folder.path(), &["c"])).unwrap();
        std::os::unix::fs::symlink(world.path("v2"), world.path("link")).unwrap();
        fs::rename(world.path("link"), world.path("tenants.toml")).unwrap();
        world.come_to(&["c=two"]).await;
    }

    #[tokio::test]
    async fn a_faulty_file_changes_nothing_says_why_and_is_mended() {
        let mut world = World::start(OFTEN).await;
        for (text, told) in [
            ("[tenants.a.plat".to_owned(), "line 1"),
            ("[tenants.A.platform]".to_owned(), "tenants.A: is no name"),
            (
                "[tenants.a.platform]\nword = 's3cret'".to_owned(),
                "tenants.a.platform.word: is a secret",
            ),
            (String::new(), "at least one"),
        ] {
            world.swap(&text);
            let said = world
                .says(|state| matches!(state, State::Degraded(said) if said.contains(told)))
                .await;
            assert!(!said.contains("s3cret"), "{said}");
            assert_eq!(*world.live.get(), ["a=one"]);
        }
        fs::remove_file(world.path("tenants.toml")).unwrap();
        world
            .says(|state| matches!(state, State::Degraded(said) if said.contains("cannot read")))
            .await;
        world.swap(&World::text(world.folder.path(), &["a"]));
        world.is_ready().await;
        // A secret that is refused, in a file that the file names; and mended there.
        fs::write(world.path("word"), "bad").unwrap();
        let said = world.is_degraded().await;
        assert!(said.contains("tenants.a: WORD: is bad"), "{said}");
        assert_eq!(*world.live.get(), ["a=one"]);
        fs::write(world.path("word"), "good").unwrap();
        world.come_to(&["a=good"]).await;
        world.is_ready().await;
    }

    #[test]
    fn half_a_file_that_is_being_written_is_not_taken() {
        let seen = |text: &str| Seen {
            file: [u8::try_from(text.len()).unwrap(); 32],
            named: BTreeMap::new(),
        };
        let (old, half, whole) = (seen("old"), seen("whole, ha"), seen("whole, half"));
        let mut changes = Changes::default();
        for (now, settled) in [
            (&old, false),
            (&half, false),
            // Written back before it was seen twice.
            (&old, false),
            (&half, false),
            (&whole, false),
            (&whole, true),
        ] {
            assert_eq!(changes.settled(&old, now), settled, "{now:?}");
        }
        assert!(!changes.settled(&whole, &whole));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_is_no_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let args = TenantsArgs {
            tenants_file: Some(folder.path().join("nothing")),
            ..TenantsArgs::default()
        };
        let make = |file: TenantsFile, _: Option<Arc<Vec<String>>>| async move { words(&file) }.boxed();
        assert!(Follower::open(&args, "test", make).await.is_err());
    }
}
