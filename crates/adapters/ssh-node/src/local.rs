//! Sessions on this host, each as the account that was asked for.

mod account;
mod agent;
mod process;
mod referee;
mod terminal;

use std::ffi::OsString;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::process::Command;

pub use account::Account;
pub use account::Accounts;
pub use account::SystemAccounts;

use crate::backend::Backend;
use crate::backend::BackendFault;
use crate::backend::Destination;
use crate::backend::Listener;
use crate::backend::Order;
use crate::backend::Program;
use crate::backend::Stream;
use crate::backend::Target;
use crate::backend::Work;
use crate::exec_child;
use crate::gate::Admission;

/// How this program is started again as the helper that becomes a session's program: see [`crate::exec_child::main`].
#[derive(Debug, Clone)]
pub struct Helper {
    /// The program, which should be named by an absolute path.
    pub program: PathBuf,
    /// What comes before the helper's own arguments.
    pub arguments: Vec<OsString>,
}

/// Runs sessions on this host.
pub struct LocalTarget {
    /// The helper.
    pub helper: Helper,
    /// The accounts there are.
    pub accounts: Arc<dyn Accounts>,
    /// Where the directories of agent sockets are made, usually `/tmp`.
    pub socket_directory: PathBuf,
    /// Whether ports opened for clients are reachable from other hosts.
    pub gateway_ports: bool,
}

#[async_trait::async_trait]
impl Target for LocalTarget {
    async fn open(&self, admission: &Admission) -> Result<Arc<dyn Backend>, BackendFault> {
        let accounts = Arc::clone(&self.accounts);
        let login = admission.login.clone();
        // Accounts may come from a directory service.
        let found = tokio::task::spawn_blocking(move || account::may_become(&*accounts, &login)).await;
        let account =
            found.map_err(|_panicked| BackendFault("the account could not be looked up".to_owned()))??;
        Ok(Arc::new(LocalBackend {
            account,
            helper: self.helper.clone(),
            socket_directory: self.socket_directory.clone(),
            gateway_ports: self.gateway_ports,
        }))
    }
}

struct LocalBackend {
    account: Account,
    helper: Helper,
    socket_directory: PathBuf,
    gateway_ports: bool,
}

#[async_trait::async_trait]
impl Backend for LocalBackend {
    async fn start(&self, order: Order) -> Result<Program, BackendFault> {
        let Order {
            work,
            terminal,
            environment,
            agent,
            files,
        } = order;
        let fault =
            |what: &'static str| move |error: std::io::Error| BackendFault(format!("{what}: {error}"));
        let mut variables = self.account.variables();
        variables.extend(environment);
        let agent = match agent {
            None => None,
            Some(dialer) => {
                let socket = agent::AgentSocket::open(&self.socket_directory, &self.account, dialer)
                    .map_err(fault("a socket for the agent could not be made"))?;
                variables.push(("SSH_AUTH_SOCK".to_owned(), socket.path()));
                Some(socket)
            }
        };
        // Files are served without a terminal, whatever was asked for.
        let terminal = terminal.filter(|_| work != Work::Sftp);
        let mut command = Command::new(&self.helper.program);
        command
            .args(&self.helper.arguments)
            .args(exec_child::arguments(&self.account, &work, terminal.is_some()))
            .env_clear()
            .kill_on_drop(true);
        let Some(terminal) = terminal else {
            command.envs(variables);
            return match work {
                Work::Shell | Work::Command(_) => process::piped(command, agent),
                Work::Sftp => process::sftp(command, files),
            }
            .map_err(fault("the session could not be started"));
        };
        let opened = terminal::open(&terminal, &self.account);
        let terminal::Opened { master, slave, path } =
            opened.map_err(fault("a terminal could not be opened"))?;
        variables.push(("TERM".to_owned(), terminal.name));
        variables.push(("SSH_TTY".to_owned(), path));
        command.envs(variables);
        let started = async {
            command
                .stdin(Stdio::from(slave.try_clone()?))
                .stdout(Stdio::from(slave.try_clone()?))
                .stderr(Stdio::from(slave));
            process::on_terminal(command, master, agent)
        };
        started.await.map_err(fault("the session could not be started"))
    }

    async fn connect(&self, destination: &Destination) -> Result<Box<dyn Stream>, BackendFault> {
        let address = (destination.host.as_str(), destination.port);
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| BackendFault(error.to_string()))?;
        let _unchanged = stream.set_nodelay(true);
        Ok(Box::new(stream))
    }

    async fn listen(&self, host: &str, port: u16) -> Result<Box<dyn Listener>, BackendFault> {
        if (1..1024).contains(&port) && !self.account.is_root() {
            return Err(BackendFault("ports below 1024 are root's".to_owned()));
        }
        let address = self.listening_address(host)?;
        let listener = TcpListener::bind((address, port)).await;
        let listener = listener.map_err(|error| BackendFault(error.to_string()))?;
        let port = listener
            .local_addr()
            .map_err(|error| BackendFault(error.to_string()))?
            .port();
        Ok(Box::new(LocalListener { listener, port }))
    }
}

impl LocalBackend {
    /// The address meant by RFC 4254, section 7.1; without gateway ports always a loopback address, as OpenSSH does it.
    fn listening_address(&self, host: &str) -> Result<IpAddr, BackendFault> {
        let is_v6 = host == "::" || host == "::1";
        let loopback = if is_v6 {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        } else {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        };
        if !self.gateway_ports || host == "localhost" {
            return Ok(loopback);
        }
        match host {
            "" | "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            address => address
                .parse()
                .map_err(|_| BackendFault("the address to listen on is not one".to_owned())),
        }
    }
}

struct LocalListener {
    listener: TcpListener,
    port: u16,
}

#[async_trait::async_trait]
impl Listener for LocalListener {
    fn port(&self) -> u16 {
        self.port
    }

    async fn accept(&mut self) -> Result<(Box<dyn Stream>, String, u16), BackendFault> {
        let (stream, from) = self
            .listener
            .accept()
            .await
            .map_err(|error| BackendFault(error.to_string()))?;
        let _unchanged = stream.set_nodelay(true);
        Ok((Box::new(stream), from.ip().to_string(), from.port()))
    }
}
