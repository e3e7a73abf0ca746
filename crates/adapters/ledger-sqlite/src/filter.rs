//! Tells in memory that a serial is certainly not in the index, so that the index is hardly ever read for a new one.
//!
//! A Bloom filter: every serial in the index sets a few bits, and a serial one of whose bits is not set is not there. A filter for an
//! index that has rows already is filled by and by, a slice with each commit, so that no start waits for it; until it is filled it
//! knows nothing. A full one is replaced by a larger one in the same way.

use rusqlite::Connection;
use rusqlite::Statement;
use rusqlite::params;

/// Bits for each serial there is room for, of which each sets [`PROBES`]: one new serial in 400 is looked up in vain when it is full.
const BITS_PER_KEY: usize = 16;
const PROBES: u64 = 4;
/// Room of the first filter.
const KEYS_MIN: usize = 65_536;
/// Room of the largest, 32 MiB; a ledger with more serials does without.
const KEYS_MAX: usize = 16 * 1_024 * 1_024;
/// By how much each is larger than the one before.
const GROWTH: usize = 4;
/// Serials read from the index with one commit.
const SLICE: i64 = 4_096;

pub(crate) struct Filter<'c> {
    /// A power of two of bits.
    words: Vec<u64>,
    /// Serials that set bits; one that was added twice counts twice.
    keys: usize,
    reading: Reading,
    read: Statement<'c>,
}

/// How much of the index was read.
enum Reading {
    /// Everything up to this key.
    UpTo(Vec<u8>),
    /// All of it.
    Complete,
    /// It is too large.
    GivenUp,
}

impl<'c> Filter<'c> {
    /// An empty filter for an index of about `count` serials.
    pub(crate) fn new(connection: &'c Connection, count: usize) -> rusqlite::Result<Self> {
        let mut filter = Self {
            words: Vec::new(),
            keys: 0,
            reading: Reading::GivenUp,
            read: connection.prepare("SELECT key FROM serial WHERE key > ?1 ORDER BY key LIMIT ?2")?,
        };
        filter.begin(count);
        Ok(filter)
    }

    /// Whether it is certain that no serial with this hash is in the index.
    pub(crate) fn is_absent(&self, hash: u64) -> bool {
        match self.reading {
            Reading::Complete => probes(hash).any(|probe| !self.has(probe)),
            Reading::UpTo(_) | Reading::GivenUp => false,
        }
    }

    /// A serial is put into the index. When that is undone, its bits stay, which costs a look into the index and nothing else.
    pub(crate) fn add(&mut self, hash: u64) {
        self.keys = self.keys.saturating_add(1);
        for probe in probes(hash) {
            let (index, bit) = self.place(probe);
            if let Some(word) = self.words.get_mut(index) {
                *word |= bit;
            }
        }
    }

    /// Reads a slice of what the index has, when there is something left to read, or begins a larger filter when this one is full.
    pub(crate) fn fill(&mut self, hash: impl Fn(&[u8]) -> u64) -> rusqlite::Result<()> {
        let room = self.words.len().saturating_mul(64 / BITS_PER_KEY);
        if self.keys > room && !matches!(self.reading, Reading::GivenUp) {
            self.begin(self.keys);
        }
        let Reading::UpTo(after) = &self.reading else {
            return Ok(());
        };
        let rows = self
            .read
            .query_map(params![after, SLICE], |row| row.get::<_, Vec<u8>>(0))?;
        let mut keys = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        for key in &keys {
            self.add(hash(key));
        }
        let is_slice_full = i64::try_from(keys.len()) == Ok(SLICE);
        self.reading = match keys.pop().filter(|_| is_slice_full) {
            Some(last) => Reading::UpTo(last),
            None => Reading::Complete,
        };
        Ok(())
    }

    fn begin(&mut self, count: usize) {
        let mut room = KEYS_MIN;
        while room <= count && room <= KEYS_MAX {
            room = room.saturating_mul(GROWTH);
        }
        self.keys = 0;
        if room > KEYS_MAX {
            self.words = Vec::new();
            self.reading = Reading::GivenUp;
        } else {
            self.words = vec![0; room * BITS_PER_KEY / 64];
            // Every key is longer than this one, and so comes after it.
            self.reading = Reading::UpTo(Vec::new());
        }
    }

    fn has(&self, probe: u64) -> bool {
        let (index, bit) = self.place(probe);
        self.words.get(index).is_none_or(|word| word & bit != 0)
    }

    /// The word and the bit in it.
    fn place(&self, probe: u64) -> (usize, u64) {
        let mask = (self.words.len() as u64).saturating_mul(64).saturating_sub(1);
        let position = probe & mask;
        let index = usize::try_from(position / 64).unwrap_or(usize::MAX);
        (index, 1 << (position % 64))
    }
}

/// Where the bits of a hash are, before they are cut to the size of the filter.
fn probes(hash: u64) -> impl Iterator<Item = u64> {
    let step = (hash >> 32) | 1;
    (0..PROBES).map(move |number| hash.wrapping_add(step.wrapping_mul(number)))
}

#[cfg(test)]
mod tests;
