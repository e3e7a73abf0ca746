//! What the proxy answers to what clients ask for.

use std::borrow::Cow;
use std::sync::Arc;

use names::Principal;
use russh::Channel;
use russh::ChannelId;
use russh::ChannelMsg;
use russh::ChannelOpenFailure;
use russh::MethodKind;
use russh::MethodSet;
use russh::keys::Certificate;
use russh::server::Auth;
use russh::server::ChannelOpenHandle;
use russh::server::Msg;
use russh::server::Response;
use russh::server::Session;
use russh::server::VerifiedPublicKey;
use ssh_cert::CertificateType;
use ssh_cert::Expected;
use ssh_cert::NotAccepted;
use tokio::time::timeout;

use super::SshProxy;
use super::relay;
use super::visit::Visit;
use crate::SshUser;
use crate::Target;

/// Said to whoever wants a shell or a command.
const NO_SHELL: &str = "This is a Signet proxy: it runs no shells and no commands, it leads to nodes.\r\n\
     Reach a node through it with `signet ssh login@node`, or with OpenSSH: `ssh -J user@proxy:port login@node`.\r\n";
/// Said to whoever asks for one again and again.
const TOO_MANY_SESSIONS: &str = "this proxy runs no shells and no commands, and was asked too often for one";
/// Standard error, as an extended data type (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// Why a certificate lets nobody in.
enum Refusal {
    /// It may be anybody's: nothing is said.
    Silent(String),
    /// It is by our authority, and its holder is told.
    Told(String),
}

/// The proxy's side of one SSH connection.
pub(super) struct Handler {
    proxy: Arc<SshProxy>,
    visit: Arc<Visit>,
}

impl Handler {
    pub(super) const fn new(proxy: Arc<SshProxy>, visit: Arc<Visit>) -> Self {
        Self { proxy, visit }
    }

    /// Whether a certificate, whose key the client has proved to hold, lets it in.
    fn check(&self, login: &str, certificate: &Certificate) -> Result<SshUser, Refusal> {
        let blob = certificate
            .to_bytes()
            .map_err(|_| Refusal::Silent("the certificate cannot be read".to_owned()))?;
        let certificate =
            ssh_cert::Certificate::from_blob(&blob).map_err(|error| Refusal::Silent(error.to_string()))?;
        self.visit.claims(certificate.key_id());
        let parts = &self.proxy.parts;
        // Any of its own principals: which login the user has at a node is for the node. That there is one at all was checked on reading.
        let principal = certificate
            .principals()
            .first()
            .map(Principal::as_str)
            .unwrap_or_default();
        let expected = Expected {
            authorities: &parts.gate.user_authorities(),
            certificate_type: CertificateType::User,
            principal,
            now: parts.clock.now(),
            source: Some(self.visit.remote().ip().to_canonical()),
        };
        certificate.check(&expected).map_err(|reason| match reason {
            NotAccepted::Authority | NotAccepted::Type(_) => Refusal::Silent(reason.to_string()),
            NotAccepted::NotYet
            | NotAccepted::Expired
            | NotAccepted::Principal
            | NotAccepted::SourceAddress => Refusal::Told(reason.to_string()),
        })?;
        if certificate.critical_options().verify_required {
            return Err(Refusal::Told(
                "the certificate wants the holder verified by their key, which this proxy cannot see"
                    .to_owned(),
            ));
        }
        if certificate.critical_options().force_command.is_some() {
            let reason = "the certificate is for one command, and this proxy runs none";
            return Err(Refusal::Told(reason.to_owned()));
        }
        let user = SshUser {
            name: certificate.key_id().to_owned(),
            login: login.to_owned(),
            remote: self.visit.remote(),
            certificate: Arc::new(certificate),
        };
        parts.gate.user_may(&user).map_err(Refusal::Told)?;
        if self.proxy.count(&user.name) >= parts.limits.per_user_max {
            return Err(Refusal::Told("the user has too many connections open".to_owned()));
        }
        Ok(user)
    }

    fn say_no_shell(channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        session.extended_data(channel, STDERR, NO_SHELL)?;
        session.exit_status_request(channel, 1)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

/// Returns when a client has said what a channel is for, or closed it.
async fn asks(channel: &mut Channel<Msg>) {
    while let Some(message) = channel.wait().await {
        if matches!(
            message,
            ChannelMsg::RequestShell { .. }
                | ChannelMsg::Exec { .. }
                | ChannelMsg::RequestSubsystem { .. }
                | ChannelMsg::Close
        ) {
            return;
        }
    }
}

impl russh::server::Handler for Handler {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        self.visit.begins();
        Ok(None)
    }

    async fn auth_none(&mut self, user: &str) -> Result<Auth, russh::Error> {
        self.visit.tries(user);
        Ok(Auth::reject())
    }

    async fn auth_publickey(&mut self, user: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        self.visit.tries(user);
        self.visit.showed_bare_key();
        Ok(Auth::reject())
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, russh::Error> {
        self.visit.tries(user);
        match self.check(user, certificate) {
            Ok(user) => {
                self.visit.let_in(Arc::new(user));
                Ok(Auth::Accept)
            }
            Err(refusal) => {
                let (Refusal::Silent(reason) | Refusal::Told(reason)) = &refusal;
                tracing::debug!(remote = %self.visit.remote(), reason, "a certificate lets nobody in");
                self.visit.refused(reason);
                let Refusal::Told(reason) = refusal else {
                    return Ok(Auth::reject());
                };
                self.visit.explains(reason);
                // Whoever is told something is in the log with it, also if another certificate lets them in.
                self.proxy.note_failure(&self.visit).await;
                // A client that has nothing else to try asks for the words by `keyboard-interactive`.
                let methods = [MethodKind::PublicKey, MethodKind::KeyboardInteractive];
                Ok(Auth::Reject {
                    proceed_with_methods: Some(MethodSet::from(methods.as_slice())),
                    partial_success: false,
                })
            }
        }
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        Ok(match (self.visit.explanation(), response) {
            // Nothing is asked: it is only said why somebody is not let in who showed a certificate of ours.
            (Some(words), None) => Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Owned(words),
                prompts: Cow::Borrowed(&[]),
            },
            (Some(_), Some(_)) => Auth::Reject {
                proceed_with_methods: Some(MethodSet::from([MethodKind::PublicKey].as_slice())),
                partial_success: false,
            },
            (None, _) => {
                self.visit.tries(user);
                Auth::reject()
            }
        })
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(user) = self.visit.user() else {
            return Ok(());
        };
        if let Some(reason) = self.visit.cut_for() {
            reply.reject(prohibited(reason)).await;
            return Ok(());
        }
        let target = match Target::parse(host, port) {
            Ok(target) => target,
            Err(error) => {
                reply.reject(prohibited(error.to_string())).await;
                return Ok(());
            }
        };
        let Ok(slot) = Arc::clone(&self.visit.channels).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        if let Err(reason) = self.proxy.take_channel(&user.name) {
            // Here and not beside the connection: whoever goes on is answered later and later, which is all that happens on it.
            relay::refuse(&self.proxy, user, target, reason.clone()).await;
            reply.reject(prohibited(reason)).await;
            return Ok(());
        }
        // Looking up, dialling and relaying take their time, in which the connection goes on.
        let (proxy, over) = (Arc::clone(&self.proxy), self.visit.over.clone());
        tokio::spawn(async move {
            relay::connect(&proxy, user, target, channel, reply, over).await;
            drop(slot);
        });
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        mut channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if !self.visit.takes_session() {
            reply.reject(prohibited(TOO_MANY_SESSIONS.to_owned())).await;
            return Ok(());
        }
        let Ok(slot) = Arc::clone(&self.visit.channels).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        reply.accept().await;
        let wait = self.proxy.parts.limits.session_wait;
        tokio::spawn(async move {
            // Whatever is asked for is answered in the handler, which closes the channel.
            if timeout(wait, asks(&mut channel)).await.is_err() {
                let _gone = channel.close().await;
            }
            drop(slot);
        });
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        Self::say_no_shell(channel, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::say_no_shell(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::say_no_shell(channel, session)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }
}

/// A refusal that says why.
pub(super) const fn prohibited(reason: String) -> ChannelOpenFailure {
    /// `SSH_OPEN_ADMINISTRATIVELY_PROHIBITED` (RFC 4254 section 5.1).
    const CODE: u32 = 1;
    ChannelOpenFailure::Other { code: CODE, reason }
}

/// A failure that says why.
pub(super) const fn failed(reason: String) -> ChannelOpenFailure {
    /// `SSH_OPEN_CONNECT_FAILED` (RFC 4254 section 5.1).
    const CODE: u32 = 2;
    ChannelOpenFailure::Other { code: CODE, reason }
}
