mod crl;
mod export;
mod ls;
mod revoke;
mod rotate;
mod sign;

use clap::Subcommand;
use names::UnixSeconds;

pub(crate) use export::content;

use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::report::Report;

/// Certificate authorities: rotate, export, issue, revoke
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    Rotate(rotate::RotateArgs),
    Export(export::ExportArgs),
    Sign(Box<sign::SignArgs>),
    Crl(crl::CrlArgs),
    Ls(ls::LsArgs),
    Revoke(revoke::RevokeArgs),
}

impl AuthCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs, now: UnixSeconds) -> Result<Report, Failure> {
        match self {
            Self::Rotate(arguments) => arguments.run(connection).await,
            Self::Export(arguments) => arguments.run(connection).await,
            Self::Sign(arguments) => arguments.run(connection, now).await,
            Self::Crl(arguments) => arguments.run(connection).await,
            Self::Ls(arguments) => arguments.run(connection).await,
            Self::Revoke(arguments) => arguments.run(connection).await,
        }
    }
}
