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
            /// The cause of an alert is gone.
            AlertCleared "alert.clear" ["SG002I"]; {
                /// Its id.
                alert: String,
            }

            /// What a machine told of could not be taken; the machine keeps it as it is.
            EventRefused "audit.event.refuse" ["SL004E"]; {
                /// The `uid` it was told with.
                refused_uid: String,
                /// The name of the event it was told as.
                refused_event: String,
                /// How many bytes it has as the machine keeps it, in JSON.
                bytes: u64,
                /// The SHA-256 of those bytes, in hexadecimal.
                sha256: String,
                /// Why it could not be taken.
                error: String,
            }
            /// The log was checked against its chain of hashes and its copies.
            LogVerified "audit.verify" ["SL002I", "SL002E"] by outcome; {
                /// Whether anything did not fit.
                outcome: Outcome,
                /// How many entries were checked.
                entries: u64,
            }
            /// Somebody accepted that the log was restored from a backup, and that entries written after that backup are lost.
            LogRestoreAccepted "audit.restore.accept" ["SL003W"]; {
                /// The first entry that is lost, or was written anew after the restore.
                first: u64,
                /// The last entry that is known to have been written before the restore.
                last: u64,
                /// The hash of the last entry that was written down in the state, in hexadecimal; empty when there is none.
                written_hash: String,
                /// The folder, below that of the log's copies, into which the copies made before were put.
                set_aside: String,
                /// Why, in the words of whoever accepted it.
                reason: String,
            }
        }
    };
}
pub(crate) use of_the_log;
