use std::borrow::Cow;

use aws_lc_rs::digest;
use aws_sdk_kms::types::MessageType;
use key::KeyRef;
use key::Signature;
use key::SignatureScheme;
use keystore::KeyError;

use crate::AwsKmsBackend;
use crate::algorithm::signing_spec_of;
use crate::trouble::Trouble;

/// The longest message KMS hashes itself, in bytes.
const LONGEST_RAW: usize = 4096;

const OPERATION: &str = "sign";

impl AwsKmsBackend {
    pub(crate) async fn sign_message(
        &self,
        key: &KeyRef,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Signature, KeyError> {
        let unsupported = |reason: String| KeyError::Unsupported {
            store: self.description.store.clone(),
            algorithm: key.algorithm,
            reason,
        };
        if !scheme.fits(key.algorithm) {
            return Err(unsupported(format!(
                "{scheme:?} is no signature scheme of such keys"
            )));
        }
        let arn = self.locate(key)?;
        let (message_type, bytes) =
            prepare(scheme, message).map_err(|reason| unsupported(reason.to_owned()))?;
        let closed = |error| KeyError::fault(self.description.store.clone(), OPERATION, error);
        let _turn = self.signatures.acquire().await.map_err(closed)?;
        self.identify(key, &arn, OPERATION).await?;
        let answer = self
            .cloud
            .sign(&arn, signing_spec_of(scheme), message_type, &bytes)
            .await;
        let signature = answer.map_err(|failed| {
            if let Trouble::Unsupported(reason) = failed.trouble {
                return unsupported(reason);
            }
            self.cloud.error(OPERATION, failed)
        })?;
        Signature::from_der(scheme, &signature)
            .map_err(|error| KeyError::fault(self.description.store.clone(), OPERATION, error))
    }
}

/// What to send for a message: itself where KMS hashes it, otherwise its digest. KMS takes 1 to 4096 bytes.
fn prepare(scheme: SignatureScheme, message: &[u8]) -> Result<(MessageType, Cow<'_, [u8]>), &'static str> {
    if (1..=LONGEST_RAW).contains(&message.len()) {
        return Ok((MessageType::Raw, Cow::Borrowed(message)));
    }
    let algorithm = match scheme {
        SignatureScheme::RsaPkcs1Sha256 | SignatureScheme::EcdsaP256Sha256 => &digest::SHA256,
        SignatureScheme::EcdsaP384Sha384 => &digest::SHA384,
        SignatureScheme::RsaPkcs1Sha512 => &digest::SHA512,
        // Ed25519 hashes twice, the second time with what the first gave (RFC 8032 section 5.1.6): no digest can stand in.
        SignatureScheme::Ed25519 => {
            return Err(
                "AWS KMS signs messages of 1 to 4096 bytes with Ed25519 (ED25519_SHA_512 takes no digest); choose ECDSA \
                 P-256 for what may be longer",
            );
        }
    };
    Ok((
        MessageType::Digest,
        Cow::Owned(digest::digest(algorithm, message).as_ref().to_vec()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kms_cannot_hash_is_sent_as_a_digest() {
        let lengths = [
            (1, MessageType::Raw),
            (4096, MessageType::Raw),
            (0, MessageType::Digest),
            (4097, MessageType::Digest),
        ];
        for (length, expected) in lengths {
            let message = vec![7; length];
            for (scheme, digest_length) in [
                (SignatureScheme::RsaPkcs1Sha256, 32),
                (SignatureScheme::RsaPkcs1Sha512, 64),
                (SignatureScheme::EcdsaP256Sha256, 32),
                (SignatureScheme::EcdsaP384Sha384, 48),
            ] {
                let (message_type, bytes) = prepare(scheme, &message).unwrap();
                assert_eq!(message_type, expected);
                let sent = if expected == MessageType::Raw {
                    length
                } else {
                    digest_length
                };
                assert_eq!(bytes.len(), sent, "{scheme:?} of {length}");
            }
        }
    }

    #[test]
    fn ed25519_signs_only_what_fits() {
        assert!(prepare(SignatureScheme::Ed25519, &[7; 4096]).is_ok());
        for length in [0, 4097] {
            assert!(
                prepare(SignatureScheme::Ed25519, &vec![7; length])
                    .unwrap_err()
                    .contains("4096")
            );
        }
    }
}
