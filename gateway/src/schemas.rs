//! The tenant's schema table, as identity-service hands it out. It is fetched before the gateway becomes ready, and followed from
//! then on. A request is read by the table that is there when it arrives; a write says by which one that was, and when
//! identity-service has another by then, the new one is fetched and the request is read again, so that no attribute gets
//! lost because the gateway did not know it yet.

use std::sync::Arc;
use std::time::Duration;

use proto::error::{Details, ErrorReason};
use proto::identity::v1::GetSchemasRequest;
use scim::{Declaration, DeclarationError, ResourceType, Schemas};
use service_runtime::{Chain, Dependency};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};

use crate::Gateway;
use crate::call::{Deadline, Terms};
use crate::identity::Identity;

/// How often the table is asked for; before there is one, more often.
const INTERVAL: Duration = Duration::from_secs(2);
const FIRST_INTERVAL: Duration = Duration::from_millis(250);
/// How long identity-service may take to hand it out.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A table and what tells it from others.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) schemas: Schemas,
    pub(crate) hash: MetadataValue<Ascii>,
}

/// Why a table cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("identity-service does not hand out the schema table")]
    Call(#[source] Box<Status>),
    #[error("identity-service hands out a schema table that this gateway cannot read; it is of another version")]
    Unreadable(#[source] DeclarationError),
    #[error("identity-service hands out a schema table that this gateway cannot read: {0}")]
    Malformed(&'static str),
}

/// The present table; `None` before the first was fetched.
#[derive(Debug)]
pub(crate) struct Tables {
    present: watch::Sender<Option<Arc<Table>>>,
}

impl Tables {
    pub(crate) fn new(first: Option<Table>) -> Self {
        Self {
            present: watch::Sender::new(first.map(Arc::new)),
        }
    }

    pub(crate) fn present(&self) -> Option<Arc<Table>> {
        self.present.borrow().clone()
    }

    /// Fetches the table and makes it the present one.
    pub(crate) async fn fetch(
        &self,
        identity: &Identity,
        tenant: &str,
        deadline: Deadline,
    ) -> Result<Arc<Table>, TableError> {
        let message = GetSchemasRequest {
            tenant: tenant.to_owned(),
        };
        let answer = identity.get_schemas(message, Terms::within(deadline)).await;
        let answer = answer.map_err(|status| TableError::Call(Box::new(status)))?;
        if let Some(present) = self.present().filter(|present| present.hash == answer.hash.as_str()) {
            return Ok(present);
        }
        let malformed = TableError::Malformed;
        let read = |extension: proto::identity::v1::ExtensionSchema| {
            let named = |kind: &ResourceType| kind.name() == extension.resource_type;
            Ok(Declaration {
                resource_type: ResourceType::ALL
                    .into_iter()
                    .find(named)
                    .ok_or(malformed("an extension of an unknown resource type"))?,
                required: extension.required,
                document: serde_json::from_str(&extension.document).map_err(|_| malformed("a document is not JSON"))?,
            })
        };
        let declared: Vec<_> = answer.extensions.into_iter().map(read).collect::<Result<_, _>>()?;
        let extensions = declared.len();
        let table = Arc::new(Table {
            schemas: Schemas::with_extensions(declared).map_err(TableError::Unreadable)?,
            hash: answer.hash.parse().map_err(|_| malformed("its hash is no metadata"))?,
        });
        tracing::info!(extensions, "reading SCIM by the schema table of identity-service");
        self.present.send_replace(Some(Arc::clone(&table)));
        Ok(table)
    }
}

/// Whether identity-service refused a write because it has another table by now.
pub(crate) fn have_changed(status: &Status) -> bool {
    Details::of(status).is_some_and(|details| details.reason == ErrorReason::SchemasChanged)
}

/// Fetches the table again and again, until stopped.
pub(crate) async fn follow(gateway: Arc<Gateway>, dependency: Dependency, stop: CancellationToken) {
    if gateway.tables.present().is_some() {
        dependency.ready();
    }
    loop {
        let fetched = gateway
            .tables
            .fetch(&gateway.identity, &gateway.tenant, Deadline::after(TIMEOUT))
            .await;
        match (&fetched, gateway.tables.present()) {
            (Ok(_), _) => dependency.ready(),
            // Whether identity-service is there at all is told elsewhere; until it is back, the table is what it was.
            (Err(TableError::Call(_)), Some(_)) => {}
            (Err(error), _) => dependency.not_ready(Chain(error).to_string()),
        }
        let pause = if gateway.tables.present().is_some() {
            INTERVAL
        } else {
            FIRST_INTERVAL
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The table of a tenant without extensions, for tests in which identity-service has handed it out and gone.
#[cfg(test)]
pub(crate) fn builtin() -> Table {
    Table {
        schemas: Schemas::builtin(),
        hash: MetadataValue::from_static("none"),
    }
}
