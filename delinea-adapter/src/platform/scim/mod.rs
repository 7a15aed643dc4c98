//! The Platform's own SCIM endpoint (RFC 7644), as a client of it: accounts and groups of a tenant that offers it. It knows
//! the paths and attributes that the vendor names; what is wanted it does not know, nor the gateway's own SCIM.

pub(crate) mod answer;
pub(crate) mod fields;
pub(crate) mod groups;
pub(crate) mod lists;
pub(crate) mod users;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::{
    client::{Client, ScimCall},
    failure::{Class, Failure},
};

pub(crate) const GET_CONFIG: &str = "scim GET /ServiceProviderConfig";
pub(crate) const GET_USERS: &str = "scim GET /Users";
pub(crate) const POST_USERS: &str = "scim POST /Users";
pub(crate) const PATCH_USERS: &str = "scim PATCH /Users";
pub(crate) const DELETE_USERS: &str = "scim DELETE /Users";
pub(crate) const GET_GROUPS: &str = "scim GET /Groups";
pub(crate) const POST_GROUPS: &str = "scim POST /Groups";
pub(crate) const PATCH_GROUPS: &str = "scim PATCH /Groups";
pub(crate) const DELETE_GROUPS: &str = "scim DELETE /Groups";

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Whether a call, as metrics and errors name it, is one of this endpoint.
pub(crate) fn is_call(method: &str) -> bool {
    method.starts_with("scim ")
}

/// The endpoint of one tenant.
pub(crate) struct Scim {
    client: Arc<Client>,
    page_size: usize,
}

impl Scim {
    pub(crate) fn new(client: Arc<Client>, page_size: usize) -> Self {
        Self { client, page_size }
    }

    /// Asks what the endpoint can do, to learn whether it is there.
    pub(crate) async fn config(&self) -> Result<Value, Failure> {
        self.call(GET_CONFIG, Method::GET, &["ServiceProviderConfig"], &[], None)
            .await
    }

    /// Removes a resource. One that is gone already is as it shall be.
    pub(crate) async fn remove(&self, kind: &str, id: &str) -> Result<(), Failure> {
        let (method, path) = match kind {
            "/Users" => (DELETE_USERS, "Users"),
            _ => (DELETE_GROUPS, "Groups"),
        };
        check_id(method, id)?;
        match self.call(method, Method::DELETE, &[path, id], &[], None).await {
            Err(failure) if failure.class() == Some(Class::NotFound) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Changes a resource by PATCH operations.
    async fn patch(&self, method: &'static str, path: &str, id: &str, operations: Vec<Value>) -> Result<(), Failure> {
        check_id(method, id)?;
        if operations.is_empty() {
            return Ok(());
        }
        let body = json!({"schemas": [PATCH_OP], "Operations": operations});
        self.call(method, Method::PATCH, &[path, id], &[], Some(&body))
            .await
            .map(drop)
    }

    async fn call(
        &self,
        method: &'static str,
        verb: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let call = ScimCall {
            method,
            verb,
            path,
            query,
            body,
        };
        self.client.scim(call).await
    }
}

/// An id must be there: a path without one is about all resources.
fn check_id(method: &'static str, id: &str) -> Result<(), Failure> {
    if id.trim().is_empty() || id == "." || id == ".." {
        return Err(Failure::refused(method, Class::Validation, "the id is empty; not sent"));
    }
    Ok(())
}

/// A value as a filter has it (RFC 7644 §3.4.2.2): as JSON has it.
fn literal(value: &str) -> String {
    Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_about_everything_is_not_sent() {
        for id in ["", " ", ".", ".."] {
            assert!(check_id(DELETE_USERS, id).is_err(), "{id:?}");
        }
        assert!(check_id(DELETE_USERS, "7").is_ok());
    }

    #[test]
    fn a_quote_in_a_name_ends_no_filter() {
        assert_eq!(literal(r#"a" or userName pr or "\"#), r#""a\" or userName pr or \"\\""#);
    }
}
