//! What is wrong with a token, before it bites: every check of opening it, told one by one.

use std::sync::Arc;
use std::time::Instant;

use key::KeyAlgorithm;

use crate::OpenError;
use crate::config::{Pkcs11Config, check_module, worker_count};
use crate::mechanisms;
use crate::module::Module;
use crate::open::{beside, login_failed, workers};
use crate::pin::Permission;
use crate::recovery::describe;
use crate::slots::{self, PinState, SeenSlot};
use crate::token::Token;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The module's file: there, of this machine, safe from others.
    ModuleFile,
    /// The module loads and starts.
    Module,
    /// The token is there, once.
    Token,
    /// The PIN opens it.
    Pin,
    /// It has sessions enough.
    Sessions,
    /// It can make and use the keys wanted.
    Mechanisms,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Good,
    /// Works, but may not do all that is wanted.
    Warning,
    /// Does not work.
    Error,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How much it matters.
    pub severity: Severity,
    /// What was found and, unless it is good, what to do.
    pub message: String,
}

/// Looks at everything, as far as each check allows the next. `wanted` are the algorithms that keys shall have.
///
/// The PIN is tried at most once, and not at all where the token reports that wrong PINs were tried or where it was
/// refused before.
pub async fn examine(config: &Pkcs11Config, wanted: &[KeyAlgorithm]) -> Vec<Finding> {
    let wanted = wanted.to_vec();
    let examined = beside(config, move |config| {
        let mut report = Report::default();
        if let Err((check, error)) = look(config, &wanted, &mut report) {
            report.error(check, error.to_string());
        }
        Ok(report.findings)
    });
    examined.await.unwrap_or_else(|error| {
        vec![Finding {
            check: Check::Module,
            severity: Severity::Error,
            message: error.to_string(),
        }]
    })
}

#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
}

impl Report {
    fn good(&mut self, check: Check, message: impl Into<String>) {
        self.findings.push(Finding {
            check,
            severity: Severity::Good,
            message: message.into(),
        });
    }

    fn warning(&mut self, check: Check, message: impl Into<String>) {
        self.findings.push(Finding {
            check,
            severity: Severity::Warning,
            message: message.into(),
        });
    }

    fn error(&mut self, check: Check, message: impl Into<String>) {
        self.findings.push(Finding {
            check,
            severity: Severity::Error,
            message: message.into(),
        });
    }
}

fn look(
    config: &Pkcs11Config,
    wanted: &[KeyAlgorithm],
    report: &mut Report,
) -> Result<(), (Check, OpenError)> {
    let path = check_module(&config.module_path).map_err(|error| (Check::ModuleFile, error))?;
    report.good(
        Check::ModuleFile,
        format!("{} is a library for this machine", path.display()),
    );
    let module = Module::load(&path).map_err(|error| (Check::Module, error))?;
    let _guard = module.enter();
    let library = module.functions().get_library_info();
    let about = library.map_or_else(
        |error| {
            format!(
                "the module starts, but does not describe itself ({})",
                describe(&error)
            )
        },
        |info| format!("{} {}", info.manufacturer_id(), info.library_description()),
    );
    report.good(Check::Module, about);

    let failed = |error| OpenError::Token {
        selector: config.token.clone(),
        reason: describe(&error),
    };
    let seen = slots::scan(&module).map_err(|error| (Check::Token, failed(error)))?;
    let chosen = slots::choose(&config.token, &seen).map_err(|error| (Check::Token, error))?;
    report.good(
        Check::Token,
        format!("{} is in slot {}", chosen.store(), chosen.slot.id()),
    );

    sessions(config, &chosen, report);
    match mechanisms::probe(module.functions(), chosen.slot) {
        Ok(abilities) => algorithms(&abilities, wanted, report),
        Err(error) => report.error(
            Check::Mechanisms,
            format!("the token does not list its mechanisms: {}", describe(&error)),
        ),
    }
    pin(config, &module, &chosen, report)
}

fn sessions(config: &Pkcs11Config, chosen: &SeenSlot, report: &mut Report) {
    match workers(config, chosen) {
        Err(error) => report.error(Check::Sessions, error.to_string()),
        Ok(found) => {
            let asked = worker_count(config.max_sessions, None, 0).unwrap_or(found);
            if found < asked {
                let message = format!(
                    "{found} sessions can sign at once, fewer than the {asked} asked for: the token admits no more"
                );
                report.warning(Check::Sessions, message);
            } else {
                report.good(Check::Sessions, format!("{found} sessions can sign at once"));
            }
        }
    }
}

fn algorithms(abilities: &mechanisms::Abilities, wanted: &[KeyAlgorithm], report: &mut Report) {
    let names = |algorithms: Vec<&KeyAlgorithm>| {
        algorithms
            .iter()
            .map(|algorithm| algorithm.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let missing: Vec<_> = wanted
        .iter()
        .filter(|algorithm| !abilities.algorithms.contains(algorithm))
        .collect();
    if !missing.is_empty() {
        let lacking = abilities.lacking.join("; ");
        let message = format!(
            "the token cannot make {} keys; choose a `signature_algorithm_suite` that does without, or enable the mechanisms (missing: {lacking})",
            names(missing)
        );
        report.error(Check::Mechanisms, message);
    } else if abilities.algorithms.is_empty() {
        report.error(
            Check::Mechanisms,
            format!(
                "the token has none of the mechanisms needed: {}",
                abilities.lacking.join("; ")
            ),
        );
    } else {
        report.good(
            Check::Mechanisms,
            format!("it makes {}", names(abilities.algorithms.iter().collect())),
        );
    }
}

/// The PIN, tried once where that is safe.
fn pin(
    config: &Pkcs11Config,
    module: &Arc<Module>,
    chosen: &SeenSlot,
    report: &mut Report,
) -> Result<(), (Check, OpenError)> {
    let store = chosen.store();
    if module.pins().permission(&store, &config.pin, Instant::now()) == Permission::Refused {
        return Err((Check::Pin, OpenError::PinRefusedBefore { store }));
    }
    if let Ok(facts) = &chosen.facts {
        let doubt = match facts.pin_state {
            PinState::Good => None,
            PinState::CountLow => Some(
                "wrong PINs were tried since the last login, so this one was not tried; log in once with the vendor's tool",
            ),
            state @ (PinState::FinalTry | PinState::Locked) => state.danger(),
        };
        let reason = doubt
            .or((!facts.is_pin_initialised)
                .then_some("it has no user PIN yet; set one with the vendor's tool"));
        if let Some(reason) = reason {
            return Err((
                Check::Pin,
                OpenError::LoginImpossible {
                    store,
                    reason: reason.to_owned(),
                },
            ));
        }
    }
    let token = Token::new(
        Arc::clone(module),
        config.token.clone(),
        chosen,
        config.pin.clone(),
    );
    let result = token
        .log_in()
        .map_err(|failure| (Check::Pin, login_failed(config, &token, failure)));
    token.close();
    result.map(|()| report.good(Check::Pin, "the PIN opens the token"))
}
