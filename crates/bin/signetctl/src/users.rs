use api_types::InviteAnswer;
use api_types::InviteRequest;
use clap::Args;
use clap::Subcommand;
use names::Ttl;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::Metadata;
use resource::ResourceName;
use resource::UserSpec;

use crate::connection::ConnectionArgs;
use crate::documents;
use crate::documents::Named;
use crate::documents::sent;
use crate::failure::Failure;
use crate::pairs::Pair;
use crate::pairs::lists;
use crate::reauthenticate::Privileged;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use terminal::visible;

/// People: who they are, and what they may do
#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    Add(AddArgs),
    Ls(LsArgs),
    Update(UpdateArgs),
    Reset(ResetArgs),
    Unlock(UnlockArgs),
    Rm(RmArgs),
}

/// Make a user, and a one-time link by which they sign up
///
/// With the link they choose a password and a second factor. It is shown once; `users reset` makes another.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl users add alice --roles=access --logins=root,alice
  signetctl users add bob --roles=access,auditor --logins=bob \\
    --traits team=web --ttl=8h")]
pub(crate) struct AddArgs {
    /// The name
    name: String,
    /// What they may do: the roles they bear
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',', required = true)]
    roles: Vec<String>,
    /// The accounts they may use on hosts, where a role says {{internal.logins}}
    #[arg(long, value_name = "LOGIN,…", value_delimiter = ',')]
    logins: Vec<String>,
    /// What else roles may read of them; give a key again for more values
    #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',')]
    traits: Vec<Pair>,
    /// How long the link is good for, at most 48h [default: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<Ttl>,
    #[command(flatten)]
    output: FormatArgs,
}

/// List users
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl users ls
  signetctl users ls --format wide")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Change a user's roles, logins or traits
///
/// What is given replaces what was there; what is not given stays. An empty value removes: --logins=''
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl users update alice --roles=access,editor
  signetctl users update alice --logins=alice,deploy --traits team=web")]
pub(crate) struct UpdateArgs {
    /// The name
    name: String,
    /// The roles
    #[arg(
        long,
        visible_alias = "set-roles",
        value_name = "ROLE,…",
        value_delimiter = ','
    )]
    roles: Option<Vec<String>>,
    /// The logins
    #[arg(
        long,
        visible_alias = "set-logins",
        value_name = "LOGIN,…",
        value_delimiter = ','
    )]
    logins: Option<Vec<String>>,
    /// Traits; those of other keys stay
    #[arg(
        long,
        visible_alias = "set-traits",
        value_name = "KEY=VALUE,…",
        value_delimiter = ','
    )]
    traits: Vec<Pair>,
}

/// Make a link by which a user sets another password and second factor
///
/// The old ones go on working until the link is used.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl users reset alice
  signetctl users reset alice --ttl=15m")]
pub(crate) struct ResetArgs {
    /// The name
    name: String,
    /// How long the link is good for, at most 48h [default: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<Ttl>,
    #[command(flatten)]
    output: FormatArgs,
}

/// Let a user try again who failed to log in too often
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl users unlock alice")]
pub(crate) struct UnlockArgs {
    /// The name
    name: String,
}

/// Remove users, with their passwords, second factors and sessions
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl users rm alice
  signetctl users rm alice bob --yes")]
pub(crate) struct RmArgs {
    /// The names
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Even the last user who may change anything
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl UsersCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        match self {
            Self::Add(arguments) => arguments.run(&connection.admin()?).await,
            Self::Ls(LsArgs { output }) => {
                let users = documents::list(&connection.client()?, Kind::User).await?;
                facts(&users, output.format, |is_wide| {
                    documents::table(Kind::User, &users, is_wide)
                })
            }
            Self::Update(arguments) => arguments.run(&connection.admin()?).await,
            Self::Reset(ResetArgs { name, ttl, output }) => {
                check_ttl(*ttl)?;
                let name = documents::name(name)?;
                let answer = invite(&connection.admin()?, &name, *ttl).await?;
                facts(&answer, output.format, |_| invitation(&answer))
            }
            Self::Unlock(UnlockArgs { name }) => {
                let name = documents::name(name)?;
                let acts = connection.admin()?;
                acts.act(async |client| client.unlock_user(name.as_str()).await)
                    .await?;
                Ok(Report::good(format!("{name} may try again\n")))
            }
            Self::Rm(RmArgs { names, force, yes }) => {
                let acts = connection.admin()?;
                let mut found = Vec::new();
                for name in names {
                    found.push(documents::get(&acts.client(), &user(name)?).await?);
                }
                crate::rm::remove(&acts, &found, *force, *yes).await
            }
        }
    }
}

fn user(name: &str) -> Result<Named, Failure> {
    Ok(Named {
        kind: Kind::User,
        name: documents::name(name)?.into(),
    })
}

fn roles(texts: &[String]) -> Result<Vec<ResourceName>, Failure> {
    given(texts).map(documents::name).collect()
}

/// What stands between the commas; nothing when nothing does.
fn given(texts: &[String]) -> impl Iterator<Item = &str> {
    texts
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
}

fn logins(texts: &[String]) -> Vec<String> {
    given(texts).map(str::to_owned).collect()
}

impl AddArgs {
    async fn run(&self, acts: &Privileged<'_>) -> Result<Report, Failure> {
        // Before anything is made: a user without the link that was wished for is half of what was asked.
        check_ttl(self.ttl)?;
        let document = documents::checked(self.document()?)?;
        let name = document.metadata().name.clone();
        let request = sent(&document)?;
        acts.act(async |client| client.create_resource(Kind::User.as_str(), &request).await)
            .await
            .map_err(|failure| match failure.code() {
            Some("already_exists") => failure.with_hint(format!(
                "`signetctl users update {name}` changes them, `signetctl users reset {name}` makes another link"
            )),
            Some(_) | None => failure,
        })?;
        let answer = invite(acts, &name, self.ttl).await.map_err(|failure| {
            failure
                .about(&format!("user {name} was made, and the link could not be"))
                .with_hint(format!("`signetctl users reset {name}` makes one"))
        })?;
        facts(&answer, self.output.format, |_| {
            format!(
                "user {name} was made, with {}\n{}",
                self.roles.join(", "),
                invitation(&answer)
            )
        })
    }

    fn document(&self) -> Result<AnyDocument, Failure> {
        let mut traits = lists(&self.traits);
        let logins = logins(&self.logins);
        if !logins.is_empty() && traits.insert(LOGINS.to_owned(), logins).is_some() {
            return Err(Failure::usage(
                "the logins are given twice",
                "say --logins, and leave them out of --traits",
            ));
        }
        let spec = UserSpec {
            roles: roles(&self.roles)?,
            traits,
            ..UserSpec::default()
        };
        let metadata = Metadata::named(documents::name(&self.name)?);
        Ok(AnyDocument::User(Document::new(metadata, spec)))
    }
}

impl UpdateArgs {
    async fn run(&self, acts: &Privileged<'_>) -> Result<Report, Failure> {
        if self.roles.is_none() && self.logins.is_none() && self.traits.is_empty() {
            return Err(Failure::usage(
                "what is to change?",
                "say --roles, --logins or --traits",
            ));
        }
        let found = documents::get(&acts.client(), &user(&self.name)?).await?;
        let AnyDocument::User(mut user) = found.without_read_only() else {
            return Err(Failure::failed("the server sent something other than a user"));
        };
        self.apply(&mut user.spec)?;
        let name = user.metadata.name.clone();
        let request = sent(&documents::checked(AnyDocument::User(user))?)?;
        acts.act(async |client| {
            client
                .put_resource(Kind::User.as_str(), name.as_str(), &request)
                .await
        })
        .await?;
        Ok(Report::good(format!(
            "user {name} was changed; certificates that they have keep what they say until they end\n"
        )))
    }

    fn apply(&self, spec: &mut UserSpec) -> Result<(), Failure> {
        if let Some(texts) = &self.roles {
            spec.roles = roles(texts)?;
        }
        spec.traits.extend(lists(&self.traits));
        match self.logins.as_deref().map(logins) {
            Some(none) if none.is_empty() => {
                spec.traits.remove(LOGINS);
            }
            Some(logins) => {
                spec.traits.insert(LOGINS.to_owned(), logins);
            }
            None => {}
        }
        Ok(())
    }
}

/// How long a link is good for at most.
const LINK_TTL_MAX: Ttl = Ttl::from_hours(48);

/// Refuses what the server would refuse of a link.
fn check_ttl(ttl: Option<Ttl>) -> Result<(), Failure> {
    match ttl {
        Some(ttl) if ttl > LINK_TTL_MAX || ttl.seconds() == 0 => Err(Failure::usage(
            format!("a link is not good for {ttl}, but for one second to {LINK_TTL_MAX}"),
            "write --ttl=48h or less; `signetctl users reset` makes another link at any time",
        )),
        Some(_) | None => Ok(()),
    }
}

async fn invite(
    acts: &Privileged<'_>,
    name: &ResourceName,
    ttl: Option<Ttl>,
) -> Result<InviteAnswer, Failure> {
    let request = InviteRequest {
        ttl_seconds: ttl.map(Ttl::seconds),
    };
    acts.act(async |client| client.invite_user(name.as_str(), &request).await)
        .await
}

/// What to hand to the user.
fn invitation(answer: &InviteAnswer) -> String {
    let InviteAnswer {
        user,
        purpose,
        token: _,
        url,
        expires,
    } = answer;
    let what = if purpose == "reset" {
        "set a new password and second factor"
    } else {
        "sign up"
    };
    let url = visible(url.expose());
    format!(
        "Give {user} this link to {what}. It works once, until {expires}:\n\n  {url}\n\n\
         Or, without a browser:\n\n  signet signup '{url}'\n",
        user = visible(user),
        expires = visible(expires),
    )
}

/// The trait that says the accounts on hosts.
const LOGINS: &str = "logins";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Outer {
        #[command(subcommand)]
        command: UsersCommand,
    }

    fn add(line: &str) -> AddArgs {
        let words = ["users", "add"].into_iter().chain(line.split_whitespace());
        let UsersCommand::Add(arguments) = Outer::try_parse_from(words).unwrap().command else {
            panic!("another command was read")
        };
        arguments
    }

    #[test]
    fn a_user_is_what_was_typed() {
        let document = add("alice --roles=access,editor --logins=root,alice --traits team=web,team=db")
            .document()
            .unwrap();
        let value = sent(&documents::checked(document).unwrap()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "kind": "user", "version": "v1", "metadata": {"name": "alice"},
                "spec": {
                    "roles": ["access", "editor"],
                    "traits": {"logins": ["root", "alice"], "team": ["web", "db"]},
                },
            })
        );
        assert!(
            add("alice --roles=access --logins=a --traits logins=b")
                .document()
                .is_err()
        );
        assert!(add("a/b --roles=access").document().is_err());
    }

    #[test]
    fn a_link_that_cannot_be_is_refused_before_the_user_is_made() {
        for (ttl, is_good) in [("48h", true), ("1s", true), ("72h", false), ("0s", false)] {
            let ttl = ttl.parse().ok();
            assert!(ttl.is_some() || !is_good);
            assert_eq!(check_ttl(ttl).is_ok(), is_good || ttl.is_none(), "{ttl:?}");
        }
        check_ttl(None).unwrap();
    }

    #[test]
    fn what_is_not_given_stays() {
        let mut spec = UserSpec {
            roles: vec!["access".parse().unwrap()],
            traits: lists(&["logins=root".parse().unwrap(), "team=web".parse().unwrap()]),
            ..UserSpec::default()
        };
        let update = |line: &str| {
            let words = ["users", "update", "alice"]
                .into_iter()
                .chain(line.split_whitespace());
            let UsersCommand::Update(arguments) = Outer::try_parse_from(words).unwrap().command else {
                panic!("another command was read")
            };
            arguments
        };
        update("--set-logins=alice,deploy").apply(&mut spec).unwrap();
        assert_eq!(spec.traits["logins"], ["alice", "deploy"]);
        assert_eq!(spec.traits["team"], ["web"]);
        assert_eq!(spec.roles.len(), 1);
        update("--logins= --roles=editor,auditor --traits team=db")
            .apply(&mut spec)
            .unwrap();
        assert!(!spec.traits.contains_key("logins"));
        assert_eq!(spec.traits["team"], ["db"]);
        assert_eq!(spec.roles.len(), 2);
    }

    #[test]
    fn the_link_is_shown_with_what_to_do() {
        let answer = |purpose: &str| InviteAnswer {
            user: "alice".to_owned(),
            purpose: purpose.to_owned(),
            token: "4f".to_owned().into(),
            url: "https://example.com:3080/web/invite/4f".to_owned().into(),
            expires: "2026-03-01T13:00:00Z".to_owned(),
        };
        insta::assert_snapshot!(format!(
            "{}\n{}",
            invitation(&answer("signup")),
            invitation(&answer("reset"))
        ));
    }
}
