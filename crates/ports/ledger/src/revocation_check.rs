//! The list of revocations against the log: the log is chained and the list is not, so each must say what the other says.

use std::collections::BTreeMap;

use audit::AuditReport;
use audit::Break;
use audit::BreakKind;
use audit::Place;
use authority::AuthorityType;
use serde::Deserialize;

use crate::Revoked;

/// Of `cert.create`.
const CREATED: &str = "SC000I";
/// Of `cert.revoke`.
const REVOKED: &str = "SC001I";

/// Compares the revocations of a ledger with the events that tell of them, for adapters: made of the list, shown every line of the log
/// in order, asked at the end.
#[derive(Debug, Default)]
pub struct RevocationCheck {
    listed: BTreeMap<(String, String), Listed>,
    /// Events of revocations that no list names: their number and the serial.
    unlisted: Vec<(u64, String)>,
}

#[derive(Debug)]
struct Listed {
    revoked: Revoked,
    /// The number of the first event that tells of it; later ones changed nothing.
    told: Option<u64>,
    differs: Option<(u64, &'static str)>,
}

/// The fields of a line that are compared.
#[derive(Deserialize)]
struct Line {
    code: String,
    authority: String,
    serial: String,
    form: Option<String>,
    reason: Option<String>,
    not_after: Option<String>,
}

impl RevocationCheck {
    /// A check of these revocations, each of its authority.
    pub fn new(listed: impl IntoIterator<Item = (AuthorityType, Revoked)>) -> Self {
        let key = |authority: AuthorityType, revoked: &Revoked| {
            (authority.as_str().to_owned(), revoked.serial.clone())
        };
        let listed = listed.into_iter().map(|(authority, revoked)| {
            (
                key(authority, &revoked),
                Listed {
                    revoked,
                    told: None,
                    differs: None,
                },
            )
        });
        Self {
            listed: listed.collect(),
            unlisted: Vec::new(),
        }
    }

    /// Sees an entry of the log.
    pub fn note(&mut self, sequence: u64, line: &[u8]) {
        let has = |code: &str| {
            let code = code.as_bytes();
            line.windows(code.len()).any(|window| window == code)
        };
        // Most lines are of certificates, and few certificates are revoked.
        if !has(REVOKED) && (self.listed.is_empty() || !has(CREATED)) {
            return;
        }
        let Ok(Line {
            code,
            authority,
            serial,
            form,
            reason,
            not_after,
        }) = serde_json::from_slice(line)
        else {
            return;
        };
        let listed = self.listed.get_mut(&(authority, serial.clone()));
        match (code.as_str(), listed) {
            (REVOKED, None) => self.unlisted.push((sequence, serial)),
            (REVOKED, Some(listed)) if listed.told.is_none() => {
                listed.told = Some(sequence);
                if reason.as_ref() != Some(&listed.revoked.reason) {
                    listed.differs = Some((sequence, "the list of revocations gives another reason"));
                }
            }
            (CREATED, Some(listed)) if form.as_deref() == Some("tls") => {
                // Past its end a certificate is on no list.
                if not_after != Some(listed.revoked.not_after.to_string()) {
                    listed.differs = Some((
                        sequence,
                        "the list of revocations says that this certificate ends at another time",
                    ));
                }
            }
            (_, _) => {}
        }
    }

    /// Reports what does not fit.
    pub fn finish(self, report: &mut AuditReport) {
        let Self { listed, unlisted } = self;
        for (sequence, serial) in unlisted {
            let reason = format!(
                "it tells of the revocation of {serial}, and the list of revocations does not name it"
            );
            report.add(
                Place::Ledger,
                Break {
                    sequence,
                    kind: BreakKind::Removed,
                    reason,
                },
            );
        }
        for (
            (authority, serial),
            Listed {
                revoked: _,
                told,
                differs,
            },
        ) in listed
        {
            if told.is_none() {
                let reason = format!(
                    "the list of revocations names {serial} of the {authority} authority, and no entry tells of it"
                );
                report.add(
                    Place::Ledger,
                    Break {
                        sequence: report.head.sequence,
                        kind: BreakKind::Edited,
                        reason,
                    },
                );
            }
            if let Some((sequence, reason)) = differs {
                report.add(
                    Place::Ledger,
                    Break {
                        sequence,
                        kind: BreakKind::Edited,
                        reason: reason.to_owned(),
                    },
                );
            }
        }
    }
}
