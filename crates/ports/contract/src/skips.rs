//! The list of skipped cases, kept beside the adapter so that coverage cannot shrink unseen.

use std::path::Path;

use crate::Contract;
use crate::Failure;
use crate::Outcome;
use crate::plan::Planned;

/// Why a bench does not show a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// By its declared capabilities.
    Incapable,
    /// For a reason that no capability tells.
    Because(&'static str),
}

/// The skipped cases, one a line, with the reason where the capabilities do not tell it.
pub(crate) fn listed<C: Contract>(planned: &[Planned<C>]) -> String {
    let line = |case: &Planned<C>| match case.skip? {
        Skip::Incapable => Some(format!("{}\n", case.name)),
        Skip::Because(reason) => Some(format!("{}: {reason}\n", case.name)),
    };
    planned.iter().filter_map(line).collect()
}

/// Compares the skipped cases with the golden file, or writes it where `UPDATE_GOLDEN` says so.
pub(crate) fn compare(golden: &Path, found: &str) -> Outcome {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return Ok(std::fs::write(golden, found)?);
    }
    let shown = golden.display();
    let known = std::fs::read_to_string(golden)
        .map_err(|error| Failure(format!("{shown}: {error}; UPDATE_GOLDEN=1 writes it")))?;
    if known == found {
        return Ok(());
    }
    Err(Failure(format!(
        "{shown} differs from the cases skipped:{}",
        differences(&known, found)
    )))
}

/// Lines of one list only, with a sign that tells of which.
pub(crate) fn differences(known: &str, found: &str) -> String {
    let only = |text: &str, other: &str, sign: &str| -> String {
        let is_only = |line: &&str| !other.lines().any(|known| known == *line);
        text.lines()
            .filter(is_only)
            .map(|line| format!("\n{sign} {line}"))
            .collect()
    };
    let differences = only(known, found, "-") + &only(found, known, "+");
    if differences.is_empty() {
        return " the order, or how often a case is named".to_owned();
    }
    differences
}
