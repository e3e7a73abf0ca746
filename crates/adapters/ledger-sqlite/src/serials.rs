//! Which serials are taken.
//!
//! Serials are random, so an index of them is written everywhere at once: a page for nearly every serial of every commit. Therefore
//! taking one only adds a row at the end of a table and an entry in memory; once there are many, they are settled: put into the
//! index in the order of their keys, a slice with each commit, so that neighbours share pages. A start reads the unsettled rows back.
//! Whether a new serial is in the index a [`Filter`] tells nearly always.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Statement;
use rusqlite::params;

use crate::filter::Filter;

/// Unsettled serials at which settling begins.
const UNSETTLED_MAX: usize = 16_384;
/// Serials settled with one commit.
const SLICE: usize = 1_024;

pub(crate) struct Serials<'c> {
    /// Every serial not settled.
    unsettled: HashMap<Vec<u8>, Taken>,
    filter: Filter<'c>,
    /// Of the filter.
    hasher: RandomState,
    settling: Option<Settling>,
    take: Statement<'c>,
    settle: Statement<'c>,
    settled: Statement<'c>,
}

/// A serial that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The number it was taken under.
    pub(crate) number: i64,
    /// It is certain that no certificate with it is recorded.
    pub(crate) is_unused: bool,
}

/// A pass through the serials that were unsettled when it began.
struct Settling {
    /// By key.
    sorted: Vec<(Vec<u8>, i64)>,
    /// How many are in the index, in committed transactions.
    done: usize,
    /// How many will be when the present transaction commits.
    reached: usize,
    /// The greatest number among them.
    last: i64,
}

impl<'c> Serials<'c> {
    /// Reads back what is not settled: every number above `settled`.
    pub(crate) fn load(connection: &'c Connection, settled: i64) -> rusqlite::Result<Self> {
        let mut select = connection.prepare("SELECT key, number FROM taken WHERE number > ?1")?;
        let rows = select.query_map([settled], |row| {
            let taken = Taken {
                number: row.get(1)?,
                is_unused: false,
            };
            Ok((row.get(0)?, taken))
        })?;
        Ok(Self {
            filter: Filter::new(connection, usize::try_from(settled).unwrap_or_default())?,
            hasher: RandomState::new(),
            unsettled: rows.collect::<rusqlite::Result<_>>()?,
            settling: None,
            take: connection.prepare("INSERT INTO taken VALUES (?1, ?2)")?,
            settle: connection.prepare("INSERT OR IGNORE INTO serial VALUES (?1, ?2)")?,
            settled: connection.prepare("SELECT number FROM serial WHERE key = ?1")?,
        })
    }

    /// How a serial was taken, if it was.
    pub(crate) fn find(&mut self, key: &[u8]) -> rusqlite::Result<Option<Taken>> {
        if let Some(taken) = self.unsettled.get(key) {
            return Ok(Some(*taken));
        }
        if self.filter.is_absent(self.hasher.hash_one(key)) {
            return Ok(None);
        }
        let in_index = |row: &Row<'_>| {
            Ok(Taken {
                number: row.get(0)?,
                is_unused: false,
            })
        };
        self.settled.query_row([key], in_index).optional()
    }

    /// Takes a serial that is free.
    pub(crate) fn take(&mut self, key: Vec<u8>, number: i64) -> rusqlite::Result<()> {
        self.take.execute(params![number, key])?;
        let taken = Taken {
            number,
            is_unused: true,
        };
        self.unsettled.insert(key, taken);
        Ok(())
    }

    /// A certificate with this serial is recorded.
    pub(crate) fn used(&mut self, key: &[u8]) {
        if let Some(taken) = self.unsettled.get_mut(key) {
            taken.is_unused = false;
        }
    }

    /// Settles a slice within the present transaction, when there is something to settle. Answers the number up to which every
    /// serial is in the index once that commits, if it grew.
    pub(crate) fn settle(&mut self) -> rusqlite::Result<Option<i64>> {
        if self.settling.is_none() && self.unsettled.len() >= UNSETTLED_MAX {
            let mut sorted: Vec<_> = self
                .unsettled
                .iter()
                .map(|(key, taken)| (key.clone(), taken.number))
                .collect();
            sorted.sort_unstable();
            let last = sorted.iter().map(|(_, number)| *number).max().unwrap_or_default();
            self.settling = Some(Settling {
                sorted,
                done: 0,
                reached: 0,
                last,
            });
        }
        self.filter.fill(|key| self.hasher.hash_one(key))?;
        let Some(settling) = &mut self.settling else {
            return Ok(None);
        };
        for (key, number) in settling.sorted.iter().skip(settling.done).take(SLICE) {
            // A pass that a restart cut short left some of them there.
            self.settle.execute(params![key, number])?;
            self.filter.add(self.hasher.hash_one(key));
        }
        settling.reached = settling.sorted.len().min(settling.done + SLICE);
        Ok((settling.reached == settling.sorted.len()).then_some(settling.last))
    }

    /// The transaction was committed.
    pub(crate) fn committed(&mut self) {
        let Some(settling) = &mut self.settling else {
            return;
        };
        settling.done = settling.reached;
        if settling.done == settling.sorted.len() {
            let last = settling.last;
            self.unsettled.retain(|_, taken| taken.number > last);
            self.settling = None;
        }
    }

    /// The transaction was rolled back: numbers above `last` are free again.
    pub(crate) fn rolled_back(&mut self, last: i64) {
        self.unsettled.retain(|_, taken| taken.number <= last);
        // Which certificates were in the transaction is not known here: those stay used, and are looked up when it matters.
        if let Some(settling) = &mut self.settling {
            settling.reached = settling.done;
            // A pass may have begun in the transaction and hold serials that are free again.
            if settling.last > last {
                self.settling = None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
