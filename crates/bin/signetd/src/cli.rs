//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::Subcommand;

/// The daemon of Signet, an authority for infrastructure identity.
#[derive(Debug, Parser)]
#[command(name = "signetd", version, about, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  signetd start                                   run on embedded defaults
  signetd configure > signet.yaml                 a full, commented configuration to change
  signetd config check signet.yaml                is it right?
  signetd start --config signet.yaml              run with it

Exit codes: 0 done, 1 failed, 2 the command line is wrong.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the services of the configuration until stopped.
    Start(Start),
    /// Print a full, commented configuration.
    Configure,
    /// Work with configurations.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the version.
    Version,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    /// The configuration. Without it, /etc/signet.yaml is read where it exists, and embedded defaults are used where not.
    #[arg(long, short, value_name = "FILE", env = "SIGNET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Keep everything here rather than where the configuration says.
    #[arg(long, value_name = "DIR", env = "SIGNET_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration, and say everything that is wrong with it.
    Check {
        /// The configuration.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
