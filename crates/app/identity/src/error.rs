use authn::PasswordProblem;
use cluster::ClusterError;
use names::UserName;
use runtime::EntropyFault;
use state::StateError;

use crate::people::PeopleError;
use crate::seal::SealFault;

/// Why a use case did not do what it was asked. Nothing was half done.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The caller asked for what may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The state failed. Nobody is nearer to being locked out by it.
    #[error("the cluster's state could not be used")]
    State(#[source] StateError),
    /// The event could not be recorded, or a certificate not issued.
    #[error("the cluster could not do its part")]
    Cluster(#[from] ClusterError),
    /// Users and roles could not be read.
    #[error("users and roles could not be read")]
    People(#[from] PeopleError),
    /// A seed could not be sealed or opened.
    #[error("a stored secret could not be sealed or opened")]
    Seal(#[from] SealFault),
    /// There are no random bytes.
    #[error("no random bytes")]
    Entropy(#[from] EntropyFault),
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
    /// User, password or second factor are wrong, or the user is locked out: one answer for all of them.
    #[error("invalid credentials")]
    InvalidCredentials,
    /// As many attempts as may fail are under way.
    #[error("too many attempts at once; wait a moment and try again")]
    Busy,
    /// The challenge is unknown, used, somebody else's, or too old.
    #[error("this took too long or was made already; start it again")]
    ChallengeGone,
    /// What a program asked for was refused in the browser, or ended by wrong codes there.
    #[error("it was refused in the browser, or its code was mistyped there too often")]
    ApprovalRefused,
    /// The code that was typed is not the one that the program shows.
    #[error(
        "the code is not the one of this request; look at your own terminal ({left} more wrong codes end it)"
    )]
    WrongApprovalCode {
        /// So many wrong ones end the request.
        left: u32,
    },
    /// Too many wrong codes.
    #[error("the code was wrong too often; this request has ended: start it again")]
    ApprovalVoid,
    /// The program asked from another address than the browser's, and nobody said that this is known.
    #[error("the program asked from another address than yours: say that you know that address, or refuse")]
    ApprovalFromElsewhere,
    /// The cluster has nothing of the command line approved in a browser.
    #[error("this cluster does not let the command line in through a browser")]
    BrowserLoginOff,
    /// What waits for an approval is for somebody else.
    #[error("this request is for {0}; only {0} can approve or refuse it")]
    ApprovalOfAnother(UserName),
    /// The link is unknown, used, replaced or too old.
    #[error("the link is not valid any more; ask for a new one")]
    LinkGone,
    /// The password may not be one.
    #[error(transparent)]
    WeakPassword(PasswordProblem),
    /// The new second factor did not prove itself.
    #[error("the second factor was not accepted: {0}")]
    SecondFactorRefused(&'static str),
    /// The cluster does not allow this kind of second factor.
    #[error("this cluster does not allow {0} as a second factor")]
    FactorNotAllowed(&'static str),
    /// The user would be left without a second factor.
    #[error("the last second factor cannot be removed; add another one first")]
    LastFactor,
    /// The user has no such second factor.
    #[error("there is no such second factor; `signet mfa ls` shows those that are")]
    NoSuchDevice,
    /// The user has as many second factors as anybody may.
    #[error("there are {0} second factors, as many as a user may have; remove one first")]
    TooManyDevices(usize),
    /// Another second factor of the user is called this.
    #[error("there is a second factor {0:?} already; give the new one another name")]
    DeviceNameTaken(String),
    /// The act needs proof of who asks, made minutes ago at most.
    #[error("prove again who you are: the act needs a password and a second factor given minutes ago")]
    ReauthenticationNeeded,
    /// The session of the web is unknown, ended or too old.
    #[error("the session has ended; log in again")]
    SessionGone,
    /// The user is locked by an operator.
    #[error("access is locked: {message}")]
    UserLocked {
        /// What the operator says.
        message: String,
    },
    /// There is no such user.
    #[error("there is no user {0}; `signetctl users ls` shows those that are")]
    NoSuchUser(UserName),
    /// The user has not signed up yet.
    #[error("{0} has not signed up yet; `signetctl users reset` makes a new link")]
    NotSignedUp(UserName),
    /// Somebody else changed the same thing at the same time.
    #[error("the credentials of {0} were changed by somebody else meanwhile; try again")]
    Conflict(UserName),
    /// The request itself is malformed.
    #[error("{field}: {problem}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong, and what is allowed.
        problem: String,
    },
}

impl Refusal {
    /// The stable code of the refusal.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidCredentials => "invalid_credentials",
            Self::Busy => "busy",
            Self::ChallengeGone => "challenge_gone",
            Self::ApprovalRefused => "approval_refused",
            Self::WrongApprovalCode { .. } => "wrong_approval_code",
            Self::ApprovalVoid => "approval_void",
            Self::ApprovalFromElsewhere => "approval_from_elsewhere",
            Self::BrowserLoginOff => "browser_login_off",
            Self::ApprovalOfAnother(_) => "approval_of_another",
            Self::LinkGone => "link_gone",
            Self::WeakPassword(_) => "weak_password",
            Self::SecondFactorRefused(_) => "second_factor_refused",
            Self::FactorNotAllowed(_) => "factor_not_allowed",
            Self::LastFactor => "last_factor",
            Self::NoSuchDevice => "no_such_device",
            Self::TooManyDevices(_) => "too_many_devices",
            Self::DeviceNameTaken(_) => "device_name_taken",
            Self::ReauthenticationNeeded => "reauthentication_needed",
            Self::SessionGone => "session_gone",
            Self::UserLocked { .. } => "user_locked",
            Self::NoSuchUser(_) => "no_such_user",
            Self::NotSignedUp(_) => "not_signed_up",
            Self::Conflict(_) => "conflict",
            Self::Malformed { .. } => "malformed",
        }
    }
}
