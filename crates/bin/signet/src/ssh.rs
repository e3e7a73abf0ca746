mod escape;
mod forward;
mod input;
mod interaction;
mod socks;
mod terminal;

use std::sync::Arc;
use std::sync::PoisonError;

use clap::ArgAction;
use clap::Args;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::task::JoinSet;

use crate::environment::Environment;
use crate::failure::Failure;
use crate::path;
use crate::path::Incoming;
use crate::path::Node;
use crate::report::Report;
use crate::session::SessionArgs;
use crate::session_mfa::CodeArgs;
use crate::session_mfa::SecondFactor;
use crate::target::Target;
use forward::Forward;
use forward::Listen;
use interaction::Interaction;

/// Open a shell on a server, or run a command there
///
/// Goes through the proxy, and takes a server only by its certificate. The exit code is that of the remote command; 255 when the connection fails.
/// In a terminal, ~. at the start of a line cuts the connection, and ~? shows more of these.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet ssh root@web-1
  signet ssh root@web-1 -- uptime
  signet ssh -L 8080:localhost:80 -N root@web-1
  signet ssh -A -t root@web-1 -- ssh db-1")]
pub(crate) struct SshArgs {
    /// Lend your SSH agent to the server
    #[arg(short = 'A')]
    agent: bool,
    /// Connections to a port here go to an address as seen from the server; may be given again
    #[arg(short = 'L', value_name = "[BIND:]PORT:HOST:PORT", value_parser = Forward::parse)]
    local: Vec<Forward>,
    /// Connections to a port of the server go to an address as seen from here; may be given again
    #[arg(short = 'R', value_name = "[BIND:]PORT:HOST:PORT", value_parser = Forward::parse)]
    remote: Vec<Forward>,
    /// A port here is a SOCKS proxy whose connections begin at the server; may be given again
    #[arg(short = 'D', value_name = "[BIND:]PORT", value_parser = Listen::parse)]
    dynamic: Vec<Listen>,
    /// Run no command: only forward ports
    #[arg(short = 'N', conflicts_with = "command")]
    no_command: bool,
    /// Ask for a terminal there even to run a command; twice: even when there is none here
    #[arg(short = 't', action = ArgAction::Count, conflicts_with = "no_terminal")]
    terminal: u8,
    /// Ask for no terminal there
    #[arg(short = 'T')]
    no_terminal: bool,
    /// Read nothing from standard input
    #[arg(short = 'n')]
    no_input: bool,
    /// The account on the server
    #[arg(short = 'l', value_name = "LOGIN")]
    login: Option<String>,
    /// Taken as ssh takes it, and not needed: the proxy knows each server's port, and leads to that one
    #[arg(short = 'p', value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    code: CodeArgs,
    /// The server
    #[arg(value_name = "[LOGIN@]NODE", value_parser = Target::parse)]
    target: Target,
    /// The command; a shell when left out
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl SshArgs {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        let session = arguments.session(environment).await?;
        let mut target = self.target.clone();
        target.port = self.port.or(target.port);
        target.login = self.login.clone().or(target.login);
        let login = target.login(&session, environment.local_user.as_deref())?;
        let incoming = self.incoming(environment)?;
        // What cannot be listened on is said before anybody is connected to.
        let mut listeners = Vec::new();
        for forward in &self.local {
            listeners.push((
                forward::bind(&forward.listen).await?,
                Some(forward.target.clone()),
            ));
        }
        for listen in &self.dynamic {
            listeners.push((forward::bind(listen).await?, None));
        }
        let jump = path::to_proxy(&session, environment).await?;
        let second_factor = SecondFactor {
            session: &session,
            code: &self.code,
            environment,
        };
        let node = Arc::new(
            jump.connect(&target, &login, incoming.clone(), &second_factor)
                .await?,
        );
        let mut served = JoinSet::new();
        for (listener, target) in listeners {
            served.spawn(forward::serve(listener, target, Arc::clone(&node)));
        }
        self.forward_back(&node, &incoming).await?;
        if self.no_command {
            return until_end(&node, &target.node).await;
        }
        let interaction = Interaction {
            command: (!self.command.is_empty()).then(|| self.command.join(" ")),
            terminal: self
                .wants_terminal()
                .then(|| environment.terminal.clone().unwrap_or_else(|| "dumb".to_owned())),
            with_input: !self.no_input,
            lends_agent: self.agent,
        };
        let code = interaction.run(&node, &target.node).await?;
        drop(served);
        Node::leave(node).await;
        Ok(Report::exit(code))
    }

    fn incoming(&self, environment: &Environment) -> Result<Incoming, Failure> {
        let agent = match (self.agent, &environment.agent) {
            (false, _) => None,
            (true, Some(agent)) => Some(agent.clone()),
            (true, None) => {
                return Err(Failure::usage(
                    "there is no SSH agent to lend",
                    "start one (`eval $(ssh-agent)`), or leave out -A",
                ));
            }
        };
        Ok(Incoming {
            agent,
            ..Incoming::default()
        })
    }

    fn wants_terminal(&self) -> bool {
        let is_here = terminal::is_here();
        match self.terminal {
            0 => !self.no_terminal && self.command.is_empty() && is_here,
            1 => is_here,
            _ => true,
        }
    }

    async fn forward_back(&self, node: &Node, incoming: &Incoming) -> Result<(), Failure> {
        for forward in &self.remote {
            let Forward { listen, target } = forward;
            let insert = |port: u32| {
                let mut forwards = incoming.forwards.lock().unwrap_or_else(PoisonError::into_inner);
                forwards.insert(port, target.clone());
            };
            let port = u32::from(listen.port);
            if port != 0 {
                // A connection may come before the answer that it can.
                insert(port);
            }
            let bind = listen.bind.as_deref().unwrap_or("localhost");
            let bound = node.handle.tcpip_forward(bind, port).await.map_err(|error| {
                Failure::local(&format!("the server does not forward its port {port}"), &error).with_hint(
                    "your roles have to allow it (`signet status`), and nothing else may listen there",
                )
            })?;
            if port == 0 {
                insert(bound);
                crate::console::say(&format!("Allocated port {bound} for remote forward to {target}"));
            }
        }
        Ok(())
    }
}

/// Waits until the connection ends or somebody has had enough of it.
async fn until_end(node: &Node, name: &str) -> Result<Report, Failure> {
    let unheard = |error: std::io::Error| Failure::local("signals cannot be heard", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(unheard)?;
    let code = tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
        _ = hangup.recv() => 129,
        () = node.said.ended() => return Err(ended(node, name)),
    };
    Ok(Report::exit(code))
}

/// The failure of a connection that ended before it was done.
fn ended(node: &Node, name: &str) -> Failure {
    match node.farewell() {
        Some(words) => Failure::failed(format!("{name} ended the connection: {words}")),
        None => Failure::failed(format!("the connection to {name} broke"))
            .with_hint("the server, the proxy or the network went away; try again"),
    }
}
