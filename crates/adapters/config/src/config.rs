use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use authority::Suite;
use names::ClusterName;
use names::HostName;
use names::Ttl;
use secrecy::SecretString;
use ssh_cert::Network;

/// A complete configuration: checked, with every default filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept that has to survive a restart.
    pub data_dir: PathBuf,
    /// What is logged, and where to.
    pub log: LogConfig,
    /// Where state and ledger live.
    pub storage: StorageConfig,
    /// The auth service.
    pub auth: AuthConfig,
    /// The proxy service.
    pub proxy: ProxyConfig,
    /// The SSH service.
    pub ssh: SshConfig,
    /// What this machine calls itself; the name of the host where nothing is said.
    pub node_name: Option<String>,
    /// How this machine joins a cluster whose auth service runs elsewhere.
    pub join: Option<JoinConfig>,
}

impl Config {
    /// The socket for the operator of the host.
    pub fn socket_path(&self) -> PathBuf {
        self.data_dir.join(SOCKET_NAME)
    }
}

/// What is logged, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The least severity that is logged.
    pub severity: LogSeverity,
    /// The form of a line.
    pub format: LogFormat,
    /// Where lines go.
    pub output: LogOutput,
}

/// How severe a log line is. Grows with detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogSeverity {
    /// Something failed.
    Error,
    /// Something will.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl LogSeverity {
    /// The word in configurations and filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Where log lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
}

/// Where state and ledger live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageConfig {
    /// SQLite databases in a directory of their own.
    Sqlite {
        /// The directory.
        directory: PathBuf,
    },
}

/// The auth service.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Whether this process runs it.
    pub is_enabled: bool,
    /// The cluster's name. It is fixed at the cluster's birth.
    pub cluster_name: ClusterName,
    /// Whether the file names the cluster, rather than this host doing so.
    pub is_cluster_name_configured: bool,
    /// Where the API listens (mutual TLS).
    pub listen_addr: SocketAddr,
    /// Where what everybody may read is served: certificates, revocation lists, key sets.
    pub web_listen_addr: SocketAddr,
    /// How others reach `web_listen_addr`: the issuer of tokens, the distribution points of revocation lists.
    pub public_addr: Option<PublicAddr>,
    /// Which algorithms new keys have; nothing means that the cluster's own stays, and that a new cluster gets the
    /// one that fits its custody.
    pub suite: Option<Suite>,
    /// What holds new keys.
    pub ca_keys: CaKeyConfig,
    /// Where keys may still live that were made before; they go on signing until their authority is rotated.
    pub former_ca_keys: Vec<CaKeyConfig>,
    /// How long a key stays restorable before it is destroyed.
    pub key_quarantine: Ttl,
    /// Tokens to join with that do not end: `node,proxy:SECRET`, or a path instead of the secret. `Debug` does not show them.
    pub tokens: Vec<SecretString>,
    /// How often one address may try to get in.
    pub limits: LimitsConfig,
}

/// How often one address (of IPv6, one /64) may try to get in. All of one /48 of IPv6 together have eight times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Log-ins and uses of links, a minute on average.
    pub log_ins_per_minute: u32,
    /// Log-ins and uses of links in a burst.
    pub log_ins_burst: u32,
    /// Joins of machines, a minute on average.
    pub joins_per_minute: u32,
    /// Joins of machines in a burst.
    pub joins_burst: u32,
}

/// The proxy service: the public face of the cluster.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Whether this process runs it.
    pub is_enabled: bool,
    /// Where everything is served over TLS: web, API, SSH and tunnels.
    pub web_listen_addr: SocketAddr,
    /// Where SSH is served without TLS around it.
    pub ssh_listen_addr: SocketAddr,
    /// How people and machines reach `web_listen_addr`.
    pub public_addr: Option<PublicAddr>,
    /// The certificate and the key to present, PEM; the host authority's when `None`.
    pub https: Option<HttpsFiles>,
    /// The ACME server that certifies it, when one does. Never together with `https`.
    pub acme: Option<AcmeConfig>,
    /// Balancers in front that say where clients come from, when every connection has to begin with that.
    pub balancers: Option<BalancersConfig>,
}

/// A certificate from an ACME server (RFC 8555).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeConfig {
    /// The name to certify: that of the proxy's public address, never an IP address.
    pub name: HostName,
    /// Where the server may write to.
    pub email: Option<String>,
    /// The address of the server's directory, beginning with `https://`.
    pub directory: String,
    /// The authorities that vouch for the server itself, PEM; the system's when `None`.
    pub ca_file: Option<PathBuf>,
    /// What the account is bound to at the server.
    pub binding: Option<AcmeBinding>,
}

/// The binding of an ACME account to a customer of the server (RFC 8555 section 7.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeBinding {
    /// The id of the key.
    pub key_id: String,
    /// The file that holds the key, in base64url.
    pub hmac_key_file: PathBuf,
}

/// Balancers of TCP in front of the proxy, which send a header of the PROXY protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancersConfig {
    /// Where they are; empty believes whoever connects.
    pub networks: Vec<Network>,
}

/// A certificate in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsFiles {
    /// The certificate and those between it and its root.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// The SSH service: log-in to this machine.
#[derive(Debug, Clone)]
pub struct SshConfig {
    /// Whether this process runs it.
    pub is_enabled: bool,
    /// Where it listens.
    pub listen_addr: SocketAddr,
    /// How the proxy reaches it, when not by a tunnel and not at `listen_addr`.
    pub public_addr: Option<PublicAddr>,
    /// The machine's labels.
    pub labels: BTreeMap<String, String>,
}

/// How a machine joins a cluster.
#[derive(Debug, Clone)]
pub struct JoinConfig {
    /// The proxy: `host:port`.
    pub proxy_server: PublicAddr,
    /// The secret, or the absolute path of a file whose first line it is. `Debug` does not show it. Needed for joining only.
    pub token: Option<SecretString>,
    /// The pins of the host authority, `sha256:` and 64 hexadecimal digits.
    pub ca_pins: Vec<String>,
    /// The system roles to join in besides those of the services that run here: no key of the file, but of the command line.
    pub further_roles: Vec<String>,
}

/// A name others reach us by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddr {
    /// The host.
    pub host: HostName,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for PublicAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        match host.address() {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:{port}"),
            Some(IpAddr::V4(_)) | None => write!(f, "{host}:{port}"),
        }
    }
}

/// What holds new keys.
#[derive(Debug, Clone)]
pub enum CaKeyConfig {
    /// The cluster's own state, sealed.
    Software,
    /// A PKCS#11 token.
    Pkcs11(Pkcs11Config),
    /// The key management service of AWS.
    AwsKms(AwsKmsConfig),
}

/// A PKCS#11 token.
#[derive(Debug, Clone)]
pub struct Pkcs11Config {
    /// The vendor's module, an absolute path.
    pub module_path: PathBuf,
    /// Which token.
    pub token: TokenChoice,
    /// How to log in to it.
    pub pin: PinSource,
    /// The most sessions to open, at least 2; nothing means as many as suit the token.
    pub max_sessions: Option<u32>,
}

/// Which token of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenChoice {
    /// The one with this label.
    Label(String),
    /// The one in this slot.
    Slot(u64),
}

/// Where a PIN comes from.
#[derive(Debug, Clone)]
pub enum PinSource {
    /// It is given. `Debug` does not show it.
    Given(SecretString),
    /// It is the content of a file, less line ends at its end.
    File(PathBuf),
}

/// The key management service of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKmsConfig {
    /// The account that keys are made in: 12 digits.
    pub account: AwsAccount,
    /// The region this server uses.
    pub region: AwsRegion,
    /// Tags for new keys. `SignetCluster` is added with the cluster's name, unless it is here.
    pub tags: BTreeMap<String, String>,
    /// Copies of keys in other regions; nothing means keys of one region.
    pub multi_region: Option<MultiRegion>,
    /// How many days KMS keeps a key whose deletion was asked for, 7 to 30; nothing means 7.
    pub deletion_window_days: Option<u8>,
}

/// Keys that exist in several regions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRegion {
    /// Where keys are made and copied from.
    pub primary_region: AwsRegion,
    /// Where they are copied to.
    pub replica_regions: Vec<AwsRegion>,
}

/// An AWS account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAccount(String);

impl AwsAccount {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())).then(|| Self(text.to_owned()))
    }

    /// The account as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An AWS region, such as `eu-central-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsRegion(String);

impl AwsRegion {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let (last, words) = parts.split_last()?;
        let is_number = !last.is_empty() && last.len() <= 2 && last.bytes().all(|b| b.is_ascii_digit());
        let is_word = |word: &&str| {
            !word.is_empty() && word.len() <= 16 && word.bytes().all(|b| b.is_ascii_lowercase())
        };
        (words.len() >= 2 && words.len() <= 4 && is_number && words.iter().all(is_word))
            .then(|| Self(text.to_owned()))
    }

    /// The region as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The default of `auth_service.listen_addr`.
pub const LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3025);
/// The default of `auth_service.web_listen_addr`.
pub const WEB_LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3080);
/// The default of `proxy_service.ssh_listen_addr`.
pub const PROXY_SSH_LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3023);
/// The default of `proxy_service.acme.uri`: Let's Encrypt.
pub const ACME_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The default of `ssh_service.listen_addr`.
pub const SSH_LISTEN_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3022);
/// The default of `auth_service.key_quarantine`: 7 days.
pub const KEY_QUARANTINE: Ttl = Ttl::from_days(7);
/// The defaults of `auth_service.limits`.
pub const LIMITS: LimitsConfig = LimitsConfig {
    log_ins_per_minute: 20,
    log_ins_burst: 40,
    joins_per_minute: 300,
    joins_burst: 1_000,
};
/// The default of `signet.log`.
pub const LOG: LogConfig = LogConfig {
    severity: LogSeverity::Info,
    format: LogFormat::Text,
    output: LogOutput::Stderr,
};
/// The directory of databases below the data directory, when `signet.storage.path` is absent.
pub const STORAGE_DIRECTORY: &str = "backend";
/// The socket for the operator of the host, below the data directory.
pub const SOCKET_NAME: &str = "signet.sock";
/// The tag that says which cluster a key in AWS KMS belongs to.
pub const CLUSTER_TAG: &str = "SignetCluster";
