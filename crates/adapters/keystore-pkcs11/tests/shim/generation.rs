//! What becomes of new keys on a token that stumbles, lies or is used by others.

use crate::world::{PIN, World, cases, request};
use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass};
use key::{KeyAlgorithm, KeyId};
use keystore::{GenerateKey, KeyBackend, KeyError};

cases! {
    generation_that_stumbles_makes_one_key,
    a_key_that_could_leave_is_destroyed,
    a_token_with_its_own_template_still_keeps_the_key,
    a_half_made_key_is_made_again,
    two_keys_of_one_id_are_neither_used_nor_destroyed,
    every_object_of_a_key_is_destroyed,
    yubico_ids_have_two_bytes,
}

fn generation_that_stumbles_makes_one_key(world: &World) {
    let backend = world.open(world.config("main", "stumbles")).unwrap();
    let faults = [
        "C_GenerateKeyPair device_memory 1",
        "C_GenerateKeyPair device_error 1",
        // The key is there, but its check fails: it is removed and made anew, or found.
        "C_SignInit device_error 1",
        "C_GetAttributeValue session_handle_invalid 1",
        "C_FindObjectsInit function_failed 1",
        "drop_sessions",
    ];
    for (number, fault) in (1..).zip(faults) {
        world.order(&[fault]);
        let key = world
            .runtime
            .block_on(backend.generate(&request("stumbles", number)))
            .unwrap();
        world.sign(&backend, &key).unwrap();
        let listed = world.runtime.block_on(backend.list()).unwrap();
        assert_eq!(listed.len(), usize::from(number), "{fault}: {listed:?}");
    }
    let objects = world.hsm.list_objects("main", PIN).unwrap();
    let ours = objects
        .iter()
        .filter(|object| object.label.starts_with("signet/stumbles/"));
    assert_eq!(ours.count(), faults.len() * 2, "public keys were left behind");
}

fn a_key_that_could_leave_is_destroyed(world: &World) {
    let backend = world.open(world.config("main", "leave")).unwrap();
    for lie in [
        "sensitive false",
        "extractable true",
        "never_extractable false",
        "always_sensitive false",
    ] {
        world.order(&[&format!("lie {lie}")]);
        let error = world
            .runtime
            .block_on(backend.generate(&request("leave", 1)))
            .unwrap_err();
        assert!(matches!(error, KeyError::NotKept { .. }), "{lie}: {error}");
        world.shim.clear().unwrap();
        assert_eq!(world.runtime.block_on(backend.list()).unwrap(), []);
    }
    let objects = world.hsm.list_objects("main", PIN).unwrap();
    assert!(
        !objects
            .iter()
            .any(|object| object.label.starts_with("signet/leave/")),
        "{objects:?}"
    );
}

fn a_token_with_its_own_template_still_keeps_the_key(world: &World) {
    let backend = world.open(world.config("main", "template")).unwrap();
    // CKA_DERIVE, and CKA_ENCRYPT of the public key.
    for (number, refusal) in (1..).zip(["0x10c template_inconsistent", "0x104 general_error"]) {
        world.order(&[&format!("refuse_attribute {refusal}")]);
        let key = world
            .runtime
            .block_on(backend.generate(&request("template", number)))
            .unwrap();
        world.sign(&backend, &key).unwrap();
    }
    // This token makes keys that can be read unless told otherwise: not told, its key is not taken.
    world.order(&["refuse_attribute sensitive general_error"]);
    let error = world
        .runtime
        .block_on(backend.generate(&request("template", 8)))
        .unwrap_err();
    assert!(matches!(error, KeyError::NotKept { .. }), "{error}");
    world.order(&["C_GenerateKeyPair general_error"]);
    let error = world
        .runtime
        .block_on(backend.generate(&request("template", 9)))
        .unwrap_err();
    assert!(matches!(error, KeyError::Unavailable { .. }), "{error}");
}

fn tool(world: &World, arguments: &[&str]) {
    let login = ["--token-label", "main", "--login", "--pin", PIN];
    let outcome = world.hsm.pkcs11_tool(login.iter().chain(arguments)).unwrap();
    assert!(outcome.success(), "{}", outcome.text());
}

fn a_half_made_key_is_made_again(world: &World) {
    let (backend, key) = world.ready("half-made");
    tool(
        world,
        &[
            "--delete-object",
            "--type",
            "privkey",
            "--id",
            &key.reference.handle,
        ],
    );
    let error = world.sign(&backend, &key).unwrap_err();
    assert!(matches!(error, KeyError::NotFound { .. }), "{error}");
    let again = world
        .runtime
        .block_on(backend.generate(&request("half-made", 1)))
        .unwrap();
    assert_ne!(again.public_key, key.public_key);
    world.sign(&backend, &again).unwrap();
    // The earlier reference is not the new key's.
    let error = world.sign(&backend, &key).unwrap_err();
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
    let error = world
        .runtime
        .block_on(backend.destroy(&key.reference))
        .unwrap_err();
    assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
    world.sign(&backend, &again).unwrap();
}

fn two_keys_of_one_id_are_neither_used_nor_destroyed(world: &World) {
    let (backend, key) = world.ready("ambiguous");
    world
        .hsm
        .generate_key(
            "main",
            PIN,
            "EC:prime256v1",
            "somebody else's",
            &key.reference.handle,
        )
        .unwrap();
    drop(backend);
    let backend = world.open(world.config("main", "ambiguous")).unwrap();
    for error in [
        world.sign(&backend, &key).unwrap_err(),
        world
            .runtime
            .block_on(backend.destroy(&key.reference))
            .unwrap_err(),
        world
            .runtime
            .block_on(backend.public_key(&key.reference))
            .unwrap_err(),
    ] {
        assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
    }
    assert!(
        world
            .runtime
            .block_on(backend.generate(&request("ambiguous", 1)))
            .is_err()
    );
    let objects = world.hsm.list_objects("main", PIN).unwrap();
    assert_eq!(
        objects
            .iter()
            .filter(|object| object.id == key.reference.handle)
            .count(),
        4
    );
}

fn every_object_of_a_key_is_destroyed(world: &World) {
    let backend = world.open(world.config("main", "copied")).unwrap();
    let rsa = GenerateKey {
        algorithm: KeyAlgorithm::Rsa2048,
        ..request("copied", 1)
    };
    let key = world.runtime.block_on(backend.generate(&rsa)).unwrap();
    // Private RSA objects tell their public key, so a copy is known for the same key.
    let module = Pkcs11::new(pkcs11_shim::module_path().unwrap()).unwrap();
    let slots = module.get_slots_with_initialized_token().unwrap();
    let slot = slots
        .into_iter()
        .find(|slot| module.get_token_info(*slot).unwrap().label() == "main");
    let session = module.open_rw_session(slot.unwrap()).unwrap();
    let objects = || {
        let id = Attribute::Id(hex::decode(&key.reference.handle).unwrap());
        session.find_objects(&[id]).unwrap()
    };
    let private = session
        .find_objects(&[
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Id(hex::decode(&key.reference.handle).unwrap()),
        ])
        .unwrap();
    session
        .copy_object(private[0], &[Attribute::Label(b"a copy".to_vec())])
        .unwrap();
    assert_eq!(objects().len(), 3);
    world.sign(&backend, &key).unwrap();
    world.runtime.block_on(backend.destroy(&key.reference)).unwrap();
    assert_eq!(objects(), []);
    let error = world.sign(&backend, &key).unwrap_err();
    assert!(matches!(error, KeyError::NotFound { .. }), "{error}");
}

fn yubico_ids_have_two_bytes(world: &World) {
    world.order(&["manufacturer Yubico (www.yubico.com)"]);
    let backend = world.open(world.config("main", "yubico")).unwrap();
    let first = world
        .runtime
        .block_on(backend.generate(&request("yubico", 1)))
        .unwrap();
    assert_eq!(first.reference.handle.len(), 4, "{}", first.reference.handle);
    assert_eq!(
        world
            .runtime
            .block_on(backend.generate(&request("yubico", 1)))
            .unwrap(),
        first
    );
    // Another key wants the same two bytes: they are taken, whatever its label.
    let mut other = request("yubico", 2);
    let mut id = *request("yubico", 1).id.as_bytes();
    id[15] ^= 0xff;
    other.id = KeyId::from_random(id);
    let second = world.runtime.block_on(backend.generate(&other)).unwrap();
    assert_ne!(second.reference.handle, first.reference.handle);
    world.sign(&backend, &first).unwrap();
    world.sign(&backend, &second).unwrap();
}
