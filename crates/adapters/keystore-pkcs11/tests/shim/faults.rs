//! What the backend makes of a token that fails.

use std::sync::Arc;

use crate::world::{World, calls, cases, request};
use keystore::{KeyBackend, KeyError};
use keystore_pkcs11::{OpenError, Pkcs11Config};

cases! {
    a_device_error_is_retried_on_a_new_session,
    a_lasting_device_error_is_unavailable_and_passes,
    an_invalid_session_is_replaced,
    a_stale_handle_is_found_again,
    a_restarted_device_is_logged_in_to_again,
    a_lost_login_is_no_missing_key,
    a_removed_token_is_unavailable_and_comes_back,
    a_library_finalised_is_initialised_again,
    fewer_sessions_than_promised_are_enough,
    sessions_stay_within_the_limit_of_the_token,
}

fn a_device_error_is_retried_on_a_new_session(world: &World) {
    // One worker: a second would open a session of its own when work comes before the first is idle again.
    let (backend, key) = world.ready_with(Pkcs11Config {
        max_sessions: Some(2),
        ..world.config("main", "device-error")
    });
    let opened = calls("C_OpenSession");
    world.order(&["C_Sign device_error 2"]);
    world.sign(&backend, &key).unwrap();
    assert_eq!(
        calls("C_OpenSession"),
        opened + 2,
        "a failed session was used again"
    );
}

fn a_lasting_device_error_is_unavailable_and_passes(world: &World) {
    let (backend, key) = world.ready("lasting");
    world.order(&["C_Sign device_error"]);
    let tried = calls("C_Sign");
    let error = world.sign(&backend, &key).unwrap_err();
    assert!(
        matches!(&error, KeyError::Unavailable { reason, .. } if reason.contains("CKR_DEVICE_ERROR")),
        "{error}"
    );
    assert!(error.is_transient());
    assert_eq!(calls("C_Sign"), tried + 4, "attempts are bounded");
    world.shim.clear().unwrap();
    world.sign(&backend, &key).unwrap();
}

fn an_invalid_session_is_replaced(world: &World) {
    let (backend, key) = world.ready("invalid-session");
    for fault in [
        "C_Sign session_handle_invalid 1",
        "C_SignInit operation_active 1",
        "C_SignInit session_closed 1",
    ] {
        world.order(&[fault]);
        world.sign(&backend, &key).unwrap();
    }
}

fn a_stale_handle_is_found_again(world: &World) {
    let (backend, key) = world.ready("stale");
    for fault in [
        "C_SignInit key_handle_invalid 1",
        "C_SignInit object_handle_invalid 1",
    ] {
        let found = calls("C_FindObjectsInit");
        world.order(&[fault]);
        world.sign(&backend, &key).unwrap();
        assert!(calls("C_FindObjectsInit") > found);
    }
}

fn a_restarted_device_is_logged_in_to_again(world: &World) {
    let (backend, key) = world.ready("restarted");
    let logins = calls("C_Login");
    world.order(&["drop_sessions"]);
    world.sign(&backend, &key).unwrap();
    assert_eq!(calls("C_Login"), logins + 1);
    world.order(&["drop_sessions"]);
    assert_eq!(world.runtime.block_on(backend.list()).unwrap().len(), 1);
}

fn a_lost_login_is_no_missing_key(world: &World) {
    let (backend, key) = world.ready("lost-login");
    world.order(&["logout"]);
    world.sign(&backend, &key).unwrap();
    world.order(&["logout"]);
    assert_eq!(
        world
            .runtime
            .block_on(backend.public_key(&key.reference))
            .unwrap(),
        key.public_key
    );
    world.order(&["logout"]);
    assert_eq!(world.runtime.block_on(backend.list()).unwrap().len(), 1);
    world.order(&["logout"]);
    assert_eq!(
        world
            .runtime
            .block_on(backend.generate(&request("lost-login", 1)))
            .unwrap(),
        key
    );
    world.order(&["logout"]);
    world.runtime.block_on(backend.destroy(&key.reference)).unwrap();
    assert_eq!(world.runtime.block_on(backend.list()).unwrap(), []);
}

fn a_removed_token_is_unavailable_and_comes_back(world: &World) {
    let (backend, key) = world.ready("removed");
    world.order(&["token_removed"]);
    for _ in 0..2 {
        let error = world.sign(&backend, &key).unwrap_err();
        assert!(matches!(error, KeyError::Unavailable { .. }), "{error}");
    }
    let error = world.runtime.block_on(backend.list()).unwrap_err();
    assert!(
        matches!(error, KeyError::Unavailable { .. }),
        "an absent token has no list: {error}"
    );
    assert!(world.runtime.block_on(backend.destroy(&key.reference)).is_err());
    assert!(world.runtime.block_on(backend.health()).is_err());
    world.shim.clear().unwrap();
    world.sign(&backend, &key).unwrap();
    world.runtime.block_on(backend.health()).unwrap();
}

fn a_library_finalised_is_initialised_again(world: &World) {
    let (backend, key) = world.ready("finalised");
    let (other, others_key) = world.ready_with(world.config("second", "finalised"));
    let initialised = calls("C_Initialize");
    world.order(&["C_SignInit cryptoki_not_initialized 1"]);
    world.sign(&backend, &key).unwrap();
    assert_eq!(calls("C_Initialize"), initialised + 1);
    // Its sessions went with the first initialisation.
    world.sign(&other, &others_key).unwrap();
    world.sign(&backend, &key).unwrap();
}

fn fewer_sessions_than_promised_are_enough(world: &World) {
    let config = Pkcs11Config {
        max_sessions: Some(12),
        ..world.config("main", "fewer")
    };
    let (backend, key) = world.ready_with(config);
    let backend = Arc::new(backend);
    // Two sessions are open by now, of the twelve asked for; other programs took the rest.
    world.order(&["max_sessions 4", "C_Sign delay_ms 20 per_session"]);
    for result in world.sign_at_once(&backend, &key, 40) {
        result.unwrap();
    }
}

fn sessions_stay_within_the_limit_of_the_token(world: &World) {
    world.order(&["max_sessions 6", "C_Sign delay_ms 5 per_session"]);
    let (backend, key) = world.ready("limit");
    assert_eq!(backend.describe().concurrency, 5);
    let refused = calls("C_OpenSession");
    let backend = Arc::new(backend);
    for result in world.sign_at_once(&backend, &key, 40) {
        result.unwrap();
    }
    assert!(
        calls("C_OpenSession") - refused <= 5,
        "more sessions were tried than the token has"
    );
    drop(backend);
    world.order(&["max_sessions 1"]);
    let error = world.refused(world.config("main", "limit"));
    assert!(
        matches!(error, OpenError::TooFewSessions { most: 1, .. }),
        "{error}"
    );
    let error = world.refused(Pkcs11Config {
        max_sessions: Some(1),
        ..world.config("main", "limit")
    });
    assert!(matches!(error, OpenError::OneSession), "{error}");
}
