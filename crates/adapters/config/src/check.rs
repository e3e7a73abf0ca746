//! From the shape of the file to the complete configuration. Every problem is collected, not only the first.

mod acme;
mod aws_kms;
mod limits;
mod pkcs11;
mod services;

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;

use authority::Suite;
use names::ClusterName;
use names::HostName;
use names::Ttl;
use serde_saphyr::Location;
use serde_saphyr::Spanned;

use crate::config;
use crate::config::AuthConfig;
use crate::config::CaKeyConfig;
use crate::config::Config;
use crate::config::LogConfig;
use crate::config::LogFormat;
use crate::config::LogOutput;
use crate::config::LogSeverity;
use crate::config::PublicAddr;
use crate::config::StorageConfig;
use crate::environment::Environment;
use crate::error::ConfigError;
use crate::error::Place;
use crate::error::Problem;
use crate::file::At;
use crate::file::AuthServiceFile;
use crate::file::AuthenticationFile;
use crate::file::CaKeyParamsFile;
use crate::file::ConfigFile;
use crate::file::LogFile;
use crate::file::SignetFile;
use crate::file::StorageFile;

/// Checks every value and fills in every default.
pub(crate) fn check(file: ConfigFile, environment: &Environment) -> Result<Config, ConfigError> {
    let mut problems = Problems(Vec::new());
    let ConfigFile {
        version,
        signet,
        auth_service,
        proxy_service,
        ssh_service,
    } = file;
    check_version(version, &mut problems);
    let SignetFile {
        data_dir,
        log,
        storage,
        nodename,
        proxy_server,
        join_params,
        ca_pin,
    } = signet.unwrap_or_default();
    let data_dir = check_data_dir(data_dir, environment, &mut problems);
    let log = check_log(log.unwrap_or_default(), &mut problems);
    let storage = check_storage(storage.unwrap_or_default(), data_dir.as_ref(), &mut problems);
    let auth = check_auth(auth_service.unwrap_or_default(), environment, &mut problems);
    let home = services::Home::of(auth.as_ref());
    let join = services::check_join(
        proxy_server,
        join_params.unwrap_or_default(),
        ca_pin,
        &mut problems,
    );
    let proxy = services::check_proxy(proxy_service.unwrap_or_default(), &home, &mut problems);
    let ssh = services::check_ssh(ssh_service.unwrap_or_default(), &mut problems);
    let node_name = services::check_node_name(nodename, &mut problems);
    // Each of these is absent only when its problem was recorded.
    match (data_dir, log, storage, auth, proxy, ssh, join, node_name) {
        (
            Some(data_dir),
            Some(log),
            Some(storage),
            Some(auth),
            Some(proxy),
            Some(ssh),
            Some(join),
            Some(node_name),
        ) if problems.0.is_empty() => Ok(Config {
            data_dir,
            log,
            storage,
            auth,
            proxy,
            ssh,
            node_name,
            join,
        }),
        _ => Err(ConfigError { problems: problems.0 }),
    }
}

/// The problems found so far.
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Records a problem of a value that is there.
    pub(crate) fn at<T>(
        &mut self,
        path: &str,
        value: &Spanned<T>,
        what: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.record(path, place_of(value.referenced), what.into(), next.into());
    }

    /// Records a problem of something that is missing.
    pub(crate) fn missing(&mut self, path: &str, what: impl Into<String>, next: impl Into<String>) {
        self.record(path, None, what.into(), next.into());
    }

    fn record(&mut self, path: &str, place: Option<Place>, what: String, next: String) {
        self.0.push(Problem {
            path: path.to_owned(),
            place,
            what,
            next,
        });
    }
}

fn place_of(location: Location) -> Option<Place> {
    (location.line() > 0).then(|| Place {
        line: location.line(),
        column: location.column(),
    })
}

/// Parses a value that has a default. A problem is recorded and answered with nothing.
pub(crate) fn parse_or<T>(
    path: &str,
    value: At<String>,
    default: T,
    problems: &mut Problems,
    parse: impl FnOnce(&str) -> Result<T, (String, &'static str)>,
) -> Option<T> {
    let Some(value) = value else { return Some(default) };
    parse(&value.value)
        .map_err(|(what, next)| problems.at(path, &value, what, next))
        .ok()
}

pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

fn check_version(version: At<String>, problems: &mut Problems) {
    if let Some(version) = version
        && version.value != "v1"
    {
        let what = format!("{} is not a version of this file", quoted(&version.value));
        problems.at("version", &version, what, "write v1, or leave it out");
    }
}

fn check_data_dir(value: At<String>, environment: &Environment, problems: &mut Problems) -> Option<PathBuf> {
    const PATH: &str = "signet.data_dir";
    match value {
        Some(value) if value.value.is_empty() => {
            problems.at(
                PATH,
                &value,
                "the directory is empty",
                "name a directory, or leave the key out",
            );
            None
        }
        Some(value) => Some(PathBuf::from(value.value)),
        None => {
            let found = environment.data_dir();
            if found.is_none() {
                problems.missing(
                    PATH,
                    "there is no home directory to keep data in",
                    "name a directory here, or set HOME",
                );
            }
            found
        }
    }
}

fn check_log(file: LogFile, problems: &mut Problems) -> Option<LogConfig> {
    let LogFile {
        severity,
        format,
        output,
    } = file;
    let default = config::LOG;
    let severity = parse_or(
        "signet.log.severity",
        severity,
        default.severity,
        problems,
        |text| match text.to_ascii_lowercase().as_str() {
            "error" | "err" => Ok(LogSeverity::Error),
            "warn" | "warning" => Ok(LogSeverity::Warn),
            "info" => Ok(LogSeverity::Info),
            "debug" => Ok(LogSeverity::Debug),
            "trace" => Ok(LogSeverity::Trace),
            _ => Err((
                format!("{} is no severity", quoted(text)),
                "write error, warn, info, debug or trace",
            )),
        },
    );
    let format = parse_or(
        "signet.log.format",
        format,
        default.format,
        problems,
        |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err((
                format!("{} is no format of a log", quoted(text)),
                "write text or json",
            )),
        },
    );
    let output = parse_or(
        "signet.log.output",
        output,
        default.output,
        problems,
        |text| match text {
            "stderr" => Ok(LogOutput::Stderr),
            "stdout" => Ok(LogOutput::Stdout),
            path if path.starts_with('/') => Ok(LogOutput::File(PathBuf::from(path))),
            _ => Err((
                format!("{} is no output", quoted(text)),
                "write stderr, stdout or the absolute path of a file",
            )),
        },
    );
    Some(LogConfig {
        severity: severity?,
        format: format?,
        output: output?,
    })
}

fn check_storage(
    file: StorageFile,
    data_dir: Option<&PathBuf>,
    problems: &mut Problems,
) -> Option<StorageConfig> {
    let StorageFile { kind, path } = file;
    parse_or("signet.storage.type", kind, (), problems, |text| match text {
        "sqlite" => Ok(()),
        _ => Err((
            format!("{} is no type of storage", quoted(text)),
            "write sqlite, the one there is",
        )),
    })?;
    let directory = match path {
        Some(path) if path.value.is_empty() => {
            problems.at(
                "signet.storage.path",
                &path,
                "the directory is empty",
                "name a directory, or leave the key out",
            );
            return None;
        }
        Some(path) => PathBuf::from(path.value),
        None => data_dir?.join(config::STORAGE_DIRECTORY),
    };
    Some(StorageConfig::Sqlite { directory })
}

fn check_auth(
    file: AuthServiceFile,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<AuthConfig> {
    let AuthServiceFile {
        enabled,
        cluster_name,
        listen_addr,
        web_listen_addr,
        public_addr,
        authentication,
        ca_key_params,
        former_ca_key_params,
        key_quarantine,
        tokens,
        limits,
    } = file;
    let is_cluster_name_configured = cluster_name.is_some();
    let host_cluster = || cluster_name_of_host(&environment.host_name);
    let cluster_name = check_cluster_name(cluster_name, host_cluster, problems);
    let listen_addr = check_address(
        "auth_service.listen_addr",
        listen_addr,
        config::LISTEN_ADDR,
        problems,
    );
    let web_listen_addr = check_address(
        "auth_service.web_listen_addr",
        web_listen_addr,
        config::WEB_LISTEN_ADDR,
        problems,
    );
    let public_addr = parse_or("auth_service.public_addr", public_addr, None, problems, |text| {
        parse_public_addr(text, web_listen_addr.unwrap_or(config::WEB_LISTEN_ADDR).port()).map(Some)
    });
    let AuthenticationFile {
        signature_algorithm_suite,
    } = authentication.unwrap_or_default();
    let suite_path = "auth_service.authentication.signature_algorithm_suite";
    let suite = parse_or(suite_path, signature_algorithm_suite, None, problems, |text| {
        let next = "write legacy, balanced-v1, fips-v1 or hsm-v1";
        text.parse::<Suite>()
            .map(Some)
            .map_err(|_| (format!("{} is no algorithm suite", quoted(text)), next))
    });
    let section = "auth_service.ca_key_params";
    let ca_keys = check_ca_keys(section, ca_key_params.unwrap_or_default(), environment, problems);
    let former_ca_keys = check_former(former_ca_key_params.unwrap_or_default(), environment, problems);
    let quarantine_path = "auth_service.key_quarantine";
    let key_quarantine = parse_or(
        quarantine_path,
        key_quarantine,
        config::KEY_QUARANTINE,
        problems,
        |text| {
            let next = "write a number with a unit, such as 7d or 36h";
            text.parse::<Ttl>().map_err(|error| (error.to_string(), next))
        },
    );
    let limits = limits::check_limits(limits.unwrap_or_default(), problems);
    Some(AuthConfig {
        is_enabled: enabled.is_none_or(|enabled| enabled.value),
        cluster_name: cluster_name?,
        is_cluster_name_configured,
        listen_addr: listen_addr?,
        web_listen_addr: web_listen_addr?,
        public_addr: public_addr?,
        suite: suite?,
        ca_keys: ca_keys?,
        former_ca_keys: former_ca_keys?,
        key_quarantine: key_quarantine?,
        tokens: services::check_tokens(tokens.unwrap_or_default(), problems)?,
        limits: limits?,
    })
}

fn check_cluster_name(
    value: At<String>,
    default: impl FnOnce() -> Option<ClusterName>,
    problems: &mut Problems,
) -> Option<ClusterName> {
    const PATH: &str = "auth_service.cluster_name";
    match value {
        Some(value) => ClusterName::parse(&value.value)
            .map_err(|error| {
                problems.at(
                    PATH,
                    &value,
                    error.to_string(),
                    "write a DNS name of at most 64 bytes, such as prod.example.com",
                );
            })
            .ok(),
        None => {
            let name = default();
            if name.is_none() {
                problems.missing(
                    PATH,
                    "this host has no name to call the cluster by",
                    "name the cluster",
                );
            }
            name
        }
    }
}

/// The cluster's name when the file does not say: the host's, lower-cased, with what a DNS name may not have
/// replaced by hyphens, cut to 64 bytes at a label where possible.
fn cluster_name_of_host(host: &str) -> Option<ClusterName> {
    let spelled: String = host
        .to_ascii_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let mut name = String::new();
    for label in spelled
        .split('.')
        .map(|label| label.trim_matches('-'))
        .filter(|label| !label.is_empty())
    {
        let label: String = label.chars().take(63).collect();
        let label = label.trim_end_matches('-');
        if !name.is_empty() {
            if name.len() + 1 + label.len() > 64 {
                break;
            }
            name.push('.');
        }
        name.push_str(label);
    }
    ClusterName::parse(&name).ok()
}

pub(crate) fn check_address(
    path: &str,
    value: At<String>,
    default: SocketAddr,
    problems: &mut Problems,
) -> Option<SocketAddr> {
    parse_or(path, value, default, problems, |text| {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address);
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let what = match bare.parse::<IpAddr>() {
            Ok(_) => format!("{} has no port", quoted(text)),
            Err(_) => format!("{} is no address to listen on", quoted(text)),
        };
        Err((
            what,
            "write an IP address and a port, such as 127.0.0.1:3025, or 0.0.0.0:3025 for every interface",
        ))
    })
}

pub(crate) fn parse_public_addr(text: &str, default_port: u16) -> Result<PublicAddr, (String, &'static str)> {
    let next = "write a host name and a port, such as auth.example.com:443, without https://";
    let bad = |what: String| (what, next);
    if let Ok(address) = text.parse::<SocketAddr>() {
        let host = HostName::parse(&address.ip().to_string()).map_err(|error| bad(error.to_string()))?;
        return Ok(PublicAddr {
            host,
            port: address.port(),
        });
    }
    if let Ok(host) = HostName::parse(text) {
        return Ok(PublicAddr {
            host,
            port: default_port,
        });
    }
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| bad(format!("{} is no address", quoted(text))))?;
    let host = HostName::parse(host).map_err(|error| bad(error.to_string()))?;
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(PublicAddr { host, port }),
        Ok(_) | Err(_) => Err(bad(format!("{} is no port", quoted(port)))),
    }
}

/// The most former custodies: each is opened at every start.
const FORMER_MAX: usize = 8;

/// Where keys may still live that were made before `ca_key_params` changed.
fn check_former(
    files: Vec<CaKeyParamsFile>,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<Vec<CaKeyConfig>> {
    const PATH: &str = "auth_service.former_ca_key_params";
    if files.len() > FORMER_MAX {
        problems.missing(
            PATH,
            format!("{} entries are too many", files.len()),
            format!("keep at most {FORMER_MAX}"),
        );
        return None;
    }
    let mut former = Vec::new();
    for (index, file) in files.into_iter().enumerate() {
        let section = format!("{PATH}[{index}]");
        match check_ca_keys(&section, file, environment, problems)? {
            CaKeyConfig::Software => {
                let next = "remove the entry; software keys are always found";
                problems.missing(&section, "neither pkcs11 nor aws_kms is given", next);
                return None;
            }
            backend @ (CaKeyConfig::Pkcs11(_) | CaKeyConfig::AwsKms(_)) => former.push(backend),
        }
    }
    Some(former)
}

fn check_ca_keys(
    section: &str,
    file: CaKeyParamsFile,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<CaKeyConfig> {
    let CaKeyParamsFile { pkcs11, aws_kms } = file;
    match (pkcs11, aws_kms) {
        (None, None) => Some(CaKeyConfig::Software),
        (Some(pkcs11), None) => {
            pkcs11::check(&format!("{section}.pkcs11"), pkcs11.value, environment, problems)
                .map(CaKeyConfig::Pkcs11)
        }
        (None, Some(aws_kms)) => {
            aws_kms::check(&format!("{section}.aws_kms"), aws_kms.value, problems).map(CaKeyConfig::AwsKms)
        }
        (Some(_), Some(second)) => {
            problems.at(
                section,
                &second,
                "both pkcs11 and aws_kms are configured, and new keys can go to one place only",
                "keep one of them; to move from one to the other, put the old one under former_ca_key_params and rotate each authority",
            );
            None
        }
    }
}
