use std::io::ErrorKind;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap::ValueEnum;
use serde::Serialize;

use crate::failure::Failure;

/// What a command prints on standard output, and the exit code that says what it found.
pub(crate) struct Report {
    text: Vec<u8>,
    exit_code: u8,
}

impl Report {
    /// A report with nothing bad in it.
    pub(crate) fn good(text: impl Into<Vec<u8>>) -> Self {
        Self {
            text: text.into(),
            exit_code: 0,
        }
    }

    /// The same report; what it found decides the exit code: 0 when good, 1 when not.
    pub(crate) fn and_good(self, is_good: bool) -> Self {
        self.and_exit_code(if is_good { 0 } else { 1 })
    }

    /// The same report with an exit code of its own.
    pub(crate) fn and_exit_code(self, exit_code: u8) -> Self {
        Self { exit_code, ..self }
    }

    /// Prints it and returns the exit code.
    pub(crate) fn print(&self) -> Result<ExitCode, Failure> {
        emit(&self.text)?;
        Ok(ExitCode::from(self.exit_code))
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.text.clone()).unwrap()
    }
}

/// Writes to standard output. A reader that went away (`| head`) is no failure.
pub(crate) fn emit(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::local("cannot write the output", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The form of printed facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For people, with more columns
    Wide,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
}

/// The option of every command that prints facts.
#[derive(Debug, Clone, Args)]
pub(crate) struct FormatArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Facts in the form that was asked for. `text` makes the one for people; its argument says whether it is the wide one.
pub(crate) fn facts<T: Serialize + ?Sized>(
    facts: &T,
    format: Format,
    text: impl FnOnce(bool) -> String,
) -> Result<Report, Failure> {
    let text = match format {
        Format::Text => text(false),
        Format::Wide => text(true),
        Format::Json => {
            let json = serde_json::to_string_pretty(facts);
            json.map_err(|error| Failure::local("cannot write JSON", &error))? + "\n"
        }
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(&facts);
            yaml.map_err(|error| Failure::local("cannot write YAML", &error))?
        }
    };
    Ok(Report::good(text))
}
