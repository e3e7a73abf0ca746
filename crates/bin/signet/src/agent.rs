//! The running SSH agent (draft-ietf-sshm-ssh-agent): a certificate with its key goes in for as long as it is good, and out at the log-out.
//!
//! Plain bytes over a socket, because the library knows no way to add a certificate.

use std::io;
use std::path::Path;
use std::time::Duration;

use ssh_key::PrivateKey;
use ssh_key::private::KeypairData;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// `SSH_AGENT_SUCCESS`.
const SUCCESS: u8 = 6;
/// `SSH_AGENTC_REMOVE_IDENTITY`.
const REMOVE_IDENTITY: u8 = 18;
/// `SSH_AGENTC_ADD_ID_CONSTRAINED`.
const ADD_CONSTRAINED: u8 = 25;
/// `SSH_AGENT_CONSTRAIN_LIFETIME`.
const CONSTRAIN_LIFETIME: u8 = 1;
/// An answer to what we ask is a byte.
const ANSWER_MAX: u32 = 1024;
/// An agent may ask its owner first.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate with its key.
pub(crate) struct Identity<'a> {
    /// The private key, in OpenSSH's form.
    pub(crate) key: &'a str,
    /// The certificate, a line.
    pub(crate) certificate: &'a str,
    /// What lists show.
    pub(crate) comment: &'a str,
    /// How long the agent is to keep it.
    pub(crate) lifetime_seconds: u32,
}

/// Why the agent did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("the agent cannot be reached: {0}")]
    Unreachable(#[source] io::Error),
    #[error("the agent refuses")]
    Refused,
    #[error("the agent does not answer")]
    Silent,
    #[error("the certificate or its key cannot be read")]
    Unreadable,
}

/// Adds a certificate.
pub(crate) async fn add(socket: &Path, identity: &Identity<'_>) -> Result<(), AgentError> {
    request(socket, &add_request(identity)?).await
}

/// Removes a certificate, given as a line.
pub(crate) async fn remove(socket: &Path, certificate: &str) -> Result<(), AgentError> {
    let mut body = Zeroizing::new(vec![REMOVE_IDENTITY]);
    string(&mut body, &blob(certificate)?.1);
    request(socket, &body).await
}

fn add_request(identity: &Identity<'_>) -> Result<Zeroizing<Vec<u8>>, AgentError> {
    let key = PrivateKey::from_openssh(identity.key.as_bytes()).map_err(|_| AgentError::Unreadable)?;
    let KeypairData::Ed25519(pair) = key.key_data() else {
        return Err(AgentError::Unreadable);
    };
    let (algorithm, certificate) = blob(identity.certificate)?;
    let mut body = Zeroizing::new(vec![ADD_CONSTRAINED]);
    string(&mut body, algorithm.as_bytes());
    string(&mut body, &certificate);
    string(&mut body, pair.public.as_ref());
    let pair = Zeroizing::new(pair.to_bytes());
    string(&mut body, pair.as_slice());
    string(&mut body, identity.comment.as_bytes());
    body.push(CONSTRAIN_LIFETIME);
    body.extend(identity.lifetime_seconds.to_be_bytes());
    Ok(body)
}

/// The algorithm and the bytes of a certificate.
fn blob(line: &str) -> Result<(String, Vec<u8>), AgentError> {
    let certificate = ssh_cert::Certificate::from_line(line).map_err(|_| AgentError::Unreadable)?;
    let algorithm = line.split_whitespace().next().unwrap_or_default();
    Ok((algorithm.to_owned(), certificate.blob().to_vec()))
}

/// RFC 4251 section 5.
fn string(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend_from_slice(bytes);
}

async fn request(socket: &Path, body: &[u8]) -> Result<(), AgentError> {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        let mut framed = Zeroizing::new(Vec::with_capacity(body.len().saturating_add(4)));
        string(&mut framed, body);
        stream.write_all(&framed).await?;
        let length = stream.read_u32().await?;
        if length == 0 || length > ANSWER_MAX {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        stream.read_u8().await
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(SUCCESS)) => Ok(()),
        Ok(Ok(_)) => Err(AgentError::Refused),
        Ok(Err(error)) => Err(AgentError::Unreachable(error)),
        Err(_) => Err(AgentError::Silent),
    }
}
