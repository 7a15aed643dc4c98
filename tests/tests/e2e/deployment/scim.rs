//! SCIM over HTTP, as a client writes and reads it.

use http::{HeaderMap, Method, StatusCode};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

/// The URN of the enterprise extension.
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A SCIM client with a token.
#[derive(Clone)]
pub(crate) struct Scim {
    http: Client,
    base: String,
    token: String,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Scim {
    pub(crate) fn at(base: &str, token: &str) -> Self {
        Self {
            http: Client::new(),
            base: base.to_owned(),
            token: token.to_owned(),
        }
    }

    /// One that opens a connection for each request.
    pub(crate) fn unpooled(base: &str, token: &str) -> Self {
        let http = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self {
            http,
            ..Self::at(base, token)
        }
    }

    /// The base URL.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The same client with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// A request that is still to be completed.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::PUT, path, body).await
    }

    /// A PATCH of these operations.
    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.write(Method::PATCH, path, &patch(operations)).await
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.raw(method, path, body.to_string()).await
    }

    /// Any bytes, sent as Entra sends its bodies.
    pub(crate) async fn raw(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(method, path).body(body);
        Answer::of(request.header("content-type", "application/scim+json; charset=utf-8")).await
    }

    /// What a filter finds, encoded as Entra encodes it.
    pub(crate) async fn find(&self, endpoint: &str, filter: &str) -> Vec<Value> {
        let list = self
            .get(&format!("{endpoint}?filter={}", encoded(filter)))
            .await
            .expect(200);
        let found = list["Resources"].as_array().unwrap().clone();
        assert_eq!(list["totalResults"], found.len(), "{filter}");
        found
    }

    /// Creates a resource; gives its id.
    pub(crate) async fn create(&self, path: &str, body: &Value) -> String {
        let created = self.post(path, body).await.expect(201);
        created["id"].as_str().unwrap().to_owned()
    }

    /// Creates a user of this login name.
    pub(crate) async fn create_user(&self, name: &str) -> String {
        self.create("/Users", &user(name)).await
    }

    /// Creates a group with these members.
    pub(crate) async fn create_group<S: AsRef<str>>(&self, name: &str, members: &[S]) -> String {
        self.create("/Groups", &group(name, members)).await
    }
}

impl Answer {
    /// Sends a request and reads the answer.
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::try_of(request).await.unwrap()
    }

    /// The same, if there is an answer.
    pub(crate) async fn try_of(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        Ok(Self {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await?,
        })
    }

    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() {
            return Value::Null;
        }
        assert_eq!(self.header("content-type"), "application/scim+json");
        serde_json::from_str(&self.text).unwrap()
    }

    /// The detail of a SCIM error (RFC 7644 §3.12) that must have this status and `scimType`; an empty one means none.
    #[track_caller]
    pub(crate) fn error(self, status: u16, scim_type: &str) -> String {
        let body = self.expect(status);
        assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(body["status"], status.to_string(), "the status is text: {body}");
        assert_eq!(body["scimType"].as_str().unwrap_or_default(), scim_type, "{body}");
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "{body}");
        detail.to_owned()
    }
}

/// A user as Entra creates one (R07).
pub(crate) fn user(name: &str) -> Value {
    let local = name.split('@').next().unwrap();
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": local,
        "userName": name,
        "active": true,
        "displayName": format!("The person {local}"),
        "title": "Rack technician",
        "preferredLanguage": "fr-CA",
        "name": {"formatted": local, "givenName": "Some", "familyName": local},
        "emails": [{"primary": true, "type": "work", "value": format!("{local}@mail.example")}],
        "addresses": [{"type": "work", "primary": false, "formatted": "Hall 3", "locality": "Laval"}],
        "phoneNumbers": [{"type": "work", "value": "5145550117"}, {"type": "mobile", "value": "5145550118"}],
        "roles": [],
        ENTERPRISE: {"employeeNumber": "K-0417", "department": "Halls"},
        "meta": {"resourceType": "User"},
    })
}

/// A group as Entra creates one (R08), with members.
pub(crate) fn group<S: AsRef<str>>(name: &str, members: &[S]) -> Value {
    let members: Vec<_> = members.iter().map(|id| json!({"value": id.as_ref()})).collect();
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
        ],
        "externalId": format!("external id of {name}"),
        "displayName": name,
        "members": members,
        "meta": {"resourceType": "Group"},
    })
}

/// A PATCH body; one operation may stand without its list.
pub(crate) fn patch(operations: Value) -> Value {
    let operations = if operations.is_array() {
        operations
    } else {
        json!([operations])
    };
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
}

/// Text as a form encodes it: a blank becomes `+`.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            _ if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
