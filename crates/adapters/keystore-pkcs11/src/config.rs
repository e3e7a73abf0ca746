//! What an operator says about a token, and the checks that need no module.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use names::ClusterName;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::OpenError;
use crate::elf::{self, Image};

/// Sessions that sign at once where neither the operator nor the token names a limit.
pub const DEFAULT_SESSIONS_MAX: u32 = 16;
/// How long a call may take where the operator does not say.
pub const DEFAULT_CALL_DEADLINE: Duration = Duration::from_secs(10);
/// How many times longer generation may take: RSA keys of 4096 bits take slow tokens a minute.
const GENERATION_FACTOR: u32 = 12;
/// A PIN longer than this is a mistaken file.
const PIN_LENGTH_MAX: u64 = 4096;

/// Which token of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSelector {
    /// By its label; one token must have it.
    Label(String),
    /// By the number of the slot it sits in.
    Slot(u64),
}

impl std::fmt::Display for TokenSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(label) => write!(f, "token {label:?}"),
            Self::Slot(slot) => write!(f, "the token in slot {slot}"),
        }
    }
}

/// Everything needed to open a token.
#[derive(Clone, Debug)]
pub struct Pkcs11Config {
    /// The vendor's module, a shared library.
    pub module_path: PathBuf,
    /// The token.
    pub token: TokenSelector,
    /// The user PIN.
    pub pin: SecretString,
    /// Sessions to open at most, the one that holds the login included. `None` or 0: sized from the token. 1 is refused.
    pub max_sessions: Option<u32>,
    /// How long a call may take before its session is given up; generation may take twelve times as long.
    pub call_deadline: Duration,
    /// Whose keys are listed.
    pub cluster: ClusterName,
}

impl Pkcs11Config {
    pub(crate) fn generation_deadline(&self) -> Duration {
        self.call_deadline.saturating_mul(GENERATION_FACTOR)
    }
}

/// How many sessions work beside the one that holds the login.
///
/// `token_max` is what the token reports (`None`: no limit known), `in_use` how many of those others hold already.
pub(crate) fn worker_count(
    asked: Option<u32>,
    token_max: Option<u64>,
    in_use: u64,
) -> Result<usize, OpenError> {
    let limit = match asked {
        Some(1) => return Err(OpenError::OneSession),
        None | Some(0) => u64::from(DEFAULT_SESSIONS_MAX) + 1,
        Some(asked) => u64::from(asked),
    };
    let free = token_max.map_or(u64::MAX, |most| most.saturating_sub(in_use));
    if free < 2 {
        return Err(OpenError::TooFewSessions {
            most: token_max.unwrap_or(u64::MAX),
            in_use,
        });
    }
    usize::try_from(limit.min(free) - 1).map_err(|_| OpenError::OneSession)
}

/// Checks the file of a module before anything in it runs, and resolves links to it.
///
/// # Errors
/// When it is missing, is no shared library for this machine, or could be replaced by others.
pub(crate) fn check_module(path: &Path) -> Result<PathBuf, OpenError> {
    let unreadable = |source| OpenError::ModuleUnreadable {
        path: path.to_owned(),
        source,
    };
    let resolved = match path.canonicalize() {
        Ok(resolved) => resolved,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenError::ModuleMissing {
                path: path.to_owned(),
            });
        }
        Err(source) => return Err(unreadable(source)),
    };
    let file = fs::File::open(&resolved).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(OpenError::NotALibrary {
            path: resolved,
            reason: "it is not a file".into(),
        });
    }
    if facts.mode() & 0o022 != 0 {
        return Err(OpenError::ModuleWritable {
            path: resolved,
            mode: facts.mode() & 0o7777,
        });
    }
    let mut start = Vec::new();
    file.take(64).read_to_end(&mut start).map_err(unreadable)?;
    match elf::recognise(&start) {
        Image::Ours => Ok(resolved),
        Image::Foreign(machine) => Err(OpenError::WrongArchitecture {
            path: resolved,
            machine,
        }),
        Image::NotElf => Err(OpenError::NotALibrary {
            path: resolved,
            reason: "it is no ELF file".into(),
        }),
    }
}

/// Why a PIN file was not used.
#[derive(Debug, thiserror::Error)]
pub enum PinFileError {
    /// The file could not be read.
    #[error("cannot read the PIN file {path}; check `pin_path` and the owner of the file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others could read or change it.
    #[error(
        "the PIN file {path} has mode {mode:04o}, so other users may read or change it; run `chmod 0600 {path}`"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds nothing, or no text.
    #[error("the PIN file {path} {problem}; write the PIN into it, on one line")]
    NotAPin {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        problem: &'static str,
    },
}

/// Reads a PIN from a file that other users can neither read nor change; line ends after it are dropped.
///
/// # Errors
/// As the variants say. No error carries any of the file's content.
pub fn read_pin_file(path: &Path) -> Result<SecretString, PinFileError> {
    let unreadable = |source| PinFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let not_a_pin = |problem| PinFileError::NotAPin {
        path: path.to_owned(),
        problem,
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if facts.mode() & 0o027 != 0 {
        return Err(PinFileError::Exposed {
            path: path.to_owned(),
            mode: facts.mode() & 0o7777,
        });
    }
    if facts.len() > PIN_LENGTH_MAX {
        return Err(not_a_pin("is too long for a PIN"));
    }
    let capacity = usize::try_from(PIN_LENGTH_MAX + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(PIN_LENGTH_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| not_a_pin("is not text"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(not_a_pin("is empty")),
        pin if pin.contains(['\r', '\n', '\0']) => Err(not_a_pin("has more than one line")),
        pin => Ok(SecretString::from(pin)),
    }
}

#[cfg(test)]
mod tests;
