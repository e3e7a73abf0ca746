//! The configuration of a daemon under test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the cluster is called, where a test does not say otherwise.
pub const CLUSTER: &str = "prod.example.com";
/// What the host of a whole cluster is called.
pub const HOST: &str = "web-1";

/// Where the services listen, on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// The API.
    pub(crate) api: u16,
    /// The listener that everybody may use.
    pub(crate) web: u16,
    /// The proxy's SSH.
    pub(crate) jump: u16,
    /// The host's SSH.
    pub(crate) node: u16,
}

/// What a test chooses; everything else is the daemon's default, apart from directories and ports.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `auth_service.cluster_name`.
    pub cluster_name: String,
    /// The host of `auth_service.public_addr`; its port is the public listener's.
    pub public_host: String,
    /// The address that the public listener and the proxy's SSH listen on.
    pub listen: String,
    /// `auth_service.key_quarantine`; the default of seven days when `None`.
    pub key_quarantine: Option<Duration>,
    /// `auth_service.authentication.signature_algorithm_suite`.
    pub suite: Option<String>,
    /// `auth_service.ca_key_params`: where new keys are made.
    pub keys: CaKeys,
    /// `auth_service.former_ca_key_params`: where keys made earlier still live. Software is never named here.
    pub former_keys: Vec<CaKeys>,
    /// Whether the proxy and the SSH service run in the same process, as they do by default.
    pub is_whole: bool,
    /// `proxy_service.acme`; only for a whole cluster.
    pub acme: Option<Acme>,
    /// The port where the proxy listens behind a balancer, which is at the public port and says where clients come from; only for a whole
    /// cluster.
    pub behind: Option<u16>,
    /// `signet.storage.path`; inside the data directory when `None`.
    pub storage: Option<PathBuf>,
    /// Variables for the daemon. It sees no other but `PATH` and a `HOME` of its own.
    pub environment: Vec<(String, String)>,
}

/// An ACME server that certifies the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// `uri`.
    pub uri: String,
    /// `ca_file`.
    pub ca_file: PathBuf,
}

/// Where keys live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaKeys {
    /// In the cluster's own state, sealed.
    Software,
    /// In a PKCS#11 token.
    Pkcs11(Token),
    /// In AWS KMS.
    AwsKms(Aws),
}

/// How a token is named in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `module_path`.
    pub module: PathBuf,
    /// `token_label`.
    pub label: String,
    /// `pin`.
    pub pin: String,
}

/// How KMS is named in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    /// `account`.
    pub account: String,
    /// `region`.
    pub region: String,
    /// `tags`.
    pub tags: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster_name: CLUSTER.to_owned(),
            public_host: "localhost".to_owned(),
            listen: "127.0.0.1".to_owned(),
            key_quarantine: None,
            suite: None,
            keys: CaKeys::Software,
            former_keys: Vec::new(),
            is_whole: false,
            acme: None,
            behind: None,
            storage: None,
            environment: Vec::new(),
        }
    }
}

impl Settings {
    /// A cluster that people use: auth, proxy and SSH service in one process. The host is called [`HOST`] and has the label
    /// `env=prod`.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            is_whole: true,
            ..Self::default()
        }
    }

    /// New keys are made in `keys`.
    #[must_use]
    pub fn with_keys(keys: CaKeys) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// How long retired keys stay.
    #[must_use]
    pub fn with_quarantine(mut self, quarantine: Duration) -> Self {
        self.key_quarantine = Some(quarantine);
        self
    }

    /// Adds variables to the daemon's environment.
    #[must_use]
    pub fn with_environment<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        self.environment.extend(variables);
        self
    }

    /// The configuration file.
    pub(crate) fn yaml(&self, data: &Path, ports: Ports) -> String {
        let Ports { api, web, jump, node } = ports;
        let Self {
            cluster_name,
            public_host,
            listen,
            key_quarantine,
            suite,
            keys,
            former_keys,
            is_whole,
            acme,
            behind,
            storage,
            environment: _,
        } = self;
        let mut text = format!("version: v1\nsignet:\n  data_dir: {}\n", data.display());
        if let Some(path) = storage {
            line(
                &mut text,
                &format!("  storage: {{type: sqlite, path: {}}}", path.display()),
            );
        }
        if *is_whole {
            line(&mut text, &format!("  nodename: {HOST}"));
            line(
                &mut text,
                &format!("proxy_service:\n  ssh_listen_addr: \"{listen}:{jump}\""),
            );
            if let Some(port) = behind {
                line(&mut text, &format!("  web_listen_addr: 127.0.0.1:{port}"));
                line(&mut text, "  proxy_protocol: on");
                line(&mut text, "  trusted_balancers: [127.0.0.0/8]");
            }
            if let Some(Acme { uri, ca_file }) = acme {
                let ca_file = ca_file.display();
                line(
                    &mut text,
                    &format!(
                        "  acme: {{enabled: true, email: ops@example.com, uri: {uri:?}, ca_file: {ca_file}}}"
                    ),
                );
            }
            line(
                &mut text,
                &format!("ssh_service: {{listen_addr: \"127.0.0.1:{node}\", labels: {{env: prod}}}}"),
            );
        } else {
            // Suites about authorities run the auth service alone: nothing else is to wait for.
            line(&mut text, "proxy_service: {enabled: false}");
            line(&mut text, "ssh_service: {enabled: false}");
        }
        line(&mut text, "auth_service:");
        line(&mut text, &format!("  cluster_name: {cluster_name}"));
        line(&mut text, &format!("  listen_addr: 127.0.0.1:{api}"));
        line(&mut text, &format!("  web_listen_addr: {listen}:{web}"));
        line(&mut text, &format!("  public_addr: {public_host}:{web}"));
        if let Some(quarantine) = key_quarantine {
            line(&mut text, &format!("  key_quarantine: {}s", quarantine.as_secs()));
        }
        if let Some(suite) = suite {
            line(&mut text, "  authentication:");
            line(&mut text, &format!("    signature_algorithm_suite: {suite}"));
        }
        if *keys != CaKeys::Software {
            line(&mut text, &format!("  ca_key_params: {}", keys.flow_style()));
        }
        if !former_keys.is_empty() {
            line(&mut text, "  former_ca_key_params:");
            for keys in former_keys {
                line(&mut text, &format!("    - {}", keys.flow_style()));
            }
        }
        text
    }
}

impl CaKeys {
    fn flow_style(&self) -> String {
        match self {
            Self::Software => "{}".to_owned(),
            Self::Pkcs11(Token { module, label, pin }) => format!(
                "{{pkcs11: {{module_path: {}, token_label: {label:?}, pin: {pin:?}}}}}",
                module.display()
            ),
            Self::AwsKms(Aws {
                account,
                region,
                tags,
            }) => {
                let tags: Vec<String> = tags
                    .iter()
                    .map(|(key, value)| format!("{key}: {value:?}"))
                    .collect();
                format!(
                    "{{aws_kms: {{account: {account:?}, region: {region}, tags: {{{}}}}}}}",
                    tags.join(", ")
                )
            }
        }
    }
}

fn line(text: &mut String, line: &str) {
    let _infallible = writeln!(text, "{line}");
}
