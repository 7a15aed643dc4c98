//! Lists of networks, as operators write them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads `192.0.2.0/24`, `2001:db8::/32`, or one address.
pub(super) fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse().ok();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let read: Option<IpNet> = network.or_else(address);
    read.ok_or_else(|| format!("{text:?} is neither an address nor a network such as 192.0.2.0/24"))
}

/// Some networks.
#[derive(Clone, Debug)]
pub(super) struct Networks(Vec<IpNet>);

impl Networks {
    pub(super) fn new(networks: &[IpNet]) -> Self {
        Self(IpNet::aggregate(&networks.to_vec()))
    }

    /// Whether an address is in one of them. A socket of both families says `::ffff:192.0.2.1` where it means 192.0.2.1.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_single_addresses_are_read() {
        let list = ["192.0.2.0/24", " 198.51.100.7", "2001:db8::/32", "10.1.2.3/8"];
        let networks = Networks::new(&list.map(|text| parse_network(text).unwrap()));
        for (address, expected) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("::ffff:192.0.2.1", true),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
            ("10.200.0.1", true),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), expected, "{address}");
        }
        for wrong in ["", "192.0.2", "192.0.2.0/33", "example.com"] {
            parse_network(wrong).unwrap_err();
        }
    }
}
