use clap::Args;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::report::Report;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl completions bash > /etc/bash_completion.d/signetctl
  signetctl completions zsh > ~/.zfunc/_signetctl
  signetctl completions fish > ~/.config/fish/completions/signetctl.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "signetctl", &mut text);
        Ok(Report::good(text))
    }
}
