//! What Entra sends, in every shape that is known of it: each request (R01–R18) and each quirk (Q01–Q47) of
//! docs/conformance.md, and the conversations of the suites with which Microsoft tests an endpoint. Here stands what
//! they share: a user about whom something is said, and what is then seen of them.

mod logic_app;
mod postman;
mod quirks;
mod requests;
mod validator;

use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, user};

pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ODILE: &str = "odile@kestrel.example";
/// An id that was never issued.
pub(crate) const NOBODY: &str = "00000000-0000-4000-8000-00000000abcd";

pub(crate) fn at(id: &str) -> String {
    format!("/Users/{id}")
}

pub(crate) fn group_at(id: &str) -> String {
    format!("/Groups/{id}")
}

/// A deployment with one user.
pub(crate) struct Person {
    pub(crate) it: Deployment,
    pub(crate) id: String,
}

impl Person {
    /// The user that `deployment::user` describes.
    pub(crate) async fn new() -> Self {
        Self::of(&user(ODILE)).await
    }

    /// A user with the fewest attributes.
    pub(crate) async fn bare() -> Self {
        Self::of(&json!({"schemas": [CORE], "userName": ODILE})).await
    }

    pub(crate) async fn of(body: &Value) -> Self {
        let it = Deployment::start().await;
        let id = it.scim.create("/Users", body).await;
        Self { it, id }
    }

    pub(crate) async fn patch(&self, operations: Value) -> Answer {
        self.it.scim.patch(&at(&self.id), operations).await
    }

    /// What is read after operations that must succeed.
    pub(crate) async fn after(&self, operations: Value) -> Value {
        let answer = self.patch(operations.clone()).await;
        assert_eq!(answer.status, 204, "{operations}: {}", answer.text);
        self.read().await
    }

    pub(crate) async fn read(&self) -> Value {
        self.it.scim.get(&at(&self.id)).await.expect(200)
    }

    /// The account on the Platform, once everything is there.
    pub(crate) async fn account(&self) -> Value {
        self.it.settled().await;
        let mut accounts = self.it.platform.accounts().await;
        assert_eq!(accounts.len(), 1, "{accounts:#?}");
        accounts.remove(0)
    }
}

/// What each row of a table comes to, each on a user of its own.
pub(crate) async fn each_on_a_new_user(bodies: &Value, table: Vec<(Value, Value)>) {
    let it = Deployment::start().await;
    for (n, (operations, expected)) in table.into_iter().enumerate() {
        let mut body = bodies.clone();
        body["userName"] = format!("user{n}@kestrel.example").into();
        let id = it.scim.create("/Users", &body).await;
        let answer = it.scim.patch(&at(&id), operations.clone()).await;
        assert_eq!(answer.status, 204, "{operations}: {}", answer.text);
        let read = it.scim.get(&at(&id)).await.expect(200);
        shows(&read, &expected, &operations);
    }
}

/// Attributes that a resource must show; one that must be absent is expected as null. A manager's `$ref` is not looked at,
/// since it has the deployment's address in it.
#[track_caller]
pub(crate) fn shows(read: &Value, expected: &Value, what: &Value) {
    let mut read = read.clone();
    if let Some(manager) = read.pointer_mut(&format!("/{ENTERPRISE}/manager")) {
        manager.as_object_mut().unwrap().remove("$ref");
    }
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(
            read.get(name).unwrap_or(&Value::Null),
            value,
            "{name} after {what}: {read}"
        );
    }
}
