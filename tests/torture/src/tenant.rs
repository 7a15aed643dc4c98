//! An Entra tenant: its directory, the job that provisions it, and what it was promised. Whatever dies, the job may hear that
//! somebody is away; it may never hear that it did something wrong (P10), and an answer of success is a promise (P1).

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use entra_simulator::{Acknowledged, Client, Dialect, Directory, Error, Escrowed, Failure, Job, SavedState};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{neighbours::Neighbours, services::Services, story::Story};

/// Users and groups of a tenant that is alone, and of one among several: together they have more.
const ALONE: (usize, usize) = (300, 40);
const ONE_OF_SEVERAL: (usize, usize) = (200, 25);
/// How many members a group begins with at most: each is a request, and a campaign has little time.
pub(crate) const MEMBERS: usize = 20;
/// The pause between two passes of a cycle.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a cycle may be repeated until nothing is left to be tried again.
const RETRY_FOR: Duration = Duration::from_secs(120);

/// The tenant.
pub(crate) struct Tenant {
    /// Its place among the deployment's, and its name there.
    pub(crate) nth: usize,
    pub(crate) name: &'static str,
    /// What it has in common with the deployment's other tenants, if there are any.
    pub(crate) neighbours: Option<Neighbours>,
    pub(crate) directory: Directory,
    pub(crate) job: Job,
    clients: [Client; 2],
    /// Objects by each name that they ever had, in lower case: no name is given twice.
    pub(crate) names: Names,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    /// Objects of which a request got no verdict. The last of a killed gateway's creates may come after the look-up by which
    /// Entra begins the next pass; then 409 is the truth, and the pass after that finds what it made.
    in_doubt: HashSet<String>,
}

/// Directory ids by name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) users: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, String>,
}

/// What a cycle came to, with all its passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    /// How often it was begun.
    passes: u32,
    /// Requests that change something.
    pub(crate) writes: u64,
    /// Objects that are still to be tried again.
    left: usize,
}

impl Tenant {
    pub(crate) fn new(seed: u64, nth: usize, services: &Services) -> Result<Self> {
        let acknowledged: Arc<Mutex<Vec<Acknowledged>>> = Arc::default();
        let mut clients = [
            services.entra(nth, Dialect::Default)?,
            services.entra(nth, Dialect::Flagged)?,
        ];
        for client in &mut clients {
            let heard = acknowledged.clone();
            client.on_acknowledged(Arc::new(move |promise| {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(promise);
            }));
        }
        let (name, is_alone) = (services.names[nth], services.names.len() == 1);
        let (users, groups) = if is_alone { ALONE } else { ONE_OF_SEVERAL };
        let mut directory = Directory::generate(seed, users, groups);
        for group in directory.groups.values_mut() {
            group.members = std::mem::take(&mut group.members).into_iter().take(MEMBERS).collect();
        }
        let neighbours = (!is_alone).then(|| Neighbours::of(seed, nth, name));
        if let Some(neighbours) = &neighbours {
            neighbours.mark(&mut directory);
        }
        let mut tenant = Self {
            nth,
            name,
            neighbours,
            directory,
            job: Job::new(clients[0].clone()),
            clients,
            names: Names::default(),
            acknowledged,
            in_doubt: HashSet::new(),
        };
        tenant.names.learn(&tenant.directory);
        Ok(tenant)
    }

    /// One round of changes.
    pub(crate) fn change(&mut self) -> Vec<String> {
        let changes = match &mut self.neighbours {
            None => self.directory.advance(),
            Some(neighbours) => neighbours.advance(&mut self.directory),
        };
        self.names.learn(&self.directory);
        changes
    }

    /// Adds a line to the story, which says whose it is if there are several.
    pub(crate) fn tell(&self, story: &Story, what: impl std::fmt::Display) {
        match &self.neighbours {
            None => story.tell(what),
            Some(_) => story.tell(format_args!("{}: {what}", self.name)),
        }
    }

    /// Goes on in this dialect, as after an administrator has changed the tenant URL.
    pub(crate) fn speak(&mut self, dialect: Dialect) {
        let client = self.clients[usize::from(dialect == Dialect::Flagged)].clone();
        let saved = SavedState::of(&self.directory, &self.job);
        (self.directory, self.job) = saved.resume(client);
    }

    /// All that was answered with success so far.
    pub(crate) fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One cycle, repeated until nothing is left to be tried again; or, if it is not to be, until `over`.
    pub(crate) async fn cycle(&mut self, until_clean: bool, over: &CancellationToken, story: &Story) -> Result<Passed> {
        let began = Instant::now();
        let mut passed = Passed {
            passes: 0,
            writes: 0,
            left: 0,
        };
        loop {
            passed.passes += 1;
            let failures = match self.job.cycle(&self.directory).await {
                Ok(report) => {
                    passed.writes += report.writes;
                    Some(report.escrow)
                }
                Err(Error::ConnectionTest(failure)) if is_passing(&failure) => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(failures) = &failures {
                self.judge(failures, story)?;
                passed.left = failures.len();
                if failures.is_empty() || (!until_clean && over.is_cancelled()) {
                    return Ok(passed);
                }
            }
            if began.elapsed() > RETRY_FOR {
                bail!(
                    "the cycle of {} is not clean after {RETRY_FOR:?}: {failures:#?}",
                    self.name
                );
            }
            sleep(PAUSE).await;
        }
    }

    /// Nothing may be left but for somebody's absence.
    fn judge(&mut self, failures: &[Escrowed], story: &Story) -> Result<()> {
        for escrowed in failures {
            let was_in_doubt = self.in_doubt.contains(&escrowed.object_id);
            let is_truth = matches!(escrowed.reason, Failure::Conflict(_)) && was_in_doubt;
            ensure!(
                is_passing(&escrowed.reason) || is_truth,
                "Entra was told that it did something wrong, in {}: {escrowed}",
                self.name
            );
            if is_truth {
                self.tell(story, format_args!("made after the next look-up: {escrowed}"));
            }
        }
        self.in_doubt
            .extend(failures.iter().map(|escrowed| escrowed.object_id.clone()));
        Ok(())
    }
}

impl Names {
    /// How many users and groups there ever were.
    pub(crate) fn objects(&self) -> usize {
        let ids = self.users.values().chain(self.groups.values());
        ids.collect::<HashSet<_>>().len()
    }

    fn learn(&mut self, directory: &Directory) {
        for (id, user) in &directory.users {
            self.users.insert(user.user_principal_name.to_lowercase(), id.clone());
        }
        for (id, group) in &directory.groups {
            self.groups.insert(group.display_name.to_lowercase(), id.clone());
        }
    }
}

impl std::fmt::Display for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passes, writes, left } = self;
        write!(f, "{passes} passes, {writes} writes, {left} objects left")
    }
}

/// Whether a failure says that somebody was away.
fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unavailable { .. } | Failure::Timeout | Failure::Connection(_)
    )
}
