//! What a client may cost before anything is known of it but its address: connections, time for its first request, and time in
//! which it takes nothing of what it asked for. Behind each refusal stands a count, and no log record: whoever finds the port could
//! fill the log.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

/// Bounds of a listener's connections. The default has none but those that hold for every listener.
#[derive(Clone, Debug, Default)]
pub struct ConnectionLimits {
    /// Connections open at one time from one address, or from one /64 of IPv6, which is what one machine is given.
    pub per_address: Option<u32>,
    /// Networks that this does not hold for, such as proxies, which speak for many.
    pub unlimited: Vec<IpNet>,
    /// Time from a connection's first moment until the whole head of its first request is there.
    pub first_request: Option<Duration>,
    /// Time for which a client may take nothing of an answer that waits for it.
    pub stalled: Option<Duration>,
}

/// Why a connection was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There are too many of its address.
    Address,
    /// Its first request did not arrive in time.
    SlowRequest,
    /// Its client took nothing for too long.
    SlowReader,
    /// A request's head was larger than is read at all.
    LargeHead,
}

impl Ended {
    pub(super) fn count(self) {
        static ENDED: LazyLock<Counter<u64>> = LazyLock::new(|| {
            crate::meter("service-runtime")
                .u64_counter("http.connections.ended")
                .with_unit("{connection}")
                .with_description(
                    "Connections ended for what their clients did, by reason: address, slow_request, slow_reader, large_head.",
                )
                .build()
        });
        let reason = match self {
            Self::Address => "address",
            Self::SlowRequest => "slow_request",
            Self::SlowReader => "slow_reader",
            Self::LargeHead => "large_head",
        };
        ENDED.add(1, &[KeyValue::new("reason", reason)]);
    }
}

/// The connections that are open, by their addresses. Holds no more entries than there are connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<IpAddr, u32>>>);

impl Addresses {
    /// Takes a place for one more connection of this address. `None` if there is none left.
    pub(super) fn take(&self, address: IpAddr, limits: &ConnectionLimits) -> Option<Place> {
        let address = address.to_canonical();
        let limit = limits
            .per_address
            .filter(|_| !limits.unlimited.iter().any(|network| network.contains(&address)));
        let key = together(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if limit.is_some_and(|limit| *count >= limit) {
            // A limit of zero would leave an entry behind that nobody holds.
            if *count == 0 {
                open.remove(&key);
            }
            return None;
        }
        *count += 1;
        Some(Place {
            key,
            open: self.clone(),
        })
    }
}

/// A connection's place, which it gives back when it is gone.
#[derive(Debug)]
pub(super) struct Place {
    key: IpAddr,
    open: Addresses,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// What counts as one address.
fn together(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let limits = ConnectionLimits {
            per_address: Some(2),
            unlimited: vec!["10.0.0.0/8".parse().unwrap()],
            ..ConnectionLimits::default()
        };
        let addresses = Addresses::default();
        let take = |address: &str| addresses.take(address.parse().unwrap(), &limits);
        let held = [take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let other = take("192.0.2.2").unwrap();
        let network = [take("2001:db8::1").unwrap(), take("2001:db8::ffff:2").unwrap()];
        assert!(take("2001:db8:0:0:9::1").is_none());
        let neighbour = take("2001:db8:0:1::1").unwrap();
        let proxies: Vec<_> = (0..5).map(|_| take("10.1.1.1").unwrap()).collect();
        drop(held);
        let again = take("192.0.2.1").unwrap();
        drop((other, network, neighbour, proxies, again));
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
