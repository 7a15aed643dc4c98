//! The simulated Platform's own side, `/_sim`: what it holds, what it was asked, and how it shall go wrong.

use std::{collections::BTreeSet, net::SocketAddr};

use http::Method;
use reqwest::Client;
use serde_json::{Value, json};

use super::{BUILT_IN, profile};

/// The control side of a simulated Platform.
pub(crate) struct Platform {
    http: Client,
    url: String,
}

impl Platform {
    pub(crate) fn at(url: String) -> Self {
        Self {
            http: Client::new(),
            url,
        }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// One request to `/_sim`, which must succeed.
    pub(crate) async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        let url = format!("{}/_sim/{path}", self.url);
        let response = self
            .http
            .request(method, url)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// All that it holds, and how often each method was called. The caller's own account must never have been edited.
    pub(crate) async fn state(&self) -> Value {
        let state = self.control(Method::GET, "state", &Value::Null).await;
        assert_eq!(state["caller_edits"], 0, "the service user itself was edited");
        state
    }

    /// The accounts that are no part of a new tenant.
    pub(crate) async fn accounts(&self) -> Vec<Value> {
        let state = self.state().await;
        let users = state["users"].as_array().unwrap().iter();
        users
            .filter(|user| user["BuiltIn"] == false && user["ServiceUser"] == false)
            .filter(|user| !BUILT_IN.contains(&user["Name"].as_str().unwrap()))
            .cloned()
            .collect()
    }

    /// The login names of those accounts, sorted.
    pub(crate) async fn names(&self) -> Vec<String> {
        let accounts = self.accounts().await;
        let mut names: Vec<_> = accounts
            .iter()
            .map(|user| user["Name"].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    }

    /// The one account of that name.
    pub(crate) async fn account(&self, name: &str) -> Value {
        let mut found = self.accounts().await;
        found.retain(|user| user["Name"].as_str().unwrap().eq_ignore_ascii_case(name));
        assert_eq!(found.len(), 1, "accounts named {name}: {found:#?}");
        found.remove(0)
    }

    /// The groups that are no part of a new tenant, by name.
    pub(crate) async fn groups(&self) -> Vec<Value> {
        let state = self.state().await;
        let groups = state["groups"].as_array().unwrap().iter();
        groups.filter(|group| group["BuiltIn"] == false).cloned().collect()
    }

    /// Their names, sorted.
    pub(crate) async fn group_names(&self) -> Vec<String> {
        let groups = self.groups().await;
        let mut names: Vec<_> = groups
            .iter()
            .map(|group| group["Name"].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names
    }

    /// The one group of that name.
    pub(crate) async fn group(&self, name: &str) -> Value {
        let mut found = self.groups().await;
        found.retain(|group| group["Name"].as_str().unwrap().eq_ignore_ascii_case(name));
        assert_eq!(found.len(), 1, "groups named {name}: {found:#?}");
        found.remove(0)
    }

    /// The login names of a group's members.
    pub(crate) async fn members(&self, group: &str) -> BTreeSet<String> {
        let group = self.group(group).await;
        let state = self.state().await;
        let members = group["Members"].as_array().unwrap().iter();
        members
            .map(|member| {
                let is_it = |user: &&Value| user["ID"] == member["Guid"];
                let user = state["users"].as_array().unwrap().iter().find(is_it);
                user.unwrap_or_else(|| panic!("the member {member} has no account"))["Name"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    /// How many calls there were, of any kind; the token's are not counted.
    pub(crate) async fn calls(&self) -> u64 {
        let state = self.state().await;
        state["reads"].as_u64().unwrap() + state["writes"].as_u64().unwrap()
    }

    /// Forgets what was called so far.
    pub(crate) async fn forget_calls(&self) {
        self.control(Method::DELETE, "calls", &Value::Null).await;
    }

    /// How often a method was called.
    pub(crate) async fn calls_of(&self, method: &str) -> u64 {
        self.state().await["calls"][profile::call(method)]
            .as_u64()
            .unwrap_or_default()
    }

    /// Makes calls go wrong.
    pub(crate) async fn fault(&self, mut rule: Value) {
        let rules = match &mut rule {
            Value::Array(rules) => &mut rules[..],
            rule => std::slice::from_mut(rule),
        };
        for rule in rules {
            if let Some(method) = rule["method"].as_str() {
                rule["method"] = profile::call(method).into();
            }
        }
        self.control(Method::POST, "faults", &rule).await;
    }

    /// How many calls each rule has hit, in the order in which the rules were made.
    pub(crate) async fn hits(&self) -> Vec<u64> {
        let rules = self.control(Method::GET, "faults", &Value::Null).await;
        let rules = rules.as_array().unwrap().iter();
        rules.map(|rule| rule["hits"].as_u64().unwrap()).collect()
    }

    /// Lets everything go right again.
    pub(crate) async fn no_faults(&self) {
        self.control(Method::DELETE, "faults", &Value::Null).await;
    }

    /// Makes the tenant behave otherwise.
    pub(crate) async fn profile(&self, fields: Value) {
        self.control(Method::PATCH, "profile", &fields).await;
    }

    /// Accounts that somebody else made; gives their ids.
    pub(crate) async fn strangers(&self, names: &[&str]) -> Vec<String> {
        let users: Vec<_> = names
            .iter()
            .map(|name| json!({"Name": name, "Mail": name, "DisplayName": "Made by hand"}))
            .collect();
        let made = self.control(Method::POST, "users", &json!(users)).await;
        ids(&made)
    }

    /// A group that somebody else made; gives its id.
    pub(crate) async fn strange_group(&self, name: &str, members: &[&str]) -> String {
        let body = json!([{"Name": name, "Members": members}]);
        ids(&self.control(Method::POST, "groups", &body).await).remove(0)
    }

    /// Puts an account into a group by hand.
    pub(crate) async fn put_in(&self, group: &str, account: &str) {
        let member = json!([{"Guid": account, "Type": "User"}]);
        self.control(Method::POST, &format!("groups/{group}/members"), &member)
            .await;
    }

    /// Takes an account out of a group by hand.
    pub(crate) async fn take_out(&self, group: &str, account: &str) {
        let member = json!([{"Guid": account, "Type": "User"}]);
        self.control(Method::DELETE, &format!("groups/{group}/members"), &member)
            .await;
    }

    /// Gives a group another name by hand.
    pub(crate) async fn rename_group(&self, group: &str, name: &str) {
        self.control(Method::PATCH, &format!("groups/{group}"), &json!({"Name": name}))
            .await;
    }

    /// Deletes an account by hand.
    pub(crate) async fn delete_account(&self, id: &str) {
        self.control(Method::DELETE, &format!("users/{id}"), &Value::Null).await;
    }

    /// Makes every token given out so far invalid.
    pub(crate) async fn revoke_tokens(&self) {
        self.control(Method::DELETE, "tokens", &Value::Null).await;
    }

    /// Changes an account by hand.
    pub(crate) async fn edit(&self, id: &str, fields: Value) {
        self.control(Method::PATCH, &format!("users/{id}"), &fields).await;
    }
}

fn ids(made: &Value) -> Vec<String> {
    let made = made.as_array().unwrap().iter();
    made.map(|object| object["ID"].as_str().unwrap().to_owned()).collect()
}

/// A fault that hits so many calls of a method.
pub(crate) fn fault(method: &str, fault: &str, times: u64) -> Value {
    json!({"method": method, "fault": fault, "times": times})
}
