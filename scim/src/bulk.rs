//! Bulk (RFC 7644 §3.7): many operations in one request, which may refer to one another by `bulkId`, in any order and
//! in circles.
//!
//! [`Bulk`] reads the request and decides what comes after what. Then it gives out one [`BulkCall`] at a time: the
//! request that an operation stands for, with ids in the places of the references. Who can serve such a request does,
//! and says how it went ([`Bulk::settle`]). What depends on something that failed is answered without being tried.
//!
//! Where operations refer to each other in a circle, resources are created without the references that close it, and
//! get them by a PATCH as soon as all of them are there (§3.7.1).

mod order;
mod plan;
mod read;
mod reference;

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value, json};

use crate::{
    error::{Error, ErrorKind},
    message::error_body,
    schema::{ResourceType, Schemas, URN_PATCH_OP},
};
use read::{Entry, Place};

/// How long a `bulkId` may be, in bytes.
pub const MAX_BULK_ID_BYTES: usize = 256;

/// A bulk request under way.
///
/// ```
/// use scim::{Bulk, BulkOutcome, Schemas};
/// use serde_json::json;
///
/// let body = json!({"Operations": [
///     {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "Racks", "members": [{"value": "bulkId:u"}]}},
///     {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "odile"}},
/// ]});
/// let mut bulk = Bulk::read(body, &Schemas::builtin(), 1000)?;
/// let user = bulk.next_call().unwrap();
/// assert_eq!(user.body.as_ref().unwrap()["userName"], "odile");
/// bulk.settle(&user, BulkOutcome { status: 201, id: Some("417".to_owned()), ..BulkOutcome::default() });
/// let group = bulk.next_call().unwrap();
/// assert_eq!(group.body.unwrap()["members"], json!([{"value": "417"}]));
/// # Ok::<(), scim::Refusal>(())
/// ```
#[derive(Debug)]
pub struct Bulk {
    entries: Vec<Entry>,
    steps: VecDeque<Step>,
    /// The ids of what has been created, by `bulkId`.
    ids: HashMap<String, String>,
    /// How many more errors are accepted; `None` when any number is.
    patience: Option<u64>,
}

/// One step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The operation itself.
    Run(usize),
    /// What the operation's resource was created without.
    Complete(usize),
}

/// Why a request, or one operation of it, is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {detail}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The `scimType`, where there is one.
    pub scim_type: Option<&'static str>,
    /// What is wrong, for a person.
    pub detail: String,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are HTTP's")]
pub enum BulkMethod {
    Post,
    Put,
    Patch,
    Delete,
}

impl BulkMethod {
    const ALL: [Self; 4] = [Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The name of the HTTP method.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The request that an operation stands for.
#[derive(Debug, PartialEq)]
pub struct BulkCall {
    /// The operation, counted from 0.
    pub operation: usize,
    /// The method.
    pub method: BulkMethod,
    /// The type of the resource, which says the endpoint.
    pub resource_type: ResourceType,
    /// The resource; `None` for a POST.
    pub id: Option<String>,
    /// The version that the resource must have, as the client wrote it.
    pub version: Option<String>,
    /// The body; `None` for a DELETE.
    pub body: Option<Value>,
    /// Whether it gives a resource what it was created without.
    completes: bool,
}

/// How a call went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BulkOutcome {
    /// The HTTP status.
    pub status: u16,
    /// The id of what a POST created.
    pub id: Option<String>,
    /// The resource's version afterwards.
    pub version: Option<String>,
    /// The error's body when it failed.
    pub error: Option<Value>,
}

impl BulkOutcome {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What is answered for one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkResult {
    /// The method; as the client wrote it where it is none.
    pub method: Option<String>,
    /// The operation's own `bulkId`.
    pub bulk_id: Option<String>,
    /// The resource that it is about, where one can be named.
    pub resource: Option<(ResourceType, String)>,
    /// How it went.
    pub outcome: BulkOutcome,
}

impl BulkResult {
    /// The result as it stands in the answer. The location is the address of [`Self::resource`].
    pub fn into_json(self, location: Option<String>) -> Value {
        let status = self.outcome.status.to_string();
        let members = [
            ("method", self.method),
            ("bulkId", self.bulk_id),
            ("version", self.outcome.version),
            ("location", location),
            ("status", Some(status)),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, text)| Some((name, Value::from(text?))))
            .chain(self.outcome.error.map(|error| ("response", error)));
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>()
            .into()
    }
}

impl Bulk {
    /// Reads the body of a bulk request of at most so many operations, and plans it. An operation that cannot be meant
    /// does not keep the others from being done; it is answered as an error when its turn comes.
    pub fn read(body: Value, schemas: &Schemas, max_operations: usize) -> Result<Self, Refusal> {
        let (mut entries, patience) = read::request(body, max_operations)?;
        let steps = plan::plan(&mut entries, schemas);
        Ok(Self {
            entries,
            steps: steps.into(),
            ids: HashMap::new(),
            patience,
        })
    }

    /// The next request to serve; `None` when all is done, or as many have failed as the client accepts.
    pub fn next_call(&mut self) -> Option<BulkCall> {
        while self.patience != Some(0) {
            let call = match self.steps.pop_front()? {
                Step::Run(at) => self.run(at),
                Step::Complete(at) => self.complete(at),
            };
            if call.is_some() {
                return call;
            }
        }
        None
    }

    /// Takes note of how a call went.
    pub fn settle(&mut self, call: &BulkCall, outcome: BulkOutcome) {
        let Some(entry) = self.entries.get_mut(call.operation) else {
            return;
        };
        if !outcome.is_success() {
            self.failed();
            let entry = &mut self.entries[call.operation];
            match &mut entry.outcome {
                Some(created) if call.completes => {
                    created.status = outcome.status;
                    created.error = outcome.error.map(incomplete);
                }
                _ => entry.outcome = Some(outcome),
            }
        } else if call.completes {
            // The operation is still the POST that it was.
            if let Some(created) = &mut entry.outcome {
                created.version = outcome.version.or(created.version.take());
            }
        } else {
            if let Some(id) = &outcome.id {
                entry.resource = Some((call.resource_type, id.clone()));
                self.ids
                    .extend(entry.bulk_id.clone().map(|bulk_id| (bulk_id, id.clone())));
            }
            entry.outcome = Some(outcome);
        }
    }

    /// Ends it early: whatever is not done by now is answered with this.
    pub fn stop(&mut self, refusal: &Refusal) {
        for entry in &mut self.entries {
            entry.outcome.get_or_insert_with(|| refusal.outcome());
        }
        self.abandon(refusal);
        self.steps.clear();
    }

    /// What is answered, in the order of the request. Operations that were not tried because too many others had failed
    /// are not among them (RFC 7644 §3.7.3).
    pub fn results(mut self) -> Vec<BulkResult> {
        let refusal = Refusal::new(409, "the request ended at `failOnErrors`");
        self.abandon(&refusal);
        let done = self.entries.into_iter().filter_map(|entry| {
            Some(BulkResult {
                outcome: entry.outcome?,
                method: entry.method,
                bulk_id: entry.bulk_id,
                resource: entry.resource,
            })
        });
        done.collect()
    }

    fn run(&mut self, at: usize) -> Option<BulkCall> {
        let entry = &mut self.entries[at];
        let mut task = match entry.task.take()? {
            Ok(task) => task,
            Err(refusal) => return self.refuse(at, &refusal),
        };
        if let Some(missing) = entry.needs.iter().find(|name| !self.ids.contains_key(*name)) {
            let refusal = depends(missing);
            return self.refuse(at, &refusal);
        }
        let id = match task.place {
            Place::Endpoint => None,
            Place::Resource(id) => Some(id),
            Place::Created(name) => self.ids.get(&name).cloned(),
        };
        if let Some(id) = &id {
            entry.resource = Some((task.resource_type, id.clone()));
        }
        if let Some(data) = &mut task.data {
            reference::resolve(data, &self.ids);
        }
        Some(BulkCall {
            operation: at,
            method: task.method,
            resource_type: task.resource_type,
            id,
            version: task.version,
            body: task.data,
            completes: false,
        })
    }

    fn complete(&mut self, at: usize) -> Option<BulkCall> {
        let entry = &mut self.entries[at];
        let aside = entry.aside.take()?;
        // Not created: that is answered already.
        let (resource_type, id) = entry.resource.clone()?;
        if let Some(missing) = aside.needs.iter().find(|name| !self.ids.contains_key(*name)) {
            let error = incomplete(depends(missing).body());
            if let Some(created) = &mut entry.outcome {
                (created.status, created.error) = (409, Some(error));
            }
            self.failed();
            return None;
        }
        let mut body = json!({"schemas": [URN_PATCH_OP], "Operations": [{"op": "add", "value": aside.attributes}]});
        reference::resolve(&mut body, &self.ids);
        Some(BulkCall {
            operation: at,
            method: BulkMethod::Patch,
            resource_type,
            id: Some(id),
            version: None,
            body: Some(body),
            completes: true,
        })
    }

    /// Answers for what was created and will not be completed any more.
    fn abandon(&mut self, refusal: &Refusal) {
        for entry in &mut self.entries {
            let Some(created) = entry.outcome.as_mut().filter(|outcome| outcome.is_success()) else {
                continue;
            };
            if entry.aside.take().is_some() {
                (created.status, created.error) = (refusal.status, Some(incomplete(refusal.body())));
            }
        }
    }

    fn refuse(&mut self, at: usize, refusal: &Refusal) -> Option<BulkCall> {
        self.entries[at].outcome = Some(refusal.outcome());
        self.failed();
        None
    }

    fn failed(&mut self) {
        self.patience = self.patience.map(|left| left.saturating_sub(1));
    }
}

/// RFC 7644 §3.7.1 has 409 for references that cannot be resolved.
fn depends(name: &str) -> Refusal {
    Refusal::new(
        409,
        format!("not tried: it refers to the bulkId `{name}`, whose operation failed"),
    )
}

/// The same error, of a resource that is there already.
fn incomplete(mut error: Value) -> Value {
    let why = error["detail"].as_str().unwrap_or_default();
    error["detail"] = format!("created, but without what closes a circle of bulkIds: {why}").into();
    error
}

impl Refusal {
    fn new(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type: None,
            detail: detail.into(),
        }
    }

    /// The error as a client reads it (RFC 7644 §3.12).
    pub fn body(&self) -> Value {
        error_body(self.status, self.scim_type, &self.detail)
    }

    fn outcome(&self) -> BulkOutcome {
        BulkOutcome {
            status: self.status,
            error: Some(self.body()),
            ..BulkOutcome::default()
        }
    }
}

impl From<Error> for Refusal {
    fn from(Error { kind, detail }: Error) -> Self {
        Self {
            status: kind.status(),
            scim_type: Some(kind.scim_type()),
            detail,
        }
    }
}

fn syntax(detail: impl Into<String>) -> Refusal {
    Error::new(ErrorKind::InvalidSyntax, detail).into()
}

fn value(detail: impl Into<String>) -> Refusal {
    Error::new(ErrorKind::InvalidValue, detail).into()
}

#[cfg(test)]
mod tests;
