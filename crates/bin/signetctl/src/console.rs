use std::io::BufRead;

use crate::failure::Failure;

/// How sure somebody has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gravity {
    /// The command says it all; a person is asked once more, a script is not.
    Named,
    /// A script has to say `--yes`.
    Grave,
}

/// Asks before something that cannot be taken back, unless `--yes` was given.
pub(crate) fn confirm(what: &str, gravity: Gravity, is_confirmed: bool) -> Result<(), Failure> {
    if is_confirmed {
        return Ok(());
    }
    match (is_attended(), gravity) {
        (false, Gravity::Named) => Ok(()),
        (false, Gravity::Grave) => Err(Failure::usage(
            format!("this has to be confirmed: {what}"),
            "say --yes, or run it in a terminal",
        )),
        (true, Gravity::Named | Gravity::Grave) => ask(what),
    }
}

/// Whether somebody is there to answer.
pub(crate) use terminal::is_attended;

/// Whoever sits at the terminal. What is shown goes to standard error, so that standard output holds the answer alone.
pub(crate) struct Person;

impl Person {
    /// Shows a text.
    pub(crate) fn show(&self, text: &str) -> Result<(), Failure> {
        terminal::ask_aloud(text).map_err(|error| Failure::local("cannot ask", &error))
    }

    /// Asks for a line; nothing when standard input ended.
    pub(crate) fn ask(&self, question: &str) -> Result<Option<String>, Failure> {
        self.show(question)?;
        let mut answer = String::new();
        let read = std::io::stdin()
            .lock()
            .read_line(&mut answer)
            .map_err(|error| Failure::local("cannot read the answer", &error))?;
        Ok((read > 0).then(|| answer.trim().to_owned()))
    }
}

fn ask(what: &str) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::local("cannot ask for confirmation", &error);
    terminal::ask_aloud(&format!("{what}\nGo on? [y/N] ")).map_err(cannot)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(cannot)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::failed("not confirmed, nothing was done"))
    }
}
