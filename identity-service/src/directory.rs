//! The rules of users and groups: what a request does to a record. It reads, computes, and asks the store for one atomic
//! step; a lost race is read and computed again. It knows SCIM and the store; it must not know gRPC, HTTP or the Platform.

mod diff;
mod discard;
mod groups;
mod members;
mod users;
mod verdict;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use scim::{ResourceSchema, Schemas};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::Instrument;

pub use members::MEMBER_PAGE;
pub(crate) use users::may_be_used;

use crate::{
    config::{DeleteMode, UnknownMembers},
    error::{Error, Holder},
    id::{Kind, ResourceId, Tenant},
    index::{Key, name_attribute},
    metrics,
    query::{GROUPS_ALONG, Page, Query, Search},
    record::{Record, bytes, etag, version_of_etag},
    store::{
        Action, AttributeChange, Brake, Origin, RequestKey, Seen, Store, StoreError, Usable, Which, Write, WriteError,
        Written, traces,
    },
    tenants::Served,
    wake::Wake,
};

/// How often a lost race is run again before the caller is told to come back.
const RACES: usize = 64;
/// How long a `request_id` may be.
const REQUEST_ID_BYTES: usize = 64;
/// How large a resource may become, whatever the sizes of the requests that made it.
const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// The users and groups of one tenant, by the settings that were in force when it was taken.
#[derive(Clone)]
pub struct Directory {
    store: Arc<dyn Store>,
    served: Arc<Served>,
    /// Rings whenever something changed, or was delivered.
    wake: Wake,
}

/// What a caller says beside what it wants.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The entity tag that the resource must be at.
    pub etag: Option<String>,
    /// Makes a repeat harmless.
    pub request: Option<RequestKey>,
    /// The W3C trace context of the request.
    pub traceparent: Option<String>,
    /// Who asks, for the log.
    pub origin: Option<Origin>,
    /// For how long the request has been under way: it has waited that long already.
    pub age: Duration,
}

impl Caller {
    /// The trace that a change of that time belongs to, as the outbox keeps it.
    fn asked(&self, now: Timestamp) -> Option<String> {
        let traceparent = self.traceparent.as_deref();
        traceparent.map(|traceparent| traces::asked(traceparent, now))
    }
}

impl Directory {
    /// A tenant's directory over a store.
    pub fn new(store: Arc<dyn Store>, served: Arc<Served>, wake: Wake) -> Self {
        Self { store, served, wake }
    }

    /// The tenant and its settings.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// The tenant.
    pub fn tenant(&self) -> &Tenant {
        &self.served.tenant
    }

    /// Reads one resource.
    pub async fn get(&self, kind: Kind, id: &str) -> Result<Record, Error> {
        let parsed = parse_id(kind, id)?;
        self.store
            .get(self.tenant(), kind, parsed)
            .await?
            .ok_or_else(|| not_found(kind, id))
    }

    /// Reads one resource to be shown, with groups where they are wanted.
    pub async fn look_up(&self, kind: Kind, id: &str, with_groups: bool) -> Result<Seen, Error> {
        let parsed = parse_id(kind, id)?;
        let groups = if with_groups { GROUPS_ALONG } else { 0 };
        let found = self
            .store
            .look_up(self.tenant(), kind, Which::Ids(&[parsed]), groups)
            .await?;
        found.seen.into_iter().next().ok_or_else(|| not_found(kind, id))
    }

    /// Finds resources.
    pub async fn find(&self, kind: Kind, search: Search<'_>) -> Result<Page, Error> {
        let query = Query {
            store: self.store.as_ref(),
            tenant: self.tenant(),
            kind,
            schema: self.schema(kind),
            scan_limit: self.served.policy.scan_limit,
        };
        query.find(search).await
    }

    /// Deletes a resource.
    pub async fn delete(&self, kind: Kind, id: &str, caller: Caller) -> Result<(), Error> {
        let parsed = parse_id(kind, id)?;
        if self.answered(&caller).await?.is_some() {
            return Ok(());
        }
        for _ in 0..RACES {
            let record = self.get(kind, id).await?;
            let keys = crate::index::keys(kind, &record.document);
            let diff = self.diff(kind, &record.document, &Value::Null);
            let action = Action::Delete {
                expected: record.document_version,
                keys,
            };
            let usable = Usable {
                before: kind == Kind::Group || may_be_used(&record.document),
                after: false,
            };
            let step = Write {
                usable,
                ..self.step(kind, parsed, action, diff, &caller)
            };
            if self.attempt(step, id, &caller).await?.is_some() {
                return Ok(());
            }
        }
        Err(Error::Contention)
    }

    /// The first answer to a repeated request. It is asked for before anything is computed: what the request was about may
    /// have changed since, or be gone.
    async fn answered(&self, caller: &Caller) -> Result<Option<Written>, Error> {
        match &caller.request {
            None => Ok(None),
            Some(request) => {
                let answered = self.store.answered(self.tenant(), request, Timestamp::now()).await;
                answered.map_err(|error| match error {
                    WriteError::Store(error) => Error::Store(error),
                    _ => Error::RequestIdReused(request.id.clone()),
                })
            }
        }
    }

    /// A refusal of a taken name says who has it: the administrator who reads it cannot look (Q33).
    async fn naming_the_holder<T>(&self, kind: Kind, name: Option<Key>, outcome: Result<T, Error>) -> Result<T, Error> {
        let (Err(Error::NameTaken { attribute, .. }), Some(name)) = (&outcome, name) else {
            return outcome;
        };
        let attribute = *attribute;
        let found = self.store.look_up(self.tenant(), kind, Which::Key(&name, 1), 0).await?;
        let holder = found.seen.into_iter().next().map(|Seen { record, .. }| Holder {
            id: record.id,
            inactive: !may_be_used(&record.document),
        });
        Err(Error::NameTaken {
            kind,
            attribute,
            holder,
        })
    }

    fn schema(&self, kind: Kind) -> &ResourceSchema {
        self.served.schemas.resource(kind.into())
    }

    /// What a change does to a document, for the log.
    fn diff(&self, kind: Kind, old: &Value, new: &Value) -> Vec<AttributeChange> {
        diff::diff(self.schema(kind), old, new)
    }

    fn step(&self, kind: Kind, id: ResourceId, action: Action, diff: Vec<AttributeChange>, caller: &Caller) -> Write {
        let if_version = match caller.etag.as_deref() {
            None | Some("*") => None,
            // A tag that we never issued matches no version.
            Some(tag) => Some(version_of_etag(tag).unwrap_or(0)),
        };
        let now = Timestamp::now();
        Write {
            kind,
            id,
            action,
            if_version,
            keep_unknown_members: self.served.policy.unknown_members == UnknownMembers::Keep,
            request: caller.request.clone(),
            usable: Usable::ALWAYS,
            brakes: self.served.brakes(),
            deletion_disables: self.served.policy.delete_mode == DeleteMode::Disable,
            now,
            traceparent: caller.asked(now),
            diff,
            origin: caller.origin.clone(),
        }
    }

    /// Runs a step; `None` when it was overtaken, so that it must be computed again.
    async fn attempt(&self, write: Write, id: &str, caller: &Caller) -> Result<Option<Written>, Error> {
        let kind = write.kind;
        match self.write(write).await {
            Ok(written) => Ok(Some(written)),
            Err(WriteError::DocumentMoved) => {
                tokio::task::yield_now().await;
                Ok(None)
            }
            Err(error) => Err(refused(error, kind, id, caller)),
        }
    }
}

impl Directory {
    /// Writes, and rings when something changed; also when the caller goes away meanwhile, since the step then may take
    /// place all the same.
    async fn write(&self, write: Write) -> Result<Written, WriteError> {
        let (store, wake, tenant) = (self.store.clone(), self.wake.clone(), self.tenant().clone());
        let writing = async move {
            let (kind, id) = (write.kind, write.id);
            let written = store.write(&tenant, write).await?;
            if written.changed {
                wake.ring();
            }
            if let Some(brake) = written.braked {
                braked(&tenant, kind, id, brake);
            }
            Ok(written)
        };
        let written = tokio::spawn(writing.in_current_span()).await;
        written.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panicked) => std::panic::resume_unwind(panicked),
            // The runtime is going down.
            Err(_) => Err(StoreError::Closed.into()),
        })
    }
}

/// Says that a brake came on. Too many who lose all access is the most urgent: either a leaver still has access, or everybody
/// is about to lose it.
fn braked(tenant: &Tenant, kind: Kind, id: ResourceId, brake: Brake) {
    metrics::braked(tenant, brake);
    let (kind, what) = (kind.name(), brake.name());
    match brake {
        Brake::Deactivations => tracing::error!(
            scim.tenant = %tenant, scim.resource.type = kind, scim.resource.id = %id, delivery.brake = what,
            "more are deactivated than MAX_DEACTIVATIONS_PER_HOUR: {kind} {id} is held as it is, until somebody releases it"
        ),
        // It comes on with a delivery, which tells it.
        Brake::Alarm => {}
        Brake::Removals => tracing::warn!(
            scim.tenant = %tenant, scim.resource.type = kind, scim.resource.id = %id, delivery.brake = what,
            "more is removed than MAX_REMOVALS_PER_HOUR: what is left of {kind} {id} is held, until somebody releases it"
        ),
    }
}

/// What tells a schema table from others: the same for the same extensions.
pub(crate) fn schemas_hash(schemas: &Schemas) -> String {
    let mut digest = Sha256::new();
    for declaration in schemas.declarations() {
        let (kind, required) = (declaration.resource_type.name(), declaration.required);
        digest.update(format!("{kind} {required} {}\n", declaration.document));
    }
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refused(error: WriteError, kind: Kind, id: &str, caller: &Caller) -> Error {
    match error {
        WriteError::NotFound => not_found(kind, id),
        WriteError::NameTaken => Error::NameTaken {
            kind,
            attribute: name_attribute(kind),
            holder: None,
        },
        WriteError::NameReserved(owner) => Error::NameReserved {
            attribute: name_attribute(kind),
            owner,
        },
        WriteError::VersionMismatch { present } => Error::VersionMismatch {
            present: etag(present),
            wanted: caller.etag.clone().unwrap_or_default(),
        },
        WriteError::DocumentMoved => Error::Contention,
        WriteError::UnknownMember(member) => Error::UnknownMember(member.to_string()),
        WriteError::NestedGroup(member) => Error::NestedGroup(member.to_string()),
        WriteError::RequestIdReused => Error::RequestIdReused(
            caller
                .request
                .as_ref()
                .map(|request| request.id.clone())
                .unwrap_or_default(),
        ),
        WriteError::Store(error) => Error::Store(error),
    }
}

/// Refuses a document that has grown beyond what can be read and sent with ease.
fn bounded(document: &Value) -> Result<(), Error> {
    if bytes(document) <= MAX_DOCUMENT_BYTES {
        return Ok(());
    }
    let largest = document
        .as_object()
        .into_iter()
        .flatten()
        .max_by_key(|(_, value)| bytes(value));
    let detail = format!(
        "the resource would be larger than {MAX_DOCUMENT_BYTES} bytes; `{}` has the most of it",
        largest.map(|(name, _)| name.as_str()).unwrap_or_default()
    );
    let kind = scim::ErrorKind::InvalidValue;
    Err(scim::Error { kind, detail }.into())
}

fn parse_id(kind: Kind, id: &str) -> Result<ResourceId, Error> {
    // A text that is no id of ours names nothing.
    id.parse().map_err(|_| not_found(kind, id))
}

fn not_found(kind: Kind, id: &str) -> Error {
    Error::NotFound {
        kind,
        id: id.chars().take(64).collect(),
    }
}

/// The names of the attributes that differ between two documents.
fn differences(old: &Value, new: &Value) -> Vec<String> {
    let names = diff::names(old, new).into_iter();
    names.filter(|name| old.get(name) != new.get(name)).collect()
}

/// The key that makes a repeat of this very request harmless. `body` is the resource of the request, which `request` must
/// not carry: as a message its maps have no order, so that the same one could look like another.
pub fn request_key(
    id: Option<String>,
    method: &str,
    request: &impl prost::Message,
    body: &Value,
) -> Result<Option<RequestKey>, Error> {
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    if id.len() > REQUEST_ID_BYTES {
        return Err(Error::InvalidRequest {
            field: "request_id",
            problem: format!("longer than {REQUEST_ID_BYTES} bytes"),
        });
    }
    let mut digest = Sha256::new();
    digest.update(method.as_bytes());
    digest.update(request.encode_to_vec());
    digest.update(body.to_string());
    Ok(Some(RequestKey {
        id,
        digest: digest.finalize().into(),
    }))
}
