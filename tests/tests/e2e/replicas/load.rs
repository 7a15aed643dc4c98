//! Clients that create users, change each in two PATCHes and put it into a group, and repeat a request until it is
//! answered with success. Each attribute is written once, so that a request that comes late, after its client has
//! repeated it, changes nothing any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
    time::Duration,
};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    deployment::{Answer, Platform, Scim, encoded, group, patch, user},
    processes::PATIENCE,
};

/// How many clients there are at once, each with a group.
const CLIENTS: usize = 8;
/// The pause before a request is repeated, and after each user.
const PAUSE: Duration = Duration::from_millis(50);

/// What was answered with success, and what was not.
pub(super) struct Load {
    /// What the clients take in turn.
    scims: Vec<Scim>,
    /// Id and login name of each user, by the name of its group.
    members: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    failures: Mutex<Vec<String>>,
}

impl Load {
    pub(super) fn new(scims: impl IntoIterator<Item = Scim>) -> Self {
        Self {
            scims: scims.into_iter().collect(),
            members: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Goes on until it is told to stop; what was begun is finished.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let clients = (0..CLIENTS).map(|client| self.client(client, stop));
        futures_util::future::join_all(clients).await;
    }

    async fn client(&self, client: usize, stop: &CancellationToken) {
        let scim = &self.scims[client % self.scims.len()];
        let title = format!("group {client}");
        let body = group::<&str>(&title, &[]);
        let its_group = self.create(scim, "/Groups", "displayName", &title, &body).await;
        self.members.lock().unwrap().insert(title.clone(), BTreeMap::new());
        for number in 0.. {
            let name = format!("user{number}.of{client}@replicas.example");
            let id = self.create(scim, "/Users", "userName", &name, &user(&name)).await;
            for operation in [
                json!({"op": "Replace", "path": "displayName", "value": display_name(&name)}),
                json!({"op": "Replace", "path": "active", "value": is_active(&name)}),
            ] {
                self.patch(scim, &format!("/Users/{id}"), operation).await;
            }
            let member = json!({"op": "Add", "path": "members", "value": [{"value": id}]});
            self.patch(scim, &format!("/Groups/{its_group}"), member).await;
            self.joined(&title, id, name);
            if stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn joined(&self, group: &str, id: String, name: String) {
        let mut members = self.members.lock().unwrap();
        members.entry(group.to_owned()).or_default().insert(id, name);
    }

    /// Gives the id of the new resource. To who repeats what was done without an answer, 409 says that it is there.
    async fn create(&self, scim: &Scim, path: &str, name_attribute: &str, name: &str, body: &Value) -> String {
        let filter = encoded(&format!("{name_attribute} eq \"{name}\""));
        let began = Instant::now();
        loop {
            match self.send(scim, Method::POST, path, body).await {
                Some(StatusCode::CREATED | StatusCode::CONFLICT) => {}
                Some(status) => panic!("POST {path}: {status}"),
                None => {
                    assert!(began.elapsed() < PATIENCE, "POST {path} of {name}");
                    continue;
                }
            }
            let found = scim.request(Method::GET, &format!("{path}?filter={filter}"));
            if let Some(found) = self.answered(found).await {
                let found = found.expect(200);
                assert_eq!(found["totalResults"], 1, "{name}: {found}");
                return found["Resources"][0]["id"].as_str().unwrap().to_owned();
            }
        }
    }

    async fn patch(&self, scim: &Scim, path: &str, operation: Value) {
        let (body, began) = (patch(operation), Instant::now());
        loop {
            match self.send(scim, Method::PATCH, path, &body).await {
                Some(status) if status.is_success() => return,
                Some(status) => panic!("PATCH {path}: {status}"),
                None => assert!(began.elapsed() < PATIENCE, "PATCH {path}"),
            }
        }
    }

    async fn send(&self, scim: &Scim, method: Method, path: &str, body: &Value) -> Option<StatusCode> {
        let request = scim.request(method, path).body(body.to_string());
        let request = request.header("content-type", "application/scim+json");
        Some(self.answered(request).await?.status)
    }

    /// The answer, unless it says that somebody is away; then it is noted.
    async fn answered(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        let failure = match Answer::try_of(request).await {
            Ok(answer) if !answer.status.is_server_error() => return Some(answer),
            Ok(answer) => format!("{} {}", answer.status, answer.text),
            Err(error) => format!("{error:?}"),
        };
        self.failures.lock().unwrap().push(failure);
        tokio::time::sleep(PAUSE).await;
        None
    }

    /// Every request was answered, and none was refused for want of somebody who does the work.
    pub(super) fn met_no_failure(&self) {
        let failures = self.failures.lock().unwrap();
        assert!(failures.is_empty(), "{} requests failed: {failures:#?}", failures.len());
    }

    /// Every change is there.
    pub(super) async fn is_in(&self, scim: &Scim) {
        let groups = self.members.lock().unwrap().clone();
        for (title, members) in groups {
            let found = scim.find("/Groups", &format!("displayName eq \"{title}\"")).await;
            let its_members = found[0]["members"].as_array().unwrap().iter();
            let ids: BTreeSet<_> = its_members.map(|member| member["value"].as_str().unwrap()).collect();
            assert!(ids.iter().copied().eq(members.keys()), "{title}");
            for (id, name) in members {
                let user = scim.get(&format!("/Users/{id}")).await.expect(200);
                assert_eq!(user["userName"], name);
                assert_eq!(user["displayName"], display_name(&name));
                assert_eq!(user["active"], is_active(&name));
            }
        }
    }

    /// Every change is on the Platform, once, and nothing else is.
    pub(super) async fn is_on(&self, platform: &Platform) {
        let groups = self.members.lock().unwrap().clone();
        let mut names: Vec<_> = groups.values().flat_map(BTreeMap::values).cloned().collect();
        names.sort_unstable();
        assert_eq!(platform.names().await, names);
        for account in platform.accounts().await {
            let name = account["Name"].as_str().unwrap();
            assert_eq!(account["DisplayName"], display_name(name));
            let is_disabled = account["State"].as_str().unwrap().contains("Disabled");
            assert_eq!(is_disabled, !is_active(name), "{account}");
        }
        assert!(platform.group_names().await.iter().eq(groups.keys()));
        for (title, members) in &groups {
            let members: BTreeSet<_> = members.values().cloned().collect();
            assert_eq!(platform.members(title).await, members, "{title}");
        }
        // Nor was any account made twice and one of the two taken away again. (A create call may well have come twice: the first
        // one's process may have died before the Platform had done anything about it.)
        let state = platform.state().await;
        assert_eq!(state["calls"].get("UserMgmt/RemoveUsers"), None, "{state}");
        assert!(state["calls"]["CDirectoryService/CreateUser"].as_u64().unwrap() >= names.len() as u64);
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: usize = self.members.lock().unwrap().values().map(BTreeMap::len).sum();
        write!(
            f,
            "{users} users, {} requests repeated",
            self.failures.lock().unwrap().len()
        )
    }
}

/// What a user is called in the end.
fn display_name(name: &str) -> String {
    format!("Renamed {}", name.split('@').next().unwrap())
}

/// Whether a user is active in the end.
fn is_active(name: &str) -> bool {
    !name.starts_with("user3")
}
