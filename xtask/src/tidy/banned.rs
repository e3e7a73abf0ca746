//! Crates that must not be linked, whoever asks for them.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::Finding;
use crate::workspace::Workspace;

/// One TLS stack and one provider of cryptography; see `deny.toml`, which says the same to cargo-deny.
const BANNED: [(&str, &str); 3] = [
    ("ring", "cryptography is aws-lc-rs"),
    ("openssl-sys", "TLS is rustls, cryptography aws-lc-rs"),
    ("native-tls", "TLS is rustls"),
];

/// Banned crates that a build of the workspace on this platform would link. The lock file alone does not tell: it also
/// holds what no enabled feature asks for.
pub(super) fn findings(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, instead) in BANNED {
        if let Some(wanted_by) = wanted_by(workspace, name)? {
            findings.push(Finding::new(
                "Cargo.lock",
                format!("{name} is banned ({instead}):\n{wanted_by}"),
            ));
        }
    }
    Ok(findings)
}

/// The tree of those that ask for a crate, or nothing when nobody does.
fn wanted_by(workspace: &Workspace, name: &str) -> anyhow::Result<Option<String>> {
    let mut command: Command =
        workspace.cargo(["tree", "--workspace", "--quiet", "--invert", name, "--depth", "4"]);
    let output = command.output().context("cannot start `cargo tree`")?;
    if output.status.success() {
        let tree = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        return Ok((!tree.is_empty()).then_some(tree));
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("did not match any packages") {
        return Ok(None);
    }
    // Two versions of a banned crate are twice banned.
    if complaint.contains("is ambiguous") {
        return Ok(Some(complaint.trim().to_owned()));
    }
    bail!("`cargo tree` failed:\n{complaint}")
}
