//! One session and what it remembers, worked by one thread; and the loop that recovers from failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use key::SpkiSha256;
use keystore::KeyError;

use crate::recovery::{ATTEMPTS_MAX, Recovery, classify, describe, pause};
use crate::token::{Failure, Token, is_logged_in};

/// A place at the token.
pub(crate) struct Seat {
    token: Arc<Token>,
    open: Option<Open>,
}

/// A session that works, as far as we know.
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) store: String,
    token: Arc<Token>,
    /// Logins made when the attempt began.
    logins: u64,
    /// Private keys found and verified in this session, by `CKA_ID` and public key.
    pub(crate) objects: HashMap<(Vec<u8>, SpkiSha256), ObjectHandle>,
    epoch: u64,
}

/// What is being done, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) limit: Duration,
}

impl Open {
    /// Fails unless this session was logged in all through the attempt. A session that is not sees no private objects:
    /// nothing may be concluded from what it does not find.
    pub(crate) fn must_see_everything(&self) -> Result<(), Failure> {
        if is_logged_in(&self.session)? && self.token.logins() == self.logins {
            return Ok(());
        }
        Err(Failure::Call(Error::Pkcs11(
            RvError::UserNotLoggedIn,
            Function::GetSessionInfo,
        )))
    }
}

impl Seat {
    pub(crate) fn new(token: Arc<Token>) -> Self {
        Self { token, open: None }
    }

    /// Opens the session ahead of need.
    pub(crate) fn prepare(&mut self) -> Result<(), Failure> {
        let token = Arc::clone(&self.token);
        let _guard = token.module().enter();
        self.session().map(|_| ())
    }

    /// Does something with the session; recovers and begins again as [`classify`] says, a few times at most.
    pub(crate) fn perform<T>(
        &mut self,
        operation: Operation,
        mut attempt: impl FnMut(&mut Open) -> Result<T, Failure>,
    ) -> Result<T, KeyError> {
        let until = Instant::now() + operation.limit;
        let mut failures = 0;
        loop {
            let failure = match self.try_once(&mut attempt) {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            let (recovery, error) = match failure {
                Failure::Final(error) | Failure::Missing(error) => return Err(error),
                Failure::Call(error) => (recovery_of(&error), error),
            };
            failures += 1;
            tracing::debug!(token = %self.token.store(), operation = operation.name, failures, ?recovery, reason = %describe(&error), "call failed");
            self.leave(&error);
            let resume = Instant::now() + pause(failures);
            if recovery == Recovery::Fail || failures == ATTEMPTS_MAX || resume >= until {
                return Err(self.report(operation, recovery, &error));
            }
            thread::sleep(pause(failures));
            if failures == ATTEMPTS_MAX - 1
                && matches!(error, Error::Pkcs11(RvError::GeneralError, _))
                && let Err(error) = self.token.start_over(until)
            {
                tracing::warn!(token = %self.token.store(), reason = %describe(&error), "the module does not start again");
            }
            if recovery == Recovery::Reinitialise
                && let Error::Pkcs11(value, _) = error
                && let Err(failure) = self.token.find_again(value, until)
            {
                tracing::debug!(token = %self.token.store(), ?failure, "the token is still away");
            }
        }
    }

    fn try_once<T>(
        &mut self,
        attempt: &mut impl FnMut(&mut Open) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let token = Arc::clone(&self.token);
        let _guard = token.module().enter();
        let open = self.session()?;
        open.logins = token.logins();
        match attempt(open) {
            Err(Failure::Missing(error)) => {
                Err(open.must_see_everything().err().unwrap_or(Failure::Final(error)))
            }
            other => other,
        }
    }

    /// The session, opened and logged in where it was not.
    fn session(&mut self) -> Result<&mut Open, Failure> {
        let epoch = self.token.module().epoch();
        if self.open.as_ref().is_some_and(|open| open.epoch != epoch) {
            self.forget();
        }
        if self.open.is_none() {
            self.token.log_in()?;
            let session = self.token.open_session()?;
            self.token.sessions_open.fetch_add(1, Ordering::Relaxed);
            let store = self.token.store().to_owned();
            let token = Arc::clone(&self.token);
            self.open = Some(Open {
                session,
                store,
                token,
                logins: 0,
                objects: HashMap::new(),
                epoch,
            });
        }
        self.open
            .as_mut()
            .ok_or_else(|| Failure::Final(KeyError::fault(self.token.store(), "open a session", "none")))
    }

    /// Gives up the session after a failure; closes it where it may still stand.
    fn leave(&mut self, error: &Error) {
        let is_void = matches!(
            error,
            Error::Pkcs11(
                RvError::SessionHandleInvalid
                    | RvError::SessionClosed
                    | RvError::CryptokiNotInitialized
                    | RvError::DeviceRemoved
                    | RvError::TokenNotPresent,
                _
            )
        );
        if is_void { self.forget() } else { self.close() }
    }

    /// Drops the session without a call: its number may belong to somebody else by now.
    fn forget(&mut self) {
        if self.open.take().is_some() {
            self.token.sessions_open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn close(&mut self) {
        let token = Arc::clone(&self.token);
        let _guard = token.module().enter();
        if let Some(open) = self.open.take() {
            token.sessions_open.fetch_sub(1, Ordering::Relaxed);
            if open.epoch == token.module().epoch()
                && let Err(error) = open.session.close()
            {
                tracing::debug!(token = %token.store(), reason = %describe(&error), "a session did not close");
            }
        }
    }

    /// The error of the port for a failure that did not pass.
    fn report(&self, operation: Operation, recovery: Recovery, error: &Error) -> KeyError {
        let store = self.token.store().to_owned();
        let reason = describe(error);
        match (recovery, error) {
            (Recovery::Fail, Error::Pkcs11(RvError::TokenWriteProtected | RvError::SessionReadOnly, _)) => {
                KeyError::Denied {
                    store,
                    reason: format!(
                        "the token is write-protected ({reason}); lift that with the vendor's tool"
                    ),
                }
            }
            (
                Recovery::Fail,
                Error::Pkcs11(
                    RvError::KeyFunctionNotPermitted | RvError::FunctionRejected | RvError::ActionProhibited,
                    _,
                ),
            ) => KeyError::Denied {
                store,
                reason: format!("{reason}; check the rights of the PIN's user and the key's attributes"),
            },
            (Recovery::Fail, _) => KeyError::fault(store, operation.name, reason),
            (
                Recovery::Retry
                | Recovery::ReopenSession
                | Recovery::Relogin
                | Recovery::Refind
                | Recovery::Reinitialise,
                _,
            ) => KeyError::Unavailable {
                store,
                operation: operation.name,
                reason,
            },
        }
    }
}

fn recovery_of(error: &Error) -> Recovery {
    match error {
        Error::Pkcs11(value, _) => classify(*value),
        Error::LibraryLoading(_)
        | Error::NotSupported
        | Error::TryFromInt(_)
        | Error::TryFromSlice(_)
        | Error::ParseInt(_)
        | Error::Utf8(_)
        | Error::NulError(_)
        | Error::NullFunctionPointer
        | Error::MissingSymbol(_)
        | Error::InvalidValue
        | Error::PinNotSet => Recovery::Fail,
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.close();
    }
}
