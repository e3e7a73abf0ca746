//! The language of the control file: what to inject, into which call, how often.
//!
//! Pure: text in, rules out. [`crate::state`] reads the file and asks [`Control::decide`] at each call.

use std::time::Duration;

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_FLAGS, CK_MECHANISM_TYPE, CK_RV, CK_ULONG};

use crate::words;

/// What kind of argument a function starts with; decides what a removed token does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Works without a token: `C_Initialize`, `C_GetInfo` and the like. `*` does not match it.
    Library,
    /// Takes a slot.
    Slot,
    /// Takes a session.
    Session,
}

/// One injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Return this value instead of calling the module.
    Fail(CK_RV),
    /// The call takes at least this long; sessions run side by side.
    Slow(Duration),
    /// The call takes at least this long, and only one such call runs at a time.
    SlowSerial(Duration),
    /// The call does not reach the module until there are other orders.
    Hang,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// `None` is `*`.
    function: Option<String>,
    action: Action,
    /// `None` is "for ever".
    remaining: Option<u64>,
}

/// Everything one control file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    rules: Vec<Rule>,
    /// Sessions the token admits at the same time.
    pub(crate) sessions_max: Option<CK_ULONG>,
    /// The token is out of its slot.
    pub(crate) token_removed: bool,
    /// Close every session of the module once, as a restarting device does.
    pub(crate) drop_sessions: bool,
    /// Log out once, behind the application's back.
    pub(crate) logout: bool,
    /// Write the counters once.
    pub(crate) dump: bool,
    /// Flags added to what `C_GetTokenInfo` reports.
    pub(crate) token_flags: CK_FLAGS,
    /// What `C_GetInfo` and `C_GetTokenInfo` report as manufacturer.
    pub(crate) manufacturer: Option<String>,
    /// Mechanisms left out of `C_GetMechanismList`.
    pub(crate) hidden_mechanisms: Vec<CK_MECHANISM_TYPE>,
    /// Attributes `C_GenerateKeyPair` refuses in either template, with the value returned.
    pub(crate) refused_attributes: Vec<(CK_ATTRIBUTE_TYPE, CK_RV)>,
    /// Boolean attributes `C_GetAttributeValue` lies about.
    pub(crate) lies: Vec<(CK_ATTRIBUTE_TYPE, bool)>,
}

impl Control {
    /// Reads the text of a control file. Empty lines and lines that begin with `#` say nothing.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut control = Self::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.first().is_some_and(|word| !word.starts_with('#')) {
                control
                    .line(&words, known)
                    .map_err(|why| format!("line {}: {why}: `{line}`", number + 1))?;
            }
        }
        Ok(control)
    }

    fn line(&mut self, line: &[&str], known: &[&str]) -> Result<(), String> {
        match line {
            ["max_sessions", count] => self.sessions_max = Some(number(count)?),
            ["token_removed"] => self.token_removed = true,
            ["drop_sessions"] => self.drop_sessions = true,
            ["logout"] => self.logout = true,
            ["dump"] => self.dump = true,
            ["token_flag", name] => self.token_flags |= words::token_flag(name)?,
            ["manufacturer", name @ ..] if !name.is_empty() => self.manufacturer = Some(name.join(" ")),
            ["hide_mechanism", name] => self.hidden_mechanisms.push(words::mechanism(name)?),
            ["refuse_attribute", name, value] => {
                self.refused_attributes
                    .push((words::attribute(name)?, words::return_value(value)?));
            }
            ["lie", name, value @ ("true" | "false")] => {
                self.lies.push((words::attribute(name)?, *value == "true"));
            }
            [function, rest @ ..] if *function == "*" || known.contains(function) => {
                let (action, remaining) = action(rest)?;
                let function = (*function != "*").then(|| (*function).to_owned());
                self.rules.push(Rule {
                    function,
                    action,
                    remaining,
                });
            }
            _ => return Err("unknown word".to_owned()),
        }
        Ok(())
    }

    /// What happens to this call; uses up one of each counted rule that matches. After the first failure
    /// nothing further is used up.
    pub(crate) fn decide(&mut self, function: &str, kind: Kind) -> Vec<Action> {
        let mut actions = Vec::new();
        for rule in &mut self.rules {
            let matches = match &rule.function {
                Some(name) => name == function,
                None => kind != Kind::Library,
            };
            if !matches || rule.remaining == Some(0) {
                continue;
            }
            if let Some(left) = rule.remaining.as_mut() {
                *left -= 1;
            }
            actions.push(rule.action);
            if matches!(rule.action, Action::Fail(_)) {
                break;
            }
        }
        actions
    }
}

fn action(line: &[&str]) -> Result<(Action, Option<u64>), String> {
    match line {
        ["delay_ms", time] | ["delay_ms", time, "per_session"] => Ok((Action::Slow(millis(time)?), None)),
        ["delay_ms", time, "serial"] => Ok((Action::SlowSerial(millis(time)?), None)),
        ["hang"] => Ok((Action::Hang, None)),
        ["hang", count] => Ok((Action::Hang, Some(number(count)?))),
        [value] => Ok((Action::Fail(words::return_value(value)?), None)),
        [value, count] => Ok((Action::Fail(words::return_value(value)?), Some(number(count)?))),
        _ => Err(
            "expected `<return value> [count]`, `delay_ms N [per_session|serial]` or `hang [count]`".into(),
        ),
    }
}

fn millis(word: &str) -> Result<Duration, String> {
    number(word).map(Duration::from_millis)
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::{CKR_DEVICE_ERROR, CKR_TOKEN_NOT_PRESENT};

    use super::*;

    const KNOWN: &[&str] = &["C_Sign", "C_Login", "C_GetInfo"];

    #[test]
    fn counted_fault_is_used_up() {
        let mut control = Control::parse("C_Sign device_error 2\n", KNOWN).unwrap();
        let fail = vec![Action::Fail(CKR_DEVICE_ERROR)];
        assert_eq!(control.decide("C_Sign", Kind::Session), fail);
        assert_eq!(control.decide("C_Login", Kind::Session), []);
        assert_eq!(control.decide("C_Sign", Kind::Session), fail);
        assert_eq!(control.decide("C_Sign", Kind::Session), []);
    }

    #[test]
    fn star_spares_functions_that_need_no_token() {
        let mut control = Control::parse("* token_not_present", KNOWN).unwrap();
        assert_eq!(
            control.decide("C_Login", Kind::Session),
            [Action::Fail(CKR_TOKEN_NOT_PRESENT)]
        );
        assert_eq!(control.decide("C_GetInfo", Kind::Library), []);
    }

    #[test]
    fn slow_and_failing_rules_add_up_in_order() {
        let text = "C_Sign delay_ms 5 per_session\nC_Sign 0x30 1\nC_Sign hang";
        let mut control = Control::parse(text, KNOWN).unwrap();
        let slow = Action::Slow(Duration::from_millis(5));
        assert_eq!(
            control.decide("C_Sign", Kind::Session),
            [slow, Action::Fail(0x30)]
        );
        assert_eq!(control.decide("C_Sign", Kind::Session), [slow, Action::Hang]);
    }

    #[test]
    fn unknown_words_are_refused_with_their_line() {
        for bad in [
            "C_Sing device_error",
            "C_Sign device_eror",
            "C_Sign device_error x",
            "max_sessions",
            "lie local 1",
        ] {
            let error = Control::parse(&format!("# comment\n\n{bad}"), KNOWN).unwrap_err();
            assert!(error.starts_with("line 3:") && error.contains(bad), "{error}");
        }
    }
}
