//! Calls to identity-service: the request's remaining time goes along, and what was lost with a connection is sent
//! again, where it was certainly not processed or repeating it is harmless. Anything that identity-service itself said is
//! final.

use std::future::Future;
use std::time::Duration;

use proto::identity::v1::credential_service_client::CredentialServiceClient;
use proto::identity::v1::delivery_service_client::DeliveryServiceClient;
use proto::identity::v1::group_service_client::GroupServiceClient;
use proto::identity::v1::schema_service_client::SchemaServiceClient;
use proto::identity::v1::user_service_client::UserServiceClient;
use proto::identity::v1::{
    BatchGetDeliveriesRequest, BatchGetDeliveriesResponse, CreateGroupRequest, CreateGroupResponse, CreateUserRequest,
    CreateUserResponse, DeleteGroupRequest, DeleteGroupResponse, DeleteUserRequest, DeleteUserResponse,
    GetGroupRequest, GetGroupResponse, GetSchemasRequest, GetSchemasResponse, GetUserRequest, GetUserResponse,
    GetVerifiersRequest, GetVerifiersResponse, IssueAccessTokenRequest, IssueAccessTokenResponse, ListGroupsRequest,
    ListGroupsResponse, ListUsersRequest, ListUsersResponse, PatchGroupRequest, PatchGroupResponse, PatchUserRequest,
    PatchUserResponse, RecordUsesRequest, RecordUsesResponse, ReplaceGroupRequest, ReplaceGroupResponse,
    ReplaceUserRequest, ReplaceUserResponse, StreamMembersRequest, StreamMembersResponse,
};
use proto::{REQUEST_AGE, SCHEMAS_HASH};
use service_runtime::health::is_draining;
use service_runtime::{Connection, Dependency, never_processed};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::call::Terms;
use crate::error::is_connection_lost;

/// A page of large users, or of members, is one message.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// The pauses before a call is sent again; each is drawn between half of it and the whole.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];
/// How often identity-service is asked for its health; while it is away, more often, so that a start or restart of both
/// is not longer for it. And how long it may take to say.
const HEALTH_INTERVAL: Duration = Duration::from_secs(2);
const AWAY_INTERVAL: Duration = Duration::from_millis(250);
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);

/// The clients of identity-service. Cloning shares the connection.
#[derive(Clone)]
pub(crate) struct Identity {
    users: UserServiceClient<Connection>,
    groups: GroupServiceClient<Connection>,
    schemas: SchemaServiceClient<Connection>,
    credentials: CredentialServiceClient<Connection>,
    deliveries: DeliveryServiceClient<Connection>,
}

impl Identity {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            users: UserServiceClient::new(connection.clone()).max_decoding_message_size(MAX_ANSWER_BYTES),
            groups: GroupServiceClient::new(connection.clone()).max_decoding_message_size(MAX_ANSWER_BYTES),
            schemas: SchemaServiceClient::new(connection.clone()).max_decoding_message_size(MAX_ANSWER_BYTES),
            credentials: CredentialServiceClient::new(connection.clone()).max_decoding_message_size(MAX_ANSWER_BYTES),
            deliveries: DeliveryServiceClient::new(connection).max_decoding_message_size(MAX_ANSWER_BYTES),
        }
    }
}

/// One method for each call: the client it belongs to, its messages, and when a repeat is harmless.
macro_rules! calls {
    ($($client:ident.$method:ident($request:ty) -> $response:ty, repeat if $harmless:expr;)*) => {
        impl Identity {
            $(
                pub(crate) async fn $method(&self, message: $request, terms: Terms) -> Result<$response, Status> {
                    let harmless: fn(&$request) -> bool = $harmless;
                    let repeat = harmless(&message);
                    let call = |request| {
                        let mut client = self.$client.clone();
                        async move { client.$method(request).await }
                    };
                    // A user is a large message, and it is held more than once on the way.
                    Box::pin(send(message, &terms, repeat, call)).await
                }
            )*
        }
    };
}

// A create is harmless by its request_id. The other writes say what shall be, so that doing them twice is doing them
// once (the repeat of a delete may find nothing left, and 404 is the truth then); with an etag, though, the repeat of
// one that was done would fail.
calls! {
    users.create_user(CreateUserRequest) -> CreateUserResponse, repeat if |message| message.request_id.is_some();
    users.get_user(GetUserRequest) -> GetUserResponse, repeat if |_| true;
    users.list_users(ListUsersRequest) -> ListUsersResponse, repeat if |_| true;
    users.replace_user(ReplaceUserRequest) -> ReplaceUserResponse, repeat if |message| message.etag.is_none();
    users.patch_user(PatchUserRequest) -> PatchUserResponse, repeat if |message| message.etag.is_none();
    users.delete_user(DeleteUserRequest) -> DeleteUserResponse, repeat if |message| message.etag.is_none();
    groups.create_group(CreateGroupRequest) -> CreateGroupResponse, repeat if |message| message.request_id.is_some();
    groups.get_group(GetGroupRequest) -> GetGroupResponse, repeat if |_| true;
    groups.list_groups(ListGroupsRequest) -> ListGroupsResponse, repeat if |_| true;
    groups.replace_group(ReplaceGroupRequest) -> ReplaceGroupResponse, repeat if |message| message.etag.is_none();
    groups.patch_group(PatchGroupRequest) -> PatchGroupResponse, repeat if |message| message.etag.is_none();
    groups.delete_group(DeleteGroupRequest) -> DeleteGroupResponse, repeat if |message| message.etag.is_none();
    groups.stream_members(StreamMembersRequest) -> Streaming<StreamMembersResponse>, repeat if |_| true;
    deliveries.batch_get_deliveries(BatchGetDeliveriesRequest) -> BatchGetDeliveriesResponse, repeat if |_| true;
    credentials.get_verifiers(GetVerifiersRequest) -> GetVerifiersResponse, repeat if |_| true;
    credentials.issue_access_token(IssueAccessTokenRequest) -> IssueAccessTokenResponse, repeat if |_| true;
    credentials.record_uses(RecordUsesRequest) -> RecordUsesResponse, repeat if |_| true;
    schemas.get_schemas(GetSchemasRequest) -> GetSchemasResponse, repeat if |_| true;
}

async fn send<M, R, F>(message: M, terms: &Terms, repeat: bool, call: impl Fn(Request<M>) -> F) -> Result<R, Status>
where
    M: Clone,
    F: Future<Output = Result<Response<R>, Status>>,
{
    for pause in PAUSES {
        match attempt(message.clone(), terms, &call).await {
            Err(status) if is_connection_lost(&status) && (repeat || never_processed(&status)) => {
                let pause = pause.mul_f64(rand::random_range(0.5..=1.0));
                if terms.deadline.remaining().is_some_and(|left| left <= pause) {
                    return Err(status);
                }
                tracing::debug!(code = ?status.code(), "the connection to identity-service was lost; sending again");
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
    attempt(message, terms, &call).await
}

async fn attempt<M, R, F>(message: M, terms: &Terms, call: &impl Fn(Request<M>) -> F) -> Result<R, Status>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    let mut request = Request::new(message);
    if let Some(hash) = &terms.schemas {
        request.metadata_mut().insert(SCHEMAS_HASH, hash.clone());
    }
    terms.origin.put(request.metadata_mut());
    if let Some(began) = terms.began {
        request.metadata_mut().insert(REQUEST_AGE, began.age_ms().into());
    }
    let outcome = match terms.deadline.remaining() {
        None => call(request).await,
        Some(left) => {
            // The server gives up too, and need not finish what nobody waits for.
            request.set_timeout(left);
            let late = |_| Err(Status::deadline_exceeded("no answer within the request's time"));
            tokio::time::timeout(left, call(request)).await.unwrap_or_else(late)
        }
    };
    outcome.map(Response::into_inner)
}

/// Tells, until stopped, whether identity-service can do its work.
pub(crate) async fn follow_health(connection: Connection, dependency: Dependency, stop: CancellationToken) {
    let mut health = HealthClient::new(connection);
    loop {
        let mut question = Request::new(HealthCheckRequest::default());
        question.set_timeout(HEALTH_TIMEOUT);
        let late = |_| Err(Status::deadline_exceeded("no answer to a health check"));
        let mut pause = AWAY_INTERVAL;
        match tokio::time::timeout(HEALTH_TIMEOUT, health.check(question))
            .await
            .unwrap_or_else(late)
        {
            Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => {
                dependency.ready();
                pause = HEALTH_INTERVAL;
            }
            // It serves us to its end, and the next connection leads to another of its kind or to nobody.
            Ok(answer) if is_draining(&answer) => {}
            Ok(_) => dependency.not_ready("identity-service answers, but is not ready"),
            // It has no health service, so it must be another.
            Err(status) if status.code() == Code::Unimplemented => {
                dependency.not_ready("what answers at the address of identity-service is something else");
            }
            Err(_) => dependency.not_ready("identity-service does not answer"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use proto::error::{Details, ErrorReason};
    use service_runtime::health::State;
    use service_runtime::{Access, Lifecycle, OpsArgs, Readiness, bind, connect, grpc_routes, serve_grpc};
    use tonic::service::Routes;

    use super::*;

    /// Sends through a call that fails `failures` times with `status`, and tells how often it was tried.
    async fn tries(failures: u32, repeat: bool, status: Status) -> (u32, Result<u32, Code>) {
        let (count, terms) = (AtomicU32::new(0), Terms::default());
        let outcome = send((), &terms, repeat, |_| {
            let tried = count.fetch_add(1, Ordering::Relaxed);
            let status = status.clone();
            async move {
                if tried < failures {
                    Err(status)
                } else {
                    Ok(Response::new(tried))
                }
            }
        });
        let outcome = outcome.await.map_err(|status| status.code());
        (count.into_inner(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_was_lost_with_the_connection_is_sent_again() {
        let lost = Status::unavailable("connection reset");
        let ours = Details::new(ErrorReason::StoreUnavailable).status(Code::Unavailable, "no store");
        assert_eq!(tries(0, true, lost.clone()).await, (1, Ok(0)));
        assert_eq!(tries(2, true, lost.clone()).await, (3, Ok(2)));
        assert_eq!(tries(9, true, lost.clone()).await, (3, Err(Code::Unavailable)));
        assert_eq!(tries(1, false, lost).await, (1, Err(Code::Unavailable)));
        assert_eq!(tries(1, true, ours).await, (1, Err(Code::Unavailable)));
        assert_eq!(tries(1, true, Status::internal("odd")).await, (1, Err(Code::Internal)));
        let unsent = Status::from_error(Box::new(tonic::ConnectError("refused".into())));
        assert_eq!(tries(2, false, unsent.clone()).await, (3, Ok(2)));
        assert_eq!(tries(9, false, unsent).await, (3, Err(Code::Unavailable)));
        let broken = Status::from_error(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        assert_eq!(tries(1, true, broken).await, (2, Ok(1)));
    }

    #[tokio::test]
    async fn an_identity_service_that_drains_is_there_until_it_is_gone() {
        const PATIENCE: Duration = Duration::from_secs(20);
        let ops = OpsArgs {
            // It is asked at least once meanwhile.
            drain_linger: Some(HEALTH_INTERVAL + AWAY_INTERVAL),
            ..OpsArgs::default()
        };
        let life = Lifecycle::start("test", &ops).await.unwrap();
        let routes = grpc_routes(Routes::default(), &life.readiness, &[]).unwrap();
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let peer = serve_grpc(listener, routes, Access::open(), life).unwrap();

        let readiness = Readiness::new();
        let (dependency, stop) = (readiness.dependency("peer"), CancellationToken::new());
        let connection = connect(&format!("http://{}", peer.addr), PATIENCE).unwrap();
        let following = tokio::spawn(follow_health(connection, dependency, stop.clone()));
        let mut reports = readiness.subscribe();
        let ready = reports.wait_for(|report| report.dependencies["peer"] == State::Ready);
        tokio::time::timeout(PATIENCE, ready).await.unwrap().unwrap();

        let draining = tokio::spawn(peer.stop(PATIENCE));
        let changed = reports.wait_for(|report| report.dependencies["peer"] != State::Ready);
        let changed = tokio::time::timeout(PATIENCE, changed).await.unwrap().unwrap().clone();
        let gone = State::NotReady("identity-service does not answer".to_owned());
        assert_eq!(changed.dependencies["peer"], gone);
        assert!(draining.await.unwrap());
        stop.cancel();
        following.await.unwrap();
    }
}
