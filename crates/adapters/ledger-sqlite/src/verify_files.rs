//! The files of the export, read along with the entries they must be the copy of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;

use audit::AuditReport;
use audit::Break;
use audit::BreakKind;
use audit::Entry;
use audit::Head;
use audit::Place;
use audit::Verifier;

use crate::day_file;
use crate::day_file::number_of;

/// Files open at the same time. Entries of two days interleave around midnight, of more only when a clock jumped.
const OPEN_MAX: usize = 8;
/// How much of a line is read.
const LINE_READ_MAX: u64 = 2 * audit::LINE_BYTES_MAX as u64;

/// Every file of an export.
pub(crate) struct Files {
    dir: PathBuf,
    /// The last entry whose line has to be there.
    exported: u64,
    days: BTreeMap<String, Day>,
    gaps: Vec<Gap>,
}

/// A file and how far it was read.
struct Day {
    path: PathBuf,
    /// Its length when the check began; later lines are not looked at.
    length: u64,
    offset: u64,
    /// The line last read.
    line: u64,
    reader: Option<BufReader<File>>,
    next: Option<Vec<u8>>,
}

/// Entries whose lines are missing at one place.
struct Gap {
    first: u64,
    last: u64,
    count: u64,
    path: String,
    /// The line that stands where the first of them belongs; `None` at the end of the file, or when there is no file.
    line: Option<u64>,
    is_at_end: bool,
}

impl Files {
    /// Lists and measures the files of a folder; a folder that is not there has none.
    pub(crate) fn list(dir: &Path, exported: u64) -> io::Result<Self> {
        let mut days = BTreeMap::new();
        let listed = match std::fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            listed => Some(listed?),
        };
        for found in listed.into_iter().flatten() {
            let found = found?;
            let (name, metadata) = (found.file_name(), found.metadata()?);
            // A link or a folder in its place is as good as no file: its entries are missing.
            if let Some(day) = name
                .to_str()
                .and_then(day_file::day_of)
                .filter(|_| metadata.is_file())
            {
                let (path, length) = (found.path(), metadata.len());
                days.insert(
                    day.to_owned(),
                    Day {
                        path,
                        length,
                        offset: 0,
                        line: 0,
                        reader: None,
                        next: None,
                    },
                );
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            exported,
            days,
            gaps: Vec::new(),
        })
    }

    /// Compares the next line of the entry's day with the entry. `is_sound` tells whether the entry itself is what was written.
    pub(crate) fn compare(
        &mut self,
        sequence: u64,
        line: &[u8],
        is_sound: bool,
        report: &mut AuditReport,
    ) -> io::Result<()> {
        let text = String::from_utf8_lossy(line).into_owned();
        let entry = Entry {
            head: Head::EMPTY,
            line: text,
        };
        let Some(day) = entry.day() else { return Ok(()) };
        self.limit_open(day);
        let Some(file) = self.days.get_mut(day) else {
            let path = day_file::path(&self.dir, day).display().to_string();
            self.missing(sequence, path, None, false);
            return Ok(());
        };
        loop {
            let path = file.path.display().to_string();
            let Some(found) = file.peek()? else {
                self.missing(sequence, path, None, true);
                return Ok(());
            };
            let is_same = found == line;
            let number = number_of(found);
            let is_whole = is_whole(found);
            let at = Place::File {
                path: path.clone(),
                line: Some(file.line),
            };
            match number {
                _ if is_same => {
                    report.exported += 1;
                    file.advance();
                    return Ok(());
                }
                Some(number) if number > sequence => {
                    let line = file.line;
                    self.missing(sequence, path, Some(line), false);
                    return Ok(());
                }
                Some(number) if number < sequence => {
                    file.advance();
                    report.add(at, fill(&mut self.gaps, number, &path));
                }
                Some(_) => {
                    file.advance();
                    if is_sound || !is_whole {
                        report.add(at, differs(sequence, is_whole));
                    }
                    return Ok(());
                }
                None => {
                    file.advance();
                    let reason = "the line is no entry of a log".to_owned();
                    report.add(
                        at,
                        Break {
                            sequence,
                            kind: BreakKind::Edited,
                            reason,
                        },
                    );
                    // It was put in before the entry, or stands in its place.
                    let is_in_its_place = file
                        .peek()?
                        .and_then(number_of)
                        .is_none_or(|number| number > sequence);
                    if is_in_its_place {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reports what is left over, and every gap that was not filled by a line elsewhere.
    pub(crate) fn finish(mut self, head: u64, report: &mut AuditReport) -> io::Result<()> {
        for file in self.days.values_mut() {
            let path = file.path.display().to_string();
            while let Some(found) = file.peek()? {
                let (number, is_whole) = (number_of(found), is_whole(found));
                let at = Place::File {
                    path: path.clone(),
                    line: Some(file.line),
                };
                file.advance();
                let found = match number {
                    Some(number) if number > head && is_whole => Break {
                        sequence: number,
                        kind: BreakKind::Truncated,
                        reason:
                            "the ledger lacks this entry: it was truncated, or restored from an older backup"
                                .to_owned(),
                    },
                    Some(number) if number <= head => fill(&mut self.gaps, number, &path),
                    Some(_) | None => Break {
                        sequence: number.unwrap_or(head),
                        kind: BreakKind::Edited,
                        reason: "the line is no entry of the ledger".to_owned(),
                    },
                };
                report.add(at, found);
            }
        }
        for Gap {
            first,
            last,
            count,
            path,
            line,
            is_at_end,
        } in self.gaps
        {
            let kind = if is_at_end {
                BreakKind::Truncated
            } else {
                BreakKind::Removed
            };
            let entries = if count == 1 {
                format!("entry {first} is")
            } else {
                format!("{count} entries, {first} to {last}, are")
            };
            let place = if is_at_end {
                "missing at the end of the file"
            } else {
                "missing here"
            };
            report.add(
                Place::File { path, line },
                Break {
                    sequence: first,
                    kind,
                    reason: format!("{entries} {place}"),
                },
            );
        }
        Ok(())
    }

    /// Remembers that a line is missing, if it has to be there.
    fn missing(&mut self, sequence: u64, path: String, line: Option<u64>, is_at_end: bool) {
        if sequence > self.exported {
            return;
        }
        match self.gaps.last_mut() {
            Some(gap) if gap.path == path && gap.line == line && gap.is_at_end == is_at_end => {
                gap.last = sequence;
                gap.count += 1;
            }
            Some(_) | None => {
                self.gaps.push(Gap {
                    first: sequence,
                    last: sequence,
                    count: 1,
                    path,
                    line,
                    is_at_end,
                });
            }
        }
    }

    fn limit_open(&mut self, wanted: &str) {
        let is_open = |day: &Day| day.reader.is_some();
        if self.days.values().filter(|day| is_open(day)).count() >= OPEN_MAX {
            for (_, day) in self.days.iter_mut().filter(|(day, _)| *day != wanted) {
                day.reader = None;
            }
        }
    }
}

/// A line stands behind entries that came after it: moved there if it is missing where it belongs, else a second time.
fn fill(gaps: &mut Vec<Gap>, number: u64, path: &str) -> Break {
    let position = gaps
        .iter()
        .position(|gap| gap.path == path && (gap.first..=gap.last).contains(&number));
    let reason = match position.and_then(|position| gaps.get_mut(position).map(|gap| (position, gap))) {
        Some((position, gap)) => {
            gap.count -= 1;
            if gap.count == 0 {
                gaps.remove(position);
            }
            "it stands behind entries that came after it"
        }
        None => "it is there twice, or in the file of another day",
    };
    Break {
        sequence: number,
        kind: BreakKind::Reordered,
        reason: reason.to_owned(),
    }
}

fn differs(sequence: u64, is_whole: bool) -> Break {
    if is_whole {
        let reason = "it is not the entry the ledger has: one of the two was replaced".to_owned();
        Break {
            sequence,
            kind: BreakKind::Replaced,
            reason,
        }
    } else {
        let reason = "the line was edited: its hash is not that of its bytes".to_owned();
        Break {
            sequence,
            kind: BreakKind::Edited,
            reason,
        }
    }
}

/// Whether a line has the hash of its own bytes.
fn is_whole(line: &[u8]) -> bool {
    !matches!(
        Verifier::new(Head::EMPTY).check(line),
        Err(Break {
            kind: BreakKind::Edited,
            ..
        })
    )
}

impl Day {
    /// The next line without its line feed; a last piece without one is no line.
    fn peek(&mut self) -> io::Result<Option<&[u8]>> {
        if self.next.is_none() && self.offset < self.length {
            self.next = self.read()?;
        }
        Ok(self.next.as_deref())
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(self.offset))?;
                self.reader.insert(BufReader::with_capacity(256 * 1_024, file))
            }
        };
        let mut line = Vec::new();
        let mut read = reader.by_ref().take(LINE_READ_MAX).read_until(b'\n', &mut line)? as u64;
        if read == LINE_READ_MAX && !line.ends_with(b"\n") {
            // No entry is so long: its beginning is enough to tell.
            read = read.saturating_add(reader.skip_until(b'\n')? as u64);
            line.push(b'\n');
        }
        self.offset = self.offset.saturating_add(read);
        if self.offset > self.length || line.pop() != Some(b'\n') {
            self.offset = self.length;
            return Ok(None);
        }
        self.line += 1;
        Ok(Some(line))
    }

    fn advance(&mut self) {
        self.next = None;
    }
}
