//! The services beside the auth service, and how a machine joins.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use names::HostName;
use resource::Document;
use resource::Metadata;
use resource::NodeSpec;
use resource::ResourceName;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde_saphyr::Spanned;
use ssh_cert::Network;

use super::Problems;
use super::acme;
use super::check_address;
use super::parse_or;
use super::parse_public_addr;
use super::quoted;
use crate::config;
use crate::config::AuthConfig;
use crate::config::BalancersConfig;
use crate::config::HttpsFiles;
use crate::config::JoinConfig;
use crate::config::ProxyConfig;
use crate::config::PublicAddr;
use crate::config::SshConfig;
use crate::file::At;
use crate::file::JoinParamsFile;
use crate::file::PinText;
use crate::file::ProxyServiceFile;
use crate::file::SshServiceFile;

/// What the proxy takes over from an auth service in the same process.
pub(super) struct Home {
    is_auth_enabled: bool,
    web_listen_addr: SocketAddr,
    public_addr: Option<PublicAddr>,
}

impl Home {
    pub(super) fn of(auth: Option<&AuthConfig>) -> Self {
        match auth {
            Some(auth) => Self {
                is_auth_enabled: auth.is_enabled,
                web_listen_addr: auth.web_listen_addr,
                public_addr: auth.public_addr.clone(),
            },
            None => Self {
                is_auth_enabled: true,
                web_listen_addr: config::WEB_LISTEN_ADDR,
                public_addr: None,
            },
        }
    }
}

pub(super) fn check_proxy(
    file: ProxyServiceFile,
    home: &Home,
    problems: &mut Problems,
) -> Option<ProxyConfig> {
    let ProxyServiceFile {
        enabled,
        web_listen_addr,
        ssh_listen_addr,
        public_addr,
        https_cert_file,
        https_key_file,
        proxy_protocol,
        trusted_balancers,
        acme,
    } = file;
    if let Some(enabled) = &enabled
        && enabled.value
        && !home.is_auth_enabled
    {
        problems.at(
            "proxy_service.enabled",
            enabled,
            "a proxy runs in the same process as the auth service",
            "enable auth_service as well, or leave the proxy out",
        );
    }
    let web_listen_addr = check_address(
        "proxy_service.web_listen_addr",
        web_listen_addr,
        home.web_listen_addr,
        problems,
    );
    let ssh_listen_addr = check_address(
        "proxy_service.ssh_listen_addr",
        ssh_listen_addr,
        config::PROXY_SSH_LISTEN_ADDR,
        problems,
    );
    let port = web_listen_addr.unwrap_or(home.web_listen_addr).port();
    let usual = home.public_addr.clone();
    let public_addr = parse_or(
        "proxy_service.public_addr",
        public_addr,
        usual,
        problems,
        |text| parse_public_addr(text, port).map(Some),
    );
    let is_enabled = enabled.map_or(home.is_auth_enabled, |enabled| enabled.value);
    let around = acme::Around {
        is_proxy_enabled: is_enabled,
        has_files: https_cert_file.is_some() || https_key_file.is_some(),
        public_addr: public_addr.as_ref().and_then(Option::as_ref),
    };
    let acme = match (acme, &public_addr) {
        (None, _) => Some(None),
        // Whether there is a name cannot be said when it does not read.
        (Some(_), None) => None,
        (Some(acme), Some(_)) => acme::check(acme, &around, problems),
    };
    Some(ProxyConfig {
        is_enabled,
        web_listen_addr: web_listen_addr?,
        ssh_listen_addr: ssh_listen_addr?,
        public_addr: public_addr?,
        https: check_https(https_cert_file, https_key_file, problems)?,
        acme: acme?,
        balancers: check_balancers(proxy_protocol, trusted_balancers, problems)?,
    })
}

fn check_balancers(
    proxy_protocol: At<String>,
    trusted: At<Vec<Spanned<String>>>,
    problems: &mut Problems,
) -> Option<Option<BalancersConfig>> {
    let is_on = parse_or(
        "proxy_service.proxy_protocol",
        proxy_protocol,
        false,
        problems,
        |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err((
                format!("{} is neither on nor off", quoted(text)),
                "write on when a balancer in front sends the header on every connection, off when none does",
            )),
        },
    )?;
    let path = "proxy_service.trusted_balancers";
    let Some(trusted) = trusted else {
        return Some(is_on.then(|| BalancersConfig { networks: Vec::new() }));
    };
    if !is_on || trusted.value.is_empty() {
        let (what, next) = if is_on {
            (
                "the list is empty, and nobody would be let in",
                "name the balancers' networks, or leave the key out to believe whoever connects",
            )
        } else {
            (
                "no header of a balancer is read",
                "write proxy_protocol: on, or leave this key out",
            )
        };
        problems.at(path, &trusted, what, next);
        return None;
    }
    let mut networks = Vec::new();
    for text in trusted.value {
        match Network::parse(&text.value) {
            Ok(network) => networks.push(network),
            Err(error) => {
                let what = format!("{}: {error}", quoted(&text.value));
                problems.at(
                    path,
                    &text,
                    what,
                    "write addresses or networks, such as 192.0.2.0/24",
                );
                return None;
            }
        }
    }
    Some(Some(BalancersConfig { networks }))
}

fn check_https(cert: At<String>, key: At<String>, problems: &mut Problems) -> Option<Option<HttpsFiles>> {
    match (cert, key) {
        (None, None) => Some(None),
        (Some(cert), Some(key)) => Some(Some(HttpsFiles {
            cert_file: PathBuf::from(cert.value),
            key_file: PathBuf::from(key.value),
        })),
        (Some(one), None) => {
            let next = "name the file of its key as well";
            problems.at(
                "proxy_service.https_key_file",
                &one,
                "the certificate has no key",
                next,
            );
            None
        }
        (None, Some(one)) => {
            let next = "name the file of its certificate as well";
            problems.at(
                "proxy_service.https_cert_file",
                &one,
                "the key has no certificate",
                next,
            );
            None
        }
    }
}

pub(super) fn check_ssh(file: SshServiceFile, problems: &mut Problems) -> Option<SshConfig> {
    let SshServiceFile {
        enabled,
        listen_addr,
        public_addr,
        labels,
    } = file;
    let listen_addr = check_address(
        "ssh_service.listen_addr",
        listen_addr,
        config::SSH_LISTEN_ADDR,
        problems,
    );
    let public_addr = parse_or("ssh_service.public_addr", public_addr, None, problems, |text| {
        // It is the port alone that counts: the proxy dials it where the machine is seen to be.
        let parsed = parse_public_addr(text, 0)?;
        if parsed.port == 0 {
            return Err((
                format!("{} has no port", quoted(text)),
                "write the port where the proxy is to dial this machine, such as web-1.example.com:3022",
            ));
        }
        Ok(Some(parsed))
    });
    let mut all = BTreeMap::new();
    for (name, value) in labels.unwrap_or_default() {
        if name.is_empty() || name.len() > 128 || value.value.len() > 1_024 {
            problems.at(
                &format!("ssh_service.labels.{}", quoted(&name)),
                &value,
                "a label has a name of 1 to 128 bytes and a value of at most 1,024",
                "shorten it",
            );
            continue;
        }
        match label_problem(&name, &value.value) {
            None => drop(all.insert(name, value.value)),
            Some(what) => problems.at(
                &format!("ssh_service.labels.{}", quoted(&name)),
                &value,
                what,
                "write a name that roles can select by, such as env or team/web",
            ),
        }
    }
    Some(SshConfig {
        is_enabled: enabled.is_none_or(|enabled| enabled.value),
        listen_addr: listen_addr?,
        public_addr: public_addr?,
        labels: all,
    })
}

pub(super) fn check_join(
    proxy_server: At<String>,
    file: JoinParamsFile,
    ca_pin: Option<Vec<Spanned<String>>>,
    problems: &mut Problems,
) -> Option<Option<JoinConfig>> {
    let JoinParamsFile { method, token_name } = file;
    parse_or(
        "signet.join_params.method",
        method,
        (),
        problems,
        |text| match text {
            "token" => Ok(()),
            _ => Err((
                format!("{} is no method to join by", quoted(text)),
                "write token, the one there is",
            )),
        },
    )?;
    let proxy = parse_or("signet.proxy_server", proxy_server, None, problems, |text| {
        parse_public_addr(text, config::WEB_LISTEN_ADDR.port()).map(Some)
    })?;
    let mut ca_pins = Vec::new();
    for pin in ca_pin.unwrap_or_default() {
        let digits = pin.value.strip_prefix("sha256:").unwrap_or_default();
        if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            ca_pins.push(pin.value.to_ascii_lowercase());
        } else {
            let what = format!("{} is no pin", quoted(&pin.value));
            problems.at(
                "signet.ca_pin",
                &pin,
                what,
                "copy it from `signetctl status`: sha256: and 64 hexadecimal digits",
            );
        }
    }
    match proxy {
        Some(proxy_server) => Some(Some(JoinConfig {
            proxy_server,
            token: token_name.map(|token| token.value.0),
            ca_pins,
            further_roles: Vec::new(),
        })),
        None if token_name.is_some() || !ca_pins.is_empty() => {
            problems.missing(
                "signet.proxy_server",
                "a token and pins are given, and nowhere to join",
                "name the proxy of the cluster: host:port",
            );
            None
        }
        None => Some(None),
    }
}

pub(super) fn check_node_name(value: At<String>, problems: &mut Problems) -> Option<Option<String>> {
    parse_or("signet.nodename", value, None, problems, |text| {
        HostName::parse(text)
            .map(|name| Some(name.to_string()))
            .map_err(|error| (error.to_string(), "write a host name, such as web-1"))
    })
}

/// What would have the node that this machine announces refused for a label.
fn label_problem(name: &str, value: &str) -> Option<String> {
    let metadata = Metadata {
        labels: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..Metadata::named(ResourceName::parse("label").ok()?)
    };
    let spec = NodeSpec {
        hostname: "label".to_owned(),
        use_tunnel: true,
        ..NodeSpec::default()
    };
    let problems = Document::new(metadata, spec).check().err()?;
    let mut of_labels = problems
        .iter()
        .filter(|problem| problem.path.starts_with("metadata.labels"));
    of_labels.next().map(|problem| problem.what.clone())
}

/// Tokens from the configuration, as whoever joins must have them; those in files are read where they are used.
pub(super) fn check_tokens(
    tokens: Vec<Spanned<PinText>>,
    problems: &mut Problems,
) -> Option<Vec<SecretString>> {
    let (mut all, mut is_good) = (Vec::new(), true);
    for token in tokens {
        let has_both = token
            .value
            .0
            .expose_secret()
            .split_once(':')
            .is_some_and(|(roles, secret)| !roles.is_empty() && !secret.is_empty());
        if !has_both {
            problems.at(
                "auth_service.tokens",
                &token,
                "it has no system roles before a colon, or no secret after it",
                "write node,proxy:SECRET, or node:/path/of/a/file",
            );
            is_good = false;
            continue;
        }
        if let Err(refusal) = enrollment::parse_static_token(token.value.0.expose_secret()) {
            problems.at(
                "auth_service.tokens",
                &token,
                refusal.to_string(),
                "write node,proxy:SECRET with 16 characters or more, such as `openssl rand -hex 16` prints, or node:/path/of/a/file",
            );
            is_good = false;
            continue;
        }
        all.push(token.value.0);
    }
    is_good.then_some(all)
}

#[cfg(test)]
mod tests;
