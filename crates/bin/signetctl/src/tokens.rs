use api_types::TokenAnswer;
use api_types::TokenRequest;
use clap::Args;
use clap::Subcommand;
use names::Ttl;
use resource::Kind;
use resource::SystemRole;

use crate::connection::ConnectionArgs;
use crate::documents;
use crate::documents::Named;
use crate::failure::Failure;
use crate::pairs::Pair;
use crate::pairs::labels;
use crate::reauthenticate::Privileged;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use terminal::visible;

/// Tokens by which machines join the cluster
#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    Add(AddArgs),
    Ls(LsArgs),
    Rm(RmArgs),
}

/// Make a token
///
/// It is shown once; the server keeps its hash only.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl tokens add --type=node
  signetctl tokens add --type=node,proxy --ttl=5m --uses=3 --labels env=prod
  signetctl tokens add --type=node --uses=0 --ttl=1h --format json \\
    | jq -r .token")]
pub(crate) struct AddArgs {
    /// What whoever joins by it becomes: node, proxy, db, app
    #[arg(
        long = "type",
        visible_alias = "roles",
        value_name = "TYPE,…",
        value_delimiter = ',',
        required = true
    )]
    roles: Vec<SystemRole>,
    #[command(flatten)]
    token: TokenArgs,
    #[command(flatten)]
    output: FormatArgs,
}

/// What every token has.
#[derive(Debug, Clone, Args)]
pub(crate) struct TokenArgs {
    /// How long it is good for [default: 30m]
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<Ttl>,
    /// How many may join by it, 0 for any number [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) uses: Option<u32>,
    /// Labels for whoever joins by it
    #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',')]
    pub(crate) labels: Vec<Pair>,
}

/// List tokens that are good
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl tokens ls
  signetctl tokens ls --format json")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Remove tokens: nobody joins by them any more
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl tokens rm 3b5f9c21")]
pub(crate) struct RmArgs {
    /// Their first digits, as `tokens ls` shows them
    #[arg(value_name = "TOKEN", required = true)]
    names: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl TokensCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let acts = connection.admin()?;
        match self {
            Self::Add(AddArgs { roles, token, output }) => {
                let answer = make(&acts, roles, token).await?;
                facts(&answer, output.format, |_| render(&answer))
            }
            Self::Ls(LsArgs { output }) => {
                let tokens = documents::list(&acts.client(), Kind::Token).await?;
                facts(&tokens, output.format, |is_wide| {
                    documents::table(Kind::Token, &tokens, is_wide)
                })
            }
            Self::Rm(RmArgs { names, yes }) => {
                let mut found = Vec::new();
                for name in names {
                    let named = Named {
                        kind: Kind::Token,
                        name: documents::name(name)?.into(),
                    };
                    found.push(documents::get(&acts.client(), &named).await?);
                }
                crate::rm::remove(&acts, &found, false, *yes).await
            }
        }
    }
}

/// Makes a token at the server.
pub(crate) async fn make(
    acts: &Privileged<'_>,
    roles: &[SystemRole],
    arguments: &TokenArgs,
) -> Result<TokenAnswer, Failure> {
    let request = TokenRequest {
        roles: roles.iter().map(|role| role.as_str().to_owned()).collect(),
        ttl_seconds: arguments.ttl.map(Ttl::seconds),
        uses: arguments.uses,
        labels: labels(&arguments.labels)?,
    };
    acts.act(async |client| client.create_token(&request).await).await
}

fn render(answer: &TokenAnswer) -> String {
    let TokenAnswer {
        token,
        name,
        expires,
        ca_pins,
        proxy,
        listens,
    } = answer;
    let mut text = format!(
        "token:  {}\nname:   {}\n{}\n",
        visible(token.expose()),
        visible(name),
        until(expires.as_ref())
    );
    for pin in ca_pins {
        text.push_str(&format!("ca pin: {}\n", visible(pin)));
    }
    if let Some(proxy) = proxy.as_ref().or(listens.as_ref()) {
        text.push_str(&format!("join:   {}\n", visible(proxy)));
    }
    text.push_str(
        "\nThe token is shown only now. `signetctl nodes add` prints the whole command to join with.\n",
    );
    text
}

fn until(expires: Option<&String>) -> String {
    expires.map_or_else(
        || "until:  it is removed".to_owned(),
        |expires| format!("until:  {}", visible(expires)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown() {
        let answer = TokenAnswer {
            token: "5e".repeat(16).into(),
            name: "3b5f9c21".to_owned(),
            expires: Some("2026-03-01T12:30:00Z".to_owned()),
            ca_pins: vec![format!("sha256:{}", "0".repeat(64))],
            proxy: Some("example.com:3080".to_owned()),
            listens: None,
        };
        insta::assert_snapshot!(render(&answer));
    }
}
