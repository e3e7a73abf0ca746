mod register;

use std::net::IpAddr;

use api_types::NodeRow;
use api_types::TokenAnswer;
use clap::Args;
use clap::Subcommand;
use resource::Kind;
use resource::SystemRole;

use crate::connection::ConnectionArgs;
use crate::documents;
use crate::documents::Named;
use crate::failure::Failure;
use crate::pairs::joined;
use crate::pairs::labels;
use crate::pairs::shown;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use crate::tokens::TokenArgs;
use terminal::or_dash;
use terminal::table;
use terminal::visible;

/// Hosts that people reach
#[derive(Debug, Subcommand)]
pub(crate) enum NodesCommand {
    Add(AddArgs),
    Register(register::RegisterArgs),
    Ls(LsArgs),
    Rm(RmArgs),
}

/// Print the command by which a machine joins the cluster
///
/// It holds a new token, which is shown once, and the pins by which the machine recognises the cluster before it sends
/// the token.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl nodes add
  signetctl nodes add --ttl=5m --labels env=prod,team=web
  signetctl nodes add --ttl=5m --proxy=signet.example.com:3080
  signetctl nodes add --uses=20 --ttl=1h --format json | jq -r .command")]
pub(crate) struct AddArgs {
    /// What it becomes: node, and app or db, which have no service in this version
    #[arg(
        long,
        visible_alias = "type",
        value_name = "ROLE,…",
        value_delimiter = ',',
        default_value = "node"
    )]
    roles: Vec<SystemRole>,
    #[command(flatten)]
    token: TokenArgs,
    /// Where it joins, as HOST:PORT [default: the cluster's public address]
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    #[command(flatten)]
    output: FormatArgs,
}

/// List hosts
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl nodes ls
  signetctl nodes ls --format json \\
    | jq -r '.[] | select(.online == false) | .hostname'")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Remove hosts for good: their certificates end, and their ids never come back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl nodes rm web-1
  signetctl nodes rm 0d9f7a52-3a51-4c7e-9d0e-2f1c6a7b8c9d --yes")]
pub(crate) struct RmArgs {
    /// Their names or ids
    #[arg(value_name = "NAME|ID", required = true)]
    names: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl NodesCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        match self {
            Self::Add(arguments) => arguments.run(connection).await,
            Self::Register(arguments) => arguments.run(connection).await,
            Self::Ls(LsArgs { output }) => {
                let mut nodes = connection.client()?.nodes().await?;
                nodes.sort_by(|a, b| (&a.hostname, &a.host_id).cmp(&(&b.hostname, &b.host_id)));
                facts(&nodes, output.format, |is_wide| render(&nodes, is_wide))
            }
            Self::Rm(RmArgs { names, yes }) => {
                let acts = connection.admin()?;
                let mut found = Vec::new();
                for name in names {
                    let named = Named {
                        kind: Kind::Node,
                        name: documents::name(name)?.into(),
                    };
                    found.push(documents::get(&acts.client(), &named).await?);
                }
                crate::rm::remove(&acts, &found, false, *yes).await
            }
        }
    }
}

/// The system roles that `signetd start --roles=…` joins in.
const JOINING: [SystemRole; 3] = [SystemRole::Node, SystemRole::App, SystemRole::Db];

/// A token and what to do with it.
#[derive(serde::Serialize)]
struct Joining<'a> {
    #[serde(flatten)]
    token: &'a TokenAnswer,
    /// To be run on the machine, in a shell of root's.
    command: String,
}

impl AddArgs {
    async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        self.check_roles()?;
        let token = crate::tokens::make(&connection.admin()?, &self.roles, &self.token).await?;
        let place = self.place(&token, connection.remote_host());
        let command = self.command(&token, &place)?;
        let joining = Joining {
            token: &token,
            command: command.replace(" \\\n   ", ""),
        };
        facts(&joining, self.output.format, |_| {
            self.render(&token, &place, &command)
        })
    }

    /// Refuses roles that `signetd` does not join in: the command would be refused there, and the token wasted.
    fn check_roles(&self) -> Result<(), Failure> {
        match self.roles.iter().find(|role| !JOINING.contains(role)) {
            None => Ok(()),
            Some(role) => Err(Failure::usage(
                format!(
                    "no machine joins as {}: the proxy runs beside the auth service, in this version",
                    role.as_str()
                ),
                "use --roles=node, with app and db where the machine is to have those roles",
            )),
        }
    }

    /// Where the machine joins, as well as it is known.
    fn place(&self, token: &TokenAnswer, reached: Option<&str>) -> Place {
        if let Some(known) = self.proxy.as_ref().or(token.proxy.as_ref()) {
            return Place::Known(known.clone());
        }
        let listens = token.listens.as_deref().unwrap_or_default();
        let Some((host, port)) = listens.rsplit_once(':') else {
            return Place::Here("3080".to_owned());
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match reached {
            _ if is_loopback => Place::Here(port.to_owned()),
            Some(reached) => Place::Guessed(format!("{reached}:{port}")),
            None => Place::Guessed(listens.to_owned()),
        }
    }

    /// The command, an option a line.
    fn command(&self, token: &TokenAnswer, place: &Place) -> Result<String, Failure> {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.as_str()).collect();
        // Not as an option: what a program is started with can be read by everybody on its machine, and its environment cannot.
        let mut words = vec![
            format!("SIGNET_TOKEN={}", quoted(token.token.expose())),
            "signetd start".to_owned(),
            format!("--roles={}", roles.join(",")),
        ];
        words.extend(
            token
                .ca_pins
                .iter()
                .map(|pin| format!("--ca-pin={}", quoted(pin))),
        );
        words.push(format!(
            "--proxy={}",
            match place {
                Place::Known(proxy) | Place::Guessed(proxy) => quoted(proxy),
                Place::Here(port) => format!("PROXY:{}", quoted(port)),
            }
        ));
        let labels = labels(&self.token.labels)?;
        if !labels.is_empty() {
            words.push(format!("--labels={}", quoted(&shown(&labels))));
        }
        Ok(words.join(" \\\n    "))
    }

    fn render(&self, token: &TokenAnswer, place: &Place, command: &str) -> String {
        let uses = match self.token.uses {
            None | Some(1) => "once".to_owned(),
            Some(0) => "any number of times".to_owned(),
            Some(uses) => format!("{uses} times"),
        };
        let until = token.expires.as_ref().map_or_else(
            || "until it is removed".to_owned(),
            |expires| format!("until {}", visible(expires)),
        );
        let mut text = format!(
            "Run this on the machine, in a shell of root's. It works {uses}, {until}:\n\n{command}\n"
        );
        let without: Vec<&str> = self
            .roles
            .iter()
            .filter(|role| **role != SystemRole::Node)
            .map(|role| role.as_str())
            .collect();
        if !without.is_empty() {
            text.push_str(&format!(
                "\nIts certificates say {} as well; in this version no service uses that.\n",
                without.join(" and ")
            ));
        }
        match place {
            Place::Known(_) => {}
            Place::Guessed(address) => text.push_str(&format!(
                "\nThe cluster has no public address in its configuration. {} is where it is reached from here; where the machine\n\
                 reaches it by another name, write that. `proxy_service.public_addr` in the configuration settles it.\n",
                visible(address)
            )),
            Place::Here(port) => text.push_str(&format!(
                "\nThe cluster has no public address in its configuration, and its proxy listens on its own host only (port {port}).\n\
                 Have it listen for others (`proxy_service.web_listen_addr`), and write the name they reach it by in place of PROXY.\n",
                port = visible(port)
            )),
        }
        text.push_str(&format!(
            "\n`signetctl nodes ls` shows the machine once it has joined; `signetctl tokens rm {}` ends the token before its time.\n",
            visible(&token.name)
        ));
        text
    }
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@[]%+".contains(&byte);
    let word = visible(word);
    if !word.is_empty() && word.bytes().all(is_plain) && !word.contains('[') {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn render(nodes: &[NodeRow], is_wide: bool) -> String {
    let rows = nodes.iter().map(|node| {
        let NodeRow {
            host_id,
            hostname,
            addr,
            sub_kind,
            online,
            use_tunnel,
            seen_at,
            labels,
            logins,
            version,
        } = node;
        let address = match (use_tunnel, addr.is_empty()) {
            (true, true) => "tunnel".to_owned(),
            (true, false) => format!("tunnel ({addr})"),
            (false, _) => addr.clone(),
        };
        let state = match online {
            Some(true) => "online",
            Some(false) => "offline",
            None => "-",
        };
        let version = if version.is_empty() {
            sub_kind.clone()
        } else {
            version.clone()
        };
        (
            [
                hostname.clone(),
                host_id.clone(),
                shown(labels),
                address,
                state.to_owned(),
                version,
                or_dash(seen_at.as_ref()),
            ],
            joined(logins),
        )
    });
    let headings = ["name", "id", "labels", "address", "state", "version", "last seen"];
    if is_wide {
        let [name, id, labels, address, state, version, seen] = headings;
        let headings = [name, id, labels, address, state, version, seen, "your logins"];
        return table(
            headings,
            rows.map(|([a, b, c, d, e, f, g], logins)| [a, b, c, d, e, f, g, logins]),
        );
    }
    table(headings, rows.map(|(row, _)| row))
}

/// Where a machine joins.
enum Place {
    /// By the configuration, or as the operator said.
    Known(String),
    /// As this side, or the server's own host, reaches it.
    Guessed(String),
    /// At this port of the server's own host, which other hosts do not reach.
    Here(String),
}

#[cfg(test)]
mod tests;
