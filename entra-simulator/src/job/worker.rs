//! The requests that every evaluation is made of, and what Entra expects of their answers.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use crate::{
    client::{Answer, Client, RequestKind},
    error::{Error, Failure},
    knobs::{Dialect, Knobs},
};

/// Evaluates objects for one cycle, several at once; it holds nothing of an object between two calls.
pub(super) struct Worker {
    client: Client,
    knobs: Knobs,
    quarantined: AtomicBool,
}

impl Worker {
    pub(super) fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            knobs: client.knobs().clone(),
            quarantined: AtomicBool::new(false),
        }
    }

    /// On-demand provisioning ignores the flag: it speaks the default dialect.
    pub(super) fn on_demand(client: &Client) -> Self {
        let mut worker = Self::new(client);
        worker.knobs.dialect = Dialect::Default;
        worker
    }

    pub(super) fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// Whether the token was refused: nothing more is sent in this cycle then.
    pub(super) fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    pub(super) async fn send(
        &self,
        kind: RequestKind,
        id: Option<&str>,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        if self.is_quarantined() {
            return Err(Failure::Unauthorized);
        }
        let answer = self.client.send(kind, id, query, body).await;
        if answer == Err(Failure::Unauthorized) {
            self.quarantined.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// R01 for users and for groups: a value that nothing has must give an empty list.
    pub(super) async fn test_connection(&self) -> Result<(), Error> {
        let nobody = uuid::Uuid::new_v4().to_string();
        let first = self
            .knobs
            .matching
            .first()
            .copied()
            .unwrap_or(crate::knobs::Matching::UserName);
        let users = self.find(RequestKind::TestUsers, &first.filter_for(&nobody)).await;
        let groups = match &users {
            Ok(_) => {
                self.find(RequestKind::TestGroups, &self.knobs.group_matching.filter_for(&nobody))
                    .await
            }
            Err(_) => Ok(Vec::new()),
        };
        match users.and_then(|mut hits| {
            hits.extend(groups?);
            Ok(hits)
        }) {
            Ok(hits) if hits.is_empty() => Ok(()),
            Ok(_) => {
                let text = "a filter on a value that nothing has was answered with resources".to_owned();
                Err(Error::ConnectionTest(Failure::Incompatible(text)))
            }
            Err(Failure::Unauthorized) => Err(Error::Quarantined),
            Err(failure) => Err(Error::ConnectionTest(failure)),
        }
    }

    /// The resources that a filter selects (R03, R04); groups are asked for without their members.
    pub(super) async fn find(&self, kind: RequestKind, filter: &str) -> Result<Vec<Value>, Failure> {
        let without_members = [("excludedAttributes", "members"), ("filter", filter)];
        let query = if kind.endpoint() == "Groups" {
            &without_members[..]
        } else {
            &without_members[1..]
        };
        let answer = self.send(kind, None, query, None).await?;
        resources(answer)
    }

    /// The only resource that a filter selects, with its id.
    pub(super) async fn find_one(&self, kind: RequestKind, filter: &str) -> Result<Option<(String, Value)>, Failure> {
        let mut hits = self.find(kind, filter).await?;
        match (hits.pop(), hits.len()) {
            (None, _) => Ok(None),
            (Some(hit), 0) => Ok(Some((id_of(&hit)?, hit))),
            (Some(_), others) => Err(Failure::DuplicateTarget(others + 1)),
        }
    }

    /// The first hit under names whose creation got no verdict.
    pub(super) async fn find_doubtful(
        &self,
        kind: RequestKind,
        names: &BTreeSet<String>,
        filter: impl Fn(&str) -> String,
    ) -> Result<Option<(String, Value)>, Failure> {
        for name in names {
            if let Some(hit) = self.find_one(kind, &filter(name)).await? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }

    /// R05.
    pub(super) async fn read(&self, kind: RequestKind, id: &str) -> Result<Value, Failure> {
        let query: &[(&str, &str)] = if kind.endpoint() == "Groups" {
            &[("excludedAttributes", "members")]
        } else {
            &[]
        };
        let body = self.send(kind, Some(id), query, None).await?.body.unwrap_or_default();
        match id_of(&body)? {
            same if same == id => Ok(body),
            _ => Err(Failure::Incompatible(
                "a resource was answered under another id than its own".to_owned(),
            )),
        }
    }

    /// R12: 404 means that it is gone already.
    pub(super) async fn delete(&self, kind: RequestKind, id: &str) -> Result<(), Failure> {
        match self.send(kind, Some(id), &[], None).await {
            Ok(_) | Err(Failure::NotFound(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// The id of a resource; without one there is nothing to link.
pub(super) fn id_of(resource: &Value) -> Result<String, Failure> {
    match resource["id"].as_str() {
        Some(id) if !id.is_empty() => Ok(id.to_owned()),
        _ => Err(Failure::Incompatible("a resource without id was answered".to_owned())),
    }
}

/// The resources of a list answer whose count agrees with what it holds: matching never pages.
fn resources(answer: Answer) -> Result<Vec<Value>, Failure> {
    let wrong = |what: &str| Err(Failure::Incompatible(format!("the answer to a filter {what}")));
    let mut body = answer.body.unwrap_or_default();
    let list = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
    if !body["schemas"]
        .as_array()
        .is_some_and(|urns| urns.iter().any(|urn| urn == list))
    {
        return wrong("is no ListResponse");
    }
    let Some(total) = body["totalResults"].as_u64() else {
        return wrong("has no totalResults");
    };
    let resources = match body["Resources"].take() {
        Value::Array(resources) => resources,
        Value::Null if total == 0 => Vec::new(),
        _ => return wrong("has no Resources"),
    };
    if resources.len() as u64 != total {
        return wrong("does not hold as many resources as it counts");
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_whole_list_is_a_list() {
        let list = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
        for (body, hits) in [
            (json!({"schemas": [list], "totalResults": 0, "Resources": []}), Some(0)),
            (json!({"schemas": [list], "totalResults": 0}), Some(0)),
            (
                json!({"schemas": [list], "totalResults": 1, "Resources": [{"id": "1"}]}),
                Some(1),
            ),
            (
                json!({"schemas": [list], "totalResults": 2, "Resources": [{"id": "1"}]}),
                None,
            ),
            (json!({"schemas": [list], "totalResults": 1}), None),
            (json!({"schemas": [list], "Resources": []}), None),
            (json!({"totalResults": 0, "Resources": []}), None),
            (json!({"id": "1", "userName": "bare"}), None),
            (json!([]), None),
        ] {
            let found = resources(Answer {
                status: 200,
                etag: None,
                body: Some(body.clone()),
            });
            assert_eq!(found.ok().map(|found| found.len()), hits, "{body}");
        }
        assert!(
            resources(Answer {
                status: 204,
                etag: None,
                body: None
            })
            .is_err()
        );
        assert!(id_of(&json!({"id": ""})).is_err() && id_of(&json!({"id": 7})).is_err());
    }
}
