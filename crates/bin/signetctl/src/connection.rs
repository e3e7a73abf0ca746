use std::path::Path;
use std::path::PathBuf;

use api_client::CaPin;
use api_client::Client;
use api_client::Endpoint;
use api_client::Identity;
use clap::Args;
use secrecy::SecretString;

use crate::browser_proof::BrowserArgs;
use crate::failure::Failure;
use crate::reauthenticate::Privileged;
use crate::reauthenticate::Purpose;

/// Where the auth service is. On its own host nothing needs to be said.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// The data directory of the auth service on this host
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "SIGNET_DATA_DIR",
        hide_env_values = true
    )]
    data_dir: Option<PathBuf>,
    /// The socket of the auth service on this host
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SIGNET_SOCKET",
        hide_env_values = true
    )]
    socket: Option<PathBuf>,
    /// The configuration file of the auth service on this host, read for its data directory
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "SIGNET_CONFIG",
        hide_env_values = true
    )]
    config: Option<PathBuf>,
    /// Another host's auth service, as HOST:PORT; needs --identity
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT",
        env = "SIGNET_AUTH_SERVER",
        hide_env_values = true
    )]
    auth_server: Option<String>,
    /// The identity file to connect with, made by `signetctl auth sign --format file`
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "SIGNET_IDENTITY",
        hide_env_values = true
    )]
    identity: Option<PathBuf>,
    /// Trust only authorities with this key; may be given twice, as `signetctl status` shows them
    #[arg(long, global = true, value_name = "sha256:HEX")]
    ca_pin: Vec<String>,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
}

impl ConnectionArgs {
    /// The address by which another host's auth service is reached, when it is one.
    pub(crate) fn remote(&self) -> Option<&str> {
        self.auth_server.as_deref()
    }

    /// The host in it.
    pub(crate) fn remote_host(&self) -> Option<&str> {
        let (host, _port) = self.remote()?.rsplit_once(':')?;
        Some(host)
    }

    /// A client of the service these arguments name.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let endpoint = match (&self.auth_server, &self.identity) {
            (Some(address), Some(identity)) => self.elsewhere(address, identity)?,
            (Some(_), None) => {
                return Err(Failure::usage(
                    "--auth-server needs --identity",
                    "make an identity file on the server: `signetctl auth sign --format file --user NAME --out FILE`",
                ));
            }
            (None, Some(_)) => {
                return Err(Failure::usage(
                    "--identity needs --auth-server",
                    "say where to connect: --auth-server HOST:3025",
                ));
            }
            (None, None) => Endpoint::socket(self.socket_path(&system_environment())?),
        };
        Ok(Client::new(endpoint))
    }

    /// The same, for acts that decide who has access.
    pub(crate) fn admin(&self) -> Result<Privileged<'_>, Failure> {
        Ok(Privileged::new(&self.client()?, &self.browser, Purpose::Admin))
    }

    fn elsewhere(&self, address: &str, identity: &Path) -> Result<Endpoint, Failure> {
        let what = format!("cannot read {}", identity.display());
        let file = std::fs::read(identity).map_err(|error| Failure::local(&what, &error))?;
        let identity = Identity::parse(&file).map_err(|error| {
            Failure::local(&format!("cannot use {}", identity.display()), &error)
                .with_hint("make a new one with `signetctl auth sign --format file --user NAME --out FILE`")
        })?;
        let mut pins = Vec::new();
        for text in &self.ca_pin {
            let pin = text.parse::<CaPin>();
            pins.push(
                pin.map_err(|error| Failure::usage(error.to_string(), "copy it from `signetctl status`"))?,
            );
        }
        Ok(Endpoint::tls(address, identity, &pins)?)
    }

    /// `--socket`, or the one in `--data-dir`, or in the data directory of `--config`, or in the default data directory;
    /// for an ordinary user the system's when there is none of his own.
    fn socket_path(&self, environment: &config::Environment) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        if let Some(data_dir) = &self.data_dir {
            return Ok(data_dir.join(config::SOCKET_NAME));
        }
        if let Some(file) = &self.config {
            let what = format!("cannot read {}", file.display());
            let text = std::fs::read_to_string(file).map_err(|error| Failure::local(&what, &error))?;
            let config = config::load(&text, environment).map_err(|error| {
                Failure::local(&format!("cannot use {}", file.display()), &error)
                    .with_hint("check it with `signetd config check FILE`")
            })?;
            return Ok(config.socket_path());
        }
        let system = PathBuf::from(SYSTEM_DATA_DIR).join(config::SOCKET_NAME);
        match environment
            .data_dir()
            .map(|data_dir| data_dir.join(config::SOCKET_NAME))
        {
            Some(own) if own.exists() || !system.exists() => Ok(own),
            Some(_) | None => Ok(system),
        }
    }
}

/// The data directory of a service that root runs.
const SYSTEM_DATA_DIR: &str = "/var/lib/signet";

/// The environment, read once.
fn system_environment() -> config::Environment {
    config::Environment {
        is_root: nix::unistd::geteuid().is_root(),
        xdg_data_home: std::env::var_os("XDG_DATA_HOME").map(PathBuf::from),
        home: std::env::var_os("HOME").map(PathBuf::from),
        // The configuration is read for its data directory only, whatever its cluster is called.
        host_name: "localhost".to_owned(),
        // So is its PIN: the file need not hold one, and nothing is opened with this.
        pkcs11_pin: Some(SecretString::from("not needed here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_by_the_most_particular_argument() {
        let environment = config::Environment {
            home: Some(PathBuf::from("/nowhere/alice")),
            host_name: "laptop".to_owned(),
            ..config::Environment::default()
        };
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("signet.yaml");
        std::fs::write(&file, "signet: {data_dir: /srv/signet}\n").unwrap();
        let arguments = ConnectionArgs {
            socket: Some("/a.sock".into()),
            data_dir: Some("/b".into()),
            config: Some(file.clone()),
            ..ConnectionArgs::default()
        };
        assert_eq!(arguments.socket_path(&environment).unwrap(), Path::new("/a.sock"));
        let arguments = ConnectionArgs {
            socket: None,
            ..arguments
        };
        assert_eq!(
            arguments.socket_path(&environment).unwrap(),
            Path::new("/b/signet.sock")
        );
        let arguments = ConnectionArgs {
            data_dir: None,
            ..arguments
        };
        assert_eq!(
            arguments.socket_path(&environment).unwrap(),
            Path::new("/srv/signet/signet.sock")
        );
        std::fs::write(&file, "signet: {dta_dir: /srv/signet}\n").unwrap();
        assert!(arguments.socket_path(&environment).is_err());
    }

    #[test]
    fn a_configuration_without_its_pin_still_says_where_the_socket_is() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("signet.yaml");
        std::fs::write(
            &file,
            "signet: {data_dir: /srv/signet}\nauth_service: {ca_key_params: {pkcs11: {module_path: /m.so, token_label: a}}}\n",
        )
        .unwrap();
        let arguments = ConnectionArgs {
            config: Some(file),
            ..ConnectionArgs::default()
        };
        assert_eq!(
            arguments.socket_path(&system_environment()).unwrap(),
            Path::new("/srv/signet/signet.sock")
        );
    }

    #[test]
    fn another_host_needs_both_address_and_identity() {
        let only_address = ConnectionArgs {
            auth_server: Some("a:1".to_owned()),
            ..ConnectionArgs::default()
        };
        assert!(only_address.client().is_err());
        let only_identity = ConnectionArgs {
            identity: Some("/x".into()),
            ..ConnectionArgs::default()
        };
        assert!(only_identity.client().is_err());
    }
}
