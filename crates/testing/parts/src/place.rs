//! Where installed parts are: programs of the system, and the Python environment beside the build.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::PartError;

/// Directories that hold daemons but are often missing from an ordinary user's `PATH`.
const DAEMONS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Finds a program in `PATH` or among the system's daemons.
///
/// # Errors
/// [`PartError::Missing`], which names `cargo xtask parts`.
pub fn program(name: &str) -> Result<PathBuf, PartError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(DAEMONS.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| PartError::Missing {
            what: name.to_owned(),
        })
}

/// The first of `candidates` that exists.
///
/// # Errors
/// [`PartError::Missing`] under the name `what`.
pub fn first_existing(what: &str, candidates: &[&str]) -> Result<PathBuf, PartError> {
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|candidate| candidate.exists())
        .ok_or_else(|| PartError::Missing {
            what: what.to_owned(),
        })
}

/// A PKCS#11 module by its file name, in the folders where distributions keep such modules.
///
/// # Errors
/// [`PartError::Missing`], which names `cargo xtask parts`.
pub fn pkcs11_module(name: &str) -> Result<PathBuf, PartError> {
    // Debian has a folder for each architecture below /usr/lib, others have none.
    let architectures = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    architectures
        .chain([PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")])
        .map(|library| library.join("pkcs11").join(name))
        .find(|candidate| candidate.exists())
        .ok_or_else(|| PartError::Missing {
            what: name.to_owned(),
        })
}

/// The directory of the Python environment that `cargo xtask parts` makes: `$SIGNET_PARTS_DIR/venv`, or `parts/venv` in
/// the target directory that the running test was built in.
///
/// # Errors
/// [`PartError::NoVenv`] with every place looked at.
pub fn venv() -> Result<PathBuf, PartError> {
    let tried = venv_candidates(
        std::env::var_os("SIGNET_PARTS_DIR").as_deref(),
        std::env::current_exe().ok().as_deref(),
    );
    let found = tried
        .iter()
        .find(|candidate| candidate.join("bin/python").exists())
        .cloned();
    found.ok_or(PartError::NoVenv { tried })
}

fn venv_candidates(parts_dir: Option<&OsStr>, test_binary: Option<&Path>) -> Vec<PathBuf> {
    if let Some(directory) = parts_dir.filter(|directory| !directory.is_empty()) {
        return vec![Path::new(directory).join("venv")];
    }
    // A test binary is `<target>[/<triple>]/<profile>[/deps]/<name>`: the target directory is two to four steps up.
    let ancestors = test_binary.into_iter().flat_map(Path::ancestors);
    ancestors
        .skip(2)
        .take(3)
        .map(|directory| directory.join("parts/venv"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_the_remedy() {
        let error = program("no-such-program-anywhere").unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program-anywhere not found: run `cargo xtask parts`"
        );
    }

    #[test]
    fn the_environment_decides_where_parts_are() {
        let tried = venv_candidates(Some(OsStr::new("/p")), Some(Path::new("/t/debug/deps/x")));
        assert_eq!(tried, [PathBuf::from("/p/venv")]);
    }

    #[test]
    fn otherwise_the_target_directory_of_the_test_holds_them() {
        let tried = venv_candidates(None, Some(Path::new("/t/debug/deps/x")));
        assert!(tried.contains(&PathBuf::from("/t/parts/venv")), "{tried:?}");
        let tried = venv_candidates(None, Some(Path::new("/t/x86_64-unknown-linux-gnu/debug/deps/x")));
        assert!(tried.contains(&PathBuf::from("/t/parts/venv")), "{tried:?}");
    }
}
