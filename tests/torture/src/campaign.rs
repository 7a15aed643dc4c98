//! A campaign from end to end: start, carry out the plan, let all be well again, judge.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::{Blow, Plan, What},
    process::Folders,
    services::Services,
    story::Story,
    tenant::Tenant,
    verdict::{Verdict, verdict},
    weather::Weather,
};

/// So many lines of the story are told with a failure.
const TOLD: usize = 40;

/// Where a campaign finds its programs, and where it leaves what it writes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the programs.
    pub programs: PathBuf,
    /// The folder that gets one for each campaign: logs, plan, story, the Platform's journal. It goes when all is well.
    pub out: PathBuf,
    /// Leave the folder also when all is well.
    pub keep: bool,
    /// Which log records the services write, as a filter.
    pub log: String,
}

/// What came of a campaign.
#[derive(Debug)]
pub struct Outcome {
    /// What was done, in a line.
    pub summary: String,
    /// How long it took.
    pub took: Duration,
    /// Empty if all is as it was promised.
    pub findings: Vec<String>,
    /// The end of the story, of a campaign with findings.
    pub story: Vec<String>,
    /// Where plan, story and logs are.
    pub folder: PathBuf,
}

/// Carries out a plan. An error means that nothing could be started, or that no file could be written.
pub async fn campaign(plan: &Plan, settings: &Settings) -> Result<Outcome> {
    let folder = settings
        .out
        .join(format!("seed-{}-{}-{}", plan.seed, plan.store, plan.profile));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(folder.join("plan.txt"), plan.to_string())?;
    let began = Instant::now();
    let story = Story::begin(&folder.join("story.txt"))?;
    let folders = Folders {
        programs: &settings.programs,
        work: &folder,
    };
    let mut services = Services::start(plan, &settings.log, folders).await?;
    story.tell("all are ready");
    let mut campaign = Campaign {
        plan,
        story: &story,
        folder: &folder,
        hits: 0,
    };
    let result = campaign.run(&mut services).await;
    let hits = campaign.hits;
    let Verdict {
        acknowledged,
        made,
        unheard,
        locked,
        second,
        findings,
    } = result.unwrap_or_else(|error| Verdict {
        findings: vec![format!("it could not go on: {error:#}")],
        ..Verdict::default()
    });
    let all_is_well = findings.is_empty();
    if settings.keep || !all_is_well {
        services.keep_redis(&folder)?;
    }
    drop(services);
    if all_is_well && !settings.keep {
        fs::remove_dir_all(&folder)?;
    }
    Ok(Outcome {
        summary: format!(
            "{} kills, {hits} calls hit by faults, {acknowledged} writes acknowledged, {made} accounts and groups made, \
             {unheard} unheard deletions, {locked} locked, {second} accounts by SCIM",
            plan.kills()
        ),
        took: began.elapsed(),
        story: if all_is_well { Vec::new() } else { story.end(TOLD) },
        findings,
        folder,
    })
}

struct Campaign<'a> {
    plan: &'a Plan,
    story: &'a Story,
    folder: &'a Path,
    /// How many calls were hit by faults.
    hits: u64,
}

impl Campaign<'_> {
    async fn run(&mut self, services: &mut Services) -> Result<Verdict> {
        let mut tenant = Tenant::new(self.plan.seed, services)?;
        for (number, cycle) in self.plan.cycles.iter().enumerate() {
            if number > 0 {
                for change in tenant.change() {
                    self.story.tell(change);
                }
            }
            self.story.tell(format_args!("cycle {number}: {cycle}"));
            tenant.speak(cycle.dialect);
            self.hits += services.platform.weather(&cycle.weather).await?;
            let over = CancellationToken::new();
            let story = self.story;
            let blows = async {
                for blow in &cycle.blows {
                    self.strike(services, blow, &cycle.weather).await?;
                }
                over.cancel();
                Ok(())
            };
            let (passed, ()) = tokio::try_join!(tenant.cycle(cycle.until_clean, &over, story), blows)?;
            self.story.tell(format_args!("cycle {number} is over: {passed}"));
        }

        self.hits += services.platform.weather(&Weather::default()).await?;
        services.ready().await?;
        self.story.tell("no faults any more");
        let over = CancellationToken::new();
        let passed = tenant.cycle(true, &over, self.story).await?;
        self.story.tell(format_args!("the last cycle is over: {passed}"));
        verdict(services, &mut tenant, self.plan.store, self.story, self.folder).await
    }

    async fn strike(&mut self, services: &mut Services, blow: &Blow, weather: &Weather) -> Result<()> {
        sleep(blow.after).await;
        self.story.tell(&blow.what);
        match &blow.what {
            What::Kill { victims, gone } => {
                services.kill(victims, *gone, self.folder).await?;
                self.story.tell("back");
            }
            What::Freeze { victim, lasts } => {
                services.freeze(*victim, *lasts).await?;
                self.story.tell("goes on");
            }
            What::TokensEnd => services.platform.end_tokens().await?,
            What::Outage(lasts) => {
                self.hits += services.platform.outage().await?;
                sleep(*lasts).await;
                self.hits += services.platform.weather(weather).await?;
                self.story.tell("the Platform is back");
            }
        }
        Ok(())
    }
}
