//! Which names a machine may have in its certificates. Pure: who has them already is looked up elsewhere.

use std::net::IpAddr;

use names::ClusterName;
use names::HostName;
use resource::SystemRole;

use crate::HostId;
use crate::Refusal;

/// The longest name of a node, in bytes: with the cluster's name behind it, it is still a DNS name.
const NODE_NAME_MAX: usize = 180;
/// The longest name that can be held, in bytes: it is part of a path in the state.
const HELD_NAME_MAX: usize = 240;
/// The most further names and addresses of one machine.
const PUBLIC_ADDRESSES_MAX: usize = 32;

/// What a machine asks to be called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub node_name: &'a HostName,
    pub public_addresses: &'a [HostName],
    pub roles: &'a [SystemRole],
}

/// The names that a machine would have to itself, or a refusal of one that is not for it. `reserved` are the public names of the auth
/// service and the proxies.
pub(crate) fn held_names(
    wish: Wish<'_>,
    cluster: &ClusterName,
    reserved: &[HostName],
) -> Result<Vec<HostName>, Refusal> {
    let held = wished_names(wish, cluster)?;
    for name in &held {
        check_free(name, cluster, reserved, wish.roles)?;
    }
    Ok(held)
}

/// The same, whether they are for it or not.
pub(crate) fn wished_names(wish: Wish<'_>, cluster: &ClusterName) -> Result<Vec<HostName>, Refusal> {
    let Wish {
        node_name,
        public_addresses,
        roles: _,
    } = wish;
    if node_name.address().is_some() {
        let problem = "is an address; a machine has a name, and addresses as public addresses";
        return Err(Refusal::malformed("node_name", problem));
    }
    if node_name.as_str().len() > NODE_NAME_MAX {
        let problem = format!("is longer than {NODE_NAME_MAX} bytes");
        return Err(Refusal::malformed("node_name", problem));
    }
    if public_addresses.len() > PUBLIC_ADDRESSES_MAX {
        let problem = format!("has more than {PUBLIC_ADDRESSES_MAX} names and addresses");
        return Err(Refusal::malformed("public_addresses", problem));
    }
    let mut held = vec![node_name.clone(), in_cluster(node_name.as_str(), cluster)?];
    for address in public_addresses {
        if !held.contains(address) {
            held.push(address.clone());
        }
    }
    Ok(held)
}

/// Every name and address in the certificates of a host, its id first: that is its key id, its common name and its identity.
pub(crate) fn certified_names(
    host_id: &HostId,
    held: &[HostName],
    cluster: &ClusterName,
) -> Result<Vec<HostName>, Refusal> {
    let host_id = host_id.to_string();
    let mut names = vec![parse("host_id", &host_id)?, in_cluster(&host_id, cluster)?];
    names.extend(held.iter().cloned());
    for everywhere in ["localhost", "127.0.0.1", "::1"] {
        names.push(parse("names", everywhere)?);
    }
    Ok(names)
}

fn in_cluster(name: &str, cluster: &ClusterName) -> Result<HostName, Refusal> {
    parse("node_name", &format!("{name}.{cluster}"))
}

pub(crate) fn parse(field: &'static str, text: &str) -> Result<HostName, Refusal> {
    HostName::parse(text).map_err(|error| Refusal::malformed(field, error.to_string()))
}

fn check_free(
    name: &HostName,
    cluster: &ClusterName,
    reserved: &[HostName],
    roles: &[SystemRole],
) -> Result<(), Refusal> {
    let refuse = |reason| {
        Err(Refusal::NameReserved {
            name: name.to_string(),
            reason,
        })
    };
    // A name in a DNS document may end in a dot or not, in a certificate it does not; HostName refuses the dot.
    let text = name.as_str();
    if text.len() > HELD_NAME_MAX {
        return refuse("it is too long");
    }
    if text == cluster.as_str() {
        return refuse("it is the cluster's own name");
    }
    let own = text
        .strip_suffix(cluster.as_str())
        .and_then(|rest| rest.strip_suffix('.'))
        .unwrap_or(text);
    if own == "localhost" || name.address().is_some_and(is_own_machine) {
        return refuse("every machine calls itself so");
    }
    if HostId::parse(own).is_ok() {
        return refuse("it has the form of a host id, which is given, not chosen");
    }
    let is = |role| roles.contains(&role);
    if own == "auth" && !is(SystemRole::Auth) {
        return refuse("it is the auth service's");
    }
    if own == "proxy" && !is(SystemRole::Proxy) {
        return refuse("it is the proxies'; ask for a token that gives the role proxy");
    }
    if reserved.contains(name) && !is(SystemRole::Proxy) {
        return refuse("it is a public name of the auth service or of the proxies");
    }
    Ok(())
}

/// Whether an address means the machine it is used on, or none.
fn is_own_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(node_name: &str, public: &[&str], roles: &[SystemRole]) -> Result<Vec<String>, Refusal> {
        let cluster = ClusterName::parse("prod.example.com").unwrap();
        let reserved = [HostName::parse("teleport.example.com").unwrap()];
        let node_name = HostName::parse(node_name).unwrap();
        let public: Vec<HostName> = public.iter().map(|name| HostName::parse(name).unwrap()).collect();
        let wish = Wish {
            node_name: &node_name,
            public_addresses: &public,
            roles,
        };
        let held = held_names(wish, &cluster, &reserved)?;
        Ok(held.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_node_has_its_name_with_and_without_the_cluster_and_its_public_addresses() {
        let held = ask(
            "web-1",
            &["web.example.com", "203.0.113.9", "web-1"],
            &[SystemRole::Node],
        )
        .unwrap();
        assert_eq!(
            held,
            [
                "web-1",
                "web-1.prod.example.com",
                "web.example.com",
                "203.0.113.9"
            ]
        );
    }

    #[test]
    fn names_of_others_are_refused() {
        let node = &[SystemRole::Node][..];
        let id = "3fdb2f8e-6a0a-4b0e-9d5e-0d7d3f1a2b3c";
        for (name, public) in [
            ("prod.example.com", &[][..]),
            ("auth", &[]),
            ("proxy", &[]),
            ("auth.prod.example.com", &[]),
            ("proxy.prod.example.com", &[]),
            ("localhost", &[]),
            ("localhost.prod.example.com", &[]),
            (id, &[]),
            ("web-1", &["prod.example.com"]),
            ("web-1", &["teleport.example.com"]),
            ("web-1", &["proxy.prod.example.com"]),
            ("web-1", &["127.0.0.1"]),
            ("web-1", &["127.8.8.8"]),
            ("web-1", &["::1"]),
            ("web-1", &["::ffff:127.0.0.1"]),
            ("web-1", &["0.0.0.0"]),
            ("web-1", &["localhost"]),
            ("web-1", &[id]),
        ] {
            let refusal = ask(name, public, node).unwrap_err();
            assert_eq!(refusal.code(), "name_reserved", "{name} {public:?}: {refusal}");
        }
        assert_eq!(ask("10.0.0.1", &[], node).unwrap_err().code(), "malformed");
        assert_eq!(
            ask(&format!("{0}.{0}.{0}", "a".repeat(63)), &[], node)
                .unwrap_err()
                .code(),
            "malformed"
        );
    }

    #[test]
    fn a_proxy_may_have_the_names_of_proxies_but_not_those_of_the_auth_service() {
        let proxy = &[SystemRole::Proxy][..];
        assert!(ask("proxy", &["teleport.example.com"], proxy).is_ok());
        assert!(ask("edge-1", &["proxy.prod.example.com"], proxy).is_ok());
        assert_eq!(ask("auth", &[], proxy).unwrap_err().code(), "name_reserved");
        assert_eq!(
            ask("edge-1", &["prod.example.com"], proxy).unwrap_err().code(),
            "name_reserved"
        );
    }

    #[test]
    fn a_certificate_names_the_id_first() {
        let cluster = ClusterName::parse("prod.example.com").unwrap();
        let id = HostId::parse("3fdb2f8e-6a0a-4b0e-9d5e-0d7d3f1a2b3c").unwrap();
        let held = [HostName::parse("web-1").unwrap()];
        let names: Vec<String> = certified_names(&id, &held, &cluster)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            names,
            [
                "3fdb2f8e-6a0a-4b0e-9d5e-0d7d3f1a2b3c",
                "3fdb2f8e-6a0a-4b0e-9d5e-0d7d3f1a2b3c.prod.example.com",
                "web-1",
                "localhost",
                "127.0.0.1",
                "::1",
            ]
        );
    }
}
