use serde::Deserialize;
use serde::Serialize;

use crate::Break;
use crate::BreakKind;
use crate::Head;

/// What the check of a whole log found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// The last entry of the log as stored.
    pub head: Head,
    /// How many entries were checked.
    pub entries: u64,
    /// How many lines in files were compared with them.
    pub exported: u64,
    /// Everything that does not fit, in the order it was found; at most [`AuditReport::FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_left_out: u64,
}

impl AuditReport {
    /// The most findings a report lists.
    pub const FINDINGS_MAX: usize = 1_000;

    /// An empty report.
    pub const fn new() -> Self {
        Self { head: Head::EMPTY, entries: 0, exported: 0, findings: Vec::new(), findings_left_out: 0 }
    }

    /// Whether everything fits.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds something that does not fit.
    pub fn add(&mut self, place: Place, found: Break) {
        if self.findings.len() < Self::FINDINGS_MAX {
            let Break { sequence, kind, reason } = found;
            self.findings.push(Finding { place, sequence, kind, reason });
        } else {
            self.findings_left_out = self.findings_left_out.saturating_add(1);
        }
    }
}

impl Default for AuditReport {
    fn default() -> Self {
        Self::new()
    }
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The number of the entry.
    pub sequence: u64,
    /// In what way.
    pub kind: BreakKind,
    /// In words.
    pub reason: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, sequence, kind, reason } = self;
        write!(f, "{place}: {}: entry {sequence}: {reason}", kind.as_str())
    }
}

/// Where something does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the ledger's own store.
    Ledger,
    /// Against a head recorded elsewhere.
    Anchor,
    /// In a file.
    File {
        /// Its path.
        path: String,
        /// The line, from 1; absent when the whole file is meant.
        line: Option<u64>,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ledger => f.write_str("ledger"),
            Self::Anchor => f.write_str("recorded head"),
            Self::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Self::File { path, line: None } => f.write_str(path),
        }
    }
}
