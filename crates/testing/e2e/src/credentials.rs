//! Credentials from `signetctl auth sign`, and trust from `signetctl auth export`, as files.

use std::path::{Path, PathBuf};

use crate::failure::OrFail as _;
use crate::{Signet, fail};

/// An SSH key and its certificate.
#[derive(Clone, Debug)]
pub struct SshCredential {
    /// The private key.
    pub key: PathBuf,
    /// The certificate.
    pub certificate: PathBuf,
}

/// An X.509 key and certificate, and what has to be trusted beside it.
#[derive(Clone, Debug)]
pub struct TlsCredential {
    /// The private key, PEM.
    pub key: PathBuf,
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The certificates of the authorities whose peers are to be trusted, PEM.
    pub authorities: PathBuf,
    /// What the command printed: above all, what to put into the configuration.
    pub hints: String,
}

impl Signet {
    /// `auth sign --format openssh` with more arguments, into files called `name`.
    #[track_caller]
    #[must_use]
    pub fn sign_openssh(&self, name: &str, arguments: &[&str]) -> SshCredential {
        let out = self.directory().join(name);
        self.sign("openssh", &out, arguments);
        let credential = SshCredential {
            certificate: beside(&out, "-cert.pub"),
            key: out,
        };
        exists(&credential.key);
        exists(&credential.certificate);
        credential
    }

    /// `auth sign --format FORMAT` with more arguments, for the formats that write `name.key`, `name.crt`, `name.cas`.
    #[track_caller]
    #[must_use]
    pub fn sign_tls(&self, format: &str, name: &str, arguments: &[&str]) -> TlsCredential {
        let out = self.directory().join(name);
        let hints = self.sign(format, &out, arguments);
        let credential = TlsCredential {
            key: beside(&out, ".key"),
            certificate: beside(&out, ".crt"),
            authorities: beside(&out, ".cas"),
            hints,
        };
        exists(&credential.key);
        exists(&credential.certificate);
        exists(&credential.authorities);
        credential
    }

    /// `auth sign --format jwt`; returns the token.
    #[track_caller]
    #[must_use]
    pub fn sign_jwt(&self, arguments: &[&str]) -> String {
        let token = self.ok(&[&["auth", "sign", "--format", "jwt"], arguments].concat());
        token.trim().to_owned()
    }

    /// `auth export` with these arguments, on standard output.
    #[track_caller]
    #[must_use]
    pub fn export(&self, arguments: &[&str]) -> String {
        self.ok(&[&["auth", "export"], arguments].concat())
    }

    /// `auth export` with these arguments, as a file called `name`.
    #[track_caller]
    #[must_use]
    pub fn export_to(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.directory().join(name);
        std::fs::write(&path, self.export(arguments)).or_fail("write an export");
        path
    }

    #[track_caller]
    fn sign(&self, format: &str, out: &Path, arguments: &[&str]) -> String {
        let Some(out) = out.to_str() else {
            fail("a path is not text")
        };
        let fixed = ["auth", "sign", "--format", format, "--out", out];
        self.ok(&[&fixed, arguments].concat())
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[track_caller]
fn exists(path: &Path) {
    if !path.is_file() {
        fail(format!("`auth sign` wrote no {}", path.display()));
    }
}
