use cluster::ClusterError;
use resource::Kind;
use resource::Problem;
use resource::ResourceName;
use state::StateError;

/// Why a document was not written, or not read. Nothing was half done.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The caller asked for what may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state failed.
    #[error("the cluster's documents could not be used")]
    State(#[source] StateError),
    /// The act could not be recorded, and was not done.
    #[error("the change could not be recorded and was not made")]
    Journal(#[source] ClusterError),
    /// A stored document does not read.
    #[error("the stored document {key} does not read: {reason}; it was left alone")]
    Document {
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
    /// The document breaks rules.
    #[error("the {kind} is not as it must be: {}", words(problems))]
    Invalid {
        /// Its kind.
        kind: Kind,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
    /// There is no such document.
    #[error("there is no {kind} {name:?}; `signetctl get {kind}` lists those there are", name = name.as_str())]
    NotFound {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: ResourceName,
    },
    /// There is one already.
    #[error("there is a {kind} {name:?} already; change it with `signetctl edit {kind}/{name}` or replace it with `signetctl create --force`", name = name.as_str())]
    AlreadyExists {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: ResourceName,
    },
    /// It is not what the change was decided on.
    #[error("the {kind} {name:?} was changed by somebody else meanwhile; read it again and repeat the change", name = name.as_str())]
    Conflict {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: ResourceName,
    },
    /// Documents of this kind come into being in another way.
    #[error("a {kind} is not written as a document: {hint}")]
    Elsewhere {
        /// The kind.
        kind: Kind,
        /// How.
        hint: &'static str,
    },
    /// Users have the role.
    #[error("role {role:?} is held by {}; take it from them first, or repeat with --force to do both", holders.join(", "), role = role.as_str())]
    RoleHeld {
        /// The role.
        role: ResourceName,
        /// Who has it, the first few.
        holders: Vec<String>,
    },
    /// Too many users have the role for one change.
    #[error("role {role:?} is held by {count} users, more than one change can touch; take it from some of them first", role = role.as_str())]
    RoleHeldByTooMany {
        /// The role.
        role: ResourceName,
        /// How many have it.
        count: usize,
    },
    /// Nobody would be left who may change anything.
    #[error("{user:?} is the last user with role \"editor\" and no end; give it to somebody else first, or repeat with --force", user = user.as_str())]
    LastEditor {
        /// The user.
        user: ResourceName,
    },
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_document",
            Self::NotFound { .. } => "not_found",
            Self::AlreadyExists { .. } => "already_exists",
            Self::Conflict { .. } => "conflict",
            Self::Elsewhere { .. } => "not_a_document",
            Self::RoleHeld { .. } | Self::RoleHeldByTooMany { .. } => "role_held",
            Self::LastEditor { .. } => "last_editor",
        }
    }
}

fn words(problems: &[Problem]) -> String {
    let words: Vec<String> = problems.iter().map(Problem::to_string).collect();
    words.join("; ")
}
