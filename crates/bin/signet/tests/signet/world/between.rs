//! Somebody in between who has a certificate that the whole world recognises: TLS ends here, and what is asked is passed on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use api_client::Client;
use api_client::Endpoint;
use api_client::ServerTrust;
use api_types::LoginAnswer;
use api_types::LoginFinishRequest;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::World;

/// What is written into the answer to a log-in in the place of the truth.
#[derive(Debug, Clone)]
pub(crate) enum Forgery {
    /// The name of the cluster.
    Cluster(String),
    /// The host authority.
    Authorities(String),
    /// Who was logged in.
    User(String),
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<String>>,
    forgery: Mutex<Option<Forgery>>,
}

pub(crate) struct InBetween {
    address: SocketAddr,
    roots: PathBuf,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl InBetween {
    /// Stands before a cluster.
    pub(crate) fn new(world: &World) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let chain = vec![leaf.signed_by(&key, &root).unwrap().der().clone()];
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let roots = world.path("roots.pem");
        std::fs::write(&roots, root.pem()).unwrap();

        let behind = Endpoint::public(&world.proxy(), &ServerTrust::Unverified).unwrap();
        let behind = Arc::new(Client::new(behind));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (behind, known) = (Arc::clone(&behind), Arc::clone(&shared));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind, known) = (acceptor.clone(), Arc::clone(&behind), Arc::clone(&known));
                tokio::spawn(async move { serve(&acceptor, stream, &behind, &known).await });
            }
        });
        Self {
            address,
            roots,
            shared,
            _runtime: runtime,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Who vouches for its certificate.
    pub(crate) fn roots(&self) -> &PathBuf {
        &self.roots
    }

    /// What was asked of it.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn has_seen(&self, path: &str) -> bool {
        self.seen().iter().any(|seen| seen.contains(path))
    }

    /// Lies from now on.
    pub(crate) fn forge(&self, forgery: Forgery) {
        *self.shared.forgery.lock().unwrap() = Some(forgery);
    }
}

/// Answers one question.
async fn serve(acceptor: &TlsAcceptor, stream: TcpStream, behind: &Client, shared: &Shared) {
    // Whoever does not trust us hangs up.
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let Some((line, body)) = question(&mut stream).await else {
        return;
    };
    shared.seen.lock().unwrap().push(line.clone());
    let answer = match line.split(' ').nth(1).unwrap() {
        "/webapi/ping" => serde_json::to_string(&behind.ping().await.unwrap()).unwrap(),
        "/webapi/login/finish" => {
            let request: LoginFinishRequest = serde_json::from_slice(&body).unwrap();
            let mut answer = behind.login_finish(&request).await.unwrap();
            let forgery = shared.forgery.lock().unwrap().clone();
            forged(&mut answer, forgery);
            serde_json::to_string(&answer).unwrap()
        }
        path if path.starts_with("/webapi/auth/export") => {
            let asked = api_types::ExportParameters {
                kind: "tls-host".to_owned(),
                ..Default::default()
            };
            behind.web_export(&asked).await.unwrap()
        }
        // Whoever asks for anything else is hung up on.
        _ => return,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let _ = stream.write_all(format!("{head}{answer}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn forged(answer: &mut LoginAnswer, forgery: Option<Forgery>) {
    match forgery {
        Some(Forgery::Cluster(name)) => answer.cluster = name,
        Some(Forgery::Authorities(pem)) => answer.trust.tls_authorities = vec![pem],
        Some(Forgery::User(user)) => answer.user = user,
        None => {}
    }
}

/// The first line of a request, and its body.
async fn question(stream: &mut TlsStream<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await.ok()?;
    Some((head.lines().next()?.to_owned(), body))
}
