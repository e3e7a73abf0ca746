//! Looking for the usual faults before they bite: in a running server here, without one in `offline`.

mod checks;
pub(crate) mod offline;
mod public_name;
pub(crate) mod report;
mod web_files;

use std::path::PathBuf;
use std::sync::Arc;

use api_http::Examine;
use api_types::Finding;
use api_types::FindingSeverity;
use async_trait::async_trait;
use cluster::Cluster;
use cluster::KeyStatus;
use cluster::Severity;
use config::CaKeyConfig;
use config::ProxyConfig;
use runtime::Clock;

use self::checks::bad;
use self::checks::good;
use crate::failure::chain;

/// Examines this server.
pub(crate) struct Doctor {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What is configured to hold keys, the preferred one first, with its place in the configuration.
    pub(crate) configured: Vec<(String, CaKeyConfig)>,
    pub(crate) data_dir: PathBuf,
    pub(crate) proxy: ProxyConfig,
    pub(crate) private_files: Vec<PathBuf>,
}

#[async_trait]
impl Examine for Doctor {
    async fn examine(&self) -> Vec<Finding> {
        let cluster = &self.cluster;
        let mut findings = vec![checks::directory(&self.data_dir)];
        findings.extend(checks::files(&self.private_files));
        findings.push(checks::clock(cluster.journal().ledger(), self.clock.now()).await);
        let wanted = checks::wanted(cluster.suite());
        for (place, config) in &self.configured {
            findings.extend(checks::backend(place, config, cluster.name(), &wanted).await);
        }
        findings.extend(checks::health(cluster.custody()).await);
        findings.extend(self.keys().await);
        findings.extend(public_name::examine(&self.proxy, &self.data_dir).await);
        findings.extend(web_files::examine(&self.proxy, self.clock.now()).await);
        findings.extend(self.alerts());
        findings
    }
}

impl Doctor {
    async fn keys(&self) -> Vec<Finding> {
        let what = "every key in use is where it should be";
        let keys = match self.cluster.keys().await {
            Err(error) => {
                return vec![bad(
                    "keys",
                    what,
                    chain(&error),
                    "see the findings about the backends",
                )];
            }
            Ok(keys) => keys,
        };
        let mut findings = Vec::new();
        let mut count = 0_usize;
        for detail in keys {
            let is_in_use = match detail.status {
                KeyStatus::Active | KeyStatus::Incoming | KeyStatus::Outgoing => true,
                KeyStatus::Quarantined | KeyStatus::Held | KeyStatus::Destroyed => false,
                KeyStatus::Unknown => {
                    let id = detail.key.reference.id;
                    findings.push(Finding {
                        id: "keys.unknown".to_owned(),
                        severity: FindingSeverity::Warning,
                        what: "every key of ours is known".to_owned(),
                        detail: format!("key {id} in {} carries this cluster's label, but no document names it", detail.key.reference.backend),
                        fix: Some(format!("if no backup was restored, retire it: `signetctl keys retire {id} --reason=\"left over\"`")),
                    });
                    false
                }
            };
            if !is_in_use {
                continue;
            }
            count = count.saturating_add(1);
            if let Err(error) = detail.attributes {
                let (id, authority) = (detail.key.reference.id, detail.authority);
                findings.push(bad(
                    "keys",
                    what,
                    format!("key {id} of the {authority} authority: {error}"),
                    &format!("bring its backend back, or rotate: `signetctl auth rotate --type={authority}`"),
                ));
            }
        }
        if findings.is_empty() {
            findings.push(good("keys", what, format!("{count} keys")));
        }
        findings
    }

    fn alerts(&self) -> Vec<Finding> {
        let what = "there are no alerts";
        let alerts = self.cluster.alerts();
        if alerts.is_empty() {
            return vec![good("alerts", what, "none".to_owned())];
        }
        let alerts = alerts.into_iter().map(|alert| Finding {
            id: alert.id,
            severity: match alert.severity {
                Severity::Low | Severity::Medium => FindingSeverity::Warning,
                Severity::High => FindingSeverity::Error,
            },
            what: what.to_owned(),
            detail: alert.message,
            fix: Some(alert.hint),
        });
        alerts.collect()
    }
}
