use clap::Args;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::report::Report;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet completions bash > ~/.local/share/bash-completion/completions/signet
  signet completions zsh > ~/.zfunc/_signet
  signet completions fish > ~/.config/fish/completions/signet.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    pub(crate) fn run(&self) -> Report {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "signet", &mut text);
        Report::good(text)
    }
}
