//! `DeliveryService`.

use std::sync::Arc;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use proto::identity::v1::{
    self as wire, BatchGetDeliveriesRequest, BatchGetDeliveriesResponse, Delivery, DeliveryState,
    DiscardDeliveryRequest, DiscardDeliveryResponse, GetDeliveryRequest, GetDeliveryResponse, ListDeliveriesRequest,
    ListDeliveriesResponse, PauseDeliveriesRequest, PauseDeliveriesResponse, ReleaseDeliveryRequest,
    ReleaseDeliveryResponse, ResumeDeliveriesRequest, ResumeDeliveriesResponse, RetryDeliveryRequest,
    RetryDeliveryResponse, SummarizeDeliveriesRequest, SummarizeDeliveriesResponse,
    delivery_service_server::DeliveryService,
};
use service_runtime::trace_context;
use tonic::{Request, Response, Status, async_trait};

use super::{directories::Directories, drift, origin, paging};
use crate::{
    directory::Caller,
    drift::last_summary,
    error::Error,
    id::{Kind, ResourceId, Tenant},
    store::{self, Brake, Pause, Store, WorkState},
    wake::Wake,
};

/// How many delivery states are told at once.
const MOST_AT_ONCE: usize = 1_000;
/// How many of them are read at a time.
const READ_AT_ONCE: usize = 16;

/// The service.
pub(crate) struct Deliveries {
    directories: Directories,
    store: Arc<dyn Store>,
    wake: Wake,
}

impl Deliveries {
    pub(crate) fn new(directories: Directories, store: Arc<dyn Store>, wake: Wake) -> Self {
        Self {
            directories,
            store,
            wake,
        }
    }

    async fn read(&self, tenant: &Tenant, id: &str) -> Result<store::Delivery, Error> {
        let delivery = match id.parse::<ResourceId>() {
            Ok(id) => self.store.delivery(tenant, id).await?,
            Err(_) => None,
        };
        delivery.ok_or_else(|| no_resource(id))
    }
}

#[async_trait]
impl DeliveryService for Deliveries {
    async fn get_delivery(
        &self,
        request: Request<GetDeliveryRequest>,
    ) -> Result<Response<GetDeliveryResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let delivery = self.read(&tenant, &request.resource_id).await?;
        Ok(Response::new(GetDeliveryResponse {
            delivery: Some(shown(delivery)),
        }))
    }

    async fn batch_get_deliveries(
        &self,
        request: Request<BatchGetDeliveriesRequest>,
    ) -> Result<Response<BatchGetDeliveriesResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        if request.resource_ids.len() > MOST_AT_ONCE {
            let problem = format!(
                "has {} ids; at most {MOST_AT_ONCE} are taken",
                request.resource_ids.len()
            );
            return Err(Error::InvalidRequest {
                field: "resource_ids",
                problem,
            }
            .into());
        }
        let ids = request.resource_ids.iter().filter_map(|id| id.parse().ok());
        let ids: Vec<ResourceId> = ids.collect();
        let mut deliveries = Vec::with_capacity(ids.len());
        for some in ids.chunks(READ_AT_ONCE) {
            let readings = some.iter().map(|id| self.store.delivery(&tenant, *id));
            let found = try_join_all(readings).await.map_err(Error::from)?;
            deliveries.extend(found.into_iter().flatten().map(shown));
        }
        Ok(Response::new(BatchGetDeliveriesResponse { deliveries }))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let state = match request.state() {
            DeliveryState::Unspecified => None,
            DeliveryState::Pending => Some(WorkState::Pending),
            DeliveryState::Refused => Some(WorkState::Refused),
            DeliveryState::Held => Some(WorkState::Held),
            DeliveryState::Planned => Some(WorkState::Planned),
            DeliveryState::Applied => {
                let problem = "applied deliveries are not listed; ask for a resource's own with GetDelivery".to_owned();
                return Err(Error::InvalidRequest {
                    field: "state",
                    problem,
                }
                .into());
            }
        };
        let size = paging::entries(request.page_size)?;
        let listed = paging::Listed {
            tenant: &tenant,
            list: &format!("deliveries {state:?}"),
        };
        let after = listed.after(request.page_token.as_deref())?;
        let mut deliveries = self
            .store
            .deliveries(&tenant, state, after, size + 1)
            .await
            .map_err(Error::from)?;
        let more = deliveries.len() > size;
        deliveries.truncate(size);
        let next_page_token = deliveries
            .last()
            .filter(|_| more)
            .map(|delivery| listed.token(delivery.id));
        Ok(Response::new(ListDeliveriesResponse {
            deliveries: deliveries.into_iter().map(shown).collect(),
            next_page_token,
        }))
    }

    async fn summarize_deliveries(
        &self,
        request: Request<SummarizeDeliveriesRequest>,
    ) -> Result<Response<SummarizeDeliveriesResponse>, Status> {
        let served = self.directories.served(&request.into_inner().tenant)?;
        let tenant = &served.tenant;
        let summary = self.store.summary(tenant).await.map_err(Error::from)?;
        let pause = self.store.pause(tenant).await.map_err(Error::from)?;
        let drift = last_summary(&*self.store, tenant).await.map_err(Error::from)?;
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(Response::new(SummarizeDeliveriesResponse {
            pending: count(summary.pending),
            refused: count(summary.refused),
            users: count(summary.users),
            groups: count(summary.groups),
            held: count(summary.held),
            oldest_pending_at: summary.oldest_pending.map(proto::time::to_proto),
            pause: pause.map(told),
            drift: drift.as_ref().map(drift::summary),
            planned: count(summary.planned),
            dry_run: served.policy.dry_run,
        }))
    }

    async fn retry_delivery(
        &self,
        request: Request<RetryDeliveryRequest>,
    ) -> Result<Response<RetryDeliveryResponse>, Status> {
        let origin = origin(request.metadata());
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let id: ResourceId = request
            .resource_id
            .parse()
            .map_err(|_| no_resource(&request.resource_id))?;
        if !self
            .store
            .retry(&tenant, id, origin.as_ref(), Timestamp::now())
            .await
            .map_err(Error::from)?
        {
            return Err(no_resource(&request.resource_id).into());
        }
        self.wake.ring();
        let delivery = self.read(&tenant, &request.resource_id).await?;
        Ok(Response::new(RetryDeliveryResponse {
            delivery: Some(shown(delivery)),
        }))
    }

    async fn release_delivery(
        &self,
        request: Request<ReleaseDeliveryRequest>,
    ) -> Result<Response<ReleaseDeliveryResponse>, Status> {
        let origin = origin(request.metadata());
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let id = self.read(&tenant, &request.resource_id).await?.id;
        let released = self.store.release(&tenant, id, origin.as_ref(), Timestamp::now()).await;
        if !released.map_err(Error::from)? {
            return Err(Error::NotHeld(id.to_string()).into());
        }
        tracing::info!(scim.tenant = %tenant, scim.resource.id = %id, "what was held is released");
        self.wake.ring();
        let delivery = self.read(&tenant, &request.resource_id).await?;
        Ok(Response::new(ReleaseDeliveryResponse {
            delivery: Some(shown(delivery)),
        }))
    }

    async fn discard_delivery(
        &self,
        request: Request<DiscardDeliveryRequest>,
    ) -> Result<Response<DiscardDeliveryResponse>, Status> {
        let caller = Caller {
            origin: origin(request.metadata()),
            traceparent: trace_context::current(),
            ..Caller::default()
        };
        let request = request.into_inner();
        let directory = self.directories.of(&request.tenant)?;
        let tenant = directory.tenant();
        let id = self.read(tenant, &request.resource_id).await?.id;
        directory.discard(&request.resource_id, &caller).await?;
        tracing::info!(scim.tenant = %tenant, scim.resource.id = %id, "what was held or refused is discarded");
        let delivery = self.store.delivery(tenant, id).await.map_err(Error::from)?;
        Ok(Response::new(DiscardDeliveryResponse {
            delivery: delivery.map(shown),
        }))
    }

    async fn pause_deliveries(
        &self,
        request: Request<PauseDeliveriesRequest>,
    ) -> Result<Response<PauseDeliveriesResponse>, Status> {
        let (origin, now) = (origin(request.metadata()), Timestamp::now());
        let request = request.into_inner();
        let tenant = self.directories.tenant(&request.tenant)?;
        let pause = Pause {
            at: now,
            by: bounded("paused_by", request.paused_by, 200)?,
            reason: bounded("reason", request.reason, 1_000)?,
        };
        let paused = self
            .store
            .set_pause(&tenant, Some(pause.clone()), origin.as_ref(), now)
            .await;
        paused.map_err(Error::from)?;
        tracing::warn!(scim.tenant = %tenant, "paused: nothing is delivered before it is resumed");
        Ok(Response::new(PauseDeliveriesResponse {
            pause: Some(told(pause)),
        }))
    }

    async fn resume_deliveries(
        &self,
        request: Request<ResumeDeliveriesRequest>,
    ) -> Result<Response<ResumeDeliveriesResponse>, Status> {
        let origin = origin(request.metadata());
        let tenant = self.directories.tenant(&request.into_inner().tenant)?;
        let ended = self.store.pause(&tenant).await.map_err(Error::from)?;
        let resumed = self.store.set_pause(&tenant, None, origin.as_ref(), Timestamp::now());
        resumed.await.map_err(Error::from)?;
        if ended.is_some() {
            tracing::info!(scim.tenant = %tenant, "resumed");
        }
        self.wake.ring();
        Ok(Response::new(ResumeDeliveriesResponse { ended: ended.map(told) }))
    }
}

/// A text that somebody says about what they do.
fn bounded(field: &'static str, text: String, most: usize) -> Result<String, Error> {
    if text.chars().count() > most {
        let problem = format!("longer than {most} characters");
        return Err(Error::InvalidRequest { field, problem });
    }
    Ok(text)
}

fn told(pause: Pause) -> proto::identity::v1::Pause {
    proto::identity::v1::Pause {
        paused_at: Some(proto::time::to_proto(pause.at)),
        paused_by: pause.by,
        reason: pause.reason,
    }
}

/// The id may be of either kind; it is spoken of as a user's.
fn no_resource(id: &str) -> Error {
    Error::NotFound {
        kind: Kind::User,
        id: id.chars().take(64).collect(),
    }
}

fn shown(delivery: store::Delivery) -> Delivery {
    let work = delivery.work;
    let state = match work.as_ref().map(|work| work.state) {
        None => DeliveryState::Applied,
        Some(WorkState::Pending) => DeliveryState::Pending,
        Some(WorkState::Refused) => DeliveryState::Refused,
        Some(WorkState::Held) => DeliveryState::Held,
        Some(WorkState::Planned) => DeliveryState::Planned,
    };
    let due = work.as_ref().filter(|work| work.state.has_a_time());
    let brake = match (state, work.as_ref().and_then(|work| work.braked)) {
        (_, Some(Brake::Removals)) | (DeliveryState::Held, None) => wire::Brake::Removals,
        (_, Some(Brake::Deactivations)) => wire::Brake::Deactivations,
        (_, Some(Brake::Alarm)) => wire::Brake::Alarm,
        _ => wire::Brake::Unspecified,
    };
    let failure = work.as_ref().and_then(|work| work.failure.clone());
    Delivery {
        resource_type: delivery.kind.name().to_owned(),
        resource_id: delivery.id.to_string(),
        state: state as i32,
        platform_id: delivery.link.platform_id,
        version: delivery.version,
        applied_version: if work.is_none() {
            delivery.version
        } else {
            delivery.link.applied_version
        },
        deleted: delivery.deleted,
        attempts: work.as_ref().map_or(0, |work| work.attempts),
        last_error: failure.as_ref().map(|failure| failure.message.clone()),
        last_error_reason: failure.map(|failure| failure.reason),
        next_attempt_at: due.map(|work| proto::time::to_proto(work.due)),
        pending_since: work.as_ref().map(|work| proto::time::to_proto(work.since)),
        pending_members: i64::try_from(delivery.pending_members).unwrap_or(i64::MAX),
        brake: brake as i32,
        urgent: work.as_ref().is_some_and(|work| work.urgent),
        plan: work.map(|work| work.plan).unwrap_or_default(),
    }
}
