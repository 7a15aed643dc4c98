//! `/Users` (RFC 7644 §3): each handler is one call to identity-service between reading the request and rendering the
//! answer.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use proto::identity::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, PatchUserRequest, ReplaceUserRequest,
};
use proto::resource::v1::User;
use serde_json::Value;
use uuid::Uuid;

use crate::answer::{self, Headers};
use crate::body::{self, Arrived};
use crate::call::{Call, Id};
use crate::conditional::{self, Required};
use crate::delivery::Deliveries;
use crate::error::Problem;
use crate::list::{self, Found, Wanted};

pub(crate) async fn list(call: Call) -> Result<Response, Problem> {
    let found = find(&call, Wanted::of(&call)).await?;
    list::answer(&call, found.total, found.next, found.page, Vec::new()).await
}

pub(crate) async fn search(call: Call, request: Request) -> Result<Response, Problem> {
    list(list::searched(call, request).await?).await
}

/// The users that are wanted.
pub(crate) async fn find(call: &Call, wanted: Wanted) -> Result<Found<User>, Problem> {
    let message = ListUsersRequest {
        tenant: call.tenant(),
        filter: wanted.filter,
        start_index: wanted.start_index,
        page_size: Some(wanted.size),
        page_token: wanted.token,
        sort_by: wanted.sort_by,
        sort_descending: wanted.descending,
        include_groups: wants_groups(call),
    };
    let found = call.gateway.identity.list_users(message, call.terms()).await?;
    Ok(Found {
        page: found.users,
        total: found.total_results,
        next: found.next_page_token,
    })
}

pub(crate) async fn create(mut call: Call, request: Request) -> Result<Response, Problem> {
    let body = arrive(&call, request).await?;
    let request_id = Some(Uuid::new_v4().to_string());
    let created = loop {
        let message = CreateUserRequest {
            tenant: call.tenant(),
            user: Some(read(&mut call, &body)?),
            request_id: request_id.clone(),
        };
        match call.gateway.identity.create_user(message, call.terms()).await {
            Err(status) if call.reads_anew(&status).await => {}
            outcome => break outcome?,
        }
    };
    single(&call, StatusCode::CREATED, created.user).await
}

pub(crate) async fn get(call: Call, Id(id): Id) -> Result<Response, Problem> {
    let message = GetUserRequest {
        tenant: call.tenant(),
        id,
        include_groups: wants_groups(&call),
    };
    let user = call.gateway.identity.get_user(message, call.terms()).await?.user;
    let version = user.as_ref().and_then(version);
    // A version tells nothing of `groups`, nor of deliveries: who is shown them is always told anew.
    let moves = wants_groups(&call)
        || call
            .query
            .projection
            .wants_extension(call.schemas().user(), scim::URN_DELIVERY);
    if !moves && conditional::is_known(&call.headers, version.as_deref()) {
        return Ok(answer::empty(
            StatusCode::NOT_MODIFIED,
            Headers {
                etag: version,
                location: None,
            },
        ));
    }
    single(&call, StatusCode::OK, user).await
}

pub(crate) async fn replace(mut call: Call, Id(id): Id, request: Request) -> Result<Response, Problem> {
    let etag = required_version(&call, &id).await?;
    let body = arrive(&call, request).await?;
    let replaced = loop {
        let message = ReplaceUserRequest {
            tenant: call.tenant(),
            id: id.clone(),
            user: Some(read(&mut call, &body)?),
            etag: etag.clone(),
            request_id: None,
            include_groups: wants_groups(&call),
        };
        match call.gateway.identity.replace_user(message, call.terms()).await {
            Err(status) if call.reads_anew(&status).await => {}
            outcome => break outcome?,
        }
    };
    single(&call, StatusCode::OK, replaced.user).await
}

pub(crate) async fn patch(mut call: Call, Id(id): Id, request: Request) -> Result<Response, Problem> {
    let etag = required_version(&call, &id).await?;
    let body = arrive(&call, request).await?;
    let shown = call.query.names_attributes || conditional::asks_for_json(&call.headers);
    let patched = loop {
        let (operations, said) = body::operations(call.schemas().user(), body.json()?)?;
        call.query.projection.after_write(said);
        let message = PatchUserRequest {
            tenant: call.tenant(),
            id: id.clone(),
            operations,
            etag: etag.clone(),
            request_id: None,
            include_groups: shown && wants_groups(&call),
        };
        match call.gateway.identity.patch_user(message, call.terms()).await {
            Err(status) if call.reads_anew(&status).await => {}
            outcome => break outcome?,
        }
    };
    let patched = patched.user;
    if shown {
        return single(&call, StatusCode::OK, patched).await;
    }
    let etag = patched.as_ref().and_then(version);
    Ok(answer::empty(StatusCode::NO_CONTENT, Headers { etag, location: None }))
}

pub(crate) async fn delete(call: Call, Id(id): Id) -> Result<Response, Problem> {
    let etag = required_version(&call, &id).await?;
    let message = DeleteUserRequest {
        tenant: call.tenant(),
        id,
        etag,
        request_id: None,
    };
    call.gateway.identity.delete_user(message, call.terms()).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT, Headers::default()))
}

/// The version that `If-Match` makes a write depend on.
async fn required_version(call: &Call, id: &str) -> Result<Option<String>, Problem> {
    let present = || async {
        let message = GetUserRequest {
            tenant: call.tenant(),
            id: id.to_owned(),
            include_groups: false,
        };
        let found = call.gateway.identity.get_user(message, call.terms()).await?;
        Ok(found.user.as_ref().and_then(version))
    };
    Required::of(&call.headers)?.version(present).await
}

async fn arrive(call: &Call, request: Request) -> Result<Arrived, Problem> {
    call.body(request, call.gateway.settings.max_user_body).await
}

/// A body as the user that it is by the schemas of the call.
fn read(call: &mut Call, body: &Arrived) -> Result<User, Problem> {
    let (user, said) = body::resource(call.schemas().user(), body.json()?)?;
    call.query.projection.after_write(said);
    Ok(user)
}

/// The attribute `groups` costs identity-service a look-up of its own.
fn wants_groups(call: &Call) -> bool {
    call.query.projection.wants(call.schemas().user(), "groups")
}

async fn single(call: &Call, status: StatusCode, user: Option<User>) -> Result<Response, Problem> {
    let user = user.ok_or_else(|| Problem::internal("identity-service answered without the user", &status))?;
    let etag = version(&user);
    let location = (status == StatusCode::CREATED).then(|| call.base.at(&format!("Users/{}", user.id())));
    let mut deliveries = Deliveries::of(call, call.schemas().user(), [user.id()]).await?;
    Ok(Headers { etag, location }.on(answer::json(status, &render(call, user, &mut deliveries)?)))
}

/// A user as the client wants to see it.
pub(crate) fn render(call: &Call, mut user: User, deliveries: &mut Deliveries) -> Result<Value, Problem> {
    call.base.locate_user(&mut user);
    let value = serde_json::to_value(user);
    let mut value = value.map_err(|error| Problem::internal("a user cannot be written as JSON", &error))?;
    deliveries.add_to(&mut value);
    call.query.projection.apply(call.schemas().user(), &mut value);
    Ok(value)
}

fn version(user: &User) -> Option<String> {
    user.meta.as_ref()?.version.clone()
}
