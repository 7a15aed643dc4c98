//! A campaign from end to end: start, carry out the plan, let all be well again, judge.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::{Blow, Cycle, Plan, What},
    process::Folders,
    services::Services,
    story::Story,
    tenant::{Passed, Tenant},
    verdict::{Verdict, differences, verdict},
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
    let mut name = format!("seed-{}-{}-{}", plan.seed, plan.store, plan.profile);
    if plan.tenants > 1 {
        name += &format!("-{}-tenants", plan.tenants);
    }
    let folder = settings.out.join(name);
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
        in_common,
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
    let mut summary = format!(
        "{} kills, {hits} calls hit by faults, {acknowledged} writes acknowledged, {made} accounts and groups made, \
         {unheard} unheard deletions, {locked} locked, {second} accounts by SCIM",
        plan.kills()
    );
    if plan.tenants > 1 {
        summary += &format!(
            ", {} changes of the file of tenants, {in_common} names in common",
            plan.edits()
        );
    }
    Ok(Outcome {
        summary,
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
        let all = 0..self.plan.tenants;
        let tenants = all.map(|nth| Tenant::new(self.plan.seed, nth, services));
        let mut tenants = tenants.collect::<Result<Vec<_>>>()?;
        for (number, cycle) in self.plan.cycles.iter().enumerate() {
            if number > 0 {
                for tenant in &mut tenants {
                    for change in tenant.change() {
                        tenant.tell(self.story, change);
                    }
                }
            }
            self.story.tell(format_args!("cycle {number}: {cycle}"));
            for (tenant, share) in tenants.iter_mut().zip(&cycle.shares) {
                tenant.speak(share.dialect);
                self.hits += services.platforms[tenant.nth].weather(&share.weather).await?;
            }
            let over = CancellationToken::new();
            let story = self.story;
            let blows = async {
                for blow in &cycle.blows {
                    self.strike(services, blow, cycle).await?;
                }
                over.cancel();
                Ok(())
            };
            let until_clean = cycle.shares.iter().map(|share| share.until_clean);
            let cycles = cycles(&mut tenants, until_clean, &over, story);
            let (passed, ()) = tokio::try_join!(cycles, blows)?;
            for (tenant, passed) in tenants.iter().zip(passed) {
                tenant.tell(story, format_args!("cycle {number} is over: {passed}"));
            }
            if let Some(away) = cycle.away {
                let findings = self.all_but(away.tenant, &mut tenants, services).await?;
                if !findings.is_empty() {
                    return Ok(Verdict {
                        findings,
                        ..Verdict::default()
                    });
                }
            }
        }

        for platform in &services.platforms {
            self.hits += platform.weather(&Weather::default()).await?;
        }
        services.ready().await?;
        self.story.tell("no faults any more");
        let over = CancellationToken::new();
        let until_clean = tenants.iter().map(|_| true).collect::<Vec<_>>();
        for (tenant, passed) in (0..).zip(cycles(&mut tenants, until_clean, &over, self.story).await?) {
            tenants[tenant].tell(self.story, format_args!("the last cycle is over: {passed}"));
        }
        verdict(services, &mut tenants, self.plan.store, self.story, self.folder).await
    }

    /// While that tenant's Platform is away still, the others are as they shall be: nothing of theirs waits for it. Gives what is not.
    async fn all_but(&self, away: usize, tenants: &mut [Tenant], services: &mut Services) -> Result<Vec<String>> {
        services.ready().await?;
        let mut findings = Vec::new();
        for tenant in tenants.iter_mut().filter(|tenant| tenant.nth != away) {
            let passed = tenant.cycle(true, &CancellationToken::new(), self.story).await?;
            let (differences, waited) = differences(services, tenant).await?;
            let told = format_args!("as it shall be after {waited:?}, while a neighbour's Platform is away: {passed}");
            tenant.tell(self.story, told);
            let name = tenant.name;
            findings.extend(
                differences
                    .iter()
                    .map(|difference| format!("{name}: while a neighbour's Platform is away, {difference}")),
            );
        }
        Ok(findings)
    }

    async fn strike(&mut self, services: &mut Services, blow: &Blow, cycle: &Cycle) -> Result<()> {
        sleep(blow.after).await;
        self.story.tell(blow.what.told(self.plan.names()));
        match &blow.what {
            What::Kill { victims, gone } => {
                services.kill(victims, *gone, self.folder).await?;
                self.story.tell("back");
            }
            What::Freeze { victim, lasts } => {
                services.freeze(*victim, *lasts).await?;
                self.story.tell("goes on");
            }
            What::TokensEnd { tenant } => services.platforms[*tenant].end_tokens().await?,
            What::Outage { tenant, lasts } => {
                let platform = &services.platforms[*tenant];
                self.hits += platform.outage().await?;
                sleep(*lasts).await;
                self.hits += platform.weather(&cycle.shares[*tenant].weather).await?;
                self.story.tell("the Platform is back");
            }
            What::Edit(edit) => services.edit(edit).await?,
        }
        Ok(())
    }
}

/// A cycle of each tenant's Entra, all at the same time.
async fn cycles(
    tenants: &mut [Tenant],
    until_clean: impl IntoIterator<Item = bool>,
    over: &CancellationToken,
    story: &Story,
) -> Result<Vec<Passed>> {
    let each = tenants.iter_mut().zip(until_clean);
    try_join_all(each.map(|(tenant, until_clean)| tenant.cycle(until_clean, over, story))).await
}
