//! The way to a server: TCP and TLS to the proxy, SSH to the proxy in it, and SSH to the server in a channel of that.
//!
//! Every hop shows a certificate of the cluster's host authority. The proxy's says that it is a proxy, a server's that it has the name that was
//! asked for; a bare key is never taken.

mod parting;
mod patience;
mod peer;
mod tls;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use names::UnixSeconds;
use russh::ChannelStream;
use russh::Disconnect;
use russh::MethodKind;
use russh::Preferred;
use russh::SshId;
use russh::cipher;
use russh::client::AuthResult;
use russh::client::Config;
use russh::client::Handle;
use russh::client::KeyboardInteractiveAuthResponse;
use russh::client::Msg;
use russh::compression;
use russh::kex;
use russh::keys::Algorithm;
use russh::keys::Certificate;
use russh::keys::EcdsaCurve;
use russh::keys::HashAlg;
use russh::keys::PrivateKey;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::session::Session;
use crate::session_mfa::SecondFactor;
use crate::session_mfa::SessionCredential;
use crate::target::Target;
use crate::trust::not_recognised;
use parting::Parting;
pub(crate) use patience::Patience;
pub(crate) use patience::share;
use peer::Expected;
pub(crate) use peer::Incoming;
pub(crate) use peer::Peer;
pub(crate) use peer::PeerError;
pub(crate) use peer::Said;
pub(crate) use peer::authorities_of;

/// How long each step of connecting may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server that has not been heard of for as long is asked for a sign of life,
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// and given up after as many without one.
const MISSED_MAX: usize = 4;
/// How long saying good-bye may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// What somebody shows on every hop, and how hops are recognised.
struct Credential {
    key: Arc<PrivateKey>,
    certificate: Certificate,
    authorities: Arc<[key::PublicKey]>,
    now: UnixSeconds,
}

/// A connection to the proxy.
pub(crate) struct Jump {
    handle: Handle<Peer>,
    said: Arc<Said>,
    credential: Credential,
    proxy: String,
    cluster: String,
    user: String,
    /// The accounts that the certificates are for.
    logins: Vec<String>,
}

/// A connection to a server.
pub(crate) struct Node {
    /// The connection.
    pub(crate) handle: Handle<Peer>,
    /// What the server said besides.
    pub(crate) said: Arc<Said>,
    /// The way there ends with this.
    jump: Jump,
}

/// Connects to the proxy. One that closes the connection before it began is tried again, for a while.
pub(crate) async fn to_proxy(session: &Session, environment: &Environment) -> Result<Jump, Failure> {
    let mut patience = Patience::new(format!("the proxy at {}", session.cluster.proxy));
    loop {
        match try_proxy(session, environment).await {
            Ok(jump) => return Ok(jump),
            Err(failure) => patience.rest(failure).await?,
        }
    }
}

async fn try_proxy(session: &Session, environment: &Environment) -> Result<Jump, Failure> {
    let credential = credential(session, environment.now)?;
    let proxy = session.cluster.proxy.clone();
    let host = proxy.rsplit_once(':').map_or(proxy.as_str(), |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let unreachable = |error: &dyn std::error::Error| {
        Failure::unreachable(&format!("the proxy at {proxy} cannot be reached"), error)
            .with_hint("check your network, and that the proxy runs")
    };
    let stream = match timeout(PATIENCE, TcpStream::connect(&proxy)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if is_closed(&error) => return Err(unreachable(&error).passing()),
        Ok(Err(error)) => return Err(unreachable(&error)),
        Err(late) => return Err(unreachable(&late)),
    };
    stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let stream = match timeout(
        PATIENCE,
        tls::connect(stream, &session.cluster, &host, environment),
    )
    .await
    {
        Ok(stream) => stream?,
        Err(late) => return Err(unreachable(&late).passing()),
    };
    let expected = Expected::Proxy {
        names: vec![host, session.cluster.name.clone()],
    };
    let (peer, said) = Peer::new(
        &credential.authorities,
        expected,
        credential.now,
        Incoming::default(),
    );
    let what = format!("the proxy at {proxy}");
    let handle = shake_hands(stream, peer, &what, &proxy).await?;
    let handle = match authenticate(handle, &session.login.user, &credential, &said, &what).await? {
        Answer::LetIn(handle) => handle,
        Answer::LacksSecondFactor => return Err(not_let_in(&what)),
    };
    Ok(Jump {
        handle,
        said,
        credential,
        proxy,
        cluster: session.cluster.name.clone(),
        user: session.login.user.clone(),
        logins: session.login.logins.clone(),
    })
}

impl Jump {
    /// Opens the bytes of a connection to a server.
    pub(crate) async fn open(&self, target: &Target) -> Result<ChannelStream<Msg>, Failure> {
        let port = u32::from(target.port());
        let opened = self
            .handle
            .channel_open_direct_tcpip(target.node.as_str(), port, "127.0.0.1", 0)
            .await;
        match opened {
            Ok(channel) => Ok(channel.into_stream()),
            Err(russh::Error::ChannelOpenFailure(failure)) => {
                let reason = self.said.refusal(failure.description()).await;
                Err(Failure::unreachable_in_words(format!(
                    "the proxy does not lead to {}: {reason}",
                    target.node
                ))
                .with_hint("see which servers you may reach, and whether they are online: `signet ls`"))
            }
            Err(error) => Err(self.said.or(
                &format!("the connection to the proxy at {} broke", self.proxy),
                &error,
            )),
        }
    }

    /// Connects to a server through the proxy.
    pub(crate) async fn connect(
        self,
        target: &Target,
        login: &str,
        incoming: Incoming,
        second_factor: &SecondFactor<'_>,
    ) -> Result<Node, Failure> {
        let what = format!("{login}@{}", target.node);
        let explained = |failure: Failure| {
            failure.with_hint(if self.logins.iter().any(|own| own == login) {
                format!(
                    "see which logins you have where: `signet ls`; an operator sees what decided: `signetctl access explain --user {} --login {login} --node {}`",
                    self.user, target.node
                )
            } else {
                format!(
                    "your certificates are for {}; when you were given {login} since, log in again: `signet login --proxy={} --user={}`",
                    terminal::joined(&self.logins), self.proxy, self.user
                )
            })
        };
        let (handle, said) = self.meet(target, &incoming).await?;
        let answer = authenticate(handle, login, &self.credential, &said, &what).await;
        let (handle, said) = match answer.map_err(explained)? {
            Answer::LetIn(handle) => (handle, said),
            Answer::LacksSecondFactor => {
                let credential = self.credential_of(second_factor.give(target, login).await?)?;
                // Whoever looked for their telephone may have taken longer than a log-in may.
                let (handle, said) = self.meet(target, &incoming).await?;
                let answer = authenticate(handle, login, &credential, &said, &what).await;
                match answer.map_err(explained)? {
                    Answer::LetIn(handle) => (handle, said),
                    Answer::LacksSecondFactor => return Err(explained(not_let_in(&what))),
                }
            }
        };
        Ok(Node {
            handle,
            said,
            jump: self,
        })
    }

    /// What is shown for one session.
    fn credential_of(&self, own: SessionCredential) -> Result<Credential, Failure> {
        let unusable = |_| Failure::failed("the certificate for the session cannot be read");
        Ok(Credential {
            key: Arc::new(PrivateKey::from_openssh(own.key.as_bytes()).map_err(unusable)?),
            certificate: Certificate::from_openssh(own.certificate.trim()).map_err(unusable)?,
            authorities: Arc::clone(&self.credential.authorities),
            now: self.credential.now,
        })
    }

    /// Exchanges keys with a server; one that closes the connection before it began is tried again, for a while.
    async fn meet(&self, target: &Target, incoming: &Incoming) -> Result<(Handle<Peer>, Arc<Said>), Failure> {
        let mut patience = Patience::new(&target.node);
        loop {
            match self.greet(target, incoming.clone()).await {
                Ok(greeted) => return Ok(greeted),
                Err(failure) => patience.rest(failure).await?,
            }
        }
    }

    /// Exchanges keys with a server.
    async fn greet(&self, target: &Target, incoming: Incoming) -> Result<(Handle<Peer>, Arc<Said>), Failure> {
        let stream = self.open(target).await?;
        let expected = Expected::Node {
            names: names_of(&target.node, &self.cluster),
        };
        let Credential { authorities, now, .. } = &self.credential;
        let (peer, said) = Peer::new(authorities, expected, *now, incoming);
        let handle = shake_hands(stream, peer, &target.node, &self.proxy).await;
        match (handle, self.farewell()) {
            (Ok(handle), _) => Ok((handle, said)),
            (Err(_), Some(words)) => Err(Failure::failed(format!(
                "the proxy at {} ended the connection: {words}",
                self.proxy
            ))),
            (Err(failure), None) => Err(failure),
        }
    }

    /// Why the proxy ended the connection, if it did and said so.
    pub(crate) fn farewell(&self) -> Option<String> {
        self.said.farewell()
    }
}

impl Node {
    /// Why the connection was ended, if that was said: by the server, or by the proxy on the way there. Both end it for a lock, and either
    /// may be first.
    pub(crate) fn farewell(&self) -> Option<String> {
        self.said.farewell().or_else(|| self.jump.farewell())
    }

    /// Says good-bye on every hop, and waits until it is on its way.
    pub(crate) async fn leave(node: Arc<Self>) {
        part(&node.handle, &node.said).await;
        part(&node.jump.handle, &node.jump.said).await;
    }
}

async fn part(handle: &Handle<Peer>, said: &Said) {
    // Who is gone hears nothing, and who is slow is not waited for.
    let goodbye = async {
        let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
        said.ended().await;
    };
    let _ = timeout(FAREWELL, goodbye).await;
}

/// The names that a server's certificate may have when this one was asked for.
fn names_of(node: &str, cluster: &str) -> Vec<String> {
    let suffix = format!(".{cluster}");
    match node.strip_suffix(&suffix) {
        Some(short) => vec![node.to_owned(), short.to_owned()],
        None => vec![node.to_owned(), format!("{node}{suffix}")],
    }
}

fn credential(session: &Session, now: UnixSeconds) -> Result<Credential, Failure> {
    let unusable = |what: &str| {
        Failure::failed(format!("the stored {what} cannot be used")).with_hint(format!(
            "log in again: `signet login --proxy={} --user={}`",
            session.cluster.proxy, session.login.user
        ))
    };
    let key =
        PrivateKey::from_openssh(session.credentials.ssh_key.as_bytes()).map_err(|_| unusable("SSH key"))?;
    let certificate = Certificate::from_openssh(session.credentials.ssh_certificate.trim())
        .map_err(|_| unusable("SSH certificate"))?;
    let authorities = authorities_of(&session.credentials.known_hosts);
    if authorities.is_empty() {
        return Err(unusable("list of host authorities"));
    }
    Ok(Credential {
        key: Arc::new(key),
        certificate,
        authorities: authorities.into(),
        now,
    })
}

async fn shake_hands<S>(stream: S, peer: Peer, what: &str, proxy: &str) -> Result<Handle<Peer>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(
        PATIENCE,
        russh::client::connect_stream(config(), Parting(stream), peer),
    )
    .await
    {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(PeerError::Host(reason))) => Err(Failure::failed(format!(
            "{what} does not show that it is the one: {reason}"
        ))
        .with_hint(format!("nothing was sent; {}", not_recognised(proxy)))),
        Ok(Err(PeerError::Ssh(error))) => {
            let failure = Failure::unreachable(&format!("no SSH connection to {what}"), &error);
            Err(if is_cut_off(&error) {
                failure.passing()
            } else {
                failure
            })
        }
        Err(late) => Err(Failure::unreachable(&format!("no SSH connection to {what}"), &late).passing()),
    }
}

/// What the other end says to a certificate.
enum Answer {
    /// It is enough.
    LetIn(Handle<Peer>),
    /// It would be enough with a second factor given for this session.
    LacksSecondFactor,
}

fn not_let_in(what: &str) -> Failure {
    Failure::refused(format!("{what}: your certificate does not let you in")).with_hint(NOT_LET_IN)
}

/// Where to look when somebody is not let in.
const NOT_LET_IN: &str = "see what you may: `signet status` and `signet ls`";

async fn authenticate(
    mut handle: Handle<Peer>,
    login: &str,
    credential: &Credential,
    said: &Said,
    what: &str,
) -> Result<Answer, Failure> {
    let (key, certificate) = (Arc::clone(&credential.key), credential.certificate.clone());
    let attempt = handle.authenticate_openssh_cert(login, key, certificate);
    match timeout(PATIENCE, attempt).await {
        Ok(Ok(AuthResult::Success)) => Ok(Answer::LetIn(handle)),
        // How servers say that the certificate is good, and that something is lacking still (RFC 4252 section 5.1).
        Ok(Ok(AuthResult::Failure {
            remaining_methods,
            partial_success: true,
        })) if remaining_methods.contains(&MethodKind::KeyboardInteractive) => Ok(Answer::LacksSecondFactor),
        Ok(Ok(AuthResult::Failure {
            remaining_methods,
            partial_success: _,
        })) if remaining_methods.contains(&MethodKind::KeyboardInteractive) => {
            let asked = handle.authenticate_keyboard_interactive_start(login, None);
            Err(match timeout(PATIENCE, asked).await {
                Ok(Ok(KeyboardInteractiveAuthResponse::InfoRequest { instructions, .. }))
                    if !instructions.is_empty() =>
                {
                    Failure::refused(format!("{what}: {instructions}")).with_hint(NOT_LET_IN)
                }
                Ok(Ok(_) | Err(_)) | Err(_) => not_let_in(what),
            })
        }
        Ok(Ok(AuthResult::Failure { .. })) => Err(not_let_in(what)),
        Ok(Err(error)) => {
            let failure = said.or(&format!("{what}: the connection broke during the log-in"), &error);
            let is_unsaid = said.farewell().is_none() && is_cut_off(&error);
            Err(if is_unsaid { failure.passing() } else { failure })
        }
        Err(late) => Err(Failure::unreachable(what, &late)),
    }
}

/// Whether the other end closed the connection, as it does without a word when too many come at once.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// The same, of what the SSH library tells.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
fn is_cut_off(error: &russh::Error) -> bool {
    match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::RecvError | russh::Error::SendError => {
            true
        }
        russh::Error::IO(error) => is_closed(error),
        _ => false,
    }
}

/// What SSH is spoken with: the hybrid with ML-KEM first, ciphers that processors have instructions for, no SHA-1, no compression, and of
/// hosts certificates only.
fn config() -> Arc<Config> {
    Arc::new(Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-Signet_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Borrowed(KEYS),
            host_key_certificates: Cow::Borrowed(KEYS),
            cipher: Cow::Borrowed(CIPHERS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: BUFFERED_PACKETS,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEP_ALIVE),
        keepalive_max: MISSED_MAX,
        nodelay: true,
        ..Config::default()
    })
}

const PACKET: u32 = 32 * 1_024;
const WINDOW: u32 = 64 * PACKET;
const BUFFERED_PACKETS: usize = 64;

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_G16_SHA512,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_128_CTR,
];

const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_with_and_without_its_cluster() {
        assert_eq!(names_of("web-1", "example.com"), ["web-1", "web-1.example.com"]);
        assert_eq!(
            names_of("web-1.example.com", "example.com"),
            ["web-1.example.com", "web-1"]
        );
    }
}
