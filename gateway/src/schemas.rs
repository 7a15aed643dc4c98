//! The tenants' schema tables, as identity-service hands them out. Each is fetched before the gateway becomes ready, and followed from
//! then on. A request is read by the table that is there when it arrives; a write says by which one that was, and when
//! identity-service has another by then, the new one is fetched and the request is read again, so that no attribute gets
//! lost because the gateway did not know it yet.

use std::collections::HashMap;
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

/// The present table of each tenant that there is; none before the first was fetched.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    present: watch::Sender<HashMap<Arc<str>, Arc<Table>>>,
}

impl Tables {
    /// The tenant's present table.
    pub(crate) fn of(&self, tenant: &str) -> Option<Arc<Table>> {
        self.present.borrow().get(tenant).cloned()
    }

    /// Makes a table the tenant's present one.
    pub(crate) fn put(&self, tenant: &str, table: Arc<Table>) {
        self.present
            .send_modify(|tables| drop(tables.insert(tenant.into(), table)));
    }

    /// Fetches a tenant's table that is not there yet: the tenant is new, or the gateway.
    pub(crate) async fn prepare(&self, identity: &Identity, tenant: &str) {
        if self.of(tenant).is_none()
            && let Err(error) = self.fetch(identity, tenant, Deadline::after(TIMEOUT)).await
        {
            tracing::warn!(scim.tenant = tenant, error = %Chain(&error), "a tenant's schema table cannot be fetched");
        }
    }

    /// Fetches a tenant's table and makes it the present one.
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
        if let Some(present) = self.of(tenant).filter(|present| present.hash == answer.hash.as_str()) {
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
        tracing::info!(
            scim.tenant = tenant,
            extensions,
            "reading SCIM by the schema table of identity-service"
        );
        self.put(tenant, Arc::clone(&table));
        Ok(table)
    }
}

/// Whether identity-service refused a write because it has another table by now.
pub(crate) fn have_changed(status: &Status) -> bool {
    Details::of(status).is_some_and(|details| details.reason == ErrorReason::SchemasChanged)
}

/// Fetches the tables of all tenants again and again, until stopped.
pub(crate) async fn follow(gateway: Arc<Gateway>, dependency: Dependency, stop: CancellationToken) {
    loop {
        let known = gateway.credentials.present.last();
        match &known {
            None => dependency.not_ready("identity-service has not said as yet which tenants there are"),
            Some(book) => fetch_all(&gateway, book.tenants(), &dependency).await,
        }
        let tables = &gateway.tables;
        let tenants_are_known = known.is_some();
        let all = known.is_some_and(|book| book.tenants().iter().all(|tenant| tables.of(tenant).is_some()));
        let pause = if all { INTERVAL } else { FIRST_INTERVAL };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            () = gateway.credentials.present.arrived(), if !tenants_are_known => {}
        }
    }
}

/// A tenant whose table cannot be had is served with 503; that is the gateway's state only where there is no other.
async fn fetch_all(gateway: &Gateway, tenants: &[Arc<str>], dependency: &Dependency) {
    let Gateway { tables, identity, .. } = gateway;
    tables.present.send_if_modified(|known| {
        let before = known.len();
        known.retain(|tenant, _| tenants.contains(tenant));
        known.len() != before
    });
    let mut missing = Vec::new();
    for tenant in tenants {
        let fetched = tables.fetch(identity, tenant, Deadline::after(TIMEOUT)).await;
        match fetched {
            // Whether identity-service is there at all is told elsewhere; until it is back, the table is what it was.
            Err(TableError::Call(_)) if tables.of(tenant).is_some() => {}
            Err(error) => missing.push(format!("{tenant}: {}", Chain(&error))),
            Ok(_) => {}
        }
    }
    match missing.first() {
        None => dependency.ready(),
        Some(reason) if missing.len() == tenants.len() => dependency.not_ready(reason.clone()),
        Some(reason) => dependency.degraded(format!("of {} tenants, the first: {reason}", missing.len())),
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
