use std::path::PathBuf;

use names::UnixSeconds;

use crate::failure::Failure;
use crate::home::Home;
use crate::trust::Following;

/// What the surroundings say, read once.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The moment of the call.
    pub(crate) now: UnixSeconds,
    /// What is kept between runs.
    pub(crate) home: Home,
    /// The socket of the running SSH agent.
    pub(crate) agent: Option<PathBuf>,
    /// The name of the local account.
    pub(crate) local_user: Option<String>,
    /// The type of the terminal.
    pub(crate) terminal: Option<String>,
    /// This program.
    pub(crate) program: PathBuf,
    /// The certificates of authorities that everybody trusts, where the system keeps them.
    pub(crate) web_roots: Option<PathBuf>,
    /// What opens pages in a browser, where there is a screen for one.
    pub(crate) opener: Option<PathBuf>,
    /// What is asked beside the command.
    pub(crate) following: Following,
}

/// Where systems keep the certificates of authorities that everybody trusts.
const WEB_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let home = match (variable("SIGNET_HOME"), variable("HOME")) {
            (Some(home), _) => PathBuf::from(home),
            (None, Some(home)) => PathBuf::from(home).join(".signet"),
            (None, None) => {
                return Err(Failure::usage(
                    "there is no home directory to keep certificates in",
                    "set HOME, or SIGNET_HOME to a directory of your own",
                ));
            }
        };
        let web_roots = match variable("SSL_CERT_FILE") {
            Some(file) => Some(PathBuf::from(file)),
            None => WEB_ROOTS.iter().map(PathBuf::from).find(|file| file.exists()),
        };
        Ok(Self {
            now: now(),
            home: Home::new(home),
            agent: variable("SSH_AUTH_SOCK").map(PathBuf::from),
            local_user: text("USER").or_else(|| text("LOGNAME")),
            terminal: text("TERM"),
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("signet")),
            web_roots,
            opener: terminal::page_opener(
                variable("DISPLAY")
                    .or_else(|| variable("WAYLAND_DISPLAY"))
                    .is_some(),
            ),
            following: Following::default(),
        })
    }
}

#[cfg(test)]
impl Environment {
    /// Surroundings that say nothing, at a moment, with what is kept below a folder.
    pub(crate) fn bare(now: UnixSeconds, place: &std::path::Path) -> Self {
        Self {
            now,
            home: Home::new(place.join("home")),
            agent: None,
            local_user: None,
            terminal: None,
            program: PathBuf::from("signet"),
            web_roots: None,
            opener: None,
            following: Following::default(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here, once")]
fn now() -> UnixSeconds {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    UnixSeconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}
