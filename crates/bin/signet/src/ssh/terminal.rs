//! The terminal on this side.

use std::io::IsTerminal;

use russh::Pty;
use rustix::termios::ControlModes;
use rustix::termios::InputModes;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::OutputModes;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use rustix::termios::tcgetattr;
use rustix::termios::tcgetwinsize;
use rustix::termios::tcsetattr;

/// Whether somebody types.
pub(super) fn is_here() -> bool {
    std::io::stdin().is_terminal()
}

/// Columns, rows, and pixels each way.
pub(super) fn size() -> [u32; 4] {
    let found = tcgetwinsize(std::io::stdout())
        .or_else(|_| tcgetwinsize(std::io::stdin()))
        .ok()
        .filter(|size| size.ws_col != 0);
    found.map_or([80, 24, 0, 0], |size| {
        [size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel].map(u32::from)
    })
}

/// Passes every key on as it is, until this is dropped.
pub(super) struct Raw(Termios);

impl Raw {
    /// Begins, when there is a terminal.
    pub(super) fn begin() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// The settings of this terminal, for the one on the server (RFC 4254 section 8).
pub(super) fn modes() -> Vec<(Pty, u32)> {
    tcgetattr(std::io::stdin()).map_or_else(|_| Vec::new(), |termios| encode(&termios))
}

fn encode(termios: &Termios) -> Vec<(Pty, u32)> {
    let codes = CODES
        .iter()
        .map(|(mode, index)| (*mode, u32::from(code(termios, *index))));
    let inputs = INPUTS
        .iter()
        .map(|(mode, flag)| (*mode, u32::from(termios.input_modes.contains(*flag))));
    let locals = LOCALS
        .iter()
        .map(|(mode, flag)| (*mode, u32::from(termios.local_modes.contains(*flag))));
    let outputs = OUTPUTS
        .iter()
        .map(|(mode, flag)| (*mode, u32::from(termios.output_modes.contains(*flag))));
    let is_eight = termios.control_modes.contains(ControlModes::CS8);
    let rest = [
        (Pty::CS8, u32::from(is_eight)),
        (Pty::TTY_OP_ISPEED, termios.input_speed()),
        (Pty::TTY_OP_OSPEED, termios.output_speed()),
    ];
    codes
        .chain(inputs)
        .chain(locals)
        .chain(outputs)
        .chain(rest)
        .collect()
}

/// A special character; 255 is none on the wire, as 0 is here.
fn code(termios: &Termios, index: SpecialCodeIndex) -> u8 {
    match termios.special_codes[index] {
        0 => u8::MAX,
        code => code,
    }
}

const CODES: [(Pty, SpecialCodeIndex); 15] = [
    (Pty::VINTR, SpecialCodeIndex::VINTR),
    (Pty::VQUIT, SpecialCodeIndex::VQUIT),
    (Pty::VERASE, SpecialCodeIndex::VERASE),
    (Pty::VKILL, SpecialCodeIndex::VKILL),
    (Pty::VEOF, SpecialCodeIndex::VEOF),
    (Pty::VEOL, SpecialCodeIndex::VEOL),
    (Pty::VEOL2, SpecialCodeIndex::VEOL2),
    (Pty::VSTART, SpecialCodeIndex::VSTART),
    (Pty::VSTOP, SpecialCodeIndex::VSTOP),
    (Pty::VSUSP, SpecialCodeIndex::VSUSP),
    (Pty::VREPRINT, SpecialCodeIndex::VREPRINT),
    (Pty::VWERASE, SpecialCodeIndex::VWERASE),
    (Pty::VLNEXT, SpecialCodeIndex::VLNEXT),
    (Pty::VDISCARD, SpecialCodeIndex::VDISCARD),
    (Pty::VSWTCH, SpecialCodeIndex::VSWTC),
];

const INPUTS: [(Pty, InputModes); 12] = [
    (Pty::IGNPAR, InputModes::IGNPAR),
    (Pty::PARMRK, InputModes::PARMRK),
    (Pty::INPCK, InputModes::INPCK),
    (Pty::ISTRIP, InputModes::ISTRIP),
    (Pty::INLCR, InputModes::INLCR),
    (Pty::IGNCR, InputModes::IGNCR),
    (Pty::ICRNL, InputModes::ICRNL),
    (Pty::IXON, InputModes::IXON),
    (Pty::IXANY, InputModes::IXANY),
    (Pty::IXOFF, InputModes::IXOFF),
    (Pty::IMAXBEL, InputModes::IMAXBEL),
    (Pty::IUTF8, InputModes::IUTF8),
];

const LOCALS: [(Pty, LocalModes); 11] = [
    (Pty::ISIG, LocalModes::ISIG),
    (Pty::ICANON, LocalModes::ICANON),
    (Pty::ECHO, LocalModes::ECHO),
    (Pty::ECHOE, LocalModes::ECHOE),
    (Pty::ECHOK, LocalModes::ECHOK),
    (Pty::ECHONL, LocalModes::ECHONL),
    (Pty::NOFLSH, LocalModes::NOFLSH),
    (Pty::TOSTOP, LocalModes::TOSTOP),
    (Pty::IEXTEN, LocalModes::IEXTEN),
    (Pty::ECHOCTL, LocalModes::ECHOCTL),
    (Pty::ECHOKE, LocalModes::ECHOKE),
];

const OUTPUTS: [(Pty, OutputModes); 5] = [
    (Pty::OPOST, OutputModes::OPOST),
    (Pty::ONLCR, OutputModes::ONLCR),
    (Pty::OCRNL, OutputModes::OCRNL),
    (Pty::ONOCR, OutputModes::ONOCR),
    (Pty::ONLRET, OutputModes::ONLRET),
];
