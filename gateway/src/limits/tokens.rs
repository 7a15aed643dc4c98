//! How many access tokens are asked for. Who asks for one has shown nothing yet, so that the address is what is counted; and who
//! has shown the right secret is one tenant among others, whose tokens identity-service signs. A flood of either then costs SCIM
//! requests nothing: these are counted by themselves.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Kind;
use super::tenants::Tenants;
use crate::refusals::{self, Reason};

/// The rates in force.
pub(crate) struct Tokens {
    sources: Tenants,
    tenants: Tenants,
    patience: Duration,
}

impl Tokens {
    /// So many a second of each, 0 for any number; and how long one waits for its turn.
    pub(super) fn new(rate: u32, patience: Duration) -> Self {
        Self {
            sources: Tenants::new(rate, 0),
            tenants: Tenants::new(rate, 0),
            patience,
        }
    }

    /// Waits for the turn of a request from that address; those whose address nobody knows share one. An error says when to come again.
    pub(crate) async fn of_source(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let source = address.map_or_else(|| Arc::from("unknown"), source);
        let waited = self.turn(&self.sources, &source).await;
        waited.inspect_err(|_| refusals::count(Reason::TokenRate))
    }

    /// Waits for the turn of a client of that tenant, who has shown what he must.
    pub(crate) async fn of_tenant(&self, tenant: &Arc<str>) -> Result<(), Duration> {
        let waited = self.turn(&self.tenants, tenant).await;
        waited.inspect_err(|_| refusals::count_of(Reason::TokenRate, tenant))
    }

    async fn turn(&self, of: &Tenants, name: &Arc<str>) -> Result<(), Duration> {
        let now = Instant::now();
        let at = of.of(name, now).reserve(Kind::Other, now, now + self.patience)?;
        if at > now {
            sleep_until(at).await;
        }
        Ok(())
    }
}

/// What is counted as one: an address, or the /64 of IPv6 that one machine is given.
fn source(address: IpAddr) -> Arc<str> {
    let one = match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (!0 << 64))),
    };
    Arc::from(one.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_too_often_is_told_and_holds_up_nobody_else() {
        let tokens = Tokens::new(10, Duration::ZERO);
        let from = |text: &str| tokens.of_source(address(text)).now_or_never();
        for _ in 0..=10 {
            assert_eq!(from("198.51.100.7"), Some(Ok(())));
        }
        assert_eq!(from("198.51.100.7"), Some(Err(Duration::from_millis(100))));
        assert_eq!(
            from("::ffff:198.51.100.7"),
            Some(Err(Duration::from_millis(100))),
            "the same one"
        );
        assert_eq!(from("198.51.100.8"), Some(Ok(())));
        for nth in 0..=10 {
            assert_eq!(from(&format!("2001:db8::{nth:x}")), Some(Ok(())));
        }
        assert!(
            from("2001:db8::ffff").unwrap().is_err(),
            "one machine has many addresses"
        );
        assert_eq!(from("2001:db8:0:1::1"), Some(Ok(())));
        let (busy, quiet) = (Arc::from("busy"), Arc::from("quiet"));
        for _ in 0..=10 {
            tokens.of_tenant(&busy).await.unwrap();
        }
        assert!(tokens.of_tenant(&busy).await.is_err());
        tokens.of_tenant(&quiet).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for() {
        let tokens = Tokens::new(10, Duration::from_secs(5));
        for _ in 0..=10 {
            tokens.of_source(None).await.unwrap();
        }
        let began = Instant::now();
        tokens.of_source(None).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_millis(100));
    }
}
