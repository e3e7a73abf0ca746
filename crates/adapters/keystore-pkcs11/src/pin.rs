//! When a PIN may be sent: the record, kept for the whole process, of how tokens took it.
//!
//! Tokens lock themselves after a few wrong PINs, some after three, and not all tell how many are left. So a PIN that a
//! token refused is never sent to it again, and one that failed for unclear reasons is sent once more at most.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::error::RvError;
use secrecy::{ExposeSecret, SecretString};

use crate::recovery::name;

/// Failures of unclear meaning in a row before a PIN counts as refused.
const DOUBTS_MAX: u32 = 2;
/// How long to leave a token alone after a login failed without being judged.
const LOGINS_APART: Duration = Duration::from_secs(10);

/// What a failed `C_Login` says about the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginVerdict {
    /// The token cannot have looked at the PIN: recover and send it again.
    NotReached,
    /// The device failed: send it again later.
    Later,
    /// It may have been counted as a wrong PIN.
    Doubtful,
    /// It was refused.
    Refused,
}

/// The one table of what return values of `C_Login` say. Whatever is not in it, vendor codes included, is in doubt.
pub const fn judge(value: RvError) -> LoginVerdict {
    use RvError as E;
    if matches!(
        value,
        E::SessionHandleInvalid
            | E::SessionClosed
            | E::SessionCount
            | E::TokenNotPresent
            | E::SlotIdInvalid
            | E::DeviceRemoved
            | E::CryptokiNotInitialized
    ) {
        return LoginVerdict::NotReached;
    }
    if matches!(
        value,
        E::DeviceError | E::DeviceMemory | E::HostMemory | E::FunctionFailed
    ) {
        return LoginVerdict::Later;
    }
    let is_refusal = matches!(
        value,
        E::PinIncorrect
            | E::PinInvalid
            | E::PinLenRange
            | E::PinExpired
            | E::PinLocked
            | E::UserPinNotInitialized
            | E::UserTypeInvalid
            | E::UserAnotherAlreadyLoggedIn
    );
    if is_refusal {
        LoginVerdict::Refused
    } else {
        LoginVerdict::Doubtful
    }
}

/// What a refused login means, in words that say what to do.
pub(crate) fn login_hint(value: RvError) -> String {
    let advice = if matches!(
        value,
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange
    ) {
        "the PIN is wrong; correct `pin` or `pin_path`"
    } else if value == RvError::PinLocked {
        "the PIN is locked; have the security officer unlock it"
    } else if value == RvError::PinExpired {
        "the PIN has expired; set a new one with the vendor's tool"
    } else if value == RvError::UserPinNotInitialized {
        "the token has no user PIN yet; set one with the vendor's tool"
    } else {
        "the token refused the login; see its own log"
    };
    format!("{advice} ({})", name(value))
}

/// Whether a PIN may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Granted,
    /// Not before this long.
    Wait(Duration),
    /// Never again in this process.
    Refused,
}

/// How the tokens of one module took their PINs.
#[derive(Default)]
pub(crate) struct PinRecord {
    entries: Mutex<BTreeMap<String, Vec<Entry>>>,
}

struct Entry {
    pin: SecretString,
    doubts: u32,
    is_refused: bool,
    not_before: Option<Instant>,
}

impl PinRecord {
    /// Whether this token may be sent this PIN.
    pub(crate) fn permission(&self, token: &str, pin: &SecretString, now: Instant) -> Permission {
        self.with(token, pin, |entry| match entry.not_before {
            _ if entry.is_refused => Permission::Refused,
            Some(then) if then > now => Permission::Wait(then.duration_since(now)),
            Some(_) | None => Permission::Granted,
        })
    }

    /// Records that the token took the PIN.
    pub(crate) fn accepted(&self, token: &str, pin: &SecretString) {
        self.with(token, pin, |entry| {
            entry.doubts = 0;
            entry.not_before = None;
        });
    }

    /// Records that it did not; what to do about it now.
    pub(crate) fn failed(
        &self,
        token: &str,
        pin: &SecretString,
        value: RvError,
        now: Instant,
    ) -> LoginVerdict {
        let verdict = judge(value);
        self.with(token, pin, |entry| {
            match verdict {
                LoginVerdict::NotReached => return verdict,
                LoginVerdict::Later => {}
                LoginVerdict::Doubtful => entry.doubts += 1,
                LoginVerdict::Refused => entry.doubts = DOUBTS_MAX,
            }
            entry.not_before = Some(now + LOGINS_APART);
            entry.is_refused = entry.doubts >= DOUBTS_MAX;
            if entry.is_refused {
                LoginVerdict::Refused
            } else {
                verdict
            }
        })
    }

    fn with<T>(&self, token: &str, pin: &SecretString, work: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = entries.entry(token.to_owned()).or_default();
        let known = entries
            .iter()
            .position(|entry| entry.pin.expose_secret() == pin.expose_secret());
        let index = known.unwrap_or(entries.len());
        if known.is_none() {
            entries.push(Entry {
                pin: pin.clone(),
                doubts: 0,
                is_refused: false,
                not_before: None,
            });
        }
        match entries.get_mut(index) {
            Some(entry) => work(entry),
            None => work(&mut Entry {
                pin: pin.clone(),
                doubts: 0,
                is_refused: true,
                not_before: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> SecretString {
        text.into()
    }

    #[test]
    fn a_refused_pin_is_never_sent_again_and_others_may_be() {
        let (record, now) = (PinRecord::default(), Instant::now());
        assert_eq!(record.permission("t", &pin("1"), now), Permission::Granted);
        assert_eq!(
            record.failed("t", &pin("1"), RvError::PinIncorrect, now),
            LoginVerdict::Refused
        );
        let later = now + Duration::from_secs(100_000);
        assert_eq!(record.permission("t", &pin("1"), later), Permission::Refused);
        record.accepted("t", &pin("1"));
        assert_eq!(record.permission("t", &pin("1"), later), Permission::Refused);
        assert_eq!(record.permission("t", &pin("2"), now), Permission::Granted);
        assert_eq!(record.permission("u", &pin("1"), now), Permission::Granted);
    }

    #[test]
    fn doubtful_failures_are_few_and_apart() {
        for value in [
            RvError::GeneralError,
            RvError::VendorDefined(0x8000_0001),
            RvError::FunctionRejected,
        ] {
            let (record, now) = (PinRecord::default(), Instant::now());
            assert_eq!(record.failed("t", &pin("1"), value, now), LoginVerdict::Doubtful);
            assert!(matches!(
                record.permission("t", &pin("1"), now),
                Permission::Wait(_)
            ));
            let later = now + LOGINS_APART;
            assert_eq!(record.permission("t", &pin("1"), later), Permission::Granted);
            assert_eq!(record.failed("t", &pin("1"), value, later), LoginVerdict::Refused);
            assert_eq!(
                record.permission("t", &pin("1"), later + LOGINS_APART),
                Permission::Refused
            );
        }
    }

    #[test]
    fn a_login_that_works_clears_doubt() {
        let (record, mut now) = (PinRecord::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(
                record.failed("t", &pin("1"), RvError::GeneralError, now),
                LoginVerdict::Doubtful
            );
            now += LOGINS_APART;
            record.accepted("t", &pin("1"));
            assert_eq!(record.permission("t", &pin("1"), now), Permission::Granted);
        }
    }

    #[test]
    fn a_failing_device_may_be_asked_later_without_end() {
        let (record, mut now) = (PinRecord::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(
                record.failed("t", &pin("1"), RvError::DeviceError, now),
                LoginVerdict::Later
            );
            assert!(matches!(
                record.permission("t", &pin("1"), now),
                Permission::Wait(_)
            ));
            now += LOGINS_APART;
        }
        assert_eq!(record.permission("t", &pin("1"), now), Permission::Granted);
        assert_eq!(
            record.failed("t", &pin("1"), RvError::SessionHandleInvalid, now),
            LoginVerdict::NotReached
        );
        assert_eq!(record.permission("t", &pin("1"), now), Permission::Granted);
    }
}
