//! The commands.

use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use config::Config;

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::ConfigCommand;
use crate::cli::Start;
use crate::failure::Failure;
use crate::host;
use crate::start;

/// Read when no configuration is named, where it exists.
const DEFAULT_FILE: &str = "/etc/signet.yaml";

/// Does what the command line asks for.
///
/// # Errors
/// When it cannot be done.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Start(Start { config, data_dir }) => {
            let mut config = configuration(config)?;
            if let Some(directory) = data_dir {
                move_data_dir(&mut config, directory)?;
            }
            start::run(config)
        }
        Command::Configure => print(config::SAMPLE),
        Command::Config {
            command: ConfigCommand::Check { file },
        } => {
            let text = read(&file)?;
            check(&file, &text)?;
            print(&format!("{} is right.\n", file.display()))
        }
        Command::Version => print(&format!("signetd {}\n", host::VERSION)),
    }
}

fn configuration(named: Option<PathBuf>) -> Result<Config, Failure> {
    if let Some(file) = named {
        return check(&file, &read(&file)?);
    }
    let default = Path::new(DEFAULT_FILE);
    match fs::read_to_string(default) {
        Ok(text) => check(default, &text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check(Path::new("the built-in configuration"), "")
        }
        Err(error) => Err(unreadable(default, &error)),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let hint = if error.kind() == ErrorKind::NotFound {
        "make one: `signetd configure > signet.yaml`"
    } else if error.kind() == ErrorKind::InvalidData {
        "is this the right file? A configuration is text in UTF-8"
    } else {
        "check the path and its permissions"
    };
    Failure::new(
        format!("cannot read the configuration {}: {error}", file.display()),
        hint,
    )
}

fn check(file: &Path, text: &str) -> Result<Config, Failure> {
    config::load(text, &host::environment()).map_err(|error| {
        let problems: Vec<String> = error
            .problems
            .iter()
            .map(|problem| format!("  {problem}"))
            .collect();
        Failure::new(
            format!("{} cannot be used:\n{}", file.display(), problems.join("\n")),
            "`signetd configure` prints a full sample",
        )
    })
}

/// Moves everything that lies in the data directory by default along with it.
fn move_data_dir(config: &mut Config, directory: PathBuf) -> Result<(), Failure> {
    let directory = std::path::absolute(&directory).map_err(|error| {
        Failure::of(
            &format!("cannot use the data directory {}", directory.display()),
            &error,
        )
    })?;
    let config::StorageConfig::Sqlite { directory: databases } = &mut config.storage;
    if let Ok(below) = databases.strip_prefix(&config.data_dir) {
        *databases = directory.join(below);
    }
    config.data_dir = directory;
    Ok(())
}

fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever closed the pipe has read what they wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::of("cannot write to standard output", &error)),
    }
}
