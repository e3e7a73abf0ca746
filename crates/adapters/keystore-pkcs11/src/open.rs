//! Opening a token: every check in its order, on a thread that may be left behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::error::Error;
use keystore::KeyError;
use tokio::sync::oneshot;

use crate::OpenError;
use crate::config::{Pkcs11Config, check_module, worker_count};
use crate::mechanisms::{self, Abilities};
use crate::module::Module;
use crate::pin::Permission;
use crate::recovery::describe;
use crate::slots::{self, SeenSlot};
use crate::token::{Failure, Token};

/// How many times longer opening may take than a call: modules of networked tokens connect when they initialise.
const OPENING_FACTOR: u32 = 3;

/// A token that answered.
pub(crate) struct Opened {
    pub(crate) token: Arc<Token>,
    pub(crate) abilities: Abilities,
    pub(crate) workers: usize,
    pub(crate) summary: String,
    pub(crate) has_short_ids: bool,
}

/// Checks everything and logs in, once.
pub(crate) fn open(config: &Pkcs11Config) -> Result<Opened, OpenError> {
    worker_count(config.max_sessions, None, 0)?;
    let path = check_module(&config.module_path)?;
    let module = Module::load(&path)?;
    let failed = |error: &Error| OpenError::Token {
        selector: config.token.clone(),
        reason: describe(error),
    };
    let _guard = module.enter();
    let seen = slots::scan(&module).map_err(|error| failed(&error))?;
    let chosen = slots::choose(&config.token, &seen)?;
    let workers = workers(config, &chosen)?;
    let abilities = mechanisms::probe(module.functions(), chosen.slot).map_err(|error| failed(&error))?;
    if abilities.algorithms.is_empty() {
        return Err(OpenError::NoMechanisms {
            store: chosen.store(),
            missing: abilities.lacking.join("; "),
        });
    }
    if module
        .pins()
        .permission(&chosen.store(), &config.pin, Instant::now())
        == Permission::Refused
    {
        return Err(OpenError::PinRefusedBefore {
            store: chosen.store(),
        });
    }
    let token = Token::new(
        Arc::clone(&module),
        config.token.clone(),
        &chosen,
        config.pin.clone(),
    );
    if let Err(failure) = token.log_in() {
        token.close();
        return Err(login_failed(config, &token, failure));
    }
    Ok(Opened {
        token: Arc::new(token),
        abilities,
        workers,
        summary: summary(&module, &chosen),
        has_short_ids: has_short_ids(&module, &chosen),
    })
}

pub(crate) fn workers(config: &Pkcs11Config, chosen: &SeenSlot) -> Result<usize, OpenError> {
    match &chosen.facts {
        Ok(facts) => worker_count(config.max_sessions, facts.sessions_max, facts.sessions_in_use),
        Err(_) => worker_count(config.max_sessions, None, 0),
    }
}

pub(crate) fn login_failed(config: &Pkcs11Config, token: &Token, failure: Failure) -> OpenError {
    let store = token.store().to_owned();
    match failure {
        Failure::Call(error) => OpenError::Token {
            selector: config.token.clone(),
            reason: describe(&error),
        },
        Failure::Final(KeyError::Denied { reason, .. }) if token.is_pin_refused() => {
            OpenError::PinRefused { store, reason }
        }
        Failure::Final(KeyError::Denied { reason, .. }) => OpenError::LoginImpossible { store, reason },
        Failure::Final(other) | Failure::Missing(other) => OpenError::Token {
            selector: config.token.clone(),
            reason: other.to_string(),
        },
    }
}

fn summary(module: &Module, chosen: &SeenSlot) -> String {
    let slot = chosen.slot.id();
    let path = module.path().display();
    match &chosen.facts {
        Ok(facts) => {
            format!(
                "token {:?} ({} {}) in slot {slot} of {path}",
                facts.label, facts.manufacturer, facts.model
            )
        }
        Err(_) => format!("the token in slot {slot} of {path}"),
    }
}

/// A YubiHSM 2 names its objects by two bytes.
fn has_short_ids(module: &Module, chosen: &SeenSlot) -> bool {
    let is_yubico = |name: &str| name.starts_with("Yubico");
    let library = module.functions().get_library_info();
    library.is_ok_and(|info| is_yubico(info.manufacturer_id()))
        || chosen
            .facts
            .as_ref()
            .is_ok_and(|facts| is_yubico(&facts.manufacturer))
}

/// Does something that may hang in a module, on a thread of its own; the thread is left behind when it does.
pub(crate) async fn beside<T: Send + 'static>(
    config: &Pkcs11Config,
    work: impl FnOnce(&Pkcs11Config) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let limit: Duration = config.call_deadline.saturating_mul(OPENING_FACTOR);
    let path = config.module_path.clone();
    let (answer, answered) = oneshot::channel();
    let config = config.clone();
    let spawned = thread::Builder::new().name("pkcs11-open".into()).spawn(move || {
        // Whoever asked may have stopped waiting.
        let _unheard = answer.send(work(&config));
    });
    if let Err(error) = spawned {
        return Err(OpenError::ModuleFailed {
            path,
            reason: format!("no thread: {error}"),
        });
    }
    match tokio::time::timeout(limit, answered).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(OpenError::ModuleFailed {
            path,
            reason: "internal error".into(),
        }),
        Err(_) => Err(OpenError::Timeout {
            path,
            seconds: limit.as_secs().max(1),
        }),
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // A token opened for somebody who no longer waits; the pool closes the login of all others.
        if Arc::strong_count(&self.token) == 1 && self.token.sessions_open.load(Ordering::Relaxed) == 0 {
            self.token.close();
        }
    }
}
