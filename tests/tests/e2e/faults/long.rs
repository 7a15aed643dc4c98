use std::time::Duration;

use entra_simulator::{Directory, Knobs, VerifyOptions, verify};
use proto::identity::v1::DeliveryState;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    deployment::{BUILT_IN, Deployment, Setup},
    processes::PATIENCE,
};

const SAID: &str = "The mailbox of this person is cursed.";

/// P4: the account of the poisoned one is not made: calls get no answer at first, then a server error, then a refusal, for ever.
/// All others arrive, also those in whose group or under whom the one is, and their changes go on arriving.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_poisoned_user_among_a_thousand_harms_nobody_else() {
    let it = Setup::default()
        .adapter(&["--platform-timeout=300ms", "--read-back-timeout=300ms"])
        // Each try of the poisoned one takes a third of all there is.
        .identity(&["--delivery-concurrency=3", "--refused-retry=200ms"])
        .start()
        .await;
    let mut directory = Directory::generate(17, 1000, 10);
    // Somebody's manager, and a member of several groups.
    let is_boss = |id: &String| directory.users.values().any(|user| user.manager.as_ref() == Some(id));
    let groups = |id: &String| {
        directory
            .groups
            .values()
            .filter(|group| group.members.contains(id))
            .count()
    };
    let active = directory.users.values().filter(|user| user.is_active());
    let ids = active.map(|user| &user.object_id).filter(|id| is_boss(id));
    let poisoned = ids.max_by_key(|id| groups(id)).unwrap().clone();
    let name = directory.users[&poisoned].user_principal_name.clone();
    for rule in [
        json!({"fault": "error", "delay_ms": 1000, "times": 10}),
        json!({"fault": "error", "times": 10}),
        json!({"fault": "failure", "message": SAID}),
    ] {
        let mut rule = rule;
        rule["method"] = json!("CDirectoryService/CreateUser");
        rule["about"] = json!(name);
        it.platform.fault(rule).await;
    }

    let mut job = it.job(Knobs::default());
    for round in 0..2 {
        if round > 0 {
            directory.advance();
        }
        let report = job.cycle(&directory).await.unwrap();
        assert!(report.escrow.is_empty(), "{:?}", report.escrow);
        others_arrive(&it).await;
    }
    // Only the one is left, with the reason.
    let id = job.linked(&poisoned).unwrap().to_owned();
    let refused = it
        .delivered(&id, |delivery| delivery.state() == DeliveryState::Refused)
        .await;
    assert!(refused.last_error.as_deref().unwrap().contains(SAID), "{refused:?}");

    let options = VerifyOptions {
        platform_url: Some(it.platform.url().to_owned()),
        settle: Duration::from_secs(1),
        ignore: BUILT_IN.map(str::to_owned).into(),
        ..VerifyOptions::default()
    };
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    let others: Vec<_> = verification
        .differences
        .iter()
        .filter(|difference| !format!("{difference}").contains(&*name))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(!verification.differences.is_empty(), "nobody was poisoned");

    // A person settles it, and what waited follows.
    it.platform.no_faults().await;
    it.retry(&id).await;
    let options = VerifyOptions {
        settle: Duration::from_secs(60),
        ..options
    };
    let verification = verify(&job, &directory, &options, None).await.unwrap();
    assert_eq!(verification.differences, []);
    it.settled().await;
    assert_eq!(it.refused().await, []);
}

/// Waits until all is applied but the one member of some groups, and the one manager of some users.
async fn others_arrive(it: &Deployment) {
    let began = Instant::now();
    loop {
        let mut waiting = it.listed(DeliveryState::Pending).await;
        waiting.retain(|delivery| match delivery.pending_members {
            0 => delivery.applied_version != delivery.version,
            1 => delivery.applied_version == 0,
            _ => true,
        });
        if waiting.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{} wait: {:?}", waiting.len(), waiting[0]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
