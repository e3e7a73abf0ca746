//! What stands in the place of a private key in documents: the key itself for sealed software, its reference for everything else.

use audit::Actor;
use audit::AuditEvent;
use authority::AuthorityType;
use key::KeyId;
use keystore::Pkcs8Secret;
use std::collections::BTreeMap;

use crate::Cluster;
use crate::ClusterError;

/// What stands in the place of a private key.
pub enum SecretPlace {
    /// The key, PKCS#8 DER.
    Key(Pkcs8Secret),
    /// Where the key lives: a KMS key's ARN, a PKCS#11 id. Nothing in it is secret.
    Reference(String),
}

impl Cluster {
    /// The secrets of authorities' trusted keys, by key; of all authorities when none is named. Recorded before any is read.
    ///
    /// # Errors
    /// When the reading cannot be recorded, or a software key does not unseal.
    pub async fn secrets(
        &self,
        actor: &Actor,
        authority: Option<AuthorityType>,
    ) -> Result<BTreeMap<KeyId, SecretPlace>, ClusterError> {
        self.journal
            .record(actor, AuditEvent::SecretsRead { authority })
            .await?;
        let mut secrets = BTreeMap::new();
        for view in self.view().authorities.values() {
            if authority.is_some_and(|wanted| wanted != view.record.authority) {
                continue;
            }
            for (_, key) in view.record.trusted() {
                let exporter = self
                    .custody
                    .holder(&key.reference)
                    .and_then(|backend| backend.exporter());
                let place = match exporter {
                    None => SecretPlace::Reference(key.reference.locator()),
                    Some(exporter) => {
                        let context = || format!("reading key {}", key.reference.id);
                        let secret = exporter.export_pkcs8(&key.reference).await;
                        SecretPlace::Key(secret.map_err(|error| ClusterError::key(context(), error))?)
                    }
                };
                secrets.insert(key.reference.id, place);
            }
        }
        Ok(secrets)
    }
}
