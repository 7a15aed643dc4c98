//! What becomes of one tenant holds up no other (P4): its Platform hangs, it is taken out of the file, its settings change.

use proto::{
    identity::v1::{
        CreateUserRequest, DeliveryState, GetDeliveryRequest, delivery_service_client::DeliveryServiceClient,
        user_service_client::UserServiceClient,
    },
    resource::v1::User,
};
use serde_json::json;

use super::{NAMES, PATIENCE, PAUSE, Two, until};
use crate::deployment::settings;

impl Two {
    async fn state(&self, tenant: usize, id: &str) -> DeliveryState {
        let request = GetDeliveryRequest {
            tenant: NAMES[tenant].to_owned(),
            resource_id: id.to_owned(),
        };
        let delivery = self.deliveries().get_delivery(request).await.unwrap();
        delivery.into_inner().delivery.unwrap().state()
    }
}

#[tokio::test]
async fn a_platform_that_hangs_holds_up_one_tenant() {
    let two = Two::start(
        &["--answer-wait=20s", "--delivery-concurrency=2"],
        ["", "answer_wait = 0"],
    )
    .await;
    two.platforms[1]
        .fault(json!({"method": "*", "fault": "slow", "delay_ms": 5_000}))
        .await;
    let [kestrel, merlin] = &two.scim;
    // More than merlin has slots, and more failures than its breaker takes.
    for number in 0..20 {
        merlin.create_user(&format!("m{number}@merlin.example")).await;
    }
    for number in 0..10 {
        let id = kestrel.create_user(&format!("k{number}@kestrel.example")).await;
        assert_eq!(
            two.state(0, &id).await,
            DeliveryState::Applied,
            "its answer waited for the verdict, and it came"
        );
    }
    assert!(
        two.summary(1).await.unwrap().pending > 0,
        "the neighbour still waits for its Platform"
    );
    assert!(two.adapter.readiness().report().is_ready() && two.identity.readiness().report().is_ready());
    two.platforms[1].no_faults().await;
    two.settled(1).await;
    assert_eq!((two.names(0).await.len(), two.names(1).await.len()), (10, 20));
    assert!(two.names(0).await.iter().all(|name| name.starts_with('k')));
}

#[tokio::test]
async fn a_tenant_that_went_is_delivered_no_more_and_its_credential_opens_nothing() {
    let two = Two::start(&["--answer-wait=0"], ["", "dry_run = true"]).await;
    let [kestrel, merlin] = &two.scim;
    merlin.create_user("m1@merlin.example").await;
    until(async || two.summary(1).await.unwrap().planned == 1).await;
    // It goes, with its work not done.
    two.write(&[two.section(0, "")]);
    until(async || two.summary(1).await.is_err()).await;
    until(async || merlin.get("/Users").await.status == 401).await;
    until(async || {
        !two.adapter
            .readiness()
            .report()
            .dependencies
            .contains_key("platform of merlin")
    })
    .await;
    two.platforms[1].forget_calls().await;
    kestrel.create_user("k1@kestrel.example").await;
    two.settled(0).await;
    assert_eq!(two.platforms[1].calls().await, 0, "nobody calls its Platform");
    // It comes back, and may write now: what was only planned is done.
    two.write(&[two.section(0, ""), two.section(1, "")]);
    until(async || two.names(1).await == ["m1@merlin.example"]).await;
    until(async || merlin.get("/Users").await.status == 200).await;
    assert_eq!(two.names(0).await, ["k1@kestrel.example"]);
}

/// The two services read the file each at its own time.
#[tokio::test]
async fn a_tenant_that_the_adapter_does_not_know_yet_is_delivered_later() {
    let two = Two::start(&["--answer-wait=0"], [""; 2]).await;
    let only_kestrel = two.folder.path().join("only-kestrel.toml");
    std::fs::write(&only_kestrel, two.section(0, "")).unwrap();
    let flags = [
        "--listen=127.0.0.1:0".to_owned(),
        format!("--tenants-file={}", only_kestrel.display()),
        "--tenants-poll=20ms".to_owned(),
        "--max-rps=0".to_owned(),
    ];
    let late = delinea_adapter::start(settings(&flags)).await.unwrap();
    let flags = [
        "--listen=127.0.0.1:0".to_owned(),
        format!("--data-dir={}", two.folder.path().join("second").display()),
        format!("--adapter-url=http://{}", late.addr),
        format!("--tenants-file={}", two.folder.path().join("tenants.toml").display()),
        "--tenants-poll=20ms".to_owned(),
        "--answer-wait=0".to_owned(),
        "--backoff-base=10ms".to_owned(),
        "--backoff-ceiling=200ms".to_owned(),
    ];
    let second = identity_service::start(settings(&flags)).await.unwrap();
    let connection = service_runtime::connect(&format!("http://{}", second.addr), PATIENCE).unwrap();
    let mut users = UserServiceClient::new(connection.clone());
    let mut deliveries = DeliveryServiceClient::new(connection);
    let created = users.create_user(CreateUserRequest {
        tenant: "merlin".to_owned(),
        user: Some(User {
            user_name: Some("late@merlin.example".to_owned()),
            ..User::default()
        }),
        request_id: None,
    });
    let late_one = created.await.unwrap().into_inner().user.unwrap().id.unwrap();
    let mut delivery = async || {
        let request = GetDeliveryRequest {
            tenant: "merlin".to_owned(),
            resource_id: late_one.clone(),
        };
        deliveries
            .get_delivery(request)
            .await
            .unwrap()
            .into_inner()
            .delivery
            .unwrap()
    };
    let mut told = None;
    while told.is_none() {
        let now = delivery().await;
        assert_eq!(now.state(), DeliveryState::Pending, "{now:?}");
        told = now.last_error_reason;
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(told.as_deref(), Some("UNKNOWN_TENANT"));
    std::fs::write(&only_kestrel, [two.section(0, ""), two.section(1, "")].concat()).unwrap();
    let wait = async {
        while delivery().await.state() != DeliveryState::Applied {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is delivered");
    assert_eq!(two.names(1).await, ["late@merlin.example"]);
}
