//! What an address counts as where one client must not have more than another: nobody has only one address of IPv6.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// The network of one client: an address of IPv4, also where it comes as one of IPv6, and a /64 of IPv6 (RFC 4291, section 2.5.1).
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(begin_of(address, 64)),
    }
}

/// The /48 of IPv6 that sites are given (RFC 6177), of which whoever has it makes 65,536 networks; nothing for IPv4.
pub fn site_of(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(IpAddr::V6(begin_of(address, 48))),
    }
}

/// The most that somebody who shows nothing may have to themselves: a site, and for IPv4 an address.
pub fn estate_of(address: IpAddr) -> IpAddr {
    site_of(address).unwrap_or_else(|| network_of(address))
}

fn begin_of(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let host = u128::MAX.checked_shr(bits).unwrap_or_default();
    Ipv6Addr::from_bits(address.to_bits() & !host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_of_ipv6_counts_by_its_network_and_its_site() {
        let one = address("2001:db8:1:2:3:4:5:6");
        assert_eq!(network_of(one), address("2001:db8:1:2::"));
        assert_eq!(site_of(one), Some(address("2001:db8:1::")));
        assert_eq!(estate_of(one), address("2001:db8:1::"));
        assert_ne!(network_of(one), network_of(address("2001:db8:1:3::1")));
        assert_ne!(site_of(one), site_of(address("2001:db8:2::1")));
    }

    #[test]
    fn an_address_of_ipv4_counts_by_itself_also_in_ipv6() {
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!(network_of(address(same)), address("192.0.2.1"));
            assert_eq!(site_of(address(same)), None);
            assert_eq!(estate_of(address(same)), address("192.0.2.1"));
        }
    }
}
