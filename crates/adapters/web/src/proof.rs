//! The second factor that a form offers beside a password.

use identity::ActProof;
use identity::Factor;
use identity::FactorKind;
use identity::Granted;
use identity::LoginFinish;
use identity::NewSession;
use identity::PrivilegedAct;
use identity::ProofHolder;
use identity::Reauthenticate;
use identity::ShownProof;
use identity::Wanted;
use serde_json::Value;

use crate::forms::Fields;
use crate::problem::Problem;
use crate::problem::Turned;
use crate::signed_in::Remote;
use crate::signed_in::SignedIn;
use crate::site::Site;

/// What a page asks for as a second factor. The same for everybody.
#[derive(Clone, Copy)]
pub(crate) struct ProofView {
    pub(crate) is_totp: bool,
    pub(crate) is_key: bool,
    /// Whether a recovery code does as well.
    pub(crate) is_recovery_code: bool,
    /// Where the script gets the question for a key.
    pub(crate) question: &'static str,
}

impl ProofView {
    pub(crate) fn login(site: &Site) -> Self {
        Self::asked_at(site, "/web/login/challenge")
    }

    pub(crate) fn anew(site: &Site) -> Self {
        Self::asked_at(site, "/web/account/challenge")
    }

    fn asked_at(site: &Site, question: &'static str) -> Self {
        Self {
            is_totp: site.allows(FactorKind::Totp),
            is_key: site.allows(FactorKind::Webauthn),
            is_recovery_code: true,
            question,
        }
    }

    pub(crate) const fn without_recovery_codes(self) -> Self {
        Self {
            is_recovery_code: false,
            ..self
        }
    }
}

/// What a browser answered for a key.
pub(crate) fn key_answer(fields: &Fields) -> Result<Option<Value>, Problem> {
    match fields.text("answer") {
        "" => Ok(None),
        text => serde_json::from_str(text)
            .map(Some)
            .map_err(|_| Problem::malformed("answer", "is no JSON")),
    }
}

fn factor(fields: &Fields) -> Result<Factor, Turned> {
    if let Some(answer) = key_answer(fields)? {
        return Ok(Factor::Webauthn(answer));
    }
    if !fields.text("recovery_code").trim().is_empty() {
        return Ok(Factor::RecoveryCode(fields.secret("recovery_code")));
    }
    if !fields.text("code").trim().is_empty() {
        return Ok(Factor::Totp(fields.secret("code")));
    }
    Err(Turned::unfit(
        "a second factor is missing: give a code, use a security key, or give a recovery code",
    ))
}

/// The question that is answered: the one the key was asked, or one that is asked now for whatever needs none.
async fn challenge(site: &Site, user: &str, fields: &Fields, factor: &Factor) -> Result<String, Turned> {
    match factor {
        Factor::Webauthn(_) => Ok(fields.text("challenge").to_owned()),
        Factor::Totp(_) | Factor::RecoveryCode(_) => Ok(site.identity.login_begin(user).await?.id),
    }
}

/// The question that a form answers, and its second factor.
pub(crate) async fn answered(site: &Site, user: &str, fields: &Fields) -> Result<(String, Factor), Turned> {
    let factor = factor(fields)?;
    Ok((challenge(site, user, fields, &factor).await?, factor))
}

/// Logs somebody in: password and second factor in one.
pub(crate) async fn login(site: &Site, fields: &Fields, remote: Remote) -> Result<NewSession, Turned> {
    let user = fields.text("user").trim();
    let factor = factor(fields)?;
    let challenge = match &factor {
        Factor::Webauthn(_) => Some(fields.text("challenge")),
        Factor::Totp(_) | Factor::RecoveryCode(_) => None,
    };
    let finish = LoginFinish {
        challenge,
        user,
        password: fields.password("password"),
        factor,
        wanted: Wanted::WebSession,
        remote: remote.0,
    };
    Ok(session(site.identity.login_finish(finish).await?.granted)?)
}

/// The session that was asked for.
pub(crate) fn session(granted: Granted) -> Result<NewSession, Problem> {
    match granted {
        Granted::WebSession(session) => Ok(session),
        Granted::Certificates(_) => Err(Problem::internal("a log-in for a session gave certificates")),
    }
}

/// Somebody who is logged in proves anew who it is.
pub(crate) async fn anew(
    site: &Site,
    signed_in: &SignedIn,
    fields: &Fields,
    act: PrivilegedAct,
) -> Result<ActProof, Turned> {
    let user = signed_in.user();
    let (challenge, factor) = answered(site, user.as_str(), fields).await?;
    let asked = Reauthenticate {
        challenge: &challenge,
        user,
        password: fields.password("password"),
        factor,
        act,
        holder: ProofHolder::Pages,
        remote: signed_in.remote.0,
    };
    Ok(site.identity.reauthenticate(asked).await?)
}

/// The proof that was made, shown by the pages that it was made for.
pub(crate) const fn shown(token: &str) -> ShownProof<'_> {
    ShownProof {
        token,
        holder: ProofHolder::Pages,
    }
}
