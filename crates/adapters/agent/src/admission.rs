//! Who a machine is when it starts: what is on its disk, or what it becomes by joining.

use std::path::Path;

use api_types::AgentView;
use async_trait::async_trait;
use names::UnixSeconds;
use runtime::Entropy;

use crate::AgentError;
use crate::HostIdentity;
use crate::Joiner;
use crate::Profile;
use crate::agent::IDENTITY;
use crate::follow::chain;
use crate::join::join;
use crate::join::join_again;
use crate::store::Store;

/// The auth service in the machine's own process.
#[async_trait]
pub trait Nearby: Send + Sync {
    /// What there is to know of the cluster now, without a connection.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn view(&self) -> Result<AgentView, AgentError>;

    /// How the machine stands by this identity.
    ///
    /// # Errors
    /// When that cannot be said now.
    async fn standing(&self, identity: &HostIdentity) -> Result<Standing, AgentError>;

    /// Takes out the host that the machine was, before it becomes another.
    ///
    /// # Errors
    /// When that cannot be done.
    async fn retire(&self, host_id: &str, reason: &str) -> Result<(), AgentError>;
}

/// How a machine beside the auth service stands with the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is taken for who it is.
    Good,
    /// Its certificates are not good, and the host may be: why.
    Outdated(String),
    /// It is taken for nobody any more: why.
    Gone(String),
}

/// What a start knows of itself.
pub(crate) struct Admission<'a> {
    pub(crate) store: &'a Store,
    pub(crate) profile: &'a Profile,
    pub(crate) joiner: Option<&'a dyn Joiner>,
    pub(crate) nearby: Option<&'a dyn Nearby>,
    pub(crate) cluster: Option<&'a str>,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) now: UnixSeconds,
}

impl Admission<'_> {
    /// Who the machine is. One that has not joined joins; one beside the auth service that is not taken for who it was becomes another
    /// host, since its own process may make its own; and one that is called otherwise now joins again by the new name, if it can.
    pub(crate) async fn identity(&self) -> Result<HostIdentity, AgentError> {
        let Some(stored) = self.store.load::<HostIdentity>(IDENTITY)? else {
            return self.first().await.map_err(|error| match error.is_final() {
                true => AgentError::CannotJoin(Box::new(error)),
                false => error,
            });
        };
        self.check_cluster(&stored, &self.store.path(IDENTITY))?;
        let stored = match self.nearby {
            Some(nearby) => self.own(nearby, stored).await?,
            None => stored,
        };
        self.renamed(stored).await
    }

    async fn first(&self) -> Result<HostIdentity, AgentError> {
        let joiner = self.joiner.ok_or(AgentError::NoToken)?;
        let joined = join(joiner, self.profile, self.entropy, self.now).await?;
        self.store.save(IDENTITY, &joined)?;
        tracing::info!(
            host = joined.host_id(),
            cluster = joined.cluster(),
            "joined the cluster"
        );
        Ok(joined)
    }

    fn check_cluster(&self, identity: &HostIdentity, path: &Path) -> Result<(), AgentError> {
        match self.cluster {
            Some(expected) if expected != identity.cluster() => Err(AgentError::OtherCluster {
                path: path.to_owned(),
                found: identity.cluster().to_owned(),
                expected: expected.to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// What a machine beside the auth service is from now on.
    async fn own(&self, nearby: &dyn Nearby, stored: HostIdentity) -> Result<HostIdentity, AgentError> {
        let standing = if sorted(&stored.roles) == sorted(&self.profile.roles) {
            nearby.standing(&stored).await
        } else {
            Ok(Standing::Gone(
                "its services are others than it joined with".to_owned(),
            ))
        };
        match standing {
            Ok(Standing::Good) => Ok(stored),
            Ok(Standing::Outdated(why)) => match self.again(&stored).await {
                Ok(again) => {
                    tracing::warn!(
                        host = again.host_id(),
                        because = why,
                        "this machine has new certificates"
                    );
                    Ok(again)
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "this machine cannot go on as the host it was");
                    self.replaced(nearby, &stored, &why).await
                }
            },
            Ok(Standing::Gone(why)) => self.replaced(nearby, &stored, &why).await,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "it is not known whether the cluster takes this machine for who it is");
                Ok(stored)
            }
        }
    }

    /// Another host in the place of one that the cluster does not take for itself. Its events, which wait in the same folder, stay.
    async fn replaced(
        &self,
        nearby: &dyn Nearby,
        stored: &HostIdentity,
        why: &str,
    ) -> Result<HostIdentity, AgentError> {
        nearby.retire(stored.host_id(), why).await?;
        let joined = self.first().await?;
        tracing::warn!(
            before = stored.host_id(),
            host = joined.host_id(),
            because = why,
            "this machine is another host from now on: the cluster did not take it for the one it was"
        );
        Ok(joined)
    }

    async fn again(&self, stored: &HostIdentity) -> Result<HostIdentity, AgentError> {
        let joiner = self.joiner.ok_or(AgentError::NoToken)?;
        let again = join_again(joiner, self.profile, stored, self.now).await?;
        self.store.save(IDENTITY, &again)?;
        Ok(again)
    }

    /// The machine by the name that it has now. What it is called is an operator's to say: beside the auth service that is its
    /// configuration, elsewhere it takes a token.
    async fn renamed(&self, stored: HostIdentity) -> Result<HostIdentity, AgentError> {
        let wanted = self.profile.node_name.as_str();
        let Some(name) = stored.node_name().filter(|name| name != wanted) else {
            return Ok(stored);
        };
        match self.again(&stored).await {
            Ok(again) => {
                tracing::info!(
                    host = again.host_id(),
                    before = name,
                    name = wanted,
                    "this machine has another name"
                );
                Ok(again)
            }
            Err(error) => {
                tracing::warn!(
                    error = %chain(&error), name, wanted,
                    "this machine is called otherwise on its own side than in the cluster, where it keeps its name; to rename it, start it once \
                     with a new token (`signetctl nodes add`), or set `signet.nodename` to the name it has"
                );
                Ok(stored)
            }
        }
    }
}

fn sorted(roles: &[String]) -> Vec<&str> {
    let mut sorted: Vec<&str> = roles.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted
}

#[cfg(test)]
mod tests;
