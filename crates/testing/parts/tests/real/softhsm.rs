use parts::process::rerun_test;
use parts::softhsm::SoftHsm;

const PIN: &str = "1234";

#[test]
fn a_key_made_in_a_token_is_listed_with_its_attributes() {
    let hsm = SoftHsm::new().unwrap();
    hsm.init_token("ca1", PIN).unwrap();
    assert_eq!(hsm.list_objects("ca1", PIN).unwrap(), []);

    hsm.generate_key("ca1", PIN, "EC:prime256v1", "host-1", "01ff")
        .unwrap();
    let objects = hsm.list_objects("ca1", PIN).unwrap();
    let private: Vec<_> = objects.iter().filter(|object| object.is_private_key()).collect();
    assert_eq!(private.len(), 1, "{objects:?}");
    assert_eq!(
        (private[0].label.as_str(), private[0].id.as_str()),
        ("host-1", "01ff")
    );
    for attribute in ["sensitive", "always sensitive", "never extractable", "local"] {
        assert!(
            private[0].access.iter().any(|word| word == attribute),
            "{attribute}: {:?}",
            private[0]
        );
    }
    assert!(
        objects.iter().any(|object| object.class == "Public Key Object"),
        "{objects:?}"
    );
}

#[test]
fn tokens_are_apart_and_slots_differ() {
    let hsm = SoftHsm::new().unwrap();
    let (first, second) = (
        hsm.init_token("ca1", PIN).unwrap(),
        hsm.init_token("ca2", PIN).unwrap(),
    );
    assert_ne!(first, second);
    hsm.generate_key("ca1", PIN, "rsa:2048", "host-1", "01").unwrap();
    assert_eq!(hsm.list_objects("ca2", PIN).unwrap(), []);

    hsm.delete_token("ca1").unwrap();
    assert!(hsm.list_objects("ca1", PIN).is_err());
}

#[test]
fn a_wrong_pin_is_an_error_and_not_an_empty_list() {
    let hsm = SoftHsm::new().unwrap();
    hsm.init_token("ca1", PIN).unwrap();
    let error = hsm.list_objects("ca1", "9999").unwrap_err().to_string();
    assert!(error.contains("CKR_PIN_INCORRECT"), "{error}");
}

#[test]
fn a_test_runs_again_in_a_process_with_the_token() {
    if let Some(configuration) = std::env::var_os("SOFTHSM2_CONF") {
        assert!(
            std::fs::read_to_string(configuration)
                .unwrap()
                .contains("directories.tokendir")
        );
        return;
    }
    let hsm = SoftHsm::new().unwrap();
    rerun_test(
        "softhsm::a_test_runs_again_in_a_process_with_the_token",
        hsm.environment(),
    )
    .unwrap();
    let unknown = rerun_test("no::such_test", hsm.environment())
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("knows no test"), "{unknown}");
}
