//! The main job rehearsed from end to end: an initial cycle, cycles after random changes, a cycle with nothing to do,
//! a full restart with nothing to do, and the comparison.

use std::{path::PathBuf, time::Duration};

use tokio::time::Instant;

use crate::{
    client::Client,
    directory::{Directory, names},
    endpoint::TenantUrl,
    error::{Error, Failure},
    job::{CycleReport, Job, ProgressFn},
    knobs::Knobs,
    report::Report,
    sign_in::SignIn,
    state::SavedState,
    verify::{Before, VerifyOptions, verify},
};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What is to be rehearsed, and against what.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The SCIM base URL, as an administrator would type it into Entra.
    pub base_url: String,
    /// How the job signs in.
    pub sign_in: SignIn,
    /// Users of a new directory.
    pub users: usize,
    /// Groups of a new directory.
    pub groups: usize,
    /// The domain of a new directory.
    pub domain: String,
    /// Where all chance comes from.
    pub seed: u64,
    /// Rounds of random changes, each followed by a cycle.
    pub cycles: u64,
    /// How the job speaks.
    pub knobs: Knobs,
    /// The comparison at the end.
    pub verify: VerifyOptions,
    /// For how long a cycle is repeated until nothing is in the escrow; zero means never.
    pub retry_for: Duration,
    /// The file that holds directory and job between runs.
    pub state: Option<PathBuf>,
}

impl Rehearsal {
    /// A small rehearsal: 50 users, 8 groups and two rounds of changes.
    pub fn new(base_url: impl Into<String>, sign_in: impl Into<SignIn>) -> Self {
        Self {
            base_url: base_url.into(),
            sign_in: sign_in.into(),
            users: 50,
            groups: 8,
            domain: names::DOMAIN.to_owned(),
            seed: 1,
            cycles: 2,
            knobs: Knobs::default(),
            verify: VerifyOptions::default(),
            retry_for: Duration::ZERO,
            state: None,
        }
    }

    /// The directory that a rehearsal without a state file begins with.
    pub(crate) fn new_directory(&self) -> Directory {
        Directory::generate_in(&self.domain, self.seed, self.users, self.groups)
    }

    /// A client for the endpoint of this rehearsal.
    pub fn client(&self) -> Result<Client, Error> {
        Client::signing_in(
            TenantUrl::parse(&self.base_url)?,
            self.sign_in.clone(),
            self.knobs.clone(),
        )
    }
}

/// Rehearses, and reports also what went wrong for single objects; an error means that it could not go on at all.
pub async fn sync(rehearsal: &Rehearsal, progress: Option<ProgressFn>) -> Result<Report, Error> {
    let started = Instant::now();
    let client = rehearsal.client()?;
    let saved = match &rehearsal.state {
        Some(path) => SavedState::load(path).await?,
        None => None,
    };
    let is_new = saved.is_none();
    let new = || SavedState::new(rehearsal.new_directory());
    let (mut directory, mut job) = saved.unwrap_or_else(new).resume(client);
    let options = VerifyOptions {
        before: Before::read(job.client(), &directory, &rehearsal.verify).await?,
        ..rehearsal.verify.clone()
    };
    directory.avoid(options.before.names());
    if let Some(progress) = &progress {
        job.on_progress(progress.clone());
    }
    let mut run = Run {
        rehearsal,
        directory,
        job,
        cycles: Vec::new(),
    };

    run.cycle(if is_new {
        "initial".to_owned()
    } else {
        "resumed".to_owned()
    })
    .await?;
    for round in 1..=rehearsal.cycles {
        run.directory.advance();
        run.cycle(format!("changes {round}")).await?;
    }
    let identical_writes = run.cycle("identical".to_owned()).await?;
    run.job.restart();
    let restart_writes = run.cycle("full restart".to_owned()).await?;
    let cycling = started.elapsed();

    let Run {
        directory, job, cycles, ..
    } = run;
    let verification = verify(&job, &directory, &options, progress.as_ref()).await?;
    Ok(Report {
        cycles,
        requests: job.client().counts(),
        identical_writes,
        restart_writes,
        verification,
        escrow: job.escrow().cloned().collect(),
        cycling,
    })
}

/// A rehearsal under way.
struct Run<'a> {
    rehearsal: &'a Rehearsal,
    directory: Directory,
    job: Job,
    cycles: Vec<CycleReport>,
}

impl Run<'_> {
    /// Runs one cycle, and repeats it while objects fail and there is time; returns its writes.
    async fn cycle(&mut self, label: String) -> Result<u64, Error> {
        let started = Instant::now();
        let mut report = CycleReport::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let has_time = started.elapsed() < self.rehearsal.retry_for;
            match self.job.cycle(&self.directory).await {
                Ok(pass) => {
                    add(&mut report, pass);
                    if report.escrow.is_empty() || !has_time {
                        break;
                    }
                }
                Err(Error::ConnectionTest(failure)) if has_time && is_passing(&failure) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        report.label = label;
        report.duration = started.elapsed();
        let writes = report.writes;
        self.cycles.push(report);
        if let Some(path) = &self.rehearsal.state {
            SavedState::of(&self.directory, &self.job).save(path).await?;
        }
        Ok(writes)
    }
}

/// Whether an endpoint that fails so may be well again in a while.
fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Unavailable { .. } | Failure::Timeout | Failure::Connection(_)
    )
}

/// Adds a further pass to a cycle's report; the escrow is the later one.
fn add(report: &mut CycleReport, pass: CycleReport) {
    for (action, count) in pass.users {
        *report.users.entry(action).or_default() += count;
    }
    for (action, count) in pass.groups {
        *report.groups.entry(action).or_default() += count;
    }
    report.managers += pass.managers;
    report.members_added += pass.members_added;
    report.members_removed += pass.members_removed;
    report.requests += pass.requests;
    report.writes += pass.writes;
    report.escrow = pass.escrow;
}
