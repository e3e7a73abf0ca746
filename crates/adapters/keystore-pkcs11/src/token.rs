//! One token: where it sits now, and the login that all sessions share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use keystore::KeyError;
use secrecy::SecretString;

use crate::config::TokenSelector;
use crate::module::Module;
use crate::pin::{LoginVerdict, Permission, login_hint};
use crate::recovery::{describe, name};
use crate::slots::{self, SeenSlot, TokenFacts};

/// Why an attempt did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The module said so; [`crate::recovery`] decides what next.
    Call(Error),
    /// Something was not found, which is final once it is sure that the session is logged in: a session that is not
    /// sees no private objects.
    Missing(KeyError),
    /// Nothing helps.
    Final(KeyError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// A token of a module, shared by the sessions of one backend.
pub(crate) struct Token {
    module: Arc<Module>,
    selector: TokenSelector,
    store: String,
    slot: AtomicU64,
    pin: SecretString,
    /// The session that holds the login, and the initialisation it belongs to. It does nothing else.
    anchor: Mutex<Option<(Session, u64)>>,
    /// Counts our logins: a login since means that there was none for a while.
    logins: AtomicU64,
    /// Sessions open beside the anchor.
    pub(crate) sessions_open: AtomicUsize,
}

impl Token {
    /// A token found in a slot; nothing is opened yet.
    pub(crate) fn new(
        module: Arc<Module>,
        selector: TokenSelector,
        seen: &SeenSlot,
        pin: SecretString,
    ) -> Self {
        Self {
            module,
            selector,
            store: seen.store(),
            slot: AtomicU64::new(seen.slot.id()),
            pin,
            anchor: Mutex::new(None),
            logins: AtomicU64::new(0),
            sessions_open: AtomicUsize::new(0),
        }
    }

    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    /// The token's name in key references.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// Whether this token refused our PIN.
    pub(crate) fn is_pin_refused(&self) -> bool {
        self.module
            .pins()
            .permission(&self.store, &self.pin, Instant::now())
            == Permission::Refused
    }

    /// Opens a session that may write. The caller holds the module's guard.
    ///
    /// It does not close itself: the number of a void session may belong to somebody else by then.
    pub(crate) fn open_session(&self) -> Result<Session, Error> {
        self.module.functions().open_rw_session_no_drop(self.slot()?)
    }

    /// How often the login was made.
    pub(crate) fn logins(&self) -> u64 {
        self.logins.load(Ordering::Acquire)
    }

    fn slot(&self) -> Result<Slot, Error> {
        Slot::try_from(self.slot.load(Ordering::Relaxed))
    }

    /// Makes sure that somebody holds the login. The PIN is sent at most once, whoever asks. The caller holds the
    /// module's guard.
    pub(crate) fn log_in(&self) -> Result<(), Failure> {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.module.epoch();
        let standing = anchor.take().filter(|(_, of)| *of == epoch);
        let (session, is_in) =
            match standing.map(|(session, _)| is_logged_in(&session).map(|is_in| (session, is_in))) {
                Some(Ok(standing)) => standing,
                // Void: its number may be somebody else's by now.
                Some(Err(_)) | None => {
                    let session = self.open_session()?;
                    let is_in = is_logged_in(&session)?;
                    (session, is_in)
                }
            };
        let result = if is_in { Ok(()) } else { self.send_pin(&session) };
        *anchor = Some((session, epoch));
        result
    }

    fn send_pin(&self, session: &Session) -> Result<(), Failure> {
        let pins = self.module.pins();
        match pins.permission(&self.store, &self.pin, Instant::now()) {
            Permission::Granted => {}
            Permission::Wait(time) => {
                let seconds = time.as_secs() + 1;
                return Err(Failure::Final(self.unavailable(format!(
                    "the last login failed; the next is tried in {seconds} s"
                ))));
            }
            Permission::Refused => {
                let reason = "the PIN was refused before and is not tried again; correct it and restart";
                return Err(Failure::Final(self.denied(reason)));
            }
        }
        if let Ok(info) = self.module.functions().get_token_info(self.slot()?)
            && let Some(reason) = TokenFacts::from(&info).pin_state.danger()
        {
            return Err(Failure::Final(self.denied(reason)));
        }
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                pins.accepted(&self.store, &self.pin);
                self.logins.fetch_add(1, Ordering::AcqRel);
                Ok(())
            }
            Err(Error::Pkcs11(value, function)) => Err(self.login_failed(value, function)),
            Err(other) => Err(Failure::Final(KeyError::fault(
                &self.store,
                "log in",
                describe(&other),
            ))),
        }
    }

    fn login_failed(&self, value: RvError, function: Function) -> Failure {
        let verdict = self
            .module
            .pins()
            .failed(&self.store, &self.pin, value, Instant::now());
        tracing::error!(token = %self.store, reason = %name(value), ?verdict, "the login failed");
        match verdict {
            LoginVerdict::NotReached => Failure::Call(Error::Pkcs11(value, function)),
            LoginVerdict::Later | LoginVerdict::Doubtful => {
                Failure::Final(self.unavailable(format!("the login failed: {}", name(value))))
            }
            LoginVerdict::Refused => Failure::Final(self.denied(login_hint(value))),
        }
    }

    fn unavailable(&self, reason: String) -> KeyError {
        KeyError::Unavailable {
            store: self.store.clone(),
            operation: "log in",
            reason,
        }
    }

    fn denied(&self, reason: impl Into<String>) -> KeyError {
        KeyError::Denied {
            store: self.store.clone(),
            reason: reason.into(),
        }
    }

    /// Gives up the login this backend holds; others in the process keep theirs.
    pub(crate) fn close(&self) {
        let _guard = self.module.enter();
        let anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((session, epoch)) = anchor
            && epoch == self.module.epoch()
            && let Err(error) = session.close()
        {
            tracing::debug!(token = %self.store, reason = %describe(&error), "the login session was closed already");
        }
    }

    /// Looks for the token again after it, or the library, went away. The caller holds no guard.
    pub(crate) fn find_again(&self, cause: RvError, until: Instant) -> Result<(), Failure> {
        let epoch = self.module.epoch();
        let is_library_gone = cause == RvError::CryptokiNotInitialized;
        if !is_library_gone && self.look()? {
            return Ok(());
        }
        self.module.initialise_again(epoch, is_library_gone, until)?;
        if self.look()? {
            return Ok(());
        }
        Err(Failure::Call(Error::Pkcs11(
            RvError::TokenNotPresent,
            Function::GetSlotList,
        )))
    }

    /// Initialises the library again, as the last resort against a failure that new sessions do not cure: some modules
    /// leak in the token until then. The caller holds no guard.
    pub(crate) fn start_over(&self, until: Instant) -> Result<(), Error> {
        self.module.initialise_again(self.module.epoch(), false, until)
    }

    /// Whether the same token is in some slot; remembers which.
    fn look(&self) -> Result<bool, Failure> {
        let _guard = self.module.enter();
        let seen = match slots::scan(&self.module) {
            Ok(seen) => seen,
            Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => return Ok(false),
            Err(error) => return Err(Failure::Call(error)),
        };
        let is_same = |seen: &&SeenSlot| seen.store() == self.store;
        let found = match &self.selector {
            TokenSelector::Label(_) => seen.iter().find(is_same),
            TokenSelector::Slot(number) => seen.iter().filter(is_same).find(|seen| seen.slot.id() == *number),
        };
        if let Some(seen) = found {
            self.slot.store(seen.slot.id(), Ordering::Relaxed);
        }
        Ok(found.is_some())
    }
}

/// Whether the session sees private objects.
pub(crate) fn is_logged_in(session: &Session) -> Result<bool, Error> {
    Ok(match session.get_session_info()?.session_state() {
        SessionState::RwUser | SessionState::RoUser => true,
        SessionState::RoPublic | SessionState::RwPublic | SessionState::RwSecurityOfficer => false,
    })
}
