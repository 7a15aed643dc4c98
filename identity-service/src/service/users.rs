//! `UserService`.

use prost::Message;
use proto::{
    identity::v1::{
        CreateUserRequest, CreateUserResponse, DeleteUserRequest, DeleteUserResponse, GetUserRequest, GetUserResponse,
        ListUsersRequest, ListUsersResponse, PatchUserRequest, PatchUserResponse, ReplaceUserRequest,
        ReplaceUserResponse, user_service_server::UserService,
    },
    resource::v1::{MultiValue, User},
};
use serde_json::Value;
use tonic::{Request, Response, Status, async_trait};

use super::{asker, caller, directories::Directories, operations, paging::Asked, to_json, to_message};
use crate::{
    directory::Directory,
    error::Error,
    id::Kind,
    query::PAGE_BYTES,
    record::Record,
    store::{Groups, Seen},
};

/// The service.
pub(crate) struct Users {
    directories: Directories,
}

impl Users {
    pub(crate) fn new(directories: Directories) -> Self {
        Self { directories }
    }
}

#[async_trait]
impl UserService for Users {
    async fn create_user(&self, request: Request<CreateUserRequest>) -> Result<Response<CreateUserResponse>, Status> {
        let directory = self.directories.to_write(&request.get_ref().tenant, &request)?;
        let asker = asker(request.metadata());
        let mut request = request.into_inner();
        let body = to_json(request.user.take(), "user")?;
        let caller = caller(asker, None, request.request_id.clone(), "CreateUser", &request, &body)?;
        let record = directory.create_user(body, caller).await?;
        Ok(Response::new(CreateUserResponse {
            user: Some(to_message(record)?),
        }))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<GetUserResponse>, Status> {
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let seen = directory
            .look_up(Kind::User, &request.id, request.include_groups)
            .await?;
        let user = shown(&directory, seen, request.include_groups).await?;
        Ok(Response::new(GetUserResponse { user: Some(user) }))
    }

    async fn list_users(&self, request: Request<ListUsersRequest>) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let asked = Asked::new(
            directory.tenant(),
            Kind::User,
            request.filter.as_deref(),
            request.sort_by.as_deref(),
            request.sort_descending,
        );
        let mut search = asked.page(request.page_token.as_deref(), request.start_index, request.page_size)?;
        search.with_groups = request.include_groups;
        let mut page = directory.find(Kind::User, search).await?;
        let mut users = Vec::with_capacity(page.seen.len());
        let (mut bytes, mut ends) = (0, Vec::with_capacity(page.seen.len()));
        for seen in std::mem::take(&mut page.seen) {
            ends.push((seen.record.id, seen.record.version));
            let user = shown(&directory, seen, request.include_groups).await?;
            // Groups make users larger than their records are.
            bytes += user.encoded_len();
            if bytes > PAGE_BYTES && !users.is_empty() {
                asked.cut(&mut page, &ends[..users.len()]);
                break;
            }
            users.push(user);
        }
        let next_page_token = asked.next(&page);
        let total_results = i64::try_from(page.total).unwrap_or(i64::MAX);
        Ok(Response::new(ListUsersResponse {
            users,
            total_results,
            next_page_token,
        }))
    }

    async fn replace_user(
        &self,
        request: Request<ReplaceUserRequest>,
    ) -> Result<Response<ReplaceUserResponse>, Status> {
        let directory = self.directories.to_write(&request.get_ref().tenant, &request)?;
        let asker = asker(request.metadata());
        let mut request = request.into_inner();
        let body = to_json(request.user.take(), "user")?;
        let caller = caller(
            asker,
            request.etag.clone(),
            request.request_id.clone(),
            "ReplaceUser",
            &request,
            &body,
        )?;
        let (record, changed) = directory.replace_user(&request.id, body, caller).await?;
        let user = written(&directory, record, request.include_groups).await?;
        Ok(Response::new(ReplaceUserResponse {
            user: Some(user),
            changed,
        }))
    }

    async fn patch_user(&self, request: Request<PatchUserRequest>) -> Result<Response<PatchUserResponse>, Status> {
        let directory = self.directories.to_write(&request.get_ref().tenant, &request)?;
        let asker = asker(request.metadata());
        let request = request.into_inner();
        let caller = caller(
            asker,
            request.etag.clone(),
            request.request_id.clone(),
            "PatchUser",
            &request,
            &Value::Null,
        )?;
        let operations = operations(request.operations)?;
        let (record, changed) = directory.patch_user(&request.id, operations, caller).await?;
        let user = written(&directory, record, request.include_groups).await?;
        Ok(Response::new(PatchUserResponse {
            user: Some(user),
            changed,
        }))
    }

    async fn delete_user(&self, request: Request<DeleteUserRequest>) -> Result<Response<DeleteUserResponse>, Status> {
        let asker = asker(request.metadata());
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let caller = caller(
            asker,
            request.etag.clone(),
            request.request_id.clone(),
            "DeleteUser",
            &request,
            &Value::Null,
        )?;
        directory.delete(Kind::User, &request.id, caller).await?;
        Ok(Response::new(DeleteUserResponse {}))
    }
}

/// A user as it is shown, with its groups where they were asked for.
async fn shown(directory: &Directory, seen: Seen, include_groups: bool) -> Result<User, Error> {
    let Seen { record, groups } = seen;
    let id = record.id;
    let mut user: User = to_message(record)?;
    if include_groups {
        let groups = directory.named_groups(id, groups).await?.into_iter();
        user.groups = groups
            .map(|(id, name)| MultiValue {
                value: Some(id.to_string()),
                display: name,
                r#type: Some("direct".to_owned()),
                ..MultiValue::default()
            })
            .collect();
    }
    Ok(user)
}

/// A user that was written, with its groups where they were asked for.
async fn written(directory: &Directory, record: Record, include_groups: bool) -> Result<User, Error> {
    let groups = match include_groups {
        true => directory.groups_along(record.id).await?,
        false => Groups::unread(),
    };
    shown(directory, Seen { record, groups }, include_groups).await
}
