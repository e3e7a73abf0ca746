//! Finding the token among the slots of a module.

use cryptoki::error::Error;
use cryptoki::slot::{Limit, Slot, TokenInfo};

use crate::OpenError;
use crate::config::TokenSelector;
use crate::module::Module;
use crate::recovery::describe;

/// What a token says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenFacts {
    pub(crate) label: String,
    pub(crate) serial: String,
    pub(crate) manufacturer: String,
    pub(crate) model: String,
    /// The lower of the limits on sessions and on sessions that may write.
    pub(crate) sessions_max: Option<u64>,
    pub(crate) sessions_in_use: u64,
    pub(crate) pin_state: PinState,
    pub(crate) is_pin_initialised: bool,
}

/// What the token's flags say about tries left for the user PIN (PKCS#11 section 3.2, `CKF_USER_PIN_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PinState {
    /// No warning.
    Good,
    /// A wrong PIN was tried since the last login.
    CountLow,
    /// One more wrong PIN locks it.
    FinalTry,
    /// Locked.
    Locked,
}

impl PinState {
    /// Why even a PIN believed right must not be tried: a service that restarts by itself would lock the token.
    pub(crate) const fn danger(self) -> Option<&'static str> {
        match self {
            Self::Good | Self::CountLow => None,
            Self::FinalTry => Some(
                "one wrong PIN more would lock it, so ours was not tried; log in once with the vendor's tool to reset the count",
            ),
            Self::Locked => Some("its user PIN is locked; have the security officer unlock it"),
        }
    }
}

/// A slot with a token in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenSlot {
    pub(crate) slot: Slot,
    /// `Err` where the token's information cannot be read: some tokens report a time that is none.
    pub(crate) facts: Result<TokenFacts, String>,
}

impl SeenSlot {
    /// The name of the token in key references: `label/serial`, or the slot where it does not tell.
    pub(crate) fn store(&self) -> String {
        match &self.facts {
            Ok(facts) => format!("{}/{}", facts.label, facts.serial),
            Err(_) => format!("slot/{}", self.slot.id()),
        }
    }
}

/// Every slot with an initialised token. A token that cannot be asked does not hide the others. The caller holds the
/// module's guard.
pub(crate) fn scan(module: &Module) -> Result<Vec<SeenSlot>, Error> {
    let functions = module.functions();
    let mut seen = Vec::new();
    for slot in functions.get_slots_with_token()? {
        match functions.get_token_info(slot) {
            Ok(info) if info.token_initialized() => seen.push(SeenSlot {
                slot,
                facts: Ok(TokenFacts::from(&info)),
            }),
            Ok(_) => {}
            Err(error) => seen.push(SeenSlot {
                slot,
                facts: Err(describe(&error)),
            }),
        }
    }
    Ok(seen)
}

impl From<&TokenInfo> for TokenFacts {
    fn from(info: &TokenInfo) -> Self {
        let known = |limit: Limit| match limit {
            // Some tokens answer 0 for "I do not say".
            Limit::Max(0) | Limit::Unavailable | Limit::Infinite => None,
            Limit::Max(most) => Some(most),
        };
        let limits = [
            known(info.max_session_count()),
            known(info.max_rw_session_count()),
        ];
        let pin_state = if info.user_pin_locked() {
            PinState::Locked
        } else if info.user_pin_final_try() {
            PinState::FinalTry
        } else if info.user_pin_count_low() {
            PinState::CountLow
        } else {
            PinState::Good
        };
        Self {
            label: trim(info.label()),
            serial: trim(info.serial_number()),
            manufacturer: trim(info.manufacturer_id()),
            model: trim(info.model()),
            sessions_max: limits.into_iter().flatten().min(),
            sessions_in_use: info.session_count().unwrap_or(0),
            pin_state,
            is_pin_initialised: info.user_pin_initialized(),
        }
    }
}

/// The standard pads with blanks; tpm2-pkcs11 pads with NUL.
fn trim(text: &str) -> String {
    text.trim_end_matches(['\0', ' ']).to_owned()
}

/// The one token that is meant.
pub(crate) fn choose(selector: &TokenSelector, seen: &[SeenSlot]) -> Result<SeenSlot, OpenError> {
    let absent = || OpenError::TokenAbsent {
        selector: selector.clone(),
        seen: in_words(seen),
    };
    match selector {
        TokenSelector::Slot(number) => seen
            .iter()
            .find(|seen| seen.slot.id() == *number)
            .cloned()
            .ok_or_else(absent),
        TokenSelector::Label(label) => {
            let is_meant =
                |seen: &&SeenSlot| seen.facts.as_ref().is_ok_and(|facts| facts.label == trim(label));
            let meant: Vec<&SeenSlot> = seen.iter().filter(is_meant).collect();
            match meant.as_slice() {
                [] => Err(absent()),
                [one] => Ok((*one).clone()),
                several => {
                    let slots: Vec<_> = several.iter().map(|seen| seen.slot.id().to_string()).collect();
                    Err(OpenError::TokenAmbiguous {
                        label: label.clone(),
                        slots: slots.join(", "),
                    })
                }
            }
        }
    }
}

fn in_words(seen: &[SeenSlot]) -> String {
    if seen.is_empty() {
        return "the module shows no token at all: check the connection and the module's own configuration"
            .to_owned();
    }
    let tokens: Vec<String> = seen
        .iter()
        .map(|seen| match &seen.facts {
            Ok(facts) => format!("{:?} (slot {})", facts.label, seen.slot.id()),
            Err(reason) => format!(
                "one that cannot be asked for its label ({reason}; slot {})",
                seen.slot.id()
            ),
        })
        .collect();
    format!(
        "the module shows {}; correct `token_label` or `slot_number`",
        tokens.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(slot: u64, label: Option<&str>) -> SeenSlot {
        let facts = label.map(|label| TokenFacts {
            label: label.into(),
            serial: format!("s{slot}"),
            manufacturer: String::new(),
            model: String::new(),
            sessions_max: None,
            sessions_in_use: 0,
            pin_state: PinState::Good,
            is_pin_initialised: true,
        });
        SeenSlot {
            slot: Slot::try_from(slot).unwrap(),
            facts: facts.ok_or_else(|| "bad clock".to_owned()),
        }
    }

    fn label(text: &str) -> TokenSelector {
        TokenSelector::Label(text.into())
    }

    #[test]
    fn one_token_is_found_by_label_or_slot() {
        let slots = [seen(3, None), seen(7, Some("ca")), seen(9, Some("other"))];
        assert_eq!(choose(&label("ca"), &slots).unwrap().store(), "ca/s7");
        assert_eq!(choose(&label("ca  "), &slots).unwrap().store(), "ca/s7");
        assert_eq!(
            choose(&TokenSelector::Slot(9), &slots).unwrap().store(),
            "other/s9"
        );
        assert_eq!(choose(&TokenSelector::Slot(3), &slots).unwrap().store(), "slot/3");
    }

    #[test]
    fn a_label_worn_twice_is_refused_with_its_slots() {
        let slots = [seen(7, Some("ca")), seen(9, Some("ca"))];
        let error = choose(&label("ca"), &slots).unwrap_err();
        assert!(
            matches!(&error, OpenError::TokenAmbiguous { slots, .. } if slots == "7, 9"),
            "{error}"
        );
    }

    #[test]
    fn an_absent_token_is_told_with_those_seen() {
        let slots = [seen(3, None), seen(9, Some("other"))];
        let error = choose(&label("ca"), &slots).unwrap_err().to_string();
        assert!(
            error.contains("\"ca\"") && error.contains("\"other\" (slot 9)") && error.contains("bad clock"),
            "{error}"
        );
        assert!(
            choose(&TokenSelector::Slot(1), &[])
                .unwrap_err()
                .to_string()
                .contains("no token at all")
        );
    }

    #[test]
    fn padding_of_either_kind_is_trimmed() {
        assert_eq!(trim("tpm1\0\0\0"), "tpm1");
        assert_eq!(trim("ca 1   "), "ca 1");
    }
}
