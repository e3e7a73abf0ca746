//! What each request does.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::fs::ReadDir;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::CWD;
use rustix::fs::RenameFlags;

use super::Judge;
use super::MAXIMUM_DATA;
use super::MAXIMUM_PACKET;
use super::attributes;
use super::attributes::Attributes;
use super::wire::Code;
use super::wire::Malformed;
use super::wire::Reader;
use super::wire::Writer;
use crate::event::FileAction;

const VERSION: u32 = 3;
/// The most files and directories open at once.
const MAXIMUM_HANDLES: usize = 1024;
/// The longest path.
const MAXIMUM_PATH: usize = 4096;
/// Names in one answer to a listing.
const NAMES: usize = 100;

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

const EXTENSIONS: [(&[u8], &[u8]); 5] = [
    (b"posix-rename@openssh.com", b"1"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
];

/// The state of one conversation.
pub(super) struct Server<J> {
    judge: J,
    open: HashMap<u32, Open>,
    next: u32,
}

enum Open {
    File {
        file: File,
        path: Vec<u8>,
        appends: bool,
    },
    Directory(PathBuf, Box<std::iter::Chain<std::vec::IntoIter<PathBuf>, Names>>),
}

/// The names of a directory, without those that cannot be read.
struct Names(ReadDir);

impl Iterator for Names {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        self.0
            .by_ref()
            .flatten()
            .next()
            .map(|entry| entry.file_name().into())
    }
}

/// Why a request is answered with a status.
enum Refused {
    Status(Code, String),
    /// The node is gone: nothing may be done any more.
    Alone(io::Error),
}

impl From<Malformed> for Refused {
    fn from(Malformed: Malformed) -> Self {
        Self::Status(Code::BadMessage, "the request is malformed".to_owned())
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Status(Code::of(&error), error.to_string())
    }
}

impl From<rustix::io::Errno> for Refused {
    fn from(errno: rustix::io::Errno) -> Self {
        io::Error::from(errno).into()
    }
}

type Done = Result<(), Refused>;

impl<J: Judge> Server<J> {
    pub(super) fn new(judge: J) -> Self {
        Self {
            judge,
            open: HashMap::new(),
            next: 0,
        }
    }

    /// Answers one request. Fails when the conversation cannot go on.
    pub(super) fn answer(&mut self, packet: &[u8], answers: &mut Vec<u8>) -> io::Result<()> {
        let mut reader = Reader::new(packet);
        let head = reader.byte().and_then(|kind| Ok((kind, reader.u32()?)));
        let Ok((kind, id)) = head else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if kind == 1 {
            let mut writer = Writer::begin(answers, 2);
            writer.u32(VERSION);
            for (name, version) in EXTENSIONS {
                writer.string(name);
                writer.string(version);
            }
            writer.end();
            return Ok(());
        }
        match self.act(kind, id, &mut reader, answers) {
            Ok(()) => Ok(()),
            Err(Refused::Status(code, words)) => {
                status(answers, id, code, &words);
                Ok(())
            }
            Err(Refused::Alone(error)) => Err(error),
        }
    }

    fn act(&mut self, kind: u8, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        match kind {
            3 => self.open_file(id, reader, answers),
            4 => {
                self.open.remove(&handle(reader)?).ok_or_else(no_handle)?;
                done(answers, id)
            }
            5 => self.read(id, reader, answers),
            6 => self.write(id, reader, answers),
            7 => attributes(answers, id, &path(reader)?.symlink_metadata()?),
            8 => {
                let metadata = match self.opened(reader)? {
                    Open::File { file, .. } => file.metadata()?,
                    Open::Directory(path, _) => path.metadata()?,
                };
                attributes(answers, id, &metadata)
            }
            9 => {
                let path = path(reader)?;
                let wanted = Attributes::read(reader)?;
                self.ask(FileAction::SetAttributes, path, None)?;
                wanted.set(path)?;
                done(answers, id)
            }
            10 => self.set_open(id, reader, answers),
            11 => self.open_directory(id, reader, answers),
            12 => self.read_directory(id, reader, answers),
            13 => {
                let path = path(reader)?;
                self.ask(FileAction::Remove, path, None)?;
                std::fs::remove_file(path)?;
                done(answers, id)
            }
            14 => {
                let path = path(reader)?;
                let mode = Attributes::read(reader)?.mode.unwrap_or(0o777);
                self.ask(FileAction::MakeDirectory, path, None)?;
                std::fs::DirBuilder::new().mode(mode).create(path)?;
                done(answers, id)
            }
            15 => {
                let path = path(reader)?;
                self.ask(FileAction::RemoveDirectory, path, None)?;
                std::fs::remove_dir(path)?;
                done(answers, id)
            }
            16 => name(answers, id, &absolute(path(reader)?)?),
            17 => attributes(answers, id, &path(reader)?.metadata()?),
            18 => {
                let (from, to) = (path(reader)?, path(reader)?);
                self.ask(FileAction::Rename, from, Some(to))?;
                rename(from, to)?;
                done(answers, id)
            }
            19 => name(answers, id, &std::fs::read_link(path(reader)?)?),
            20 => {
                // OpenSSH has the two the other way round than the draft, and everybody follows OpenSSH.
                let (target, link) = (path(reader)?, path(reader)?);
                self.ask(FileAction::Link, target, Some(link))?;
                std::os::unix::fs::symlink(target, link)?;
                done(answers, id)
            }
            200 => self.extended(id, reader, answers),
            _ => Err(unsupported()),
        }
    }

    fn open_file(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        let path = path(reader)?;
        let flags = reader.u32()?;
        let attributes = Attributes::read(reader)?;
        let has = |flag: u32| flags & flag != 0;
        let (reads, writes, appends) = (has(1), has(2), has(4));
        let (creates, truncates, is_exclusive) = (has(8), has(16), has(32));
        let action = if writes || creates || truncates {
            FileAction::Upload
        } else {
            FileAction::Download
        };
        self.has_room()?;
        self.ask(action, path, None)?;
        let file = File::options()
            .read(reads)
            .write(writes)
            .create(creates && !is_exclusive)
            .create_new(creates && is_exclusive)
            .truncate(truncates && writes && !is_exclusive)
            .mode(attributes.mode.unwrap_or(0o666))
            .open(path)?;
        let path = path.as_os_str().as_bytes().to_vec();
        self.keep(id, Open::File { file, path, appends }, answers)
    }

    fn open_directory(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        let path = path(reader)?;
        self.has_room()?;
        self.ask(FileAction::List, path, None)?;
        let names = Names(std::fs::read_dir(path)?);
        let itself = vec![PathBuf::from("."), PathBuf::from("..")];
        let directory = Open::Directory(path.to_owned(), Box::new(itself.into_iter().chain(names)));
        self.keep(id, directory, answers)
    }

    fn read_directory(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        let Open::Directory(path, names) = self.opened(reader)? else {
            return Err(no_handle());
        };
        let listed: Vec<_> = names
            .by_ref()
            .filter_map(|name| {
                path.join(&name)
                    .symlink_metadata()
                    .ok()
                    .map(|metadata| (name, metadata))
            })
            .take(NAMES)
            .collect();
        if listed.is_empty() {
            return Err(Refused::Status(Code::Eof, "there are no more names".to_owned()));
        }
        let mut writer = Writer::begin(answers, NAME);
        writer.u32(id);
        writer.u32(u32::try_from(listed.len()).unwrap_or(0));
        for (name, metadata) in &listed {
            writer.string(name.as_os_str().as_bytes());
            writer.string(&attributes::line(name, metadata));
            attributes::write(&mut writer, metadata);
        }
        writer.end();
        Ok(())
    }

    fn read(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        let Open::File { file, .. } = self.opened(reader)? else {
            return Err(no_handle());
        };
        let offset = reader.u64()?;
        let length = usize::try_from(reader.u32()?)
            .unwrap_or(usize::MAX)
            .min(MAXIMUM_DATA);
        let mut writer = Writer::begin(answers, DATA);
        writer.u32(id);
        match writer.filled(length, |place| file.read_at(place, offset)) {
            Ok(0) => {
                writer.undo();
                Err(Refused::Status(Code::Eof, "the file ends here".to_owned()))
            }
            Ok(_) => {
                writer.end();
                Ok(())
            }
            Err(error) => {
                writer.undo();
                Err(error.into())
            }
        }
    }

    fn write(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        let Open::File { file, appends, .. } = self.opened(reader)? else {
            return Err(no_handle());
        };
        let offset = reader.u64()?;
        let data = reader.string()?;
        let offset = if *appends { file.metadata()?.len() } else { offset };
        file.write_all_at(data, offset)?;
        done(answers, id)
    }

    fn set_open(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        let number = handle(reader)?;
        let wanted = Attributes::read(reader)?;
        let known = match self.open.get(&number).ok_or_else(no_handle)? {
            Open::File { path, .. } => path.clone(),
            Open::Directory(path, _) => path.as_os_str().as_bytes().to_vec(),
        };
        self.ask(
            FileAction::SetAttributes,
            Path::new(OsStr::from_bytes(&known)),
            None,
        )?;
        match self.open.get(&number).ok_or_else(no_handle)? {
            Open::File { file, .. } => wanted.set_open(file)?,
            Open::Directory(path, _) => wanted.set(path)?,
        }
        done(answers, id)
    }

    fn extended(&mut self, id: u32, reader: &mut Reader<'_>, answers: &mut Vec<u8>) -> Done {
        match reader.string()? {
            b"posix-rename@openssh.com" => {
                let (from, to) = (path(reader)?, path(reader)?);
                self.ask(FileAction::Rename, from, Some(to))?;
                std::fs::rename(from, to)?;
                done(answers, id)
            }
            b"hardlink@openssh.com" => {
                let (from, to) = (path(reader)?, path(reader)?);
                self.ask(FileAction::Link, from, Some(to))?;
                std::fs::hard_link(from, to)?;
                done(answers, id)
            }
            b"fsync@openssh.com" => match self.opened(reader)? {
                Open::File { file, .. } => {
                    file.sync_all()?;
                    done(answers, id)
                }
                Open::Directory(..) => Err(no_handle()),
            },
            b"limits@openssh.com" => {
                let number = |size: usize| u64::try_from(size).unwrap_or(0);
                let mut writer = Writer::begin(answers, EXTENDED_REPLY);
                writer.u32(id);
                writer.u64(number(MAXIMUM_PACKET));
                writer.u64(number(MAXIMUM_DATA));
                writer.u64(number(MAXIMUM_DATA));
                writer.u64(number(MAXIMUM_HANDLES));
                writer.end();
                Ok(())
            }
            b"expand-path@openssh.com" => {
                let path = path(reader)?;
                // The process has entered the home.
                let path = path.strip_prefix("~").unwrap_or(path);
                name(answers, id, &absolute(path)?)
            }
            _ => Err(unsupported()),
        }
    }

    fn has_room(&self) -> Done {
        if self.open.len() >= MAXIMUM_HANDLES {
            return Err(Refused::Status(
                Code::Failure,
                "too many files are open".to_owned(),
            ));
        }
        Ok(())
    }

    fn keep(&mut self, id: u32, open: Open, answers: &mut Vec<u8>) -> Done {
        while self.open.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(number, open);
        let mut writer = Writer::begin(answers, HANDLE);
        writer.u32(id);
        writer.string(&number.to_be_bytes());
        writer.end();
        Ok(())
    }

    fn opened(&mut self, reader: &mut Reader<'_>) -> Result<&mut Open, Refused> {
        self.open.get_mut(&handle(reader)?).ok_or_else(no_handle)
    }

    /// Asks the node; a file is not touched before it has answered.
    fn ask(&mut self, action: FileAction, path: &Path, target: Option<&Path>) -> Done {
        let target = target.map(|target| target.as_os_str().as_bytes());
        match self.judge.may(action, path.as_os_str().as_bytes(), target) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(Refused::Status(Code::PermissionDenied, reason)),
            Err(error) => Err(Refused::Alone(error)),
        }
    }
}

fn path<'a>(reader: &mut Reader<'a>) -> Result<&'a Path, Refused> {
    let bytes = reader.string()?;
    if bytes.len() > MAXIMUM_PATH || bytes.contains(&0) {
        return Err(Refused::Status(Code::Failure, "that is no path".to_owned()));
    }
    // Nothing means here.
    let bytes: &[u8] = if bytes.is_empty() { b"." } else { bytes };
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

fn handle(reader: &mut Reader<'_>) -> Result<u32, Refused> {
    let bytes = <[u8; 4]>::try_from(reader.string()?).map_err(|_| no_handle())?;
    Ok(u32::from_be_bytes(bytes))
}

fn no_handle() -> Refused {
    Refused::Status(Code::Failure, "nothing is open under that handle".to_owned())
}

fn unsupported() -> Refused {
    Refused::Status(Code::Unsupported, "this server does not do that".to_owned())
}

/// Renames without replacing, as version 3 has it.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot do it at once.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

/// The absolute form of a path, whose last part need not exist.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(path), ..) => Ok(path),
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            Ok(parent.canonicalize()?.join(name))
        }
        (Err(error), ..) => Err(error),
    }
}

fn attributes(answers: &mut Vec<u8>, id: u32, metadata: &std::fs::Metadata) -> Done {
    let mut writer = Writer::begin(answers, ATTRS);
    writer.u32(id);
    attributes::write(&mut writer, metadata);
    writer.end();
    Ok(())
}

fn name(answers: &mut Vec<u8>, id: u32, path: &Path) -> Done {
    let mut writer = Writer::begin(answers, NAME);
    writer.u32(id);
    writer.u32(1);
    writer.string(path.as_os_str().as_bytes());
    writer.string(path.as_os_str().as_bytes());
    writer.u32(0);
    writer.end();
    Ok(())
}

fn done(answers: &mut Vec<u8>, id: u32) -> Done {
    status(answers, id, Code::Ok, "");
    Ok(())
}

fn status(answers: &mut Vec<u8>, id: u32, code: Code, words: &str) {
    let mut writer = Writer::begin(answers, STATUS);
    writer.u32(id);
    writer.u32(code as u32);
    writer.string(words.as_bytes());
    writer.string(b"");
    writer.end();
}
