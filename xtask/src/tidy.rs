//! Checks what the compiler cannot: that arrows point inwards, that the pure ring is pure, that files stay readable,
//! that documents link to what is there.
//!
//! Each rule is a function from the tree to findings. Every finding is reported, not only the first.

mod banned;
mod links;
mod machine;
mod rings;
mod sources;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;

/// Something that has to be repaired: where, what, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    place: String,
    problem: String,
}

impl Finding {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

/// Checks the workspace.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let findings = findings(workspace)?;
    if findings.is_empty() {
        println!("    tidy");
        return Ok(());
    }
    for Finding { place, problem } in &findings {
        eprintln!("{place}: {problem}");
    }
    bail!("not tidy: {} findings", findings.len())
}

fn findings(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let files = text_files(workspace)?;
    let mut findings = rings::findings(workspace.root(), workspace.packages());
    findings.extend(sources::findings(&files));
    findings.extend(links::findings(workspace.root(), &files));
    findings.extend(machine::findings(&files, &machine::places(workspace)));
    findings.extend(banned::findings(workspace)?);
    findings.sort();
    Ok(findings)
}

/// A file of the tree that is text.
struct TextFile {
    /// Relative to the workspace root.
    path: PathBuf,
    content: String,
}

/// Every text file of the tree but those that are not ours to write: version control and build output.
fn text_files(workspace: &Workspace) -> anyhow::Result<Vec<TextFile>> {
    let mut files = Vec::new();
    let mut folders = vec![workspace.root().to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let kind = entry
                .file_type()
                .with_context(|| format!("cannot look at {}", entry.path().display()))?;
            if kind.is_dir() && !is_foreign(workspace, &entry.path()) {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.extend(text_file(workspace.root(), &entry.path())?);
            }
        }
    }
    Ok(files)
}

fn is_foreign(workspace: &Workspace, folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    folder == workspace.target()
        || folder == workspace.parts()
        || name == ".git"
        || name == ".venv"
        || name == "target"
}

fn text_file(root: &Path, path: &Path) -> anyhow::Result<Option<TextFile>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        // Somebody's editor just removed its scratch file.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let path = path.strip_prefix(root).unwrap_or(path).to_owned();
    Ok(String::from_utf8(bytes)
        .ok()
        .map(|content| TextFile { path, content }))
}
