//! The project's own commands: `cargo xtask check`, `cargo xtask test` and their kin.
//!
//! Nothing of the product is here. `main` reads the environment and the command line and hands both down; every command
//! is a module.

mod check;
mod parts;
mod steps;
mod suites;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Commands for working on Signet.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the real third-party parts that tests need; quick when all are there
    Parts,
    /// The quick loop: format, lints, tidy, documentation, unit tests; needs no parts
    Check,
    /// Everything: parts, checks, and all tests with real parts; what CI runs
    Test,
    /// Check the architecture: rings, banned dependencies, file sizes and names
    Tidy,
    /// Run one integration test suite by its name, for example `ssh_rotation`
    E2e {
        /// The suite; without one, all names are listed
        suite: Option<String>,
        /// Passed on to the suite, for example a filter
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run tests with UPDATE_GOLDEN=1, so that they rewrite the generated files they compare with
    Golden {
        /// Passed on to `cargo test`, for example `-p rotation`; everything when empty
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let workspace = Workspace::find(std::env::var_os("SIGNET_PARTS_DIR").map(Into::into))?;
    match command {
        Command::Parts => parts::install(&workspace),
        Command::Check => check::quick(&workspace),
        Command::Test => check::everything(&workspace),
        Command::Tidy => tidy::run(&workspace),
        Command::E2e { suite, arguments } => suites::run_one(&workspace, suite.as_deref(), &arguments),
        Command::Golden { arguments } => suites::update_golden(&workspace, &arguments),
    }
}
