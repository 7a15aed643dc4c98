//! The gRPC edge: checks the shape of a request, hands it on, and turns what comes back into an answer or a status. It
//! holds no rule.

use std::{future::Future, sync::Arc, time::Duration};

use proto::adapter::v1::{
    Adoption, ApplyGroupRequest, ApplyGroupResponse, ApplyUserRequest, ApplyUserResponse, CheckPlatformRequest,
    CheckPlatformResponse, ExpectGroupsRequest, ExpectGroupsResponse, ExpectUsersRequest, ExpectUsersResponse,
    ExpectedGroup, ExpectedUser, GroupApplied, IntentRequired, Intents, Link, ListPlatformGroupMembersRequest,
    ListPlatformGroupMembersResponse, ListPlatformGroupsRequest, ListPlatformGroupsResponse, ListPlatformUsersRequest,
    ListPlatformUsersResponse, PlanGroupRequest, PlanGroupResponse, PlanUserRequest, PlanUserResponse, Planned,
    PlatformCall, PlatformGroup, RemovalMode, RemovePlatformGroupMembersRequest, RemovePlatformGroupMembersResponse,
    UserApplied, adapter_service_server::AdapterService, apply_group_request, apply_group_response, apply_user_request,
    apply_user_response, plan_group_response, plan_user_response,
};
use service_runtime::{Chain, Live, time_allowed};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};
use tracing::Instrument as _;

use crate::{
    apply::{Applied, Batch, Outcome, Plan, Standing, Steps, Tenant},
    check, deadline,
    error::ApplyError,
    list,
    mapping::Desired,
    platform::object_id::Backend,
    tenants::Tenants,
};

/// How many batches of a list wait for a slow reader.
const LIST_BUFFER: usize = 2;
/// How many objects are expected in one call at most.
const MOST_EXPECTED: usize = 500;
/// How much of the time that a caller allows is kept for the way back.
const TIME_TO_ANSWER: Duration = Duration::from_secs(2);

const NO_MODE: ApplyError = ApplyError::Invalid {
    field: "removal.mode",
    reason: "must be remove or disable",
};
const NOTHING_WANTED: ApplyError = ApplyError::Invalid {
    field: "wanted",
    reason: "is missing",
};

/// The service.
pub(crate) struct Adapter {
    tenants: Live<Tenants>,
}

impl Adapter {
    pub(crate) fn new(tenants: Live<Tenants>) -> Self {
        Self { tenants }
    }

    /// The tenant of that name, as it is now: it stays so for whoever has taken it.
    fn tenant(&self, name: &str) -> Result<Arc<Tenant>, ApplyError> {
        self.tenants.get().get(name)
    }

    async fn user(&self, request: &ApplyUserRequest) -> Result<Outcome, ApplyError> {
        let tenant = self.tenant(&request.tenant)?;
        let standing = standing(request.link.as_ref(), request.intents.as_ref(), request.adoption())?;
        match &request.wanted {
            Some(apply_user_request::Wanted::User(user)) => {
                match tenant
                    .desired(standing, user, request.manager_platform_id.as_deref())
                    .await
                {
                    Ok(desired) => {
                        tenant.note_suffix(&desired.name);
                        tenant.apply_user(standing, &desired).await
                    }
                    Err(error) => {
                        if user.active == Some(false) {
                            tenant.cut_off_linked(standing).await?;
                        }
                        Err(error)
                    }
                }
            }
            Some(apply_user_request::Wanted::Removal(removal)) => match removal.mode() {
                RemovalMode::Unspecified => Err(NO_MODE),
                RemovalMode::Remove => tenant.remove_user(standing).await,
                RemovalMode::Disable => tenant.disable_user(standing).await,
            },
            None => Err(NOTHING_WANTED),
        }
    }

    async fn plan_of_user(&self, request: &ApplyUserRequest) -> Result<Plan, ApplyError> {
        let tenant = self.tenant(&request.tenant)?;
        let standing = standing(request.link.as_ref(), request.intents.as_ref(), request.adoption())?;
        match &request.wanted {
            Some(apply_user_request::Wanted::User(user)) => {
                let manager = request.manager_platform_id.as_deref();
                let desired = tenant.desired(standing, user, manager).await?;
                tenant.plan_user(standing, &desired).await
            }
            Some(apply_user_request::Wanted::Removal(removal)) => match removal.mode() {
                RemovalMode::Unspecified => Err(NO_MODE),
                RemovalMode::Remove => tenant.plan_user_removal(standing).await,
                RemovalMode::Disable => tenant.plan_disabling(standing).await,
            },
            None => Err(NOTHING_WANTED),
        }
    }

    async fn plan_of_group(&self, request: &ApplyGroupRequest) -> Result<Plan, ApplyError> {
        let tenant = self.tenant(&request.tenant)?;
        let standing = standing(request.link.as_ref(), request.intents.as_ref(), request.adoption())?;
        match &request.wanted {
            Some(apply_group_request::Wanted::Group(group)) => {
                let name = tenant.mapping.group_name(group.display_name.as_deref())?;
                let members = Batch::new(&request.members_in, &request.members_out)?;
                tenant.plan_group(standing, &name, &members).await
            }
            Some(apply_group_request::Wanted::Removal(_)) => tenant.plan_group_removal(standing).await,
            None => Err(NOTHING_WANTED),
        }
    }

    async fn group(&self, request: &ApplyGroupRequest) -> Result<Outcome, ApplyError> {
        let tenant = self.tenant(&request.tenant)?;
        let standing = standing(request.link.as_ref(), request.intents.as_ref(), request.adoption())?;
        match &request.wanted {
            Some(apply_group_request::Wanted::Group(group)) => {
                let name = tenant.mapping.group_name(group.display_name.as_deref())?;
                let members = Batch::new(&request.members_in, &request.members_out)?;
                tenant.apply_group(standing, &name, &members).await
            }
            Some(apply_group_request::Wanted::Removal(_)) => tenant.remove_group(standing).await,
            None => Err(NOTHING_WANTED),
        }
    }
}

fn standing<'a>(
    link: Option<&'a Link>,
    intents: Option<&'a Intents>,
    adoption: Adoption,
) -> Result<Standing<'a>, ApplyError> {
    let link = link.map(|link| link.platform_id.as_str());
    if link.is_some_and(|id| id.trim().is_empty()) {
        return Err(ApplyError::Invalid {
            field: "link.platform_id",
            reason: "is empty",
        });
    }
    Ok(Standing {
        link,
        intents: intents.map(|intents| intents.names.as_slice()).unwrap_or_default(),
        confirmed: intents
            .map(|intents| intents.confirmed_ids.as_slice())
            .unwrap_or_default(),
        fresh: intents.and_then(|intents| intents.fresh_name.as_deref()),
        adoption,
    })
}

/// How long the work on a request may take, so that its caller still gets an answer.
fn time_to_work<T>(request: &Request<T>) -> Option<Duration> {
    let allowed = time_allowed(request.metadata().as_ref())?;
    Some(allowed.saturating_sub(TIME_TO_ANSWER.min(allowed / 4)))
}

async fn within<T>(time: Option<Duration>, work: impl Future<Output = Result<T, ApplyError>>) -> Result<T, ApplyError> {
    match time {
        None => work.await,
        Some(time) => deadline::within(time, work).await.unwrap_or(Err(ApplyError::OutOfTime)),
    }
}

/// The status of an error, which is logged here and nowhere else: *later* is the Platform's weather, *refused* is for a
/// person who reads it in the answer.
fn status(call: &'static str, (tenant, resource_id): (&str, &str), error: ApplyError) -> Status {
    let reason = Chain(&error);
    if error.is_later() {
        tracing::warn!(scim.tenant = tenant, call, resource_id, %reason, "the Platform gave no verdict on what is wanted; it is tried again later");
    } else {
        tracing::info!(scim.tenant = tenant, call, resource_id, %reason, "what is wanted is refused");
    }
    error.status()
}

/// Whether so many are asked about that one answer holds them.
fn few(field: &'static str, count: usize) -> Result<(), ApplyError> {
    if count > MOST_EXPECTED {
        let reason = "has more than 500 entries";
        return Err(ApplyError::Invalid { field, reason });
    }
    Ok(())
}

fn link(id: Option<String>) -> Option<Link> {
    id.map(|platform_id| Link {
        backend: Backend::of(&platform_id).0.name().to_owned(),
        platform_id,
    })
}

fn planned(steps: Steps) -> Planned {
    Planned {
        steps: steps.words,
        adopts: steps.adopts,
    }
}

#[async_trait]
impl AdapterService for Adapter {
    type ListPlatformUsersStream = ReceiverStream<Result<ListPlatformUsersResponse, Status>>;
    type ListPlatformGroupsStream = ReceiverStream<Result<ListPlatformGroupsResponse, Status>>;
    type ListPlatformGroupMembersStream = ReceiverStream<Result<ListPlatformGroupMembersResponse, Status>>;

    async fn apply_user(&self, request: Request<ApplyUserRequest>) -> Result<Response<ApplyUserResponse>, Status> {
        let time = time_to_work(&request);
        let request = request.into_inner();
        let outcome = within(time, Box::pin(self.user(&request))).await;
        let outcome =
            match outcome.map_err(|error| status("ApplyUser", (&request.tenant, &request.resource_id), error))? {
                Outcome::Applied(Applied { id, adopted, .. }) => apply_user_response::Outcome::Applied(UserApplied {
                    link: link(id),
                    adopted,
                }),
                Outcome::IntentRequired(name) => apply_user_response::Outcome::IntentRequired(IntentRequired { name }),
                Outcome::Found(found) => apply_user_response::Outcome::Found(found),
            };
        Ok(Response::new(ApplyUserResponse { outcome: Some(outcome) }))
    }

    async fn apply_group(&self, request: Request<ApplyGroupRequest>) -> Result<Response<ApplyGroupResponse>, Status> {
        let time = time_to_work(&request);
        let request = request.into_inner();
        let outcome = within(time, Box::pin(self.group(&request))).await;
        let outcome =
            match outcome.map_err(|error| status("ApplyGroup", (&request.tenant, &request.resource_id), error))? {
                Outcome::Applied(Applied { id, adopted, refused }) => {
                    apply_group_response::Outcome::Applied(GroupApplied {
                        link: link(id),
                        adopted,
                        refused_members: refused,
                    })
                }
                Outcome::IntentRequired(name) => apply_group_response::Outcome::IntentRequired(IntentRequired { name }),
                Outcome::Found(found) => apply_group_response::Outcome::Found(found),
            };
        Ok(Response::new(ApplyGroupResponse { outcome: Some(outcome) }))
    }

    async fn plan_user(&self, request: Request<PlanUserRequest>) -> Result<Response<PlanUserResponse>, Status> {
        use plan_user_response::Outcome as Answer;
        let time = time_to_work(&request);
        let request = request.into_inner().apply.ok_or_else(|| NOTHING_WANTED.status())?;
        let plan = within(time, Box::pin(self.plan_of_user(&request))).await;
        let plan = plan.map_err(|error| status("PlanUser", (&request.tenant, &request.resource_id), error))?;
        let outcome = match plan {
            Plan::Steps(steps) => Answer::Planned(planned(steps)),
            Plan::Matches(id) => Answer::Applied(UserApplied {
                link: link(id),
                adopted: false,
            }),
            Plan::Found(found) => Answer::Found(found),
        };
        Ok(Response::new(PlanUserResponse { outcome: Some(outcome) }))
    }

    async fn plan_group(&self, request: Request<PlanGroupRequest>) -> Result<Response<PlanGroupResponse>, Status> {
        use plan_group_response::Outcome as Answer;
        let time = time_to_work(&request);
        let request = request.into_inner().apply.ok_or_else(|| NOTHING_WANTED.status())?;
        let plan = within(time, Box::pin(self.plan_of_group(&request))).await;
        let plan = plan.map_err(|error| status("PlanGroup", (&request.tenant, &request.resource_id), error))?;
        let outcome = match plan {
            Plan::Steps(steps) => Answer::Planned(planned(steps)),
            Plan::Matches(id) => Answer::Applied(GroupApplied {
                link: link(id),
                adopted: false,
                refused_members: Vec::new(),
            }),
            Plan::Found(found) => Answer::Found(found),
        };
        Ok(Response::new(PlanGroupResponse { outcome: Some(outcome) }))
    }

    async fn list_platform_users(
        &self,
        request: Request<ListPlatformUsersRequest>,
    ) -> Result<Response<Self::ListPlatformUsersStream>, Status> {
        let tenant = self.tenant(&request.get_ref().tenant).map_err(ApplyError::status)?;
        let (sink, stream) = mpsc::channel(LIST_BUFFER);
        tokio::spawn(async move { list::users(&tenant, sink).await }.in_current_span());
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn list_platform_groups(
        &self,
        request: Request<ListPlatformGroupsRequest>,
    ) -> Result<Response<Self::ListPlatformGroupsStream>, Status> {
        let tenant = self.tenant(&request.get_ref().tenant).map_err(ApplyError::status)?;
        let (sink, stream) = mpsc::channel(LIST_BUFFER);
        tokio::spawn(async move { list::groups(&tenant, sink).await }.in_current_span());
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn list_platform_group_members(
        &self,
        request: Request<ListPlatformGroupMembersRequest>,
    ) -> Result<Response<Self::ListPlatformGroupMembersStream>, Status> {
        let request = request.into_inner();
        let tenant = self.tenant(&request.tenant).map_err(ApplyError::status)?;
        if request.platform_id.trim().is_empty() {
            let empty = ApplyError::Invalid {
                field: "platform_id",
                reason: "is empty",
            };
            return Err(empty.status());
        }
        let (sink, stream) = mpsc::channel(LIST_BUFFER);
        tokio::spawn(async move { list::members(&tenant, &request.platform_id, sink).await }.in_current_span());
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn remove_platform_group_members(
        &self,
        request: Request<RemovePlatformGroupMembersRequest>,
    ) -> Result<Response<RemovePlatformGroupMembersResponse>, Status> {
        let request = request.into_inner();
        let failed = |error| {
            status(
                "RemovePlatformGroupMembers",
                (&request.tenant, &request.resource_id),
                error,
            )
        };
        let tenant = self.tenant(&request.tenant).map_err(failed)?;
        few("user_ids", request.user_ids.len()).map_err(failed)?;
        let refused = tenant.take_out(&request.platform_id, &request.user_ids).await;
        let refused = refused.map_err(failed)?;
        Ok(Response::new(RemovePlatformGroupMembersResponse { refused }))
    }

    async fn expect_users(
        &self,
        request: Request<ExpectUsersRequest>,
    ) -> Result<Response<ExpectUsersResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.tenant(&request.tenant).map_err(ApplyError::status)?;
        few("users", request.users.len()).map_err(ApplyError::status)?;
        let expected = request.users.iter().map(|user| ExpectedUser {
            account: Desired::of(user, None, &tenant.mapping)
                .ok()
                .map(|desired| desired.listed()),
        });
        Ok(Response::new(ExpectUsersResponse {
            expected: expected.collect(),
        }))
    }

    async fn expect_groups(
        &self,
        request: Request<ExpectGroupsRequest>,
    ) -> Result<Response<ExpectGroupsResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.tenant(&request.tenant).map_err(ApplyError::status)?;
        few("groups", request.groups.len()).map_err(ApplyError::status)?;
        let expected = request.groups.iter().map(|group| ExpectedGroup {
            group: tenant
                .mapping
                .group_name(group.display_name.as_deref())
                .ok()
                .map(|name| PlatformGroup {
                    name,
                    ..PlatformGroup::default()
                }),
        });
        Ok(Response::new(ExpectGroupsResponse {
            expected: expected.collect(),
        }))
    }

    async fn check_platform(
        &self,
        request: Request<CheckPlatformRequest>,
    ) -> Result<Response<CheckPlatformResponse>, Status> {
        let CheckPlatformRequest { tenant, mut suffixes } = request.into_inner();
        let tenant = self.tenant(&tenant).map_err(ApplyError::status)?;
        suffixes.extend(tenant.suffixes_in_use());
        let asked = check::Asked {
            suffixes,
            write_probe: false,
        };
        let checked = Box::pin(check::check(&tenant, &asked)).await;
        let calls = checked.capabilities.iter().flat_map(|known| &known.calls);
        let calls = calls.map(|call| PlatformCall {
            method: call.method.to_owned(),
            state: call.state.name().to_owned(),
        });
        Ok(Response::new(CheckPlatformResponse {
            calls: calls.collect(),
            findings: checked.findings.into_iter().map(Into::into).collect(),
        }))
    }
}
