use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;

use names::UnixSeconds;
use state::Change;
use state::Changed;
use state::CommitError;
use state::Entry;
use state::Expect;
use state::PAGE_MAX;
use state::Page;
use state::Revision;
use state::StateError;
use state::StateKey;
use state::Write;

/// Every document, and what is remembered of those gone.
pub(crate) struct Documents {
    newest: Revision,
    records: BTreeMap<StateKey, Record>,
    /// The same records: each key stands once, under its record's revision.
    by_revision: BTreeMap<Revision, BTreeSet<StateKey>>,
    /// How many records have no content.
    gone: usize,
    history_max: usize,
    /// Records up to this revision may have been forgotten.
    compacted: Revision,
    /// No document expires before this moment.
    first_expiry: Option<UnixSeconds>,
}

struct Record {
    /// The last commit that changed it.
    revision: Revision,
    /// `None` for a document that was removed, or swept after it expired.
    content: Option<Content>,
    /// Whether the commit removed it.
    is_deleted: bool,
}

struct Content {
    value: Vec<u8>,
    expires: Option<UnixSeconds>,
}

impl Record {
    fn content_at(&self, now: UnixSeconds) -> Option<&Content> {
        self.content
            .as_ref()
            .filter(|content| content.expires.is_none_or(|moment| moment > now))
    }

    fn entry_at(&self, key: &StateKey, now: UnixSeconds) -> Option<Entry> {
        self.content_at(now).map(|Content { value, expires }| Entry {
            key: key.clone(),
            value: value.clone(),
            revision: self.revision,
            expires: *expires,
        })
    }
}

impl Documents {
    pub(crate) fn new(history_max: usize) -> Self {
        Self {
            newest: Revision(0),
            records: BTreeMap::new(),
            by_revision: BTreeMap::new(),
            gone: 0,
            history_max,
            compacted: Revision(0),
            first_expiry: None,
        }
    }

    pub(crate) fn get(&self, key: &StateKey, now: UnixSeconds) -> Option<Entry> {
        self.records.get(key).and_then(|record| record.entry_at(key, now))
    }

    pub(crate) fn list(
        &self,
        folder: &str,
        after: Option<&StateKey>,
        limit: usize,
        now: UnixSeconds,
    ) -> Page {
        let limit = limit.clamp(1, PAGE_MAX);
        let first = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let start = match after.map(StateKey::as_str) {
            Some(after) if after >= first.as_str() => Bound::Excluded(after),
            Some(_) | None => Bound::Included(first.as_str()),
        };
        let mut found = self
            .records
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.is_in(folder))
            .filter_map(|(key, record)| record.entry_at(key, now));
        let entries: Vec<Entry> = found.by_ref().take(limit).collect();
        let next = found
            .next()
            .and_then(|_| entries.last().map(|entry| entry.key.clone()));
        Page {
            entries,
            next,
            revision: self.newest,
        }
    }

    /// Checks every expectation.
    pub(crate) fn check(&self, writes: &[Write], now: UnixSeconds) -> Result<(), CommitError> {
        for Write {
            key,
            expect,
            change: _,
        } in writes
        {
            let found = self
                .records
                .get(key)
                .filter(|record| record.content_at(now).is_some());
            let is_met = match expect {
                Expect::Absent => found.is_none(),
                Expect::At(revision) => found.is_some_and(|record| record.revision == *revision),
                Expect::Anything => true,
            };
            if !is_met {
                return Err(CommitError::Conflict { key: key.clone() });
            }
        }
        Ok(())
    }

    /// Does all the writes, which were checked.
    pub(crate) fn apply(&mut self, writes: &[Write], now: UnixSeconds) -> Revision {
        let revision = Revision(self.newest.0.saturating_add(1));
        self.newest = revision;
        for Write {
            key,
            expect: _,
            change,
        } in writes
        {
            match change {
                Change::Put { value, expires } => {
                    let (value, expires) = (value.clone(), *expires);
                    self.set(
                        key.clone(),
                        Record {
                            revision,
                            content: Some(Content { value, expires }),
                            is_deleted: false,
                        },
                    );
                }
                Change::Delete => {
                    if self
                        .records
                        .get(key)
                        .is_some_and(|record| record.content_at(now).is_some())
                    {
                        self.set(
                            key.clone(),
                            Record {
                                revision,
                                content: None,
                                is_deleted: true,
                            },
                        );
                    }
                }
                Change::Keep => {}
            }
        }
        self.sweep(now);
        self.compact();
        revision
    }

    fn set(&mut self, key: StateKey, record: Record) {
        self.by_revision
            .entry(record.revision)
            .or_default()
            .insert(key.clone());
        self.gone += usize::from(record.content.is_none());
        let expires = record.content.as_ref().and_then(|content| content.expires);
        self.first_expiry = self.first_expiry.into_iter().chain(expires).min();
        if let Some(old) = self.records.insert(key.clone(), record) {
            self.gone -= usize::from(old.content.is_none());
            self.forget_revision(old.revision, &key);
        }
    }

    fn forget_revision(&mut self, revision: Revision, key: &StateKey) {
        if let Some(keys) = self.by_revision.get_mut(&revision) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_revision.remove(&revision);
            }
        }
    }

    /// Drops the contents of expired documents; that they were written stays known.
    fn sweep(&mut self, now: UnixSeconds) {
        if self.first_expiry.is_none_or(|moment| moment > now) {
            return;
        }
        self.first_expiry = None;
        for record in self.records.values_mut() {
            if record.content.is_some() && record.content_at(now).is_none() {
                record.content = None;
                self.gone += 1;
            }
            let expires = record.content.as_ref().and_then(|content| content.expires);
            self.first_expiry = self.first_expiry.into_iter().chain(expires).min();
        }
    }

    /// Forgets the oldest documents gone, so that memory does not grow with every document there ever was.
    fn compact(&mut self) {
        if self.gone <= self.history_max {
            return;
        }
        let is_gone = |key: &StateKey| {
            self.records
                .get(key)
                .is_some_and(|record| record.content.is_none())
        };
        let surplus = self.gone - self.history_max;
        let oldest: Vec<(Revision, StateKey)> = self
            .by_revision
            .iter()
            .flat_map(|(revision, keys)| keys.iter().map(|key| (*revision, key.clone())))
            .filter(|(_, key)| is_gone(key))
            .take(surplus)
            .collect();
        for (revision, key) in oldest {
            self.records.remove(&key);
            self.forget_revision(revision, &key);
            self.gone -= 1;
            self.compacted = self.compacted.max(revision);
        }
    }

    pub(crate) fn changes(
        &self,
        folder: &str,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<Changed>, StateError> {
        if after < self.compacted {
            return Err(StateError::Compacted(after.0));
        }
        let limit = limit.clamp(1, PAGE_MAX);
        let mut found = Vec::new();
        for (revision, keys) in self.by_revision.range((Bound::Excluded(after), Bound::Unbounded)) {
            if found.len() >= limit {
                break;
            }
            found.extend(keys.iter().filter(|key| key.is_in(folder)).map(|key| Changed {
                key: key.clone(),
                revision: *revision,
                is_deleted: self.records.get(key).is_some_and(|record| record.is_deleted),
            }));
        }
        Ok(found)
    }
}
