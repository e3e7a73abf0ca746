//! Files that are there whole or not at all.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::failure::Failure;

/// Writes a file that only its owner reads (0600), in the place of what was there.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(path, content, 0o600)
}

/// Writes a file that everybody may read (0644), in the place of what was there.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<(), Failure> {
    write(path, content, 0o644)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    replace(path, content, mode)
        .map_err(|error| Failure::local(&format!("cannot write {}", path.display()), &error))
}

fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".signet-")
        .tempfile_in(directory)?;
    temporary.write_all(content)?;
    temporary
        .as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a directory that only its owner enters (0700), and those above it; makes one that is there so.
pub(crate) fn make_private_directory(path: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
    made.map_err(|error| Failure::local(&format!("cannot make {}", path.display()), &error))
}

/// Waits until nobody else has this lock, and takes it until the file is dropped. It is held for moments.
pub(crate) fn lock(path: &Path) -> Result<fs::File, Failure> {
    let locked = || {
        let mut options = fs::OpenOptions::new();
        let file = options
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)?;
        file.lock()?;
        Ok(file)
    };
    locked().map_err(|error: io::Error| Failure::local(&format!("cannot lock {}", path.display()), &error))
}

/// A file as text, if it is there.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::local(&format!("cannot read {}", path.display()), &error)),
    }
}

/// Refuses a file of ours with a secret in it that others may read or change, as OpenSSH does. Whose files are another's, such as the
/// system's, are guarded by them.
pub(crate) fn check_private(path: &Path) -> Result<(), Failure> {
    /// What others than the owner may.
    const OTHERS: u32 = 0o077;
    check(
        path,
        OTHERS,
        "others may read it, and it holds a private key",
        "600",
    )
}

/// Refuses a directory of ours in which others may replace what is trusted.
pub(crate) fn check_unshared(path: &Path) -> Result<(), Failure> {
    /// Writing, by others than the owner.
    const CHANGE: u32 = 0o022;
    check(path, CHANGE, "others may change what is in it", "700")
}

fn check(path: &Path, denied: u32, why: &str, wanted: &str) -> Result<(), Failure> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::local(&format!("cannot read {}", path.display()), &error)),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.uid() != rustix::process::geteuid().as_raw() || mode & denied == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(
        Failure::failed(format!("{path} is not used: {why} (its mode is {mode:04o})")).with_hint(format!(
            "`chmod {wanted} {path}`; if somebody else may have been there, log in again too: `signet login`"
        )),
    )
}

/// Removes a file, if it is there.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::local(
            &format!("cannot remove {}", path.display()),
            &error,
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}
