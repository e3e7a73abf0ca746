use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::Problems;
use super::quoted;
use crate::config::PinSource;
use crate::config::Pkcs11Config;
use crate::config::TokenChoice;
use crate::environment::Environment;
use crate::file::At;
use crate::file::PinText;
use crate::file::Pkcs11File;

/// Checks the section at this path.
pub(super) fn check(
    section: &str,
    file: Pkcs11File,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<Pkcs11Config> {
    let Pkcs11File {
        module_path,
        token_label,
        slot_number,
        pin,
        pin_path,
        max_sessions,
    } = file;
    let module_path = check_module(section, module_path, problems);
    let token = check_token(section, token_label, slot_number, problems);
    let pin = check_pin(section, pin, pin_path, environment, problems);
    let max_sessions = check_max_sessions(section, max_sessions, problems);
    Some(Pkcs11Config {
        module_path: module_path?,
        token: token?,
        pin: pin?,
        max_sessions: max_sessions?,
    })
}

fn check_module(section: &str, value: At<String>, problems: &mut Problems) -> Option<PathBuf> {
    let path = format!("{section}.module_path");
    let next =
        "name the vendor's PKCS#11 library with its absolute path, such as /usr/lib/softhsm/libsofthsm2.so";
    match value {
        None => {
            problems.missing(&path, "the module is not named", next);
            None
        }
        // A bare name would be searched for in places that others may write to.
        Some(value) if !value.value.starts_with('/') => {
            problems.at(
                &path,
                &value,
                format!("{} is not an absolute path", quoted(&value.value)),
                next,
            );
            None
        }
        Some(value) => Some(PathBuf::from(value.value)),
    }
}

fn check_token(
    section: &str,
    label: At<String>,
    slot: At<u64>,
    problems: &mut Problems,
) -> Option<TokenChoice> {
    match (label, slot) {
        (Some(label), None) => check_label(section, label, problems),
        (None, Some(slot)) => Some(TokenChoice::Slot(slot.value)),
        (None, None) => {
            problems.missing(
                section,
                "neither token_label nor slot_number is given",
                "name the token by one of them; `pkcs11-tool --module … --list-slots` shows both",
            );
            None
        }
        (Some(_), Some(slot)) => {
            problems.at(
                &format!("{section}.slot_number"),
                &slot,
                "token_label is given too, and they may not mean the same token",
                "keep one of them; the label is the one that survives a reboot",
            );
            None
        }
    }
}

fn check_label(
    section: &str,
    label: serde_saphyr::Spanned<String>,
    problems: &mut Problems,
) -> Option<TokenChoice> {
    let path = format!("{section}.token_label");
    if label.value.trim().is_empty() {
        problems.at(
            &path,
            &label,
            "the label is empty",
            "name the token by its label or by slot_number",
        );
        return None;
    }
    // PKCS#11 2.40 section 3.3, CK_TOKEN_INFO: 32 bytes, padded with blanks.
    if label.value.len() > 32 {
        let what = format!(
            "the label is {} bytes long, and tokens have labels of at most 32",
            label.value.len()
        );
        problems.at(
            &path,
            &label,
            what,
            "copy it from `pkcs11-tool --module … --list-slots`",
        );
        return None;
    }
    Some(TokenChoice::Label(label.value))
}

fn check_pin(
    section: &str,
    pin: At<PinText>,
    pin_path: At<String>,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<PinSource> {
    let next =
        "write it to a file that only the service's account can read (mode 0600), and name that in pin_path";
    match (pin, pin_path) {
        (Some(_), Some(pin_path)) => {
            problems.at(
                &format!("{section}.pin_path"),
                &pin_path,
                "pin is given too",
                "keep pin_path and remove pin",
            );
            None
        }
        (Some(pin), None) if pin.value.0.expose_secret().is_empty() => {
            problems.at(&format!("{section}.pin"), &pin, "the PIN is empty", next);
            None
        }
        (Some(pin), None) => Some(PinSource::Given(pin.value.0)),
        (None, Some(pin_path)) if pin_path.value.is_empty() => {
            problems.at(
                &format!("{section}.pin_path"),
                &pin_path,
                "the path is empty",
                "name the file that holds the PIN",
            );
            None
        }
        (None, Some(pin_path)) => Some(PinSource::File(PathBuf::from(pin_path.value))),
        (None, None) => {
            let given = environment
                .pkcs11_pin
                .clone()
                .filter(|pin| !pin.expose_secret().is_empty());
            if given.is_none() {
                problems.missing(
                    section,
                    "no PIN is given (pin_path, pin or SIGNET_PKCS11_PIN)",
                    next,
                );
            }
            given.map(PinSource::Given)
        }
    }
}

/// The outer `None` is a problem, the inner one the default.
fn check_max_sessions(section: &str, value: At<u64>, problems: &mut Problems) -> Option<Option<u32>> {
    let path = format!("{section}.max_sessions");
    let Some(value) = value else { return Some(None) };
    match u32::try_from(value.value) {
        Ok(0) => Some(None),
        Ok(1) => {
            problems.at(
                &path,
                &value,
                "one session is not enough: one stays logged in, and at least one more does the work",
                "write 2 or more, or 0 for as many as suit the token",
            );
            None
        }
        Ok(sessions) => Some(Some(sessions)),
        Err(_) => {
            problems.at(
                &path,
                &value,
                format!("{} sessions are too many", value.value),
                "write 0 for as many as suit the token",
            );
            None
        }
    }
}
