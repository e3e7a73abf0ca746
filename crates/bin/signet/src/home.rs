//! What is kept between runs: a directory for each proxy, and which of them is meant when none is named.

use std::path::Path;
use std::path::PathBuf;

use names::ClusterName;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

use crate::failure::Failure;
use crate::files;
use crate::trust::Trust;

/// `~/.signet`, or what `SIGNET_HOME` says.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

/// What is known of the cluster behind one proxy, and who is logged in there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// `host:port`.
    pub(crate) proxy: String,
    /// The cluster.
    pub(crate) cluster: String,
    /// Who is logged in; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<Login>,
    /// Whether somebody said that something in front of this proxy ends TLS with a certificate that the whole world recognises.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) tls_in_front: bool,
}

/// Somebody who is logged in, as the server said when they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// Who.
    pub(crate) user: String,
    /// The roles.
    pub(crate) roles: Vec<String>,
    /// The accounts the certificates are good for.
    pub(crate) logins: Vec<String>,
    /// When the certificates end.
    pub(crate) not_after: UnixSeconds,
    /// Whether the user authority signs with another key by now: when its rotation ends, so do the certificates.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_outgoing: bool,
    /// Whether they logged in through a browser: so they will again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_by_browser: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The directory of one proxy and the names of the files in it.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Home {
    pub(crate) const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Where things of this proxy are.
    pub(crate) fn place(&self, proxy: &str) -> Place {
        // An address has letters, digits, dots, hyphens, colons and brackets.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let name: String = proxy
            .chars()
            .map(|c| if is_plain(c) { c.to_ascii_lowercase() } else { '_' })
            .collect();
        Place(self.0.join("proxies").join(name))
    }

    /// What is known of this proxy.
    pub(crate) fn profile(&self, proxy: &str) -> Result<Option<Profile>, Failure> {
        self.place(proxy).profile()
    }

    /// The proxy that is meant when none is named: the one of the latest log-in.
    pub(crate) fn current(&self) -> Result<Option<String>, Failure> {
        let text = files::read_if_there(&self.0.join("current"))?;
        Ok(text
            .map(|text| text.trim().to_owned())
            .filter(|proxy| !proxy.is_empty()))
    }

    /// Every profile, by its proxy.
    pub(crate) fn profiles(&self) -> Result<Vec<Profile>, Failure> {
        let directory = self.0.join("proxies");
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Failure::local(
                    &format!("cannot read {}", directory.display()),
                    &error,
                ));
            }
        };
        let mut profiles = Vec::new();
        for entry in entries.flatten() {
            profiles.extend(Place(entry.path()).profile()?);
        }
        profiles.sort_by(|a: &Profile, b| a.proxy.cmp(&b.proxy));
        Ok(profiles)
    }

    /// Makes this proxy the one that is meant.
    pub(crate) fn make_current(&self, proxy: &str) -> Result<(), Failure> {
        files::make_private_directory(&self.0)?;
        files::write_private(&self.0.join("current"), format!("{proxy}\n").as_bytes())
    }

    /// Keeps what is known of a proxy, and makes its directory.
    pub(crate) fn keep(&self, profile: &Profile) -> Result<Place, Failure> {
        files::make_private_directory(&self.0)?;
        files::make_private_directory(&self.0.join("proxies"))?;
        let place = self.place(&profile.proxy);
        files::make_private_directory(&place.0)?;
        let mut json = serde_json::to_vec_pretty(profile)
            .map_err(|error| Failure::local("cannot write the profile", &error))?;
        json.push(b'\n');
        files::write_private(&place.0.join("profile.json"), &json)?;
        Ok(place)
    }
}

impl Place {
    fn profile(&self) -> Result<Option<Profile>, Failure> {
        let path = self.0.join("profile.json");
        let Some(text) = files::read_if_there(&path)? else {
            return Ok(None);
        };
        let unusable = |error: &dyn std::error::Error| {
            Failure::local(&format!("cannot use {}", path.display()), error)
                .with_hint("remove the file and log in again")
        };
        let profile: Profile = serde_json::from_str(&text).map_err(|error| unusable(&error))?;
        ClusterName::parse(&profile.cluster).map_err(|error| unusable(&error))?;
        Ok(Some(profile))
    }

    /// Keeps others from changing what is trusted, until what is returned is dropped.
    pub(crate) fn lock(&self) -> Result<std::fs::File, Failure> {
        files::lock(&self.0.join("lock"))
    }

    /// Whom is trusted.
    pub(crate) fn trust(&self) -> Result<Option<Trust>, Failure> {
        let authorities = files::read_if_there(&self.authorities())?;
        let known_hosts = files::read_if_there(&self.known_hosts())?;
        Ok(authorities
            .zip(known_hosts)
            .map(|(authorities, known_hosts)| Trust {
                authorities,
                known_hosts,
            }))
    }

    /// Trusts these from now on. Each file is the old or the new one; between two phases of a rotation either will do.
    pub(crate) fn keep_trust(&self, trust: &Trust) -> Result<(), Failure> {
        let Trust {
            authorities,
            known_hosts,
        } = trust;
        files::write_private(&self.known_hosts(), known_hosts.as_bytes())?;
        files::write_private(&self.authorities(), authorities.as_bytes())
    }

    /// Who logged in last, also when they logged out since.
    pub(crate) fn last_user(&self) -> Result<Option<String>, Failure> {
        let text = files::read_if_there(&self.0.join("last_user"))?;
        Ok(text
            .map(|text| text.trim().to_owned())
            .filter(|user| !user.is_empty()))
    }

    /// Remembers who logged in.
    pub(crate) fn keep_last_user(&self, user: &str) -> Result<(), Failure> {
        files::write_private(&self.0.join("last_user"), format!("{user}\n").as_bytes())
    }

    /// Where all of it is, and all of every other proxy.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        // This one, the one of all proxies, and the home.
        self.0.ancestors().take(3)
    }

    /// The certificates of the host authority, PEM.
    pub(crate) fn authorities(&self) -> PathBuf {
        self.0.join("authorities.pem")
    }

    /// `@cert-authority` lines.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.0.join("known_hosts")
    }

    /// The private SSH key, in OpenSSH's form.
    pub(crate) fn ssh_key(&self) -> PathBuf {
        self.0.join("ssh_key")
    }

    /// The public SSH key, a line.
    pub(crate) fn ssh_public_key(&self) -> PathBuf {
        self.0.join("ssh_key.pub")
    }

    /// The SSH certificate, a line. OpenSSH looks for it under this name beside the key.
    pub(crate) fn ssh_certificate(&self) -> PathBuf {
        self.0.join("ssh_key-cert.pub")
    }

    /// The private SSH key of one session, as OpenSSH's configuration names it: `%r` and `%h` are the account and the server.
    pub(crate) fn session_key(&self) -> PathBuf {
        self.0.join("session-%r@%h")
    }

    /// The private TLS key, PKCS#8 in PEM.
    pub(crate) fn tls_key(&self) -> PathBuf {
        self.0.join("tls_key.pem")
    }

    /// The TLS certificate, PEM.
    pub(crate) fn tls_certificate(&self) -> PathBuf {
        self.0.join("tls_certificate.pem")
    }

    /// Everything that is somebody's and not the cluster's.
    pub(crate) fn credentials(&self) -> [PathBuf; 5] {
        [
            self.ssh_key(),
            self.ssh_public_key(),
            self.ssh_certificate(),
            self.tls_key(),
            self.tls_certificate(),
        ]
    }

    /// The directory.
    #[cfg(test)]
    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn profile(proxy: &str) -> Profile {
        Profile {
            proxy: proxy.to_owned(),
            cluster: "example.com".to_owned(),
            login: Some(Login {
                user: "alice".to_owned(),
                roles: vec!["access".to_owned()],
                logins: vec!["root".to_owned()],
                not_after: UnixSeconds(1_900_000_000),
                is_outgoing: false,
                is_by_browser: false,
            }),
            tls_in_front: false,
        }
    }

    #[test]
    fn profiles_are_kept_and_nobody_else_reads_them() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::new(place.path().join("home"));
        assert_eq!(home.current().unwrap(), None);
        assert_eq!(home.profiles().unwrap(), []);
        let (first, second) = (profile("b.example.com:3080"), profile("[::1]:3080"));
        let kept = home.keep(&first).unwrap();
        home.keep(&second).unwrap();
        home.make_current("b.example.com:3080").unwrap();
        assert_eq!(home.current().unwrap().as_deref(), Some("b.example.com:3080"));
        assert_eq!(home.profile("b.example.com:3080").unwrap(), Some(first.clone()));
        assert_eq!(home.profiles().unwrap(), [second, first]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.path().join("home").as_path()), 0o700);
        assert_eq!(mode(kept.directory()), 0o700);
        assert_eq!(mode(&kept.directory().join("profile.json")), 0o600);
    }

    #[test]
    fn a_name_that_is_none_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::new(place.path().join("home"));
        let kept = Profile {
            cluster: "x.example.com\n    ProxyCommand touch /tmp/x\nHost *".to_owned(),
            ..profile("p:3080")
        };
        home.keep(&kept).unwrap();
        assert!(home.profile("p:3080").is_err());
    }

    #[test]
    fn an_address_cannot_leave_the_home() {
        let home = Home::new("/h".into());
        let place = home.place("../../etc:1/x");
        assert_eq!(place.directory(), Path::new("/h/proxies/.._.._etc_1_x"));
    }
}
