use std::collections::BTreeMap;

use crate::Change;
use crate::Revision;
use crate::Write;

/// What a store knows of its last commits: what [`crate::State::wait_beyond`] is answered from. For stores whose revisions count by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest {
    revision: Revision,
    /// The last commit that this store did not make, or made before it was opened: it may have changed anything.
    unknown: Revision,
    /// By the first segment of paths, of which a program has few: the last commit that changed something there.
    folders: BTreeMap<String, Revision>,
}

impl Newest {
    /// Of a store that was opened at this revision.
    pub const fn at(revision: Revision) -> Self {
        Self {
            revision,
            unknown: revision,
            folders: BTreeMap::new(),
        }
    }

    /// The store's revision.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// This store committed.
    pub fn committed(&mut self, writes: &[Write], revision: Revision) {
        // What lies between was committed by somebody else.
        if revision.0 > self.revision.0.saturating_add(1) {
            self.unknown = Revision(revision.0 - 1);
        }
        for Write { key, change, .. } in writes {
            match change {
                Change::Put { .. } | Change::Delete => {}
                Change::Keep => continue,
            }
            match self.folders.get_mut(first(key.as_str())) {
                Some(newest) => *newest = revision.max(*newest),
                None => {
                    let folder = first(key.as_str()).to_owned();
                    self.folders.insert(folder, revision);
                }
            }
        }
        self.revision = revision.max(self.revision);
    }

    /// The store was seen at a revision. Whether that is a newer one, which somebody else committed.
    pub fn seen(&mut self, revision: Revision) -> bool {
        let is_newer = revision > self.revision;
        if is_newer {
            self.revision = revision;
            self.unknown = revision;
        }
        is_newer
    }

    /// Whether anything in one of the folders (empty: anything at all) may have been committed after a revision.
    pub fn is_beyond(&self, folders: &[&str], revision: Revision) -> bool {
        let last_of = |folder: &&str| match *folder {
            "" => self.revision,
            folder => self.folders.get(first(folder)).copied().unwrap_or_default(),
        };
        self.unknown > revision || folders.iter().any(|folder| last_of(folder) > revision)
    }
}

fn first(path: &str) -> &str {
    path.split_once('/').map_or(path, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Expect;
    use crate::StateKey;

    fn write(path: &str, change: Change) -> Write {
        Write {
            key: StateKey::parse(path).unwrap(),
            expect: Expect::Anything,
            change,
        }
    }

    fn put(path: &str) -> Write {
        let (value, expires) = (Vec::new(), None);
        write(path, Change::Put { value, expires })
    }

    #[test]
    fn what_others_committed_before_ours_is_not_passed_over() {
        let mut newest = Newest::at(Revision(7));
        newest.committed(&[put("b/x")], Revision(9));
        assert!(!newest.seen(Revision(9)));
        assert!(newest.is_beyond(&["a"], Revision(7)));
        assert!(!newest.is_beyond(&["a"], Revision(8)));
        newest.committed(&[put("b/x")], Revision(10));
        assert!(!newest.is_beyond(&["a"], Revision(8)));
    }

    #[test]
    fn commits_of_ours_concern_their_folders_and_those_of_others_all() {
        let mut newest = Newest::at(Revision(7));
        assert!(
            newest.is_beyond(&["a"], Revision(6)),
            "what was before is not known"
        );
        assert!(!newest.is_beyond(&["a", ""], Revision(7)));
        newest.committed(&[put("a/x"), write("b", Change::Delete)], Revision(8));
        newest.committed(&[put("c"), write("d/x", Change::Keep)], Revision(9));
        for (folder, last) in [
            ("a", 8),
            ("a/x", 8),
            ("a/y/z", 8),
            ("b", 8),
            ("c", 9),
            ("d", 7),
            ("", 9),
        ] {
            assert!(newest.is_beyond(&["e", folder], Revision(last - 1)), "{folder}");
            assert!(!newest.is_beyond(&["e", folder], Revision(last)), "{folder}");
        }
        assert!(!newest.is_beyond(&[], Revision(7)));
        assert!(!newest.seen(Revision(9)), "it was ours");
        assert!(newest.seen(Revision(11)));
        assert!(newest.is_beyond(&["d"], Revision(10)));
        // What is told late takes nothing back.
        newest.committed(&[put("a/x")], Revision(10));
        assert_eq!(newest.revision(), Revision(11));
        assert!(!newest.is_beyond(&["a"], Revision(11)));
    }
}
