//! The tenants' directories, as requests name them. Which settings hold for a request is decided here, once.

use std::sync::Arc;

use proto::SCHEMAS_HASH;
use tonic::Request;

use crate::{
    directory::Directory,
    error::Error,
    id::Tenant,
    store::Store,
    tenants::{Served, Tenants},
    wake::Wake,
};

/// Finds the directory that a request is about.
#[derive(Clone)]
pub(crate) struct Directories {
    tenants: Tenants,
    store: Arc<dyn Store>,
    wake: Wake,
}

impl Directories {
    pub(crate) fn new(tenants: Tenants, store: Arc<dyn Store>, wake: Wake) -> Self {
        Self { tenants, store, wake }
    }

    /// The directory of a tenant.
    pub(crate) fn of(&self, tenant: &str) -> Result<Directory, Error> {
        let served = self.served(tenant)?;
        Ok(Directory::new(self.store.clone(), served, self.wake.clone()))
    }

    /// The same for a write, which is refused where the caller read it by another schema table: what that table did not know
    /// was dropped on the way.
    pub(crate) fn to_write<T>(&self, tenant: &str, request: &Request<T>) -> Result<Directory, Error> {
        let directory = self.of(tenant)?;
        let present = &directory.served().schemas_hash;
        match request.metadata().get(SCHEMAS_HASH) {
            Some(hash) if hash.as_bytes() != present.as_bytes() => Err(Error::SchemasChanged {
                present: present.clone(),
            }),
            _ => Ok(directory),
        }
    }

    /// A tenant with its settings.
    pub(crate) fn served(&self, tenant: &str) -> Result<Arc<Served>, Error> {
        self.tenants.get(tenant)
    }

    /// The tenant of that name, if it is served.
    pub(crate) fn tenant(&self, tenant: &str) -> Result<Tenant, Error> {
        Ok(self.served(tenant)?.tenant.clone())
    }
}
