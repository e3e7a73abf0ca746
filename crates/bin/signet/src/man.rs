use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Command;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::files::write_public;
use crate::report::Report;

/// Print the manual page, or write one for every command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet man | man -l -
  signet man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for every command into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ManArgs {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let pages = pages()?;
        match &self.out {
            None => Ok(Report::good(
                pages.into_iter().next().map(|(_, page)| page).unwrap_or_default(),
            )),
            Some(directory) => write_pages(directory, pages),
        }
    }
}

fn write_pages(directory: &Path, pages: Vec<(String, Vec<u8>)>) -> Result<Report, Failure> {
    let count = pages.len();
    for (name, page) in pages {
        write_public(&directory.join(name), &page)?;
    }
    Ok(Report::good(format!(
        "wrote {count} pages into {}\n",
        directory.display()
    )))
}

/// The page of every command, the program's own first.
pub(crate) fn pages() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, "signet", &mut pages)
        .map_err(|error| Failure::local("cannot write a manual page", &error))?;
    Ok(pages)
}

fn add_pages(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let mut page = Vec::new();
    let titled = command.clone().display_name(name);
    clap_mangen::Man::new(titled).render(&mut page)?;
    pages.push((format!("{name}.1"), page));
    for subcommand in command.get_subcommands() {
        add_pages(subcommand, &format!("{name}-{}", subcommand.get_name()), pages)?;
    }
    Ok(())
}

/// The reference of the command line: what `docs/reference/cli/signet.md` holds.
#[cfg(test)]
fn reference_markdown() -> String {
    let mut command = Cli::command().disable_help_subcommand(true).term_width(100);
    command.build();
    let mut text = String::from(
        "# signet\n\n\
         The command line of users: log in, see servers, reach them. What it keeps is under `~/.signet`, or where `SIGNET_HOME` says.\n\n\
         | Exit code | Meaning |\n|---|---|\n\
         | 0 | Done |\n\
         | 1 | Something failed, or nobody is logged in (`status`) |\n\
         | 2 | The command was not given what it needs |\n\
         | 3 | The server refused |\n\
         | 4 | The server cannot be reached; nothing was done |\n\n\
         `ssh` exits with the code of the remote command, and `ssh`, `scp` and `proxy ssh` with 255 when they fail themselves.\n",
    );
    add_reference(&mut command, "signet", &mut text);
    text
}

#[cfg(test)]
fn add_reference(command: &mut Command, name: &str, text: &mut String) {
    let help = command
        .clone()
        .bin_name(name.to_owned())
        .term_width(100)
        .render_long_help()
        .to_string();
    let help: String = help
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    text.push_str(&format!("\n## {name}\n\n```text\n{help}```\n"));
    let subcommands: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for subcommand in subcommands {
        if let Some(found) = command.find_subcommand_mut(&subcommand) {
            // The connection options are those of the program, and are shown there once.
            *found = found
                .clone()
                .mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
            add_reference(found, &format!("{name} {subcommand}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Compares a checked-in file with what it should be, or rewrites it when `UPDATE_GOLDEN` is set.
    fn check_golden(path: &Path, expected: &[u8], stale: &mut Vec<String>) {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, expected).unwrap();
        }
        if fs::read(path).unwrap_or_default() != expected {
            stale.push(path.display().to_string());
        }
    }

    #[test]
    fn the_reference_documents_are_current() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/cli");
        let mut stale = Vec::new();
        check_golden(
            &directory.join("signet.md"),
            reference_markdown().as_bytes(),
            &mut stale,
        );
        let mut expected = Vec::new();
        for (name, page) in pages().unwrap() {
            check_golden(&directory.join("man").join(&name), &page, &mut stale);
            expected.push(name);
        }
        for entry in fs::read_dir(directory.join("man")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if (name == "signet.1" || name.starts_with("signet-")) && !expected.contains(&name) {
                stale.push(format!("{name} (no such command)"));
            }
        }
        assert!(
            stale.is_empty(),
            "stale, run the test with UPDATE_GOLDEN=1: {stale:#?}"
        );
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &Command, name: &str) {
            let is_leaf = command.get_subcommands().next().is_none();
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(!is_leaf || help.contains("Examples:"), "{name} has no examples");
            assert!(command.get_about().is_some(), "{name} is not described");
            for subcommand in command.get_subcommands() {
                check(subcommand, &format!("{name} {}", subcommand.get_name()));
            }
        }
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        command.clone().debug_assert();
        check(&command, "signet");
    }

    #[test]
    fn every_example_parses() {
        fn check(command: &Command) {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            for line in help
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("signet "))
            {
                let line = line.split(" | ").next().unwrap().split(" >").next().unwrap();
                let words = words(line);
                Cli::command()
                    .try_get_matches_from(&words)
                    .unwrap_or_else(|error| panic!("{line}\n{error}"));
            }
            for subcommand in command.get_subcommands() {
                check(subcommand);
            }
        }
        check(&Cli::command());
    }

    /// Splits at blanks outside quotes, as a shell does.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for character in line.chars() {
            match (quote, character) {
                (None, '\'' | '"') => quote = Some(character),
                (Some(open), close) if open == close => quote = None,
                (None, ' ') => words.push(String::new()),
                (_, other) => words.last_mut().unwrap().push(other),
            }
        }
        words
    }
}
