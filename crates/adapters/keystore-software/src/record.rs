use key::KeyAlgorithm;
use key::KeyId;
use key::KeyRef;
use key::PublicKey;
use keystore::FoundKey;
use keystore::GenerateKey;
use keystore::KeyError;
use keystore::KeyLabel;
use names::UnixSeconds;
use runtime::Entropy;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::SHOWN;
use crate::envelope::EnvelopeError;
use crate::envelope::Sealed;
use crate::envelope::SealingCipher;
use crate::private_key::PrivateKey;

const VERSION: u32 = 1;

/// The document of one key, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRecord {
    version: u32,
    algorithm: KeyAlgorithm,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_at: Option<UnixSeconds>,
    /// The public key's `SubjectPublicKeyInfo` in hexadecimal.
    spki: PublicKey,
    /// The data key, under the sealing key.
    data_key: Sealed,
    /// The private key as PKCS#8, under the data key.
    private_key: Sealed,
}

/// Why a document is no key of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the document of software key {id} does not decode; restore the state from its backup")]
    NotDecoded {
        id: String,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the document of software key {id} has version {version}, this release knows {VERSION}; \
         start the release that wrote it"
    )]
    OtherVersion { id: String, version: u32 },
    #[error("the document of software key {id} is inconsistent: {reason}; restore the state from its backup")]
    Inconsistent { id: String, reason: &'static str },
    #[error("software key {id} does not open; restore the state from its backup")]
    NotOpened {
        id: String,
        #[source]
        source: EnvelopeError,
    },
}

/// What parts of a record are sealed for.
#[derive(Clone, Copy)]
enum Purpose {
    DataKey,
    PrivateKey,
}

impl KeyRecord {
    /// Seals a new key.
    pub(crate) fn seal(
        request: &GenerateKey,
        made_at: Option<UnixSeconds>,
        key: &PrivateKey,
        cipher: &SealingCipher,
        entropy: &dyn Entropy,
    ) -> Result<Self, KeyError> {
        let fault = |error: EnvelopeError| KeyError::fault(SHOWN, "seal a key", error);
        let pkcs8 = key
            .to_pkcs8()
            .map_err(|error| KeyError::fault(SHOWN, "encode a key", error))?;
        let mut data_key = Zeroizing::new([0; 32]);
        entropy
            .fill(&mut *data_key)
            .map_err(|error| fault(EnvelopeError::Entropy(error)))?;

        let label = request.label.to_string();
        let context = |purpose| context(purpose, request.id, key.public_key(), &label, made_at);
        let private_key = SealingCipher::new(&data_key)
            .and_then(|cipher| cipher.seal(entropy, &context(Purpose::PrivateKey), &pkcs8))
            .map_err(fault)?;
        let data_key = cipher
            .seal(entropy, &context(Purpose::DataKey), &*data_key)
            .map_err(fault)?;
        Ok(Self {
            version: VERSION,
            algorithm: request.algorithm,
            label,
            made_at,
            spki: key.public_key().clone(),
            data_key,
            private_key,
        })
    }

    /// Reads the document of a key. Nothing is opened yet.
    pub(crate) fn decode(id: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let not_decoded = |source| RecordError::NotDecoded {
            id: id.to_owned(),
            source,
        };
        let Versioned { version } = serde_json::from_slice(bytes).map_err(not_decoded)?;
        if version != VERSION {
            return Err(RecordError::OtherVersion {
                id: id.to_owned(),
                version,
            });
        }
        let record: Self = serde_json::from_slice(bytes).map_err(not_decoded)?;
        if record.spki.algorithm() != record.algorithm {
            return Err(RecordError::Inconsistent {
                id: id.to_owned(),
                reason: "the public key has another algorithm",
            });
        }
        Ok(record)
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The private key as PKCS#8.
    pub(crate) fn open(
        &self,
        id: KeyId,
        cipher: &SealingCipher,
    ) -> Result<(PrivateKey, Zeroizing<Vec<u8>>), RecordError> {
        let not_opened = |source| RecordError::NotOpened {
            id: id.to_string(),
            source,
        };
        let inconsistent = |reason| RecordError::Inconsistent {
            id: id.to_string(),
            reason,
        };
        let context = |purpose| context(purpose, id, &self.spki, &self.label, self.made_at);
        let data_key = cipher
            .open(&context(Purpose::DataKey), &self.data_key)
            .map_err(not_opened)?;
        let data_key: &[u8; 32] = data_key
            .as_slice()
            .try_into()
            .map_err(|_| inconsistent("the data key has another length"))?;
        let pkcs8 = SealingCipher::new(data_key)
            .and_then(|cipher| cipher.open(&context(Purpose::PrivateKey), &self.private_key))
            .map_err(not_opened)?;
        let key = PrivateKey::from_pkcs8(self.algorithm, &pkcs8)
            .map_err(|_| inconsistent("the private key is not of its algorithm"))?;
        if *key.public_key() != self.spki {
            return Err(inconsistent("the private key has another public key"));
        }
        Ok((key, pkcs8))
    }

    pub(crate) const fn public_key(&self) -> &PublicKey {
        &self.spki
    }

    /// Whether it is what the request asks for.
    pub(crate) fn answers(&self, request: &GenerateKey) -> bool {
        self.algorithm == request.algorithm && self.label == request.label.to_string()
    }

    /// Whether a cluster made it.
    pub(crate) fn is_labelled(&self, label_prefix: &str) -> bool {
        self.label.starts_with(label_prefix)
    }

    /// Refuses a record that is not the key referred to.
    pub(crate) fn check(&self, reference: &KeyRef) -> Result<(), KeyError> {
        let is_it = self.spki.spki_sha256() == reference.spki_sha256
            && self.algorithm == reference.algorithm
            && reference.id.to_string() == reference.handle;
        if is_it {
            Ok(())
        } else {
            Err(mismatch(reference, self.spki.spki_sha256().to_string()))
        }
    }

    pub(crate) fn found(&self, id: &str) -> Result<FoundKey, RecordError> {
        let label: KeyLabel = self.label.parse().map_err(|_| RecordError::Inconsistent {
            id: id.to_owned(),
            reason: "its label is not one of ours",
        })?;
        Ok(FoundKey {
            handle: id.to_owned(),
            label,
            public_key: Some(self.spki.clone()),
            is_usable: true,
            made_at: self.made_at,
        })
    }
}

/// Something else stands under the handle.
pub(crate) fn mismatch(reference: &KeyRef, found: String) -> KeyError {
    KeyError::Mismatch {
        store: SHOWN.to_owned(),
        handle: reference.handle.clone(),
        expected: reference.spki_sha256,
        found,
    }
}

/// What a part of a record is bound to, so that no part opens in another record or another place of this one.
/// Every field but the last has a fixed length, so that no two contexts are equal.
fn context(
    purpose: Purpose,
    id: KeyId,
    public_key: &PublicKey,
    label: &str,
    made_at: Option<UnixSeconds>,
) -> Vec<u8> {
    let purpose: &[u8; 16] = match purpose {
        Purpose::DataKey => b"signet data key ",
        Purpose::PrivateKey => b"signet priv. key",
    };
    let mut context = Vec::new();
    context.extend_from_slice(purpose);
    context.extend_from_slice(&VERSION.to_be_bytes());
    context.extend_from_slice(id.as_bytes());
    context.extend_from_slice(&public_key.spki_sha256().0);
    context.extend_from_slice(&made_at.map_or(i64::MIN, |moment| moment.0).to_be_bytes());
    context.extend_from_slice(label.as_bytes());
    context
}
