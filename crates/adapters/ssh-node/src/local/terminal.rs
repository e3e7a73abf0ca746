//! Terminals: a pair of ends, its size and its modes.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::Group;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::ControlModes;
use rustix::termios::InputModes;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::OutputModes;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use rustix::termios::Winsize;
use tokio::net::unix::pipe::Receiver;
use tokio::net::unix::pipe::Sender;

use crate::backend::Terminal;
use crate::event::TerminalSize;
use crate::local::Account;

/// A terminal, both ends open.
pub(super) struct Opened {
    pub(super) master: Master,
    pub(super) slave: OwnedFd,
    pub(super) path: String,
}

/// Our end of a terminal.
pub(super) struct Master {
    end: OwnedFd,
    reader: Receiver,
    writer: Sender,
}

/// Gives a terminal another size.
pub(super) struct Resizer(OwnedFd);

/// Opens a terminal for an account.
pub(super) fn open(terminal: &Terminal, account: &Account) -> io::Result<Opened> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let path = rustix::pty::ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(path.as_c_str(), flags, Mode::empty())?;
    if nix::unistd::geteuid().is_root() {
        let group = Group::from_name("tty").ok().flatten();
        let group = group.map_or(account.gid, |group| group.gid.as_raw());
        std::os::unix::fs::fchown(&slave, Some(account.uid), Some(group))?;
        rustix::fs::fchmod(&slave, Mode::RUSR | Mode::WUSR | Mode::WGRP)?;
    }
    let mut modes = rustix::termios::tcgetattr(&slave)?;
    for (code, value) in &terminal.modes {
        set_mode(&mut modes, *code, *value);
    }
    rustix::termios::tcsetattr(&slave, OptionalActions::Now, &modes)?;
    rustix::termios::tcsetwinsize(&slave, winsize(terminal.size))?;
    rustix::io::ioctl_fionbio(&master, true)?;
    // A terminal's end is not a pipe, but it is read, written and polled like one.
    let reader = Receiver::from_owned_fd_unchecked(master.try_clone()?)?;
    let writer = Sender::from_owned_fd_unchecked(master.try_clone()?)?;
    Ok(Opened {
        master: Master {
            end: master,
            reader,
            writer,
        },
        slave,
        path: OsStr::from_bytes(path.as_bytes()).to_string_lossy().into_owned(),
    })
}

impl Master {
    pub(super) fn split(self) -> (Receiver, Sender, Resizer) {
        (self.reader, self.writer, Resizer(self.end))
    }
}

impl Resizer {
    pub(super) fn resize(&self, size: TerminalSize) {
        if let Err(error) = rustix::termios::tcsetwinsize(&self.0, winsize(size)) {
            tracing::debug!(%error, "a terminal could not be resized");
        }
    }
}

const fn winsize(size: TerminalSize) -> Winsize {
    Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: size.pixel_width,
        ws_ypixel: size.pixel_height,
    }
}

/// Sets one mode by its opcode (RFC 4254, section 8). What this system does not have is left alone.
fn set_mode(modes: &mut Termios, code: u8, value: u32) {
    let special = [
        (1, SpecialCodeIndex::VINTR),
        (2, SpecialCodeIndex::VQUIT),
        (3, SpecialCodeIndex::VERASE),
        (4, SpecialCodeIndex::VKILL),
        (5, SpecialCodeIndex::VEOF),
        (6, SpecialCodeIndex::VEOL),
        (7, SpecialCodeIndex::VEOL2),
        (8, SpecialCodeIndex::VSTART),
        (9, SpecialCodeIndex::VSTOP),
        (10, SpecialCodeIndex::VSUSP),
        (12, SpecialCodeIndex::VREPRINT),
        (13, SpecialCodeIndex::VWERASE),
        (14, SpecialCodeIndex::VLNEXT),
        (18, SpecialCodeIndex::VDISCARD),
    ];
    if let Some((_, index)) = special.into_iter().find(|(known, _)| *known == code) {
        // 255 is "none", which is 0 here.
        let character = u8::try_from(value).unwrap_or(u8::MAX);
        modes.special_codes[index] = if character == u8::MAX { 0 } else { character };
        return;
    }
    let is_on = value != 0;
    let input = [
        (30, InputModes::IGNPAR),
        (31, InputModes::PARMRK),
        (32, InputModes::INPCK),
        (33, InputModes::ISTRIP),
        (34, InputModes::INLCR),
        (35, InputModes::IGNCR),
        (36, InputModes::ICRNL),
        (38, InputModes::IXON),
        (39, InputModes::IXANY),
        (40, InputModes::IXOFF),
        (41, InputModes::IMAXBEL),
        (42, InputModes::IUTF8),
    ];
    let local = [
        (50, LocalModes::ISIG),
        (51, LocalModes::ICANON),
        (53, LocalModes::ECHO),
        (54, LocalModes::ECHOE),
        (55, LocalModes::ECHOK),
        (56, LocalModes::ECHONL),
        (57, LocalModes::NOFLSH),
        (58, LocalModes::TOSTOP),
        (59, LocalModes::IEXTEN),
        (60, LocalModes::ECHOCTL),
        (61, LocalModes::ECHOKE),
    ];
    let output = [
        (70, OutputModes::OPOST),
        (72, OutputModes::ONLCR),
        (73, OutputModes::OCRNL),
        (74, OutputModes::ONOCR),
        (75, OutputModes::ONLRET),
    ];
    if let Some((_, flag)) = input.into_iter().find(|(known, _)| *known == code) {
        modes.input_modes.set(flag, is_on);
    }
    if let Some((_, flag)) = local.into_iter().find(|(known, _)| *known == code) {
        modes.local_modes.set(flag, is_on);
    }
    if let Some((_, flag)) = output.into_iter().find(|(known, _)| *known == code) {
        modes.output_modes.set(flag, is_on);
    }
    let size = match code {
        90 => Some(ControlModes::CS7),
        91 => Some(ControlModes::CS8),
        _ => None,
    };
    if let Some(size) = size.filter(|_| is_on) {
        modes.control_modes.remove(ControlModes::CSIZE);
        modes.control_modes.insert(size);
    }
    let control = [(92, ControlModes::PARENB), (93, ControlModes::PARODD)];
    if let Some((_, flag)) = control.into_iter().find(|(known, _)| *known == code) {
        modes.control_modes.set(flag, is_on);
    }
}
