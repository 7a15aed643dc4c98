//! An adapter, a simulated Platform, and what tests say to them.

use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use delinea_adapter::Config;
use proto::{
    adapter::v1::{
        Adoption, ApplyGroupRequest, ApplyUserRequest, CheckPlatformRequest, Found, GroupApplied, IntentRequired,
        Intents, Link, ListPlatformUsersRequest, PlanGroupRequest, PlanUserRequest, Planned, PlatformUser, Removal,
        RemovalMode, UserApplied, adapter_service_client::AdapterServiceClient, apply_group_request,
        apply_group_response, apply_user_request, apply_user_response, plan_group_response, plan_user_response,
    },
    error::{Details, ErrorReason},
    resource::v1::{Group, MultiValue, User},
};
use serde_json::{Value, json};
use service_runtime::{Connection, Running};
use tonic::Status;

/// What a test has to itself.
pub(crate) struct World {
    pub(crate) client: AdapterServiceClient<Connection>,
    pub(crate) platform: platform_simulator::Running,
    _adapter: Running,
    http: reqwest::Client,
}

/// An answer to ApplyUser.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    Applied(T),
    Planned(Planned),
    IntentRequired(String),
    Found(Found),
}

impl<T: std::fmt::Debug> Answer<T> {
    pub(crate) fn applied(self) -> T {
        match self {
            Self::Applied(applied) => applied,
            other => panic!("{other:?}"),
        }
    }

    /// The steps of a plan.
    pub(crate) fn steps(self) -> Vec<String> {
        match self {
            Self::Planned(planned) => planned.steps,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn intent(self) -> String {
        match self {
            Self::IntentRequired(name) => name,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn found(self) -> Found {
        match self {
            Self::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A world whose adapter has these settings.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::of("", arguments).await
    }

    /// A world whose adapter has a file with this text, named by that setting; none where the text is empty.
    pub(crate) async fn with_file(setting: &str, text: &str, arguments: &[&str]) -> Self {
        if text.is_empty() {
            return Self::with(arguments).await;
        }
        // It is read at the start only.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.json");
        std::fs::write(&path, text).unwrap();
        let named = format!("--{setting}={}", path.display());
        Self::of("", &[&[named.as_str()], arguments].concat()).await
    }

    /// A world whose Platform behaves as a profile says, and whose adapter has these settings.
    pub(crate) async fn of(profile: &str, arguments: &[&str]) -> Self {
        service_runtime::install_crypto_provider();
        let config = platform_simulator::Config {
            profile: (!profile.is_empty()).then(|| profile.parse().unwrap()),
            ..platform_simulator::Config::ephemeral()
        };
        let platform = platform_simulator::start(config).await.unwrap();
        let url = platform.url();
        let base = [
            "adapter",
            "--listen=127.0.0.1:0",
            "--platform-url",
            &url,
            "--platform-client-id=scim-gateway@example.com",
            "--platform-client-secret=simulated-secret",
            "--platform-timeout=20s",
            "--max-rps=0",
            "--read-back-timeout=1s",
            "--read-back-interval=20ms",
        ];
        let adapter = start(&[&base[..], arguments].concat()).await;
        // The tenant has been asked what it exposes: from here on there are a test's own calls only.
        adapter.readiness().ready().await;
        let connection =
            service_runtime::connect(&format!("http://{}", adapter.addr), Duration::from_secs(60)).unwrap();
        let world = Self {
            client: AdapterServiceClient::new(connection),
            platform,
            _adapter: adapter,
            http: reqwest::Client::new(),
        };
        world.sim("DELETE", "calls", Value::Null).await;
        world
    }

    /// The accounts that ListPlatformUsers streams, by name, or the status that the stream ends with.
    pub(crate) async fn listed(&self) -> Result<Vec<PlatformUser>, Status> {
        let request = ListPlatformUsersRequest {
            tenant: "default".to_owned(),
        };
        let mut stream = self.client.clone().list_platform_users(request).await?.into_inner();
        let mut users = Vec::new();
        while let Some(batch) = stream.message().await? {
            users.extend(batch.users);
        }
        users.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(users)
    }

    /// The simulator's whole state.
    pub(crate) async fn state(&self) -> Value {
        let url = format!("{}/_sim/state", self.platform.url());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn sim(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/_sim/{path}", self.platform.url());
        let request = self.http.request(method.parse().unwrap(), url).json(&body);
        let response = request.send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{method} {path}: {}",
            response.text().await.unwrap()
        );
        let text = response.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub(crate) async fn profile(&self, fields: Value) {
        self.sim("PATCH", "profile", fields).await;
    }

    /// Makes the Platform another kind of tenant, and has the adapter ask it anew what it exposes.
    pub(crate) async fn becomes(&self, fields: Value) {
        self.profile(fields).await;
        let request = CheckPlatformRequest {
            tenant: "default".to_owned(),
            suffixes: Vec::new(),
        };
        self.client.clone().check_platform(request).await.unwrap();
        self.sim("DELETE", "calls", Value::Null).await;
    }

    pub(crate) async fn fault(&self, rule: Value) {
        self.sim("POST", "faults", rule).await;
    }

    pub(crate) async fn no_faults(&self) {
        self.sim("DELETE", "faults", Value::Null).await;
    }

    /// Accounts that somebody else made.
    pub(crate) async fn strangers(&self, users: Value) -> Vec<String> {
        let made = self.sim("POST", "users", users).await;
        made.as_array()
            .unwrap()
            .iter()
            .map(|user| user["ID"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The accounts of that name.
    pub(crate) async fn accounts(&self, name: &str) -> Vec<Value> {
        let state = self.state().await;
        let users = state["users"].as_array().unwrap().iter();
        users
            .filter(|user| user["Name"].as_str().unwrap().eq_ignore_ascii_case(name))
            .cloned()
            .collect()
    }

    /// The one account of that name.
    pub(crate) async fn account(&self, name: &str) -> Value {
        let mut found = self.accounts(name).await;
        assert_eq!(found.len(), 1, "accounts named {name}");
        found.remove(0)
    }

    /// From now on counts the calls of a method whose body has this text. It does them no harm.
    pub(crate) async fn watch(&self, method: &str, about: &str) {
        let harmless = json!({"method": method, "fault": "slow", "delay_ms": 0, "about": about});
        self.fault(harmless).await;
    }

    /// How many calls had the text that is watched for.
    pub(crate) async fn seen(&self, about: &str) -> u64 {
        let rules = self.sim("GET", "faults", Value::Null).await;
        let rule = rules.as_array().unwrap().iter().find(|rule| rule["about"] == about);
        rule.unwrap()["hits"].as_u64().unwrap()
    }

    pub(crate) async fn writes(&self) -> u64 {
        let state = self.state().await;
        assert_eq!(state["caller_edits"], 0, "the caller itself was changed");
        state["writes"].as_u64().unwrap()
    }

    pub(crate) async fn calls(&self, method: &str) -> u64 {
        self.state().await["calls"][method].as_u64().unwrap_or_default()
    }

    pub(crate) async fn apply_user(&self, request: ApplyUserRequest) -> Result<Answer<UserApplied>, Status> {
        let request = ApplyUserRequest {
            tenant: "default".to_owned(),
            resource_id: "r1".to_owned(),
            ..request
        };
        let answer = self.client.clone().apply_user(request).await?.into_inner();
        Ok(match answer.outcome.unwrap() {
            apply_user_response::Outcome::Applied(applied) => Answer::Applied(applied),
            apply_user_response::Outcome::IntentRequired(IntentRequired { name }) => Answer::IntentRequired(name),
            apply_user_response::Outcome::Found(found) => Answer::Found(found),
        })
    }

    pub(crate) async fn apply_group(&self, request: ApplyGroupRequest) -> Result<Answer<GroupApplied>, Status> {
        let request = ApplyGroupRequest {
            tenant: "default".to_owned(),
            resource_id: "g1".to_owned(),
            ..request
        };
        let answer = self.client.clone().apply_group(request).await?.into_inner();
        Ok(match answer.outcome.unwrap() {
            apply_group_response::Outcome::Applied(applied) => Answer::Applied(applied),
            apply_group_response::Outcome::IntentRequired(IntentRequired { name }) => Answer::IntentRequired(name),
            apply_group_response::Outcome::Found(found) => Answer::Found(found),
        })
    }

    /// What ApplyUser would write. Nothing may be written for it.
    pub(crate) async fn plan_user(&self, request: ApplyUserRequest) -> Result<Answer<UserApplied>, Status> {
        let apply = ApplyUserRequest {
            tenant: "default".to_owned(),
            resource_id: "r1".to_owned(),
            ..request
        };
        let written = self.writes().await;
        let answer = self
            .client
            .clone()
            .plan_user(PlanUserRequest { apply: Some(apply) })
            .await;
        assert_eq!(self.writes().await, written, "a plan writes nothing");
        Ok(match answer?.into_inner().outcome.unwrap() {
            plan_user_response::Outcome::Applied(applied) => Answer::Applied(applied),
            plan_user_response::Outcome::Planned(planned) => Answer::Planned(planned),
            plan_user_response::Outcome::Found(found) => Answer::Found(found),
        })
    }

    /// What ApplyGroup would write. Nothing may be written for it.
    pub(crate) async fn plan_group(&self, request: ApplyGroupRequest) -> Result<Answer<GroupApplied>, Status> {
        let apply = ApplyGroupRequest {
            tenant: "default".to_owned(),
            resource_id: "g1".to_owned(),
            ..request
        };
        let written = self.writes().await;
        let answer = self
            .client
            .clone()
            .plan_group(PlanGroupRequest { apply: Some(apply) })
            .await;
        assert_eq!(self.writes().await, written, "a plan writes nothing");
        Ok(match answer?.into_inner().outcome.unwrap() {
            plan_group_response::Outcome::Applied(applied) => Answer::Applied(applied),
            plan_group_response::Outcome::Planned(planned) => Answer::Planned(planned),
            plan_group_response::Outcome::Found(found) => Answer::Found(found),
        })
    }

    /// Applies what is found under an intent, once it was asked whose it is: nobody else's.
    pub(crate) async fn apply_found_user(&self, request: ApplyUserRequest) -> Result<UserApplied, Status> {
        let written = self.writes_of_changes().await;
        let found = self.apply_user(request.clone()).await?.found();
        assert_eq!(self.writes_of_changes().await, written, "nothing is written before");
        let intents = request.intents.as_ref().map(|intents| confirmed(intents, &found));
        let request = ApplyUserRequest { intents, ..request };
        Ok(self.apply_user(request).await?.applied())
    }

    /// The same for a group.
    pub(crate) async fn apply_found_group(&self, request: ApplyGroupRequest) -> Result<GroupApplied, Status> {
        let found = self.apply_group(request.clone()).await?.found();
        let intents = request.intents.as_ref().map(|intents| confirmed(intents, &found));
        let request = ApplyGroupRequest { intents, ..request };
        Ok(self.apply_group(request).await?.applied())
    }

    /// How many calls would have changed or removed an account.
    async fn writes_of_changes(&self) -> u64 {
        let state = self.state().await;
        let methods = [
            "CDirectoryService/ChangeUser",
            "CDirectoryService/SetUserState",
            "UserMgmt/RemoveUsers",
        ];
        methods
            .iter()
            .map(|method| state["calls"][method].as_u64().unwrap_or_default())
            .sum()
    }

    /// Creates the account as identity-service would: records the intent in between. Gives its id.
    pub(crate) async fn provision(&self, user: &User) -> String {
        let name = self.apply_user(wanted(user)).await.unwrap().intent();
        let applied = self.apply_user(fresh(user, &name)).await.unwrap().applied();
        applied.link.unwrap().platform_id
    }

    pub(crate) async fn provision_group(&self, name: &str, members: &[String]) -> String {
        let request = ApplyGroupRequest {
            members_in: members.to_vec(),
            ..wanted_group(name)
        };
        let intent = self.apply_group(request.clone()).await.unwrap().intent();
        let request = ApplyGroupRequest {
            intents: Some(intents(&[&intent], Some(&intent))),
            ..request
        };
        self.apply_group(request)
            .await
            .unwrap()
            .applied()
            .link
            .unwrap()
            .platform_id
    }
}

/// An adapter with these settings.
pub(crate) async fn start(arguments: &[&str]) -> Running {
    delinea_adapter::start(config(arguments)).await.unwrap()
}

/// The settings of an adapter.
pub(crate) fn config(arguments: &[&str]) -> Config {
    let command = Config::augment_args(Command::new("adapter")).args_override_self(true);
    let matches = command.get_matches_from(arguments);
    Config::from_arg_matches(&matches).unwrap()
}

pub(crate) fn anna() -> User {
    let value = |value: &str, kind: &str| MultiValue {
        value: Some(value.to_owned()),
        r#type: Some(kind.to_owned()),
        ..MultiValue::default()
    };
    User {
        user_name: Some("anna@example.com".to_owned()),
        display_name: Some("Anna Berg".to_owned()),
        emails: vec![value("anna.berg@example.com", "work")],
        phone_numbers: vec![value("+1 555", "work")],
        active: Some(true),
        ..User::default()
    }
}

pub(crate) fn wanted(user: &User) -> ApplyUserRequest {
    ApplyUserRequest {
        adoption: Adoption::Never.into(),
        wanted: Some(apply_user_request::Wanted::User(user.clone())),
        ..ApplyUserRequest::default()
    }
}

pub(crate) fn fresh(user: &User, name: &str) -> ApplyUserRequest {
    ApplyUserRequest {
        intents: Some(intents(&[name], Some(name))),
        ..wanted(user)
    }
}

pub(crate) fn intended(user: &User, names: &[&str]) -> ApplyUserRequest {
    ApplyUserRequest {
        intents: Some(intents(names, None)),
        ..wanted(user)
    }
}

pub(crate) fn linked(user: &User, id: &str) -> ApplyUserRequest {
    ApplyUserRequest {
        link: Some(link(id)),
        ..wanted(user)
    }
}

pub(crate) fn removal(mode: RemovalMode) -> ApplyUserRequest {
    let wanted = apply_user_request::Wanted::Removal(Removal { mode: mode.into() });
    ApplyUserRequest {
        wanted: Some(wanted),
        ..ApplyUserRequest::default()
    }
}

pub(crate) fn wanted_group(name: &str) -> ApplyGroupRequest {
    let group = Group {
        display_name: Some(name.to_owned()),
        ..Group::default()
    };
    ApplyGroupRequest {
        adoption: Adoption::Never.into(),
        wanted: Some(apply_group_request::Wanted::Group(group)),
        ..ApplyGroupRequest::default()
    }
}

pub(crate) fn linked_group(name: &str, id: &str) -> ApplyGroupRequest {
    ApplyGroupRequest {
        link: Some(link(id)),
        ..wanted_group(name)
    }
}

pub(crate) fn group_removal(id: &str) -> ApplyGroupRequest {
    let wanted = apply_group_request::Wanted::Removal(Removal {
        mode: RemovalMode::Remove.into(),
    });
    ApplyGroupRequest {
        link: Some(link(id)),
        wanted: Some(wanted),
        ..ApplyGroupRequest::default()
    }
}

pub(crate) fn intents(names: &[&str], fresh: Option<&str>) -> Intents {
    Intents {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        fresh_name: fresh.map(str::to_owned),
        confirmed_ids: Vec::new(),
    }
}

/// The intents of a further call, after it was asked whose the object is.
pub(crate) fn confirmed(intents: &Intents, found: &Found) -> Intents {
    assert!(intents.names.contains(&found.intent), "{found:?}");
    Intents {
        names: intents.names.clone(),
        fresh_name: None,
        confirmed_ids: [&intents.confirmed_ids[..], std::slice::from_ref(&found.platform_id)].concat(),
    }
}

pub(crate) fn link(id: &str) -> Link {
    let backend = if id.starts_with("scim:") { "scim" } else { "rpc" };
    Link {
        platform_id: id.to_owned(),
        backend: backend.to_owned(),
    }
}

/// A fault that hits so many calls of a method.
pub(crate) fn fault(method: &str, fault: &str, times: u64) -> Value {
    json!({"method": method, "fault": fault, "times": times})
}

/// The reason of a status, with its details.
pub(crate) fn reason(status: &Status) -> (ErrorReason, Details) {
    let details = Details::of(status).unwrap_or_else(|| panic!("a status of another hand: {status:?}"));
    (details.reason, details)
}

/// Whether a status says that nothing was created.
pub(crate) fn says_not_created(status: &Status) -> bool {
    reason(status)
        .1
        .metadata
        .get("created")
        .is_some_and(|created| created == "no")
}

/// The reason of what must have failed.
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T, Status>) -> (tonic::Code, ErrorReason) {
    let status = result.unwrap_err();
    (status.code(), reason(&status).0)
}
