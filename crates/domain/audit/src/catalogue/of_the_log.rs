//! What happens to alerts and to the log itself.

/// Puts the events of this file before those that follow, and hands all of them on.
macro_rules! of_the_log {
    ([$next:ident $($then:ident)*] $($before:tt)*) => {
        $next! { [$($then)*] $($before)*
            /// The cluster raised an alert.
            AlertRaised "alert.raise" ["SG000W"]; {
                /// Its id.
                alert: String,
                /// How bad it is.
                severity: String,
                /// What it says.
                message: String,
            }
            /// Somebody took note of an alert, which is shown no longer.
            AlertAcknowledged "alert.acknowledge" ["SG001I"]; {
                /// Its id.
                alert: String,
                /// Why that is enough.
                reason: String,
            }
            /// The cause of an alert is gone.
            AlertCleared "alert.clear" ["SG002I"]; {
                /// Its id.
                alert: String,
            }

            /// The log's copy in files cannot be kept; the log itself goes on.
            ExportTroubled "audit.export.trouble" ["SL000E"]; {
                /// The file or folder.
                path: String,
                /// What was seen.
                error: String,
            }
            /// The log's copy in files is complete again.
            ExportRecovered "audit.export.recover" ["SL001I"]; {
                /// The folder.
                path: String,
            }
            /// The log was checked against its chain of hashes and its copies.
            LogVerified "audit.verify" ["SL002I", "SL002E"] by outcome; {
                /// Whether anything did not fit.
                outcome: Outcome,
                /// How many entries were checked.
                entries: u64,
            }
        }
    };
}
pub(crate) use of_the_log;
