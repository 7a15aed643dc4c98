//! Brakes, pauses and the order of deliveries (P9): an accident is held where a person can look at it, and no leaver keeps
//! access for it.

use std::time::Duration;

use proto::identity::v1::{
    Brake, DeliveryState, PauseDeliveriesRequest, ReleaseDeliveryRequest, ResumeDeliveriesRequest,
    SummarizeDeliveriesRequest, SummarizeDeliveriesResponse,
};
use serde_json::json;

use crate::{
    deployment::{Deployment, Scim, Setup, TENANT, TOKEN},
    processes::Services,
};

async fn braked(flags: &[&str]) -> Deployment {
    Setup::default().identity(flags).start().await
}

impl Deployment {
    pub(crate) async fn staff(&self, count: usize) -> Vec<(String, String)> {
        let mut users = Vec::new();
        for number in 0..count {
            let name = format!("user{number:02}@kestrel.example");
            users.push((self.scim.create_user(&name).await, name));
        }
        self.settled().await;
        users
    }

    pub(crate) async fn deactivate(&self, id: &str) {
        let body = json!({"op": "Replace", "path": "active", "value": "False"});
        self.scim.patch(&format!("/Users/{id}"), body).await.expect(204);
    }

    pub(crate) async fn release(&self, id: &str) -> Result<(), tonic::Status> {
        let request = ReleaseDeliveryRequest {
            tenant: TENANT.to_owned(),
            resource_id: id.to_owned(),
        };
        self.deliveries().release_delivery(request).await.map(drop)
    }

    pub(crate) async fn summary(&self) -> SummarizeDeliveriesResponse {
        let request = SummarizeDeliveriesRequest {
            tenant: TENANT.to_owned(),
        };
        self.deliveries()
            .summarize_deliveries(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub(crate) async fn is_disabled(&self, name: &str) -> bool {
        self.platform.account(name).await["State"] == "Disabled"
    }
}

#[tokio::test]
async fn a_leaver_beyond_the_brake_on_removals_is_disabled_at_once() {
    let it = braked(&["--max-removals-per-hour=2"]).await;
    let users = it.staff(4).await;
    for (id, _) in &users {
        it.scim.delete(&format!("/Users/{id}")).await.expect(204);
    }
    it.until(async |it| it.summary().await.held == 2 && it.summary().await.pending == 0)
        .await;
    let left: Vec<_> = it.platform.names().await;
    assert_eq!(left, [users[2].1.clone(), users[3].1.clone()], "two were let through");
    for (id, name) in &users[2..] {
        assert!(it.is_disabled(name).await, "{name}");
        let held = it.delivery(id).await.unwrap();
        assert_eq!((held.state(), held.brake()), (DeliveryState::Held, Brake::Removals));
        assert!(held.deleted && held.next_attempt_at.is_none());
    }
    assert_eq!(it.listed(DeliveryState::Held).await.len(), 2);
    it.release(&users[2].0).await.unwrap();
    it.until(async |it| it.platform.names().await == [users[3].1.clone()])
        .await;
    // Who comes back takes the account over, and nobody needs to release it.
    it.scim.create_user(&users[3].1).await;
    it.settled().await;
    assert!(!it.is_disabled(&users[3].1).await);
    assert_eq!(it.summary().await.held, 0);
}

#[tokio::test]
async fn a_mass_deactivation_is_held_and_everything_else_goes_on() {
    let it = braked(&["--max-deactivations-per-hour=3"]).await;
    let users = it.staff(10).await;
    for (id, _) in &users[..5] {
        it.deactivate(id).await;
    }
    it.until(async |it| it.summary().await.pending == 0).await;
    let mut disabled = Vec::new();
    for (_, name) in &users {
        disabled.push(it.is_disabled(name).await);
    }
    assert_eq!(disabled.iter().filter(|disabled| **disabled).count(), 3);
    assert_eq!(it.summary().await.held, 2);
    let held = it.listed(DeliveryState::Held).await;
    assert!(held.iter().all(|held| held.brake() == Brake::Deactivations));
    // SCIM shows what is wanted.
    for (id, _) in &users[..5] {
        assert_eq!(it.scim.get(&format!("/Users/{id}")).await.expect(200)["active"], false);
    }
    // Who is let in again is held no longer; who is released is disabled.
    let (back, gone) = (&held[0].resource_id, &held[1].resource_id);
    let body = json!({"op": "Replace", "path": "active", "value": "True"});
    it.scim.patch(&format!("/Users/{back}"), body).await.expect(204);
    it.release(gone).await.unwrap();
    it.settled().await;
    let name = |id: &str| users.iter().find(|(known, _)| known == id).unwrap().1.clone();
    assert!(!it.is_disabled(&name(back)).await && it.is_disabled(&name(gone)).await);
    let refused = it.release(back).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert_eq!(refused.message(), format!("nothing of {back} is held"));
}

#[tokio::test]
async fn a_mass_deactivation_raises_its_alert() {
    let mut services = Services::start(&[]).await;
    services.identity.stop().await;
    services.identity.set("--max-deactivations-per-hour=1");
    services.identity.start();
    services.ready().await;
    let scim = Scim::at(services.scim_base(), TOKEN);
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(scim.create_user(&format!("user{number}@kestrel.example")).await);
    }
    services.settled().await;
    let alert = "more are deactivated than MAX_DEACTIVATIONS_PER_HOUR";
    // Three of ten, of whom one may.
    for (number, id) in ids[..3].iter().enumerate() {
        assert_eq!(services.identity.log().matches(alert).count(), number.saturating_sub(1));
        let body = json!({"op": "Replace", "path": "active", "value": "False"});
        scim.patch(&format!("/Users/{id}"), body).await.expect(204);
    }
    let log = services.identity.log();
    let alerts: Vec<_> = log.lines().filter(|line| line.contains(alert)).collect();
    assert!(
        alerts.len() == 2 && alerts.iter().all(|line| line.contains("ERROR")),
        "{log}"
    );
    let metrics = services.identity.metrics().await;
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("scim_brakes_held") && line.contains("deactivations"));
    assert!(counted.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
}

#[tokio::test]
async fn many_members_taken_out_of_a_group_at_once_are_held() {
    let it = braked(&["--max-removals-per-hour=5"]).await;
    let users = it.staff(25).await;
    let ids: Vec<_> = users.iter().map(|(id, _)| id).collect();
    let group = it.scim.create_group("Rack", &ids).await;
    it.settled().await;
    let none = json!({"op": "Replace", "path": "members", "value": [{"value": users[0].0}]});
    it.scim.patch(&format!("/Groups/{group}"), none).await.expect(204);
    it.until(async |it| it.summary().await.pending == 0).await;
    assert_eq!(it.platform.members("Rack").await.len(), 25);
    assert_eq!(it.delivery(&group).await.unwrap().state(), DeliveryState::Held);
    it.release(&group).await.unwrap();
    it.settled().await;
    assert_eq!(it.platform.members("Rack").await, [users[0].1.clone()].into());
}

#[tokio::test]
async fn a_paused_tenant_takes_everything_and_delivers_nothing() {
    let it = braked(&[]).await;
    let users = it.staff(1).await;
    let pause = PauseDeliveriesRequest {
        tenant: TENANT.to_owned(),
        paused_by: "Hana".to_owned(),
        reason: "the Platform is being moved".to_owned(),
    };
    it.deliveries().pause_deliveries(pause).await.unwrap();
    let calls = it.platform.calls().await;
    it.deactivate(&users[0].0).await;
    let new = it.scim.create_user("new@kestrel.example").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(it.platform.calls().await, calls);
    let summary = it.summary().await;
    assert_eq!(
        (summary.pending, summary.pause.unwrap().paused_by),
        (2, "Hana".to_owned())
    );
    assert_eq!(it.delivery(&new).await.unwrap().state(), DeliveryState::Pending);
    let resume = ResumeDeliveriesRequest {
        tenant: TENANT.to_owned(),
    };
    let ended = it
        .deliveries()
        .resume_deliveries(resume)
        .await
        .unwrap()
        .into_inner()
        .ended;
    assert_eq!(ended.unwrap().reason, "the Platform is being moved");
    it.settled().await;
    assert!(it.is_disabled(&users[0].1).await);
}

#[tokio::test]
async fn a_deactivation_overtakes_whatever_waits() {
    let it = braked(&["--delivery-concurrency=1"]).await;
    let users = it.staff(1).await;
    it.platform.profile(json!({"latency_ms": 20})).await;
    for number in 0..30 {
        it.scim.create_user(&format!("new{number:02}@kestrel.example")).await;
    }
    it.deactivate(&users[0].0).await;
    it.until(async |it| it.is_disabled(&users[0].1).await).await;
    let made = it.platform.names().await.len();
    assert!(made < 20, "{made} were made before the leaver was disabled");
}
