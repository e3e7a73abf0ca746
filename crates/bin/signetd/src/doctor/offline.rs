//! The examination of a server that does not run: everything that a start would meet, in its order, changing nothing that is kept.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use api_types::Finding;
use api_types::FindingSeverity;
use authority::AuthorityType;
use authority::Suite;
use cluster::AuthorityRecord;
use cluster::Custody;
use config::CaKeyConfig;
use config::Config;
use config::StorageConfig;
use keystore_software::SealingKey;
use keystore_software::SoftwareBackend;
use ledger::Ledger;
use ledger_sqlite::SqliteLedger;
use names::ClusterName;
use runtime::Clock;
use serde::de::DeserializeOwned;
use state::State;
use state::StateKey;
use state_sqlite::SqliteState;

use super::checks;
use super::checks::bad;
use super::checks::good;
use super::public_name;
use super::web_files;
use crate::backends;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::failure::chain;
use crate::host::SystemClock;
use crate::host::SystemEntropy;
use crate::log_check::ANCHOR;
use crate::start;

/// Examines what a start with this configuration would meet.
pub(crate) async fn examine(config: &Config) -> Vec<Finding> {
    let auth = &config.auth;
    let StorageConfig::Sqlite { directory } = &config.storage;
    let mut findings = Vec::new();
    let stored = if is_there(&config.data_dir) && is_there(directory) {
        findings.push(checks::directory(&config.data_dir));
        stored(config, directory, &mut findings).await
    } else {
        let path = config.data_dir.display();
        findings.push(good(
            "data_dir",
            "the data directory is private",
            format!("{path} is not there yet; a start makes it"),
        ));
        Stored::default()
    };
    let name = match &stored.name {
        Some(name) if !auth.is_cluster_name_configured => name,
        Some(_) | None => &auth.cluster_name,
    };
    let custody = match &auth.ca_keys {
        CaKeyConfig::Software => key::BackendKind::Software,
        CaKeyConfig::Pkcs11(_) => key::BackendKind::Pkcs11,
        CaKeyConfig::AwsKms(_) => key::BackendKind::AwsKms,
    };
    let suite = auth.suite.or(stored.suite).unwrap_or(Suite::default_for(custody));
    let wanted = checks::wanted(suite);
    findings.extend(public_name::examine(&config.proxy, &config.data_dir).await);
    findings.extend(web_files::examine(&config.proxy, SystemClock.now()).await);
    let mut are_good = true;
    for (place, config) in start::configured(auth) {
        let found = checks::backend(&place, &config, name, &wanted).await;
        are_good &= found
            .iter()
            .all(|finding| finding.severity != FindingSeverity::Error);
        findings.extend(found);
    }
    if let Some(state) = &stored.state {
        if are_good {
            findings.extend(keys(config, state, name).await);
        } else {
            // Opening a backend tries its PIN again, and wrong ones are counted.
            findings.push(bad(
                "keys",
                KEYS,
                "it was not looked for them, because of the findings about the backends".to_owned(),
                "see those findings first",
            ));
        }
    }
    findings
}

/// What a stopped server left behind.
#[derive(Default)]
struct Stored {
    name: Option<ClusterName>,
    suite: Option<Suite>,
    state: Option<OpenState>,
}

struct OpenState {
    state: Arc<dyn State>,
    data_dir: DataDir,
}

/// The parts of the cluster's own document that matter here.
#[derive(serde::Deserialize)]
struct Identity {
    cluster: ClusterName,
    suite: Suite,
}

const STATE: &str = "the state and the log are whole";
const KEYS: &str = "every key in use is where it should be";

/// Looks at the data directory, and opens the state when there is a cluster in it.
async fn stored(config: &Config, databases: &Path, findings: &mut Vec<Finding>) -> Stored {
    let data_dir = match DataDir::open(&config.data_dir, databases) {
        Ok(data_dir) => data_dir,
        Err(failure) => {
            findings.push(told(
                "data_dir.lock",
                "no other process uses it",
                &failure,
                "if that is a running signetd, ask it: `signetctl doctor`",
            ));
            return Stored::default();
        }
    };
    if let Err(failure) = data_dir.check_first() {
        findings.push(told("state", STATE, &failure, RESTORE));
        return Stored::default();
    }
    if !is_there(&data_dir.state()) {
        findings.push(good(
            "state",
            STATE,
            "there is no cluster yet; a start makes one".to_owned(),
        ));
        return Stored::default();
    }
    match whole(&data_dir, findings).await {
        Ok(None) => {
            findings.push(good(
                "state",
                STATE,
                "there is no cluster yet; a start makes one".to_owned(),
            ));
            Stored::default()
        }
        Ok(Some((state, Identity { cluster, suite }))) => Stored {
            name: Some(cluster),
            suite: Some(suite),
            state: Some(OpenState { state, data_dir }),
        },
        Err(failure) => {
            findings.push(told("state", STATE, &failure, RESTORE));
            Stored::default()
        }
    }
}

const RESTORE: &str = "restore the data directory from a backup";

/// Opens the state, and compares it with the log.
async fn whole(
    data_dir: &DataDir,
    findings: &mut Vec<Finding>,
) -> Result<Option<(Arc<dyn State>, Identity)>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opened = SqliteState::open(&data_dir.state(), Arc::clone(&clock));
    let state: Arc<dyn State> =
        Arc::new(opened.map_err(|error| Failure::of("cannot open the state", &error))?);
    let identity: Option<Identity> = document(state.as_ref(), "cluster/identity").await?;
    if identity.is_some() {
        data_dir.check_complete()?;
        let private = [data_dir.state(), data_dir.ledger(), data_dir.sealing_key()];
        findings.extend(checks::files(&private));
    }
    if is_there(&data_dir.ledger()) {
        // The copy in files is compared below; opened without it, nothing is written to it.
        let ledger = SqliteLedger::open(data_dir.ledger(), None)
            .map_err(|error| Failure::of("cannot open the ledger", &error))?;
        data_dir.check_agreement(identity.is_some(), &ledger).await?;
        findings.push(checks::clock(&ledger as &dyn Ledger, clock.now()).await);
        drop(ledger);
        let anchor = document(state.as_ref(), ANCHOR).await?;
        let report = SqliteLedger::verify_at(data_dir.ledger(), Some(&data_dir.log()), anchor)
            .map_err(|error| Failure::of("cannot check the log", &error))?;
        findings.push(match report.findings.first() {
            None => good(
                "log",
                "the audit log is whole",
                format!("{} entries", report.entries),
            ),
            Some(first) => bad(
                "log",
                "the audit log is whole",
                format!("{first} ({} findings)", report.findings.len()),
                "find out who changed it; restore it from a backup",
            ),
        });
    }
    if identity.is_some() {
        findings.push(good("state", STATE, data_dir.state().display().to_string()));
    }
    Ok(identity.map(|identity| (state, identity)))
}

/// Asks the backends for every key that the authorities use.
async fn keys(config: &Config, stored: &OpenState, cluster: &ClusterName) -> Vec<Finding> {
    let custody = match custody(config, stored, cluster).await {
        Ok(custody) => custody,
        Err(failure) => {
            return vec![told(
                "keys",
                KEYS,
                &failure,
                "see the findings about the backends",
            )];
        }
    };
    let mut findings = checks::health(&custody).await;
    let (mut count, mut missing) = (0_usize, Vec::new());
    for authority in AuthorityType::ALL {
        let path = format!("authority/{authority}");
        let record: AuthorityRecord = match document(stored.state.as_ref(), &path).await {
            Ok(Some(record)) => record,
            Ok(None) => continue,
            Err(failure) => {
                missing.push(told("keys", KEYS, &failure, RESTORE));
                continue;
            }
        };
        for (_, key) in record.trusted() {
            count = count.saturating_add(1);
            let found = match custody.holder(&key.reference) {
                None => Err("no configured backend holds it".to_owned()),
                Some(backend) => backend
                    .public_key(&key.reference)
                    .await
                    .map_err(|error| chain(&error)),
            };
            if let Err(why) = found {
                let (id, storage) = (key.reference.id, key.reference.backend);
                missing.push(bad(
                    "keys",
                    KEYS,
                    format!("key {id} of the {authority} authority in {storage}: {why}"),
                    "bring its backend back: configure it in `auth_service.ca_key_params` or `former_ca_key_params`",
                ));
            }
        }
    }
    if missing.is_empty() {
        missing.push(good("keys", KEYS, format!("{count} keys")));
    }
    findings.extend(missing);
    findings
}

async fn custody(config: &Config, stored: &OpenState, cluster: &ClusterName) -> Result<Custody, Failure> {
    let sealing_key = SealingKey::load(&stored.data_dir.sealing_key());
    let sealing_key = sealing_key.map_err(|error| Failure::said(chain(&error)))?;
    let entropy = Arc::new(SystemEntropy::new());
    let software = SoftwareBackend::open(Arc::clone(&stored.state), sealing_key, entropy, cluster.clone())
        .await
        .map_err(|error| Failure::of("cannot open the software keys", &error))?;
    let auth = &config.auth;
    backends::open(&auth.ca_keys, &auth.former_ca_keys, software, cluster).await
}

async fn document<T: DeserializeOwned>(state: &dyn State, path: &str) -> Result<Option<T>, Failure> {
    let failed =
        |error: &dyn std::error::Error| Failure::of(&format!("cannot read {path} in the state"), error);
    let key = StateKey::parse(path).map_err(|error| failed(&error))?;
    let entry = state.get(&key).await.map_err(|error| failed(&error))?;
    let read = entry.map(|entry| serde_json::from_slice(&entry.value));
    read.transpose().map_err(|error| failed(&error))
}

fn told(id: &str, what: &str, failure: &Failure, otherwise: &str) -> Finding {
    bad(
        id,
        what,
        failure.message().to_owned(),
        failure.hint().unwrap_or(otherwise),
    )
}

fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok()
}
