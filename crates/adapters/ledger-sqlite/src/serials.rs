//! Which serials are taken.
//!
//! Serials are random, so an index of them is written everywhere at once: a page for nearly every serial of every commit. Therefore
//! taking one only adds a row at the end of a table and an entry in memory; once there are many, they are settled: put into the
//! index in the order of their keys, a slice with each commit, so that neighbours share pages. A start reads the unsettled rows back.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Statement;
use rusqlite::params;

/// Unsettled serials at which settling begins.
const UNSETTLED_MAX: usize = 16_384;
/// Serials settled with one commit.
const SLICE: usize = 1_024;

pub(crate) struct Serials<'c> {
    /// The number of every serial not settled.
    unsettled: HashMap<Vec<u8>, i64>,
    settling: Option<Settling>,
    take: Statement<'c>,
    settle: Statement<'c>,
    settled: Statement<'c>,
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
        let rows = select.query_map([settled], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            unsettled: rows.collect::<rusqlite::Result<_>>()?,
            settling: None,
            take: connection.prepare("INSERT INTO taken VALUES (?1, ?2)")?,
            settle: connection.prepare("INSERT OR IGNORE INTO serial VALUES (?1, ?2)")?,
            settled: connection.prepare("SELECT number FROM serial WHERE key = ?1")?,
        })
    }

    /// The number a serial was taken under.
    pub(crate) fn number(&mut self, key: &[u8]) -> rusqlite::Result<Option<i64>> {
        match self.unsettled.get(key) {
            Some(number) => Ok(Some(*number)),
            None => self.settled.query_row([key], |row| row.get(0)).optional(),
        }
    }

    /// Takes a serial that is free.
    pub(crate) fn take(&mut self, key: Vec<u8>, number: i64) -> rusqlite::Result<()> {
        self.take.execute(params![number, key])?;
        self.unsettled.insert(key, number);
        Ok(())
    }

    /// Settles a slice within the present transaction, when there is something to settle. Answers the number up to which every
    /// serial is in the index once that commits, if it grew.
    pub(crate) fn settle(&mut self) -> rusqlite::Result<Option<i64>> {
        if self.settling.is_none() && self.unsettled.len() >= UNSETTLED_MAX {
            let mut sorted: Vec<_> = self
                .unsettled
                .iter()
                .map(|(key, number)| (key.clone(), *number))
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
        let Some(settling) = &mut self.settling else {
            return Ok(None);
        };
        for (key, number) in settling.sorted.iter().skip(settling.done).take(SLICE) {
            // A pass that a restart cut short left some of them there.
            self.settle.execute(params![key, number])?;
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
            self.unsettled.retain(|_, number| *number > last);
            self.settling = None;
        }
    }

    /// The transaction was rolled back: numbers above `last` are free again.
    pub(crate) fn rolled_back(&mut self, last: i64) {
        self.unsettled.retain(|_, number| *number <= last);
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
