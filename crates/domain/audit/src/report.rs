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
        Self {
            head: Head::EMPTY,
            entries: 0,
            exported: 0,
            findings: Vec::new(),
            findings_left_out: 0,
        }
    }

    /// Whether everything fits.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Compares with a head recorded elsewhere, given the entry the log has of that number.
    pub fn compare_anchor(&mut self, anchor: Head, found: Option<Head>) {
        let Head { sequence, hash } = anchor;
        if sequence > self.head.sequence {
            let first = self.head.sequence.saturating_add(1);
            let reason = format!("the log ends before entry {sequence}, which was recorded as its last");
            self.add(
                Place::Anchor,
                Break {
                    sequence: first,
                    kind: BreakKind::Truncated,
                    reason,
                },
            );
            return;
        }
        let same = found.map(|found| found.hash == hash);
        let (kind, reason) = match same {
            Some(true) => return,
            None if sequence == 0 => return,
            Some(false) => (
                BreakKind::Replaced,
                "it is not the entry that was recorded elsewhere under its number",
            ),
            None => (
                BreakKind::Removed,
                "it was recorded elsewhere and is missing here",
            ),
        };
        self.add(
            Place::Anchor,
            Break {
                sequence,
                kind,
                reason: reason.to_owned(),
            },
        );
    }

    /// Adds something that does not fit.
    pub fn add(&mut self, place: Place, found: Break) {
        if self.findings.len() < Self::FINDINGS_MAX {
            let Break {
                sequence,
                kind,
                reason,
            } = found;
            self.findings.push(Finding {
                place,
                sequence,
                kind,
                reason,
            });
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
        let Self {
            place,
            sequence,
            kind,
            reason,
        } = self;
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
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{path}:{line}"),
            Self::File { path, line: None } => f.write_str(path),
        }
    }
}
