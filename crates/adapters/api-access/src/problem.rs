//! Errors as the API tells them: one table from refusals to status and code.

use api_http::RequestId;
use api_http::Told;
use axum::http::StatusCode;
use axum::response::Response;
use cluster::ClusterError;
use directory::DirectoryError;
use enrollment::EnrollmentError;
use identity::IdentityError;
use identity::PeopleError;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// As for every other endpoint.
    #[error(transparent)]
    Api(#[from] api_http::Problem),
    /// Documents.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Machines.
    #[error(transparent)]
    Enrollment(#[from] EnrollmentError),
    /// Credentials.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No rule allows it, or one forbids it.
    #[error("{who} may not do this: {why}")]
    Denied {
        /// Who asked.
        who: String,
        /// Which rule decided.
        why: String,
    },
    /// A lock is on the caller.
    #[error("access is locked{}", message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Locked {
        /// What the lock says.
        message: Option<String>,
    },
    /// Another kind of caller may.
    #[error("this is for {0}")]
    NotForYou(&'static str),
    /// Somebody of this name was removed lately.
    #[error(
        "a user {user} was removed, whose certificates may be good until {until}; they would be the new user's"
    )]
    Revenant {
        /// The name.
        user: String,
        /// Until when.
        until: String,
    },
    /// There is none.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// What.
        what: &'static str,
        /// Its name.
        name: String,
    },
}

impl From<ClusterError> for Problem {
    fn from(error: ClusterError) -> Self {
        Self::Api(error.into())
    }
}

/// A field that cannot be.
pub(crate) fn malformed(field: &'static str, problem: impl Into<String>) -> Problem {
    api_http::Problem::BadRequest {
        field,
        problem: problem.into(),
    }
    .into()
}

/// Something that cannot be, was.
pub(crate) fn internal(what: impl std::fmt::Display) -> Problem {
    api_http::Problem::Internal(what.to_string()).into()
}

impl Problem {
    /// What the caller is told.
    pub fn told(&self, is_operator: bool) -> Told {
        let told = match self {
            Self::Api(problem) => return problem.told(is_operator),
            Self::Directory(DirectoryError::Refused(refusal)) => {
                say(directory_status(refusal), refusal.code(), self, None)
            }
            // A node is written by way of its enrollment.
            Self::Enrollment(EnrollmentError::Directory(DirectoryError::Refused(refusal))) => Told {
                message: refusal.to_string(),
                ..say(directory_status(refusal), refusal.code(), self, None)
            },
            Self::Directory(error) => return fault(directory_fault(error), error, is_operator),
            Self::Enrollment(EnrollmentError::Refused(refusal)) => {
                say(enrollment_status(refusal), refusal.code(), self, None)
            }
            Self::Enrollment(error) => return fault(enrollment_fault(error), error, is_operator),
            Self::Identity(IdentityError::Refused(refusal)) => {
                say(identity_status(refusal), refusal.code(), self, None)
            }
            Self::Identity(error) => return fault(identity_fault(error), error, is_operator),
            Self::Denied { .. } => say(
                StatusCode::FORBIDDEN,
                "access_denied",
                self,
                Some(
                    "`signetctl access explain` shows which rule decides; ask an operator for a role that allows it",
                ),
            ),
            Self::Locked { .. } => say(
                StatusCode::FORBIDDEN,
                "locked",
                self,
                Some(
                    "ask whoever operates the cluster: somebody with the role editor sees the lock, and until when it is there, and can lift it",
                ),
            ),
            Self::NotForYou(_) => say(StatusCode::FORBIDDEN, "access_denied", self, None),
            Self::Revenant { user, .. } => say(
                StatusCode::CONFLICT,
                "conflict",
                self,
                Some(&format!(
                    "choose another name, wait, or take the risk: `signetctl rm lock/removed-user.{user}` and add the user again"
                )),
            ),
            Self::NotFound { .. } => say(StatusCode::NOT_FOUND, "not_found", self, None),
        };
        Told {
            message: told.message,
            ..told
        }
    }

    /// The answer, and a line in the log.
    pub fn answer(&self, request_id: &RequestId, is_operator: bool) -> Response {
        match self {
            Self::Api(problem) => problem.answer(request_id, is_operator),
            Self::Directory(_)
            | Self::Enrollment(_)
            | Self::Identity(_)
            | Self::Denied { .. }
            | Self::Locked { .. }
            | Self::NotForYou(_)
            | Self::Revenant { .. }
            | Self::NotFound { .. } => self.told(is_operator).answer(request_id, &api_http::chain(self)),
        }
    }
}

fn say(status: StatusCode, code: &'static str, problem: &Problem, hint: Option<&str>) -> Told {
    Told {
        status,
        code,
        message: problem.to_string(),
        hint: hint.map(str::to_owned),
        is_fault: false,
    }
}

const fn directory_status(refusal: &directory::Refusal) -> StatusCode {
    use directory::Refusal;
    match refusal {
        Refusal::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NotFound { .. } => StatusCode::NOT_FOUND,
        Refusal::Elsewhere { .. } => StatusCode::BAD_REQUEST,
        Refusal::AlreadyExists { .. }
        | Refusal::Conflict { .. }
        | Refusal::RoleHeld { .. }
        | Refusal::RoleHeldByTooMany { .. }
        | Refusal::LastEditor { .. } => StatusCode::CONFLICT,
    }
}

const fn enrollment_status(refusal: &enrollment::Refusal) -> StatusCode {
    use enrollment::Refusal;
    match refusal {
        Refusal::BadToken | Refusal::BadCertificate(_) => StatusCode::UNAUTHORIZED,
        Refusal::RoleNotGiven { .. }
        | Refusal::RoleNotJoinable { .. }
        | Refusal::NotAMember(_)
        | Refusal::Locked { .. }
        | Refusal::NameReserved { .. }
        | Refusal::TokenTooLong { .. } => StatusCode::FORBIDDEN,
        Refusal::Malformed { .. } | Refusal::NoProof(_) => StatusCode::BAD_REQUEST,
        Refusal::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NameTaken { .. }
        | Refusal::OwnMachine(_)
        | Refusal::RolesDiffer { .. }
        | Refusal::OtherGeneration { .. }
        | Refusal::Conflict(_) => StatusCode::CONFLICT,
    }
}

const fn identity_status(refusal: &identity::Refusal) -> StatusCode {
    use identity::Refusal;
    match refusal {
        Refusal::InvalidCredentials | Refusal::SessionGone => StatusCode::UNAUTHORIZED,
        Refusal::Busy => StatusCode::TOO_MANY_REQUESTS,
        Refusal::ChallengeGone | Refusal::ApprovalVoid => StatusCode::GONE,
        Refusal::LinkGone | Refusal::NoSuchDevice | Refusal::NoSuchUser(_) | Refusal::NotSignedUp(_) => {
            StatusCode::NOT_FOUND
        }
        Refusal::WeakPassword(_) | Refusal::SecondFactorRefused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::FactorNotAllowed(_)
        | Refusal::ApprovalOfAnother(_)
        | Refusal::ApprovalRefused
        | Refusal::WrongApprovalCode { .. }
        | Refusal::ApprovalFromElsewhere
        | Refusal::BrowserLoginOff
        | Refusal::ReauthenticationNeeded
        | Refusal::UserLocked { .. } => StatusCode::FORBIDDEN,
        Refusal::LastFactor
        | Refusal::TooManyDevices(_)
        | Refusal::DeviceNameTaken(_)
        | Refusal::Conflict(_) => StatusCode::CONFLICT,
        Refusal::Malformed { .. } => StatusCode::BAD_REQUEST,
    }
}

/// Faults of documents, in the words that the other endpoints have for them.
fn directory_fault(error: &DirectoryError) -> Told {
    match error {
        DirectoryError::State(error) => Told::of_state(error),
        DirectoryError::Journal(error) => Told::of_cluster(error),
        DirectoryError::Refused(_) | DirectoryError::Document { .. } | DirectoryError::Internal(_) => other(),
    }
}

fn enrollment_fault(error: &EnrollmentError) -> Told {
    match error {
        EnrollmentError::State(error) => Told::of_state(error),
        EnrollmentError::Cluster(error) => Told::of_cluster(error),
        EnrollmentError::Directory(error) => directory_fault(error),
        EnrollmentError::Refused(_) | EnrollmentError::Record { .. } | EnrollmentError::Internal(_) => {
            other()
        }
    }
}

fn identity_fault(error: &IdentityError) -> Told {
    match error {
        IdentityError::State(error) => Told::of_state(error),
        IdentityError::Cluster(error) => Told::of_cluster(error),
        IdentityError::People(PeopleError(error)) => error
            .downcast_ref::<DirectoryError>()
            .map_or_else(other, directory_fault),
        IdentityError::Refused(_)
        | IdentityError::Seal(_)
        | IdentityError::Entropy(_)
        | IdentityError::Document { .. }
        | IdentityError::Internal(_) => other(),
    }
}

/// What cannot be, was.
fn other() -> Told {
    api_http::Problem::Internal(String::new()).told(false)
}

/// A fault is told in general words; the operator of the host, who reads the log anyway, is told at once.
fn fault(told: Told, error: &dyn std::error::Error, is_operator: bool) -> Told {
    if told.is_fault && is_operator {
        return Told {
            message: api_http::chain(error),
            ..told
        };
    }
    told
}

#[cfg(test)]
mod tests {
    use ledger::LedgerError;
    use state::StateError;

    use super::*;

    fn full() -> ClusterError {
        ClusterError::Ledger(LedgerError::Unwritable("no space left on device".into()))
    }

    fn told(problem: impl Into<Problem>) -> (u16, &'static str) {
        let told = problem.into().told(false);
        assert!(
            !told.message.contains("space"),
            "only the operator is told: {}",
            told.message
        );
        (told.status.as_u16(), told.code)
    }

    #[test]
    fn a_full_disk_is_told_as_one_whatever_noticed_it() {
        let unwritable = (507, "storage_unwritable");
        assert_eq!(told(DirectoryError::Journal(full())), unwritable);
        assert_eq!(told(EnrollmentError::Cluster(full())), unwritable);
        assert_eq!(
            told(EnrollmentError::Directory(DirectoryError::Journal(full()))),
            unwritable
        );
        assert_eq!(told(IdentityError::Cluster(full())), unwritable);
        let people = || IdentityError::People(PeopleError(Box::new(DirectoryError::Journal(full()))));
        assert_eq!(told(people()), unwritable);
        let operator = Problem::from(people()).told(true);
        assert!(
            operator.message.contains("no space left on device"),
            "{}",
            operator.message
        );
    }

    #[test]
    fn faults_say_whether_they_may_pass() {
        let state = || StateError::Unavailable("busy".into());
        let unavailable = (503, "storage_unavailable");
        assert_eq!(told(DirectoryError::State(state())), unavailable);
        assert_eq!(told(EnrollmentError::State(state())), unavailable);
        assert_eq!(told(IdentityError::State(state())), unavailable);
        let internal = (500, "internal_error");
        assert_eq!(told(DirectoryError::Internal("odd".to_owned())), internal);
        assert_eq!(told(IdentityError::Entropy(runtime::EntropyFault)), internal);
        let record = EnrollmentError::Record {
            key: "k".to_owned(),
            reason: "r".to_owned(),
        };
        assert_eq!(told(record), internal);
    }
}
