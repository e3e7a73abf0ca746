//! No file names a place on the machine it was written on.

use std::path::{Path, PathBuf};

use super::{Finding, TextFile};
use crate::workspace::Workspace;

/// Folders that every machine has, and that documents may well speak of.
const EVERYWHERE: [&str; 12] = [
    "/", "/home", "/root", "/tmp", "/usr", "/usr/src", "/opt", "/srv", "/var", "/var/tmp", "/etc", "/Users",
];

/// The places on this machine: the workspace, the folder around it, and the build's output.
pub(super) fn places(workspace: &Workspace) -> Vec<PathBuf> {
    let root = workspace.root();
    let around = root.parent().filter(|around| is_particular(around));
    [Some(root), around, Some(workspace.target())]
        .into_iter()
        .flatten()
        .map(Path::to_owned)
        .collect()
}

/// Whether a folder is this machine's own: not one that every machine has, nor somebody's home.
fn is_particular(folder: &Path) -> bool {
    let home = folder
        .parent()
        .is_some_and(|parent| parent.ends_with("home") || parent.ends_with("Users"));
    !home
        && !EVERYWHERE
            .iter()
            .any(|everywhere| folder == Path::new(everywhere))
}

/// Files that mention one of the places.
pub(super) fn findings(files: &[TextFile], places: &[PathBuf]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.content.lines().enumerate() {
            let mentioned = places
                .iter()
                .filter_map(|place| place.to_str())
                .find(|place| mentions(line, place));
            if let Some(place) = mentioned {
                let problem = format!("mentions {place}, a place on this machine only: use a relative path");
                findings.push(Finding::new(
                    format!("{}:{}", file.path.display(), number + 1),
                    problem,
                ));
            }
        }
    }
    findings
}

/// Whether `place` begins a path in this line, and ends there or goes on below.
fn mentions(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line
            .get(at + place.len()..)
            .and_then(|after| after.chars().next());
        let inside_path = |next: char| next.is_alphanumeric() || matches!(next, '_' | '-' | '.' | '/' | '}');
        let begins = !before.is_some_and(inside_path);
        begins && !after.is_some_and(|next| next.is_alphanumeric() || next == '_' || next == '-')
    })
}
