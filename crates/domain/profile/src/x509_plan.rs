use std::collections::BTreeMap;
use std::net::IpAddr;

use key::PublicKey;
use names::ClusterName;
use names::HostName;
use names::Principal;
use names::Serial;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use x509::DistinguishedName;
use x509::Identity;
use x509::IdentityKind;
use x509::IdentityVersion;
use x509::Issuer;
use x509::LeafPlan;
use x509::NameAttribute;
use x509::SubjectAltName;

use crate::BACKDATE;
use crate::Finding;
use crate::X509Profile;
use crate::end;
use crate::lifetime;
use crate::spiffe::check_spiffe_id;

/// The most names in one certificate.
const NAMES_MAX: usize = 100;

/// Whom an X.509 certificate is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum X509Request {
    /// A machine of the cluster.
    Host {
        /// Its names and addresses, the first of which is its common name.
        names: Vec<HostName>,
        /// Its system roles.
        roles: Vec<Principal>,
    },
    /// A person or a machine account.
    User {
        /// The name.
        user: UserName,
        /// The roles.
        roles: Vec<Principal>,
        /// The logins.
        logins: Vec<Principal>,
        /// What else is known.
        traits: BTreeMap<String, Vec<String>>,
        /// The id of the second factor that was given for it, when one was.
        mfa_device: Option<String>,
        /// The only address it is good from, when it is pinned to one.
        pinned_to: Option<IpAddr>,
    },
    /// A database server.
    DatabaseServer {
        /// The names clients connect to.
        names: Vec<HostName>,
        /// The common name, where it is not the first name (CockroachDB's nodes are all called `node`).
        common_name: Option<String>,
        /// The organization, where a database compares it (MongoDB's members share one).
        organization: Option<String>,
    },
    /// A client of databases.
    DatabaseClient {
        /// The account, which is the common name.
        user: UserName,
    },
    /// An account of a Windows domain.
    Windows {
        /// The account.
        user: UserName,
        /// The domain.
        domain: HostName,
        /// The account's security identifier, `S-1-5-…`.
        sid: Option<String>,
    },
    /// A workload.
    Workload {
        /// The path of its SPIFFE id, `/ns/prod/sa/web`; the trust domain is the cluster.
        path: String,
        /// The names it serves.
        dns_names: Vec<HostName>,
    },
}

/// A plan and the profile it must satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509Plan {
    /// The profile.
    pub profile: X509Profile,
    /// The plan.
    pub leaf: LeafPlan,
}

impl X509Request {
    /// The profile of the request.
    pub const fn profile(&self) -> X509Profile {
        match self {
            Self::Host { .. } => X509Profile::Host,
            Self::User { .. } => X509Profile::User,
            Self::DatabaseServer { .. } => X509Profile::DatabaseServer,
            Self::DatabaseClient { .. } => X509Profile::DatabaseClient,
            Self::Windows { .. } => X509Profile::Windows,
            Self::Workload { .. } => X509Profile::Workload,
        }
    }
}

/// Plans a certificate.
///
/// # Errors
/// Findings, when the request asks for more than its profile grants or cannot be written down.
#[expect(
    clippy::too_many_arguments,
    reason = "everything that is not in the request is an argument"
)]
pub fn plan_x509(
    request: &X509Request,
    subject_key: PublicKey,
    ttl: Option<Ttl>,
    issuer: &Issuer,
    cluster: &ClusterName,
    serial: Serial,
    now: UnixSeconds,
    crl_url: Option<String>,
) -> Result<X509Plan, Vec<Finding>> {
    let profile = request.profile();
    let rules = profile.rules();
    let ttl = lifetime(ttl, rules.lifetime_usual, rules.lifetime_longest)?;
    let mut leaf = LeafPlan::under(issuer, subject(request, cluster)?, subject_key, serial);
    leaf.not_before = now.minus(BACKDATE).max(issuer.not_before);
    leaf.not_after = end(now, ttl, issuer.not_after);
    leaf.key_usage = profile.key_usage(leaf.subject_key.algorithm());
    leaf.extended_key_usage = rules.purposes.to_vec();
    leaf.alt_names = alt_names(request, cluster)?;
    leaf.identity = identity(request, cluster)?;
    leaf.crl_urls = crl_url.into_iter().collect();
    if let X509Request::Windows { sid, .. } = request {
        sid.as_deref().map_or(Ok(()), check_sid)?;
        leaf.windows_sid.clone_from(sid);
    }
    Ok(X509Plan { profile, leaf })
}

fn subject(request: &X509Request, cluster: &ClusterName) -> Result<DistinguishedName, Vec<Finding>> {
    let cluster = cluster.as_str();
    let mut attributes: Vec<(NameAttribute, &str)> = Vec::new();
    match request {
        X509Request::Host { names, roles: _ } => {
            // A common name has at most 64 characters; the alternative names say the rest.
            attributes.extend(
                names
                    .first()
                    .filter(|name| name.as_str().len() <= 64)
                    .map(common_name),
            );
            attributes.push((NameAttribute::Organization, cluster));
        }
        X509Request::User { user, .. } => {
            attributes.push((NameAttribute::CommonName, user.as_str()));
            attributes.push((NameAttribute::Organization, cluster));
        }
        X509Request::DatabaseServer {
            names,
            common_name: own,
            organization,
        } => {
            let usual = names
                .first()
                .filter(|name| name.as_str().len() <= 64)
                .map(HostName::as_str);
            attributes.extend(
                own.as_deref()
                    .or(usual)
                    .map(|text| (NameAttribute::CommonName, text)),
            );
            attributes.push((
                NameAttribute::Organization,
                organization.as_deref().unwrap_or(cluster),
            ));
        }
        X509Request::DatabaseClient { user } => attributes.push((NameAttribute::CommonName, user.as_str())),
        X509Request::Windows { user, .. } => attributes.push((NameAttribute::CommonName, user.as_str())),
        X509Request::Workload { .. } => attributes.push((NameAttribute::Organization, cluster)),
    }
    DistinguishedName::new(attributes).map_err(|error| vec![Finding::new("x509.subject", error.to_string())])
}

fn common_name(name: &HostName) -> (NameAttribute, &str) {
    (NameAttribute::CommonName, name.as_str())
}

fn alt_names(request: &X509Request, cluster: &ClusterName) -> Result<Vec<SubjectAltName>, Vec<Finding>> {
    let finding = |message: String| vec![Finding::new("x509.alt_names", message)];
    let hosts = |names: &[HostName]| {
        let mut hosts: Vec<SubjectAltName> = Vec::with_capacity(names.len());
        for name in names {
            let name = SubjectAltName::host(name);
            if !hosts.contains(&name) {
                hosts.push(name);
            }
        }
        if hosts.len() > NAMES_MAX {
            return Err(finding(format!(
                "{} names are too many; at most {NAMES_MAX}",
                hosts.len()
            )));
        }
        Ok(hosts)
    };
    match request {
        X509Request::Host { names, .. } | X509Request::DatabaseServer { names, .. } => hosts(names),
        X509Request::User { .. } | X509Request::DatabaseClient { .. } => Ok(Vec::new()),
        X509Request::Windows { user, domain, .. } => {
            let name = SubjectAltName::UserPrincipal(format!("{user}@{domain}"));
            if name.is_well_formed() {
                Ok(vec![name])
            } else {
                Err(finding(format!("{user}@{domain} is no user principal name")))
            }
        }
        X509Request::Workload { path, dns_names } => {
            let id = format!("spiffe://{cluster}{path}");
            check_spiffe_id(&id, cluster)?;
            let mut all = vec![SubjectAltName::uri(&id).map_err(|error| finding(error.to_string()))?];
            all.extend(hosts(dns_names)?);
            Ok(all)
        }
    }
}

/// A security identifier in its text form (MS-DTYP section 2.4.2.1): `S-1-`, the authority, up to 15 parts, all decimal.
fn check_sid(sid: &str) -> Result<(), Vec<Finding>> {
    let parts: Vec<&str> = sid
        .strip_prefix("S-1-")
        .map_or_else(Vec::new, |rest| rest.split('-').collect());
    let is_number = |part: &&str| {
        let is_short = !part.is_empty() && part.len() <= 15;
        is_short && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if (2..=16).contains(&parts.len()) && parts.iter().all(is_number) {
        return Ok(());
    }
    let message = "is no security identifier such as S-1-5-21-1004336348-1177238915-682003330-512";
    Err(vec![Finding::new("x509.windows_sid", message)])
}

fn identity(request: &X509Request, cluster: &ClusterName) -> Result<Option<Identity>, Vec<Finding>> {
    let name = |text: &str| {
        Principal::parse(text).map_err(|error| vec![Finding::new("x509.identity", error.to_string())])
    };
    let of = |kind,
              name,
              roles: &[Principal],
              principals: &[Principal],
              traits: &BTreeMap<String, Vec<String>>| Identity {
        version: IdentityVersion::V1,
        kind,
        cluster: cluster.clone(),
        name,
        roles: roles.to_vec(),
        principals: principals.to_vec(),
        traits: traits.clone(),
        mfa_device: None,
        pinned_to: None,
    };
    match request {
        X509Request::Host { names, roles } => {
            let Some(first) = names.first() else {
                return Ok(None);
            };
            Ok(Some(of(
                IdentityKind::Host,
                name(first.as_str())?,
                roles,
                &[],
                &BTreeMap::new(),
            )))
        }
        X509Request::User {
            user,
            roles,
            logins,
            traits,
            mfa_device,
            pinned_to,
        } => {
            let user = of(IdentityKind::User, name(user.as_str())?, roles, logins, traits);
            Ok(Some(Identity {
                mfa_device: mfa_device.clone(),
                // One way of writing an address, so that it is compared with what connections show.
                pinned_to: pinned_to.map(|address| address.to_canonical()),
                ..user
            }))
        }
        X509Request::DatabaseServer { .. }
        | X509Request::DatabaseClient { .. }
        | X509Request::Windows { .. }
        | X509Request::Workload { .. } => Ok(None),
    }
}
