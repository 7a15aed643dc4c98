//! What came of a campaign, when all faults are over: whatever differs from what was promised is a finding, and one is too many.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use entra_simulator::{VerifyOptions, verify};
use futures_util::future::try_join_all;
use proto::identity::v1::{
    SummarizeDeliveriesRequest, SummarizeDeliveriesResponse, delivery_service_client::DeliveryServiceClient,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    PATIENCE,
    apart::{self, Traces},
    changes::Changes,
    journal, links,
    neighbours::in_common,
    services::{Services, platform_folder},
    store::Store,
    story::Story,
    tenant::Tenant,
    trail::Trail,
};

/// So many findings of a kind are told.
const TOLD: usize = 20;

/// How often it is looked whether nothing is done.
const LOOKS: u32 = 3;

/// What was judged, and what was found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Writes that were answered with success, each looked for in the change feed.
    pub(crate) acknowledged: usize,
    /// Accounts and groups that were ever made on the Platform.
    pub(crate) made: usize,
    /// Deletions of which Entra did not hear that they were done: creations that were taken back because the Platform refused
    /// them with a bare 404, and Entra's own whose answer was lost.
    pub(crate) unheard: usize,
    /// Accounts that were locked in place of being disabled, because of a bare 404. That is to be cleared by a person
    /// (docs/operations.md).
    pub(crate) locked: usize,
    /// Users whose accounts are linked by the Platform's own SCIM endpoint, which holds no manager.
    pub(crate) second: usize,
    /// Login names and names of groups that the tenants had in common, of each two.
    pub(crate) in_common: usize,
    /// Empty if all is as it was promised.
    pub(crate) findings: Vec<String>,
}

/// Judges. All services are ready, all faults are over, and the last cycles were clean.
pub(crate) async fn verdict(
    services: &mut Services,
    tenants: &mut [Tenant],
    store: Store,
    story: &Story,
    folder: &Path,
) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let each = tenants.iter_mut().map(|tenant| alone(services, tenant, story, folder));
    let mut traces = Vec::new();
    for (one, of_one) in try_join_all(each).await? {
        verdict.take(of_one.as_ref().map(|traces| traces.tenant), &one);
        traces.extend(of_one);
    }
    if tenants.len() > 1 {
        verdict.add("tenants are not apart", &apart::findings(&traces));
        verdict.add("tenants are not apart", &apart::crossings(tenants, &traces).await?);
        let each_two = (0..tenants.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
        let shared = each_two.map(|(one, other)| in_common(&tenants[one].names, &tenants[other].names));
        verdict.in_common = shared.sum();
    }

    services.go_on()?;
    for (program, log) in services.logs() {
        let log = fs::read_to_string(log)?;
        let wrong = log
            .lines()
            .filter(|line| speaks_against_us(line, store, tenants.len() > 1));
        verdict.add(&format!("{program} wrote"), &wrong.collect::<Vec<_>>());
    }
    Ok(verdict)
}

/// Judges one tenant by itself. Gives what there is of it, where it has neighbours.
async fn alone(
    services: &Services,
    tenant: &mut Tenant,
    story: &Story,
    folder: &Path,
) -> Result<(Verdict, Option<Traces>)> {
    let mut verdict = Verdict::default();
    let url = &services.identity_url;
    let platform = &services.platforms[tenant.nth];

    let (differences, waited) = differences(services, tenant).await?;
    tenant.tell(story, format_args!("compared for {waited:?}"));
    verdict.add("", &differences);
    verdict.second = links::of_the_second_interface(url, tenant).await?.len();

    let state = platform.state().await?;
    let users = state["users"].as_array().context("the Platform has no users")?;
    verdict.locked = users.iter().filter(|user| user["CloudLocked"] == true).count();
    if state["caller_edits"] != 0 {
        verdict.add("the service user itself was edited", &[&state["caller_edits"]]);
    }

    let promises = tenant.acknowledged();
    let changes = Changes::read(url, tenant.name).await?;
    verdict.acknowledged = promises.len();
    verdict.add("the change feed", &changes.findings(&promises));
    let trail = Trail::read(url, tenant.name).await?;
    verdict.add("the audit trail", &trail.findings(&changes));
    let (not_applied, links) = changes.applied(url, tenant.name).await?;
    verdict.add("not applied", &not_applied);
    verdict.unheard = changes.unheard_deletions(&promises);
    let ever = tenant.names.objects() + verdict.unheard;
    if changes.len() > ever {
        let counts = format!("{} users and groups for {ever} objects", changes.len());
        verdict.add("something was created twice", &[counts]);
    }
    let journal = journal::read(&platform_folder(folder, tenant.nth), &tenant.names, &tenant.directory)?;
    verdict.made = journal.ids.len();
    verdict.add("the Platform's journal", &journal.findings);
    if journal.lost > verdict.unheard {
        let counts = format!(
            "{}, and only {} were deleted without Entra's hearing of it",
            journal.lost, verdict.unheard
        );
        verdict.add(
            "accounts and groups taken away of whom the directory still has",
            &[counts],
        );
    }

    idle(&mut verdict, services, tenant, story).await?;
    let traces = match &tenant.neighbours {
        None => None,
        Some(_) => Some(Traces::of(tenant, &changes, &trail, links, &journal).await?),
    };
    Ok((verdict, traces))
}

/// Waits until nothing of a tenant is left to be delivered, and directory, SCIM and Platform are equal; gives what is not, and how long
/// the latter took.
pub(crate) async fn differences(services: &Services, tenant: &Tenant) -> Result<(Vec<String>, Duration)> {
    let summary = settled(&services.identity_url, tenant.name).await?;
    let options = VerifyOptions {
        platform_url: Some(services.platforms[tenant.nth].url().to_owned()),
        settle: PATIENCE,
        without_manager: links::of_the_second_interface(&services.identity_url, tenant).await?,
        ..VerifyOptions::default()
    };
    let verification = verify(&tenant.job, &tenant.directory, &options, None).await?;
    let differ = verification.differences.iter();
    let mut found: Vec<String> = differ
        .map(|difference| format!("directory, SCIM and Platform differ: {difference}"))
        .collect();
    if !is_done(&summary) {
        found.push(format!("there is still something to deliver: {summary:?}"));
    }
    Ok((found, verification.waited))
}

/// Whoever has nothing to do does nothing (P7). The adapter may still ask, after a call that was not there, what the tenant exposes;
/// these questions are calls that write, about an account and a group that nobody has. Then it is looked once more.
async fn idle(verdict: &mut Verdict, services: &Services, tenant: &mut Tenant, story: &Story) -> Result<()> {
    /// Only that asks about it, while nobody is created.
    const OF_A_PROBE: &str = "Federation/GetFederations";
    let platform = &services.platforms[tenant.nth];
    for looks_left in (0..LOOKS).rev() {
        let over = CancellationToken::new();
        let before = platform.state().await?;
        for what in ["an identical cycle", "a full restart"] {
            let passed = tenant.cycle(true, &over, story).await?;
            tenant.tell(story, format_args!("{what}: {passed}"));
            if passed.writes > 0 {
                verdict.add(what, &[format!("wrote {} times", passed.writes)]);
            }
            tenant.job.restart();
        }
        settled(&services.identity_url, tenant.name).await?;
        let after = platform.state().await?;
        let asked = |state: &Value| state["calls"][OF_A_PROBE].clone();
        if before["writes"] == after["writes"] {
            return Ok(());
        }
        if asked(&before) != asked(&after) && looks_left > 0 {
            tenant.tell(story, "the adapter asked what the tenant exposes");
            continue;
        }
        let counts = format!("{} writes on the Platform became {}", before["writes"], after["writes"]);
        verdict.add("nothing to do", &[counts]);
        return Ok(());
    }
    Ok(())
}

impl Verdict {
    fn add(&mut self, what: &str, found: &[impl std::fmt::Display]) {
        let what = if what.is_empty() {
            String::new()
        } else {
            format!("{what}: ")
        };
        self.findings
            .extend(found.iter().take(TOLD).map(|found| format!("{what}{found}")));
        if found.len() > TOLD {
            self.findings.push(format!("{what}and {} more", found.len() - TOLD));
        }
    }

    /// Takes along one tenant's, which has that name if there are several.
    fn take(&mut self, name: Option<&str>, one: &Self) {
        let whose = name.map(|name| format!("{name}: ")).unwrap_or_default();
        self.acknowledged += one.acknowledged;
        self.made += one.made;
        self.unheard += one.unheard;
        self.locked += one.locked;
        self.second += one.second;
        self.findings
            .extend(one.findings.iter().map(|finding| format!("{whose}{finding}")));
    }
}

/// Waits until every delivery is done; gives what is left when that does not come.
async fn settled(identity_url: &str, tenant: &str) -> Result<SummarizeDeliveriesResponse> {
    let connection = service_runtime::connect(identity_url, PATIENCE)?;
    let mut client = DeliveryServiceClient::new(connection);
    let began = Instant::now();
    loop {
        let request = SummarizeDeliveriesRequest {
            tenant: tenant.to_owned(),
        };
        let summary = client.summarize_deliveries(request).await?.into_inner();
        if is_done(&summary) || began.elapsed() > PATIENCE {
            return Ok(summary);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn is_done(summary: &SummarizeDeliveriesResponse) -> bool {
    [summary.pending, summary.refused, summary.held] == [0; 3]
}

/// Whether no program may ever write such a line: it found itself at fault, or the Platform said no to what was right. A bare
/// 404 is a refusal until it is gone. While Redis is away, identity-service says so as an error; and while the file of tenants is half
/// written, its readers do.
fn speaks_against_us(line: &str, store: Store, has_file: bool) -> bool {
    let is_refused = line.contains(" was refused") && !line.contains("PLATFORM_NOT_EXPOSED");
    let is_of_file = has_file && line.contains("the file of tenants changes nothing");
    let is_error = line.contains(" ERROR ") && store == Store::Embedded && !is_of_file;
    line.contains("panicked") || is_refused || is_error
}
