//! What the backend makes of calls that do not return.
//!
//! Calls hang until the orders change, and whatever is well has ten seconds and more, so that nothing here depends on the
//! speed of the machine.

use std::sync::Arc;
use std::time::Duration;

use crate::world::{World, calls, cases, request, sign, wait_until};
use keystore::{KeyBackend, KeyError};
use keystore_pkcs11::{Pkcs11Backend, Pkcs11Config};

cases! {
    a_hung_call_times_out_and_costs_only_its_session,
    when_all_calls_hang_more_are_refused_at_once,
    an_abandoned_call_does_not_hold_its_session,
}

/// A backend that gives up after so many seconds, on so many sessions. Opening it has three times as long, and generation
/// twelve times.
fn impatient(world: &World, cluster: &str, seconds: u64, sessions: u32) -> Pkcs11Backend {
    let config = Pkcs11Config {
        call_deadline: Duration::from_secs(seconds),
        max_sessions: Some(sessions),
        ..world.config("main", cluster)
    };
    world.open(config).unwrap()
}

fn a_hung_call_times_out_and_costs_only_its_session(world: &World) {
    let config = Pkcs11Config {
        call_deadline: Duration::from_secs(10),
        ..world.config("main", "hung")
    };
    let (backend, key) = world.ready_with(config);
    let backend = Arc::new(backend);
    world.order(&["C_Sign hang 1"]);
    let results = world.sign_at_once(&backend, &key, 8);
    let timed_out = results
        .iter()
        .filter(|result| matches!(result, Err(KeyError::Timeout { .. })))
        .count();
    assert_eq!(
        (timed_out, results.iter().filter(|result| result.is_ok()).count()),
        (1, 7),
        "{results:?}"
    );
    // The call hangs still, and the others go on.
    for result in world.sign_at_once(&backend, &key, 32) {
        result.unwrap();
    }
}

fn when_all_calls_hang_more_are_refused_at_once(world: &World) {
    let (_patient, key) = world.ready("all-hang");
    let backend = Arc::new(impatient(world, "all-hang", 4, 3));
    world.order(&["C_Sign hang"]);
    for result in world.sign_at_once(&backend, &key, 2) {
        assert!(matches!(result, Err(KeyError::Timeout { .. })), "{result:?}");
    }
    let tried = calls("C_Sign");
    for _ in 0..10 {
        // A timeout would say that it waited for a session.
        let error = world.sign(&backend, &key).unwrap_err();
        assert!(
            matches!(&error, KeyError::Unavailable { reason, .. } if reason.contains("hang")),
            "{error}"
        );
    }
    assert_eq!(calls("C_Sign"), tried);
    // When the module answers at last, the backend works again without being opened anew.
    world.shim.clear().unwrap();
    wait_until("the backend works again", || world.sign(&backend, &key).is_ok());
}

fn an_abandoned_call_does_not_hold_its_session(world: &World) {
    let (_patient, key) = world.ready("abandoned");
    let backend = impatient(world, "abandoned", 10, 2);
    let tried = calls("C_Sign");
    world.order(&["C_Sign hang 1"]);
    world.runtime.block_on(async {
        let call = sign(&backend, &key);
        let begun = async {
            while calls("C_Sign") == tried {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // The caller goes away when its call hangs; the deadline is kept all the same.
        tokio::select! {
            result = call => panic!("a call that hangs returned: {result:?}"),
            () = begun => {}
        }
    });
    // The only session of the two that signs is the abandoned one. This call waits its turn longer than that one's deadline.
    let request = request("abandoned", 1);
    let found = world.runtime.block_on(backend.generate(&request)).unwrap();
    assert_eq!(found, key);
}
