//! Making one object match: what is asked, what comes of it, and what users and groups do alike. Each rule is written so
//! that the same request may come again: it looks first, writes the difference, and reads back what is in doubt.

mod account_rules;
mod creation;
mod group;
mod members;
mod plan;
mod removal;
mod user;

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use proto::adapter::v1::{Adoption, Found, RefusedMember};

pub(crate) use self::{
    members::Batch,
    plan::{Plan, Steps},
};
use tokio::time::{Instant, sleep};

use crate::{
    Error,
    config::PlatformConfig,
    error::{ApplyError, Kind},
    mapping::{self, Mapping},
    platform::{Connection, failure::Failure, rpc, same_id, same_name},
    record::Recorder,
};

/// One Platform tenant, and the rules for it.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) platform: Arc<Connection>,
    pub(crate) config: Arc<PlatformConfig>,
    pub(crate) mapping: Arc<Mapping>,
    suffixes_in_use: Arc<Mutex<BTreeSet<String>>>,
}

/// So many login suffixes are remembered.
const MOST_SUFFIXES: usize = 100;

/// What is known of the object before it is applied.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    /// The Platform object that is linked.
    pub(crate) link: Option<&'a str>,
    /// The names under which a create may have been sent.
    pub(crate) intents: &'a [String],
    /// The one of them that was found free a moment ago.
    pub(crate) fresh: Option<&'a str>,
    /// The objects found under an intent that are nobody else's.
    pub(crate) confirmed: &'a [String],
    /// Whether a strange object may be taken over.
    pub(crate) adoption: Adoption,
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The Platform matches.
    Applied(Applied),
    /// The object must be created under this name, and the intent be recorded first.
    IntentRequired(String),
    /// An object stands under an intent, and whose it is must be asked first.
    Found(Found),
}

/// How the Platform matches.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Applied {
    /// The object; `None` when it is gone, as was asked.
    pub(crate) id: Option<String>,
    /// Whether it was taken over.
    pub(crate) adopted: bool,
    /// Members that were refused.
    pub(crate) refused: Vec<RefusedMember>,
}

impl Standing<'_> {
    /// The intents that have to be looked up: a call may have succeeded under any of them.
    fn doubtful(&self) -> impl Iterator<Item = &str> {
        let all = self.intents.iter().map(String::as_str);
        all.filter(|name| !name.trim().is_empty() && !self.is_fresh(name))
    }

    fn is_fresh(&self, name: &str) -> bool {
        self.fresh.is_some_and(|fresh| same_name(fresh, name))
    }

    fn is_confirmed(&self, id: &str) -> bool {
        self.confirmed.iter().any(|confirmed| same_id(confirmed, id))
    }

    fn is_intended(&self, name: &str) -> bool {
        self.intents.iter().any(|intent| same_name(intent, name))
    }
}

impl Tenant {
    /// A tenant by these settings; nothing is called yet.
    pub(crate) fn new(config: Arc<PlatformConfig>) -> Result<Self, Error> {
        Self::with(config, None)
    }

    /// The same, whose exchanges with the Platform are recorded.
    pub(crate) fn recorded(config: Arc<PlatformConfig>, recorder: &Recorder) -> Result<Self, Error> {
        Self::with(config, Some(recorder))
    }

    fn with(config: Arc<PlatformConfig>, recorder: Option<&Recorder>) -> Result<Self, Error> {
        Ok(Self {
            mapping: Arc::new(Mapping::read(&config)?),
            platform: Arc::new(Connection::new(&config, recorder)?),
            config,
            suffixes_in_use: Arc::default(),
        })
    }

    /// Remembers that a login name has a suffix, so that a check can say whether the Platform knows it.
    pub(crate) fn note_suffix(&self, name: &str) {
        let suffix = mapping::suffix(name).to_lowercase();
        let mut known = self.suffixes_in_use.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_SUFFIXES {
            known.insert(suffix);
        }
    }

    /// The login suffixes of the users that were delivered.
    pub(crate) fn suffixes_in_use(&self) -> Vec<String> {
        let known = self.suffixes_in_use.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().cloned().collect()
    }

    /// Looks for what a write may have left, until it is found or the time is over. Failures of the look itself leave
    /// the outcome in doubt; they do not end it.
    async fn read_back<T, F>(&self, method: &'static str, mut look: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<Option<T>, Failure>> + Send,
    {
        let deadline = Instant::now() + self.config.read_back_timeout;
        let mut found = None;
        loop {
            match look().await {
                Ok(Some(object)) => found = Some(object),
                Ok(None) => {}
                Err(failure) => tracing::debug!(%failure, method, "a read-back failed"),
            }
            if found.is_some() || Instant::now() + self.config.read_back_interval > deadline {
                break;
            }
            sleep(self.config.read_back_interval).await;
        }
        self.platform.metrics.read_back(method, found.is_some());
        found
    }

    /// Whether a name may be that of an account or a group of ours at all. It is asked before anything is called: what the name
    /// collides with must not even be looked at. A person who listed the very name decided otherwise, but for the caller and
    /// the built-ins.
    fn may_have_name(&self, kind: Kind, name: &str, adoption: Adoption) -> Result<(), ApplyError> {
        let why = match kind {
            Kind::Account if self.is_caller("", name) => "it is the service user that this gateway calls with",
            Kind::Group if rpc::roles::is_built_in(name, "") => "every tenant has a built-in group of this name",
            _ if self.config.is_protected(name) && adoption != Adoption::Listed => {
                "it is protected (PROTECTED_NAMES); only its name on the list of adopted names takes it"
            }
            _ => return Ok(()),
        };
        Err(ApplyError::Reserved {
            kind,
            name: name.to_owned(),
            why,
        })
    }

    /// Whether an account is the service user that we are, by its name or its id.
    pub(crate) fn is_caller(&self, id: &str, name: &str) -> bool {
        let caller = self.config.platform_client_id.as_deref();
        caller.is_some_and(|caller| same_name(caller, name)) || self.platform.is_caller(id)
    }
}

/// Why something is not adopted, in words for the person who set the policy.
fn not_adopted(kind: Kind, id: &str, name: &str, why: &'static str) -> ApplyError {
    ApplyError::Exists {
        kind,
        id: id.to_owned(),
        name: name.to_owned(),
        why,
        said: None,
    }
}

/// The same where the Platform says that the name is taken.
fn refused_as_taken(
    kind: Kind,
    holder: Option<(String, String)>,
    name: &str,
    why: &'static str,
    refusal: &Failure,
) -> ApplyError {
    let (id, name) = holder.unwrap_or_else(|| (String::new(), name.to_owned()));
    ApplyError::Exists {
        kind,
        id,
        name,
        why,
        said: refusal.said().cloned(),
    }
}

/// What stands under an intent.
fn found(id: &str, name: &str, intent: &str) -> Found {
    Found {
        platform_id: id.to_owned(),
        platform_name: name.to_owned(),
        intent: intent.to_owned(),
    }
}

const RENAME_NEVER_ADOPTS: &str = "a rename never adopts";
const TAKEN_MEANWHILE: &str =
    "somebody made it after the name was found free, or it is not visible to the service user";

const NEVER_ADOPTED: &str =
    "it was there before and adopting is off; remove or rename it, or allow its adoption (ADOPT)";

fn applied(id: &str) -> Outcome {
    Outcome::Applied(Applied {
        id: Some(id.to_owned()),
        ..Applied::default()
    })
}
