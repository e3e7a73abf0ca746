use aws_lc_rs::aead;
use aws_lc_rs::aead::Aad;
use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::aead::Nonce;
use aws_lc_rs::aead::UnboundKey;
use runtime::Entropy;
use runtime::EntropyFault;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

const TAG_BYTES: usize = 16;

/// Bytes encrypted by AES-256-GCM (NIST SP 800-38D), both fields in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    /// 96 random bits.
    nonce: String,
    /// The ciphertext and its 128-bit tag.
    ciphertext: String,
}

/// Why bytes were not sealed, or not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("no nonce or key could be made")]
    Entropy(#[source] EntropyFault),
    #[error("the {0} is not hexadecimal of the right length")]
    Malformed(&'static str),
    #[error("the cipher does not accept its input")]
    Cipher,
    #[error("the ciphertext was changed, or is another key's, or was sealed under another sealing key")]
    NotOpened,
}

/// A key that seals.
pub(crate) struct SealingCipher(LessSafeKey);

impl SealingCipher {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, EnvelopeError> {
        let key = UnboundKey::new(&aead::AES_256_GCM, key).map_err(|_| EnvelopeError::Cipher)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `plain`, bound to `context`: it opens only with the same context.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        context: &[u8],
        plain: &[u8],
    ) -> Result<Sealed, EnvelopeError> {
        let mut nonce = [0; aead::NONCE_LEN];
        entropy.fill(&mut nonce).map_err(EnvelopeError::Entropy)?;
        // Room for the tag, so that appending it does not move the plaintext and leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(plain.len() + TAG_BYTES));
        bytes.extend_from_slice(plain);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut *bytes,
            )
            .map_err(|_| EnvelopeError::Cipher)?;
        Ok(Sealed {
            nonce: hex::encode(nonce),
            ciphertext: hex::encode(&*bytes),
        })
    }

    pub(crate) fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let mut nonce = [0; aead::NONCE_LEN];
        hex::decode_to_slice(&sealed.nonce, &mut nonce).map_err(|_| EnvelopeError::Malformed("nonce"))?;
        let bytes = hex::decode(&sealed.ciphertext).map_err(|_| EnvelopeError::Malformed("ciphertext"))?;
        let mut bytes = Zeroizing::new(bytes);
        let plain = self
            .0
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut bytes,
            )
            .map_err(|_| EnvelopeError::NotOpened)?
            .len();
        bytes.truncate(plain);
        Ok(bytes)
    }
}
