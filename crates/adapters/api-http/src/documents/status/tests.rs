use authority::AuthorityType;
use key::BackendKind;

use super::*;

fn signing(authority: AuthorityType, form: KeyForm, storage: BackendKind, is_preferred: bool) -> SigningKey {
    SigningKey {
        authority,
        form,
        storage,
        is_preferred,
    }
}

#[test]
fn custody_is_judged_key_by_key() {
    let hsm = |form| signing(AuthorityType::Host, form, BackendKind::Pkcs11, true);
    let all = custody(BackendKind::Pkcs11, &[hsm(KeyForm::Ssh), hsm(KeyForm::Tls)]);
    assert_eq!(
        (all.configured.as_str(), all.summary.as_str()),
        ("PKCS#11 HSM", "all 2 signing keys live where configured")
    );
    // One form in the token and one in software is not moved over.
    let mixed = [
        hsm(KeyForm::Ssh),
        signing(AuthorityType::Host, KeyForm::Tls, BackendKind::Software, false),
        signing(AuthorityType::Jwt, KeyForm::Jwt, BackendKind::Software, false),
        signing(AuthorityType::Db, KeyForm::Tls, BackendKind::AwsKms, false),
    ];
    let some = custody(BackendKind::Pkcs11, &mixed);
    assert_eq!(
        some.summary,
        "3 of 4 signing keys live elsewhere (software: host TLS, jwt JWT; AWS KMS: db TLS)"
    );
}

#[test]
fn a_pin_has_the_prefix_that_joining_agents_expect() {
    assert_eq!(
        ca_pin(&SpkiSha256([0xab; 32])),
        format!("sha256:{}", "ab".repeat(32))
    );
}
