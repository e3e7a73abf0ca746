//! Privileged acts: when the server wants to know anew who asks, the person at the terminal says it, once.

use std::io::IsTerminal;

use api_client::Client;
use api_client::ClientError;
use api_types::ReauthenticateRequest;
use api_types::SecondFactorProof;
use api_types::SecretText;

use crate::failure::Failure;

/// The code of a refusal that a proof of who asks would lift.
const NEEDED: &str = "reauthentication_needed";

/// What a proof is for. The server takes one for the act that it names, and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Documents, people and machines.
    Manage,
    /// Rotating and revoking, and the life of keys.
    Rotate,
    /// Issuing credentials.
    Sign,
    /// Reading private keys.
    ReadSecrets,
}

impl Purpose {
    /// The word that the server knows it by.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Manage => "admin",
            Self::Rotate => "rotate",
            Self::Sign => "sign",
            Self::ReadSecrets => "read_secrets",
        }
    }
}

/// Changes documents, people or machines. When the server wants to know anew who asks, asks them, and does it once more.
pub(crate) async fn privileged<A>(
    client: &Client,
    act: impl AsyncFn(&Client) -> Result<A, ClientError>,
) -> Result<A, Failure> {
    privileged_for(client, Purpose::Manage, act).await
}

/// The same for an act of another kind.
pub(crate) async fn privileged_for<A>(
    client: &Client,
    purpose: Purpose,
    act: impl AsyncFn(&Client) -> Result<A, ClientError>,
) -> Result<A, Failure> {
    with_questions(client, purpose, &Terminal, act).await
}

/// Where secrets are asked for.
trait Questions {
    /// Whether somebody is there to answer.
    fn is_attended(&self) -> bool;

    /// Asks for a secret, which is not shown while it is typed.
    fn ask(&self, question: &str) -> std::io::Result<String>;
}

/// The person at the terminal.
struct Terminal;

impl Questions for Terminal {
    fn is_attended(&self) -> bool {
        std::io::stderr().is_terminal() && std::fs::File::open("/dev/tty").is_ok()
    }

    fn ask(&self, question: &str) -> std::io::Result<String> {
        rpassword::prompt_password(question)
    }
}

async fn with_questions<A>(
    client: &Client,
    purpose: Purpose,
    questions: &impl Questions,
    act: impl AsyncFn(&Client) -> Result<A, ClientError>,
) -> Result<A, Failure> {
    let error = match act(client).await {
        Err(error) if error.code() == Some(NEEDED) => error,
        answered => return Ok(answered?),
    };
    if !questions.is_attended() {
        return Err(Failure::from(error).with_hint(
            "run it in a terminal, where it asks for your password and second factor, or on the auth server's own host",
        ));
    }
    let privilege = prove(client, purpose, questions).await?;
    let proven = client.clone().with_privilege(privilege);
    Ok(act(&proven).await?)
}

/// Asks for password and second factor, and shows them to the server.
async fn prove(client: &Client, purpose: Purpose, questions: &impl Questions) -> Result<SecretText, Failure> {
    let challenge = client.reauthenticate_begin().await?;
    let accepts = |kind: &str| challenge.second_factors.iter().any(|accepted| accepted == kind);
    if !accepts("totp") && !accepts("recovery_code") {
        return Err(
            Failure::failed("this needs a second factor that can be typed, and you have none").with_hint(
                "add an authenticator app with `signet mfa add`, or act on the auth server's own host",
            ),
        );
    }
    let ask = |question: &str| {
        let typed = questions.ask(question);
        typed
            .map(SecretText::new)
            .map_err(|error| Failure::local("cannot ask who you are", &error))
    };
    let password = ask("This act needs your password: ")?;
    let code = ask("Code of your authenticator app, or a recovery code: ")?;
    let is_totp = code.expose().trim().len() == TOTP_DIGITS
        && code.expose().trim().bytes().all(|byte| byte.is_ascii_digit());
    let code = SecretText::new(code.expose().trim().to_owned());
    let request = ReauthenticateRequest {
        challenge_id: challenge.challenge_id,
        password,
        second_factor: if is_totp {
            SecondFactorProof::Totp(code)
        } else {
            SecondFactorProof::RecoveryCode(code)
        },
        purpose: purpose.as_str().to_owned(),
    };
    Ok(client.reauthenticate_finish(&request).await?.token)
}

/// The digits of a one-time code (RFC 6238).
const TOTP_DIGITS: usize = 6;

#[cfg(test)]
mod tests;
