//! Who the user is while they are logged in.

use std::path::Path;
use std::path::PathBuf;

use api_client::Client;
use api_client::Identity;
use clap::Args;
use names::ClusterName;
use names::UnixSeconds;
use zeroize::Zeroizing;

use crate::cluster::Cluster;
use crate::cluster::proxy_address;
use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::files;
use crate::home::Login;
use crate::home::Place;
use crate::home::Profile;
use crate::login;

/// Whose certificates are used.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct SessionArgs {
    /// The proxy of the cluster, as HOST:PORT; the one of the latest log-in when left out
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "SIGNET_PROXY",
        hide_env_values = true,
        value_parser = proxy_address
    )]
    pub(crate) proxy: Option<String>,
    /// A file that `signet login --out` wrote, instead of the certificates of the latest log-in
    #[arg(
        long = "identity",
        short = 'i',
        global = true,
        value_name = "FILE",
        env = "SIGNET_IDENTITY_FILE",
        hide_env_values = true
    )]
    pub(crate) identity: Option<PathBuf>,
}

/// Somebody who is logged in, with what proves it.
pub(crate) struct Session {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// Who, and what they may.
    pub(crate) login: Login,
    /// Keys and certificates.
    pub(crate) credentials: Credentials,
}

/// Keys, certificates and trust.
pub(crate) struct Credentials {
    /// The SSH key, in OpenSSH's form.
    pub(crate) ssh_key: Zeroizing<String>,
    /// The SSH certificate, a line.
    pub(crate) ssh_certificate: String,
    /// The TLS key, PKCS#8 in PEM.
    pub(crate) tls_key: Zeroizing<String>,
    /// The TLS certificate, PEM.
    pub(crate) tls_certificate: String,
    /// `@cert-authority` lines.
    pub(crate) known_hosts: String,
}

/// How the lines of SSH certificates begin that are for keys made here.
const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com ";
/// The first line of an identity file, before the facts.
const FACTS: &str = "# signet ";

impl SessionArgs {
    /// The proxy that is meant: the named one, or that of the latest log-in.
    pub(crate) fn proxy(&self, environment: &Environment) -> Result<Option<String>, Failure> {
        match &self.proxy {
            Some(proxy) => Ok(Some(proxy.clone())),
            None => environment.home.current(),
        }
    }

    /// The cluster that is meant, if it was met before.
    pub(crate) fn known_cluster(&self, environment: &Environment) -> Result<Option<Cluster>, Failure> {
        match self.proxy(environment)? {
            Some(proxy) => Cluster::known(environment, &proxy),
            None => Ok(None),
        }
    }

    /// What is known of who is logged in, without what proves it.
    pub(crate) fn profile(&self, environment: &Environment) -> Result<Option<Profile>, Failure> {
        if let Some(file) = &self.identity {
            return Ok(Some(parse_file(&read_identity(file)?, file)?.0));
        }
        match self.proxy(environment)? {
            Some(proxy) => environment.home.profile(&proxy),
            None => Ok(None),
        }
    }

    /// The SSH certificate of somebody who is logged in, a line; nothing where there is none.
    pub(crate) fn certificate(
        &self,
        profile: &Profile,
        environment: &Environment,
    ) -> Result<Option<String>, Failure> {
        let Some(file) = &self.identity else {
            return files::read_if_there(&environment.home.place(&profile.proxy).ssh_certificate());
        };
        let text = read_identity(file)?;
        let line = text.lines().find(|line| line.starts_with(CERTIFICATE));
        Ok(line.map(ToOwned::to_owned))
    }

    /// Who is logged in. When their certificates have ended, they are asked to log in again; without somebody to ask, that is what the error says.
    pub(crate) async fn session(&self, environment: &Environment) -> Result<Session, Failure> {
        if let Some(file) = &self.identity {
            return self.of_file(file, environment);
        }
        let profile = self.profile(environment)?.ok_or_else(Failure::not_logged_in)?;
        let Some(login) = profile.login.clone() else {
            return Err(
                Failure::failed(format!("you are not logged in at {}", profile.proxy)).with_hint(format!(
                    "log in: `signet login --proxy={} --user=NAME`",
                    profile.proxy
                )),
            );
        };
        if environment.now < login.not_after {
            let place = environment.home.place(&profile.proxy);
            let session = Session::load(&place, profile, login)?;
            environment.following.begin(&session, &environment.home);
            return Ok(session);
        }
        if !console::is_attended() {
            return Err(expired(&profile.proxy, &login));
        }
        console::tell(&format!("Your certificates ended at {}.", login.not_after));
        if !console::confirm_usual(&format!("Log in again as {} at {}?", login.user, profile.proxy))? {
            return Err(expired(&profile.proxy, &login));
        }
        login::again(environment, &profile.proxy, &login).await
    }

    fn of_file(&self, file: &Path, environment: &Environment) -> Result<Session, Failure> {
        files::check_private(file)?;
        let text = read_identity(file)?;
        let (mut profile, login) = parse_file(&text, file)?;
        if environment.now >= login.not_after {
            return Err(expired(&profile.proxy, &login));
        }
        if let Some(proxy) = self.proxy.as_ref().filter(|proxy| **proxy != profile.proxy) {
            profile.proxy.clone_from(proxy);
            // That was said of the other one.
            profile.tls_in_front = false;
        }
        let part = |label: &str| pem_blocks(&text, label);
        let lines = |prefix: &str| -> String {
            let found = text.lines().filter(|line| line.starts_with(prefix));
            found.map(|line| format!("{line}\n")).collect()
        };
        let certificates = part("CERTIFICATE");
        let (own, authorities) = certificates
            .split_first()
            .ok_or_else(|| damaged(file, "it has no certificates"))?;
        let first = |label: &str| {
            let block = part(label).into_iter().next();
            block.ok_or_else(|| damaged(file, "a private key is missing"))
        };
        let (tls_key, ssh_key) = (first("PRIVATE KEY")?, first("OPENSSH PRIVATE KEY")?);
        Ok(Session {
            cluster: Cluster::of(profile, authorities.concat()),
            login,
            credentials: Credentials {
                ssh_key: Zeroizing::new(ssh_key),
                ssh_certificate: lines(CERTIFICATE),
                tls_key: Zeroizing::new(tls_key),
                tls_certificate: own.clone(),
                known_hosts: lines("@cert-authority "),
            },
        })
    }
}

impl Session {
    fn load(place: &Place, profile: Profile, login: Login) -> Result<Self, Failure> {
        let read = |path: PathBuf| {
            files::read_if_there(&path)?.ok_or_else(|| {
                Failure::failed(format!("{} is missing", path.display())).with_hint(format!(
                    "log in again: `signet login --proxy={} --user={}`",
                    profile.proxy, login.user
                ))
            })
        };
        for directory in place.directories() {
            files::check_unshared(directory)?;
        }
        for key in [place.ssh_key(), place.tls_key()] {
            files::check_private(&key)?;
        }
        let credentials = Credentials {
            ssh_key: Zeroizing::new(read(place.ssh_key())?),
            ssh_certificate: read(place.ssh_certificate())?,
            tls_key: Zeroizing::new(read(place.tls_key())?),
            tls_certificate: read(place.tls_certificate())?,
            known_hosts: read(place.known_hosts())?,
        };
        let authorities = read(place.authorities())?;
        Ok(Self {
            cluster: Cluster::of(profile, authorities),
            login,
            credentials,
        })
    }

    /// The API, as this user.
    pub(crate) fn api(&self) -> Result<Client, Failure> {
        let Credentials {
            tls_key,
            tls_certificate,
            ..
        } = &self.credentials;
        let pem = Zeroizing::new(format!(
            "{}{tls_certificate}{}",
            tls_key.as_str(),
            self.cluster.authorities
        ));
        let identity = Identity::parse(pem.as_bytes())
            .map_err(|error| Failure::local("the stored certificates cannot be used", &error))?;
        self.cluster.api(identity)
    }

    /// Everything in one file, for programs that run without a home directory.
    pub(crate) fn to_file(&self) -> Result<Zeroizing<String>, Failure> {
        let profile = Profile {
            proxy: self.cluster.proxy.clone(),
            cluster: self.cluster.name.clone(),
            login: Some(self.login.clone()),
            tls_in_front: self.cluster.is_fronted,
        };
        let facts = serde_json::to_string(&profile)
            .map_err(|error| Failure::local("cannot write the identity file", &error))?;
        let Credentials {
            ssh_key,
            ssh_certificate,
            tls_key,
            tls_certificate,
            known_hosts,
        } = &self.credentials;
        Ok(Zeroizing::new(format!(
            "{FACTS}{facts}\n{}{tls_certificate}{}{}{}\n{known_hosts}",
            tls_key.as_str(),
            self.cluster.authorities,
            ssh_key.as_str(),
            ssh_certificate.trim_end(),
        )))
    }
}

fn expired(proxy: &str, login: &Login) -> Failure {
    Failure::failed(format!("your certificates ended at {}", login.not_after)).with_hint(format!(
        "log in again: `signet login --proxy={proxy} --user={}`",
        login.user
    ))
}

/// `2 h 5 min` until a moment, or nothing when it has passed.
pub(crate) fn remaining(now: UnixSeconds, end: UnixSeconds) -> Option<String> {
    let seconds = end.0.saturating_sub(now.0);
    if seconds <= 0 {
        return None;
    }
    let (hours, minutes) = (seconds.div_euclid(3600), seconds.rem_euclid(3600).div_euclid(60));
    Some(match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    })
}

fn read_identity(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = std::fs::read_to_string(file);
    text.map(Zeroizing::new)
        .map_err(|error| Failure::local(&format!("cannot read {}", file.display()), &error))
}

fn damaged(file: &Path, what: &str) -> Failure {
    Failure::failed(format!("{} cannot be used: {what}", file.display()))
        .with_hint("make a new one: `signet login --proxy=HOST:3080 --user=NAME --out=FILE`")
}

fn parse_file(text: &str, file: &Path) -> Result<(Profile, Login), Failure> {
    let facts = text.lines().next().and_then(|line| line.strip_prefix(FACTS));
    let facts = facts.ok_or_else(|| damaged(file, "it is no identity file of signet"))?;
    let profile: Profile = serde_json::from_str(facts).map_err(|error| damaged(file, &error.to_string()))?;
    ClusterName::parse(&profile.cluster).map_err(|error| damaged(file, &error.to_string()))?;
    let login = profile.login.clone();
    let login = login.ok_or_else(|| damaged(file, "it does not say whose it is"))?;
    Ok((profile, login))
}

/// The blocks with this label, each with its first and last line.
fn pem_blocks(text: &str, label: &str) -> Vec<String> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        if line == begin {
            open = Some(String::new());
        }
        if let Some(block) = &mut open {
            block.push_str(line);
            block.push('\n');
        }
        if line == end {
            blocks.extend(open.take());
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_file_is_read_as_it_was_written() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let login = Login {
            user: "alice".to_owned(),
            roles: vec!["access".to_owned()],
            logins: vec!["root".to_owned()],
            not_after: UnixSeconds(2_000),
            is_outgoing: false,
            is_by_browser: false,
        };
        let profile = Profile {
            proxy: "p:3080".to_owned(),
            cluster: "example.com".to_owned(),
            login: None,
            tls_in_front: false,
        };
        let session = Session {
            cluster: Cluster::of(profile, block("CERTIFICATE").replace("AAAA", "CA")),
            login: login.clone(),
            credentials: Credentials {
                ssh_key: Zeroizing::new(block("OPENSSH PRIVATE KEY")),
                ssh_certificate: "ssh-ed25519-cert-v01@openssh.com CCCC alice\n".to_owned(),
                tls_key: Zeroizing::new(block("PRIVATE KEY")),
                tls_certificate: block("CERTIFICATE"),
                known_hosts: "@cert-authority * ssh-ed25519 DDDD\n".to_owned(),
            },
        };
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("identity");
        std::fs::write(&file, session.to_file().unwrap().as_bytes()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let environment = Environment::bare(UnixSeconds(1_000), place.path());
        // As OpenSSH, for what others may read is nobody's secret.
        let refused = SessionArgs::default().of_file(&file, &environment).err().unwrap();
        let chmod = format!("chmod 600 {}", file.display());
        assert!(refused.lines().contains(&chmod), "{refused:?}");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let read = SessionArgs::default().of_file(&file, &environment).unwrap();
        assert_eq!(read.to_file().unwrap(), session.to_file().unwrap());
        assert_eq!(read.login, login);
        let late = Environment {
            now: UnixSeconds(2_000),
            ..environment
        };
        let refused = SessionArgs::default().of_file(&file, &late).err().unwrap();
        assert!(
            refused
                .lines()
                .contains("signet login --proxy=p:3080 --user=alice"),
            "{refused:?}"
        );
    }

    #[test]
    fn what_remains_is_said_in_words() {
        let at = |seconds: i64| remaining(UnixSeconds(1_000), UnixSeconds(1_000 + seconds));
        assert_eq!(at(0), None);
        assert_eq!(at(-5), None);
        assert_eq!(at(59).as_deref(), Some("59 s"));
        assert_eq!(at(61).as_deref(), Some("1 min"));
        assert_eq!(at(7_500).as_deref(), Some("2 h 5 min"));
    }
}
