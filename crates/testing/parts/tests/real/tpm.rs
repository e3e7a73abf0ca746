use parts::tpm::Tpm;

const PIN: &str = "1234";

#[test]
fn keys_are_made_in_the_tpm() {
    let tpm = Tpm::start().unwrap();
    tpm.add_token("tpm1", PIN).unwrap();
    assert_eq!(tpm.list_objects("tpm1", PIN).unwrap(), []);
    for (key_type, id) in [("EC:prime256v1", "01"), ("rsa:2048", "02")] {
        tpm.pkcs11_tool()
            .generate_key("tpm1", PIN, key_type, "host-1", id)
            .unwrap();
    }
    let objects = tpm.list_objects("tpm1", PIN).unwrap();
    let private: Vec<_> = objects.iter().filter(|object| object.is_private_key()).collect();
    assert_eq!(private.len(), 2, "{objects:?}");
    assert!(
        private
            .iter()
            .all(|key| key.access.iter().any(|word| word == "never extractable")),
        "{private:?}"
    );
}

#[test]
fn two_tpms_are_apart() {
    let (first, second) = (Tpm::start().unwrap(), Tpm::start().unwrap());
    first.add_token("tpm1", PIN).unwrap();
    assert!(second.list_objects("tpm1", PIN).is_err());
}
