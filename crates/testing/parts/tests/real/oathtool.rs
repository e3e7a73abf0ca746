use parts::oathtool::{STEP_SECONDS, totp};

/// RFC 6238 appendix B: the last six digits of the codes for SHA-1.
#[test]
fn codes_are_those_of_the_rfc() {
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for (seconds, code) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (20_000_000_000, "353130"),
    ] {
        assert_eq!(totp(secret, seconds / STEP_SECONDS).unwrap(), code, "{seconds}");
    }
    assert!(totp("not base32!", 1).is_err());
}
