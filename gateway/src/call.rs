//! What each handler is given of its request: the parsed query, the headers, the address that clients know us by, and
//! the time that is left. Failing to extract any of it is a SCIM error like all others.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::request::Parts;
use scim::Schemas;
use serde_json::Value;
use service_runtime::Chain;
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};

use crate::Gateway;
use crate::auth::Authenticated;
use crate::body::{Arrived, Limits};
use crate::error::Problem;
use crate::location::Base;
use crate::origin::Origin;
use crate::query::Query;
use crate::schemas::{self, Table};

/// How much later than the calls it waits for a request is given up. The calls have the better answer.
const BACKSTOP: Duration = Duration::from_millis(500);
/// Our ids are UUIDs; nothing much longer can be one.
const MAX_ID_BYTES: usize = 256;

/// One request, without its body.
pub(crate) struct Call {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) base: Base,
    pub(crate) deadline: Deadline,
    /// What the request is read by.
    pub(crate) table: Arc<Table>,
    tenant: Arc<str>,
    origin: Origin,
    began: Option<Began>,
    read_anew: bool,
}

impl Call {
    /// The schemas that the request is read by.
    pub(crate) fn schemas(&self) -> &Schemas {
        &self.table.schemas
    }

    /// What a call to identity-service says beside its message.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            schemas: Some(self.table.hash.clone()),
            origin: self.origin.clone(),
            began: self.began,
            ..Terms::within(self.deadline)
        }
    }

    /// After a write that was refused: whether its body shall be read again, by the table that identity-service has by
    /// now. Once is enough: two that differ while they are asked are being replaced, and the client comes back.
    pub(crate) async fn reads_anew(&mut self, status: &Status) -> bool {
        if self.read_anew || !schemas::have_changed(status) {
            return false;
        }
        self.read_anew = true;
        let Gateway { tables, identity, .. } = &*self.gateway;
        match tables.fetch(identity, &self.tenant, self.deadline).await {
            Ok(table) => {
                self.table = table;
                true
            }
            Err(error) => {
                tracing::warn!(
                    error = %Chain(&error),
                    "the schema table changed, and the new one cannot be fetched"
                );
                false
            }
        }
    }

    /// The tenant's name, for a message to identity-service.
    pub(crate) fn tenant(&self) -> String {
        self.tenant.as_ref().to_owned()
    }

    /// How many resources a page of a list shall have.
    pub(crate) fn page_size(&self) -> i32 {
        let settings = &self.gateway.settings;
        self.query
            .count
            .unwrap_or(settings.page_size)
            .min(settings.max_page_size)
    }

    /// Waits for the body of a write, which may have at most `bytes`.
    pub(crate) async fn body(&self, request: Request, bytes: u64) -> Result<Arrived, Problem> {
        let time = self.gateway.settings.body_timeout;
        Arrived::of(request, Limits { bytes, time }).await
    }

    /// The same as JSON, for who reads it once.
    pub(crate) async fn json(&self, request: Request, bytes: u64) -> Result<Value, Problem> {
        self.body(request, bytes).await?.json()
    }
}

impl Call {
    fn new(parts: &Parts, gateway: &Arc<Gateway>, query: Query) -> Result<Self, Problem> {
        // No route is reached without.
        let Authenticated { tenant } = parts.extensions.get().cloned().ok_or_else(|| {
            Problem::internal(
                "a route was reached without a credential",
                &"it stands outside of `auth::require`",
            )
        })?;
        Ok(Self {
            table: gateway.tables.of(&tenant).ok_or_else(Problem::no_schemas)?,
            tenant,
            read_anew: false,
            gateway: Arc::clone(gateway),
            query,
            // As `edge::mark` found it; an operation of a bulk request has the address of that request.
            base: parts.extensions.get().cloned().unwrap_or_default(),
            deadline: parts.extensions.get().copied().unwrap_or_default(),
            headers: parts.headers.clone(),
            origin: parts.extensions.get().cloned().unwrap_or_default(),
            began: parts.extensions.get().copied(),
        })
    }
}

impl FromRequestParts<Arc<Gateway>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        Self::new(parts, gateway, query)
    }
}

/// A request for a discovery document, of whose query little counts.
pub(crate) struct Discovery(pub(crate) Call);

impl FromRequestParts<Arc<Gateway>> for Discovery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let query = Query::of_discovery(parts.uri.query().unwrap_or_default());
        Call::new(parts, gateway, query).map(Self)
    }
}

/// When a request began; of an operation of a bulk request, when that did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began(Instant);

impl Began {
    /// For how long it has been under way, in milliseconds.
    pub(crate) fn age_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// When a request's time is over; `None` means never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now.
    pub(crate) fn after(time: Duration) -> Self {
        Self(Some(Instant::now() + time))
    }

    /// The time that is left.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

/// What goes along with a call to identity-service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// When nobody waits for the answer any more.
    pub(crate) deadline: Deadline,
    /// The hash of the schema table that the request was read by.
    pub(crate) schemas: Option<MetadataValue<Ascii>>,
    /// Who asks.
    pub(crate) origin: Origin,
    /// When the request began.
    pub(crate) began: Option<Began>,
}

impl Terms {
    /// Only a deadline.
    pub(crate) fn within(deadline: Deadline) -> Self {
        Self {
            deadline,
            ..Self::default()
        }
    }
}

/// Notes when each request began, gives it its deadline, and up when it is over.
pub(crate) async fn limit_time(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Began(Instant::now()));
    let limit = gateway.settings.request_timeout;
    if limit.is_zero() {
        return next.run(request).await;
    }
    let deadline = Instant::now() + limit;
    request.extensions_mut().insert(Deadline(Some(deadline)));
    match tokio::time::timeout_at(deadline + BACKSTOP, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timed_out().into_response(),
    }
}

/// The id in a path.
pub(crate) struct Id(pub(crate) String);

impl FromRequestParts<Arc<Gateway>> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let none = || Problem::not_found("There is no resource with this id.");
        // What is not UTF-8 cannot be an id of ours either.
        let Path(id) = Path::<String>::from_request_parts(parts, gateway)
            .await
            .map_err(|_| none())?;
        if id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            Err(none())
        } else {
            Ok(Self(id))
        }
    }
}
