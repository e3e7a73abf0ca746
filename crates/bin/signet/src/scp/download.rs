//! From a server to here.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;

use super::Copy;
use super::names::fits;
use super::names::is_entry;
use super::names::is_pattern;
use super::names::join;
use super::names::shown;
use super::names::split;
use super::sftp::Attributes;
use super::sftp::Open;
use super::sftp::Pending;
use super::sftp::Sftp;
use super::sftp::SftpError;
use crate::failure::Failure;

/// Requests without an answer, at most.
const UNDER_WAY: usize = 32;
/// Directories in directories, at most: links on a server can go round in circles.
const DEPTH_MAX: usize = 128;

/// Something could not be copied.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error("{0}")]
    Here(#[from] io::Error),
    #[error("{0}")]
    There(#[from] SftpError),
    #[error("the server names something so that it would be written elsewhere: {0}")]
    Elsewhere(String),
    #[error("the directories are nested too deeply")]
    TooDeep,
}

/// Copies files and directories.
pub(super) async fn copy(
    sftp: &Sftp,
    sources: &[Vec<u8>],
    to: &Path,
    copy: &mut Copy,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for source in sources {
        match resolve(sftp, source).await {
            Ok(paths) if paths.is_empty() => copy.fail(&format!("{}: nothing fits", shown(source))),
            Ok(paths) => found.extend(paths),
            Err(error) => settle(Err(error.into()), source, to, copy)?,
        }
    }
    let is_directory = to.is_dir();
    if !is_directory && (found.len() > 1 || to.as_os_str().as_bytes().ends_with(b"/")) {
        return Err(Failure::failed(format!("{} is no directory", to.display()))
            .with_hint("make it first, or copy one file to that name"));
    }
    for source in found {
        let (_, name) = split(&source);
        let target = if is_directory && is_entry(name) {
            to.join(OsStr::from_bytes(name))
        } else {
            to.to_owned()
        };
        let attributes = match sftp.stat(&source).await {
            Ok(Some(attributes)) => attributes,
            Ok(None) => {
                copy.fail(&format!("{}: no such file or directory", shown(&source)));
                continue;
            }
            Err(error) => {
                settle(Err(error.into()), &source, &target, copy)?;
                continue;
            }
        };
        one(sftp, &source, attributes, &target, 0, copy).await?;
    }
    Ok(())
}

/// The paths that a path with a pattern in its last part stands for.
async fn resolve(sftp: &Sftp, source: &[u8]) -> Result<Vec<Vec<u8>>, SftpError> {
    let (directory, pattern) = split(source);
    // A name may have these characters itself.
    if !is_pattern(pattern) || sftp.stat(source).await?.is_some() {
        return Ok(vec![source.to_vec()]);
    }
    let entries = sftp.entries(directory).await?;
    let mut paths: Vec<_> = entries
        .into_iter()
        .filter(|(name, _)| is_entry(name) && fits(pattern, name))
        .map(|(name, _)| join(directory, &name))
        .collect();
    paths.sort();
    Ok(paths)
}

/// Copies one thing. What concerns it alone is said, and the rest goes on; a connection that ended ends everything.
async fn one(
    sftp: &Sftp,
    source: &[u8],
    attributes: Attributes,
    target: &Path,
    depth: usize,
    copy: &mut Copy,
) -> Result<(), Failure> {
    let outcome = if attributes.is_directory() {
        if !copy.manner.recursive {
            copy.fail(&format!("{}: is a directory; say -r to copy it", shown(source)));
            return Ok(());
        }
        Box::pin(directory(sftp, source, attributes, target, depth, copy)).await
    } else if attributes.is_file() {
        file(sftp, source, attributes, target, copy).await
    } else {
        copy.fail(&format!("{}: is no file and no directory", shown(source)));
        return Ok(());
    };
    settle(outcome, source, target, copy)
}

/// Says what went wrong, of the end at which it did.
fn settle(
    outcome: Result<(), CopyError>,
    source: &[u8],
    target: &Path,
    copy: &mut Copy,
) -> Result<(), Failure> {
    match outcome {
        Ok(()) => Ok(()),
        Err(CopyError::There(SftpError::Ended)) => {
            copy.progress.clear();
            Err(Failure::failed(format!(
                "{}: the connection ended",
                shown(source)
            )))
        }
        Err(CopyError::Here(error)) => {
            copy.fail(&format!("{}: {error}", target.display()));
            Ok(())
        }
        Err(error) => {
            copy.fail(&format!("{}: {error}", copy.there(source)));
            Ok(())
        }
    }
}

async fn directory(
    sftp: &Sftp,
    source: &[u8],
    attributes: Attributes,
    target: &Path,
    depth: usize,
    copy: &mut Copy,
) -> Result<(), CopyError> {
    if depth >= DEPTH_MAX {
        return Err(CopyError::TooDeep);
    }
    let mode = attributes.permissions(0o755);
    match DirBuilder::new().mode(mode | 0o700).create(target) {
        Err(error) if !(error.kind() == io::ErrorKind::AlreadyExists && target.is_dir()) => {
            return Err(error.into());
        }
        Ok(()) | Err(_) => {}
    }
    let mut entries = sftp.entries(source).await?;
    entries.retain(|(name, _)| name != b"." && name != b"..");
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, _) in entries {
        if !is_entry(&name) {
            return Err(CopyError::Elsewhere(shown(&name)));
        }
        let path = join(source, &name);
        // Lists say what links are, and not what they lead to.
        let Some(attributes) = sftp.stat(&path).await? else {
            copy.fail(&format!("{}: no such file or directory", shown(&path)));
            continue;
        };
        let target = target.join(OsStr::from_bytes(&name));
        let outcome = one(sftp, &path, attributes, &target, depth + 1, copy).await;
        if outcome.is_err() {
            return Err(SftpError::Ended.into());
        }
    }
    if copy.manner.preserve {
        std::fs::set_permissions(target, Permissions::from_mode(mode))?;
        if let Some(times) = times(attributes) {
            File::open(target)?.set_times(times)?;
        }
    }
    Ok(())
}

fn times(attributes: Attributes) -> Option<std::fs::FileTimes> {
    let (read, changed) = attributes.times?;
    let moment = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(seconds));
    Some(
        std::fs::FileTimes::new()
            .set_accessed(moment(read))
            .set_modified(moment(changed)),
    )
}

async fn file(
    sftp: &Sftp,
    source: &[u8],
    attributes: Attributes,
    target: &Path,
    copy: &mut Copy,
) -> Result<(), CopyError> {
    let handle = sftp.open_file(source, Open::Read).await?;
    let size = attributes.size.unwrap_or_default();
    let (_, name) = split(source);
    let outcome = match create(target, attributes) {
        Ok(mut output) => {
            copy.progress.begin(&shown(name), size);
            let read = read_all(sftp, &handle, size, &mut output, copy).await;
            read.and_then(|()| keep(&output, attributes, copy).map_err(CopyError::from))
        }
        Err(error) => Err(CopyError::Here(error)),
    };
    sftp.close(&handle).await?;
    outcome?;
    copy.progress.finish();
    Ok(())
}

fn create(target: &Path, attributes: Attributes) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(attributes.permissions(0o644))
        .open(target)
}

fn keep(output: &File, attributes: Attributes, copy: &Copy) -> io::Result<()> {
    if copy.manner.preserve {
        output.set_permissions(Permissions::from_mode(attributes.permissions(0o644)))?;
        if let Some(times) = times(attributes) {
            output.set_times(times)?;
        }
    }
    Ok(())
}

/// Reads a file to its end with many requests under way. What the server says of its size only says how far to ask ahead.
async fn read_all(
    sftp: &Sftp,
    handle: &Bytes,
    size: u64,
    output: &mut File,
    copy: &mut Copy,
) -> Result<(), CopyError> {
    let chunk = u64::try_from(sftp.chunk).unwrap_or(u64::MAX);
    let mut under_way: VecDeque<(u64, usize, Pending)> = VecDeque::with_capacity(UNDER_WAY);
    let mut next = 0_u64;
    loop {
        while under_way.len() < UNDER_WAY && (next < size || under_way.is_empty()) {
            under_way.push_back((next, sftp.chunk, sftp.read(handle, next, sftp.chunk).await?));
            next = next.saturating_add(chunk);
        }
        let Some((mut offset, mut length, mut pending)) = under_way.pop_front() else {
            return Ok(());
        };
        // A short answer is followed up before anything after it is written.
        loop {
            let Some(data) = pending.data().await?.filter(|data| !data.is_empty()) else {
                return Ok(());
            };
            if data.len() > length {
                return Err(SftpError::Unreadable.into());
            }
            output.write_all(&data)?;
            copy.progress.add(data.len());
            length -= data.len();
            offset = offset.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if length == 0 {
                break;
            }
            pending = sftp.read(handle, offset, length).await?;
        }
    }
}
