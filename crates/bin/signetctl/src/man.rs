use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::CommandFactory;
use terminal::manual_pages;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::files::Content;
use crate::files::NewFile;
use crate::files::write_all;
use crate::report::Report;

const PROGRAM: &str = "signetctl";

/// Print the manual page, or write one for every command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl man | man -l -
  signetctl man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for every command into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ManArgs {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let pages = manual_pages(Cli::command(), PROGRAM)
            .map_err(|error| Failure::local("cannot write a manual page", &error))?;
        match &self.out {
            None => Ok(Report::good(
                pages.into_iter().next().map(|(_, page)| page).unwrap_or_default(),
            )),
            Some(directory) => write_pages(directory, pages),
        }
    }
}

fn write_pages(directory: &Path, pages: Vec<(String, Vec<u8>)>) -> Result<Report, Failure> {
    let files: Vec<NewFile> = pages
        .into_iter()
        .map(|(name, page)| NewFile {
            path: directory.join(name),
            content: Content::Public(page),
        })
        .collect();
    write_all(&files, true)?;
    Ok(Report::good(format!(
        "wrote {} pages into {}\n",
        files.len(),
        directory.display()
    )))
}

#[cfg(test)]
mod tests {
    use terminal::Golden;

    use super::*;

    /// What stands above the commands in `docs/reference/cli/signetctl.md`.
    const PREFACE: &str = "\
The operator's command line. On the auth server's own host it finds the server by itself; from elsewhere it\n\
takes `--auth-server HOST:PORT` and `--identity FILE`.\n\n\
| Exit code | Meaning |\n|---|---|\n\
| 0 | Done, and what was found is good |\n\
| 1 | Something failed, or what was found is not good (`doctor`, `audit verify`, `keys verify`) |\n\
| 2 | The command was not given what it needs |\n\
| 3 | The server refused, or the access that `access explain` is about is denied |\n\
| 4 | The server cannot be reached; nothing was done |\n";

    #[test]
    fn the_reference_documents_are_current() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/cli");
        let golden = Golden {
            directory: &directory,
            program: PROGRAM,
        };
        let reference = terminal::reference(Cli::command(), PROGRAM, PREFACE);
        let pages = manual_pages(Cli::command(), PROGRAM).unwrap();
        let rewrite = std::env::var_os("UPDATE_GOLDEN").is_some();
        let stale = golden.stale(&reference, &pages, rewrite).unwrap();
        assert_eq!(stale, Vec::<String>::new(), "run the test with UPDATE_GOLDEN=1");
    }

    #[test]
    fn every_command_is_described_and_has_examples_that_it_understands() {
        Cli::command().debug_assert();
        let missing = terminal::undocumented(Cli::command(), PROGRAM);
        assert_eq!(missing, Vec::<String>::new());
        let wrong = terminal::examples_that_do_not_parse(&Cli::command(), PROGRAM);
        assert_eq!(wrong, Vec::<String>::new());
        let wide = terminal::examples_too_wide(&Cli::command());
        assert_eq!(wide, Vec::<String>::new());
    }

    #[test]
    fn what_the_documents_say_to_run_is_understood() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        assert_eq!(
            terminal::wrong_calls(&Cli::command(), PROGRAM, &root).unwrap(),
            Vec::<String>::new()
        );
    }
}
