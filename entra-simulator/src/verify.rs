//! Compares the directory with what SCIM shows and with what the simulated Platform holds.
//!
//! Both are read from outside, as anybody could: SCIM by listing, the Platform by its state page. The comparison is
//! repeated until all agree or the time to settle is over, because delivery to the Platform takes its time.

mod before;
mod checked;
mod compare;
mod expect;
mod held;

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{
    directory::Directory,
    error::Error,
    job::{Job, OnDemandReport, Progress, ProgressFn},
};
pub use before::Before;
use held::{PlatformState, ScimState};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What to compare with, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Base URL of the simulated Platform; none compares SCIM only.
    pub platform_url: Option<String>,
    /// How long agreement is waited for.
    pub settle: Duration,
    /// Names of users and groups that are no business of the job.
    pub ignore: Vec<String>,
    /// Attributes that this Platform cannot hold, such as `manager`: only what SCIM has of them is compared.
    pub unheld: Vec<String>,
    /// What was there before the job began.
    pub before: Before,
    /// Login names, in lower case, of accounts that are reached by an interface of the Platform that holds no manager. SCIM shows it
    /// all the same.
    pub without_manager: BTreeSet<String>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            platform_url: None,
            settle: Duration::from_secs(60),
            ignore: Vec::new(),
            unheld: Vec::new(),
            before: Before::default(),
            without_manager: BTreeSet::new(),
        }
    }
}

/// What one system holds where the directory expects something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Held {
    /// This value.
    Value(String),
    /// Nothing.
    Nothing,
    /// The system was not asked, or has no such attribute.
    NotCompared,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value:?}"),
            Self::Nothing => f.write_str("nothing"),
            Self::NotCompared => f.write_str("(not compared)"),
        }
    }
}

/// One attribute of one object in which the systems do not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// "user" or "group", and its name.
    pub object: String,
    /// The attribute, by its SCIM path; `existence` for the object as a whole, `members: NAME` for a membership.
    pub attribute: String,
    /// What follows from the directory.
    pub expected: Held,
    /// What SCIM shows.
    pub scim: Held,
    /// What the Platform holds.
    pub platform: Held,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            attribute,
            expected,
            scim,
            platform,
        } = self;
        write!(
            f,
            "{object}: {attribute}: expected {expected}; SCIM has {scim}; Platform has {platform}"
        )
    }
}

/// The outcome of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verification {
    /// Users of the directory that were compared.
    pub users: usize,
    /// Groups of the directory that were compared.
    pub groups: usize,
    /// Memberships of the directory that were compared.
    pub memberships: usize,
    /// Whether the Platform was compared too.
    pub with_platform: bool,
    /// Calls the Platform counted so far, by whoever, and how many of them wrote something; none if it was not asked.
    pub platform_calls: Option<(u64, u64)>,
    /// How long agreement took, or was waited for.
    pub waited: Duration,
    /// Whatever still differs.
    pub differences: Vec<Difference>,
}

/// Compares until everything agrees or the time to settle is over. What the job remembers decides what is expected of
/// values that became empty and of users who left; a job that never ran expects nothing of those. What was there before
/// is none of its business.
pub async fn verify(
    job: &Job,
    directory: &Directory,
    options: &VerifyOptions,
    progress: Option<&ProgressFn>,
) -> Result<Verification, Error> {
    verify_those(job, directory, options, progress, |_| true).await
}

/// Compares what an on-demand run was about: the users, the group, and of its members those who were chosen. A manager
/// counts only where the job could name it.
pub(crate) async fn verify_on_demand(
    job: &Job,
    directory: &Directory,
    options: &VerifyOptions,
    report: &OnDemandReport,
    progress: Option<&ProgressFn>,
) -> Result<Verification, Error> {
    let chosen: BTreeSet<String> = report.users.iter().map(|name| name.to_lowercase()).collect();
    let reports_to_nobody_known = |name: &str| {
        let manager = directory.find_user(name).and_then(|user| user.manager.as_deref());
        manager.is_some_and(|manager| job.linked(manager).is_none())
    };
    let counts = |difference: &Difference| match (difference.object.split_once(' '), &report.group) {
        (Some(("user", name)), _) if chosen.contains(&name.to_lowercase()) => {
            difference.attribute != "manager" || !reports_to_nobody_known(name)
        }
        (Some(("group", name)), Some(group)) if name == group => match difference.attribute.strip_prefix("members: ") {
            Some(member) => chosen.contains(member),
            None => true,
        },
        _ => false,
    };
    let verification = verify_those(job, directory, options, progress, counts).await?;
    let groups = usize::from(report.group.is_some());
    Ok(Verification {
        users: chosen.len(),
        groups,
        memberships: groups * chosen.len(),
        ..verification
    })
}

/// As [`verify`], but only what `counts` among the differences.
async fn verify_those(
    job: &Job,
    directory: &Directory,
    options: &VerifyOptions,
    progress: Option<&ProgressFn>,
    counts: impl Fn(&Difference) -> bool,
) -> Result<Verification, Error> {
    let started = Instant::now();
    let platform = match &options.platform_url {
        Some(url) => Some(held::Platform::new(url, job.client().knobs().timeout)?),
        None => None,
    };
    let mut pause = FIRST_PAUSE;
    let mut rounds = 0;
    let mut compared: Option<Verification> = None;
    loop {
        let result = compare_once(job, directory, options, platform.as_ref()).await;
        let result = result.map(|mut verification| {
            verification.differences.retain(&counts);
            let is_held = |name: &String| !options.unheld.contains(name);
            verification
                .differences
                .retain(|difference| is_held(&difference.attribute) || difference.scim != difference.expected);
            verification
        });
        let waited = started.elapsed();
        let is_over = waited >= options.settle;
        match result {
            Ok(verification) if is_over || verification.differences.is_empty() => {
                return Ok(Verification { waited, ..verification });
            }
            Ok(verification) => compared = Some(verification),
            // Differences that were seen say more than a last look that failed.
            Err(error) if is_over => {
                return compared
                    .map(|verification| Verification { waited, ..verification })
                    .ok_or(error);
            }
            Err(_) => {}
        }
        rounds += 1;
        if let Some(told) = progress {
            told(Progress {
                phase: "comparing",
                done: rounds,
                total: 0,
            });
        }
        tokio::time::sleep(pause.min(options.settle.saturating_sub(waited))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn compare_once(
    job: &Job,
    directory: &Directory,
    options: &VerifyOptions,
    platform: Option<&held::Platform>,
) -> Result<Verification, Error> {
    let unreadable = |system| move |failure| Error::Unreadable { system, failure };
    let scim = ScimState::read(job.client()).await.map_err(unreadable("SCIM"))?;
    let platform = match platform {
        Some(platform) => Some(platform.read().await.map_err(unreadable("the Platform"))?),
        None => None,
    };
    let expected = expect::Expected::of(job, directory);
    let differences = compare::differences(&expected, &scim, platform.as_ref(), options);
    Ok(Verification {
        users: directory.users.len(),
        groups: directory.groups.len(),
        memberships: directory.groups.values().map(|group| group.members.len()).sum(),
        with_platform: platform.is_some(),
        platform_calls: platform.as_ref().map(PlatformState::calls),
        waited: Duration::ZERO,
        differences,
    })
}
