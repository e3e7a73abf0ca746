//! Every fault the shim can inject, seen through a real client over SoftHSM2.
//!
//! One process, one module, cases one after another: a module is initialised once and faults are global.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers fail by panicking"
)]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use libtest_mimic::{Arguments, Trial};
use pkcs11_shim::Shim;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

struct Token {
    shim: Shim,
    module: Pkcs11,
    slot: Slot,
}

type Case = fn(&Token);

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let token = Arc::new(Token::open(folder.path()).unwrap());
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let cases: &[(&str, Case)] = &[
        (
            "everything_passes_through_without_orders",
            everything_passes_through_without_orders,
        ),
        ("counted_fault_ends_by_itself", counted_fault_ends_by_itself),
        ("misspelt_order_fails_everything", misspelt_order_fails_everything),
        (
            "session_count_is_limited_and_reported",
            session_count_is_limited_and_reported,
        ),
        (
            "delayed_sessions_run_side_by_side",
            delayed_sessions_run_side_by_side,
        ),
        ("serial_delay_runs_one_at_a_time", serial_delay_runs_one_at_a_time),
        ("delays_keep_the_tokens_time", delays_keep_the_tokens_time),
        (
            "a_hung_call_returns_when_the_orders_change",
            a_hung_call_returns_when_the_orders_change,
        ),
        (
            "removed_token_loses_sessions_and_comes_back",
            removed_token_loses_sessions_and_comes_back,
        ),
        ("dropped_sessions_stay_dropped", dropped_sessions_stay_dropped),
        ("logout_happens_behind_the_back", logout_happens_behind_the_back),
        ("reported_facts_can_be_changed", reported_facts_can_be_changed),
        (
            "refused_attribute_fails_generation",
            refused_attribute_fails_generation,
        ),
        ("calls_are_counted", calls_are_counted),
    ];
    let trials = cases
        .iter()
        .map(|(name, case)| {
            let token = Arc::clone(&token);
            Trial::test(*name, move || {
                token.shim.clear()?;
                case(&token);
                token.shim.clear()?;
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

impl Token {
    fn open(folder: &Path) -> io::Result<Self> {
        let tokens = folder.join("tokens");
        fs::create_dir(&tokens)?;
        let config = folder.join("softhsm2.conf");
        fs::write(
            &config,
            format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display()),
        )?;
        let made = Command::new("softhsm2-util")
            .args([
                "--init-token",
                "--free",
                "--label",
                "shim",
                "--so-pin",
                "12345678",
                "--pin",
                "1234",
            ])
            .env("SOFTHSM2_CONF", &config)
            .output()?;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        pkcs11_shim::set_environment("SOFTHSM2_CONF", &config)?;
        let shim = Shim::before(Path::new(SOFTHSM), folder)?;
        let module = Pkcs11::new(pkcs11_shim::module_path()?).unwrap();
        module
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        Ok(Self { shim, module, slot })
    }

    fn order(&self, lines: &[&str]) {
        self.shim.order(lines).unwrap();
    }

    fn session(&self) -> Session {
        let session = self.module.open_rw_session(self.slot).unwrap();
        match session.login(UserType::User, Some(&AuthPin::new("1234".into()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => session,
            Err(why) => panic!("{why}"),
        }
    }
}

fn generate(session: &Session) -> Result<ObjectHandle, Error> {
    let p256 = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let public = [Attribute::EcParams(p256), Attribute::Token(false)];
    let private = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Token(false),
    ];
    session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
        .map(|(_, private)| private)
}

fn sign(session: &Session, key: ObjectHandle) -> Result<Vec<u8>, Error> {
    session.sign(&Mechanism::Ecdsa, key, &[7; 32])
}

fn value<T: std::fmt::Debug>(result: Result<T, Error>) -> RvError {
    match result {
        Err(Error::Pkcs11(value, _)) => value,
        other => panic!("expected a return value, got {other:?}"),
    }
}

fn everything_passes_through_without_orders(token: &Token) {
    let session = token.session();
    let key = generate(&session).unwrap();
    assert_eq!(sign(&session, key).unwrap().len(), 64);
    assert!(
        token
            .module
            .get_library_info()
            .unwrap()
            .manufacturer_id()
            .starts_with("SoftHSM")
    );
}

fn counted_fault_ends_by_itself(token: &Token) {
    let session = token.session();
    let key = generate(&session).unwrap();
    token.order(&["C_Sign device_error 2"]);
    assert!(matches!(value(sign(&session, key)), RvError::DeviceError));
    // The operation stays begun when C_Sign never reached the token: a second begin is refused.
    assert!(matches!(value(sign(&session, key)), RvError::OperationActive));
    let other = token.session();
    assert!(matches!(value(sign(&other, key)), RvError::DeviceError));
    assert!(sign(&token.session(), key).is_ok());
}

fn misspelt_order_fails_everything(token: &Token) {
    token.order(&["C_Sing device_error"]);
    assert!(matches!(
        value(token.module.get_all_slots()),
        RvError::GeneralError
    ));
}

fn session_count_is_limited_and_reported(token: &Token) {
    token.order(&["max_sessions 2"]);
    let info = token.module.get_token_info(token.slot).unwrap();
    assert_eq!(format!("{:?}", info.max_session_count()), "Max(2)");
    let first = token.session();
    let _second = token.session();
    assert!(matches!(
        value(token.module.open_rw_session(token.slot)),
        RvError::SessionCount
    ));
    first.close().unwrap();
    assert!(token.module.open_rw_session(token.slot).is_ok());
}

/// Signs on four sessions at once.
fn four_at_once(token: &Token) {
    let sessions: Vec<_> = (0..4)
        .map(|_| {
            let session = token.session();
            let key = generate(&session).unwrap();
            (session, key)
        })
        .collect();
    thread::scope(|scope| {
        for (session, key) in sessions {
            scope.spawn(move || sign(&session, key).unwrap());
        }
    });
}

fn delayed_sessions_run_side_by_side(token: &Token) {
    token.order(&["C_Sign delay_ms 300 per_session"]);
    let begun = Instant::now();
    four_at_once(token);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    // Threads that start late may miss each other.
    while pkcs11_shim::most_at_once("C_Sign").unwrap() < 2 {
        assert!(begun.elapsed() < PATIENCE, "sessions wait for each other");
        four_at_once(token);
    }
}

fn serial_delay_runs_one_at_a_time(token: &Token) {
    token.order(&["C_Sign delay_ms 50 serial"]);
    let begun = Instant::now();
    four_at_once(token);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(pkcs11_shim::most_at_once("C_Sign").unwrap(), 1);
}

fn delays_keep_the_tokens_time(token: &Token) {
    const SIGNATURES: u32 = 40;
    let session = token.session();
    let key = generate(&session).unwrap();
    token.order(&["C_Sign delay_ms 5 per_session"]);
    // Never faster than the token, however late the timers of this machine are.
    let begun = Instant::now();
    for _ in 0..SIGNATURES {
        sign(&session, key).unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(5) * (SIGNATURES - 1));
}

fn a_hung_call_returns_when_the_orders_change(token: &Token) {
    let session = token.session();
    let key = generate(&session).unwrap();
    let before = pkcs11_shim::calls("C_Sign").unwrap();
    token.order(&["C_Sign hang 1"]);
    thread::scope(|scope| {
        let hung = scope.spawn(move || sign(&session, key).unwrap());
        let begun = Instant::now();
        while pkcs11_shim::calls("C_Sign").unwrap() == before {
            assert!(begun.elapsed() < PATIENCE, "the call does not begin");
            thread::sleep(Duration::from_millis(5));
        }
        // Others are not held up: the order was for one call.
        let other = token.session();
        let others_key = generate(&other).unwrap();
        sign(&other, others_key).unwrap();
        assert!(!hung.is_finished());
        token.shim.clear().unwrap();
        hung.join().unwrap();
    });
}

fn removed_token_loses_sessions_and_comes_back(token: &Token) {
    let session = token.session();
    let key = generate(&session).unwrap();
    token.order(&["token_removed"]);
    assert!(matches!(value(sign(&session, key)), RvError::DeviceRemoved));
    assert!(matches!(
        value(token.module.open_rw_session(token.slot)),
        RvError::TokenNotPresent
    ));
    assert_eq!(token.module.get_slots_with_token().unwrap(), []);
    token.shim.clear().unwrap();
    assert!(matches!(
        value(sign(&session, key)),
        RvError::SessionHandleInvalid
    ));
    let session = token.session();
    let key = generate(&session).unwrap();
    assert!(sign(&session, key).is_ok());
}

fn dropped_sessions_stay_dropped(token: &Token) {
    let session = token.session();
    token.order(&["drop_sessions"]);
    assert!(matches!(value(generate(&session)), RvError::SessionHandleInvalid));
    assert!(generate(&token.session()).is_ok());
}

fn logout_happens_behind_the_back(token: &Token) {
    let session = token.session();
    token.order(&["logout"]);
    assert!(matches!(value(generate(&session)), RvError::UserNotLoggedIn));
}

fn reported_facts_can_be_changed(token: &Token) {
    token.order(&[
        "manufacturer Yubico (www.yubico.com)",
        "token_flag user_pin_final_try",
        "hide_mechanism ecdsa",
        "lie never_extractable false",
    ]);
    assert_eq!(
        token.module.get_library_info().unwrap().manufacturer_id(),
        "Yubico (www.yubico.com)"
    );
    assert!(
        token
            .module
            .get_token_info(token.slot)
            .unwrap()
            .user_pin_final_try()
    );
    let mechanisms = token.module.get_mechanism_list(token.slot).unwrap();
    assert!(
        !mechanisms.contains(&MechanismType::ECDSA) && mechanisms.contains(&MechanismType::ECC_KEY_PAIR_GEN)
    );
    let session = token.session();
    let key = generate(&session).unwrap();
    let read = session
        .get_attributes(
            key,
            &[AttributeType::NeverExtractable, AttributeType::AlwaysSensitive],
        )
        .unwrap();
    assert_eq!(
        read,
        [
            Attribute::NeverExtractable(false),
            Attribute::AlwaysSensitive(true)
        ]
    );
}

fn refused_attribute_fails_generation(token: &Token) {
    let session = token.session();
    token.order(&["refuse_attribute extractable general_error"]);
    assert!(matches!(value(generate(&session)), RvError::GeneralError));
    token.shim.clear().unwrap();
    assert!(generate(&session).is_ok());
}

fn calls_are_counted(token: &Token) {
    let before = pkcs11_shim::calls("C_Sign").unwrap();
    let session = token.session();
    let key = generate(&session).unwrap();
    for _ in 0..3 {
        sign(&session, key).unwrap();
    }
    assert_eq!(pkcs11_shim::calls("C_Sign").unwrap(), before + 3);
    assert!(pkcs11_shim::calls("C_Sing").is_err());
}
