//! `GroupService`.

use std::pin::Pin;

use futures_util::{Stream, stream};
use proto::{
    identity::v1::{
        CreateGroupRequest, CreateGroupResponse, DeleteGroupRequest, DeleteGroupResponse, GetGroupRequest,
        GetGroupResponse, ListGroupsRequest, ListGroupsResponse, ListMembersRequest, ListMembersResponse,
        PatchGroupRequest, PatchGroupResponse, ReplaceGroupRequest, ReplaceGroupResponse, StreamMembersRequest,
        StreamMembersResponse, group_service_server::GroupService,
    },
    resource::v1::{Group, Member},
};
use serde_json::Value;
use tonic::{Request, Response, Status, async_trait};

use super::{
    asker, caller,
    directories::Directories,
    operations,
    paging::{self, Asked, Listed},
    to_json, to_message,
};
use crate::{directory::MEMBER_PAGE, error::Error, id::Kind, record::Record, store};

/// The service.
pub(crate) struct Groups {
    directories: Directories,
}

impl Groups {
    pub(crate) fn new(directories: Directories) -> Self {
        Self { directories }
    }
}

#[async_trait]
impl GroupService for Groups {
    async fn create_group(
        &self,
        request: Request<CreateGroupRequest>,
    ) -> Result<Response<CreateGroupResponse>, Status> {
        let directory = self.directories.to_write(&request.get_ref().tenant, &request)?;
        let asker = asker(request.metadata());
        let mut request = request.into_inner();
        let body = to_json(request.group.take(), "group")?;
        let caller = caller(asker, None, request.request_id.clone(), "CreateGroup", &request, &body)?;
        let record = directory.create_group(body, caller).await?;
        let (group, member_count) = shown(record)?;
        Ok(Response::new(CreateGroupResponse { group, member_count }))
    }

    async fn get_group(&self, request: Request<GetGroupRequest>) -> Result<Response<GetGroupResponse>, Status> {
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let (group, member_count) = shown(directory.get(Kind::Group, &request.id).await?)?;
        Ok(Response::new(GetGroupResponse { group, member_count }))
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> Result<Response<ListGroupsResponse>, Status> {
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let asked = Asked::new(
            directory.tenant(),
            Kind::Group,
            request.filter.as_deref(),
            request.sort_by.as_deref(),
            request.sort_descending,
        );
        let search = asked.page(request.page_token.as_deref(), request.start_index, request.page_size)?;
        let page = directory.find(Kind::Group, search).await?;
        let next_page_token = asked.next(&page);
        let groups = page
            .seen
            .into_iter()
            .map(|seen| to_message::<Group>(seen.record))
            .collect::<Result<_, _>>()?;
        let total_results = i64::try_from(page.total).unwrap_or(i64::MAX);
        Ok(Response::new(ListGroupsResponse {
            groups,
            total_results,
            next_page_token,
        }))
    }

    async fn replace_group(
        &self,
        request: Request<ReplaceGroupRequest>,
    ) -> Result<Response<ReplaceGroupResponse>, Status> {
        let directory = self.directories.to_write(&request.get_ref().tenant, &request)?;
        let asker = asker(request.metadata());
        let mut request = request.into_inner();
        let body = to_json(request.group.take(), "group")?;
        let caller = caller(
            asker,
            request.etag.clone(),
            request.request_id.clone(),
            "ReplaceGroup",
            &request,
            &body,
        )?;
        let (record, changed) = directory.replace_group(&request.id, body, caller).await?;
        let (group, member_count) = shown(record)?;
        Ok(Response::new(ReplaceGroupResponse {
            group,
            member_count,
            changed,
        }))
    }

    async fn patch_group(&self, request: Request<PatchGroupRequest>) -> Result<Response<PatchGroupResponse>, Status> {
        let directory = self.directories.to_write(&request.get_ref().tenant, &request)?;
        let asker = asker(request.metadata());
        let request = request.into_inner();
        let caller = caller(
            asker,
            request.etag.clone(),
            request.request_id.clone(),
            "PatchGroup",
            &request,
            &Value::Null,
        )?;
        let operations = operations(request.operations)?;
        let (record, changed) = directory.patch_group(&request.id, operations, caller).await?;
        let (group, member_count) = shown(record)?;
        Ok(Response::new(PatchGroupResponse {
            group,
            member_count,
            changed,
        }))
    }

    async fn delete_group(
        &self,
        request: Request<DeleteGroupRequest>,
    ) -> Result<Response<DeleteGroupResponse>, Status> {
        let asker = asker(request.metadata());
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let caller = caller(
            asker,
            request.etag.clone(),
            request.request_id.clone(),
            "DeleteGroup",
            &request,
            &Value::Null,
        )?;
        directory.delete(Kind::Group, &request.id, caller).await?;
        Ok(Response::new(DeleteGroupResponse {}))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let group = directory.get(Kind::Group, &request.group_id).await?.id;
        let size = paging::entries(request.page_size)?;
        let listed = Listed {
            tenant: directory.tenant(),
            list: &format!("members {group}"),
        };
        let after = listed.after(request.page_token.as_deref())?;
        let mut members = directory.members(group, after, size + 1).await?;
        let more = members.len() > size;
        members.truncate(size);
        let next_page_token = members.last().filter(|_| more).map(|member| listed.token(member.id));
        Ok(Response::new(ListMembersResponse {
            members: members.into_iter().map(member).collect(),
            next_page_token,
        }))
    }

    type StreamMembersStream = Pin<Box<dyn Stream<Item = Result<StreamMembersResponse, Status>> + Send>>;

    async fn stream_members(
        &self,
        request: Request<StreamMembersRequest>,
    ) -> Result<Response<Self::StreamMembersStream>, Status> {
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let group = directory.get(Kind::Group, &request.group_id).await?.id;
        // The next page is read when the reader has taken the last one: memory stays flat, whatever the group's size.
        let pages = stream::try_unfold(Some(None), move |state: Option<Option<_>>| {
            let directory = directory.clone();
            async move {
                let Some(after) = state else { return Ok(None) };
                let page = directory
                    .members(group, after, MEMBER_PAGE)
                    .await
                    .map_err(Status::from)?;
                let Some(last) = page.last().map(|member| member.id) else {
                    return Ok(None);
                };
                let next = (page.len() == MEMBER_PAGE).then_some(Some(last));
                let members = page.into_iter().map(member).collect();
                Ok(Some((StreamMembersResponse { members }, next)))
            }
        });
        Ok(Response::new(Box::pin(pages)))
    }
}

fn shown(record: Record) -> Result<(Option<Group>, i64), Error> {
    let count = i64::try_from(record.member_count).unwrap_or(i64::MAX);
    Ok((Some(to_message(record)?), count))
}

fn member(member: store::Member) -> Member {
    Member {
        value: Some(member.id.to_string()),
        r#type: member.kind.map(|kind| kind.name().to_owned()),
        ..Member::default()
    }
}
