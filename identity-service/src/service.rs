//! The gRPC edge: messages in, messages out. It translates; the rules are in [`crate::directory`].

mod audit;
mod changes;
mod credentials;
mod deliveries;
mod directories;
mod drift;
mod groups;
mod log;
mod paging;
mod relink;
mod schemas;
mod users;

pub(crate) use audit::Audit;
pub(crate) use changes::ChangeFeed;
pub(crate) use credentials::CredentialBook;
pub(crate) use deliveries::Deliveries;
pub(crate) use directories::Directories;
pub(crate) use drift::Drifts;
pub(crate) use groups::Groups;
pub(crate) use relink::Relinks;
pub(crate) use schemas::SchemaTable;
pub(crate) use users::Users;

use std::time::Duration;

use proto::{REQUEST_AGE, identity::v1::PatchOperation};
use scim::Operation;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use service_runtime::trace_context;
use tonic::metadata::MetadataMap;

use crate::{
    directory::{Caller, request_key},
    error::Error,
    record::Record,
    store::Origin,
};

/// A message as the JSON that it is.
fn to_json(message: Option<impl Serialize>, field: &'static str) -> Result<Value, Error> {
    let message = message.ok_or(Error::InvalidRequest {
        field,
        problem: "is missing".to_owned(),
    })?;
    serde_json::to_value(message).map_err(|error| Error::InvalidRequest {
        field,
        problem: error.to_string(),
    })
}

/// A record as its message.
fn to_message<T: DeserializeOwned>(record: Record) -> Result<T, Error> {
    Ok(record.into_message()?)
}

fn operations(operations: Vec<PatchOperation>) -> Result<Vec<Operation>, Error> {
    if operations.len() > scim::MAX_OPERATIONS {
        let problem = format!(
            "has {} entries; at most {} are taken",
            operations.len(),
            scim::MAX_OPERATIONS
        );
        return Err(Error::InvalidRequest {
            field: "operations",
            problem,
        });
    }
    let read = |(place, operation): (usize, PatchOperation)| {
        let invalid = |problem: String| Error::InvalidRequest {
            field: "operations",
            problem,
        };
        let value = operation.value.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Operation {
            op: operation.op.parse().map_err(invalid)?,
            path: operation.path.filter(|path| !path.trim().is_empty()),
            value: value.map_err(|error| invalid(format!("a value is not JSON: {error}")))?,
            number: operation
                .operation
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(place),
        })
    };
    operations.into_iter().enumerate().map(read).collect()
}

/// Who asks, as far as the call says it.
fn origin(metadata: &MetadataMap) -> Option<Origin> {
    let text = |name: &str| {
        let value = metadata
            .get(name)
            .filter(|value| proto::origin::is_usable(value.as_bytes()))?;
        Some(value.to_str().ok()?.to_owned())
    };
    let origin = Origin {
        credential: text(proto::origin::CREDENTIAL),
        request_id: text(proto::origin::REQUEST_ID),
        client_request_id: text(proto::origin::CLIENT_REQUEST_ID),
        correlation_id: text(proto::origin::CORRELATION_ID),
        trace_id: trace_context::trace_id().map(|id| id.to_string()),
    };
    (origin != Origin::default()).then_some(origin)
}

/// Who asks, and how much time has passed for them.
struct Asker {
    origin: Option<Origin>,
    age: Duration,
}

fn asker(metadata: &MetadataMap) -> Asker {
    let age = metadata
        .get(REQUEST_AGE)
        .and_then(|age| age.to_str().ok()?.parse().ok());
    Asker {
        origin: origin(metadata),
        age: Duration::from_millis(age.unwrap_or(0)),
    }
}

fn caller(
    Asker { origin, age }: Asker,
    etag: Option<String>,
    request_id: Option<String>,
    method: &str,
    request: &impl prost::Message,
    body: &Value,
) -> Result<Caller, Error> {
    Ok(Caller {
        etag,
        request: request_key(request_id, method, request, body)?,
        traceparent: trace_context::current(),
        origin,
        age,
    })
}
