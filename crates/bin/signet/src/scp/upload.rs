//! From here to a server.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use super::Copy;
use super::names::join;
use super::names::shown;
use super::sftp::Attributes;
use super::sftp::Open;
use super::sftp::Sftp;
use super::sftp::SftpError;
use crate::failure::Failure;

/// Requests without an answer, at most.
const UNDER_WAY: usize = 32;

/// Something could not be copied.
#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error("{0}")]
    Here(#[from] io::Error),
    #[error("{0}")]
    There(#[from] SftpError),
}

/// Copies files and directories.
pub(super) async fn copy(
    sftp: &Sftp,
    sources: &[PathBuf],
    to: &[u8],
    copy: &mut Copy,
) -> Result<(), Failure> {
    let there = sftp
        .stat(to)
        .await
        .map_err(|error| Failure::local(&shown(to), &error))?;
    let is_directory = there.is_some_and(|there| there.is_directory());
    if !is_directory && (sources.len() > 1 || to.ends_with(b"/")) {
        return Err(
            Failure::failed(format!("{} is no directory on the server", shown(to)))
                .with_hint("make it first, or copy one file to that name"),
        );
    }
    for source in sources {
        let target = match source.file_name() {
            Some(name) if is_directory => join(to, name.as_bytes()),
            Some(_) => to.to_vec(),
            // `.` and `..`: what is in them goes into the directory itself.
            None => to.to_vec(),
        };
        one(sftp, source, &target, copy).await?;
    }
    Ok(())
}

/// Copies one thing. What concerns it alone is said, and the rest goes on; a connection that ended ends everything.
async fn one(sftp: &Sftp, source: &Path, target: &[u8], copy: &mut Copy) -> Result<(), Failure> {
    let metadata = match source.metadata() {
        Ok(metadata) => metadata,
        Err(error) => {
            copy.fail(&format!("{}: {error}", source.display()));
            return Ok(());
        }
    };
    let outcome = if metadata.is_dir() {
        if !copy.manner.recursive {
            copy.fail(&format!(
                "{}: is a directory; say -r to copy it",
                source.display()
            ));
            return Ok(());
        }
        Box::pin(directory(sftp, source, target, &metadata, copy)).await
    } else if metadata.is_file() {
        file(sftp, source, target, &metadata, copy).await
    } else {
        copy.fail(&format!("{}: is no file and no directory", source.display()));
        return Ok(());
    };
    settle(outcome, source, target, copy)
}

/// Says what went wrong, of the end at which it did.
fn settle(
    outcome: Result<(), CopyError>,
    source: &Path,
    target: &[u8],
    copy: &mut Copy,
) -> Result<(), Failure> {
    match outcome {
        Ok(()) => Ok(()),
        Err(CopyError::There(SftpError::Ended)) => {
            copy.progress.clear();
            let what = source.display();
            Err(Failure::failed(format!("{what}: the connection ended")))
        }
        Err(CopyError::There(error)) => {
            copy.fail(&format!("{}: {error}", copy.there(target)));
            Ok(())
        }
        Err(CopyError::Here(error)) => {
            copy.fail(&format!("{}: {error}", source.display()));
            Ok(())
        }
    }
}

async fn directory(
    sftp: &Sftp,
    source: &Path,
    target: &[u8],
    metadata: &std::fs::Metadata,
    copy: &mut Copy,
) -> Result<(), CopyError> {
    // What is not ours to read later must be writable now.
    let mode = metadata.mode() & 0o777;
    if let Err(error) = sftp.make_directory(target, mode | 0o700).await {
        let there = sftp.stat(target).await?;
        if !there.is_some_and(|there| there.is_directory()) {
            return Err(error.into());
        }
    }
    let mut names = Vec::new();
    for entry in source.read_dir()? {
        names.push(entry?.file_name());
    }
    names.sort();
    for name in names {
        let outcome = one(sftp, &source.join(&name), &join(target, name.as_bytes()), copy).await;
        if outcome.is_err() {
            return Err(SftpError::Ended.into());
        }
    }
    if copy.manner.preserve {
        sftp.set(target, &kept(metadata)).await?;
    } else if mode | 0o700 != mode {
        sftp.set(target, &Attributes::of_mode(mode)).await?;
    }
    Ok(())
}

/// What is kept with `-p`.
fn kept(metadata: &std::fs::Metadata) -> Attributes {
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    Attributes {
        times: Some((seconds(metadata.atime()), seconds(metadata.mtime()))),
        ..Attributes::of_mode(metadata.mode())
    }
}

async fn file(
    sftp: &Sftp,
    source: &Path,
    target: &[u8],
    metadata: &std::fs::Metadata,
    copy: &mut Copy,
) -> Result<(), CopyError> {
    let mut input = File::open(source)?;
    let open = Open::Write {
        mode: metadata.mode() & 0o777,
    };
    let handle = sftp.open_file(target, open).await?;
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    copy.progress.begin(&name, metadata.len());
    let written = write_all(sftp, &mut input, &handle, copy).await;
    let kept = match written {
        Ok(()) if copy.manner.preserve => sftp
            .set_of_open(&handle, &kept(metadata))
            .await
            .map_err(CopyError::from),
        other => other,
    };
    sftp.close(&handle).await?;
    kept?;
    copy.progress.finish();
    Ok(())
}

/// Writes a file with many requests under way.
async fn write_all(sftp: &Sftp, input: &mut File, handle: &[u8], copy: &mut Copy) -> Result<(), CopyError> {
    let mut under_way = VecDeque::with_capacity(UNDER_WAY);
    let mut offset = 0_u64;
    loop {
        if under_way.len() >= UNDER_WAY
            && let Some((pending, length)) = under_way.pop_front()
        {
            acknowledged(pending, length, copy).await?;
        }
        let (id, mut request) = sftp.write_request(handle, offset);
        let length = request.data(sftp.chunk, |place| read_full(input, place))?;
        if length == 0 {
            break;
        }
        under_way.push_back((sftp.write(id, request).await?, length));
        offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
    for (pending, length) in under_way {
        acknowledged(pending, length, copy).await?;
    }
    Ok(())
}

async fn acknowledged(
    pending: super::sftp::Pending,
    length: usize,
    copy: &mut Copy,
) -> Result<(), SftpError> {
    pending.done().await?;
    copy.progress.add(length);
    Ok(())
}

/// Reads until the place is full or the file ends.
fn read_full(input: &mut File, mut place: &mut [u8]) -> io::Result<usize> {
    let mut total = 0;
    while !place.is_empty() {
        match input.read(place) {
            Ok(0) => break,
            Ok(length) => {
                total += length;
                place = place.get_mut(length..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
