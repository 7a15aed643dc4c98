//! `/Groups` (RFC 7644 §3). As for users, but members are never part of a message from identity-service: where the
//! client wants them they are streamed into the answer, and where it does not they are never asked for (R05).

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use proto::identity::v1::{
    CreateGroupRequest, DeleteGroupRequest, GetGroupRequest, ListGroupsRequest, PatchGroupRequest, ReplaceGroupRequest,
};
use proto::resource::v1::Group;
use serde_json::Value;
use uuid::Uuid;

use crate::answer::{self, Headers};
use crate::body::{self, Arrived};
use crate::call::{Call, Id};
use crate::conditional::{self, Required};
use crate::delivery::Deliveries;
use crate::error::Problem;
use crate::list::{self, Found, Wanted};
use crate::members::{Part, Shown};

/// A PATCH answers with the members only when there are no more than this.
const MOST_MEMBERS_AFTER_PATCH: i64 = 100;

pub(crate) async fn list(call: Call) -> Result<Response, Problem> {
    let found = find(&call, Wanted::of(&call)).await?;
    list::answer(&call, found.total, found.next, Vec::new(), found.page).await
}

pub(crate) async fn search(call: Call, request: Request) -> Result<Response, Problem> {
    list(list::searched(call, request).await?).await
}

/// The groups that are wanted, without their members.
pub(crate) async fn find(call: &Call, wanted: Wanted) -> Result<Found<Group>, Problem> {
    let message = ListGroupsRequest {
        tenant: call.tenant(),
        filter: wanted.filter,
        start_index: wanted.start_index,
        page_size: Some(wanted.size),
        page_token: wanted.token,
        sort_by: wanted.sort_by,
        sort_descending: wanted.descending,
    };
    let found = call.gateway.identity.list_groups(message, call.terms()).await?;
    Ok(Found {
        page: found.groups,
        total: found.total_results,
        next: found.next_page_token,
    })
}

pub(crate) async fn create(mut call: Call, request: Request) -> Result<Response, Problem> {
    let body = arrive(&call, request).await?;
    let request_id = Some(Uuid::new_v4().to_string());
    let created = loop {
        let message = CreateGroupRequest {
            tenant: call.tenant(),
            group: Some(read(&mut call, &body)?),
            request_id: request_id.clone(),
        };
        match call.gateway.identity.create_group(message, call.terms()).await {
            Err(status) if call.reads_anew(&status).await => {}
            outcome => break outcome?,
        }
    };
    single(&call, StatusCode::CREATED, created.group, created.member_count).await
}

pub(crate) async fn get(call: Call, Id(id): Id) -> Result<Response, Problem> {
    let message = GetGroupRequest {
        tenant: call.tenant(),
        id,
    };
    let found = call.gateway.identity.get_group(message, call.terms()).await?;
    let version = found.group.as_ref().and_then(version);
    let moves = call
        .query
        .projection
        .wants_extension(call.schemas().group(), scim::URN_DELIVERY);
    if !moves && conditional::is_known(&call.headers, version.as_deref()) {
        return Ok(answer::empty(
            StatusCode::NOT_MODIFIED,
            Headers {
                etag: version,
                location: None,
            },
        ));
    }
    single(&call, StatusCode::OK, found.group, found.member_count).await
}

pub(crate) async fn replace(mut call: Call, Id(id): Id, request: Request) -> Result<Response, Problem> {
    let etag = required_version(&call, &id).await?;
    let body = arrive(&call, request).await?;
    let replaced = loop {
        let message = ReplaceGroupRequest {
            tenant: call.tenant(),
            id: id.clone(),
            group: Some(read(&mut call, &body)?),
            etag: etag.clone(),
            request_id: None,
        };
        match call.gateway.identity.replace_group(message, call.terms()).await {
            Err(status) if call.reads_anew(&status).await => {}
            outcome => break outcome?,
        }
    };
    single(&call, StatusCode::OK, replaced.group, replaced.member_count).await
}

pub(crate) async fn patch(mut call: Call, Id(id): Id, request: Request) -> Result<Response, Problem> {
    let etag = required_version(&call, &id).await?;
    let body = arrive(&call, request).await?;
    let patched = loop {
        let (operations, said) = body::operations(call.schemas().group(), body.json()?)?;
        call.query.projection.after_write(said);
        let message = PatchGroupRequest {
            tenant: call.tenant(),
            id: id.clone(),
            operations,
            etag: etag.clone(),
            request_id: None,
        };
        match call.gateway.identity.patch_group(message, call.terms()).await {
            Err(status) if call.reads_anew(&status).await => {}
            outcome => break outcome?,
        }
    };
    let fits = !wants_members(&call) || patched.member_count <= MOST_MEMBERS_AFTER_PATCH;
    if call.query.names_attributes || conditional::asks_for_json(&call.headers) && fits {
        return single(&call, StatusCode::OK, patched.group, patched.member_count).await;
    }
    let etag = patched.group.as_ref().and_then(version);
    Ok(answer::empty(StatusCode::NO_CONTENT, Headers { etag, location: None }))
}

pub(crate) async fn delete(call: Call, Id(id): Id) -> Result<Response, Problem> {
    let etag = required_version(&call, &id).await?;
    let message = DeleteGroupRequest {
        tenant: call.tenant(),
        id,
        etag,
        request_id: None,
    };
    call.gateway.identity.delete_group(message, call.terms()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT, Headers::default()))
}

/// The version that `If-Match` makes a write depend on.
async fn required_version(call: &Call, id: &str) -> Result<Option<String>, Problem> {
    let present = || async {
        let message = GetGroupRequest {
            tenant: call.tenant(),
            id: id.to_owned(),
        };
        let found = call.gateway.identity.get_group(message, call.terms()).await?;
        Ok(found.group.as_ref().and_then(version))
    };
    Required::of(&call.headers)?.version(present).await
}

async fn arrive(call: &Call, request: Request) -> Result<Arrived, Problem> {
    call.body(request, call.gateway.settings.max_group_body).await
}

/// A body as the group that it is by the schemas of the call.
fn read(call: &mut Call, body: &Arrived) -> Result<Group, Problem> {
    let (group, said) = body::resource(call.schemas().group(), body.json()?)?;
    call.query.projection.after_write(said);
    Ok(group)
}

/// Whether an answer shows members; they cost a stream of their own.
pub(crate) fn wants_members(call: &Call) -> bool {
    call.query.projection.wants(call.schemas().group(), "members")
}

async fn single(call: &Call, status: StatusCode, group: Option<Group>, members: i64) -> Result<Response, Problem> {
    let group = group.ok_or_else(|| Problem::internal("identity-service answered without the group", &status))?;
    let id = group.id().to_owned();
    let location = (status == StatusCode::CREATED).then(|| call.base.at(&format!("Groups/{id}")));
    let headers = Headers {
        etag: version(&group),
        location,
    };
    let mut deliveries = Deliveries::of(call, call.schemas().group(), [id.as_str()]).await?;
    let group = render(call, group, &mut deliveries)?;
    let body = if members > 0 && wants_members(call) {
        let shown = Shown::of(call);
        let pages = shown.open(id, call.deadline).await?;
        shown.body([
            Part::Text(opened(&group)),
            Part::Opened(pages),
            Part::Text("}".to_owned()),
        ])
    } else {
        Body::from(group.to_string())
    };
    Ok(headers.on(answer::text(status, body)))
}

/// A group without its members.
pub(crate) fn render(call: &Call, mut group: Group, deliveries: &mut Deliveries) -> Result<Value, Problem> {
    group.members.clear();
    call.base.locate_group(&mut group);
    let value = serde_json::to_value(group);
    let mut value = value.map_err(|error| Problem::internal("a group cannot be written as JSON", &error))?;
    deliveries.add_to(&mut value);
    call.query.projection.apply(call.schemas().group(), &mut value);
    Ok(value)
}

/// An object's text up to its last brace, for more members to follow. It is never empty: `id` and `schemas`, or the
/// list's `totalResults`, are always there.
pub(crate) fn opened(object: &Value) -> String {
    let mut text = object.to_string();
    text.pop();
    text
}

fn version(group: &Group) -> Option<String> {
    group.meta.as_ref()?.version.clone()
}
