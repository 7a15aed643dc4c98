//! `SchemaService`, and the comparison of a caller's schema table with ours.

use proto::{
    SCHEMAS_HASH,
    identity::v1::{ExtensionSchema, GetSchemasRequest, GetSchemasResponse, schema_service_server::SchemaService},
};
use tonic::{Request, Response, Status, async_trait};

use crate::{directory::Directory, error::Error};

/// The service.
pub(crate) struct SchemaTable {
    directory: Directory,
}

impl SchemaTable {
    pub(crate) fn new(directory: Directory) -> Self {
        Self { directory }
    }
}

#[async_trait]
impl SchemaService for SchemaTable {
    async fn get_schemas(&self, request: Request<GetSchemasRequest>) -> Result<Response<GetSchemasResponse>, Status> {
        self.directory.tenant(&request.get_ref().tenant)?;
        let declared = self.directory.schemas().declarations().into_iter();
        let extensions = declared.map(|declaration| ExtensionSchema {
            resource_type: declaration.resource_type.name().to_owned(),
            document: declaration.document.to_string(),
            required: declaration.required,
        });
        Ok(Response::new(GetSchemasResponse {
            extensions: extensions.collect(),
            hash: self.directory.schemas_hash().to_owned(),
        }))
    }
}

/// Refuses a write that was read by another table: what that table did not know was dropped on the way.
pub(super) fn same_table<T>(directory: &Directory, request: &Request<T>) -> Result<(), Error> {
    let present = directory.schemas_hash();
    match request.metadata().get(SCHEMAS_HASH) {
        Some(hash) if hash.as_bytes() != present.as_bytes() => Err(Error::SchemasChanged {
            present: present.to_owned(),
        }),
        _ => Ok(()),
    }
}
