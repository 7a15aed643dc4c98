//! That the figures are right: while something is wrong, and when it is right again.

use std::time::Duration;

use proto::identity::v1::{PauseDeliveriesRequest, ReleaseDeliveryRequest, ResumeDeliveriesRequest};
use serde_json::json;

use super::text::Metrics;
use crate::{
    deployment::TENANT,
    processes::{Process, Services},
};

const OF: (&str, &str) = ("scim_tenant", TENANT);

fn items(told: &Metrics, state: &str) -> f64 {
    told.value("scim_outbox_items", &[OF, ("state", state)]).unwrap_or(-1.0)
}

fn age(told: &Metrics, state: &str) -> f64 {
    told.value("scim_outbox_oldest_age_seconds", &[OF, ("state", state)])
        .unwrap_or(-1.0)
}

/// The value of a gauge that has no label but the tenant.
fn gauge(told: &Metrics, name: &str) -> f64 {
    told.value(name, &[OF]).unwrap_or(-1.0)
}

#[tokio::test]
async fn what_is_stuck_is_told_while_the_platform_is_away_and_gone_when_it_is_back() {
    let mut services = Services::start(&[]).await;
    let scim = services.scim();
    let quiet = |told: &Metrics| {
        let states = ["pending", "refused", "held", "planned"];
        states
            .iter()
            .all(|state| items(told, state) == 0.0 && age(told, state) == 0.0)
    };
    // Everything is there from the first, at 0.
    let told = services.identity.tells("an empty outbox", quiet).await;
    assert_eq!(gauge(&told, "scim_platform_breaker_open"), 0.0);
    let failed = |told: &Metrics| {
        let away = [
            OF,
            ("outcome", "later"),
            ("reason", "PLATFORM_UNAVAILABLE"),
            ("scim_resource_type", "User"),
        ];
        told.value("scim_deliveries_total", &away)
    };
    assert_eq!(failed(&told), Some(0.0));
    assert_eq!(
        told.value("scim_resources", &[OF, ("scim_resource_type", "User")]),
        Some(0.0)
    );

    services.platform.kill().await;
    for number in 0..9 {
        scim.create_user(&format!("user{number}@kestrel.example")).await;
    }
    let told = services
        .identity
        .tells("nine that wait, and an open breaker", |told| {
            items(told, "pending") == 9.0
                && age(told, "pending") > 0.0
                && gauge(told, "scim_platform_breaker_open") == 1.0
        })
        .await;
    assert!(failed(&told) >= Some(8.0));
    assert!(told.value("scim_platform_breaker_changes_total", &[OF, ("state", "open")]) >= Some(1.0));
    let before = age(&told, "pending");
    services
        .identity
        .tells("that it gets older", |told| age(told, "pending") > before + 1.0)
        .await;

    services.platform.start();
    services.platform.ready().await;
    let told = services
        .identity
        .tells("an empty outbox again", |told| {
            quiet(told) && told.value("scim_resources", &[OF, ("scim_resource_type", "User")]) == Some(9.0)
        })
        .await;
    assert_eq!(gauge(&told, "scim_platform_breaker_open"), 0.0);
    let applied = [
        OF,
        ("outcome", "applied"),
        ("reason", ""),
        ("scim_resource_type", "User"),
    ];
    assert_eq!(told.value("scim_deliveries_total", &applied), Some(9.0));
    let delays = [OF, ("outcome", "applied"), ("scim_resource_type", "User")];
    assert_eq!(told.value("scim_delivery_delay_seconds_count", &delays), Some(9.0));
    assert!(told.value("scim_delivery_delay_seconds_sum", &delays) > Some(9.0 * before));
    // The file answered all the while.
    assert!(
        told.sum(
            "db_client_operation_duration_seconds_count",
            &[("db_operation_name", "settle")]
        ) >= 17.0
    );
    assert!(told.all().all(|series| {
        series.name() != "db_client_operation_duration_seconds_count"
            || series
                .pairs()
                .all(|(label, value)| label != "db_system_name" || value == "redb")
    }));
}

#[tokio::test]
async fn brakes_pauses_and_a_dry_run_are_told() {
    let mut services = Services::start(&[]).await;
    services.identity.restart_with("--max-removals-per-hour=1").await;
    let scim = services.scim();
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(scim.create_user(&format!("user{number}@kestrel.example")).await);
    }
    services.settled().await;
    for id in &ids {
        scim.delete(&format!("/Users/{id}")).await.expect(204);
    }
    let engaged = |told: &Metrics, brake: &str| told.value("scim_brake_engaged", &[OF, ("brake", brake)]);
    let told = services
        .identity
        .tells("two that are held", |told| {
            items(told, "held") == 2.0 && age(told, "held") > 0.0
        })
        .await;
    assert_eq!(
        ["removals", "deactivations", "alarm"].map(|brake| engaged(&told, brake)),
        [Some(1.0), Some(0.0), Some(0.0)]
    );
    assert_eq!(
        told.value("scim_brakes_held_total", &[OF, ("brake", "removals")]),
        Some(2.0)
    );
    for id in &ids[1..] {
        let request = ReleaseDeliveryRequest {
            tenant: TENANT.to_owned(),
            resource_id: id.clone(),
        };
        services.deliveries().release_delivery(request).await.unwrap();
    }
    let released = |told: &Metrics| items(told, "held") == 0.0 && engaged(told, "removals") == Some(0.0);
    let told = services.identity.tells("that nothing is held", released).await;
    assert_eq!(
        (gauge(&told, "scim_tenant_paused"), gauge(&told, "scim_tenant_dry_run")),
        (0.0, 0.0)
    );

    let pause = PauseDeliveriesRequest {
        tenant: TENANT.to_owned(),
        ..PauseDeliveriesRequest::default()
    };
    services.deliveries().pause_deliveries(pause).await.unwrap();
    services
        .identity
        .tells("the pause", |told| gauge(told, "scim_tenant_paused") == 1.0)
        .await;
    let resume = ResumeDeliveriesRequest {
        tenant: TENANT.to_owned(),
    };
    services.deliveries().resume_deliveries(resume).await.unwrap();
    services
        .identity
        .tells("the end of the pause", |told| gauge(told, "scim_tenant_paused") == 0.0)
        .await;

    services.identity.restart_with("--dry-run=true").await;
    services.gateway.ready().await;
    scim.create_user("late@kestrel.example").await;
    services
        .identity
        .tells("what is planned", |told| {
            gauge(told, "scim_tenant_dry_run") == 1.0 && items(told, "planned") == 1.0 && age(told, "planned") > 0.0
        })
        .await;
}

#[tokio::test]
async fn what_a_comparison_found_is_told_until_the_next() {
    let mut services = Services::start(&[]).await;
    // What was changed within a lease is not compared.
    services.identity.restart_with("--delivery-lease=1s").await;
    services.gateway.ready().await;
    let (scim, platform) = (services.scim(), services.platform_side());
    let id = scim.create_user("anna@kestrel.example").await;
    services.settled().await;
    let found = |told: &Metrics, kind: &str| told.value("scim_drift_found", &[OF, ("kind", kind)]);
    let told = services
        .identity
        .tells("that nobody compared", |told| found(told, "changed") == Some(0.0))
        .await;
    assert_eq!(gauge(&told, "scim_drift_last_comparison_timestamp_seconds"), 0.0);
    let account = platform.account("anna@kestrel.example").await;
    let by_hand = json!({"DisplayName": "Somebody else"});
    platform.edit(account["ID"].as_str().unwrap(), by_hand).await;
    let began = jiff::Timestamp::now().as_second() as f64;
    let compared = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            services.compare().await;
            let told = services.identity.scrape().await;
            if told.value("scim_drift_differences_total", &[OF, ("kind", "changed")]) >= Some(1.0) {
                return;
            }
        }
    });
    compared.await.expect("the change is found");
    services
        .identity
        .tells("the difference, and when it was found", |told| {
            found(told, "changed") == Some(1.0) && gauge(told, "scim_drift_last_comparison_timestamp_seconds") >= began
        })
        .await;
    // Set right, it is found no more.
    scim.patch(
        &format!("/Users/{id}"),
        json!({"op": "Replace", "path": "displayName", "value": "Anna Roy"}),
    )
    .await
    .expect(204);
    services.settled().await;
    services.compare().await;
    services
        .identity
        .tells("that nothing differs", |told| found(told, "changed") == Some(0.0))
        .await;
}

#[tokio::test]
async fn the_days_that_are_left_are_told_and_spoken_of() {
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let expires = format!("--platform-client-secret-expires={}", &tomorrow.to_string()[..10]);
    let mut services = Services::start_apart([&[], &[], &[&expires]]).await;
    let days = |told: &Metrics, credential: &str| {
        let labels = [OF, ("credential", credential), ("kind", "bearer_token")];
        told.value("scim_credential_remaining_days", &labels)
    };
    services.token_for("long", 90).await;
    services.token_for("short", 5).await;
    let told = services
        .identity
        .tells("both ends", |told| {
            days(told, "long").is_some() && days(told, "short").is_some()
        })
        .await;
    let (long, short) = (days(&told, "long").unwrap(), days(&told, "short").unwrap());
    assert!(
        (89.9..=90.0).contains(&long) && (4.9..=5.0).contains(&short),
        "{long} {short}"
    );
    // What settings name has no end.
    assert_eq!(told.of("scim_credential_remaining_days").len(), 2);
    let secret = gauge(&services.adapter.scrape().await, "platform_secret_remaining_days");
    assert!((0.9..=2.0).contains(&secret), "{secret}");
    let log = services.adapter.log();
    let told: Vec<_> = log
        .lines()
        .filter(|line| line.contains("secret of the Platform's service user ends soon"))
        .collect();
    assert!(told.len() == 1 && told[0].contains("WARN"), "{log}");
    // The service speaks of what ends soon when it starts, and then once a day; not of what does not.
    services.identity.restart().await;
    let spoken = |process: &Process| {
        let log = process.log();
        let told = log
            .lines()
            .filter(|line| line.contains("a credential of SCIM ends soon"));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    services
        .identity
        .tells("figures again", |told| days(told, "short").is_some())
        .await;
    let said = spoken(&services.identity);
    assert!(said.len() == 1 && said[0].contains("short"), "{said:?}");
}
