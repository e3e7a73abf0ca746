//! Sealing what is stored and must not be read there: seeds of one-time codes.

use std::sync::Arc;

use aws_lc_rs::aead;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::Entropy;
use zeroize::Zeroizing;

/// Why bytes were not sealed or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// No nonce.
    #[error("no nonce could be made")]
    Entropy,
    /// The cipher refused.
    #[error("the cipher does not accept its input")]
    Cipher,
    /// It does not open.
    #[error(
        "the sealed text was changed, belongs elsewhere, or was sealed under another key; put the key's file back from its backup"
    )]
    NotOpened,
}

/// Seals short secrets, bound to what they belong to.
pub trait Seal: Send + Sync {
    /// Encrypts and authenticates; the text opens only with the same context.
    ///
    /// # Errors
    /// When it cannot.
    fn seal(&self, context: &str, plain: &[u8]) -> Result<String, SealFault>;

    /// Opens what [`Seal::seal`] made.
    ///
    /// # Errors
    /// When the text or the context is another, or the key is.
    fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealFault>;
}

/// AES-256-GCM (NIST SP 800-38D) with random nonces: nonce, ciphertext and tag as base64url.
pub struct AeadSeal {
    key: LessSafeKey,
    entropy: Arc<dyn Entropy>,
}

impl AeadSeal {
    /// Seals under a key of 256 random bits.
    ///
    /// # Errors
    /// When the cipher does not take the key.
    pub fn new(key: &[u8; 32], entropy: Arc<dyn Entropy>) -> Result<Self, SealFault> {
        let key = UnboundKey::new(&aead::AES_256_GCM, key).map_err(|_| SealFault::Cipher)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            entropy,
        })
    }
}

impl Seal for AeadSeal {
    fn seal(&self, context: &str, plain: &[u8]) -> Result<String, SealFault> {
        let mut nonce = [0; aead::NONCE_LEN];
        self.entropy.fill(&mut nonce).map_err(|_| SealFault::Entropy)?;
        // Room for the tag, so that appending it does not move the plaintext and leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(aead::MAX_TAG_LEN)));
        bytes.extend_from_slice(plain);
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut *bytes,
            )
            .map_err(|_| SealFault::Cipher)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), bytes.as_slice()].concat()))
    }

    fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let bytes = URL_SAFE_NO_PAD
            .decode(sealed)
            .map(Zeroizing::new)
            .map_err(|_| SealFault::NotOpened)?;
        let (nonce, ciphertext) = bytes
            .split_at_checked(aead::NONCE_LEN)
            .ok_or(SealFault::NotOpened)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealFault::NotOpened)?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut plain)
            .map_err(|_| SealFault::NotOpened)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use runtime::EntropyFault;

    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyFault> {
            buffer.fill(7);
            Ok(())
        }
    }

    #[test]
    fn what_is_sealed_opens_only_where_it_belongs() {
        let seal = AeadSeal::new(&[1; 32], Arc::new(Sevens)).unwrap();
        let other = AeadSeal::new(&[2; 32], Arc::new(Sevens)).unwrap();
        let sealed = seal.seal("user/alice", b"secret").unwrap();
        assert_eq!(seal.open("user/alice", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(seal.open("user/bob", &sealed), Err(SealFault::NotOpened));
        assert_eq!(other.open("user/alice", &sealed), Err(SealFault::NotOpened));
        for bad in ["", "AAAA", &sealed[1..], &format!("{sealed}A")] {
            assert_eq!(seal.open("user/alice", bad), Err(SealFault::NotOpened), "{bad}");
        }
    }
}
