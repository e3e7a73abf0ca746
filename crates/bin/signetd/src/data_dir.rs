//! The data directory: private, used by one process, and never taken for another cluster's.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use audit::Head;
use key::KeyId;
use ledger::EventQuery;
use ledger::Ledger;
use ledger::LedgerError;
use nix::unistd::Uid;
use runtime::Entropy;
use state_sqlite::DataDirLock;

use crate::failure::Failure;
use crate::failure::chain;

/// The data directory, held by this process until dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
    databases: PathBuf,
    _lock: DataDirLock,
}

impl DataDir {
    /// Makes the directory with mode 0700, or checks that it is private; takes it for this process alone.
    ///
    /// # Errors
    /// When others have access to it, another process uses it, or it cannot be made.
    pub(crate) fn open(root: &Path, databases: &Path) -> Result<Self, Failure> {
        make_private(root)?;
        let lock = DataDirLock::take(root).map_err(|error| Failure::said(chain(&error)))?;
        make_private(databases)?;
        Ok(Self {
            root: root.to_owned(),
            databases: databases.to_owned(),
            _lock: lock,
        })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.databases.join("state.db")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.databases.join("ledger.db")
    }

    /// Where the audit log is copied to, for other programs.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn sealing_key(&self) -> PathBuf {
        self.root.join("sealing.key")
    }

    fn server_id_file(&self) -> PathBuf {
        self.root.join("server_id")
    }

    /// Looks at what is there before a state is made.
    ///
    /// # Errors
    /// When the state is gone but what belongs to it is not: a start would make a second cluster.
    pub(crate) fn check_first(&self) -> Result<(), Failure> {
        let state = self.state();
        if exists(&state)? {
            return Ok(());
        }
        for rest in [self.ledger(), self.sealing_key(), self.server_id_file()] {
            if exists(&rest)? {
                let (state, rest) = (state.display(), rest.display());
                return Err(Failure::new(
                    format!(
                        "the cluster's state {state} is missing, but {rest} is there: starting would make a second cluster"
                    ),
                    format!(
                        "restore {state} from a backup; or, to begin anew and lose the cluster, move {} away",
                        self.root.display()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Checks that everything that belongs to the cluster in the state is there.
    ///
    /// # Errors
    /// When something is missing that a start would make anew, and that would not be what it was.
    pub(crate) fn check_complete(&self) -> Result<(), Failure> {
        let parts = [
            (self.ledger(), "the audit log and the list of issued certificates"),
            (self.sealing_key(), "what opens the sealed software keys"),
            (self.server_id_file(), "which auth server this is"),
        ];
        for (path, what) in parts {
            if !exists(&path)? {
                return Err(Failure::new(
                    format!(
                        "{} is missing: {what}. A new one would not be what it was",
                        path.display()
                    ),
                    "restore it from a backup",
                ));
            }
        }
        Ok(())
    }

    /// Compares the state with the log before anything is made: files that are there but empty are as good as lost.
    ///
    /// # Errors
    /// When the state tells of no cluster but the log does, or the other way round.
    pub(crate) async fn check_agreement(
        &self,
        has_cluster: bool,
        ledger: &dyn Ledger,
    ) -> Result<(), Failure> {
        let failed = |error: LedgerError| Failure::of("cannot read the ledger", &error);
        let is_blank = ledger.head().await.map_err(failed)? == Head::EMPTY;
        let (state, log) = (self.state(), self.ledger());
        let (state, log) = (state.display(), log.display());
        if has_cluster {
            // The birth of the cluster was recorded before it was written into the state.
            return if is_blank {
                Err(Failure::new(
                    format!(
                        "{log} is empty: the audit log and the list of issued certificates are lost. A new one would not be what it was"
                    ),
                    "restore it from a backup",
                ))
            } else {
                Ok(())
            };
        }
        // An authority is recorded after its cluster is in the state, so that this is no birth that was interrupted.
        let query = EventQuery {
            limit: 1,
            kinds: vec!["authority.create".to_owned()],
            ..EventQuery::default()
        };
        let told_by = if !ledger.events(&query).await.map_err(failed)?.is_empty() {
            log.to_string()
        } else if is_blank && holds_lines(&self.log())? {
            self.log().display().to_string()
        } else {
            return Ok(());
        };
        Err(Failure::new(
            format!(
                "the cluster's state {state} is empty, but {told_by} tells of a cluster: starting would make a second one"
            ),
            format!(
                "restore {state} from a backup; or, to begin anew and lose the cluster, move {} away",
                self.root.display()
            ),
        ))
    }

    /// The id of this auth server: read, or made.
    ///
    /// # Errors
    /// When it cannot be read or written, or is none.
    pub(crate) fn server_id(&self, entropy: &dyn Entropy) -> Result<String, Failure> {
        let path = self.server_id_file();
        let failed = |error: std::io::Error| Failure::of(&format!("cannot use {}", path.display()), &error);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let id = text.trim();
                return id.parse::<KeyId>().map(|id| id.to_string()).map_err(|_| {
                    Failure::new(
                        format!("{} holds no id of a server", path.display()),
                        "restore it from a backup",
                    )
                });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let random = runtime::sixteen(entropy).map_err(|fault| Failure::said(fault.to_string()))?;
        let id = KeyId::from_random(random).to_string();
        // Whole or not at all: a half-written id would be another server's.
        let draft = self.root.join("server_id.new");
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                writeln!(file, "{id}")?;
                file.sync_all()
            });
        written
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&self.root)?.sync_all())
            .map_err(failed)?;
        Ok(id)
    }
}

fn exists(path: &Path) -> Result<bool, Failure> {
    path.try_exists()
        .map_err(|error| Failure::of(&format!("cannot look at {}", path.display()), &error))
}

/// Whether a folder has a file of the audit log with something in it.
fn holds_lines(folder: &Path) -> Result<bool, Failure> {
    let failed = |error: std::io::Error| Failure::of(&format!("cannot look at {}", folder.display()), &error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        listed => listed.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_log = entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        if is_log && entry.metadata().map_err(failed)?.len() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn make_private(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| {
        Failure::of(&format!("cannot make the directory {}", path.display()), &error).with_hint(
            "choose another with `signet.data_dir` or `--data-dir`, or make it for this user with mode 0700",
        )
    })?;
    let found = fs::metadata(path)
        .map_err(|error| Failure::of(&format!("cannot look at {}", path.display()), &error))?;
    let (mode, path) = (found.mode() & 0o7777, path.display());
    if mode & 0o077 != 0 {
        return Err(Failure::new(
            format!("the directory {path} has mode {mode:04o}: others could read what is kept there"),
            format!("run `chmod 700 {path}`"),
        ));
    }
    let own = Uid::effective().as_raw();
    if found.uid() != own {
        return Err(Failure::new(
            format!(
                "the directory {path} belongs to the user with number {}, and this process runs as {own}",
                found.uid()
            ),
            format!("run `chown -R {own} {path}`, or start signetd as its owner"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
