//! Logging in: a question for whoever asks, then one decisive answer.

use std::net::SocketAddr;

use authn::Bearer;
use authn::Password;
use key::PublicKey;
use names::Principal;
use names::Ttl;
use names::UnixSeconds;
use names::UserName;
use serde_json::Value;
use ssh_cert::SubjectKey;

use crate::Factor;
use crate::FactorKind;
use crate::IdentityError;
use crate::attempt::Attempted;
use crate::attempt::Knowledge;
use crate::attempt::Offered;
use crate::attempt::Proven;
use crate::documents::commit;
use crate::documents::load;
use crate::documents::path;
use crate::documents::put;
use crate::identity::Claim;
use crate::identity::Identity;
use crate::records::Ceremony;
use crate::records::Challenge;
use crate::records::Credentials;
use crate::records::user_path;

/// How long a ceremony may take.
pub(crate) const CHALLENGE_TTL: Ttl = Ttl::from_seconds(5 * 60);

/// A question: what a log-in is answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct LoginChallenge {
    /// Its id, 32 hexadecimal digits; good for one answer.
    pub id: String,
    /// When it ends.
    pub expires: UnixSeconds,
    /// The second factors the cluster allows. The same for everybody; recovery codes are always allowed.
    pub kinds: Vec<FactorKind>,
    /// What to ask the browser's `navigator.credentials.get`, where the cluster has WebAuthn: `{"publicKey": …}`. Users without keys
    /// and unknown users get one that looks the same.
    pub webauthn: Option<Value>,
}

/// The answer.
pub struct LoginFinish<'a> {
    /// The id of the question, where one was asked: security keys answer one, what a person types answers none.
    pub challenge: Option<&'a str>,
    /// Who they say they are.
    pub user: &'a str,
    /// The password.
    pub password: Password,
    /// The second factor.
    pub factor: Factor,
    /// What for.
    pub wanted: Wanted,
    /// Where the request came from.
    pub remote: SocketAddr,
}

/// What a log-in is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Certificates for keys the caller made.
    Certificates(Box<CertificateKeys>),
    /// A session of the web.
    WebSession,
}

impl Wanted {
    pub(crate) const fn client(&self) -> &'static str {
        match self {
            Self::Certificates(_) => "cli",
            Self::WebSession => "web",
        }
    }
}

/// The keys of a person's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateKeys {
    /// The key for SSH.
    pub ssh: SubjectKey,
    /// The key for TLS.
    pub tls: PublicKey,
    /// For how long; as long as is usual when `None`, never longer than the roles allow.
    pub ttl: Option<Ttl>,
}

/// What a log-in gave.
pub enum Granted {
    /// Certificates.
    Certificates(Box<UserCertificates>),
    /// A session of the web.
    WebSession(NewSession),
}

/// A person's certificates.
pub struct UserCertificates {
    /// For SSH: a blob.
    pub ssh: cluster::Credential,
    /// For TLS: DER.
    pub tls: cluster::Credential,
    /// The roles they give.
    pub roles: Vec<Principal>,
    /// The accounts they are good for.
    pub logins: Vec<Principal>,
}

/// A session of the web that begins. The bearer is shown once.
pub struct NewSession {
    /// What the cookie holds.
    pub bearer: Bearer,
    /// What lists and the log call it.
    pub id: String,
    /// When it ends at the latest.
    pub ends: UnixSeconds,
}

/// Somebody who logged in.
pub struct LoggedIn {
    /// Who.
    pub user: UserName,
    /// The id of the second factor; `recovery_code` for one.
    pub device: String,
    /// What for.
    pub granted: Granted,
}

impl Identity {
    /// Asks the question of a log-in, or of proving anew who one is. Whether there is such a user, and what second factors it
    /// has, shows neither in the answer nor in the work.
    ///
    /// # Errors
    /// When the state does not answer.
    pub async fn login_begin(&self, user: &str) -> Result<LoginChallenge, IdentityError> {
        let claim = Claim::new(user);
        let credentials = match &claim.user {
            Some(user) => user_path(user, "credentials")?,
            None => path("identity/nobody/credentials")?,
        };
        let credentials = load::<Credentials>(self.state.as_ref(), credentials).await?.value;
        let keys = credentials.map_or_else(Vec::new, |credentials| credentials.security_keys());
        let (question, webauthn) = match self.keys.as_ref().filter(|_| self.allows(FactorKind::Webauthn)) {
            Some(security_keys) => {
                let (question, webauthn) = security_keys.begin(&keys, user.as_bytes())?;
                (Some(question), Some(Box::new(webauthn)))
            }
            None => (None, None),
        };
        let (id, expires) = self
            .begin_ceremony(&claim, Ceremony::Authentication { webauthn })
            .await?;
        Ok(LoginChallenge {
            id,
            expires,
            kinds: self.kinds(),
            webauthn: question,
        })
    }

    /// Writes down a ceremony that begins; answers its id and its end.
    pub(crate) async fn begin_ceremony(
        &self,
        claim: &Claim,
        ceremony: Ceremony,
    ) -> Result<(String, UnixSeconds), IdentityError> {
        let id = hex::encode(self.random::<16>()?);
        let expires = self.now().plus(CHALLENGE_TTL);
        let challenge = Challenge {
            claim: claim.segment.clone(),
            expires,
            ceremony,
        };
        let key = path(&format!("identity/challenge/{id}"))?;
        let write = put(key, state::Expect::Absent, &challenge, Some(expires))?;
        if commit(self.state.as_ref(), vec![write]).await? {
            Ok((id, expires))
        } else {
            Err(IdentityError::Internal("a random id stands twice".to_owned()))
        }
    }

    /// Takes password and second factor together. Certificates or a session on success.
    ///
    /// # Errors
    /// [`crate::Refusal::InvalidCredentials`] for whatever is wrong with them, [`crate::Refusal::ChallengeGone`] when the question
    /// is none of ours any more; otherwise whatever failed, which counts for nobody.
    pub async fn login_finish(&self, finish: LoginFinish<'_>) -> Result<LoggedIn, IdentityError> {
        let LoginFinish {
            challenge,
            user,
            password,
            factor,
            wanted,
            remote,
        } = finish;
        let client = wanted.client();
        let offered = Offered {
            challenge,
            user,
            knowledge: Knowledge::Password(password),
            factor,
            remote,
        };
        let proven = self.attempt(offered, Attempted::Login { client }).await?;
        self.grant(proven, wanted, remote).await
    }

    /// Gives somebody who proved who they are what they asked for.
    pub(crate) async fn grant(
        &self,
        proven: Proven,
        wanted: Wanted,
        remote: SocketAddr,
    ) -> Result<LoggedIn, IdentityError> {
        let granted = match wanted {
            Wanted::Certificates(keys) => {
                let certificates = self
                    .issue_certificates(&proven.person, Some(&proven.device), &keys, remote)
                    .await?;
                Granted::Certificates(Box::new(certificates))
            }
            Wanted::WebSession => Granted::WebSession(self.begin_session(&proven, remote).await?),
        };
        Ok(LoggedIn {
            user: proven.person.user,
            device: proven.device,
            granted,
        })
    }
}
