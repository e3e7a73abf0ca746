use key::KeyAlgorithm;

use super::*;

#[test]
fn names_round_trip() {
    for kind in AuthorityType::ALL {
        assert_eq!(kind.as_str().parse::<AuthorityType>().unwrap(), kind);
        assert!(!kind.forms().is_empty());
    }
    assert_eq!(
        "db-client".parse::<AuthorityType>().unwrap(),
        AuthorityType::DbClient
    );
    assert!("hosts".parse::<AuthorityType>().is_err());
    for suite in Suite::ALL {
        assert_eq!(suite.as_str().parse::<Suite>().unwrap(), suite);
    }
}

#[test]
fn hsm_v1_asks_no_module_for_ed25519() {
    for suite in [Suite::HsmV1, Suite::FipsV1, Suite::Legacy] {
        for kind in AuthorityType::ALL {
            for form in kind.forms() {
                assert_ne!(suite.algorithm(kind, *form), KeyAlgorithm::Ed25519);
            }
        }
    }
}
