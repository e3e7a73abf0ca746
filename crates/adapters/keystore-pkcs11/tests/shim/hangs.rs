//! What the backend makes of calls that do not return.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::world::{World, cases, sign};
use keystore::KeyError;
use keystore_pkcs11::Pkcs11Config;

cases! {
    a_hung_call_times_out_and_costs_only_its_session,
    when_all_calls_hang_more_are_refused_at_once,
    an_abandoned_call_does_not_hold_its_session,
}

fn a_hung_call_times_out_and_costs_only_its_session(world: &World) {
    let config = Pkcs11Config {
        call_deadline: Duration::from_secs(1),
        ..world.config("main", "hung")
    };
    let (backend, key) = world.ready_with(config);
    let backend = Arc::new(backend);
    world.order(&["C_Sign hang 30000 1"]);
    let begun = Instant::now();
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
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for result in world.sign_at_once(&backend, &key, 32) {
        result.unwrap();
    }
}

fn when_all_calls_hang_more_are_refused_at_once(world: &World) {
    let config = Pkcs11Config {
        call_deadline: Duration::from_millis(500),
        max_sessions: Some(3),
        ..world.config("main", "all-hang")
    };
    let (backend, key) = world.ready_with(config);
    let backend = Arc::new(backend);
    world.order(&["C_Sign hang 4000 2"]);
    for result in world.sign_at_once(&backend, &key, 2) {
        assert!(matches!(result, Err(KeyError::Timeout { .. })), "{result:?}");
    }
    let begun = Instant::now();
    let error = world.sign(&backend, &key).unwrap_err();
    assert!(
        matches!(&error, KeyError::Unavailable { reason, .. } if reason.contains("hang")),
        "{error}"
    );
    assert!(
        begun.elapsed() < Duration::from_millis(250),
        "{:?}",
        begun.elapsed()
    );
    // When the module answers at last, the backend works again without being opened anew.
    let until = Instant::now() + Duration::from_secs(30);
    while let Err(error) = world.sign(&backend, &key) {
        assert!(Instant::now() < until, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn an_abandoned_call_does_not_hold_its_session(world: &World) {
    let config = Pkcs11Config {
        call_deadline: Duration::from_millis(500),
        max_sessions: Some(2),
        ..world.config("main", "abandoned")
    };
    let (backend, key) = world.ready_with(config);
    world.order(&["C_Sign hang 30000 1"]);
    // The caller goes away long before the deadline; the deadline is kept all the same.
    let gone = world
        .runtime
        .block_on(async { tokio::time::timeout(Duration::from_millis(50), sign(&backend, &key)).await });
    assert!(gone.is_err());
    world.sign(&backend, &key).unwrap();
}
