//! What identity-service says of its deliveries, by gRPC, and how they are stopped and started.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use proto::identity::v1::{
    DeliveryState, GetDeliveryRequest, PauseDeliveriesRequest, ResumeDeliveriesRequest, SummarizeDeliveriesRequest,
    delivery_service_client::DeliveryServiceClient,
};
use tokio::time::Instant;
use tonic::transport::Channel;
use uuid::Uuid;

/// How long deliveries may stand still.
const STANDSTILL: Duration = Duration::from_secs(120);
/// How often they are looked at.
const PAUSE: Duration = Duration::from_millis(10);
/// The tenant that everything is in.
const TENANT: &str = "default";

/// What is still to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Resources whose delivery is under way or to come.
    pub pending: i64,
    /// Resources that the Platform did not take.
    pub refused: i64,
    /// Resources that a brake holds.
    pub held: i64,
    /// How long ago the oldest change was made that is pending; none: nothing is.
    pub oldest: Option<Duration>,
}

/// The deliveries of a system.
#[derive(Clone, Debug)]
pub struct Deliveries(DeliveryServiceClient<Channel>);

impl Deliveries {
    /// Those of this identity-service.
    pub(super) async fn of(identity: SocketAddr) -> Result<Self> {
        let endpoint = Channel::from_shared(format!("http://{identity}"))?;
        Ok(Self(DeliveryServiceClient::new(endpoint.connect().await?)))
    }

    /// What is still to be delivered.
    pub async fn backlog(&self) -> Result<Backlog> {
        let request = SummarizeDeliveriesRequest {
            tenant: TENANT.to_owned(),
        };
        let summary = self.0.clone().summarize_deliveries(request).await?.into_inner();
        let since = summary.oldest_pending_at.as_ref().and_then(proto::time::from_proto);
        let oldest = since.map(|since| jiff::Timestamp::now().duration_since(since));
        Ok(Backlog {
            pending: summary.pending,
            refused: summary.refused,
            held: summary.held,
            oldest: oldest.map(|age| age.try_into().unwrap_or_default()),
        })
    }

    /// Waits until all is delivered: nothing may be refused or held.
    pub async fn done(&self) -> Result<()> {
        let (mut left, mut changed) = (None, Instant::now());
        loop {
            let now = self.backlog().await?;
            ensure!(now.refused == 0, "{} deliveries were refused", now.refused);
            ensure!(now.held == 0, "{} deliveries are held", now.held);
            if now.pending == 0 {
                return Ok(());
            }
            if left.replace(now.pending) != Some(now.pending) {
                changed = Instant::now();
            }
            let stands = changed.elapsed() > STANDSTILL;
            ensure!(!stands, "{} deliveries do not get on", now.pending);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether all that is wanted of a resource is delivered.
    pub async fn is_applied(&self, resource: Uuid) -> Result<bool> {
        let request = GetDeliveryRequest {
            tenant: TENANT.to_owned(),
            resource_id: resource.to_string(),
        };
        let delivery = self.0.clone().get_delivery(request).await?.into_inner().delivery;
        Ok(delivery.is_some_and(|delivery| delivery.state() == DeliveryState::Applied))
    }

    /// Delivers nothing until they go on.
    pub async fn pause(&self) -> Result<()> {
        let request = PauseDeliveriesRequest {
            tenant: TENANT.to_owned(),
            paused_by: "load".to_owned(),
            reason: "to measure them later".to_owned(),
        };
        self.0.clone().pause_deliveries(request).await?;
        Ok(())
    }

    /// Delivers what has come together.
    pub async fn resume(&self) -> Result<()> {
        let request = ResumeDeliveriesRequest {
            tenant: TENANT.to_owned(),
        };
        self.0.clone().resume_deliveries(request).await?;
        Ok(())
    }
}
