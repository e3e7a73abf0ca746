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
  signetd doctor --config signet.yaml             why does it not start?

Exit codes: 0 done, 1 failed, 2 the command line is wrong.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the services of the configuration until stopped.
    Start(Start),
    /// Examine what a start would meet, without starting: for a server that does not. Exit code 1 when something is wrong.
    ///
    /// Looks at everything that `signetctl doctor` asks a running server for, and changes nothing.
    Doctor(Doctor),
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
    /// Keep everything here rather than where the configuration says. Without a configuration, SIGNET_DATA_DIR says so as well; a
    /// configuration that is named comes before that.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) join: Join,
}

/// How a machine joins a cluster whose auth service runs elsewhere: what `signetctl nodes add` prints. Without `--proxy` nothing of it
/// counts.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Join {
    /// What this machine joins as, and the services that it runs rather than those of the configuration: node; app and db have none yet
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
    /// The proxy of the cluster to join, host:port
    #[arg(long, value_name = "ADDR")]
    pub(crate) proxy: Option<String>,
    /// The token to join with, or the absolute path of a file that holds it
    #[arg(long, value_name = "TOKEN", env = "SIGNET_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A pin of the cluster's host authority, as `signetctl status` shows it; can be repeated
    #[arg(long, value_name = "PIN")]
    pub(crate) ca_pin: Vec<String>,
    /// What this machine calls itself
    #[arg(long, value_name = "NAME")]
    pub(crate) nodename: Option<String>,
    /// The machine's labels, key=value, comma separated; can be repeated
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) start: Start,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DoctorFormat,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DoctorFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn what_the_documents_and_its_own_help_say_to_run_is_understood() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let wrong = terminal::wrong_calls(&Cli::command(), "signetd", &root).unwrap();
        assert_eq!(wrong, Vec::<String>::new());
        let wrong = terminal::examples_that_do_not_parse(&Cli::command(), "signetd");
        assert_eq!(wrong, Vec::<String>::new());
    }
}
