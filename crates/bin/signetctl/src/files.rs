//! Files that are all written, or none of them.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A file to be written.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) path: PathBuf,
    pub(crate) content: Content,
}

/// What goes into a file.
pub(crate) enum Content {
    /// Readable by all: mode 0644.
    Public(Vec<u8>),
    /// Readable by its owner: mode 0600.
    Private(Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Public(bytes) => write!(f, "Public({} bytes)", bytes.len()),
            Self::Private(_) => f.write_str("Private"),
        }
    }
}

impl Content {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Public(bytes) => bytes,
            Self::Private(bytes) => bytes,
        }
    }

    /// The permission bits.
    pub(crate) const fn mode(&self) -> u32 {
        match self {
            Self::Public(_) => 0o644,
            Self::Private(_) => 0o600,
        }
    }
}

/// Writes every file or none. Existing files are kept unless `overwrite` is set.
pub(crate) fn write_all(files: &[NewFile], overwrite: bool) -> Result<(), Failure> {
    refuse_existing(files, overwrite)?;
    let mut prepared = Vec::new();
    for file in files {
        let temporary = prepare(file).map_err(|error| cannot_write(&file.path, &error))?;
        prepared.push((file.path.as_path(), temporary));
    }
    let mut done: Vec<Placed<'_>> = Vec::new();
    for (path, temporary) in prepared {
        match place(path, temporary, overwrite) {
            Ok(placed) => done.push(placed),
            Err(error) => {
                for placed in done.into_iter().rev() {
                    placed.undo();
                }
                return Err(cannot_write(path, &error).with_hint("nothing was written"));
            }
        }
    }
    Ok(())
}

/// Refuses, before anything is asked of the server, what would be refused when writing.
pub(crate) fn refuse_existing(files: &[NewFile], overwrite: bool) -> Result<(), Failure> {
    let paths: Vec<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    refuse_existing_paths(&paths, overwrite)
}

/// The same for names alone.
pub(crate) fn refuse_existing_paths(paths: &[&Path], overwrite: bool) -> Result<(), Failure> {
    for path in paths {
        let directory = directory_of(path);
        if !directory.is_dir() {
            return Err(
                Failure::failed(format!("{} is no directory", directory.display()))
                    .with_hint("make it first"),
            );
        }
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(Failure::failed(format!("{} exists", path.display()))
                .with_hint("choose another name with --out, or say --overwrite"));
        }
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::local(&format!("cannot write {}", path.display()), error)
}

fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

/// The content in a temporary file beside its place, on the disk, with its permissions.
fn prepare(file: &NewFile) -> io::Result<NamedTempFile> {
    let mut temporary = tempfile::Builder::new()
        .prefix(".signetctl-")
        .tempfile_in(directory_of(&file.path))?;
    temporary.write_all(file.content.bytes())?;
    temporary
        .as_file()
        .set_permissions(fs::Permissions::from_mode(file.content.mode()))?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// A file in its place, and what was there before.
struct Placed<'a> {
    path: &'a Path,
    /// A second link to the old file. It goes away when this does.
    before: Option<NamedTempFile<()>>,
}

impl Placed<'_> {
    /// Puts back what was there. Nothing can be done about a failure beyond the one being reported.
    fn undo(self) {
        let _ = match self.before {
            Some(before) => before.persist(self.path).map_err(|error| error.error),
            None => fs::remove_file(self.path),
        };
    }
}

fn place(path: &Path, temporary: NamedTempFile, overwrite: bool) -> io::Result<Placed<'_>> {
    if !overwrite {
        // Fails when somebody else made the file meanwhile.
        temporary.persist_noclobber(path).map_err(|error| error.error)?;
        return Ok(Placed { path, before: None });
    }
    let before = match path.symlink_metadata() {
        Ok(_) => {
            let link = |kept: &Path| fs::hard_link(path, kept);
            Some(
                tempfile::Builder::new()
                    .prefix(".signetctl-")
                    .make_in(directory_of(path), link)?,
            )
        }
        Err(_) => None,
    };
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(Placed { path, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path) -> Vec<NewFile> {
        vec![
            NewFile {
                path: directory.join("a.key"),
                content: Content::Private(Zeroizing::new(b"secret".to_vec())),
            },
            NewFile {
                path: directory.join("a.crt"),
                content: Content::Public(b"public".to_vec()),
            },
        ]
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn keys_are_private_and_certificates_are_not() {
        let place = tempfile::tempdir().unwrap();
        write_all(&files(place.path()), false).unwrap();
        let mode = |name: &str| {
            fs::metadata(place.path().join(name))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode("a.key"), 0o600);
        assert_eq!(mode("a.crt"), 0o644);
        assert_eq!(names(place.path()), ["a.crt", "a.key"]);
    }

    #[test]
    fn existing_files_are_kept_and_nothing_is_written_beside_them() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a.crt"), "old").unwrap();
        assert!(write_all(&files(place.path()), false).is_err());
        assert_eq!(names(place.path()), ["a.crt"]);
        write_all(&files(place.path()), true).unwrap();
        assert_eq!(fs::read(place.path().join("a.crt")).unwrap(), b"public");
        assert_eq!(names(place.path()), ["a.crt", "a.key"], "no backup is left");
    }

    #[test]
    fn all_or_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.key");
        fs::write(&path, "old").unwrap();
        // The second file cannot be put in its place, because a directory is there.
        fs::create_dir(place.path().join("a.crt")).unwrap();
        assert!(write_all(&files(place.path()), true).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old", "the first file was put back");
        assert_eq!(names(place.path()), ["a.crt", "a.key"]);
        assert!(write_all(&files(&place.path().join("nowhere")), false).is_err());
    }
}
