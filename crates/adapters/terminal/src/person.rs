//! Whoever sits at the terminal: questions reach them also where standard error goes elsewhere.

use std::fs::File;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

/// The terminal of whoever runs the program, wherever its input and output go.
const TERMINAL: &str = "/dev/tty";

/// Whether somebody is there to read a question and to answer it on standard input.
#[must_use]
pub fn is_attended() -> bool {
    io::stdin().is_terminal() && is_watched()
}

/// Whether somebody is there to read what is said.
#[must_use]
pub fn is_watched() -> bool {
    io::stderr().is_terminal() || terminal().is_ok()
}

/// Shows a text to whoever is asked: on standard error, and where somebody sits at a terminal and standard error goes elsewhere, on the
/// terminal.
///
/// # Errors
/// When it cannot be written.
pub fn ask_aloud(text: &str) -> io::Result<()> {
    let mut errors = io::stderr();
    let is_elsewhere = !errors.is_terminal() && io::stdin().is_terminal();
    match terminal() {
        Ok(mut terminal) if is_elsewhere => write(&mut terminal, text),
        Ok(_) | Err(_) => write(&mut errors, text),
    }
}

/// Writes a text to standard error, and where that goes elsewhere also to the terminal, if there is one.
pub fn tell(text: &str) {
    // Nothing is left to do when either is gone.
    let _ = write(&mut io::stderr(), text);
    if !io::stderr().is_terminal()
        && let Ok(mut terminal) = terminal()
    {
        let _ = write(&mut terminal, text);
    }
}

fn terminal() -> io::Result<File> {
    File::options().write(true).open(TERMINAL)
}

fn write(to: &mut impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes()).and_then(|()| to.flush())
}
