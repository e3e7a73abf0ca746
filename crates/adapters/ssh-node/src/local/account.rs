//! Accounts of this host, and which of them this process can become.

use std::path::PathBuf;

use nix::unistd::Uid;
use nix::unistd::User;

use crate::backend::BackendFault;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// Its home.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

/// Knows the accounts of this host.
pub trait Accounts: Send + Sync + 'static {
    /// The account of that name, if there is one.
    ///
    /// # Errors
    /// When they cannot be looked up, in words.
    fn by_name(&self, name: &str) -> Result<Option<Account>, String>;
}

/// The accounts the system knows (`getpwnam`).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn by_name(&self, name: &str) -> Result<Option<Account>, String> {
        if name.contains('\0') {
            return Ok(None);
        }
        let user = User::from_name(name).map_err(|errno| errno.to_string())?;
        Ok(user.map(|user| Account {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir,
            shell: user.shell,
        }))
    }
}

/// Looks an account up that this process can run programs as.
pub(super) fn may_become(accounts: &dyn Accounts, login: &str) -> Result<Account, BackendFault> {
    let found = accounts.by_name(login);
    let found =
        found.map_err(|error| BackendFault(format!("the account could not be looked up: {error}")))?;
    let Some(mut account) = found else {
        return Err(BackendFault(format!("there is no account {login} on this host")));
    };
    if account.shell.as_os_str().is_empty() {
        account.shell = PathBuf::from("/bin/sh");
    }
    let own = Uid::effective();
    if !own.is_root() && own.as_raw() != account.uid {
        return Err(BackendFault(format!(
            "the node does not run as root, so it can only log in the account it runs as, not {login}"
        )));
    }
    Ok(account)
}

impl Account {
    pub(super) const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// What every session's environment begins with.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let path = if self.is_root() {
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        } else {
            "/usr/local/bin:/usr/bin:/bin:/usr/games"
        };
        [
            ("USER", self.name.clone()),
            ("LOGNAME", self.name.clone()),
            ("HOME", self.home.to_string_lossy().into_owned()),
            ("SHELL", self.shell.to_string_lossy().into_owned()),
            ("PATH", path.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
