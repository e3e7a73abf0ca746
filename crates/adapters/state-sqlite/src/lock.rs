use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Shows that a data directory belongs to this process, until it is dropped or the process ends.
///
/// An advisory lock (flock(2)) on `<data_dir>/lock`, which also names the process. The file stays.
#[derive(Debug)]
pub struct DataDirLock {
    /// Closing it gives the lock back.
    _file: File,
}

/// Why a data directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum DataDirLockError {
    /// Another process has it.
    #[error(
        "the data directory {data_dir} is in use by {holder}; stop it first, or choose another data directory",
        data_dir = data_dir.display()
    )]
    Held {
        /// The directory.
        data_dir: PathBuf,
        /// Who, as far as the lock file tells: `process 123`.
        holder: String,
    },
    /// The lock file could not be used.
    #[error("cannot lock the data directory {data_dir}", data_dir = data_dir.display())]
    Io {
        /// The directory.
        data_dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataDirLock {
    /// Takes a data directory, which must exist.
    ///
    /// # Errors
    /// [`DataDirLockError::Held`] when another process has it.
    pub fn take(data_dir: &Path) -> Result<Self, DataDirLockError> {
        let io = |source| DataDirLockError::Io {
            data_dir: data_dir.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(data_dir.join("lock"))
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataDirLockError::Held {
                    data_dir: data_dir.to_owned(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        name_holder(&mut file).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn name_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process the file names. It is written just after the lock is taken, so it may be missing for a moment.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match read.map(|_| text.trim().parse::<u32>()) {
        Ok(Ok(id)) => format!("process {id}"),
        Ok(Err(_)) | Err(_) => "another process".to_owned(),
    }
}
