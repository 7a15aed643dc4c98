//! What the services tell of themselves: docs/metrics.md is what they emit, no more and no less; the figures are right; nothing
//! personal is in them; and nobody who calls can make more of them.

mod long;
pub(crate) mod page;
mod text;
mod values;
mod vanish;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::Method;
use jiff::Timestamp;
use proto::identity::v1::{
    CreateBearerTokenRequest, PlanDriftRequest, credential_service_client::CredentialServiceClient,
    delivery_service_client::DeliveryServiceClient, drift_service_client::DriftServiceClient,
};
use serde_json::json;
use service_runtime::Connection;
use tokio::time::Instant;

use self::text::Metrics;
use crate::{
    deployment::{Scim, TENANT, TOKEN, fault, user},
    processes::{PATIENCE, Process, Services},
};

/// How often a test looks at figures that are made anew every few seconds.
const PAUSE: Duration = Duration::from_millis(200);
/// A day of which no test will see the end.
const FAR_AWAY: &str = "--platform-client-secret-expires=2099-12-31";

impl Process {
    /// What it tells of itself now.
    async fn scrape(&self) -> Metrics {
        Metrics::read(&self.metrics().await)
    }

    /// Waits until what it tells is so.
    async fn tells(&self, what: &str, so: impl Fn(&Metrics) -> bool) -> Metrics {
        let began = Instant::now();
        loop {
            let told = self.scrape().await;
            if so(&told) {
                return told;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: never so\n{}", told.text());
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Services {
    fn scim(&self) -> Scim {
        Scim::at(self.scim_base(), TOKEN)
    }

    fn connection(&self) -> Connection {
        service_runtime::connect(self.identity_url(), PATIENCE).unwrap()
    }

    fn deliveries(&self) -> DeliveryServiceClient<Connection> {
        DeliveryServiceClient::new(self.connection())
    }

    /// Compares with the Platform, and changes nothing.
    async fn compare(&self) {
        let request = PlanDriftRequest {
            tenant: TENANT.to_owned(),
        };
        let mut drift = DriftServiceClient::new(self.connection());
        let mut parts = drift.plan_drift(request).await.unwrap().into_inner();
        while parts.message().await.unwrap().is_some() {}
    }

    /// Makes a token that ends in so many days.
    async fn token_for(&self, name: &str, days: i64) -> String {
        let end = Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let request = CreateBearerTokenRequest {
            tenant: TENANT.to_owned(),
            name: name.to_owned(),
            expires_at: Some(proto::time::to_proto(end)),
            request_id: None,
        };
        let mut credentials = CredentialServiceClient::new(self.connection());
        credentials
            .create_bearer_token(request)
            .await
            .unwrap()
            .into_inner()
            .token
    }

    /// What each service tells, by its name.
    async fn scrape(&self) -> BTreeMap<&'static str, Metrics> {
        let mut told = BTreeMap::new();
        for process in [&self.gateway, &self.identity, &self.adapter] {
            told.insert(process.program(), process.scrape().await);
        }
        told
    }
}

/// A bit of everything that the services measure.
async fn a_working_day(services: &Services) {
    let (scim, platform) = (services.scim(), services.platform_side());
    let name = |who: &str| format!("{who}@kestrel.example");
    // An attribute that no field of the Platform is made of, and an answer that is lost.
    let mut anna = user(&name("anna"));
    anna["nickName"] = "Annie".into();
    platform
        .fault(fault("CDirectoryService/CreateUser", "lost_answer", 1))
        .await;
    let anna = scim.create("/Users", &anna).await;
    let bert = scim.create_user(&name("bert")).await;
    let group = scim.create_group("Racks", &[&anna, &bert]).await;
    services.settled().await;
    scim.patch(
        &format!("/Groups/{group}"),
        json!({"op": "Replace", "path": "members", "value": [{"value": anna}]}),
    )
    .await
    .expect(204);
    // A refusal in words that nobody knows.
    platform
        .fault(json!({
            "method": "CDirectoryService/ChangeUser",
            "fault": "failure",
            "times": 1,
            "message": "The moon of Cora is in the wrong house.",
            "error_id": "E_MOON",
        }))
        .await;
    let body = json!({"op": "Replace", "path": "title", "value": "Chief"});
    scim.patch(&format!("/Users/{bert}"), body).await;
    services.settled().await;
    services.compare().await;
    services.token_for("spare", 90).await;
    // Who may not, and what is too long.
    scim.with_token("dsg_a-token-of-nobody").get("/Users").await.expect(401);
    scim.get(&format!("/Users?filter={}", "x".repeat(40_000))).await;
    scim.raw(Method::POST, "/Users", "{").await.expect(400);
    scim.delete(&format!("/Users/{bert}")).await.expect(204);
    services.settled().await;
}

#[tokio::test]
async fn the_page_is_what_the_services_tell() {
    // Nobody is at the collector's address: what is lost is counted too.
    let collector = "--otlp-endpoint=http://127.0.0.1:1";
    let services = Services::start_apart([&[collector], &[collector], &[collector, FAR_AWAY]]).await;
    a_working_day(&services).await;
    // Figures of tenants are looked at every few seconds.
    services
        .identity
        .tells("a credential's end", |told| {
            !told.of("scim_credential_remaining_days").is_empty()
        })
        .await;
    let told = services.scrape().await;
    let rows = page::rows();
    let mut wrong = Vec::new();
    for row in &rows {
        for (service, told) in &told {
            let expected = row.services.contains(service);
            match told.kinds().get(row.name.as_str()) {
                None if expected && row.always => wrong.push(format!("{service} does not tell {}", row.name)),
                Some(_) if !expected => {
                    wrong.push(format!("{service} tells {}, and the page does not say so", row.name));
                }
                Some(kind) if *kind != row.kind => wrong.push(format!("{} is a {kind}, not a {}", row.name, row.kind)),
                _ => {}
            }
            let of = told.of(&row.name);
            let labels: BTreeSet<_> = of.iter().flat_map(|series| series.labels()).collect();
            for unknown in labels.iter().filter(|label| !row.labels.contains_key(**label)) {
                wrong.push(format!(
                    "{service}: {} has a label {unknown} that the page lacks",
                    row.name
                ));
            }
            for series in &of {
                let missing = |label: &&String| !series.labels().any(|present| present == label.as_str());
                let needed = row.labels.iter().filter(|(_, always)| **always).map(|(label, _)| label);
                for label in needed.filter(missing) {
                    wrong.push(format!("{service}: {} lacks the label {label}: {series:?}", row.name));
                }
            }
        }
    }
    let known: BTreeSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
    for (service, told) in &told {
        for name in told.kinds().keys().filter(|name| !known.contains(**name)) {
            wrong.push(format!("{service} tells {name}, which the page lacks"));
        }
    }
    assert!(wrong.is_empty(), "docs/metrics.md:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn nothing_personal_is_told() {
    let services = Services::start(&[]).await;
    a_working_day(&services).await;
    // Whoever asks for an access token is counted by address, which is nobody's to see.
    let token_url = services.scim_base().replace(gateway::BASE_PATH, gateway::TOKEN_PATH);
    let request = reqwest::Client::new()
        .post(token_url)
        .basic_auth("nobody", Some("wrong"));
    let request = request.form(&[("grant_type", "client_credentials")]);
    assert_eq!(request.send().await.unwrap().status(), 401);
    for (service, told) in services.scrape().await {
        for series in told.all() {
            for (label, value) in series.pairs() {
                assert!(
                    label != "scim_tenant" || value == TENANT,
                    "{service}: {label}={value:?} of {}",
                    series.name()
                );
                let value = value.to_lowercase();
                for personal in [
                    "anna", "bert", "annie", "racks", "cora", "moon", "chief", "kestrel", "@", "dsg_",
                ] {
                    assert!(
                        !value.contains(personal),
                        "{service}: {label}={value:?} of {}",
                        series.name()
                    );
                }
                let is_uuid = value.len() == 36 && value.matches('-').count() == 4;
                assert!(
                    !is_uuid || label == "service_instance_id",
                    "{service}: {label}={value:?} of {}",
                    series.name()
                );
            }
        }
    }
}
