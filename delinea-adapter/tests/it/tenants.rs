//! Several tenants of one adapter, each with a simulated Platform of its own.

use std::{path::PathBuf, time::Duration};

use proto::{
    adapter::v1::{
        ApplyUserRequest, CheckPlatformRequest, ExpectUsersRequest, ListPlatformGroupMembersRequest,
        ListPlatformGroupsRequest, ListPlatformUsersRequest, PlanUserRequest, RemovePlatformGroupMembersRequest,
        adapter_service_client::AdapterServiceClient, apply_user_response,
    },
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::{Value, json};
use service_runtime::{Connection, Running, health::State};
use tonic::{Code, Status};

use crate::world::{anna, failed, fresh, linked, start, wanted};

const PATIENCE: Duration = Duration::from_secs(30);

/// A Platform for each tenant, and the file that names them.
struct World {
    folder: tempfile::TempDir,
    platforms: Vec<(&'static str, platform_simulator::Running)>,
    http: reqwest::Client,
}

impl World {
    async fn new(names: &[&'static str]) -> Self {
        service_runtime::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "simulated-secret\n").unwrap();
        let mut platforms = Vec::new();
        for name in names {
            let config = platform_simulator::Config::ephemeral();
            platforms.push((*name, platform_simulator::start(config).await.unwrap()));
        }
        Self {
            folder,
            platforms,
            http: reqwest::Client::new(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tenants.toml")
    }

    fn section(&self, name: &str, more: &str) -> String {
        let platform = self.platforms.iter().find(|(of, _)| *of == name).unwrap();
        format!(
            "[tenants.{name}.platform]\nplatform_url = '{}'\nplatform_client_id = 'scim-gateway@example.com'\n\
             platform_client_secret = {{ file = '{}' }}\n{more}\n",
            platform.1.url(),
            self.folder.path().join("secret").display()
        )
    }

    /// Puts this into the file's place in one step.
    fn write(&self, text: &str) {
        let beside = self.folder.path().join("beside");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, self.path()).unwrap();
    }

    async fn adapter(&self, text: &str) -> (Running, AdapterServiceClient<Connection>) {
        self.write(text);
        let file = format!("--tenants-file={}", self.path().display());
        let common = ["--max-rps=0", "--read-back-timeout=1s", "--read-back-interval=20ms"];
        let base = ["adapter", "--listen=127.0.0.1:0", &file, "--tenants-poll=20ms"];
        let adapter = start(&[&base[..], &common[..]].concat()).await;
        tokio::time::timeout(PATIENCE, adapter.readiness().ready())
            .await
            .unwrap();
        let address = format!("http://{}", adapter.addr);
        let connection = service_runtime::connect(&address, Duration::from_secs(60)).unwrap();
        (adapter, AdapterServiceClient::new(connection))
    }

    async fn sim(&self, tenant: &str, method: &str, path: &str, body: Value) -> Value {
        let (_, platform) = self.platforms.iter().find(|(of, _)| *of == tenant).unwrap();
        let url = format!("{}/_sim/{path}", platform.url());
        let response = self
            .http
            .request(method.parse().unwrap(), url)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(response.status().is_success(), "{method} {path}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null)
    }

    async fn accounts(&self, tenant: &str, name: &str) -> usize {
        let state = self.sim(tenant, "GET", "state", Value::Null).await;
        let named = |user: &&Value| user["Name"] == name;
        state["users"].as_array().unwrap().iter().filter(named).count()
    }
}

fn of(tenant: &str, request: ApplyUserRequest) -> ApplyUserRequest {
    ApplyUserRequest {
        tenant: tenant.to_owned(),
        resource_id: "r1".to_owned(),
        ..request
    }
}

/// Creates an account, as identity-service would; gives its id.
async fn provision(client: &AdapterServiceClient<Connection>, tenant: &str, user: &User) -> Result<String, Status> {
    let name = user.user_name.clone().unwrap();
    let answer = client.clone().apply_user(of(tenant, wanted(user))).await?.into_inner();
    assert!(matches!(
        answer.outcome,
        Some(apply_user_response::Outcome::IntentRequired(_))
    ));
    let answer = client
        .clone()
        .apply_user(of(tenant, fresh(user, &name)))
        .await?
        .into_inner();
    match answer.outcome {
        Some(apply_user_response::Outcome::Applied(applied)) => Ok(applied.link.unwrap().platform_id),
        other => panic!("{other:?}"),
    }
}

async fn degraded(adapter: &Running, dependency: &str, told: &str) {
    let mut reports = adapter.readiness().subscribe();
    let is_told = |state: Option<&State>| matches!(state, Some(State::Degraded(said)) if said.contains(told));
    let report = reports.wait_for(|report| is_told(report.dependencies.get(dependency)));
    let report = tokio::time::timeout(PATIENCE, report).await.unwrap().unwrap();
    assert!(report.is_ready(), "one tenant makes nobody unready");
}

async fn settled(adapter: &Running, settled: impl Fn(&service_runtime::health::Report) -> bool) {
    let mut reports = adapter.readiness().subscribe();
    tokio::time::timeout(PATIENCE, reports.wait_for(|report| settled(report)))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn the_same_name_in_two_tenants_is_two_accounts() {
    let world = World::new(&["kestrel", "merlin"]).await;
    let text = world.section("kestrel", "default_suffix = 'kestrel.example'") + &world.section("merlin", "");
    let (_adapter, client) = world.adapter(&text).await;
    let kestrel = provision(&client, "kestrel", &anna()).await.unwrap();
    assert_eq!(world.accounts("merlin", "anna@example.com").await, 0);
    let merlin = provision(&client, "merlin", &anna()).await.unwrap();
    for tenant in ["kestrel", "merlin"] {
        assert_eq!(world.accounts(tenant, "anna@example.com").await, 1, "{tenant}");
    }
    // An id of the neighbour's is nobody's here: what is linked and gone is made anew, and the neighbour's is not touched.
    let renamed = User {
        display_name: Some("Anna of Merlin".to_owned()),
        ..anna()
    };
    client
        .clone()
        .apply_user(of("merlin", linked(&renamed, &merlin)))
        .await
        .unwrap();
    let _ = client
        .clone()
        .apply_user(of("merlin", linked(&renamed, &kestrel)))
        .await;
    let state = world.sim("kestrel", "GET", "state", Value::Null).await;
    let all = state["users"].to_string();
    assert!(!all.contains("Anna of Merlin"), "{all}");
}

#[tokio::test]
async fn every_call_for_a_tenant_that_is_not_served_says_so() {
    let world = World::new(&["kestrel"]).await;
    let (_adapter, mut client) = world.adapter(&world.section("kestrel", "")).await;
    for tenant in ["default", "merlin", "Kestrel", "kestrel ", "", "KESTREL"] {
        let name = || tenant.to_owned();
        let unknown = (Code::NotFound, ErrorReason::UnknownTenant);
        assert_eq!(failed(client.apply_user(of(tenant, wanted(&anna()))).await), unknown);
        let plan = PlanUserRequest {
            apply: Some(of(tenant, wanted(&anna()))),
        };
        assert_eq!(failed(client.plan_user(plan).await), unknown);
        let mut group = crate::world::wanted_group("Staff");
        group.tenant = name();
        assert_eq!(failed(client.apply_group(group.clone()).await), unknown);
        let plan = proto::adapter::v1::PlanGroupRequest { apply: Some(group) };
        assert_eq!(failed(client.plan_group(plan).await), unknown);
        let request = ListPlatformUsersRequest { tenant: name() };
        assert_eq!(failed(client.list_platform_users(request).await.map(drop)), unknown);
        let request = ListPlatformGroupsRequest { tenant: name() };
        assert_eq!(failed(client.list_platform_groups(request).await.map(drop)), unknown);
        let request = ListPlatformGroupMembersRequest {
            tenant: name(),
            platform_id: "x".to_owned(),
        };
        assert_eq!(
            failed(client.list_platform_group_members(request).await.map(drop)),
            unknown
        );
        let request = RemovePlatformGroupMembersRequest {
            tenant: name(),
            platform_id: "x".to_owned(),
            ..RemovePlatformGroupMembersRequest::default()
        };
        assert_eq!(failed(client.remove_platform_group_members(request).await), unknown);
        let request = ExpectUsersRequest {
            tenant: name(),
            users: vec![anna()],
        };
        assert_eq!(failed(client.expect_users(request).await), unknown);
        let request = proto::adapter::v1::ExpectGroupsRequest {
            tenant: name(),
            groups: Vec::new(),
        };
        assert_eq!(failed(client.expect_groups(request).await), unknown);
        let request = CheckPlatformRequest {
            tenant: name(),
            suffixes: Vec::new(),
        };
        assert_eq!(failed(client.check_platform(request).await), unknown);
    }
}

/// P4: one tenant's Platform that hangs or gives no token holds up no other, and does not make the service unready.
#[tokio::test]
async fn one_broken_platform_is_told_and_holds_up_nobody() {
    let world = World::new(&["kestrel", "merlin"]).await;
    world
        .sim(
            "merlin",
            "POST",
            "faults",
            json!({"method": "*", "fault": "unavailable"}),
        )
        .await;
    let text = world.section("kestrel", "") + &world.section("merlin", "");
    let (adapter, client) = world.adapter(&text).await;
    degraded(&adapter, "platform of merlin", "").await;
    settled(&adapter, |report| {
        report.dependencies.get("platform of kestrel") == Some(&State::Ready)
    })
    .await;
    provision(&client, "kestrel", &anna()).await.unwrap();
    let (code, _) = failed(provision(&client, "merlin", &anna()).await);
    assert_eq!(code, Code::Unavailable);
    // One that hangs: the other's call is answered while its own still waits.
    world.sim("merlin", "DELETE", "faults", Value::Null).await;
    world
        .sim(
            "merlin",
            "POST",
            "faults",
            json!({"method": "*", "fault": "slow", "delay_ms": 20_000}),
        )
        .await;
    let (mut hanging, user) = (client.clone(), anna());
    let hangs = tokio::spawn(async move { hanging.apply_user(of("merlin", wanted(&user))).await });
    let bertil = User {
        user_name: Some("bertil@example.com".to_owned()),
        ..anna()
    };
    provision(&client, "kestrel", &bertil).await.unwrap();
    assert!(!hangs.is_finished(), "the neighbour still waits for its own Platform");
    hangs.abort();
}

#[tokio::test]
async fn tenants_come_change_and_go_while_requests_run() {
    let world = World::new(&["kestrel", "merlin"]).await;
    let kestrel = world.section("kestrel", "");
    let (adapter, client) = world.adapter(&kestrel).await;
    let tokens = async || {
        let state = world.sim("kestrel", "GET", "state", Value::Null).await;
        state["calls"]["token"].as_u64().unwrap()
    };
    settled(&adapter, |report| {
        report.dependencies.get("platform of kestrel") == Some(&State::Ready)
    })
    .await;
    let had = tokens().await;
    let id = provision(&client, "kestrel", &anna()).await.unwrap();
    let unknown = (Code::NotFound, ErrorReason::UnknownTenant);
    assert_eq!(failed(provision(&client, "merlin", &anna()).await), unknown);

    // One more: it is served, and the other keeps its token.
    world.write(&(kestrel.clone() + &world.section("merlin", "")));
    settled(&adapter, |report| {
        report.dependencies.get("platform of merlin") == Some(&State::Ready)
    })
    .await;
    let of_merlin = provision(&client, "merlin", &anna()).await.unwrap();
    assert_eq!(tokens().await, had, "an unchanged tenant asks for no new token");

    // A faulty file changes nothing and is told with its place; what runs goes on.
    world.write(&(kestrel.clone() + "[tenants.merlin.platform]\nplatform_client_secret = 's3cret'\n"));
    degraded(
        &adapter,
        "tenants file",
        "tenants.merlin.platform.platform_client_secret: is a secret",
    )
    .await;
    client
        .clone()
        .apply_user(of("merlin", linked(&anna(), &of_merlin)))
        .await
        .unwrap();

    // It goes while a call of its own is under way, which ends as it would have.
    world
        .sim(
            "merlin",
            "POST",
            "faults",
            json!({"method": "*", "fault": "slow", "delay_ms": 1_500, "times": 1}),
        )
        .await;
    let (mut slow, bertil) = (
        client.clone(),
        User {
            user_name: Some("bertil@example.com".to_owned()),
            ..anna()
        },
    );
    let under_way = tokio::spawn(async move { slow.apply_user(of("merlin", wanted(&bertil))).await });
    let hit = async {
        while world.sim("merlin", "GET", "faults", Value::Null).await[0]["hits"] == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, hit).await.unwrap();
    world.write(&kestrel);
    settled(&adapter, |report| {
        !report.dependencies.contains_key("platform of merlin")
            && report.dependencies.get("tenants file") == Some(&State::Ready)
    })
    .await;
    assert_eq!(
        failed(client.clone().apply_user(of("merlin", wanted(&anna()))).await),
        unknown
    );
    under_way.await.unwrap().unwrap();

    // Settings that changed hold for the next call.
    world.write(&world.section("kestrel", "allow_rename = false"));
    let refused = async {
        // While the old settings hold, each goes through.
        for number in 0.. {
            let renamed = User {
                user_name: Some(format!("anna{number}@example.com")),
                ..anna()
            };
            let answer = client.clone().apply_user(of("kestrel", linked(&renamed, &id))).await;
            if answer.is_err_and(|status| status.message().contains("ALLOW_RENAME")) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
}
