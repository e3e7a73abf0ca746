//! What a failed call to AWS means: one classification, from which errors of the port and findings of the doctor are made.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::error::SdkError;
use keystore::KeyError;

/// In which order the SDK looks for credentials.
pub(crate) const SEARCH_ORDER: &str = "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), the shared credentials \
     and configuration files (~/.aws/credentials, ~/.aws/config, profile AWS_PROFILE), a web identity token \
     (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN), the container's credential endpoint, the EC2 instance metadata service";

/// Why a call failed, whatever it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The caller is known and may not do this.
    Forbidden(String),
    /// The caller is not recognised.
    BadCredentials(String),
    /// There are no credentials to call with.
    NoCredentials(String),
    /// The request came too early or too late by AWS's clock.
    Clock(String),
    /// There is no such key.
    NotFound,
    /// It exists already.
    Exists,
    /// The key is disabled.
    Disabled,
    /// The key is on its way out.
    PendingDeletion,
    /// The key is not ready, or not any more, for another reason.
    NotReady(String),
    /// AWS does not do that, or not with that key.
    Unsupported(String),
    /// AWS asks to come back later.
    Busy(String),
    /// Nothing answers.
    Unreachable(String),
    /// No answer in time.
    Late,
    /// Anything else.
    Other(String),
}

/// Says what a failed call means.
pub(crate) fn diagnose<E>(error: &SdkError<E>) -> Trouble
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if matches!(error, SdkError::TimeoutError(_)) {
        return Trouble::Late;
    }
    if matches!(
        error,
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_)
    ) {
        return undelivered(error);
    }
    // What is left came with an answer.
    let message = error.message().unwrap_or_default();
    match error.code() {
        Some(code) if message.is_empty() => by_code(code, message, code.to_owned()),
        Some(code) => by_code(code, message, format!("{code}: {message}")),
        None => by_body(error),
    }
}

/// Says what it means that a request could not be sent, or that credentials could not be had.
pub(crate) fn undelivered(error: &(dyn Error + 'static)) -> Trouble {
    let text = chain(error);
    let mut causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    match causes.find_map(|error| error.downcast_ref::<CredentialsError>()) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => Trouble::NoCredentials(text),
        Some(CredentialsError::InvalidConfiguration(_)) => Trouble::BadCredentials(text),
        // A source of credentials that fails may work again; so may a connection.
        Some(_) | None => Trouble::Unreachable(text),
    }
}

/// An error and its causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Some wrappers repeat what they wrap.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

fn by_code(code: &str, message: &str, text: String) -> Trouble {
    let is_about_time =
        || message.contains("Signature expired") || message.contains("Signature not yet current");
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "NotAuthorized"
        | "UnauthorizedOperation"
        | "OptInRequired" => Trouble::Forbidden(text),
        "RequestExpired" | "RequestTimeTooSkewed" => Trouble::Clock(text),
        "SignatureDoesNotMatch" | "InvalidSignatureException" if is_about_time() => Trouble::Clock(text),
        "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "InvalidToken"
        | "AuthFailure"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "ExpiredToken"
        | "ExpiredTokenException" => Trouble::BadCredentials(text),
        "NotFoundException" => Trouble::NotFound,
        "AlreadyExistsException" => Trouble::Exists,
        "DisabledException" => Trouble::Disabled,
        "KMSInvalidStateException" => by_state(message, text),
        "UnsupportedOperationException" | "InvalidKeyUsageException" => Trouble::Unsupported(text),
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalFailure"
        | "InternalServerError"
        | "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException" => Trouble::Busy(text),
        _ => Trouble::Other(text),
    }
}

/// AWS says in words only what state a key is in.
fn by_state(message: &str, text: String) -> Trouble {
    let message = message.to_ascii_lowercase();
    if message.contains("pending deletion") || message.contains("pending replica deletion") {
        Trouble::PendingDeletion
    } else if message.contains("disabled") {
        Trouble::Disabled
    } else {
        Trouble::NotReady(text)
    }
}

/// An answer whose error code the SDK does not find comes from something that speaks another protocol of AWS, or from something
/// in between, such as a proxy.
fn by_body<E: Error + 'static>(error: &SdkError<E>) -> Trouble {
    let Some(response) = error.raw_response() else {
        return Trouble::Other(chain(error));
    };
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    if let Some(code) = element(&body, "Code") {
        let message = element(&body, "Message").unwrap_or_default();
        return by_code(code, message, format!("{code}: {message}"));
    }
    let words: Vec<&str> = body.split_whitespace().collect();
    let words: String = words.join(" ").chars().take(200).collect();
    let status = response.status().as_u16();
    let text = format!("HTTP status {status} without an error code, but with: {words}");
    match status {
        401 | 403 => Trouble::Forbidden(text),
        429 | 500.. => Trouble::Busy(text),
        _ => Trouble::Other(text),
    }
}

/// The text of the first element of a name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The permission the call takes.
    pub(crate) permission: &'static str,
    /// The key's ARN, or `*`.
    pub(crate) resource: String,
    /// What happened.
    pub(crate) trouble: Trouble,
}

impl Failed {
    /// A call of this permission on this resource that ended so.
    pub(crate) fn new<E>(permission: &'static str, resource: impl Into<String>, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        Self {
            permission,
            resource: resource.into(),
            trouble: diagnose(error),
        }
    }

    /// An answer that makes no sense.
    pub(crate) fn senseless(
        permission: &'static str,
        resource: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            permission,
            resource: resource.into(),
            trouble: Trouble::Other(what.into()),
        }
    }

    /// The error of the port: `operation` is what was tried, as a verb phrase, `deadline` the limit it had.
    pub(crate) fn into_error(self, store: &str, operation: &'static str, deadline: Duration) -> KeyError {
        let Self {
            permission,
            resource,
            trouble,
        } = self;
        let store = store.to_owned();
        let denied = |reason: String| KeyError::Denied {
            store: store.clone(),
            reason,
        };
        match trouble {
            Trouble::Forbidden(text) => denied(format!(
                "{permission} on {resource} is not allowed ({text}); allow it in the policy of the role Signet runs as, \
                 or in the key's own policy"
            )),
            Trouble::BadCredentials(text) => {
                denied(format!("the credentials are not accepted ({text}); {RENEW}"))
            }
            Trouble::NoCredentials(text) => denied(format!(
                "no credentials were found ({text}); searched in this order: {SEARCH_ORDER}"
            )),
            Trouble::Clock(text) => denied(format!("the request is out of time ({text}); {SET_CLOCK}")),
            Trouble::NotFound => KeyError::NotFound {
                store,
                handle: resource,
            },
            Trouble::Disabled => denied(format!(
                "the key {resource} is disabled; enable it with `aws kms enable-key{}`, or rotate the authority that \
                 used it",
                selector(&resource)
            )),
            Trouble::PendingDeletion => denied(format!(
                "the key {resource} is pending deletion; to keep it, run `aws kms cancel-key-deletion{0}` and \
                 `aws kms enable-key{0}` before its day comes, otherwise rotate the authority that used it",
                selector(&resource)
            )),
            Trouble::Unreachable(text) => {
                let reason = format!("{text}; {FIND_A_WAY}");
                KeyError::Unavailable {
                    store,
                    operation,
                    reason,
                }
            }
            Trouble::NotReady(reason) | Trouble::Busy(reason) => KeyError::Unavailable {
                store,
                operation,
                reason,
            },
            Trouble::Late => {
                let seconds = deadline.as_millis().div_ceil(1000);
                KeyError::Timeout {
                    store,
                    operation,
                    seconds: u64::try_from(seconds).unwrap_or(u64::MAX),
                }
            }
            Trouble::Exists => KeyError::fault(store, operation, format!("{resource} exists already")),
            Trouble::Unsupported(text) | Trouble::Other(text) => {
                KeyError::fault(store, operation, format!("{permission} on {resource}: {text}"))
            }
        }
    }
}

/// What to do about credentials that AWS does not accept.
pub(crate) const RENEW: &str = "renew them, and check that the region is enabled for the account";
/// What to do about AWS being out of reach.
pub(crate) const FIND_A_WAY: &str = "check the name of the region, AWS_ENDPOINT_URL, and that a way leads there (DNS, proxy, \
     firewall, VPC endpoints for KMS and STS)";
/// What to do about a clock that AWS does not accept.
pub(crate) const SET_CLOCK: &str = "set the host's clock; AWS allows 5 minutes of difference";

/// The options by which the AWS command line finds a key.
fn selector(arn: &str) -> String {
    let region = arn.split(':').nth(3).unwrap_or_default();
    format!(" --region {region} --key-id {arn}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/0123";

    fn told_of(trouble: Trouble) -> KeyError {
        let failed = Failed {
            permission: "kms:Sign",
            resource: ARN.to_owned(),
            trouble,
        };
        failed.into_error("123456789012/eu-central-1", "sign", Duration::from_millis(1500))
    }

    fn told(code: &str, message: &str) -> KeyError {
        told_of(by_code(code, message, format!("{code}: {message}")))
    }

    #[test]
    fn a_refusal_names_permission_and_key() {
        let error = told(
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized",
        );
        assert!(matches!(error, KeyError::Denied { .. }));
        assert!(
            error.to_string().contains(&format!("kms:Sign on {ARN}")),
            "{error}"
        );
    }

    #[test]
    fn the_clock_is_told_from_a_wrong_secret() {
        let message = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z";
        for code in ["InvalidSignatureException", "SignatureDoesNotMatch"] {
            assert!(told(code, message).to_string().contains("set the host's clock"));
            assert!(told(code, "does not match").to_string().contains("renew them"));
        }
    }

    #[test]
    fn keys_out_of_use_say_how_to_get_them_back() {
        let text = told("KMSInvalidStateException", &format!("{ARN} is pending deletion.")).to_string();
        assert!(
            text.contains(&format!(
                "aws kms cancel-key-deletion --region eu-central-1 --key-id {ARN}"
            )),
            "{text}"
        );
        let text = told("DisabledException", &format!("{ARN} is disabled.")).to_string();
        assert!(
            text.contains("aws kms enable-key --region eu-central-1"),
            "{text}"
        );
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        for code in [
            "ThrottlingException",
            "KMSInternalException",
            "KeyUnavailableException",
        ] {
            assert!(told(code, "").is_transient(), "{code}");
        }
        for code in [
            "AccessDeniedException",
            "DisabledException",
            "NotFoundException",
            "ValidationException",
        ] {
            assert!(!told(code, "").is_transient(), "{code}");
        }
        assert!(told("KMSInvalidStateException", "is creating").is_transient());
        assert!(told_of(Trouble::Late).to_string().ends_with("within 2 s"));
    }
    #[test]
    fn an_answer_of_something_else_than_aws_is_told_by_its_status() {
        use aws_sdk_kms::config::http::HttpResponse;
        use aws_sdk_kms::operation::sign::SignError;
        let answer = |status: u16| {
            let response = HttpResponse::new(status.try_into().unwrap(), "<html>\n  Go away</html>".into());
            diagnose::<SignError>(&SdkError::response_error("no JSON", response))
        };
        assert!(matches!(answer(403), Trouble::Forbidden(text) if text.ends_with("<html> Go away</html>")));
        assert!(matches!(answer(503), Trouble::Busy(_)));
        assert!(matches!(answer(302), Trouble::Other(_)));
        let xml = "<Errors><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></Errors>";
        let response = HttpResponse::new(403.try_into().unwrap(), xml.into());
        let trouble = diagnose::<SignError>(&SdkError::response_error("no JSON", response));
        assert_eq!(
            trouble,
            Trouble::BadCredentials("SignatureDoesNotMatch: no".to_owned())
        );
    }
}
