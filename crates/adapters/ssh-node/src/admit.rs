//! The log-in: what is looked at, who is asked, and what is recorded when the answer is no.

use std::sync::Arc;
use std::time::Duration;

use russh::MethodKind;
use russh::MethodSet;
use russh::keys::Certificate as WireCertificate;
use russh::server::Auth;

use crate::authenticate;
use crate::connection::Connection;
use crate::event::AuthFailure;
use crate::event::CertificateFacts;
use crate::event::Happening;
use crate::gate::Admission;
use crate::gate::Denial;
use crate::gate::NotAdmitted;
use crate::life::Admitted;
use crate::life::Told;

/// How long the answer to a refused certificate takes.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

impl Connection {
    /// Records why somebody is not let in, and says so.
    pub(crate) async fn refuse_login(
        &self,
        login: &str,
        reason: AuthFailure,
        certificate: Option<CertificateFacts>,
    ) -> Auth {
        self.core.recorder.asked_for(login);
        tracing::info!(remote = %self.peer.remote, %reason, "a log-in was refused");
        let event = Happening::AuthFailed { reason, certificate };
        let _refused_anyway = self.core.recorder.record(event).await;
        self.core.life.failure_recorded();
        // Who tries again and again is slowed down, so that the log stays readable.
        tokio::time::sleep(AFTER_REFUSAL).await;
        Auth::reject()
    }

    /// Records why somebody is not let in who has shown a certificate of ours, and will tell them: a client that has nothing else to try
    /// asks for the words by `keyboard-interactive`.
    async fn refuse_known(
        &self,
        login: &str,
        reason: AuthFailure,
        certificate: CertificateFacts,
        words: String,
    ) -> Auth {
        let _refused = self.refuse_login(login, reason, Some(certificate)).await;
        self.explain(words)
    }

    /// Refuses, and will say why.
    fn explain(&self, words: String) -> Auth {
        self.core.life.tells(words);
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(
                [MethodKind::PublicKey, MethodKind::KeyboardInteractive].as_slice(),
            )),
            partial_success: false,
        }
    }

    /// Records that a second factor is lacking, and says so in a way that clients understand.
    async fn want_second_factor(
        &self,
        login: &str,
        reason: Denial,
        words: String,
        certificate: CertificateFacts,
    ) -> Auth {
        let reason = AuthFailure::SecondFactor(reason.0);
        if !self.core.life.lacks_second_factor(words) {
            return self.refuse_login(login, reason, Some(certificate)).await;
        }
        tracing::info!(remote = %self.peer.remote, %reason, "a log-in lacks a second factor");
        let event = Happening::AuthFailed {
            reason,
            certificate: Some(certificate),
        };
        let _refused_anyway = self.core.recorder.record(event).await;
        self.core.life.failure_recorded();
        // Partial success is no failure that would be counted, so that it is said once in a connection.
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from([MethodKind::KeyboardInteractive].as_slice())),
            partial_success: true,
        }
    }

    /// Decides on a certificate whose key was proven.
    pub(crate) async fn admit(&self, login: &str, wire: &WireCertificate) -> Result<(), Auth> {
        let core = &self.core;
        core.recorder.asked_for(login);
        let parts = &core.shared.parts;
        let blob = wire.to_bytes().unwrap_or_default();
        let checked = authenticate::check(authenticate::Question {
            blob: &blob,
            authorities: &parts.gate.authorities(),
            login,
            now: parts.clock.now(),
            source: self.peer.remote.ip(),
        });
        let certificate = match checked {
            Ok(certificate) => certificate,
            Err((reason, facts)) => {
                let facts = facts.map(|facts| *facts);
                return Err(match (words_for(&reason, login), facts) {
                    (Some(words), Some(facts)) => self.refuse_known(login, reason, facts, words).await,
                    (_, facts) => self.refuse_login(login, reason, facts).await,
                });
            }
        };
        let admission = Admission {
            certificate: Arc::new(certificate),
            login: login.to_owned(),
            peer: self.peer,
        };
        let grant = match parts.gate.admit(&admission).await {
            Ok(grant) => grant,
            Err(NotAdmitted::Denied(denial)) => {
                let facts = authenticate::facts(&admission.certificate);
                let reason = AuthFailure::Denied(denial.0);
                let words = format!("your roles do not let you log in as {login} here");
                return Err(self.refuse_known(login, reason, facts, words).await);
            }
            Err(NotAdmitted::Told(denial)) => {
                let facts = authenticate::facts(&admission.certificate);
                let reason = AuthFailure::Denied(denial.0.clone());
                return Err(self.refuse_known(login, reason, facts, denial.0).await);
            }
            Err(NotAdmitted::SecondFactor { reason, words }) => {
                let facts = authenticate::facts(&admission.certificate);
                return Err(self.want_second_factor(login, reason, words, facts).await);
            }
        };
        core.recorder.is_user(&grant.user);
        let most = grant
            .max_connections
            .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let place = core
            .shared
            .connections_of_users
            .enter(grant.user.clone(), most, usize::MAX);
        if place.is_none() {
            let reason = format!("{} has {most} connections to this node already", grant.user);
            let _refused_anyway = core.recorder.record(Happening::SessionRejected { reason }).await;
            core.life.failure_recorded();
            let words =
                format!("you have {most} connections to this host already, and may have no more at once");
            return Err(self.explain(words));
        }
        core.life.admit(Admitted {
            admission: Arc::new(admission),
            grant: Arc::new(grant),
            _place: Arc::new(place),
        });
        Ok(())
    }
}

/// What follows when somebody was told why they are not let in. Who lacks a second factor has shown every certificate, and OpenSSH would show
/// the same again after partial success; with an empty list it would, too. Others have shown what they have.
pub(crate) fn after_words(told: &Told) -> Auth {
    let method = if told.is_for_second_factor {
        MethodKind::None
    } else {
        MethodKind::PublicKey
    };
    Auth::Reject {
        proceed_with_methods: Some(MethodSet::from([method].as_slice())),
        partial_success: false,
    }
}

/// What the holder of a certificate is told that is by our authority and not accepted; nothing where the certificate may be anybody's.
fn words_for(reason: &AuthFailure, login: &str) -> Option<String> {
    match reason {
        AuthFailure::OtherLogin => Some(format!(
            "your certificate is not for the account {login}; if you were given it since your log-in, log in again"
        )),
        AuthFailure::SourceAddress => Some(
            "your certificate is good only from the address that you logged in from; log in again from here"
                .to_owned(),
        ),
        AuthFailure::NotInForce => Some("your certificate is not in force; log in again".to_owned()),
        AuthFailure::CannotEnforce(option) => Some(format!(
            "your certificate asks for what cannot be enforced here: {option}"
        )),
        AuthFailure::UnknownAuthority
        | AuthFailure::Unreadable(_)
        | AuthFailure::HostCertificate
        | AuthFailure::Denied(_)
        | AuthFailure::SecondFactor(_)
        | AuthFailure::BareKey { .. }
        | AuthFailure::NothingPresented
        | AuthFailure::Method(_) => None,
    }
}
