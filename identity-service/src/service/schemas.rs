//! `SchemaService`.

use proto::identity::v1::{
    ExtensionSchema, GetSchemasRequest, GetSchemasResponse, schema_service_server::SchemaService,
};
use tonic::{Request, Response, Status, async_trait};

use super::directories::Directories;

/// The service.
pub(crate) struct SchemaTable {
    directories: Directories,
}

impl SchemaTable {
    pub(crate) fn new(directories: Directories) -> Self {
        Self { directories }
    }
}

#[async_trait]
impl SchemaService for SchemaTable {
    async fn get_schemas(&self, request: Request<GetSchemasRequest>) -> Result<Response<GetSchemasResponse>, Status> {
        let served = self.directories.served(&request.get_ref().tenant)?;
        let declared = served.schemas.declarations().into_iter();
        let extensions = declared.map(|declaration| ExtensionSchema {
            resource_type: declaration.resource_type.name().to_owned(),
            document: declaration.document.to_string(),
            required: declaration.required,
        });
        Ok(Response::new(GetSchemasResponse {
            extensions: extensions.collect(),
            hash: served.schemas_hash.clone(),
        }))
    }
}
