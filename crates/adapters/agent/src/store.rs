//! Where a machine keeps who it is.

use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::AgentError;

/// A folder of the machine's own, mode 0700.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the folder, making it if needed.
    pub(crate) fn open(folder: &Path) -> Result<Self, AgentError> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| failed("make", folder, source))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads a document, when it is there.
    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AgentError> {
        let path = self.path(name);
        let text = match fs::read(&path) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", &path, source)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| AgentError::Damaged {
                path,
                reason: error.to_string(),
            })
    }

    /// Writes a document as a whole, mode 0600, durably: a crash leaves the old one or the new one.
    pub(crate) fn save<T: Serialize>(&self, name: &str, document: &T) -> Result<(), AgentError> {
        let path = self.path(name);
        let beside = self.path(&format!("{name}.new"));
        let text = serde_json::to_vec(document)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| AgentError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        let write = || {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(&self.folder)?.sync_all()
        };
        write().map_err(|source| failed("write", &path, source))
    }
}

pub(crate) fn failed(action: &'static str, path: &Path, source: std::io::Error) -> AgentError {
    AgentError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
