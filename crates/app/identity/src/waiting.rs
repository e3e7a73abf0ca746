//! How many programs may wait for somebody's approval, and how many of them may come from one place.

use std::net::SocketAddr;

use names::site_of;

use crate::identity::source_of;

/// How many may wait at once, whoever asks.
const ALL_MAX: usize = 1_000;
/// How many of one address, or of its network (a /64 of IPv6), may wait at once.
const OF_SOURCE_MAX: usize = 32;
/// How many of one site may wait at once: of a /48 of IPv6, of which its owner can make 65,536 networks.
const OF_SITE_MAX: usize = 8 * OF_SOURCE_MAX;

/// Whether one more may wait beside those that wait, by where each asked from.
pub(crate) fn may_wait(waiting: &[SocketAddr], remote: SocketAddr) -> bool {
    let source = source_of(remote);
    let of_source = waiting.iter().filter(|other| source_of(**other) == source);
    let site = site_of(remote.ip());
    let of_site = waiting
        .iter()
        .filter(|other| site.is_some() && site_of(other.ip()) == site);
    waiting.len() < ALL_MAX && of_source.count() < OF_SOURCE_MAX && of_site.count() < OF_SITE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(site: u16, subnet: u16) -> SocketAddr {
        SocketAddr::from(([0x2001, 0xdb8, site, subnet, 0, 0, 0, 1], 4_000))
    }

    fn v4(number: u32) -> SocketAddr {
        SocketAddr::from((number.to_be_bytes(), 4_000))
    }

    /// How many of these wait in the end.
    fn let_wait(waiting: &mut Vec<SocketAddr>, asking: impl Iterator<Item = SocketAddr>) -> usize {
        let before = waiting.len();
        for remote in asking {
            if may_wait(waiting, remote) {
                waiting.push(remote);
            }
        }
        waiting.len() - before
    }

    #[test]
    fn one_site_takes_a_quarter_and_no_more_however_many_networks_it_makes() {
        let mut waiting = Vec::new();
        assert_eq!(let_wait(&mut waiting, (0..40).map(|_| v6(1, 0))), 32);
        assert_eq!(
            let_wait(&mut waiting, (0..2_000).map(|subnet| v6(1, subnet))),
            224
        );
        assert_eq!(let_wait(&mut waiting, (0..40).map(|_| v6(2, 0))), 32);
        // Neighbours in IPv4 are no site, also where they come as IPv6.
        assert_eq!(let_wait(&mut waiting, (0..600).map(v4)), 600);
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:1".parse().unwrap();
        assert_eq!(let_wait(&mut waiting, (0..40).map(|_| mapped)), 32);
        let all = let_wait(&mut waiting, (1_000..2_000).map(v4));
        assert_eq!((all, waiting.len()), (80, 1_000));
    }
}
