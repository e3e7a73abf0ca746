use clap::Args;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::report::Report;
use crate::session::SessionArgs;

/// Copy files
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet scp a b")]
pub(crate) struct ScpArgs {
    paths: Vec<String>,
}

impl ScpArgs {
    pub(crate) async fn run(&self, _: &SessionArgs, _: &Environment) -> Result<Report, Failure> {
        Err(Failure::failed(self.paths.join(" ")))
    }
}
