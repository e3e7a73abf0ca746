//! Whom the API trusts: the certificates of the user authority, less what was revoked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use authority::AuthorityType;
use authority::KeyForm;
use cluster::AuthorityKey;
use cluster::Cluster;
use cluster::ClusterError;
use key::PublicKey;
use key::SpkiSha256;
use rotation::Generation;
use x509::Certificate;

/// The trusted keys of the user authority as they were read at one moment, and the certificates revoked then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTrust {
    issuers: BTreeMap<SpkiSha256, TrustedIssuer>,
    /// The serials, lower-case hexadecimal.
    revoked: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TrustedIssuer {
    generation: Generation,
    public_key: PublicKey,
    certificate: Vec<u8>,
}

impl ClientTrust {
    /// Reads whom to trust now.
    ///
    /// # Errors
    /// When the ledger cannot tell what was revoked: nobody is let in on half a list.
    pub async fn read(cluster: &Cluster) -> Result<Self, ClusterError> {
        let view = cluster.authority(AuthorityType::User)?;
        let trusted = view.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls);
        let issuers = trusted
            .filter_map(|(generation, key)| issuer(generation, key))
            .collect();
        let ledger = cluster.journal().ledger();
        let revoked = ledger
            .revocations(AuthorityType::User, cluster.now())
            .await
            .map_err(ClusterError::Ledger)?;
        Ok(Self {
            issuers,
            revoked: revoked.into_iter().map(|revoked| revoked.serial).collect(),
        })
    }

    /// This trust without the keys that the cluster no longer trusts: what is left when it cannot be read who was revoked since.
    ///
    /// # Errors
    /// When the cluster has no user authority.
    pub fn narrowed(&self, cluster: &Cluster) -> Result<Self, ClusterError> {
        let view = cluster.authority(AuthorityType::User)?;
        let still: HashSet<SpkiSha256> = view
            .record
            .trusted()
            .map(|(_, key)| key.public_key.spki_sha256())
            .collect();
        let mut narrowed = self.clone();
        narrowed.issuers.retain(|hash, _| still.contains(hash));
        Ok(narrowed)
    }

    /// This trust with one more revoked certificate, by its serial in lower-case hexadecimal.
    #[must_use]
    pub fn without(&self, serial: &str) -> Self {
        let mut less = self.clone();
        less.revoked.insert(serial.to_owned());
        less
    }

    /// The certificates of the trusted keys, DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.issuers.values().map(|issuer| issuer.certificate.as_slice())
    }

    /// The generations that are trusted.
    pub fn generations(&self) -> BTreeSet<Generation> {
        self.issuers.values().map(|issuer| issuer.generation).collect()
    }

    /// Whether the key is trusted.
    pub fn trusts(&self, issuer: SpkiSha256) -> bool {
        self.issuers.contains_key(&issuer)
    }

    /// The trusted key that signed a certificate, if one did.
    pub fn issuer_of(&self, certificate: &Certificate) -> Option<SpkiSha256> {
        let signed = |issuer: &TrustedIssuer| certificate.verify_issued(&issuer.public_key).is_ok();
        self.issuers
            .iter()
            .find(|(_, issuer)| signed(issuer))
            .map(|(hash, _)| *hash)
    }

    /// Whether a certificate was revoked.
    pub fn has_revoked(&self, certificate: &Certificate) -> bool {
        self.revoked.contains(&hex::encode(certificate.serial_octets()))
    }
}

fn issuer(generation: Generation, key: &AuthorityKey) -> Option<(SpkiSha256, TrustedIssuer)> {
    let certificate = key.certificate.as_ref()?.0.clone();
    let public_key = key.public_key.clone();
    Some((
        public_key.spki_sha256(),
        TrustedIssuer {
            generation,
            public_key,
            certificate,
        },
    ))
}

#[cfg(test)]
impl ClientTrust {
    /// Trust in these keys, for tests.
    pub(crate) fn of(certificates: &[&Certificate], revoked: &[&str]) -> Self {
        let issuers = certificates.iter().map(|certificate| {
            let public_key = certificate.public_key().clone();
            let issuer = TrustedIssuer {
                generation: Generation::FIRST,
                public_key: public_key.clone(),
                certificate: certificate.der().to_vec(),
            };
            (public_key.spki_sha256(), issuer)
        });
        Self {
            issuers: issuers.collect(),
            revoked: revoked.iter().map(|serial| (*serial).to_owned()).collect(),
        }
    }
}
