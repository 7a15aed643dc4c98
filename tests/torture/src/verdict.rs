//! What came of a campaign, when all faults are over: whatever differs from what was promised is a finding, and one is too many.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use entra_simulator::{VerifyOptions, verify};
use proto::identity::v1::{
    SummarizeDeliveriesRequest, SummarizeDeliveriesResponse, delivery_service_client::DeliveryServiceClient,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    PATIENCE,
    changes::Changes,
    journal, links,
    services::{Services, TENANT},
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
    /// Empty if all is as it was promised.
    pub(crate) findings: Vec<String>,
}

/// Judges. All services are ready, all faults are over, and the last cycle was clean.
pub(crate) async fn verdict(
    services: &mut Services,
    tenant: &mut Tenant,
    store: Store,
    story: &Story,
    folder: &Path,
) -> Result<Verdict> {
    let mut verdict = Verdict::default();

    let summary = settled(&services.identity_url).await?;
    let second = links::of_the_second_interface(&services.identity_url, tenant).await?;
    verdict.second = second.len();
    let options = VerifyOptions {
        platform_url: Some(services.platform.url().to_owned()),
        settle: PATIENCE,
        without_manager: second,
        ..VerifyOptions::default()
    };
    let verification = verify(&tenant.job, &tenant.directory, &options, None).await?;
    story.tell(format_args!("compared for {:?}", verification.waited));
    verdict.add("directory, SCIM and Platform differ", &verification.differences);

    if !is_done(&summary) {
        verdict.add("there is still something to deliver", &[format!("{summary:?}")]);
    }
    let state = services.platform.state().await?;
    let users = state["users"].as_array().context("the Platform has no users")?;
    verdict.locked = users.iter().filter(|user| user["CloudLocked"] == true).count();
    if state["caller_edits"] != 0 {
        verdict.add("the service user itself was edited", &[&state["caller_edits"]]);
    }

    let promises = tenant.acknowledged();
    let changes = Changes::read(&services.identity_url).await?;
    verdict.acknowledged = promises.len();
    verdict.add("the change feed", &changes.findings(&promises));
    let trail = Trail::read(&services.identity_url).await?;
    verdict.add("the audit trail", &trail.findings(&changes));
    verdict.add("not applied", &changes.not_applied(&services.identity_url).await?);
    verdict.unheard = changes.unheard_deletions(&promises);
    let ever = tenant.names.objects() + verdict.unheard;
    if changes.len() > ever {
        let counts = format!("{} users and groups for {ever} objects", changes.len());
        verdict.add("something was created twice", &[counts]);
    }
    let journal = journal::read(&folder.join("platform"), &tenant.names, &tenant.directory)?;
    verdict.made = journal.made;
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

    services.go_on()?;
    for (program, log) in services.logs() {
        let log = fs::read_to_string(log)?;
        let wrong: Vec<_> = log.lines().filter(|line| speaks_against_us(line, store)).collect();
        verdict.add(&format!("{program} wrote"), &wrong);
    }
    Ok(verdict)
}

/// Whoever has nothing to do does nothing (P7). The adapter may still ask, after a call that was not there, what the tenant exposes;
/// these questions are calls that write, about an account and a group that nobody has. Then it is looked once more.
async fn idle(verdict: &mut Verdict, services: &Services, tenant: &mut Tenant, story: &Story) -> Result<()> {
    /// Only that asks about it, while nobody is created.
    const OF_A_PROBE: &str = "Federation/GetFederations";
    for looks_left in (0..LOOKS).rev() {
        let over = CancellationToken::new();
        let before = services.platform.state().await?;
        for what in ["an identical cycle", "a full restart"] {
            let passed = tenant.cycle(true, &over, story).await?;
            story.tell(format_args!("{what}: {passed}"));
            if passed.writes > 0 {
                verdict.add(what, &[format!("wrote {} times", passed.writes)]);
            }
            tenant.job.restart();
        }
        settled(&services.identity_url).await?;
        let after = services.platform.state().await?;
        let asked = |state: &Value| state["calls"][OF_A_PROBE].clone();
        if before["writes"] == after["writes"] {
            return Ok(());
        }
        if asked(&before) != asked(&after) && looks_left > 0 {
            story.tell("the adapter asked what the tenant exposes");
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
        self.findings
            .extend(found.iter().take(TOLD).map(|found| format!("{what}: {found}")));
        if found.len() > TOLD {
            self.findings.push(format!("{what}: and {} more", found.len() - TOLD));
        }
    }
}

/// Waits until every delivery is done; gives what is left when that does not come.
async fn settled(identity_url: &str) -> Result<SummarizeDeliveriesResponse> {
    let connection = service_runtime::connect(identity_url, PATIENCE)?;
    let mut client = DeliveryServiceClient::new(connection);
    let began = Instant::now();
    loop {
        let request = SummarizeDeliveriesRequest {
            tenant: TENANT.to_owned(),
        };
        let summary = client.summarize_deliveries(request).await?.into_inner();
        if is_done(&summary) || began.elapsed() > PATIENCE {
            return Ok(summary);
        }
        sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn is_done(summary: &SummarizeDeliveriesResponse) -> bool {
    [summary.pending, summary.refused, summary.held] == [0; 3]
}

/// Whether no program may ever write such a line: it found itself at fault, or the Platform said no to what was right. A bare
/// 404 is a refusal until it is gone. While Redis is away, identity-service says so as an error.
fn speaks_against_us(line: &str, store: Store) -> bool {
    let is_refused = line.contains(" was refused") && !line.contains("PLATFORM_NOT_EXPOSED");
    line.contains("panicked") || is_refused || (line.contains(" ERROR ") && store == Store::Embedded)
}
