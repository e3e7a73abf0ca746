use std::sync::Arc;

use access::LockSubject;
use key::PublicKey;
use proxy::Gate;
use proxy::SshUser;
use resource::ResourceName;
use runtime::Clock;
use ssh_cert::OwnFact;
use tokio::sync::watch;

use crate::Freshness;
use crate::Known;
use crate::gate::access_set;
use crate::gate::login_ends;

/// Who may be at the proxy, from what is known of the cluster.
pub struct ProxyGate {
    known: watch::Receiver<Arc<Known>>,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
}

impl ProxyGate {
    /// A gate by what is known.
    pub const fn new(
        known: watch::Receiver<Arc<Known>>,
        freshness: Freshness,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            known,
            freshness,
            clock,
        }
    }
}

impl Gate for ProxyGate {
    fn user_authorities(&self) -> Arc<[PublicKey]> {
        Arc::clone(&self.known.borrow().user_keys)
    }

    fn user_may(&self, user: &SshUser) -> Result<(), String> {
        let known = Arc::clone(&self.known.borrow());
        if !known.user_keys.contains(user.certificate.signing_key()) {
            return Err("the authority of the certificate is no longer trusted".to_owned());
        }
        let set = access_set(&known, &user.certificate).map_err(|denial| denial.0)?;
        let roles: Vec<&str> = set.roles().map(ResourceName::as_str).collect();
        let subject = LockSubject {
            user: Some(&user.name),
            roles: &roles,
            mfa_device: user.certificate.fact(OwnFact::MfaVerified),
            ..LockSubject::default()
        };
        let now = self.clock.now();
        if let Some(lock) = access::lock_hits(&known.locks, &subject, now) {
            let said = lock.spec.message.as_deref().unwrap_or("access is locked");
            return Err(format!("locked: {said}"));
        }
        let demand = set.certain_locks_demand(&known.auth_preference);
        access::judge_locks(demand.as_ref(), self.freshness.age(now))
            .map_err(|lacking| lacking.to_string())?;
        let options = set
            .options()
            .clone()
            .tightened_by(&known.auth_preference, &known.networking);
        let end = login_ends(&user.certificate).unwrap_or_else(|| user.certificate.valid_before());
        if options.disconnect_expired_cert && now.as_u64() >= end {
            return Err("the certificate has expired".to_owned());
        }
        Ok(())
    }

    fn host_may(&self, agent: &tunnel::Agent) -> Result<(), String> {
        let known = Arc::clone(&self.known.borrow());
        let issuer = agent.issuer.to_string();
        let is_trusted = |key: &api_types::TrustedKey| key.authority == "host" && key.spki_sha256 == issuer;
        if !known.trust.keys.iter().any(is_trusted) {
            return Err("the authority of its certificate is no longer trusted".to_owned());
        }
        if known.removed_hosts.contains(agent.host.as_str()) {
            return Err("it was removed from the cluster".to_owned());
        }
        let subject = LockSubject {
            node: Some((
                agent.host.as_str(),
                agent.name.as_deref().unwrap_or(agent.host.as_str()),
            )),
            ..LockSubject::default()
        };
        match access::lock_hits(&known.locks, &subject, self.clock.now()) {
            Some(lock) => Err(format!("the lock {} is on it", lock.metadata.name)),
            None => Ok(()),
        }
    }
}
