//! Asking whoever runs the program. Questions go to standard error, so that standard output stays for what was asked for; to the terminal
//! when standard error goes elsewhere.

use std::io::BufRead;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use api_types::SecretText;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A line is no longer than this: neither a password nor a code is.
const LINE_MAX: u64 = 4096;

pub(crate) use terminal::is_attended;

/// Says something that is not the output. Words of others may be in it: they do not drive the terminal.
pub(crate) fn say(text: &str) {
    // Nothing is left to do when standard error is gone.
    let _ = std::io::stderr().write_all(format!("{}\n", sayable(text)).as_bytes());
}

/// Says something that belongs to a question, where whoever is asked sees it.
pub(crate) fn tell(text: &str) {
    terminal::tell(&format!("{}\n", sayable(text)));
}

/// Shows what is for the eyes of whoever is asked, and for no file of errors.
pub(crate) fn show(text: &str) -> Result<(), Failure> {
    terminal::ask_aloud(&format!("{}\n", sayable(text)))
        .map_err(|error| Failure::local("cannot show what is to be typed", &error))
}

/// A text with its lines as they are, and without control characters in them.
pub(crate) fn sayable(text: &str) -> String {
    text.split('\n')
        .map(terminal::visible)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Asks for yes or no; anything but yes is no.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = ask(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// The same where an empty line is yes.
pub(crate) fn confirm_usual(question: &str) -> Result<bool, Failure> {
    let answer = ask(&format!("{question} [Y/n] "))?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes"))
}

/// Asks for a line.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    terminal::ask_aloud(&sayable(question)).map_err(|error| Failure::local("cannot ask", &error))?;
    Ok(line()?.trim().to_owned())
}

/// Asks for something that is not shown while it is typed. Without a terminal it is the next line of standard input.
pub(crate) fn ask_secret(question: &str) -> Result<SecretText, Failure> {
    if is_attended() {
        return rpassword::prompt_password(format!("{}: ", sayable(question)))
            .map(SecretText::new)
            .map_err(|error| Failure::local("cannot ask", &error));
    }
    Ok(SecretText::new(line()?.to_string()))
}

/// Asks for a code, which is good once and may be seen. Without a terminal it is the next line of standard input.
pub(crate) fn ask_code(question: &str) -> Result<SecretText, Failure> {
    let code = if is_attended() {
        ask(&format!("{question}: "))?
    } else {
        line()?.trim().to_owned()
    };
    // Applications show codes in groups.
    Ok(SecretText::new(code.replace(' ', "")))
}

/// The first line of a file; of standard input for `-`.
pub(crate) fn secret_of_file(path: &Path) -> Result<SecretText, Failure> {
    if path.as_os_str() == "-" {
        return Ok(SecretText::new(line()?.to_string()));
    }
    let what = format!("cannot read {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| Failure::local(&what, &error))?;
    let text = Zeroizing::new(text);
    Ok(SecretText::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

/// The next line of standard input, without its end.
fn line() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(LINE_MAX).read_line(&mut text);
    match read {
        Ok(0) => Err(Failure::usage(
            "standard input ended before everything was answered",
            "run it in a terminal, or give the answers on standard input, one a line: the password, then the code of the second factor",
        )),
        Ok(_) => {
            let length = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(length);
            Ok(text)
        }
        Err(error) => Err(Failure::local("cannot read standard input", &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_do_not_drive_the_terminal() {
        assert_eq!(
            sayable("no connection to x:1: \x1b]0;pwned\x07\nsecond\r\n"),
            "no connection to x:1: \\u{1b}]0;pwned\\u{7}\nsecond\\u{d}\n"
        );
    }
}
