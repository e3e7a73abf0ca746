use access::Verb;
use api_types::ExplainAnswer;
use api_types::ExplainRequest;
use clap::Args;
use clap::Subcommand;

use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use terminal::visible;

/// What people may do, and why
#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    Explain(ExplainArgs),
}

/// Tell what would be decided, and the rule that decides it
///
/// Nothing is done, and nobody is asked. The exit code is 0 when it is allowed and 3 when it is not.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl access explain --user alice --login root --node web-1
  signetctl access explain --user alice --resource role --verb update
  signetctl access explain --user alice --resource user --name alice --verb read
  signetctl access explain --user alice --login root --node web-1 \\
    --format json | jq .rule")]
pub(crate) struct ExplainArgs {
    /// Whose access
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The account on the node
    #[arg(long, value_name = "NAME", requires = "node")]
    login: Option<String>,
    /// The node, by its name or id
    #[arg(
        long,
        value_name = "NAME|ID",
        requires = "login",
        required_unless_present = "resource"
    )]
    node: Option<String>,
    /// A kind of resource, instead of a node
    #[arg(long, value_name = "KIND", requires = "verb", conflicts_with_all = ["node", "login"])]
    resource: Option<String>,
    /// One document of that kind, which conditions of rules ask about
    #[arg(long, value_name = "NAME", requires = "resource")]
    name: Option<String>,
    /// What is done with it: list, create, read, readnosecrets, update, delete, rotate, sign, use
    #[arg(long, requires = "resource")]
    verb: Option<Verb>,
    #[command(flatten)]
    output: FormatArgs,
}

impl AccessCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        match self {
            Self::Explain(arguments) => {
                let request = arguments.request();
                let answer = connection.client()?.explain(&request).await?;
                let report = facts(&answer, arguments.output.format, |_| render(&request, &answer))?;
                Ok(report.and_exit_code(if answer.allowed { 0 } else { DENIED }))
            }
        }
    }
}

impl ExplainArgs {
    fn request(&self) -> ExplainRequest {
        // Rules name kinds by their own words.
        let resource = self.resource.as_ref().map(|word| {
            resource::Kind::parse(word).map_or_else(|_| word.clone(), |kind| kind.as_str().to_owned())
        });
        ExplainRequest {
            user: self.user.clone(),
            login: self.login.clone(),
            node: self.node.clone(),
            resource,
            name: self.name.clone(),
            verb: self.verb.map(|verb| verb.to_string()),
        }
    }
}

/// The deciding rule first, then everything that was looked at.
fn render(request: &ExplainRequest, answer: &ExplainAnswer) -> String {
    let ExplainAnswer {
        allowed,
        role,
        rule,
        why,
        explanation,
    } = answer;
    let ExplainRequest {
        user,
        login,
        node,
        resource,
        name,
        verb,
    } = request;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let what = if node.is_some() {
        format!("{user} as {} on {}", word(login), word(node))
    } else {
        let name = name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{user}: {} {}{name}", word(verb), word(resource))
    };
    let verdict = if *allowed { "ALLOWED" } else { "DENIED" };
    let by = match (role, rule) {
        (Some(role), Some(rule)) => format!("by role {role}, {rule}: {why}"),
        (Some(role), None) => format!("by role {role}: {why}"),
        (None, Some(rule)) => format!("by {rule}: {why}"),
        (None, None) => why.clone(),
    };
    let mut text = format!("{verdict}  {}\n{}\n", visible(&what), visible(&by));
    if !explanation.is_empty() {
        text.push('\n');
    }
    for line in explanation {
        text.push_str(visible(line).trim_end());
        text.push('\n');
    }
    text
}

/// The exit code of a denial, the same as that of a refusal.
const DENIED: u8 = 3;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Outer {
        #[command(flatten)]
        explain: ExplainArgs,
    }

    fn request(line: &str) -> Result<ExplainRequest, String> {
        let words = std::iter::once("explain").chain(line.split_whitespace());
        Outer::try_parse_from(words)
            .map(|outer| outer.explain.request())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_node_or_a_kind_is_asked_about() {
        let about_node = request("--user alice --login root --node web-1").unwrap();
        assert_eq!(
            (about_node.login.as_deref(), about_node.resource),
            (Some("root"), None)
        );
        let about_kind = request("--user alice --resource cap --verb update").unwrap();
        assert_eq!(about_kind.resource.as_deref(), Some("cluster_auth_preference"));
        let about_one = request("--user alice --resource user --name bob --verb read").unwrap();
        assert_eq!(about_one.name.as_deref(), Some("bob"));
        for wrong in [
            "--user alice --login root --node web-1 --name bob",
            "--user alice",
            "--user alice --node web-1",
            "--user alice --login root",
            "--user alice --resource role",
            "--user alice --verb update",
            "--user alice --resource role --verb change",
            "--user alice --login root --node web-1 --resource role --verb read",
        ] {
            assert!(request(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_deciding_rule_stands_first() {
        let allowed = ExplainAnswer {
            allowed: true,
            role: Some("access".to_owned()),
            rule: Some("allow.logins[0]".to_owned()),
            why: "the login root is among {{internal.logins}}".to_owned(),
            explanation: vec![
                "role access: allows".to_owned(),
                "role auditor: says nothing".to_owned(),
            ],
        };
        let denied = ExplainAnswer {
            allowed: false,
            role: None,
            rule: None,
            why: "no role allows it".to_owned(),
            explanation: Vec::new(),
        };
        let node = request("--user alice --login root --node web-1").unwrap();
        let kind = request("--user alice --resource role --verb update").unwrap();
        let one = request("--user alice --resource role --name web --verb update").unwrap();
        assert!(render(&one, &denied).starts_with("DENIED  alice: update role/web\n"));
        insta::assert_snapshot!(format!("{}\n{}", render(&node, &allowed), render(&kind, &denied)));
    }
}
