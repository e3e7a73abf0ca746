//! Errors as the API tells them: one table from refusals to status, code, words and hint.

mod access_codes;
mod faults;

use std::error::Error;

use api_types::ErrorBody;
use api_types::ErrorDetail;
use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use cluster::ClusterError;
use cluster::Refusal;
use key::KeyId;

use crate::permission::Permission;
use crate::request_id::RequestId;
use crate::service::RestoreError;

pub use access_codes::ACCESS_CODES;
use faults::internal;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A use case refused or failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Nobody is known at the other end.
    #[error("who asks is not known: {0}")]
    Stranger(String),
    /// The caller may not do this.
    #[error("{user} may not do this: it asks for the right {permission}")]
    Forbidden {
        /// Who asked.
        user: String,
        /// The right asked for.
        permission: Permission,
    },
    /// A lock is on the caller.
    #[error("access is locked{}", message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Locked {
        /// What the lock says.
        message: Option<String>,
    },
    /// The caller has to say anew who they are.
    #[error("this asks for a password and a second factor given minutes ago")]
    ProofNeeded {
        /// What for, as the request for a proof says it.
        act: &'static str,
    },
    /// Nothing is there.
    #[error("nothing is at {path}")]
    NoSuchPath {
        /// The path asked for.
        path: String,
    },
    /// The path does not take this verb.
    #[error("{path} does not take {method}")]
    MethodNotAllowed {
        /// The path asked for.
        path: String,
        /// The verb.
        method: String,
    },
    /// A field, a parameter or the whole body cannot be.
    #[error("{field}: {problem}")]
    BadRequest {
        /// Where: a field's name, `body`, `query` or `path`.
        field: &'static str,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
    /// The body is larger than allowed.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// The body is said to be something else than JSON, or nothing is said of it.
    #[error("the body is {said}, and only application/json is read")]
    NotJson {
        /// What the request says it is.
        said: String,
    },
    /// It took too long.
    #[error("the request was not done within {seconds} s")]
    TooSlow {
        /// The limit, in seconds.
        seconds: u64,
        /// Whether it goes on without being waited for.
        goes_on: bool,
    },
    /// The caller asks too often.
    #[error("too many requests from this address")]
    TooMany {
        /// Seconds until it is worth asking again.
        retry_after: u64,
    },
    /// What the log lacks is not what a restore from a backup loses.
    #[error("{0}")]
    NotRestored(String),
    /// Something that cannot be, was.
    #[error("{0}")]
    Internal(String),
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NotRestored(why) => Self::NotRestored(why),
            RestoreError::Failed(error) => Self::Cluster(ClusterError::Ledger(error)),
        }
    }
}

/// Every code, with the status it comes with and what it means.
pub const CODES: [(&str, u16, &str); 35] = [
    (
        "rotation_in_progress",
        409,
        "A rotation was to begin while one is under way.",
    ),
    (
        "rotation_phase_not_allowed",
        409,
        "The phase does not follow from the present one; the message names both and what is allowed.",
    ),
    (
        "rotation_not_in_progress",
        409,
        "There is no rotation to move on.",
    ),
    (
        "rotation_nothing_to_distrust",
        409,
        "No outgoing generation exists in this phase.",
    ),
    (
        "rotation_generation_not_new",
        409,
        "The generation to begin with is not newer than all before it.",
    ),
    (
        "rotation_blocked",
        409,
        "Somebody would be left behind; the message names who, and what is missing.",
    ),
    (
        "rotation_grace_too_short",
        400,
        "The grace period cannot be divided over three phases.",
    ),
    (
        "rotation_grace_too_long",
        400,
        "The grace period ends past the end of the calendar.",
    ),
    ("rotation_override_unnamed", 400, "An override does not say why."),
    ("conflict", 409, "Somebody else changed the same thing first."),
    ("other_cluster", 409, "The data directory holds another cluster."),
    (
        "no_usable_key",
        409,
        "No key that could sign is reachable from this server.",
    ),
    (
        "algorithm_unsupported",
        409,
        "The backend cannot make the keys that the suite asks for.",
    ),
    ("unknown_key", 404, "There is no key of this id."),
    (
        "key_status",
        409,
        "The key is in a status that does not allow this.",
    ),
    (
        "lint",
        422,
        "What was to be signed breaks rules; the message lists them.",
    ),
    (
        "malformed",
        400,
        "A field, a parameter or the body cannot be; the message names it.",
    ),
    (
        "unauthenticated",
        401,
        "The certificate of the connection gives no access now.",
    ),
    ("access_denied", 403, "The caller has not the right."),
    (
        "reauthentication_needed",
        403,
        "A privileged act asks for a password and a second factor given minutes ago: `/v1/me/reauthenticate`.",
    ),
    ("no_such_path", 404, "Nothing is there."),
    ("method_not_allowed", 405, "The path does not take this verb."),
    ("body_too_large", 413, "The body is larger than allowed."),
    ("not_json", 415, "The body is not said to be `application/json`."),
    (
        "too_many_requests",
        429,
        "The address asks too often; `retry-after` says when to return.",
    ),
    ("too_slow", 503, "It took longer than allowed."),
    (
        "backend_unavailable",
        503,
        "A key backend does not answer; asking again may help.",
    ),
    (
        "backend_denied",
        503,
        "A key backend refuses access: its credentials, or their rights.",
    ),
    ("backend_fault", 500, "A key backend failed."),
    (
        "key_missing",
        500,
        "A key is not where it should be, or another is in its place.",
    ),
    (
        "storage_unwritable",
        507,
        "State or ledger cannot be written; nothing was changed.",
    ),
    (
        "storage_unavailable",
        503,
        "State or ledger does not answer; nothing was changed.",
    ),
    (
        "log_not_restored",
        409,
        "The audit log is whole, or was changed otherwise than by a restore from a backup.",
    ),
    ("storage_damaged", 500, "State or ledger does not read."),
    ("internal_error", 500, "Something that cannot be, was."),
];

/// A problem as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The status of the answer.
    pub status: StatusCode,
    /// The stable code.
    pub code: &'static str,
    /// What is the matter.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Whether it is ours or the world's fault rather than the caller's doing.
    pub is_fault: bool,
}

impl Problem {
    /// What the caller is told. Faults are told in general words: whoever reads the server's log finds the rest under the id of
    /// the request. The operator of the host, who reads that log anyway, is told at once.
    pub fn told(&self, is_operator: bool) -> Told {
        let mut told = match self {
            Self::Cluster(error) => Told::of_cluster(error),
            Self::Internal(_) => internal(),
            Self::Stranger(_) => say(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                self,
                "log in again: `signet login`; or get a certificate: `signetctl auth sign --format=file --user=<name> --out=<file>` on the auth server's host",
            ),
            Self::Forbidden { .. } => say(
                StatusCode::FORBIDDEN,
                "access_denied",
                self,
                "ask for a certificate with a role that has this right, or run the command on the auth server's host",
            ),
            Self::Locked { .. } => say(
                StatusCode::FORBIDDEN,
                "locked",
                self,
                "ask whoever operates the cluster: somebody with the role editor sees the lock, and until when it is there, and can lift it",
            ),
            Self::ProofNeeded { act } => say(
                StatusCode::FORBIDDEN,
                "reauthentication_needed",
                self,
                &format!(
                    "prove it for the purpose {act} at /v1/me/reauthenticate; signetctl does so by itself on a terminal"
                ),
            ),
            Self::NoSuchPath { .. } => say(
                StatusCode::NOT_FOUND,
                "no_such_path",
                self,
                "openapi/signet.json describes what there is",
            ),
            Self::MethodNotAllowed { .. } => say(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                self,
                "openapi/signet.json describes what there is",
            ),
            Self::BadRequest { .. } => Told {
                hint: None,
                ..say(StatusCode::BAD_REQUEST, "malformed", self, "")
            },
            Self::NotRestored(_) => say(
                StatusCode::CONFLICT,
                "log_not_restored",
                self,
                "see `signetctl audit verify`; a log that was tampered with is restored from a backup, not accepted",
            ),
            Self::BodyTooLarge { .. } => say(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                self,
                "send less in one request",
            ),
            Self::NotJson { .. } => say(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                self,
                "send the header `content-type: application/json`",
            ),
            Self::TooSlow { goes_on: false, .. } => say(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_slow",
                self,
                "ask again; `signetctl doctor` looks for what is slow",
            ),
            Self::TooSlow { goes_on: true, .. } => say(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_slow",
                self,
                "it goes on without being waited for: look with `signetctl status` before asking again",
            ),
            Self::TooMany { retry_after } => {
                let hint = format!("ask again in {retry_after} s");
                say(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", self, &hint)
            }
        };
        if told.is_fault && is_operator {
            told.message = chain(self);
        }
        told
    }

    /// The answer, and a line in the log: faults with everything known of them, once.
    pub fn answer(&self, request_id: &RequestId, is_operator: bool) -> Response {
        let mut response = self.told(is_operator).answer(request_id, &chain(self));
        let headers = response.headers_mut();
        if let Self::TooMany { retry_after } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        if let Self::Stranger(_) = self {
            // Whoever proved nothing, or nothing that still holds, shakes hands again before the next try.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Told {
    /// The answer, and a line in the log with `cause`: everything known of it.
    pub fn answer(self, request_id: &RequestId, cause: &str) -> Response {
        let Self {
            status,
            code,
            message,
            hint,
            is_fault,
        } = self;
        let request = request_id.as_str();
        if is_fault {
            tracing::error!(request, code, error = %cause, "request failed");
        } else {
            tracing::debug!(request, code, error = %cause, "request refused");
        }
        let error = ErrorDetail {
            code: code.to_owned(),
            message,
            hint,
            request_id: request_id.to_string(),
        };
        (status, Json(ErrorBody { error })).into_response()
    }
}

/// The one table of refusals.
fn refused(refusal: &Refusal) -> Told {
    let (status, hint) = match refusal {
        Refusal::Rotation { authority, refusal } => {
            (rotation_status(refusal), rotation_hint(*authority, refusal))
        }
        Refusal::Blocked { authority, blocked } => {
            let to = blocked.to;
            let hint = format!(
                "see to them, or pass them by: `signetctl auth rotate --manual --type={authority} --phase={to} --override=\"<why>\"`"
            );
            (StatusCode::CONFLICT, Some(hint))
        }
        Refusal::Conflict { .. } => (
            StatusCode::CONFLICT,
            Some("run `signetctl status`, then ask again".to_owned()),
        ),
        Refusal::OtherCluster { .. } => (StatusCode::CONFLICT, None),
        Refusal::NoUsableKey { .. } => (
            StatusCode::CONFLICT,
            Some("run `signetctl keys ls` and `signetctl doctor`".to_owned()),
        ),
        Refusal::Algorithm { .. } => (StatusCode::CONFLICT, None),
        Refusal::UnknownKey(_) => (StatusCode::NOT_FOUND, Some("run `signetctl keys ls`".to_owned())),
        Refusal::KeyStatus { id, .. } => (StatusCode::CONFLICT, Some(key_hint(*id))),
        Refusal::Lint { .. } => (StatusCode::UNPROCESSABLE_ENTITY, None),
        Refusal::Malformed { .. } => (StatusCode::BAD_REQUEST, None),
    };
    Told {
        status,
        code: refusal.code(),
        message: refusal.to_string(),
        hint,
        is_fault: false,
    }
}

const fn rotation_status(refusal: &rotation::Refusal) -> StatusCode {
    match refusal {
        rotation::Refusal::AlreadyInProgress { .. }
        | rotation::Refusal::GenerationNotNew { .. }
        | rotation::Refusal::NotAllowed { .. }
        | rotation::Refusal::NotInProgress
        | rotation::Refusal::NothingToDistrust { .. } => StatusCode::CONFLICT,
        rotation::Refusal::GraceTooLong { .. }
        | rotation::Refusal::GraceTooShort { .. }
        | rotation::Refusal::OverrideUnnamed { .. } => StatusCode::BAD_REQUEST,
    }
}

/// The next command, where there is one: the refusal itself names the present phase and what is allowed.
fn rotation_hint(authority: authority::AuthorityType, refusal: &rotation::Refusal) -> Option<String> {
    let next = |phase: rotation::Phase| match phase.targets().first() {
        None => "run `signetctl status`".to_owned(),
        Some(next) => {
            format!("go on with `signetctl auth rotate --manual --type={authority} --phase={next}`")
        }
    };
    match refusal {
        rotation::Refusal::AlreadyInProgress { phase } => Some(next(*phase)),
        rotation::Refusal::NotAllowed { from, .. } | rotation::Refusal::NothingToDistrust { from } => {
            Some(next(*from))
        }
        rotation::Refusal::NotInProgress => Some(next(rotation::Phase::Standby)),
        rotation::Refusal::GenerationNotNew { .. } => Some("run `signetctl status`".to_owned()),
        rotation::Refusal::GraceTooLong { .. } | rotation::Refusal::GraceTooShort { .. } => {
            Some("choose another, such as `--grace-period=48h`".to_owned())
        }
        rotation::Refusal::OverrideUnnamed { .. } => Some("say why: `--override=\"<why>\"`".to_owned()),
    }
}

fn key_hint(id: KeyId) -> String {
    format!("run `signetctl keys show {id}`")
}

fn say(status: StatusCode, code: &'static str, problem: &Problem, hint: &str) -> Told {
    Told {
        status,
        code,
        message: problem.to_string(),
        hint: Some(hint.to_owned()),
        is_fault: false,
    }
}

/// An error with everything that led to it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
