//! The configuration file of signetd: parsed, checked, complete with its defaults.
//!
//! [`load`] is the one way in: YAML text and the [`Environment`] go in, a [`Config`] with every default filled in comes
//! out, or a [`ConfigError`] with every problem, its path, its place and what to do. Nothing here reads a file, the
//! environment or the clock, and no error shows a PIN.
//!
//! The file as it is written is `file::ConfigFile`; nobody outside sees it.

mod check;
mod config;
mod environment;
mod error;
mod file;
mod locate;
mod parse;
mod reference;
mod suggest;
mod without;

pub use config::{
    ACME_DIRECTORY, AcmeBinding, AcmeConfig, AuthConfig, AwsAccount, AwsKmsConfig, AwsRegion, CLUSTER_TAG,
    CaKeyConfig, Config, HttpsFiles, JoinConfig, KEY_QUARANTINE, LIMITS, LISTEN_ADDR, LOG, LimitsConfig,
    LogConfig, LogFormat, LogOutput, LogSeverity, MultiRegion, PROXY_SSH_LISTEN_ADDR, PinSource,
    Pkcs11Config, ProxyConfig, PublicAddr, SOCKET_NAME, SSH_LISTEN_ADDR, STORAGE_DIRECTORY, SshConfig,
    StorageConfig, TokenChoice, WEB_LISTEN_ADDR,
};
pub use environment::Environment;
pub use error::{ConfigError, Place, Problem};
pub use reference::reference_markdown;

/// A configuration with every key, its default and what it is for, as `signetd configure` prints it.
pub const SAMPLE: &str = include_str!("sample.yaml");

/// Reads a configuration; an empty text is one with every default.
///
/// # Errors
/// When the text is not YAML, has unknown or repeated keys, or values that cannot be used.
pub fn load(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    let (file, mut problems) = parse::parse(text)?;
    match check::check(file, environment) {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(ConfigError { problems }),
        Err(others) => {
            problems.extend(others.problems);
            Err(ConfigError { problems })
        }
    }
}

#[cfg(test)]
mod tests;
