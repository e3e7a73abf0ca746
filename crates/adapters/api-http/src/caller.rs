//! Who asks, as the connection proved it.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use audit::Actor;
use authority::AuthorityType;
use key::SpkiSha256;
use names::ClusterName;
use names::Principal;
use names::UnixSeconds;
use rotation::Generation;
use x509::Certificate;
use x509::IdentityKind;

use crate::trust::ClientTrust;

/// What the connection proved of the other end.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A process on this host, by the local socket.
    Local {
        /// Its user's numeric id, as the kernel says (`SO_PEERCRED`).
        uid: u32,
        /// Its user's name; the number where there is none.
        user: Arc<str>,
    },
    /// Whoever holds the private key of a certificate.
    Certificate {
        /// The certificate.
        certificate: Arc<Certificate>,
        /// The key that signed it, which was trusted when the connection was made.
        issuer: SpkiSha256,
        /// Where the connection came from.
        remote: SocketAddr,
    },
}

/// A role, as identities carry it. Roles not listed here give no rights over this API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Operates the cluster.
    Editor,
    /// Reads what happened.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Editor, Self::Auditor];

    /// The name in identities.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Editor => "editor",
            Self::Auditor => "auditor",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The operator of the host.
    Local {
        /// The account's name.
        user: String,
        /// The account's numeric id.
        uid: u32,
    },
    /// Somebody with a valid certificate of the user authority.
    Identity {
        /// The name in the certificate.
        user: String,
        /// The roles that give rights here.
        roles: Vec<Role>,
        /// Where the connection came from.
        remote: SocketAddr,
    },
    /// A machine with a valid certificate of the host authority.
    Host {
        /// Its id.
        host_id: String,
        /// Its system roles, as the certificate names them.
        roles: Vec<Principal>,
        /// The generation of the host authority that signed its certificate: what it proves to serve.
        generation: Generation,
        /// Where the connection came from.
        remote: SocketAddr,
    },
}

/// Why a certificate gives no access, though the connection was made with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// It is expired or not good yet.
    #[error("the certificate is good from {not_before} to {not_after}, and it is {now}")]
    NotValidNow {
        /// Its first moment.
        not_before: UnixSeconds,
        /// Its last moment.
        not_after: UnixSeconds,
        /// The server's time.
        now: UnixSeconds,
    },
    /// No trusted key of the authority that signs for its kind signed it.
    #[error("the certificate was not signed by a trusted key of the authority that signs for its kind")]
    NotTrusted,
    /// It was revoked.
    #[error("the certificate was revoked")]
    Revoked,
    /// It has no identity of ours.
    #[error("the certificate carries no identity")]
    NoIdentity,
    /// Its identity is of another cluster.
    #[error("the certificate is of cluster {0}")]
    OtherCluster(ClusterName),
    /// It is pinned to another address than the connection comes from.
    #[error(
        "the certificate is good from {pinned_to} only, where its log-in was, and you come from {address}; `signet login` gives one for here"
    )]
    OtherAddress {
        /// Where it is good from.
        pinned_to: IpAddr,
        /// Where the connection comes from.
        address: IpAddr,
    },
    /// Its identity is not of somebody who uses this API.
    #[error("a certificate of kind {0:?} does not open this API")]
    WrongKind(IdentityKind),
}

impl Stranger {
    /// The reason in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotValidNow { .. } => "not_valid_now",
            Self::NotTrusted => "not_trusted",
            Self::Revoked => "revoked",
            Self::NoIdentity => "no_identity",
            Self::OtherCluster(_) => "other_cluster",
            Self::OtherAddress { .. } => "other_address",
            Self::WrongKind(_) => "wrong_kind",
        }
    }
}

impl Caller {
    /// Recognises the other end, on every request anew: trust may have changed since the connection was made.
    ///
    /// # Errors
    /// When a certificate gives no access now.
    pub fn recognise(
        peer: &Peer,
        cluster: &ClusterName,
        trust: &ClientTrust,
        now: UnixSeconds,
    ) -> Result<Self, Stranger> {
        match peer {
            Peer::Local { uid, user } => Ok(Self::Local {
                user: user.to_string(),
                uid: *uid,
            }),
            Peer::Certificate {
                certificate,
                issuer,
                remote,
            } => identity(certificate, *issuer, cluster, trust, now, *remote),
        }
    }

    /// The caller as the audit log names it.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Local { user, uid } => Actor::Local {
                user: user.clone(),
                uid: *uid,
            },
            Self::Identity {
                user,
                roles: _,
                remote,
            } => Actor::Identity {
                user: user.clone(),
                remote: remote.to_string(),
            },
            Self::Host {
                host_id,
                roles: _,
                generation: _,
                remote,
            } => Actor::Host {
                host_id: host_id.clone(),
                remote: remote.to_string(),
            },
        }
    }

    /// Whether the caller operates the host, and can read its logs anyway.
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Local { .. } => true,
            Self::Identity { .. } | Self::Host { .. } => false,
        }
    }
}

/// Whose certificate it is, when it is good now.
fn identity(
    certificate: &Certificate,
    issuer: SpkiSha256,
    cluster: &ClusterName,
    trust: &ClientTrust,
    now: UnixSeconds,
    remote: SocketAddr,
) -> Result<Caller, Stranger> {
    if !certificate.is_valid_at(now) {
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        return Err(Stranger::NotValidNow {
            not_before,
            not_after,
            now,
        });
    }
    let (authority, generation) = trust.issuer(issuer).ok_or(Stranger::NotTrusted)?;
    if trust.has_revoked(certificate) {
        return Err(Stranger::Revoked);
    }
    let identity = certificate.identity().ok_or(Stranger::NoIdentity)?;
    if identity.cluster != *cluster {
        return Err(Stranger::OtherCluster(identity.cluster.clone()));
    }
    if let Some(pinned_to) = identity.pinned_to.filter(|_| !identity.is_good_from(remote.ip())) {
        return Err(Stranger::OtherAddress {
            pinned_to,
            address: remote.ip().to_canonical(),
        });
    }
    match identity.kind {
        IdentityKind::User | IdentityKind::Bot | IdentityKind::Operator => {
            if authority != AuthorityType::User {
                return Err(Stranger::NotTrusted);
            }
            let has = |role: &Role| identity.roles.iter().any(|name| name.as_str() == role.as_str());
            Ok(Caller::Identity {
                user: identity.name.to_string(),
                roles: Role::ALL.into_iter().filter(has).collect(),
                remote,
            })
        }
        IdentityKind::Host => {
            if authority != AuthorityType::Host {
                return Err(Stranger::NotTrusted);
            }
            Ok(Caller::Host {
                host_id: identity.name.to_string(),
                roles: identity.roles.clone(),
                generation,
                remote,
            })
        }
        kind @ (IdentityKind::DatabaseClient | IdentityKind::DatabaseServer | IdentityKind::Workload) => {
            Err(Stranger::WrongKind(kind))
        }
    }
}

#[cfg(test)]
mod tests;
