use clap::Parser;
use clap::Subcommand;
use names::UnixSeconds;

use crate::access_rules::AccessCommand;
use crate::alerts::AlertsCommand;
use crate::audit::AuditCommand;
use crate::auth::AuthCommand;
use crate::certs::CertsCommand;
use crate::completions::CompletionsArgs;
use crate::connection::ConnectionArgs;
use crate::create::CreateArgs;
use crate::doctor::DoctorArgs;
use crate::edit::EditArgs;
use crate::failure::Failure;
use crate::get::GetArgs;
use crate::keys::KeysCommand;
use crate::lock::LockArgs;
use crate::lock::LocksCommand;
use crate::man::ManArgs;
use crate::nodes::NodesCommand;
use crate::report::Report;
use crate::rm::RmArgs;
use crate::status::StatusArgs;
use crate::tokens::TokensCommand;
use crate::users::UsersCommand;
use crate::version::VersionArgs;

/// Operate a Signet cluster
///
/// On the auth server's own host it finds the server by itself. From elsewhere it takes --auth-server and --identity.
///
/// Exit codes: 0 done and good, 1 failed or found something bad, 2 not given what it needs, 3 refused by the server (or
/// denied, for `access explain`), 4 server unreachable.
#[derive(Debug, Parser)]
#[command(
    name = "signetctl",
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  signetctl status
  signetctl users add alice --roles=access --logins=root,alice
  signetctl nodes add
  signetctl auth rotate --manual --type=host --phase=init
  signetctl --auth-server auth.example.com:3025 --identity ./alice.pem keys ls"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(StatusArgs),
    #[command(subcommand)]
    Users(UsersCommand),
    #[command(subcommand)]
    Nodes(NodesCommand),
    #[command(subcommand)]
    Tokens(TokensCommand),
    Get(GetArgs),
    Create(CreateArgs),
    Edit(EditArgs),
    Rm(RmArgs),
    Lock(LockArgs),
    #[command(subcommand)]
    Locks(LocksCommand),
    #[command(subcommand)]
    Access(AccessCommand),
    #[command(subcommand)]
    Auth(AuthCommand),
    #[command(subcommand)]
    Keys(KeysCommand),
    #[command(subcommand)]
    Certs(CertsCommand),
    #[command(subcommand)]
    Alerts(AlertsCommand),
    #[command(subcommand)]
    Audit(AuditCommand),
    Doctor(DoctorArgs),
    Version(VersionArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Cli {
    /// Does what was asked at this moment.
    pub(crate) async fn run(self, now: UnixSeconds) -> Result<Report, Failure> {
        let Self { connection, command } = self;
        match command {
            Command::Status(arguments) => arguments.run(&connection).await,
            Command::Users(command) => command.run(&connection).await,
            Command::Nodes(command) => command.run(&connection).await,
            Command::Tokens(command) => command.run(&connection).await,
            Command::Get(arguments) => arguments.run(&connection).await,
            Command::Create(arguments) => arguments.run(&connection).await,
            Command::Edit(arguments) => arguments.run(&connection).await,
            Command::Rm(arguments) => arguments.run(&connection).await,
            Command::Lock(arguments) => arguments.run(&connection, now).await,
            Command::Locks(command) => command.run(&connection).await,
            Command::Access(command) => command.run(&connection).await,
            Command::Auth(command) => command.run(&connection, now).await,
            Command::Keys(command) => command.run(&connection).await,
            Command::Certs(command) => command.run(&connection).await,
            Command::Alerts(command) => command.run(&connection).await,
            Command::Audit(command) => command.run(&connection, now).await,
            Command::Doctor(arguments) => arguments.run(&connection).await,
            Command::Version(arguments) => arguments.run(&connection).await,
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
        }
    }
}
