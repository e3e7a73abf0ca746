//! The file of one day in the export.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use nix::fcntl::OFlag;

/// How much of the end of a file is read at first to find where the export stands.
const BLOCK_BYTES: u64 = 64 * 1_024;

/// An open file of the export.
pub(crate) struct DayFile {
    day: String,
    path: PathBuf,
    file: File,
    /// Device and number, by which the file is known to be still the one under its name.
    identity: (u64, u64),
    /// The last entry in it up to where the export stood when it was opened.
    last_number: Option<u64>,
    /// What stood behind that entry already, after a crash or a failed write, and how much of it was found to be right.
    pending: Vec<u8>,
    matched: usize,
    /// Lines to be written.
    buffer: Vec<u8>,
    /// What the file holds that the ledger does not, once that is found.
    foreign: Option<String>,
}

impl DayFile {
    /// Opens the file of a day, or makes it (mode 0600); entries up to `after` are in the export already.
    pub(crate) fn open(dir: &Path, day: &str, after: u64) -> io::Result<Self> {
        let path = path(dir, day);
        let mut options = OpenOptions::new();
        options
            .read(true)
            .append(true)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = options.create_new(true).open(&path)?;
                // The name must be on the disk before the ledger remembers that lines are.
                File::open(dir)?.sync_all()?;
                file
            }
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let identity = (metadata.dev(), metadata.ino());
        let (last_number, mut pending) = tail(&file, metadata.len(), after)?;
        let zeros = pending.iter().rev().take_while(|byte| **byte == 0).count();
        if zeros > 0 {
            // A crash can leave a file longer than what was written to it.
            file.set_len(metadata.len().saturating_sub(zeros as u64))?;
            pending.truncate(pending.len() - zeros);
        }
        let day = day.to_owned();
        Ok(Self {
            day,
            path,
            file,
            identity,
            last_number,
            pending,
            matched: 0,
            buffer: Vec::new(),
            foreign: None,
        })
    }

    pub(crate) fn day(&self) -> &str {
        &self.day
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The last entry in it of those that were in the export when it was opened.
    pub(crate) const fn last_number(&self) -> Option<u64> {
        self.last_number
    }

    /// What the file holds that the ledger does not, told once.
    pub(crate) const fn take_foreign(&mut self) -> Option<String> {
        self.foreign.take()
    }

    /// Whether its name still leads to it.
    pub(crate) fn is_in_place(&self) -> bool {
        self.path
            .symlink_metadata()
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity)
    }

    /// Adds a line, unless it stands there already.
    pub(crate) fn put(&mut self, line: &str) -> io::Result<()> {
        let rest = self.pending.get(self.matched..).unwrap_or_default();
        if rest.is_empty() {
            self.buffer.extend(line.as_bytes());
            self.buffer.push(b'\n');
            return Ok(());
        }
        if rest
            .strip_prefix(line.as_bytes())
            .is_some_and(|after| after.starts_with(b"\n"))
        {
            self.matched += line.len() + 1;
            return Ok(());
        }
        // What a crash leaves of writing this line is a part of it.
        let is_torn = line.as_bytes().starts_with(rest);
        let rest_bytes = rest.len();
        let ends_in_line_feed = rest.ends_with(b"\n");
        self.pending.clear();
        self.matched = 0;
        if is_torn {
            let length = self.file.metadata()?.len();
            self.file.set_len(length.saturating_sub(rest_bytes as u64))?;
        } else {
            // Evidence is left where it is.
            self.foreign =
                Some("it holds lines the ledger does not; `signetctl audit verify` names them".to_owned());
            if !ends_in_line_feed {
                self.buffer.push(b'\n');
            }
        }
        self.put(line)
    }

    /// Writes what was added.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.file.write_all(&self.buffer);
        self.buffer.clear();
        result
    }

    /// Returns when everything written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Where the lines of a day are.
pub(crate) fn path(dir: &Path, day: &str) -> PathBuf {
    dir.join(format!("{day}.jsonl"))
}

/// The day whose lines a file holds, by its name.
pub(crate) fn day_of(name: &str) -> Option<&str> {
    let day = name.strip_suffix(".jsonl")?;
    let is_day = day.len() == "2026-03-01".len()
        && day.bytes().enumerate().all(|(at, byte)| {
            if matches!(at, 4 | 7) {
                byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        });
    is_day.then_some(day)
}

/// The number a line gives itself.
pub(crate) fn number_of(line: &[u8]) -> Option<u64> {
    let digits = line
        .strip_prefix(b"{\"ei\":")?
        .split(|byte| *byte == b',')
        .next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The last entry numbered at most `after` in a file, and everything behind it. Reads from the end only as far as it must.
fn tail(file: &File, length: u64, after: u64) -> io::Result<(Option<u64>, Vec<u8>)> {
    let mut block_bytes = BLOCK_BYTES;
    loop {
        let start = length.saturating_sub(block_bytes);
        let mut read = vec![0; usize::try_from(length - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut read, start)?;
        let (mut last, mut end, mut at) = (None, 0, 0);
        for (index, line) in read.split_inclusive(|byte| *byte == b'\n').enumerate() {
            at += line.len();
            // The first piece is a whole line only at the beginning of the file.
            let is_whole = line.ends_with(b"\n") && (index > 0 || start == 0);
            if let Some(number) = number_of(line).filter(|number| is_whole && *number <= after) {
                (last, end) = (Some(number), at);
            }
        }
        if last.is_some() || start == 0 {
            return Ok((last, read.split_off(end)));
        }
        block_bytes = block_bytes.saturating_mul(4);
    }
}
