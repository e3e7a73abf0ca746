//! Attributes of files: sizes, owners, modes, times.

use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;

use super::wire::Malformed;
use super::wire::Reader;
use super::wire::Writer;

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;
/// The bits of a mode that may be set.
const SETTABLE: u32 = 0o7777;

/// What a client wants a file's attributes to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) size: Option<u64>,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) mode: Option<u32>,
    /// Of the last access and the last change, in seconds since 1970.
    pub(super) times: Option<(u32, u32)>,
}

impl Attributes {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let flags = reader.u32()?;
        let mut attributes = Self::default();
        if flags & SIZE != 0 {
            attributes.size = Some(reader.u64()?);
        }
        if flags & OWNER != 0 {
            attributes.owner = Some((reader.u32()?, reader.u32()?));
        }
        if flags & MODE != 0 {
            attributes.mode = Some(reader.u32()? & SETTABLE);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((reader.u32()?, reader.u32()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..reader.u32()? {
                reader.string()?;
                reader.string()?;
            }
        }
        Ok(attributes)
    }

    /// Sets them on a path.
    pub(super) fn set(self, path: &Path) -> io::Result<()> {
        let Self {
            size,
            owner,
            mode,
            times,
        } = self;
        if let Some(size) = size {
            File::options().write(true).open(path)?.set_len(size)?;
        }
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
        if let Some(mode) = mode {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        if let Some(times) = times {
            rustix::fs::utimensat(CWD, path, &timestamps(times), AtFlags::empty())?;
        }
        Ok(())
    }

    /// Sets them on an open file.
    pub(super) fn set_open(self, file: &File) -> io::Result<()> {
        let Self {
            size,
            owner,
            mode,
            times,
        } = self;
        if let Some(size) = size {
            file.set_len(size)?;
        }
        if let Some((user, group)) = owner {
            std::os::unix::fs::fchown(file, Some(user), Some(group))?;
        }
        if let Some(mode) = mode {
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        if let Some(times) = times {
            rustix::fs::futimens(file, &timestamps(times))?;
        }
        Ok(())
    }
}

fn timestamps((accessed, modified): (u32, u32)) -> Timestamps {
    let at = |seconds: u32| Timespec {
        tv_sec: seconds.into(),
        tv_nsec: 0,
    };
    Timestamps {
        last_access: at(accessed),
        last_modification: at(modified),
    }
}

/// Writes what a file's attributes are.
pub(super) fn write(writer: &mut Writer<'_>, metadata: &Metadata) {
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    writer.u32(SIZE | OWNER | MODE | TIMES);
    writer.u64(metadata.size());
    writer.u32(metadata.uid());
    writer.u32(metadata.gid());
    writer.u32(metadata.mode());
    writer.u32(seconds(metadata.atime()));
    writer.u32(seconds(metadata.mtime()));
}

/// A line as `ls -n` prints it, in UTC.
pub(super) fn line(name: &Path, metadata: &Metadata) -> Vec<u8> {
    let mode = metadata.mode();
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o020_000 => 'c',
        0o060_000 => 'b',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let mut permissions: String = (0..9)
        .rev()
        .zip("rwxrwxrwx".chars())
        .map(|(bit, letter)| if mode >> bit & 1 == 1 { letter } else { '-' })
        .collect();
    permissions.insert(0, kind);
    let (year, month, day, minute_of_day) = civil(metadata.mtime());
    let mut line = format!(
        "{permissions} {:>4} {:<8} {:<8} {:>10} {year}-{month:02}-{day:02} {:02}:{:02} ",
        metadata.nlink(),
        metadata.uid(),
        metadata.gid(),
        metadata.size(),
        minute_of_day / 60,
        minute_of_day % 60,
    )
    .into_bytes();
    line.extend_from_slice(name.as_os_str().as_bytes());
    line
}

/// The date and the minute of the day, in UTC, of a time in seconds since 1970: days are counted from the first of March of
/// the year 0, so that leap days come last.
fn civil(seconds: i64) -> (i64, i64, i64, i64) {
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, seconds.rem_euclid(86_400) / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1, 0));
        assert_eq!(civil(951_782_399), (2000, 2, 28, 1439));
        assert_eq!(civil(951_782_400), (2000, 2, 29, 0));
        assert_eq!(civil(1_798_761_600), (2027, 1, 1, 0));
        assert_eq!(civil(-1), (1969, 12, 31, 1439));
    }
}
