//! The simulated Platform over real HTTP, as its clients meet it.
#![allow(clippy::unwrap_used, reason = "what a test calls may fail the test")]

mod control;
mod directory;
mod durability;
mod faults;
mod limits;
mod page;
mod permissions;
mod process;
mod profiles;
mod replay;
mod rest;
mod roles;
mod scim_groups;
mod scim_users;
mod search;
mod token;
mod users;
mod weather;

use platform_simulator::{Config, FaultRule, Profile, Running, start};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

/// A running tenant and a client with a token.
struct Sim {
    running: Running,
    client: Client,
    token: String,
}

impl Sim {
    async fn start() -> Self {
        Self::start_with(Config::ephemeral()).await
    }

    async fn with_profile(profile: Value) -> Self {
        let sim = Self::start().await;
        let answer = sim
            .client
            .put(sim.url("/_sim/profile"))
            .json(&profile)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        sim
    }

    async fn start_with(config: Config) -> Self {
        service_runtime::install_crypto_provider();
        let running = start(config).await.unwrap();
        let mut sim = Self {
            running,
            client: Client::new(),
            token: String::new(),
        };
        sim.token = sim.token_answer(&sim.good_form()).await.json::<Value>().await.unwrap()["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        sim
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    fn good_form(&self) -> [(&'static str, &'static str); 4] {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "scim-gateway@example.com"),
            ("client_secret", "simulated-secret"),
            ("scope", "xpmheadless"),
        ]
    }

    async fn token_answer(&self, form: &[(&str, &str)]) -> Response {
        self.client
            .post(self.url("/identity/api/oauth2/token/xpmplatform"))
            .form(form)
            .send()
            .await
            .unwrap()
    }

    async fn try_call(&self, method: &str, body: Value) -> reqwest::Result<Response> {
        self.client
            .post(self.url(&format!("/identity/api/{method}")))
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(self.url(path)).bearer_auth(&self.token);
        request.send().await.unwrap()
    }

    /// A call over SCIM; a null body is none.
    async fn scim(&self, verb: &str, path: &str, body: Value) -> Response {
        let url = self.url(&format!("/scim/v2/{path}"));
        let mut request = self.client.request(verb.parse().unwrap(), url).bearer_auth(&self.token);
        if !body.is_null() {
            let kind = "application/scim+json";
            request = request.header("content-type", kind).body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// The envelope of a call that got through.
    async fn call(&self, method: &str, body: Value) -> Value {
        let answer = self.try_call(method, body).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{method}");
        answer.json().await.unwrap()
    }

    /// The result of a call that succeeded.
    async fn ok(&self, method: &str, body: Value) -> Value {
        let envelope = self.call(method, body).await;
        assert_eq!(envelope["success"], true, "{method}: {envelope}");
        envelope["Result"].clone()
    }

    /// The message of a call that failed.
    async fn fails(&self, method: &str, body: Value) -> String {
        let envelope = self.call(method, body).await;
        assert_eq!(envelope["success"], false, "{method}: {envelope}");
        assert_eq!(envelope["Result"], Value::Null);
        envelope["Message"].as_str().unwrap().to_owned()
    }

    async fn create(&self, name: &str) -> String {
        let id = self.ok("CDirectoryService/CreateUser", new_user(name)).await;
        id.as_str().unwrap().to_owned()
    }

    async fn group(&self, name: &str) -> String {
        self.ok("Roles/StoreRole", json!({ "Name": name }))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn members(&self, group: &str) -> Vec<String> {
        let result = self.ok("Roles/GetRoleMembers", json!({ "Name": group })).await;
        rows(&result)
            .iter()
            .map(|row| row["Guid"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn see(&self, path: &str) -> Value {
        self.client
            .get(self.url(path))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    /// The account in the state, by login name.
    async fn user(&self, name: &str) -> Option<Value> {
        let answer = self
            .client
            .get(self.url(&format!("/_sim/users/{name}")))
            .send()
            .await
            .unwrap();
        if answer.status() == StatusCode::NOT_FOUND {
            None
        } else {
            Some(answer.json().await.unwrap())
        }
    }

    async fn fault(&self, rule: FaultRule) {
        let answer = self
            .client
            .post(self.url("/_sim/faults"))
            .json(&[rule])
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
    }

    async fn set(&self, change: impl FnOnce(&mut Profile)) {
        let mut profile: Profile = serde_json::from_value(self.see("/_sim/profile").await).unwrap();
        change(&mut profile);
        let answer = self
            .client
            .put(self.url("/_sim/profile"))
            .json(&profile)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

fn new_user(name: &str) -> Value {
    json!({
        "Name": name,
        "Mail": name,
        "DisplayName": name.split('@').next(),
        "Password": "Correct-Horse-7",
        "InEverybodyRole": true,
        "SendEmailInvite": false,
    })
}

fn rows(result: &Value) -> Vec<Value> {
    result["Results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["Row"].clone())
        .collect()
}
