//! Why there is no page, in the words and with the status that the API has for it.

use std::time::Duration;

use api_http::Told;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use directory::DirectoryError;
use enrollment::EnrollmentError;
use identity::IdentityError;

use crate::cookies;
use crate::signed_in::see_other;

/// Why a request got no page.
pub(crate) enum Problem {
    /// Nobody is logged in, or not any more: to the log-in.
    SignedOut {
        /// Whether there was a session.
        had_session: bool,
    },
    /// The browser came from another site and brought no cookie for that: it asks again from here.
    ComeAgain,
    /// The form is not of a page of ours, or of one that is too old.
    StaleForm,
    /// A field that cannot be.
    Malformed {
        field: &'static str,
        problem: String,
    },
    NoSuchPage,
    MethodNotAllowed,
    /// What a program asked for cannot be decided any more.
    RequestEnded(Ended),
    Api(api_http::Problem),
    Identity(IdentityError),
    Directory(DirectoryError),
    Enrollment(EnrollmentError),
    /// Something that cannot be, was.
    Internal(String),
}

/// How what a program asked for ended, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was decided, took too long, or never was: what has ended leaves nothing behind.
    Somehow,
    /// Just now, by the last of too many wrong codes.
    Mistyped,
}

impl Ended {
    const fn message(self) -> &'static str {
        match self {
            Self::Somehow => {
                "It was approved or refused already, nobody decided within five minutes, or its code was mistyped three times."
            }
            Self::Mistyped => {
                "Its code was mistyped three times. Nothing was approved, and nobody can approve it any more."
            }
        }
    }

    /// What to do where the program runs.
    const NEXT: &str = "Look at your terminal. If the program there went on, you are done. Otherwise run the command again that showed this \
                        page's address, such as signet login --browser, and open the address that it shows then.";
}

/// What the page of a problem says; travels with the answer until the page is made.
#[derive(Clone)]
pub(crate) struct Failed {
    pub(crate) told: Told,
    /// What the page is called, and what to do next, where the status says too little.
    pub(crate) words: Option<(&'static str, &'static str)>,
    /// For the log.
    pub(crate) detail: String,
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<EnrollmentError> for Problem {
    fn from(error: EnrollmentError) -> Self {
        Self::Enrollment(error)
    }
}

impl Problem {
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal(what.to_string())
    }

    pub(crate) fn malformed(field: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self::Malformed { field, problem }
    }

    pub(crate) fn too_slow(limit: Duration, goes_on: bool) -> Self {
        let seconds = limit.as_secs();
        Self::Api(api_http::Problem::TooSlow { seconds, goes_on })
    }

    fn failed(self) -> Failed {
        let problem: api_access::Problem = match self {
            Self::SignedOut { .. } | Self::ComeAgain => {
                return plain(StatusCode::UNAUTHORIZED, "unauthenticated", "log in first");
            }
            Self::StaleForm => {
                return plain(
                    StatusCode::FORBIDDEN,
                    "stale_form",
                    "the form did not come from a page of this browser's session; go back, reload the page, and send it again",
                );
            }
            Self::NoSuchPage => return plain(StatusCode::NOT_FOUND, "no_such_path", "there is no such page"),
            Self::MethodNotAllowed => {
                return plain(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "method_not_allowed",
                    "this address is not asked for in this way; begin at the first page",
                );
            }
            Self::RequestEnded(ended) => {
                let failed = plain(StatusCode::GONE, "challenge_gone", ended.message());
                let words = Some(("This request has ended", Ended::NEXT));
                return Failed { words, ..failed };
            }
            Self::Malformed { field, problem } => api_http::Problem::BadRequest { field, problem }.into(),
            Self::Api(error) => error.into(),
            Self::Identity(error) => error.into(),
            Self::Directory(error) => error.into(),
            Self::Enrollment(error) => error.into(),
            Self::Internal(what) => api_http::Problem::Internal(what).into(),
        };
        Failed {
            told: problem.told(false),
            words: None,
            detail: api_http::chain(&problem),
        }
    }
}

fn plain(status: StatusCode, code: &'static str, message: &str) -> Failed {
    Failed {
        told: Told {
            status,
            code,
            message: message.to_owned(),
            hint: None,
            is_fault: false,
        },
        words: None,
        detail: message.to_owned(),
    }
}

impl IntoResponse for Problem {
    /// A redirection, or an answer for which the page is made outside.
    fn into_response(self) -> Response {
        match self {
            Self::SignedOut { had_session } => {
                let mut response = see_other(if had_session {
                    "/web/login?said=ended"
                } else {
                    "/web/login"
                });
                if had_session {
                    cookies::forget_session(&mut response);
                }
                response
            }
            Self::ComeAgain => crate::pages::come_again(),
            other @ (Self::StaleForm
            | Self::Malformed { .. }
            | Self::NoSuchPage
            | Self::MethodNotAllowed
            | Self::RequestEnded(_)
            | Self::Api(_)
            | Self::Identity(_)
            | Self::Directory(_)
            | Self::Enrollment(_)
            | Self::Internal(_)) => {
                let failed = other.failed();
                let mut response = failed.told.status.into_response();
                response.extensions_mut().insert(failed);
                response
            }
        }
    }
}

/// Why a form is shown again rather than answered.
pub(crate) enum Turned {
    /// Refused, in words for the form's own page.
    Refused {
        status: StatusCode,
        code: &'static str,
        message: String,
    },
    /// There is nothing to show it on.
    Problem(Problem),
}

impl From<IdentityError> for Turned {
    fn from(error: IdentityError) -> Self {
        if !matches!(error, IdentityError::Refused(_)) {
            return Self::Problem(error.into());
        }
        let Told {
            status,
            code,
            message,
            ..
        } = Problem::Identity(error).failed().told;
        Self::Refused {
            status,
            code,
            message,
        }
    }
}

impl From<Problem> for Turned {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Turned {
    /// Something is missing or does not fit together.
    pub(crate) fn unfit(message: &str) -> Self {
        Self::Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: "malformed",
            message: message.to_owned(),
        }
    }

    /// What the form's page says.
    pub(crate) fn said(self) -> Result<Said, Problem> {
        match self {
            Self::Refused {
                status,
                code,
                message,
            } => Ok(Said {
                status,
                code,
                message,
            }),
            Self::Problem(problem) => Err(problem),
        }
    }
}

/// What the page of a form says when it is shown again.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}
