//! Two Entra tenants with the same people, each with a Platform of its own that fails in its own ways, while the file of tenants
//! changes under them: each ends as its own directory says, and nothing of one is the other's.

use std::time::Duration;

use entra_simulator::{Rehearsal, Report, VerifyOptions, sync};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{NAMES, Two, token};

/// How each Platform fails, by chance, until the end.
fn faults(tenant: usize) -> Vec<Value> {
    let kinds: &[(&str, f64)] = match tenant {
        0 => &[("lost_answer", 0.03), ("unavailable", 0.03), ("html", 0.02)],
        _ => &[("truncated", 0.03), ("error", 0.03), ("lost_answer", 0.02)],
    };
    let rule = |(fault, probability): &(&str, f64)| json!({"method": "*", "fault": fault, "probability": probability, "retry_after_s": 1});
    kinds.iter().map(rule).collect()
}

/// An initial cycle, two rounds of changes, a cycle and a restart with nothing to do, and the comparison with that tenant's Platform.
async fn cycles(two: &Two, tenant: usize) -> Report {
    let rehearsal = Rehearsal {
        // The same people, of whom the second tenant has some more; they change apart.
        users: 60 + 20 * tenant,
        groups: 8,
        seed: 7,
        retry_for: Duration::from_secs(60),
        verify: VerifyOptions {
            platform_url: Some(two.platforms[tenant].url().to_owned()),
            settle: Duration::from_secs(120),
            ..VerifyOptions::default()
        },
        ..Rehearsal::new(two.scim[tenant].base(), SecretString::from(token(NAMES[tenant])))
    };
    sync(&rehearsal, None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_with_the_same_people_come_through_faults_side_by_side() {
    let two = Two::start(&["--answer-wait=300ms"], [""; 2]).await;
    for (tenant, platform) in two.platforms.iter().enumerate() {
        for rule in faults(tenant) {
            platform.fault(rule).await;
        }
    }
    let file_changes = async {
        for limit in 1_000.. {
            tokio::time::sleep(Duration::from_millis(700)).await;
            two.write(&[
                two.section(0, &format!("scan_limit = {limit}")),
                two.section(1, &format!("member_batch = {}", 50 + limit % 50)),
            ]);
        }
    };
    let reports = tokio::select! {
        reports = async { tokio::join!(cycles(&two, 0), cycles(&two, 1)) } => reports,
        () = file_changes => unreachable!("it goes on until the cycles are over"),
    };
    for (tenant, report) in [&reports.0, &reports.1].into_iter().enumerate() {
        assert!(report.is_clean(), "{}: {report}", NAMES[tenant]);
        let hits: u64 = two.platforms[tenant].hits().await.iter().sum();
        assert!(hits > 20, "{}: {hits} calls were hit", NAMES[tenant]);
    }
}
