//! `/web`: the nodes that somebody may see, and how to reach them.

use std::sync::Arc;

use access::AccessSet;
use axum::extract::Query;
use axum::extract::State;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::Response;
use enrollment::NodeStatus;
use resource::ResourceName;

use crate::pages;
use crate::pages::Frame;
use crate::pages::NodeView;
use crate::pages::NodesPage;
use crate::problem::Problem;
use crate::signed_in::SignedIn;
use crate::site::Site;

/// How many nodes a page shows.
const SHOWN: usize = 100;
/// The longest text to search for, in bytes.
const QUERY_MAX: usize = 256;

type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// `GET /web`.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    asked: Asked,
    signed_in: SignedIn,
) -> Result<Response, Problem> {
    let Query(pairs) = asked.map_err(|error| Problem::malformed("query", error.body_text()))?;
    let asked = |name: &str| {
        let found = pairs.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.trim())
    };
    let query = asked("q");
    if query.len() > QUERY_MAX {
        return Err(Problem::malformed(
            "q",
            format!("is longer than {QUERY_MAX} bytes"),
        ));
    }
    let after = match asked("after") {
        "" => None,
        text => {
            let name =
                ResourceName::parse(text).map_err(|error| Problem::malformed("after", error.to_string()))?;
            Some(name)
        }
    };
    let user = ResourceName::parse(signed_in.user().as_str()).map_err(Problem::internal)?;
    let set = site.directory.access_set(&user).await?;
    let is_later = after.is_some();
    let (found, next) = matching(&site, &set, query, after).await?;
    let page = NodesPage {
        frame: Frame::of(&site, &signed_in, "nodes"),
        proxy: site.proxy_address.clone(),
        query: query.to_owned(),
        is_later,
        nodes: found
            .into_iter()
            .map(|status| view(&site, &signed_in, status))
            .collect(),
        next: next.map(String::from),
    };
    pages::page(StatusCode::OK, &page)
}

/// The next nodes in which a text is found, and the last of them when there are more.
async fn matching(
    site: &Site,
    set: &AccessSet,
    query: &str,
    mut after: Option<ResourceName>,
) -> Result<(Vec<NodeStatus>, Option<ResourceName>), Problem> {
    let query = query.to_lowercase();
    let mut found: Vec<NodeStatus> = Vec::new();
    loop {
        let page = site.enrollment.nodes(Some(set), after.as_ref(), SHOWN).await?;
        for status in page.nodes {
            if !is_match(&status, &query) {
                continue;
            }
            if found.len() == SHOWN {
                let last = found.last().map(|last| last.node.metadata.name.clone());
                return Ok((found, last));
            }
            found.push(status);
        }
        match page.next {
            None => return Ok((found, None)),
            next @ Some(_) => after = next,
        }
    }
}

/// Whether every word is in the name, the id or a label.
fn is_match(status: &NodeStatus, query: &str) -> bool {
    let metadata = &status.node.metadata;
    let mut text = format!("{}\n{}", status.node.spec.hostname, metadata.name);
    for (name, value) in &metadata.labels {
        text.push_str(&format!("\n{name}={value}"));
    }
    let text = text.to_lowercase();
    query.split_whitespace().all(|word| text.contains(word))
}

fn view(site: &Site, signed_in: &SignedIn, status: NodeStatus) -> NodeView {
    let NodeStatus {
        node,
        is_online,
        logins,
    } = status;
    let logins: Vec<String> = logins.into_iter().map(String::from).collect();
    let user = signed_in.user().as_str();
    let login = word(preferred(&logins, user));
    let name = node.spec.hostname;
    NodeView {
        signet_line: format!("signet ssh {login}@{}", word(&name)),
        ssh_line: format!("ssh {login}@{}.{}", word(&name), site.cluster.name()),
        standing: match is_online {
            Some(true) => "online",
            Some(false) => "offline",
            None => "agentless",
        },
        seen: node.spec.seen_at,
        labels: node.metadata.labels.into_iter().collect(),
        logins,
        name,
    }
}

/// The login that commands are shown with: the user's own name, `root`, or the first. One that programs would take for an option comes last.
fn preferred<'a>(logins: &'a [String], user: &str) -> &'a str {
    let own = logins.iter().find(|login| *login == user);
    let root = || logins.iter().find(|login| *login == "root");
    let first = || logins.iter().find(|login| !login.starts_with('-'));
    own.or_else(root).or_else(first).map_or("", String::as_str)
}

/// A word as a shell reads it back.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | ':' | '/');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_with_the_likeliest_login() {
        let logins = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(preferred(&logins(&["admin", "alice", "root"]), "alice"), "alice");
        assert_eq!(preferred(&logins(&["admin", "root"]), "alice"), "root");
        assert_eq!(
            preferred(&logins(&["-oProxyCommand=x", "admin"]), "alice"),
            "admin"
        );
        assert_eq!(preferred(&logins(&["-x"]), "alice"), "");
    }

    #[test]
    fn words_read_back_in_a_shell() {
        assert_eq!(word("web-1.example.com"), "web-1.example.com");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's"), "'it'\\''s'");
        assert_eq!(word("$(x)"), "'$(x)'");
        assert_eq!(word(""), "''");
    }
}
