//! The commands.

use std::fs;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use api_types::Finding;
use config::Config;

use crate::cli::Cli;
use crate::cli::Command;
use crate::cli::ConfigCommand;
use crate::cli::Doctor;
use crate::cli::DoctorFormat;
use crate::cli::Start;
use crate::doctor::offline;
use crate::doctor::report;
use crate::failure::Failure;
use crate::host;
use crate::join;
use crate::start;

/// Read when no configuration is named, where it exists.
const DEFAULT_FILE: &str = "/etc/signet.yaml";

/// Does what the command line asks for.
///
/// # Errors
/// When it cannot be done.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Start(asked) => start::run(chosen(asked)?).map(|()| ExitCode::SUCCESS),
        Command::Doctor(Doctor { start, format }) => {
            let findings = examine(&chosen(start)?)?;
            print(&match format {
                DoctorFormat::Text => report::text(&findings),
                DoctorFormat::Json => report::json(&findings)?,
            })?;
            Ok(if report::is_good(&findings) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Configure => print(config::SAMPLE).map(|()| ExitCode::SUCCESS),
        Command::Config {
            command: ConfigCommand::Check { file },
        } => {
            let text = read(&file)?;
            check(&file, &text)?;
            print(&format!("{} is right.\n", file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => print(&format!("signetd {}\n", host::VERSION)).map(|()| ExitCode::SUCCESS),
    }
}

/// The configuration asked for, with the data directory asked for.
fn chosen(asked: Start) -> Result<Config, Failure> {
    let Start {
        config,
        data_dir,
        join,
    } = asked;
    let is_named = config.is_some();
    let mut config = configuration(config)?;
    join::apply(join, &mut config)?;
    let data_dir = data_dir.or_else(|| host::data_dir_of_environment().filter(|_| !is_named));
    if let Some(directory) = data_dir {
        move_data_dir(&mut config, directory)?;
    }
    Ok(config)
}

fn examine(config: &Config) -> Result<Vec<Finding>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::of("cannot start threads", &error))?;
    Ok(runtime.block_on(offline::examine(config)))
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
