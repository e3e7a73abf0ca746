use std::collections::BTreeMap;

use api_types::CertAuthority;
use api_types::CertAuthorityMetadata;
use api_types::CertAuthoritySpec;
use api_types::JwtKeyPair;
use api_types::KeySet;
use api_types::RotationDocument;
use api_types::RotationStatus;
use api_types::SecretText;
use api_types::SshKeyPair;
use api_types::TlsKeyPair;
use authority::KeyForm;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::AuthorityKey;
use cluster::AuthorityView;
use cluster::CrlRecord;
use cluster::SecretPlace;
use key::KeyId;
use names::ClusterName;
use zeroize::Zeroizing;

use crate::documents::status;
use crate::problem::Problem;

/// What documents of authorities are made with besides the authorities themselves.
pub(crate) struct Beside<'a> {
    /// Whose authorities they are.
    pub(crate) cluster: &'a ClusterName,
    /// What stands in the place of private keys; nothing when that was not asked for.
    pub(crate) secrets: &'a BTreeMap<KeyId, SecretPlace>,
    /// The revocation lists, by the key they belong to.
    pub(crate) crls: &'a [(AuthorityKey, CrlRecord)],
}

/// An authority as the document its users know.
///
/// # Errors
/// When a key has no form that documents show.
pub(crate) fn document(view: &AuthorityView, beside: &Beside<'_>) -> Result<CertAuthority, Problem> {
    let record = &view.record;
    let signs_with = record.desired().signs_with;
    let mut active_keys = KeySet::default();
    let mut additional_trusted_keys = KeySet::default();
    for (generation, key) in record.trusted() {
        let set = if generation == signs_with {
            &mut active_keys
        } else {
            &mut additional_trusted_keys
        };
        add(set, key, beside)?;
    }
    Ok(CertAuthority {
        kind: "cert_authority".to_owned(),
        sub_kind: record.authority.to_string(),
        version: "v2".to_owned(),
        metadata: CertAuthorityMetadata {
            name: beside.cluster.to_string(),
            revision: view.revision.0.to_string(),
        },
        spec: CertAuthoritySpec {
            authority: record.authority.to_string(),
            cluster_name: beside.cluster.to_string(),
            active_keys,
            additional_trusted_keys,
            rotation: rotation(status::rotation(record)),
        },
    })
}

fn rotation(status: RotationStatus) -> RotationDocument {
    let RotationStatus {
        state,
        phase,
        mode,
        current_id,
        started,
        grace_period_seconds,
        schedule,
        last_rotated,
        text: _,
    } = status;
    let grace_period = grace_period_seconds.map(|seconds| names::Ttl::from_seconds(seconds).to_string());
    RotationDocument {
        state,
        phase,
        mode,
        current_id,
        started,
        grace_period,
        last_rotated,
        schedule,
    }
}

fn add(set: &mut KeySet, key: &AuthorityKey, beside: &Beside<'_>) -> Result<(), Problem> {
    let secret = beside.secrets.get(&key.reference.id).map(secret);
    let kind = key.reference.backend.document_name().to_owned();
    match key.form {
        KeyForm::Ssh => {
            let line = ssh_cert::public_key_line(&key.public_key, "")
                .map_err(|error| Problem::Internal(error.to_string()))?;
            let public_key = STANDARD.encode(line.trim_end());
            set.ssh.push(SshKeyPair {
                public_key,
                private_key: secret,
                private_key_type: kind,
            });
        }
        KeyForm::Tls => {
            let certificate = key.certificate.as_ref().ok_or_else(|| {
                Problem::Internal(format!("the TLS key {} has no certificate", key.reference.id))
            })?;
            let crl = beside
                .crls
                .iter()
                .find(|(owner, _)| owner.reference.id == key.reference.id);
            set.tls.push(TlsKeyPair {
                cert: STANDARD.encode(x509::pem::encode("CERTIFICATE", &certificate.0)),
                key: secret,
                key_type: kind,
                crl: crl.map(|(_, record)| STANDARD.encode(&record.der.0)),
            });
        }
        KeyForm::Jwt => {
            let public_key = STANDARD.encode(x509::pem::encode("PUBLIC KEY", key.public_key.spki_der()));
            set.jwt.push(JwtKeyPair {
                public_key,
                private_key: secret,
                private_key_type: kind,
            });
        }
    }
    Ok(())
}

/// Base64 of the PEM key, or of what stands for a key that lives elsewhere.
fn secret(place: &SecretPlace) -> SecretText {
    match place {
        SecretPlace::Reference(locator) => SecretText::new(STANDARD.encode(locator)),
        SecretPlace::Key(pkcs8) => {
            let pem = Zeroizing::new(x509::pem::encode("PRIVATE KEY", pkcs8.expose()));
            SecretText::new(STANDARD.encode(pem.as_bytes()))
        }
    }
}
