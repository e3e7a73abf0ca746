//! The proxy's public certificate from an ACME server.

use std::path::Path;
use std::sync::Arc;

use acme::Answer;
use acme::Certificate;
use acme::Failure;
use acme::Keeper;
use acme::Parts;
use acme::Prove;
use acme::Settings;
use acme::Tell;
use acme::Validity;
use async_trait::async_trait;
use audit::Actor;
use audit::AuditEvent;
use audit::Outcome;
use cluster::Alert;
use cluster::Cluster;
use cluster::Severity;
use config::AcmeConfig;
use config::Config;
use names::HostName;
use names::UnixSeconds;
use proxy::CertError;
use proxy::CertSource;
use proxy::Faces;
use proxy::WebCredential;
use runtime::Clock;
use tokio::sync::watch;

use crate::failure::chain;
use crate::services::Machine;

/// The alert about it.
pub(crate) const ALERT: &str = "proxy-certificate";

/// A public certificate that is wished for.
pub(crate) struct PublicCertificate {
    settings: Settings,
    cluster: Arc<Cluster>,
}

impl PublicCertificate {
    /// What the configuration wishes for, if it does.
    pub(crate) fn wished(config: &Config, cluster: &Arc<Cluster>) -> Option<Self> {
        let acme = config.proxy.acme.as_ref()?;
        Some(Self {
            settings: settings(acme, &config.data_dir),
            cluster: Arc::clone(cluster),
        })
    }

    /// Looks at what there is, says so when there is none, and answers with what keeps it and what presents it. `None` when the files
    /// cannot be used; the alert says so.
    pub(crate) fn open(self, faces: &Arc<Faces>, machine: &Machine) -> Option<(Keeper, Arc<dyn CertSource>)> {
        let Self { settings, cluster } = self;
        let clock = Arc::clone(&machine.clock);
        let (name, directory) = (settings.name.clone(), settings.directory.clone());
        let alert = Alerts {
            cluster: Arc::clone(&cluster),
            name: name.clone(),
        };
        let parts = Parts {
            prove: Arc::new(AtTheDoor(Arc::clone(faces))),
            tell: Arc::new(Teller {
                cluster,
                name,
                directory,
                clock: Arc::clone(&clock),
            }),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&machine.entropy),
        };
        let keeper = match Keeper::open(settings, parts) {
            Ok(keeper) => keeper,
            Err(error) => {
                tracing::error!(error = %chain(&error), "the public certificate cannot be kept; the cluster's own is presented");
                let hint = format!("{}, and restart", error.hint());
                alert.raise(Severity::Medium, &chain(&error), hint);
                return None;
            }
        };
        let held = keeper.held();
        let validity = held.borrow().as_ref().map(|held| held.validity());
        if validity.is_none_or(|validity| !validity.holds(clock.now())) {
            tracing::info!(
                "there is no public certificate yet; the ACME server is asked, and the cluster's own is presented meanwhile"
            );
            let hint = "wait a minute: the ACME server is asked for one".to_owned();
            alert.raise(Severity::Low, "there has been none so far", hint);
        }
        let source: Arc<dyn CertSource> = Arc::new(Kept { held, clock });
        Some((keeper, source))
    }
}

/// What is kept below the data directory.
pub(crate) fn settings(acme: &AcmeConfig, data_dir: &Path) -> Settings {
    let AcmeConfig {
        name,
        email,
        directory,
        ca_file,
        binding,
    } = acme;
    let binding = binding.as_ref().map(|binding| acme::Binding {
        key_id: binding.key_id.clone(),
        hmac_key_file: binding.hmac_key_file.clone(),
    });
    Settings {
        folder: data_dir.join("acme"),
        name: name.clone(),
        email: email.clone(),
        directory: directory.clone(),
        ca_file: ca_file.clone(),
        binding,
    }
}

/// The proxy's own public port.
struct AtTheDoor(Arc<Faces>);

impl Prove for AtTheDoor {
    fn answer(&self, name: &str, answer: Answer) -> Result<(), String> {
        let Answer { certificate, key } = answer;
        let credential = WebCredential {
            chain: vec![certificate],
            key,
        };
        self.0
            .answer_challenge(name, &credential)
            .map_err(|error| chain(&error))
    }

    fn forget(&self, name: &str) {
        self.0.forget_challenge(name);
    }
}

/// Presents what is held while it is good. What has ended is not: the cluster's own is, which its clients know.
struct Kept {
    held: watch::Receiver<Option<Arc<Certificate>>>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl CertSource for Kept {
    async fn current(&self) -> Result<Option<WebCredential>, CertError> {
        let held = self.held.borrow().clone();
        let good = held.filter(|held| held.validity().holds(self.clock.now()));
        Ok(good.map(|held| WebCredential {
            chain: held.chain().to_vec(),
            key: held.private_key(),
        }))
    }
}

struct Alerts {
    cluster: Arc<Cluster>,
    name: HostName,
}

impl Alerts {
    /// Browsers do not see what they know.
    fn raise(&self, severity: Severity, why: &str, hint: String) {
        let name = &self.name;
        self.cluster.raise_alert(Alert {
            id: ALERT.to_owned(),
            severity,
            message: format!(
                "browsers are shown the cluster's own certificate, for there is no public one for {name}: {why}"
            ),
            hint,
            since: None,
        });
    }
}

/// Records what came of it.
struct Teller {
    cluster: Arc<Cluster>,
    name: HostName,
    directory: String,
    clock: Arc<dyn Clock>,
}

impl Teller {
    /// The event for a certificate, or for why there is none and when the next is asked for.
    fn event(&self, came: Result<&Certificate, (String, UnixSeconds)>) -> AuditEvent {
        let (certificate, outcome, again) = match came {
            Ok(certificate) => (Some(certificate), Outcome::Success, None),
            Err((why, again)) => (None, Outcome::Failure(why), Some(again)),
        };
        AuditEvent::PublicCertificateObtained {
            outcome,
            name: self.name.to_string(),
            directory: self.directory.clone(),
            serial: certificate.map(|certificate| certificate.serial().to_owned()),
            not_after: certificate.map(|certificate| certificate.validity().not_after),
            again,
        }
    }

    fn warn(&self, failure: &Failure<'_>) {
        let Failure {
            error, again, held, ..
        } = failure;
        let now = self.clock.now();
        let why = format!("{}; it is tried again at {again}", chain(*error));
        let hint = error.hint().to_owned();
        let Some(validity) = held
            .as_ref()
            .map(|held| held.validity())
            .filter(|validity| validity.holds(now))
        else {
            let alerts = Alerts {
                cluster: Arc::clone(&self.cluster),
                name: self.name.clone(),
            };
            alerts.raise(Severity::Medium, &why, hint);
            return;
        };
        let (name, ends) = (&self.name, validity.not_after);
        self.cluster.raise_alert(Alert {
            id: ALERT.to_owned(),
            severity: urgency(validity, now),
            message: format!("the public certificate for {name} ends at {ends} and is not renewed: {why}"),
            hint,
            since: None,
        });
    }
}

/// How bad it is that it is not renewed yet: less than a sixth of its life is a reason to look.
fn urgency(validity: Validity, now: UnixSeconds) -> Severity {
    let Validity {
        not_before,
        not_after,
    } = validity;
    let (life, left) = (
        not_after.0.saturating_sub(not_before.0),
        not_after.0.saturating_sub(now.0),
    );
    if left < life.div_euclid(6) {
        Severity::Medium
    } else {
        Severity::Low
    }
}

#[async_trait]
impl Tell for Teller {
    async fn obtained(&self, certificate: &Certificate) -> Result<(), String> {
        let not_after = certificate.validity().not_after;
        let event = self.event(Ok(certificate));
        let recorded = self.cluster.journal().record(&Actor::System, event).await;
        recorded.map_err(|error| chain(&error))?;
        self.cluster.settle_alert(ALERT);
        tracing::info!(name = %self.name, serial = certificate.serial(), ends = %not_after, "there is a new public certificate");
        Ok(())
    }

    async fn failed(&self, failure: &Failure<'_>) {
        let why = chain(failure.error);
        tracing::warn!(name = %self.name, error = %why, failures = failure.failures, again = %failure.again, hint = failure.error.hint(), "there is no new public certificate");
        self.warn(failure);
        let event = self.event(Err((why, failure.again)));
        if let Err(error) = self.cluster.journal().record(&Actor::System, event).await {
            tracing::error!(error = %chain(&error), "that there is no new public certificate could not be recorded");
        }
    }
}
