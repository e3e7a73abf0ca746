use api_client::Client;
use api_types::AddSecondFactorRequest;
use api_types::BrowserProofPurpose;
use api_types::NewSecondFactor;
use api_types::ReauthenticateRequest;
use api_types::SecondFactorRow;
use clap::Args;
use clap::Subcommand;

use crate::browser_proof;
use crate::browser_proof::BrowserArgs;
use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::login::ProofArgs;
use crate::login::ask_proof;
use crate::login::refused;
use crate::report::FormatArgs;
use crate::report::Report;
use crate::report::facts;
use crate::session::Session;
use crate::session::SessionArgs;
use crate::session_mfa::SessionFileArgs;
use crate::signup::show_secret;
use crate::signup::totp;
use terminal::table;

/// Your second factors
#[derive(Debug, Subcommand)]
pub(crate) enum MfaCommand {
    Add(AddArgs),
    Ls(LsArgs),
    Rm(RmArgs),
    Session(SessionFileArgs),
}

/// Add an application for codes
///
/// Asks for your password and a second factor you have first, in a browser when that is a security key or with --browser. Without a terminal
/// everything is read from standard input, one a line: the password, the code, and then a code made from the secret that was printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet mfa add --name=phone
  signet mfa add --name=phone --browser")]
pub(crate) struct AddArgs {
    /// What you call it
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    anew: AnewArgs,
}

/// List them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet mfa ls
  signet mfa ls --format json")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    output: FormatArgs,
}

/// Remove one
///
/// Asks for your password and a second factor first, in a browser when that is a security key or with --browser. The last one stays.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet mfa rm phone")]
pub(crate) struct RmArgs {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    which: String,
    #[command(flatten)]
    anew: AnewArgs,
}

/// How somebody says anew who they are.
#[derive(Debug, Args)]
pub(crate) struct AnewArgs {
    #[command(flatten)]
    proof: ProofArgs,
    #[command(flatten)]
    browser: BrowserArgs,
}

impl MfaCommand {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        let session = arguments.session(environment).await?;
        match self {
            Self::Add(arguments) => arguments.run(&session, environment).await,
            Self::Ls(arguments) => arguments.run(&session).await,
            Self::Rm(arguments) => arguments.run(&session, environment).await,
            Self::Session(arguments) => arguments.run(&session, environment).await,
        }
    }
}

/// What the server calls these changes.
const PURPOSE: &str = "change_second_factors";

/// A client that shows with each call that the user said anew who they are.
async fn reauthenticated(
    session: &Session,
    anew: &AnewArgs,
    environment: &Environment,
) -> Result<Client, Failure> {
    let AnewArgs { proof, browser } = anew;
    let client = session.api()?;
    let challenge = client.reauthenticate_begin().await?;
    console::tell("This changes how you log in: say once more who you are.");
    let is_typed = proof.mfa_mode.is_some() || proof.password_file.is_some();
    if browser.browser && is_typed {
        return Err(Failure::usage(
            "with --browser nothing is typed here",
            "leave --mfa-mode and --password-file out, or --browser",
        ));
    }
    let has_only_keys = async || {
        let me = client.me().await?;
        Ok::<bool, Failure>(me.has_only_keys(&challenge.second_factors))
    };
    if browser.browser || (!is_typed && console::is_attended() && has_only_keys().await?) {
        let act = BrowserProofPurpose::Act(PURPOSE.to_owned());
        let opener = browser.opener(environment);
        return browser_proof::proven(session, act, opener, console::tell).await;
    }
    let (password, second_factor) = ask_proof(&challenge.second_factors, &session.login.user, proof)?;
    let request = ReauthenticateRequest {
        challenge_id: challenge.challenge_id,
        password,
        second_factor,
        purpose: PURPOSE.to_owned(),
    };
    let token = client.reauthenticate_finish(&request).await.map_err(refused)?;
    Ok(session.api()?.with_privilege(token.token))
}

impl AddArgs {
    async fn run(&self, session: &Session, environment: &Environment) -> Result<Report, Failure> {
        // Before anything is asked: what is refused in the end would have cost a proof.
        let me = session.api()?.me().await?;
        let name = self.name.to_lowercase();
        if me
            .second_factors
            .iter()
            .any(|row| row.name.to_lowercase() == name)
        {
            return Err(Failure::usage(
                format!("you have a second factor {:?} already", self.name),
                "give the new one another name: --name=NAME; see `signet mfa ls`",
            ));
        }
        let client = reauthenticated(session, &self.anew, environment).await?;
        let challenge = client.second_factor_begin(&totp()).await?;
        show_secret(challenge.totp.as_ref())?;
        let code = console::ask_code("Code that the new application shows")?;
        let request = AddSecondFactorRequest {
            challenge_id: challenge.challenge_id,
            second_factor: NewSecondFactor::Totp(code),
            name: self.name.clone(),
        };
        client.second_factor_finish(&request).await?;
        Ok(Report::good(format!("Added {}.\n", self.name)))
    }
}

impl LsArgs {
    async fn run(&self, session: &Session) -> Result<Report, Failure> {
        let me = session.api()?.me().await?;
        facts(&me.second_factors, self.output.format, || {
            let rows = me.second_factors.iter().map(|row| {
                let SecondFactorRow {
                    id,
                    name,
                    kind,
                    added,
                    last_used,
                } = row.clone();
                [
                    name,
                    kind,
                    added,
                    last_used.unwrap_or_else(|| "never".to_owned()),
                    id,
                ]
            });
            let codes = me.recovery_codes_left;
            format!(
                "{}\nRecovery codes left: {codes}\n",
                table(["name", "kind", "added", "last used", "id"], rows)
            )
        })
    }
}

impl RmArgs {
    async fn run(&self, session: &Session, environment: &Environment) -> Result<Report, Failure> {
        let me = session.api()?.me().await?;
        // Before anything is asked: a recovery code would be used up for nothing.
        let id = removable(&me.second_factors, &self.which)?.to_owned();
        let client = reauthenticated(session, &self.anew, environment).await?;
        client.second_factor_delete(&id).await?;
        Ok(Report::good(format!("Removed {}.\n", self.which)))
    }
}

/// The id of the one that is meant, when it may go.
fn removable<'a>(rows: &'a [SecondFactorRow], which: &str) -> Result<&'a str, Failure> {
    let id = find(rows, which)?;
    if rows.len() > 1 {
        return Ok(id);
    }
    Err(Failure::refused("the last second factor cannot be removed")
        .with_hint("add another one first: `signet mfa add`"))
}

/// The id of the one that is meant.
fn find<'a>(rows: &'a [SecondFactorRow], which: &str) -> Result<&'a str, Failure> {
    let hint = "see `signet mfa ls`";
    let mut found = rows.iter().filter(|row| row.id == which || row.name == which);
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(&row.id),
        (Some(_), Some(_)) => Err(Failure::usage(
            format!("several second factors are called {which:?}"),
            "name it by its id: `signet mfa ls`",
        )),
        (None, _) => Err(Failure::usage(
            format!("you have no second factor {which:?}"),
            hint,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_is_found_by_name_or_id() {
        let row = |id: &str, name: &str| SecondFactorRow {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: "totp".to_owned(),
            added: "2026-03-01T12:00:00Z".to_owned(),
            last_used: None,
        };
        let rows = [row("1", "phone"), row("2", "key"), row("3", "key")];
        assert_eq!(find(&rows, "phone").unwrap(), "1");
        assert_eq!(find(&rows, "2").unwrap(), "2");
        assert!(find(&rows, "key").is_err());
        assert!(find(&rows, "watch").is_err());
        assert_eq!(removable(&rows, "phone").unwrap(), "1");
        let refused = removable(&rows[..1], "phone").unwrap_err();
        assert!(refused.lines().contains("`signet mfa add`"), "{refused:?}");
    }
}
