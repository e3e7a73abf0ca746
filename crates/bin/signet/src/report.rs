use std::io::ErrorKind;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap::ValueEnum;
use serde::Serialize;

use crate::failure::Failure;

/// What a command prints on standard output, and its exit code.
pub(crate) struct Report {
    text: Vec<u8>,
    code: u8,
}

impl Report {
    /// A report with nothing bad in it.
    pub(crate) fn good(text: impl Into<Vec<u8>>) -> Self {
        Self {
            text: text.into(),
            code: 0,
        }
    }

    /// Nothing to print: what was done has an exit code of its own.
    pub(crate) const fn exit(code: u8) -> Self {
        Self {
            text: Vec::new(),
            code,
        }
    }

    /// The same report; what it found decides the exit code: 0 when good, 1 when not.
    pub(crate) fn and_good(self, is_good: bool) -> Self {
        Self {
            code: u8::from(!is_good),
            ..self
        }
    }

    /// Prints it and returns the exit code.
    pub(crate) fn print(&self) -> Result<ExitCode, Failure> {
        let mut out = std::io::stdout().lock();
        match out.write_all(&self.text).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::local("cannot write the output", &error))
            }
            // A reader that went away (`| head`) is no failure.
            Ok(()) | Err(_) => Ok(ExitCode::from(self.code)),
        }
    }
}

/// The form of printed facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// The option of every command that prints facts.
#[derive(Debug, Clone, Args)]
pub(crate) struct FormatArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Facts in the form that was asked for. `text` makes the one for people.
pub(crate) fn facts<T: Serialize + ?Sized>(
    facts: &T,
    format: Format,
    text: impl FnOnce() -> String,
) -> Result<Report, Failure> {
    let text = match format {
        Format::Text => text(),
        Format::Json => {
            let json = serde_json::to_string_pretty(facts);
            json.map_err(|error| Failure::local("cannot write JSON", &error))? + "\n"
        }
    };
    Ok(Report::good(text))
}
