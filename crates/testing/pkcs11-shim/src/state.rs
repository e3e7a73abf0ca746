//! What the shim knows while it runs: the real module, the control file, open sessions, counters.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CKR_DEVICE_REMOVED, CKR_GENERAL_ERROR,
    CKR_OK, CKR_TOKEN_NOT_PRESENT,
};
use libloading::Library;

use crate::calls::{NAMES, close_all, log_out};
use crate::control::{Action, Control, Kind};

#[derive(Default)]
struct State {
    /// Inode, size and change time of the control file that was read last.
    stamp: Option<(u64, u64, i64, i64)>,
    control: Control,
    /// The control file cannot be understood: nothing works, so that no test passes by accident.
    broken: bool,
    sessions: HashMap<CK_SESSION_HANDLE, CK_SLOT_ID>,
    /// Sessions being opened right now.
    opening: CK_ULONG,
    calls: BTreeMap<&'static str, u64>,
    /// Calls in the module now, and the most there were since the orders changed.
    under_way: BTreeMap<&'static str, (u64, u64)>,
    /// How often the orders changed.
    orders: u64,
    late: HashMap<CK_SESSION_HANDLE, Late>,
}

/// The end of a session's last delay.
struct Late {
    woke: Instant,
    by: Duration,
}

/// How often a call that hangs looks for other orders.
const LOOK_EVERY: Duration = Duration::from_millis(5);

static STATE: OnceLock<Mutex<State>> = OnceLock::new();
static SERIAL: Mutex<()> = Mutex::new(());
static REAL: OnceLock<Option<CK_FUNCTION_LIST>> = OnceLock::new();

fn lock() -> MutexGuard<'static, State> {
    STATE
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a module gets no arguments: its environment is all it has"
)]
fn variable(name: &str) -> Option<PathBuf> {
    env::var(name).ok().map(PathBuf::from)
}

/// The functions of the real module, loaded at the first call and never unloaded.
pub(crate) fn real() -> Option<&'static CK_FUNCTION_LIST> {
    REAL.get_or_init(|| load().map_err(|why| eprintln!("pkcs11-shim: {why}")).ok())
        .as_ref()
}

#[expect(unsafe_code, reason = "loads a C library and calls its entry function")]
fn load() -> Result<CK_FUNCTION_LIST, String> {
    type Entry = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;
    let path =
        variable(crate::MODULE_VARIABLE).ok_or_else(|| format!("{} is not set", crate::MODULE_VARIABLE))?;
    // SAFETY: the test names a PKCS#11 module, whose initialisers are sound to run.
    let library =
        unsafe { Library::new(&path) }.map_err(|why| format!("cannot load {}: {why}", path.display()))?;
    let mut list = std::ptr::null_mut();
    // SAFETY: the standard fixes the type of this symbol, and that it fills the pointer with a table that lives on.
    let table = unsafe {
        let entry = library
            .get::<Entry>(b"C_GetFunctionList\0")
            .map_err(|why| why.to_string())?;
        match entry(&raw mut list) {
            CKR_OK => list.as_ref().copied(),
            value => {
                return Err(format!(
                    "C_GetFunctionList of {} returned {value:#x}",
                    path.display()
                ));
            }
        }
    };
    std::mem::forget(library);
    table.ok_or_else(|| format!("{} has no function list", path.display()))
}

/// Counts the call, applies what the control file says, and makes the call unless a fault replaces it.
pub(crate) fn gate(function: &'static str, kind: Kind, call: impl FnOnce() -> CK_RV) -> CK_RV {
    gate_of(function, kind, None, call)
}

/// As [`gate`], for a session whose delays keep the token's time.
pub(crate) fn gate_of(
    function: &'static str,
    kind: Kind,
    session: Option<CK_SESSION_HANDLE>,
    call: impl FnOnce() -> CK_RV,
) -> CK_RV {
    let begun = Instant::now();
    let (actions, orders) = match enter(function, kind) {
        Ok(entered) => entered,
        Err(value) => return value,
    };
    let mut until = None;
    let mut turn = None;
    for action in actions {
        match action {
            Action::Hang => wait_for_other_orders(orders),
            Action::Slow(time) => until = Some(begun + time.saturating_sub(overslept(session, begun, time))),
            Action::SlowSerial(time) => {
                turn = Some(SERIAL.lock().unwrap_or_else(PoisonError::into_inner));
                until = Some(Instant::now() + time);
            }
            Action::Fail(value) => return value,
        }
    }
    let under_way = UnderWay::begin(function);
    let value = call();
    if let Some(until) = until {
        sleep_until(until, session);
    }
    drop(under_way);
    drop(turn);
    value
}

/// Returns when the control file says something else than it did.
fn wait_for_other_orders(orders: u64) {
    loop {
        thread::sleep(LOOK_EVERY);
        let mut state = lock();
        state.refresh();
        if state.orders != orders {
            return;
        }
    }
}

/// By how much this session's last delay was too long, when this call follows it at once: on a machine that sleeps, timers
/// come late by as much as a fifth of a token's 5 ms. A token has no part in that.
fn overslept(session: Option<CK_SESSION_HANDLE>, begun: Instant, time: Duration) -> Duration {
    let late = session.and_then(|session| lock().late.remove(&session));
    late.filter(|late| begun.saturating_duration_since(late.woke) < time)
        .map_or(Duration::ZERO, |late| late.by)
}

fn sleep_until(until: Instant, session: Option<CK_SESSION_HANDLE>) {
    let rest = until.saturating_duration_since(Instant::now());
    if rest.is_zero() {
        return;
    }
    sleep_exactly();
    thread::sleep(rest);
    let woke = Instant::now();
    if let Some(session) = session {
        let by = woke.saturating_duration_since(until);
        lock().late.insert(session, Late { woke, by });
    }
}

/// A call between its beginning and its end, counted.
struct UnderWay(&'static str);

impl UnderWay {
    fn begin(function: &'static str) -> Self {
        let mut state = lock();
        let (now, most) = state.under_way.entry(function).or_default();
        *now += 1;
        *most = (*most).max(*now);
        Self(function)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = lock();
        let (now, _) = state.under_way.entry(self.0).or_default();
        *now = now.saturating_sub(1);
    }
}

/// Takes the 50 µs of slack out of this thread's sleeps: they would add a hundredth to a token's 5 ms.
#[expect(unsafe_code, reason = "prctl has no safe face in the standard library")]
fn sleep_exactly() {
    let slack_nanoseconds: libc::c_ulong = 1;
    // SAFETY: PR_SET_TIMERSLACK takes one number and touches no memory of ours. Where it fails sleeps are longer.
    let _advisory = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack_nanoseconds) };
}

/// What happens to a call, and by which orders.
fn enter(function: &'static str, kind: Kind) -> Result<(Vec<Action>, u64), CK_RV> {
    let mut state = lock();
    *state.calls.entry(function).or_default() += 1;
    state.refresh();
    if state.broken {
        return Err(CKR_GENERAL_ERROR);
    }
    if state.control.token_removed {
        match kind {
            Kind::Library => {}
            Kind::Slot => return Err(CKR_TOKEN_NOT_PRESENT),
            Kind::Session => return Err(CKR_DEVICE_REMOVED),
        }
    }
    let orders = state.orders;
    Ok((state.control.decide(function, kind), orders))
}

impl State {
    /// Reads the control file again when it changed, and carries out what it orders once.
    fn refresh(&mut self) {
        let Some(path) = variable(crate::CONTROL_VARIABLE) else {
            return;
        };
        let stamp = fs::metadata(&path)
            .ok()
            .map(|file| (file.ino(), file.size(), file.mtime(), file.mtime_nsec()));
        if stamp == self.stamp {
            return;
        }
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
            Err(why) => format!("unreadable: {why}"),
        };
        let parsed = Control::parse(&text, NAMES);
        self.stamp = stamp;
        self.orders += 1;
        for (now, most) in self.under_way.values_mut() {
            *most = *now;
        }
        self.broken = parsed.is_err();
        match parsed {
            Ok(control) => self.obey(control),
            Err(why) => eprintln!("pkcs11-shim: {}: {why}", path.display()),
        }
    }

    fn obey(&mut self, control: Control) {
        if control.drop_sessions || (control.token_removed && !self.control.token_removed) {
            let slots: std::collections::BTreeSet<_> = self.sessions.drain().map(|(_, slot)| slot).collect();
            slots.into_iter().for_each(close_all);
        }
        if control.logout {
            self.sessions.keys().copied().for_each(log_out);
        }
        if control.dump {
            self.dump();
        }
        self.control = control;
    }

    fn dump(&self) {
        let Some(path) = variable(crate::COUNTERS_VARIABLE) else {
            return;
        };
        let mut text = String::new();
        for (function, calls) in &self.calls {
            let _infallible = writeln!(text, "{function} {calls}");
        }
        if let Err(why) = fs::write(&path, text) {
            eprintln!("pkcs11-shim: cannot write {}: {why}", path.display());
        }
    }
}

/// Looks at the control settings in force.
pub(crate) fn look<T>(with: impl FnOnce(&Control) -> T) -> T {
    with(&lock().control)
}

/// How often this function was called.
pub(crate) fn calls(function: &str) -> u64 {
    lock().calls.get(function).copied().unwrap_or(0)
}

/// How many calls of this function were in the module at the same time, at most, since the orders changed.
pub(crate) fn most_at_once(function: &str) -> u64 {
    lock().under_way.get(function).map_or(0, |(_, most)| *most)
}

/// Writes the counters to the file the environment names, if it names one.
pub(crate) fn dump() {
    lock().dump();
}

/// Sessions open now.
pub(crate) fn sessions_open() -> CK_ULONG {
    CK_ULONG::try_from(lock().sessions.len()).unwrap_or(CK_ULONG::MAX)
}

/// Takes a place for one more session; false when the token has none left.
pub(crate) fn reserve_session() -> bool {
    let mut state = lock();
    let taken = CK_ULONG::try_from(state.sessions.len()).unwrap_or(CK_ULONG::MAX) + state.opening;
    let free = state.control.sessions_max.is_none_or(|most| taken < most);
    if free {
        state.opening += 1;
    }
    free
}

/// Fills the place taken by [`reserve_session`], or gives it back.
pub(crate) fn settle_session(opened: Option<(CK_SESSION_HANDLE, CK_SLOT_ID)>) {
    let mut state = lock();
    state.opening = state.opening.saturating_sub(1);
    state.sessions.extend(opened);
}

/// The session is closed.
pub(crate) fn forget_session(session: CK_SESSION_HANDLE) {
    let mut state = lock();
    state.sessions.remove(&session);
    state.late.remove(&session);
}

/// The sessions of this slot, or all, are closed.
pub(crate) fn forget_sessions(of: Option<CK_SLOT_ID>) {
    lock().sessions.retain(|_, slot| of.is_some_and(|of| *slot != of));
}
