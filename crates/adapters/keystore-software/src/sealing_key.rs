use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::hkdf;
use aws_lc_rs::hkdf::HKDF_SHA256;
use aws_lc_rs::hkdf::Salt;
use nix::fcntl::OFlag;
use runtime::Entropy;
use runtime::EntropyFault;
use zeroize::Zeroizing;

use crate::envelope::EnvelopeError;
use crate::envelope::SealingCipher;

const HEADER: &str = "signet-sealing-key-1 ";
const KEY_BYTES: usize = 32;
const FILE_BYTES: usize = HEADER.len() + 2 * KEY_BYTES + 1;

/// The 256-bit key under which software keys are sealed. Wiped when dropped; cannot be printed.
pub struct SealingKey(Zeroizing<[u8; KEY_BYTES]>);

/// Why there is no sealing key.
#[derive(Debug, thiserror::Error)]
pub enum SealingKeyError {
    /// The file is not there.
    #[error(
        "no sealing key file {path}; without it the software keys cannot be used: put it back from its backup",
        path = path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read the sealing key file {path}", path = path.display())]
    NotRead {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file could not be made.
    #[error("cannot create the sealing key file {path}; no key was made", path = path.display())]
    NotCreated {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read or write the file.
    #[error(
        "the sealing key file {path} has mode {mode:04o}, others could read it; \
         run `chmod 600 {path}`, and if others had access to this machine rotate every authority",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("the sealing key file {path} belongs to user {owner}; run `chown {user} {path}` after checking where it came from", path = path.display())]
    OtherOwner {
        /// The file.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// The file does not hold a sealing key.
    #[error(
        "{path} is not a sealing key file: {reason}; put it back from its backup (a new one would not open the stored keys)",
        path = path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// No random bytes.
    #[error("no sealing key could be made")]
    Entropy(#[source] EntropyFault),
}

impl SealingKey {
    /// A sealing key of 32 bytes, random or derived from something as good.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key for sealing something else, by what it is for: whoever has it learns nothing of this one (HKDF, RFC 5869). `None` never
    /// comes: the length is one that HKDF gives.
    pub fn derive_for(&self, purpose: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        self.derive(format!("signet key for {purpose} 1").as_bytes()).ok()
    }

    /// A new random sealing key.
    ///
    /// # Errors
    /// When the source gives no random bytes.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyFault> {
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        entropy.fill(&mut *key.0)?;
        Ok(key)
    }

    /// Reads the sealing key from its file, or makes both.
    ///
    /// # Errors
    /// As [`SealingKey::load`] and [`SealingKey::create`].
    pub fn load_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Self, SealingKeyError> {
        match Self::load(path) {
            Err(SealingKeyError::Missing { .. }) => Self::create(path, entropy),
            other => other,
        }
    }

    /// Reads the sealing key from its file: one line, `signet-sealing-key-1` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the file is missing, readable by others, somebody else's, or not of that form.
    pub fn load(path: &Path) -> Result<Self, SealingKeyError> {
        let not_read = |source: io::Error| {
            if source.kind() == io::ErrorKind::NotFound {
                SealingKeyError::Missing {
                    path: path.to_owned(),
                }
            } else {
                SealingKeyError::NotRead {
                    path: path.to_owned(),
                    source,
                }
            }
        };
        // Without O_NONBLOCK a named pipe in its place would hold up the start for ever.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .map_err(not_read)?;
        check_access(&file, path)?;
        // One byte more than the file may have, so that a longer one shows.
        let mut text = Zeroizing::new([0; FILE_BYTES + 1]);
        let mut length = 0;
        while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
            match (&file).read(rest).map_err(not_read)? {
                0 => break,
                count => length += count,
            }
        }
        let malformed = |reason| SealingKeyError::Malformed {
            path: path.to_owned(),
            reason,
        };
        if length != FILE_BYTES {
            return Err(malformed("it has another length"));
        }
        let digits = text
            .strip_prefix(HEADER.as_bytes())
            .and_then(|rest| rest.get(..2 * KEY_BYTES))
            .ok_or_else(|| malformed("it does not begin with signet-sealing-key-1"))?;
        let mut key = Self(Zeroizing::new([0; KEY_BYTES]));
        hex::decode_to_slice(digits, &mut *key.0).map_err(|_| malformed("the key is not hexadecimal"))?;
        Ok(key)
    }

    /// Makes a new random sealing key and its file (mode 0600), durable on return. An existing file is loaded, never replaced.
    ///
    /// # Errors
    /// When the file cannot be written; then there is none.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, SealingKeyError> {
        let key = Self::random(entropy).map_err(SealingKeyError::Entropy)?;
        let mut suffix = [0; 8];
        entropy.fill(&mut suffix).map_err(SealingKeyError::Entropy)?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}.new", hex::encode(suffix)));
        let temporary = PathBuf::from(temporary);

        let not_created = |source| SealingKeyError::NotCreated {
            path: path.to_owned(),
            source,
        };
        let written = key.write(&temporary).and_then(|()| {
            // A link appears whole or not at all, and never replaces what is there.
            std::fs::hard_link(&temporary, path)
        });
        let removed = std::fs::remove_file(&temporary);
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Self::load(path),
            Err(error) => return Err(not_created(error)),
        }
        removed.map_err(not_created)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(not_created)?;
        Ok(key)
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = Zeroizing::new([0; FILE_BYTES]);
        let (header, rest) = text.split_at_mut(HEADER.len());
        header.copy_from_slice(HEADER.as_bytes());
        let (digits, end) = rest.split_at_mut(2 * KEY_BYTES);
        hex::encode_to_slice(self.0.as_slice(), digits).map_err(io::Error::other)?;
        end.fill(b'\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&*text)?;
        file.sync_all()
    }

    /// What wraps data keys.
    pub(crate) fn cipher(&self) -> Result<SealingCipher, EnvelopeError> {
        SealingCipher::new(&*self.derive(b"signet wrapping key 1")?)
    }

    /// What recognises this sealing key and tells nothing about it, in hexadecimal.
    pub(crate) fn check_value(&self) -> Result<String, EnvelopeError> {
        let value = self.derive(b"signet sealing key check value 1")?;
        Ok(value.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// A key for one purpose (HKDF-SHA256, RFC 5869).
    fn derive(&self, purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, EnvelopeError> {
        let mut derived = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, b"signet software keys")
            .extract(&*self.0)
            .expand(&[purpose], Derived)
            .and_then(|output| output.fill(&mut *derived))
            .map_err(|_| EnvelopeError::Cipher)?;
        Ok(derived)
    }
}

/// The length of a derived key.
struct Derived;

impl hkdf::KeyType for Derived {
    fn len(&self) -> usize {
        32
    }
}

fn check_access(file: &File, path: &Path) -> Result<(), SealingKeyError> {
    let facts = file.metadata().map_err(|source| SealingKeyError::NotRead {
        path: path.to_owned(),
        source,
    })?;
    if !facts.is_file() {
        return Err(SealingKeyError::Malformed {
            path: path.to_owned(),
            reason: "it is not a regular file",
        });
    }
    let mode = facts.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SealingKeyError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let user = nix::unistd::geteuid().as_raw();
    // What root placed for us we may trust; what another user placed we may not.
    if facts.uid() != user && facts.uid() != 0 {
        return Err(SealingKeyError::OtherOwner {
            path: path.to_owned(),
            owner: facts.uid(),
            user,
        });
    }
    Ok(())
}
