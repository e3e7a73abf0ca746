//! Whom the API trusts: certificates of the user authority for people, of the host authority for machines, less what was revoked.

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

/// The authorities whose certificates open the API.
const AUTHORITIES: [AuthorityType; 2] = [AuthorityType::User, AuthorityType::Host];

/// The trusted keys of these authorities as they were read at one moment, and the certificates revoked then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTrust {
    issuers: BTreeMap<SpkiSha256, TrustedIssuer>,
    /// The serials, lower-case hexadecimal.
    revoked: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TrustedIssuer {
    authority: AuthorityType,
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
        let ledger = cluster.journal().ledger();
        let mut trust = Self::default();
        for authority in AUTHORITIES {
            let view = cluster.authority(authority)?;
            let trusted = view.record.trusted().filter(|(_, key)| key.form == KeyForm::Tls);
            trust
                .issuers
                .extend(trusted.filter_map(|(generation, key)| issuer(authority, generation, key)));
            let revoked = ledger
                .revocations(authority, cluster.now())
                .await
                .map_err(ClusterError::Ledger)?;
            trust
                .revoked
                .extend(revoked.into_iter().map(|revoked| revoked.serial));
        }
        Ok(trust)
    }

    /// This trust without the keys that the cluster no longer trusts: what is left when it cannot be read who was revoked since.
    ///
    /// # Errors
    /// When the cluster lacks one of the authorities.
    pub fn narrowed(&self, cluster: &Cluster) -> Result<Self, ClusterError> {
        let mut still: HashSet<SpkiSha256> = HashSet::new();
        for authority in AUTHORITIES {
            let view = cluster.authority(authority)?;
            still.extend(view.record.trusted().map(|(_, key)| key.public_key.spki_sha256()));
        }
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

    /// The generations of an authority that are trusted.
    pub fn generations(&self, authority: AuthorityType) -> BTreeSet<Generation> {
        let of = self
            .issuers
            .values()
            .filter(|issuer| issuer.authority == authority);
        of.map(|issuer| issuer.generation).collect()
    }

    /// Whose key it is, and of which generation, when it is trusted.
    pub fn issuer(&self, key: SpkiSha256) -> Option<(AuthorityType, Generation)> {
        self.issuers
            .get(&key)
            .map(|issuer| (issuer.authority, issuer.generation))
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

fn issuer(
    authority: AuthorityType,
    generation: Generation,
    key: &AuthorityKey,
) -> Option<(SpkiSha256, TrustedIssuer)> {
    let certificate = key.certificate.as_ref()?.0.clone();
    let public_key = key.public_key.clone();
    Some((
        public_key.spki_sha256(),
        TrustedIssuer {
            authority,
            generation,
            public_key,
            certificate,
        },
    ))
}

#[cfg(test)]
impl ClientTrust {
    /// Trust in these keys of the user authority, for tests.
    pub(crate) fn of(certificates: &[&Certificate], revoked: &[&str]) -> Self {
        Self::of_authority(AuthorityType::User, certificates, revoked)
    }

    /// Trust in these keys of an authority, for tests.
    pub(crate) fn of_authority(
        authority: AuthorityType,
        certificates: &[&Certificate],
        revoked: &[&str],
    ) -> Self {
        let issuers = certificates.iter().map(|certificate| {
            let public_key = certificate.public_key().clone();
            let issuer = TrustedIssuer {
                authority,
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
