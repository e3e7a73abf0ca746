use authority::AuthorityType;
use key::KeyId;
use rotation::Generation;

use super::*;

fn swept(locator: &str, verdict: SweepVerdict) -> SweepRow {
    let swept = Swept {
        id: KeyId::from_random([1; 16]),
        authority: AuthorityType::Host,
        generation: Generation::FIRST,
        locator: locator.into(),
        verdict,
    };
    sweep(&[swept], true).keys.remove(0)
}

#[test]
fn a_sweep_says_what_becomes_of_each_key_and_why() {
    let waits = swept("software:a", SweepVerdict::Waits(UnixSeconds(0)));
    assert_eq!(
        (waits.destroyed, waits.destroy_after.as_deref()),
        (false, Some("1970-01-01T00:00:00Z"))
    );
    assert_eq!((waits.backend.as_str(), waits.handle.as_str()), ("software", "a"));
    let kept = swept(
        "pkcs11:{\"token\":\"t\"}",
        SweepVerdict::Kept("the host authority still uses it".into()),
    );
    assert_eq!(
        (kept.backend.as_str(), kept.handle.as_str()),
        ("PKCS#11 HSM", "{\"token\":\"t\"}")
    );
    assert_eq!(
        kept.reason,
        "kept: the host authority still uses it (generation 1)"
    );
    let would = swept("awskms:arn:aws:kms:x", SweepVerdict::WouldBeDestroyed);
    assert_eq!(
        (would.backend.as_str(), would.handle.as_str(), would.destroyed),
        ("AWS KMS", "arn:aws:kms:x", true)
    );
    assert!(!swept("software:a", SweepVerdict::Held).destroyed);
}

#[test]
fn attributes_are_told_by_name() {
    let token = KeyAttributes::Token {
        sensitive: true,
        always_sensitive: None,
        extractable: false,
        never_extractable: Some(true),
        local: Some(true),
    };
    let told = attribute_words(token);
    assert_eq!(told["sensitive"], "true");
    assert_eq!(told["always_sensitive"], "not told");
    assert_eq!(told["extractable"], "false");
    assert_eq!(
        attribute_words(KeyAttributes::AssertedByApi)["custody"],
        "asserted by the API"
    );
    assert_eq!(attribute_words(KeyAttributes::Sealed)["custody"], "sealed");
}

#[test]
fn a_key_is_proven_only_by_both_halves() {
    for (matches, signed) in [(true, true), (true, false), (false, true), (false, false)] {
        let shown = cluster::KeyVerdict {
            id: KeyId::from_random([1; 16]),
            public_key_matches: matches,
            challenge_signed: signed,
            error: None,
        };
        assert_eq!(verdict(shown, 7).ok, matches && signed);
    }
}
