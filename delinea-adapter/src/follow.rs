//! What goes on beside the service: whether the Platform gives a token, for readiness, and what it exposes.

use std::{error::Error as StdError, time::Duration};

use jiff::Timestamp;
use service_runtime::Dependency;
use tokio_util::sync::CancellationToken;

use crate::platform::{Connection, capabilities::PAUSE, failure::Failure};

/// How often readiness asks whether the Platform still gives a token.
const READINESS_INTERVAL: Duration = Duration::from_secs(15);

/// How long before its end a secret is spoken of, in days.
const SOON: f64 = 30.0;
/// How often it is spoken of.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks the tenant anew what it exposes: from time to time, and when a call turns out not to be there.
pub(crate) async fn capabilities(platform: &Connection, interval: Duration, stop: &CancellationToken) {
    let regularly = async || match interval {
        Duration::ZERO => std::future::pending().await,
        interval => tokio::time::sleep(interval).await,
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = regularly() => {}
            () = platform.client.exposure().surprise() => {}
        }
        // Whoever could not be asked, or gave no verdict on what matters, is asked again, not at the next time that is due.
        loop {
            match platform.probe().await {
                Ok(found) if found.is_decided() => break,
                Ok(_) => tracing::warn!(
                    scim.tenant = platform.metrics.tenant(),
                    "the Platform gave no verdict on a call that decides which interface serves"
                ),
                Err(failure) => tracing::warn!(
                    scim.tenant = platform.metrics.tenant(),
                    reason = reason(&failure),
                    "the Platform could not be asked what it exposes"
                ),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Readiness follows the token, and for the first time waits until it is known what the tenant exposes. Without a token the service is degraded, not unready: it can still say *later*, which is
/// more than a refused connection says.
pub(crate) async fn token(platform: &Connection, dependency: &Dependency, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            token = is_usable(platform) => match token {
                Ok(()) => dependency.ready(),
                Err(failure) => dependency.degraded(reason(&failure)),
            },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(READINESS_INTERVAL) => {}
        }
    }
}

/// Says every day that the secret of the service user ends soon, or has ended.
pub(crate) async fn secret(tenant: &str, ends: Timestamp) {
    loop {
        let days = days_left(ends, Timestamp::now());
        if days < SOON {
            tracing::warn!(
                scim.tenant = tenant,
                days = days.floor(),
                "the secret of the Platform's service user ends soon, or has ended: make another there, put it into PLATFORM_CLIENT_SECRET_FILE, and say in PLATFORM_CLIENT_SECRET_EXPIRES when that ends"
            );
        }
        tokio::time::sleep(DAY).await;
    }
}

/// How many days are left; less than 0 when it is over.
pub(crate) fn days_left(ends: Timestamp, now: Timestamp) -> f64 {
    ends.duration_since(now).as_secs_f64() / DAY.as_secs_f64()
}

async fn is_usable(platform: &Connection) -> Result<(), Failure> {
    platform.client.token().await?;
    platform.capabilities().await.map(drop)
}

fn reason(failure: &Failure) -> String {
    service_runtime::Chain(failure as &dyn StdError).to_string()
}
