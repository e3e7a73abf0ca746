//! Privileged acts: when the server wants to know anew who asks, the person at the terminal says it, once.

use std::cell::RefCell;
use std::io::IsTerminal;

use api_client::Client;
use api_client::ClientError;
use api_types::LoginChallenge;
use api_types::ReauthenticateRequest;
use api_types::SecondFactorProof;
use api_types::SecretText;

use crate::browser_proof;
use crate::browser_proof::BrowserArgs;
use crate::failure::Failure;

/// The code of a refusal that a proof of who asks would lift.
const NEEDED: &str = "reauthentication_needed";

/// What a proof is for. The server takes one for the act that it names, and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Documents, people and machines: deciding who has access.
    Admin,
    /// Rotating and revoking, and the life of keys.
    Rotate,
    /// Issuing credentials.
    Sign,
    /// Reading private keys.
    ReadSecrets,
}

impl Purpose {
    /// The word that the server knows it by.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Rotate => "rotate",
            Self::Sign => "sign",
            Self::ReadSecrets => "read_secrets",
        }
    }
}

/// Does an act. When the server wants to know anew who asks, asks them, and does it once more.
pub(crate) async fn privileged_for<A>(
    client: &Client,
    browser: &BrowserArgs,
    purpose: Purpose,
    act: impl AsyncFn(&Client) -> Result<A, ClientError>,
) -> Result<A, Failure> {
    Privileged::new(client, browser, purpose).act(act).await
}

/// Acts of one kind. Whoever does them says once for all of them who they are, and again when that is too long ago.
pub(crate) struct Privileged<'a, Q = Terminal> {
    browser: &'a BrowserArgs,
    purpose: Purpose,
    questions: Q,
    /// Shows the latest proof, once there is one.
    client: RefCell<Client>,
}

impl<'a> Privileged<'a> {
    pub(crate) fn new(client: &Client, browser: &'a BrowserArgs, purpose: Purpose) -> Self {
        Self {
            browser,
            purpose,
            questions: Terminal,
            client: RefCell::new(client.clone()),
        }
    }
}

impl<Q: Questions> Privileged<'_, Q> {
    /// The client, for what is asked besides.
    pub(crate) fn client(&self) -> Client {
        self.client.borrow().clone()
    }

    /// Does one of them.
    pub(crate) async fn act<A>(
        &self,
        act: impl AsyncFn(&Client) -> Result<A, ClientError>,
    ) -> Result<A, Failure> {
        let client = self.client();
        let error = match act(&client).await {
            Err(error) if error.code() == Some(NEEDED) => error,
            answered => return Ok(answered?),
        };
        let privilege = self.prove(&client, error).await?;
        let proven = client.with_privilege(privilege);
        self.client.replace(proven.clone());
        Ok(act(&proven).await?)
    }

    /// A proof: typed, or made in a browser where somebody says so or has nothing to type.
    async fn prove(&self, client: &Client, needed: ClientError) -> Result<SecretText, Failure> {
        let is_wished = self.browser.browser;
        if !is_wished && !self.questions.is_attended() {
            return Err(Failure::from(needed).with_hint(
                "run it in a terminal, where it asks for your password and second factor, with --browser, or on the auth server's own host",
            ));
        }
        let challenge = client.reauthenticate_begin().await?;
        let me = client.me().await?;
        if is_wished || me.has_only_keys(&challenge.second_factors) {
            return browser_proof::prove(client, &me.user, self.purpose, self.browser).await;
        }
        typed(client, challenge, self.purpose, &self.questions).await
    }
}

/// Where secrets are asked for.
pub(crate) trait Questions {
    /// Whether somebody is there to answer.
    fn is_attended(&self) -> bool;

    /// Asks for a secret, which is not shown while it is typed.
    fn ask(&self, question: &str) -> std::io::Result<String>;
}

/// The person at the terminal.
pub(crate) struct Terminal;

impl Questions for Terminal {
    fn is_attended(&self) -> bool {
        std::io::stderr().is_terminal() && std::fs::File::open("/dev/tty").is_ok()
    }

    fn ask(&self, question: &str) -> std::io::Result<String> {
        rpassword::prompt_password(question)
    }
}

/// Asks for password and second factor, and shows them to the server.
async fn typed(
    client: &Client,
    challenge: LoginChallenge,
    purpose: Purpose,
    questions: &impl Questions,
) -> Result<SecretText, Failure> {
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
