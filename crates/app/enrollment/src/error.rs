use cluster::ClusterError;
use directory::DirectoryError;
use resource::Kind;
use resource::Problem;
use resource::SystemRole;
use rotation::Generation;
use state::StateError;

use crate::HostId;

/// Why a machine did not join, was not renewed, or was not listed. Nothing was half done.
#[derive(Debug, thiserror::Error)]
pub enum EnrollmentError {
    /// The caller asked for what may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state failed.
    #[error("what is known of the hosts could not be used")]
    State(#[source] StateError),
    /// Recording or issuing failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A document could not be read or written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A stored record does not read.
    #[error("the stored record {key} does not read: {reason}; it was left alone")]
    Record {
        /// Its path.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that cannot be, was.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What may not be, why, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such token now. Whether it ever was one is not said.
    #[error(
        "the token is unknown, has ended or is used up; ask an operator for another (`signetctl tokens add`)"
    )]
    BadToken,
    /// The token gives other roles.
    #[error("the token does not give the role {role}; it gives {}", words(allowed))]
    RoleNotGiven {
        /// The role asked for.
        role: SystemRole,
        /// The roles it gives.
        allowed: Vec<SystemRole>,
    },
    /// Nothing joins in this role.
    #[error("a machine does not join as {role}: {reason}")]
    RoleNotJoinable {
        /// The role.
        role: SystemRole,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// The request itself is malformed.
    #[error("{field}: {problem}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A document breaks rules.
    #[error("the {kind} is not as it must be: {}", all(problems))]
    Invalid {
        /// Its kind.
        kind: Kind,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
    /// The machine did not prove that it holds the key.
    #[error("the certificate signing request is no proof of the key: {0}")]
    NoProof(String),
    /// The name is not for machines of these roles, or for no machine at all.
    #[error("the name {name:?} is not given to this machine: {reason}")]
    NameReserved {
        /// The name.
        name: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// Another host has the name, and is alive, or is asked by a certificate alone.
    #[error(
        "the name {name:?} belongs to host {holder}; choose another name, remove that host (`signetctl nodes rm {holder}`), or, when it is \
         offline, join with a token"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// The host is not, or no longer, a member.
    #[error(
        "host {0} is not a member of this cluster, or was removed; a removed host id never comes back: join again without it"
    )]
    NotAMember(HostId),
    /// A lock is on the host.
    #[error("host {host_id} is locked{}", message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Locked {
        /// The host.
        host_id: HostId,
        /// What the lock says.
        message: Option<String>,
    },
    /// The certificate presented is none of a host of this cluster, or no longer good.
    #[error("the certificate is not accepted: {0}")]
    BadCertificate(&'static str),
    /// The host is the one whose services run in the auth service's own process.
    #[error(
        "host {0} is the auth service's own machine, by which its proxy and SSH service are recognised: without it nobody would reach any \
         host; to take it from the list of hosts, set `ssh_service.enabled: false` in the configuration there and restart signetd; to keep \
         people out of it, `signetctl lock --node={0}`"
    )]
    OwnMachine(HostId),
    /// The roles differ from those the host joined with.
    #[error(
        "host {host_id} joined as {}, not as {}; remove it and join again to change its roles",
        words(joined),
        words(asked)
    )]
    RolesDiffer {
        /// The host.
        host_id: HostId,
        /// What it joined as.
        joined: Vec<SystemRole>,
        /// What is claimed now.
        asked: Vec<SystemRole>,
    },
    /// Certificates of another generation are issued now.
    #[error("certificates of generation {now} are issued now, not of {wanted}; read the trust bundle again")]
    OtherGeneration {
        /// The generation asked for.
        wanted: Generation,
        /// The generation there is.
        now: Generation,
    },
    /// Only operators may ask for that.
    #[error("a token of {asked} is more than the {longest} that are given; ask for less")]
    TokenTooLong {
        /// The length asked for.
        asked: names::Ttl,
        /// The longest there is.
        longest: names::Ttl,
    },
    /// Somebody else changed the same host at the same time.
    #[error("host {0} was changed by somebody else meanwhile; try again")]
    Conflict(String),
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadToken => "bad_token",
            Self::RoleNotGiven { .. } | Self::RoleNotJoinable { .. } => "role_not_given",
            Self::Malformed { .. } => "malformed",
            Self::Invalid { .. } => "invalid_document",
            Self::NoProof(_) => "no_proof",
            Self::NameReserved { .. } => "name_reserved",
            Self::NameTaken { .. } => "name_taken",
            Self::NotAMember(_) => "not_a_member",
            Self::Locked { .. } => "locked",
            Self::BadCertificate(_) => "bad_certificate",
            Self::OwnMachine(_) => "own_machine",
            Self::RolesDiffer { .. } => "roles_differ",
            Self::OtherGeneration { .. } => "other_generation",
            Self::TokenTooLong { .. } => "token_too_long",
            Self::Conflict(_) => "conflict",
        }
    }

    pub(crate) fn malformed(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed {
            field,
            problem: problem.into(),
        }
    }
}

fn words(roles: &[SystemRole]) -> String {
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    words.join(", ")
}

fn all(problems: &[Problem]) -> String {
    let words: Vec<String> = problems.iter().map(Problem::to_string).collect();
    words.join("; ")
}
