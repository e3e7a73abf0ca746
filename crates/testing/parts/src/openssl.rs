//! The `openssl` command as a foreign verifier of certificates and signatures.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::PartError;
use crate::place::program;
use crate::process::{Outcome, run, run_ok};

/// What [`verify_strict`] is to verify. All files are PEM.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// The trusted roots; the system's own are not used.
    pub ca: &'a Path,
    /// Untrusted certificates between leaf and root.
    pub intermediates: Option<&'a Path>,
    /// The certificate in question.
    pub leaf: &'a Path,
    /// A revocation list; when given, the leaf is checked against it.
    pub crl: Option<&'a Path>,
    /// The purpose in the words of `openssl verify`: `sslclient`, `sslserver`, `any` …
    pub purpose: Option<&'a str>,
}

impl<'a> Chain<'a> {
    /// A leaf directly under a root, for any purpose, without a revocation list.
    #[must_use]
    pub fn new(ca: &'a Path, leaf: &'a Path) -> Self {
        Self {
            ca,
            intermediates: None,
            leaf,
            crl: None,
            purpose: None,
        }
    }
}

/// Runs `openssl` with these arguments. An exit code other than 0 is part of the outcome.
///
/// # Errors
/// [`PartError::Missing`] or [`PartError::Overrun`].
pub fn openssl<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Outcome, PartError> {
    run(Command::new(program("openssl")?).args(args))
}

/// Runs `openssl`, which has to succeed, and returns its standard output.
///
/// # Errors
/// As [`openssl`], and [`PartError::Command`] with what it printed.
pub fn openssl_ok<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<String, PartError> {
    run_ok(Command::new(program("openssl")?).args(args))
}

/// Verifies a certificate with `-x509_strict` and signature checks of the root itself. A refusal is an outcome with a
/// code other than 0, whose text has OpenSSL's reason.
///
/// # Errors
/// As [`openssl`].
pub fn verify_strict(chain: Chain<'_>) -> Result<Outcome, PartError> {
    let Chain {
        ca,
        intermediates,
        leaf,
        crl,
        purpose,
    } = chain;
    let mut command = Command::new(program("openssl")?);
    command
        .args([
            "verify",
            "-x509_strict",
            "-check_ss_sig",
            "-no-CApath",
            "-no-CAstore",
            "-CAfile",
        ])
        .arg(ca);
    if let Some(intermediates) = intermediates {
        command.arg("-untrusted").arg(intermediates);
    }
    if let Some(crl) = crl {
        command.args(["-crl_check", "-CRLfile"]).arg(crl);
    }
    if let Some(purpose) = purpose {
        command.args(["-purpose", purpose]);
    }
    run(command.arg(leaf))
}

/// A certificate as text, with names in RFC 2253 form.
///
/// # Errors
/// [`PartError::Command`] when it is no certificate.
pub fn certificate_text(certificate: &Path) -> Result<String, PartError> {
    dump("x509", certificate)
}

/// A certificate signing request as text.
///
/// # Errors
/// [`PartError::Command`] when it is no request.
pub fn request_text(request: &Path) -> Result<String, PartError> {
    dump("req", request)
}

/// A revocation list as text.
///
/// # Errors
/// [`PartError::Command`] when it is no revocation list.
pub fn crl_text(crl: &Path) -> Result<String, PartError> {
    dump("crl", crl)
}

fn dump(what: &str, file: &Path) -> Result<String, PartError> {
    run_ok(
        Command::new(program("openssl")?)
            .args([what, "-noout", "-text", "-nameopt", "RFC2253", "-in"])
            .arg(file),
    )
}
