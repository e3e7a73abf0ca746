use std::collections::BTreeMap;
use std::collections::BTreeSet;

use api_types::NodeRow;
use clap::Args;

use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use crate::session::SessionArgs;
use terminal::joined;
use terminal::table;

/// List the servers you may reach
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet ls
  signet ls env=prod role=web
  signet ls --search web --format json")]
pub(crate) struct LsArgs {
    /// Only servers with these labels
    #[arg(value_name = "LABEL=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Only servers with this word in their name, address or labels; may be given again for another word
    #[arg(long, value_name = "WORD")]
    search: Vec<String>,
    #[command(flatten)]
    output: FormatArgs,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a label is NAME=VALUE, such as env=prod".to_owned()),
    }
}

impl LsArgs {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        let session = arguments.session(environment).await?;
        let mut nodes = session.api()?.nodes().await?;
        nodes.retain(|node| self.is_wanted(node));
        let unopened = keep_opened(&mut nodes, &session.login.logins);
        nodes.sort_by(|a, b| (&a.hostname, &a.host_id).cmp(&(&b.hostname, &b.host_id)));
        let report = facts(&nodes, self.output.format, || render(&nodes));
        if !unopened.is_empty() {
            console::say(&format!(
                "Your certificates are from before you were given: {}. To use them, log in again: `signet login --proxy={} --user={}`.",
                joined(&unopened),
                session.cluster.proxy,
                session.login.user
            ));
        }
        report
    }

    fn is_wanted(&self, node: &NodeRow) -> bool {
        let has = |(name, value): &(String, String)| node.labels.get(name) == Some(value);
        let labels = label_text(&node.labels);
        let text = format!("{} {} {} {labels}", node.hostname, node.host_id, node.addr).to_lowercase();
        self.labels.iter().all(has) && self.search.iter().all(|word| text.contains(&word.to_lowercase()))
    }
}

/// Leaves of every server's logins those that the certificates open, and returns the others.
fn keep_opened(nodes: &mut [NodeRow], opened: &[String]) -> Vec<String> {
    let mut unopened = BTreeSet::new();
    for node in nodes {
        node.logins.retain(|login| {
            let is_opened = opened.contains(login);
            if !is_opened {
                unopened.insert(login.clone());
            }
            is_opened
        });
    }
    unopened.into_iter().collect()
}

fn label_text(labels: &BTreeMap<String, String>) -> String {
    let labels = labels.iter().map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(",")
}

fn render(nodes: &[NodeRow]) -> String {
    let rows = nodes.iter().map(|node| {
        let address = match (node.addr.is_empty(), node.use_tunnel) {
            (true, _) | (_, true) => "(tunnel)".to_owned(),
            (false, false) => node.addr.clone(),
        };
        let online = match node.online {
            Some(true) => "online",
            Some(false) => "offline",
            None => "-",
        };
        [
            node.hostname.clone(),
            address,
            online.to_owned(),
            joined(&node.logins),
            label_text(&node.labels),
        ]
    });
    table(["node", "address", "state", "logins", "labels"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(hostname: &str, online: Option<bool>, env: &str) -> NodeRow {
        NodeRow {
            host_id: "5f1e".to_owned(),
            hostname: hostname.to_owned(),
            addr: "10.0.0.1:3022".to_owned(),
            sub_kind: "agent".to_owned(),
            online,
            use_tunnel: false,
            seen_at: None,
            labels: BTreeMap::from([("env".to_owned(), env.to_owned())]),
            logins: vec!["root".to_owned()],
            version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn servers_are_chosen_by_labels_and_words() {
        let wanted = |labels: &[&str], search: &[&str], node: &NodeRow| {
            let arguments = LsArgs {
                labels: labels.iter().map(|label| parse_label(label).unwrap()).collect(),
                search: search.iter().map(ToString::to_string).collect(),
                output: FormatArgs {
                    format: crate::report::Format::Text,
                },
            };
            arguments.is_wanted(node)
        };
        let web = node("Web-1", Some(true), "prod");
        assert!(wanted(&[], &[], &web));
        assert!(wanted(&["env=prod"], &["web"], &web));
        assert!(!wanted(&["env=dev"], &[], &web));
        assert!(!wanted(&["team=a"], &[], &web));
        assert!(!wanted(&[], &["web", "db"], &web));
        assert!(parse_label("env").is_err());
    }

    #[test]
    fn only_what_the_certificates_open_is_listed() {
        let mut nodes = [node("web-1", None, "prod"), node("web-2", None, "dev")];
        nodes[0].logins = ["root", "deploy", "backup"].map(str::to_owned).to_vec();
        let unopened = keep_opened(&mut nodes, &["root".to_owned(), "alice".to_owned()]);
        assert_eq!(unopened, ["backup", "deploy"]);
        assert_eq!(nodes.map(|node| node.logins), [["root"], ["root"]]);
    }

    #[test]
    fn the_table_says_what_is_reachable() {
        let nodes = [node("web-1", Some(true), "prod"), node("web-2", None, "dev")];
        assert_eq!(
            render(&nodes),
            "node  address       state  logins labels\n----- ------------- ------ ------ --------\n\
             web-1 10.0.0.1:3022 online root   env=prod\nweb-2 10.0.0.1:3022 -      root   env=dev\n"
        );
    }
}
