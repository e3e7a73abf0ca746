//! The socket by which a session reaches the client's agent: in a directory that only the account can enter.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use nix::unistd::Uid;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use crate::backend::AgentDialer;
use crate::local::Account;

/// An open socket. Dropping it removes it.
pub(super) struct AgentSocket {
    path: PathBuf,
    task: JoinHandle<()>,
    _directory: TempDir,
}

impl AgentSocket {
    pub(super) fn open(parent: &Path, account: &Account, dialer: Arc<dyn AgentDialer>) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("signet-agent-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let path = directory.path().join("agent");
        let listener = UnixListener::bind(&path)?;
        if Uid::effective().is_root() {
            chown(&path, Some(account.uid), Some(account.gid))?;
            // Last: from here on the account can change what is in the directory.
            chown(directory.path(), Some(account.uid), Some(account.gid))?;
        }
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let dialer = Arc::clone(&dialer);
                tokio::spawn(async move {
                    if let Err(error) = dialer.relay(Box::new(stream)).await {
                        tracing::debug!(%error, "the client's agent was not reached");
                    }
                });
            }
        });
        Ok(Self {
            path,
            task,
            _directory: directory,
        })
    }

    pub(super) fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        self.task.abort();
    }
}
