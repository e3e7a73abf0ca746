use clap::Args;
use clap::Subcommand;
use names::Ttl;
use names::UnixSeconds;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::LockSpec;
use resource::LockTarget;
use resource::Metadata;

use crate::connection::ConnectionArgs;
use crate::documents;
use crate::documents::Named;
use crate::documents::sent;
use crate::failure::Failure;
use crate::report::Format;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use terminal::visible;

/// Lock somebody or something out, and cut their live sessions within seconds
///
/// Whatever matches all that is given is locked. The lock ends at its time, or when it is removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl lock --user=alice --ttl=1h --message='the laptop was stolen'
  signetctl lock --role=contractor --expires=2026-12-31T23:00:00Z
  signetctl lock --user=alice --login=root
  signetctl lock --node=web-1")]
pub(crate) struct LockArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How long [default: until it is removed]
    #[arg(long, value_name = "TIME", conflicts_with = "expires")]
    ttl: Option<Ttl>,
    /// Until when
    #[arg(long, value_name = "RFC3339")]
    expires: Option<UnixSeconds>,
    /// What whoever it hits is told
    #[arg(long)]
    message: Option<String>,
    /// The form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Whom or what.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
struct TargetArgs {
    /// A user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Everybody who bears a role
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// An account on hosts
    #[arg(long, value_name = "NAME")]
    login: Option<String>,
    /// A host, by its name or id
    #[arg(long, value_name = "NAME|ID")]
    node: Option<String>,
    /// A second factor, by its id
    #[arg(long, value_name = "ID")]
    mfa_device: Option<String>,
}

/// Locks: who and what is locked out
#[derive(Debug, Subcommand)]
pub(crate) enum LocksCommand {
    Ls(LsArgs),
    Rm(RmArgs),
}

/// List locks
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl locks ls")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Remove locks: whom they kept out may come back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl locks rm 7c9e6679-7425-40de-944b-e07fc1f90ae7")]
pub(crate) struct RmArgs {
    /// Their names, as `locks ls` shows them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl LockArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs, now: UnixSeconds) -> Result<Report, Failure> {
        let document = documents::checked(self.document(uuid::Uuid::new_v4(), now)?)?;
        let request = sent(&document)?;
        let acts = connection.admin()?;
        let made = acts
            .act(async |client| client.create_resource(Kind::Lock.as_str(), &request).await)
            .await?;
        // It stands already: who is locked out in an emergency is not to wait for this.
        let unknown = self.unknown(&acts.client()).await;
        if !unknown.is_empty() {
            warn(&unknown);
        }
        let made = documents::understood(made)?;
        facts(&made, self.format, |_| self.render(made.metadata()))
    }

    /// What of the target nothing has for a name now, as far as that can be told.
    async fn unknown(&self, client: &api_client::Client) -> Vec<String> {
        let TargetArgs {
            user,
            role,
            login: _,
            node,
            mfa_device: _,
        } = &self.target;
        let mut unknown = Vec::new();
        for (kind, name) in [(Kind::User, user), (Kind::Role, role), (Kind::Node, node)] {
            let Some(name) = name else { continue };
            let named = Named {
                kind,
                name: name.clone(),
            };
            if let Err(failure) = documents::get(client, &named).await
                && failure.is_absence()
            {
                unknown.push(format!("no {kind} is called {:?} now", visible(name)));
            }
        }
        unknown
    }

    fn document(&self, id: uuid::Uuid, now: UnixSeconds) -> Result<AnyDocument, Failure> {
        let TargetArgs {
            user,
            role,
            login,
            node,
            mfa_device,
        } = self.target.clone();
        let expires = self.expires.or_else(|| self.ttl.map(|ttl| now.plus(ttl)));
        if expires.is_some_and(|end| end <= now) {
            return Err(Failure::usage(
                "the lock would be over already",
                "write a later moment, or --ttl=1h",
            ));
        }
        let mut metadata = Metadata::named(documents::name(&id.to_string())?);
        metadata.expires = expires;
        let spec = LockSpec {
            target: LockTarget {
                user,
                role,
                login,
                node,
                mfa_device,
            },
            message: self.message.clone(),
            ..LockSpec::default()
        };
        Ok(AnyDocument::Lock(Document::new(metadata, spec)))
    }

    fn render(&self, metadata: &Metadata) -> String {
        let TargetArgs {
            user,
            role,
            login,
            node,
            mfa_device,
        } = &self.target;
        let given = [
            ("user", user),
            ("role", role),
            ("login", login),
            ("node", node),
            ("mfa-device", mfa_device),
        ];
        let target: Vec<String> = given
            .into_iter()
            .filter_map(|(word, value)| value.as_ref().map(|value| format!("{word}={}", visible(value))))
            .collect();
        let until = metadata.expires.map_or_else(
            || "until the lock is removed".to_owned(),
            |end| format!("until {end}"),
        );
        let name = &metadata.name;
        format!(
            "locked {} {until}\nlock: {name}\n\nTo remove it before: signetctl locks rm {name}\n",
            target.join(" and ")
        )
    }
}

/// Says on standard error that a lock may be for nobody.
fn warn(unknown: &[String]) {
    let text = format!(
        "warning: {}; the lock stands, for whoever is called so later: look for a slip\n",
        unknown.join(", and ")
    );
    // Nobody is left to tell when it is closed.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}

impl LocksCommand {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let acts = connection.admin()?;
        match self {
            Self::Ls(LsArgs { output }) => {
                let locks = documents::list(&acts.client(), Kind::Lock).await?;
                facts(&locks, output.format, |is_wide| {
                    documents::table(Kind::Lock, &locks, is_wide)
                })
            }
            Self::Rm(RmArgs { names, yes }) => {
                let mut found = Vec::new();
                for name in names {
                    let named = Named {
                        kind: Kind::Lock,
                        name: documents::name(name)?.into(),
                    };
                    found.push(documents::get(&acts.client(), &named).await?);
                }
                crate::rm::remove(&acts, &found, false, *yes).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Outer {
        #[command(flatten)]
        lock: LockArgs,
    }

    fn parse(words: &[&str]) -> Result<LockArgs, String> {
        let words = std::iter::once("lock").chain(words.iter().copied());
        Outer::try_parse_from(words)
            .map(|outer| outer.lock)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_lock_is_what_was_typed() {
        let now: UnixSeconds = "2026-03-01T12:00:00Z".parse().unwrap();
        let id = uuid::Uuid::nil();
        let lock = parse(&[
            "--user=alice",
            "--login=root",
            "--ttl=1h",
            "--message=the laptop was stolen",
        ])
        .unwrap();
        let document = documents::checked(lock.document(id, now).unwrap()).unwrap();
        assert_eq!(
            sent(&document).unwrap(),
            serde_json::json!({
                "kind": "lock", "version": "v1",
                "metadata": {"name": id.to_string(), "expires": "2026-03-01T13:00:00Z"},
                "spec": {"target": {"user": "alice", "login": "root"}, "message": "the laptop was stolen"},
            })
        );
        insta::assert_snapshot!(lock.render(document.metadata()));
    }

    #[test]
    fn a_lock_names_somebody_and_ends_in_the_future() {
        let now: UnixSeconds = "2026-03-01T12:00:00Z".parse().unwrap();
        assert!(parse(&["--ttl=1h"]).is_err());
        assert!(parse(&["--user=a", "--ttl=1h", "--expires=2026-03-01T13:00:00Z"]).is_err());
        let past = parse(&["--user=a", "--expires=2026-03-01T11:00:00Z"]).unwrap();
        assert!(past.document(uuid::Uuid::nil(), now).is_err());
        let endless = parse(&["--mfa-device=x"]).unwrap();
        let document = endless.document(uuid::Uuid::nil(), now).unwrap();
        assert_eq!(document.metadata().expires, None);
        assert!(
            endless
                .render(document.metadata())
                .contains("until the lock is removed")
        );
    }
}
