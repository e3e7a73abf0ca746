//! The auth service's own machine: the one whose proxy and SSH service run in this process. It joins without a connection, and it is looked
//! after: when the cluster does not take it for who it is, nobody reaches any host by its proxy.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::Agent;
use agent::AgentError;
use agent::HostIdentity;
use agent::Joiner;
use agent::Nearby;
use agent::Standing;
use api_access::Access;
use api_http::Stop;
use api_types::AgentView;
use api_types::JoinAnswer;
use api_types::JoinRequest;
use api_types::SecretText;
use async_trait::async_trait;
use cluster::Alert;
use cluster::Cluster;
use cluster::Severity;
use enrollment::Enrollment;
use tokio::time::sleep;

use crate::failure::chain;

/// The alert that it is not taken for who it is.
const ALERT: &str = "own-machine";
/// How often that is looked at.
const WATCH: Duration = Duration::from_secs(10);

/// Notes which machine is this process's own: one of an earlier version joined before that was noted.
pub(crate) async fn note(access: &Access, folder: &Path) {
    let Ok(Some(identity)) = Agent::stored_identity(folder) else {
        // It joins now, or says at its start what is wrong with its identity.
        return;
    };
    if let Err(error) = access.enrollment().note_own(identity.host_id()).await {
        tracing::warn!(error = %chain(&error), "it could not be noted which machine is this process's own");
    }
}

/// Looks again and again whether the machine in this folder is taken for who it is, and says so by an alert while it is not.
pub(crate) async fn watch(
    cluster: Arc<Cluster>,
    enrollment: Arc<Enrollment>,
    folder: PathBuf,
    mut stop: Stop,
) {
    loop {
        look(&cluster, &enrollment, &folder).await;
        tokio::select! {
            () = sleep(WATCH) => {}
            () = stop.requested() => return,
        }
    }
}

async fn look(cluster: &Cluster, enrollment: &Enrollment, folder: &Path) {
    // While there is none, or none that reads, its own start says so.
    let Ok(Some(identity)) = Agent::stored_identity(folder) else {
        return;
    };
    match standing(enrollment, &identity).await {
        Ok(Standing::Good) => cluster.settle_alert(ALERT),
        Ok(Standing::Outdated(why) | Standing::Gone(why)) => cluster.raise_alert(Alert {
            id: ALERT.to_owned(),
            severity: Severity::High,
            message: format!(
                "the proxy and the SSH service of this machine (host {}) are not taken for what they are, and lead nobody anywhere: {why}",
                identity.host_id()
            ),
            hint: "restart signetd here: this machine then makes itself another host id, and sends the events that wait".to_owned(),
            since: None,
        }),
        // Other alerts say what is away.
        Err(error) => {
            tracing::debug!(error = %chain(&error), "it is not known whether this machine is taken for who it is")
        }
    }
}

async fn standing(enrollment: &Enrollment, identity: &HostIdentity) -> Result<Standing, AgentError> {
    let certificate = identity.client_certificate()?;
    let standing = enrollment.own_standing(&certificate).await;
    match standing.map_err(|error| AgentError::NotUnderstood(chain(&error)))? {
        enrollment::Standing::Good => Ok(Standing::Good),
        enrollment::Standing::Outdated(why) => Ok(Standing::Outdated(why.to_string())),
        enrollment::Standing::Gone(why) => Ok(Standing::Gone(why.to_string())),
    }
}

/// What the auth service of this process is asked by the machine beside it.
pub(crate) struct Beside(pub(crate) Arc<Access>);

#[async_trait]
impl Nearby for Beside {
    async fn view(&self) -> Result<AgentView, AgentError> {
        api_access::view_directly(&self.0)
            .await
            .map_err(|error| AgentError::NotUnderstood(chain(&error)))
    }

    async fn standing(&self, identity: &HostIdentity) -> Result<Standing, AgentError> {
        standing(self.0.enrollment(), identity).await
    }

    async fn retire(&self, host_id: &str, reason: &str) -> Result<(), AgentError> {
        let reason = format!("the auth service's own machine becomes another host: {reason}");
        let retired = self.0.enrollment().retire_own(host_id, &reason).await;
        retired.map_err(|error| AgentError::NotLetIn(chain(&error)))
    }
}

/// Lets this machine join the cluster of its own process.
pub(crate) struct LocalJoiner {
    pub(crate) access: Arc<Access>,
    pub(crate) roles: Vec<String>,
}

#[async_trait]
impl Joiner for LocalJoiner {
    async fn secret(&self) -> Result<SecretText, AgentError> {
        api_access::local_token(&self.access, &self.roles)
            .await
            .map_err(|error| AgentError::NotLetIn(chain(&error)))
    }

    async fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, AgentError> {
        api_access::join_directly(&self.access, request.clone())
            .await
            .map_err(|error| AgentError::NotLetIn(chain(&error)))
    }
}
