//! A stub of the EC2 instance metadata service, version 2: a session token by PUT, then role credentials by GET.
//!
//! This is ours, not a foreign part: no emulator serves the whole exchange. It is strict where the real service is (no
//! token, no answer; no version 1), so that a client that passes here asked in the right order.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::PartError;

const TOKEN: &str = "AQAEAExampleSessionToken==";
const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// The credentials that the stub hands out.
#[derive(Clone, Debug)]
pub struct Role {
    /// The role's name.
    pub name: String,
    /// The access key id, by which a server under test recognises where the credentials came from.
    pub access_key_id: String,
    /// The secret access key. Not a secret: it opens nothing but emulators.
    pub secret_access_key: String,
    /// The session token that goes with the key.
    pub session_token: String,
    /// The expiry as the service writes it, for example `2030-01-01T00:00:00Z`.
    pub expiration: String,
}

impl Role {
    /// A role with example credentials that expire far in the future.
    #[must_use]
    pub fn example(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: "ExampleRoleSessionToken".to_owned(),
            expiration: "2099-01-01T00:00:00Z".to_owned(),
        }
    }
}

/// One request as the stub saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// For example `PUT`.
    pub method: String,
    /// For example `/latest/api/token`.
    pub path: String,
    /// The status answered.
    pub status: u16,
}

/// The stub, serving on a loopback port until dropped.
#[derive(Debug)]
pub struct ImdsStub {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    role: Mutex<Role>,
    region: String,
    seen: Mutex<Vec<Seen>>,
    stopping: AtomicBool,
}

impl ImdsStub {
    /// Starts the stub for an instance in `region` that has `role`.
    ///
    /// # Errors
    /// [`PartError::System`] when no port can be had.
    pub fn start(role: Role, region: &str) -> Result<Self, PartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(PartError::system("listen for the metadata stub"))?;
        let address = listener
            .local_addr()
            .map_err(PartError::system("read the metadata stub's address"))?;
        let shared = Arc::new(Shared {
            role: Mutex::new(role),
            region: region.to_owned(),
            seen: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
        })
    }

    /// The value for `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Hands out other credentials from now on.
    pub fn set_role(&self, role: Role) {
        *self.shared.role.lock().unwrap_or_else(PoisonError::into_inner) = role;
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ImdsStub {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The thread waits in accept: a connection wakes it.
        let _woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(60));
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(stream) = stream {
            // A client that hangs up half-way, or says nothing, only harms itself.
            let shared = Arc::clone(shared);
            std::thread::spawn(move || answer_one(stream, &shared));
        }
    }
}

struct Request {
    method: String,
    path: String,
    token: Option<String>,
    ttl_seconds: Option<u32>,
}

fn answer_one(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(stream);
    let request = read_request(&mut reader)?;
    let (status, content_type, body) = respond(&request, shared);
    shared
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Seen {
            method: request.method,
            path: request.path,
            status,
        });
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         X-Aws-Ec2-Metadata-Token-Ttl-Seconds: {}\r\nConnection: close\r\n\r\n{body}",
        if status == 200 { "OK" } else { "Refused" },
        body.len(),
        request.ttl_seconds.unwrap_or(21_600),
    )
}

fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Request> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request {
        method,
        path,
        token: None,
        ttl_seconds: None,
    };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok(request);
        };
        match name.to_ascii_lowercase().as_str() {
            "x-aws-ec2-metadata-token" => request.token = Some(value.trim().to_owned()),
            "x-aws-ec2-metadata-token-ttl-seconds" => request.ttl_seconds = value.trim().parse().ok(),
            _other => {}
        }
    }
}

fn respond(request: &Request, shared: &Shared) -> (u16, &'static str, String) {
    const TEXT: &str = "text/plain";
    if request.path == TOKEN_PATH {
        return match (request.method.as_str(), request.ttl_seconds) {
            ("PUT", Some(1..=21_600)) => (200, TEXT, TOKEN.to_owned()),
            ("PUT", _) => (400, TEXT, String::new()),
            _ => (405, TEXT, String::new()),
        };
    }
    if request.token.as_deref() != Some(TOKEN) {
        return (401, TEXT, String::new());
    }
    let role = shared.role.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match request.path.strip_prefix(ROLES_PATH) {
        Some("") => return (200, TEXT, role.name),
        Some(name) if name == role.name => return (200, "application/json", credentials(&role)),
        Some(_) | None => {}
    }
    match request.path.as_str() {
        "/latest/meta-data/placement/region" => (200, TEXT, shared.region.clone()),
        _ => (404, TEXT, String::new()),
    }
}

fn credentials(role: &Role) -> String {
    serde_json::json!({
        "Code": "Success",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": role.access_key_id,
        "SecretAccessKey": role.secret_access_key,
        "Token": role.session_token,
        "Expiration": role.expiration,
    })
    .to_string()
}
