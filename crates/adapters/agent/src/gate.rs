//! Who may log in to this machine, decided here from what is known of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::AccessSet;
use access::Carried;
use access::Decision;
use access::LOCKS_STALE_AFTER;
use access::Lacking;
use access::LockSubject;
use access::NodeView;
use access::SessionFacts;
use access::SessionNeeds;
use async_trait::async_trait;
use key::PublicKey;
use resource::ResourceName;
use runtime::Clock;
use ssh_cert::Certificate;
use ssh_cert::OwnFact;
use ssh_node::Admission;
use ssh_node::Denial;
use ssh_node::Fallen;
use ssh_node::Gate;
use ssh_node::Grant;
use ssh_node::NotAdmitted;
use ssh_node::Rights;
use tokio::sync::watch;

use crate::Freshness;
use crate::Known;

/// The gate of a machine's SSH server.
pub struct NodeGate {
    known: watch::Receiver<Arc<Known>>,
    revisions: watch::Receiver<u64>,
    host_id: String,
    hostname: String,
    labels: BTreeMap<String, String>,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
}

impl NodeGate {
    /// The gate of this host. It must be made within the runtime: a task tells of changes.
    pub fn new(
        known: watch::Receiver<Arc<Known>>,
        host_id: String,
        hostname: String,
        labels: BTreeMap<String, String>,
        freshness: Freshness,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (sender, revisions) = watch::channel(known.borrow().revision);
        let telling = tell(sender, known.clone(), freshness.clone(), Arc::clone(&clock));
        tokio::spawn(telling);
        Self {
            known,
            revisions,
            host_id,
            hostname,
            labels,
            freshness,
            clock,
        }
    }

    fn judge(&self, admission: &Admission) -> Result<Grant, Refused> {
        let known = Arc::clone(&self.known.borrow());
        let certificate = &admission.certificate;
        let user = certificate.key_id();
        let set = access_set(&known, certificate)?;
        let roles: Vec<&str> = set.roles().map(ResourceName::as_str).collect();
        let subject = LockSubject {
            user: Some(user),
            roles: &roles,
            login: Some(&admission.login),
            node: Some((&self.host_id, &self.hostname)),
            mfa_device: certificate.fact(OwnFact::MfaVerified),
        };
        if let Some(lock) = access::lock_hits(&known.locks, &subject, self.clock.now()) {
            let said = lock.spec.message.as_deref().unwrap_or("access is locked");
            return Err(Refused::Locked(Denial(format!("locked: {said}"))));
        }
        let node = NodeView {
            host_id: &self.host_id,
            hostname: &self.hostname,
            labels: &self.labels,
        };
        match set.login_to_node(&node, &admission.login) {
            Decision::Deny(reason) => return Err(Denial(reason.to_string()).into()),
            Decision::Allow(_) => {}
        }
        self.judge_session(
            &set.session_needs(&node, &admission.login, &known.auth_preference, &known.recording),
            admission,
        )?;
        let options = set
            .options()
            .clone()
            .tightened_by(&known.auth_preference, &known.networking);
        Ok(Grant {
            user: user.to_owned(),
            rights: Rights {
                pty: true,
                agent_forwarding: options.forward_agent,
                local_forwarding: options.port_forwarding.local,
                remote_forwarding: options.port_forwarding.remote,
                file_copy: options.ssh_file_copy,
            },
            max_sessions: options.max_sessions,
            max_connections: options.max_connections,
            client_idle_timeout: options
                .client_idle_timeout
                .map(|ttl| Duration::from_secs(ttl.seconds())),
            disconnect_expired_cert: options.disconnect_expired_cert,
            login_ends: login_ends(certificate),
        })
    }

    /// Whether the session has what it needs besides the permission.
    fn judge_session(&self, needs: &SessionNeeds, admission: &Admission) -> Result<(), Refused> {
        let certificate = &admission.certificate;
        let facts = SessionFacts {
            host_id: &self.host_id,
            bound_to: certificate.fact(OwnFact::SessionNode),
            second_factor: certificate.fact(OwnFact::MfaVerified),
            locks_age: self.freshness.age(self.clock.now()),
        };
        needs.judge(&facts).map_err(|lacking| {
            let reason = Denial(lacking.to_string());
            match lacking {
                Lacking::SecondFactor(_) => Refused::SecondFactor {
                    reason,
                    words: second_factor_words(&admission.login, &self.hostname),
                },
                Lacking::OtherHost { .. } | Lacking::CertainLocks { .. } | Lacking::Recording(_) => {
                    Refused::Lacking(reason)
                }
            }
        })
    }
}

/// Why somebody may not be here, or not any more.
enum Refused {
    /// A lock is on them.
    Locked(Denial),
    /// Their roles do not let them in, or what they carry is not understood.
    Denied(Denial),
    /// Something that a session needs is not so.
    Lacking(Denial),
    /// A second factor is lacking for this session.
    SecondFactor { reason: Denial, words: String },
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Refused> for NotAdmitted {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Locked(reason) | Refused::Lacking(reason) => Self::Told(reason),
            Refused::Denied(reason) => Self::Denied(reason),
            Refused::SecondFactor { reason, words } => Self::SecondFactor { reason, words },
        }
    }
}

impl From<Refused> for Fallen {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Locked(reason) => Self::Locked(reason),
            Refused::Denied(reason)
            | Refused::Lacking(reason)
            | Refused::SecondFactor { reason, words: _ } => Self::Denied(reason),
        }
    }
}

/// What whoever connects without a second factor is told.
fn second_factor_words(login: &str, hostname: &str) -> String {
    // A login is a principal of the certificate, and a host's name a name: neither can drive a terminal.
    format!(
        "This session needs your second factor, which this client cannot give: use `signet ssh {login}@{hostname}` or `signet scp`."
    )
}

/// When the log-in ends that a certificate for one session rests on.
pub(crate) fn login_ends(certificate: &Certificate) -> Option<u64> {
    // One that does not read has ended.
    certificate
        .fact(OwnFact::LoginExpires)
        .map(|end| end.parse().unwrap_or_default())
}

/// Tells of everything that may change what the gate says: what is known, and whether the locks are still certain.
async fn tell(
    sender: watch::Sender<u64>,
    mut changes: watch::Receiver<Arc<Known>>,
    mut freshness: Freshness,
    clock: Arc<dyn Clock>,
) {
    let is_certain = |freshness: &Freshness| {
        let age = freshness.age(clock.now());
        age.is_some_and(|age| age <= LOCKS_STALE_AFTER)
    };
    let mut was_certain = is_certain(&freshness);
    loop {
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                let revision = changes.borrow_and_update().revision;
                sender.send_modify(|last| *last = last.wrapping_add(1).max(revision));
            }
            () = freshness.look_again(LOCKS_STALE_AFTER, clock.now()) => {
                let is_certain = is_certain(&freshness);
                if is_certain != was_certain {
                    was_certain = is_certain;
                    sender.send_modify(|last| *last = last.wrapping_add(1));
                }
            }
        }
    }
}

/// What the roles and traits in a certificate give, by the roles as they are now.
pub(crate) fn access_set(known: &Known, certificate: &Certificate) -> Result<AccessSet, Denial> {
    let carried = Carried {
        user: certificate.key_id(),
        roles: certificate.fact(OwnFact::Roles),
        traits: certificate.fact(OwnFact::Traits),
    };
    AccessSet::carried(&carried, |name| known.roles.get(name).cloned())
        .map_err(|problem| Denial(problem.to_string()))
}

#[async_trait]
impl Gate for NodeGate {
    fn authorities(&self) -> Arc<[PublicKey]> {
        Arc::clone(&self.known.borrow().user_keys)
    }

    async fn admit(&self, admission: &Admission) -> Result<Grant, NotAdmitted> {
        Ok(self.judge(admission)?)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.revisions.clone()
    }

    async fn standing(&self, admission: &Admission, _: &Grant) -> Result<(), Fallen> {
        let known = Arc::clone(&self.known.borrow());
        if !known.user_keys.contains(admission.certificate.signing_key()) {
            return Err(Fallen::Denied(Denial(
                "the authority of the certificate is no longer trusted".to_owned(),
            )));
        }
        self.judge(admission).map(drop)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
