//! How many programs may wait for somebody's approval, and how many of them may come from one place, or be of one person.

use std::net::SocketAddr;

use names::UserName;
use names::site_of;

use crate::identity::source_of;

/// How many may wait at once, whoever asks.
const ALL_MAX: usize = 1_000;
/// How many of one address, or of its network (a /64 of IPv6), may wait at once.
const OF_SOURCE_MAX: usize = 32;
/// How many of one site may wait at once: of a /48 of IPv6, of which its owner can make 65,536 networks.
const OF_SITE_MAX: usize = 8 * OF_SOURCE_MAX;
/// How many that show one person's certificate may wait at once, from wherever they ask.
const OF_USER_MAX: usize = 16;

/// A program that waits, or would.
pub(crate) struct Waiter {
    /// Where it asked from.
    pub(crate) remote: SocketAddr,
    /// Whose certificate it showed. Nobody's where none was: a name that anybody may say is no reason to count against its bearer.
    pub(crate) user: Option<UserName>,
}

/// Whether one more may wait beside those that wait.
pub(crate) fn may_wait(waiting: &[Waiter], newcomer: &Waiter) -> bool {
    let like = |is_like: &dyn Fn(&Waiter) -> bool| waiting.iter().filter(|other| is_like(other)).count();
    let source = source_of(newcomer.remote);
    let of_source = like(&|other| source_of(other.remote) == source);
    let site = site_of(newcomer.remote.ip());
    let of_site = like(&|other| site.is_some() && site_of(other.remote.ip()) == site);
    let of_user = like(&|other| newcomer.user.is_some() && other.user == newcomer.user);
    waiting.len() < ALL_MAX && of_source < OF_SOURCE_MAX && of_site < OF_SITE_MAX && of_user < OF_USER_MAX
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
    fn let_wait(waiting: &mut Vec<Waiter>, asking: impl Iterator<Item = SocketAddr>) -> usize {
        let_wait_of(waiting, None, asking)
    }

    fn let_wait_of(
        waiting: &mut Vec<Waiter>,
        user: Option<&str>,
        asking: impl Iterator<Item = SocketAddr>,
    ) -> usize {
        let before = waiting.len();
        for remote in asking {
            let newcomer = Waiter {
                remote,
                user: user.map(|name| name.parse().unwrap()),
            };
            if may_wait(waiting, &newcomer) {
                waiting.push(newcomer);
            }
        }
        waiting.len() - before
    }

    #[test]
    fn one_person_takes_sixteen_from_however_many_addresses_and_nobody_elses() {
        let mut waiting = Vec::new();
        assert_eq!(let_wait_of(&mut waiting, Some("alice"), (0..2_000).map(v4)), 16);
        assert_eq!(
            let_wait_of(&mut waiting, Some("alice"), (0..40).map(|_| v6(1, 0))),
            0
        );
        // Others wait beside her, at the same addresses, too.
        assert_eq!(let_wait_of(&mut waiting, Some("bob"), (0..40).map(v4)), 16);
        assert_eq!(
            let_wait_of(&mut waiting, Some("carol"), (0..40).map(|_| v4(0))),
            16
        );
        // What shows no certificate is counted by its addresses alone.
        assert_eq!(let_wait(&mut waiting, (100..200).map(v4)), 100);
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
