//! Which algorithms a token can make and use, and how each is asked for.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use cryptoki::context::Pkcs11;
use cryptoki::error::Error;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType};
use cryptoki::slot::Slot;
use key::{KeyAlgorithm, SignatureScheme};

/// The DER of a `DigestInfo` up to the digest (RFC 8017 section 9.2, note 1).
const DIGEST_INFO_SHA256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
const DIGEST_INFO_SHA512: [u8; 19] = [
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
    0x04, 0x40,
];
/// `secp256r1`, `secp384r1` and `id-Ed25519` in DER.
const OID_P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const OID_ED25519: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
/// `PrintableString "edwards25519"`, what some tokens want instead (PKCS#11 3.0 section 2.3.5).
const NAME_ED25519: [u8; 14] = *b"\x13\x0cedwards25519";

/// The mechanisms one algorithm needs, to make keys and to sign.
pub(crate) fn needed(algorithm: KeyAlgorithm) -> [MechanismType; 2] {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            [MechanismType::RSA_PKCS_KEY_PAIR_GEN, MechanismType::RSA_PKCS]
        }
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => {
            [MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDSA]
        }
        KeyAlgorithm::Ed25519 => [MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, MechanismType::EDDSA],
    }
}

/// What a token can do, and in words what it lacks for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) algorithms: BTreeSet<KeyAlgorithm>,
    pub(crate) lacking: Vec<String>,
}

/// Asks the token for its mechanisms and their key sizes. The caller holds the module's guard.
pub(crate) fn probe(functions: &Pkcs11, slot: Slot) -> Result<Abilities, Error> {
    let offered = functions.get_mechanism_list(slot)?;
    let sizes = |mechanism| {
        functions
            .get_mechanism_info(slot, mechanism)
            .ok()
            .map(|info| (info.min_key_size(), info.max_key_size()))
    };
    let mut abilities = Abilities::default();
    for algorithm in KeyAlgorithm::ALL {
        match lack(algorithm, &offered, sizes) {
            None => {
                abilities.algorithms.insert(algorithm);
            }
            Some(lack) => abilities.lacking.push(format!("{algorithm}: {lack}")),
        }
    }
    Ok(abilities)
}

/// What stands in the way of an algorithm, if anything.
fn lack(
    algorithm: KeyAlgorithm,
    offered: &[MechanismType],
    sizes: impl Fn(MechanismType) -> Option<(usize, usize)>,
) -> Option<String> {
    let missing: Vec<String> = needed(algorithm)
        .iter()
        .filter(|mechanism| !offered.contains(mechanism))
        .map(ToString::to_string)
        .collect();
    if !missing.is_empty() {
        return Some(missing.join(" and "));
    }
    let bits = match algorithm {
        KeyAlgorithm::Rsa2048 => 2048,
        KeyAlgorithm::Rsa3072 => 3072,
        KeyAlgorithm::Rsa4096 => 4096,
        KeyAlgorithm::EcdsaP256 => 256,
        KeyAlgorithm::EcdsaP384 => 384,
        // Tokens disagree whether its size is 255, 256 or 32.
        KeyAlgorithm::Ed25519 => return None,
    };
    needed(algorithm)
        .into_iter()
        .find_map(|mechanism| match sizes(mechanism) {
            // A limit of zero, or none at all, is a token that does not say.
            Some((least, most)) if most != 0 && !(least..=most).contains(&bits) => {
                Some(format!("{mechanism} takes keys of {least} to {most} bits"))
            }
            Some(_) | None => None,
        })
}

/// The key type an algorithm's objects have.
pub(crate) fn key_type(algorithm: KeyAlgorithm) -> KeyType {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => KeyType::RSA,
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => KeyType::EC,
        KeyAlgorithm::Ed25519 => KeyType::EC_EDWARDS,
    }
}

/// The mechanism that makes keys.
pub(crate) fn generation(algorithm: KeyAlgorithm) -> Mechanism<'static> {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => Mechanism::RsaPkcsKeyPairGen,
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => Mechanism::EccKeyPairGen,
        KeyAlgorithm::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
    }
}

/// The attributes that say which key to make, in each spelling worth trying.
pub(crate) fn parameters(algorithm: KeyAlgorithm) -> Vec<Vec<Attribute>> {
    match algorithm {
        KeyAlgorithm::Rsa2048 => rsa(2048),
        KeyAlgorithm::Rsa3072 => rsa(3072),
        KeyAlgorithm::Rsa4096 => rsa(4096),
        KeyAlgorithm::EcdsaP256 => vec![vec![Attribute::EcParams(OID_P256.into())]],
        KeyAlgorithm::EcdsaP384 => vec![vec![Attribute::EcParams(OID_P384.into())]],
        KeyAlgorithm::Ed25519 => {
            vec![
                vec![Attribute::EcParams(OID_ED25519.into())],
                vec![Attribute::EcParams(NAME_ED25519.into())],
            ]
        }
    }
}

fn rsa(bits: u32) -> Vec<Vec<Attribute>> {
    vec![vec![
        Attribute::ModulusBits(u64::from(bits).into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
    ]]
}

/// The mechanism that signs.
pub(crate) fn signing(scheme: SignatureScheme) -> Mechanism<'static> {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 | SignatureScheme::RsaPkcs1Sha512 => Mechanism::RsaPkcs,
        SignatureScheme::EcdsaP256Sha256 | SignatureScheme::EcdsaP384Sha384 => Mechanism::Ecdsa,
        SignatureScheme::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
    }
}

/// What it is given: our own digest, so that no token's hashing is needed.
pub(crate) fn to_be_signed(scheme: SignatureScheme, message: &[u8]) -> Vec<u8> {
    match scheme {
        SignatureScheme::RsaPkcs1Sha256 => {
            [&DIGEST_INFO_SHA256[..], digest(&SHA256, message).as_ref()].concat()
        }
        SignatureScheme::RsaPkcs1Sha512 => {
            [&DIGEST_INFO_SHA512[..], digest(&SHA512, message).as_ref()].concat()
        }
        SignatureScheme::EcdsaP256Sha256 => digest(&SHA256, message).as_ref().to_vec(),
        SignatureScheme::EcdsaP384Sha384 => digest(&SHA384, message).as_ref().to_vec(),
        SignatureScheme::Ed25519 => message.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [MechanismType; 6] = [
        MechanismType::RSA_PKCS_KEY_PAIR_GEN,
        MechanismType::RSA_PKCS,
        MechanismType::ECC_KEY_PAIR_GEN,
        MechanismType::ECDSA,
        MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
        MechanismType::EDDSA,
    ];

    #[test]
    fn an_algorithm_needs_its_mechanisms_and_its_size() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(lack(algorithm, &ALL, |_| None), None);
            assert_eq!(lack(algorithm, &ALL, |_| Some((0, 0))), None);
            let fewer: Vec<_> = ALL
                .into_iter()
                .filter(|mechanism| *mechanism != needed(algorithm)[1])
                .collect();
            assert!(lack(algorithm, &fewer, |_| None).is_some());
        }
        let small = |_| Some((512, 2048));
        assert_eq!(lack(KeyAlgorithm::Rsa2048, &ALL, small), None);
        assert!(
            lack(KeyAlgorithm::Rsa4096, &ALL, small)
                .unwrap()
                .contains("512 to 2048")
        );
    }
}
