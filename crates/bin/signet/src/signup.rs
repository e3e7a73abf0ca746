use api_client::Client;
use api_client::ClientError;
use api_types::InviteChallenge;
use api_types::InviteFinishRequest;
use api_types::InviteFinished;
use api_types::NewSecondFactor;
use api_types::NewSecondFactorRequest;
use api_types::SecretText;
use api_types::TotpSecret;
use authn::Password;
use authn::PasswordProblem;
use authn::check_new_password;
use clap::Args;
use names::UserName;

use crate::cluster::Cluster;
use crate::cluster::proxy_address;
use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::login::PinArgs;
use crate::report::Report;
use crate::session::SessionArgs;

/// Use a sign-up link: set a password and a second factor
///
/// Links to set a new password and second factor work the same way. Without a terminal, the password and the code of the new second factor are
/// read from standard input, one a line; the secret that the code is made from goes to standard output before.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet signup https://proxy.example.com:3080/web/invite/TOKEN
  signet signup TOKEN --proxy=proxy.example.com:3080 \\
    --ca-pin=sha256:HEX")]
pub(crate) struct SignupArgs {
    /// The link, or the token at its end
    #[arg(value_name = "LINK|TOKEN")]
    link: String,
    #[command(flatten)]
    pins: PinArgs,
    /// What you call the device with the application for codes
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
}

/// How often somebody in a terminal may try a password that is not accepted, or a code that is wrong.
const TRIES: usize = 3;

impl SignupArgs {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        let (of_link, token) = parse_link(&self.link)?;
        let proxy = match (arguments.proxy.clone(), of_link) {
            (Some(proxy), _) | (None, Some(proxy)) => proxy,
            (None, None) => {
                return Err(Failure::usage(
                    "a token alone does not say where it is good",
                    "give the whole link, or name the proxy: --proxy=HOST:3080",
                ));
            }
        };
        let cluster = Cluster::meet(environment, &proxy, &self.pins).await?.cluster;
        let client = cluster.client()?;
        let info = client.invite(&token).await?;
        let what = match info.purpose.as_str() {
            "reset" => "Set a new password and second factor",
            _ => "Sign up",
        };
        console::tell(&format!(
            "{what}: {} at {}. The link is good until {}.",
            info.user, cluster.name, info.expires
        ));
        if !info.second_factors.iter().any(|kind| kind == "totp") {
            return Err(Failure::refused(format!(
                "the cluster accepts only second factors that do not work in a terminal: {}",
                info.second_factors.join(", ")
            ))
            .with_hint("open the link in a browser"));
        }
        let finished = self.finish(&client, &token, &info.user).await?;
        Ok(Report::good(done(&finished, &proxy)))
    }

    /// Asks for the password first, and begins the second factor once it may become one: whoever has to think of another password has
    /// typed no code in vain.
    async fn finish(
        &self,
        client: &Client,
        token: &SecretText,
        user: &str,
    ) -> Result<InviteFinished, Failure> {
        let mut password = new_password(user)?;
        let mut challenge = client.invite_begin(token, &totp()).await?;
        show_secret(challenge.totp.as_ref())?;
        let mut tries_left = if console::is_attended() { TRIES } else { 1 };
        loop {
            tries_left = tries_left.saturating_sub(1);
            let request = InviteFinishRequest {
                challenge_id: challenge.challenge_id.clone(),
                password: password.clone(),
                second_factor: NewSecondFactor::Totp(console::ask_code("Code that the application shows")?),
                device_name: self.device_name.clone(),
            };
            match client.invite_finish(token, &request).await {
                Ok(finished) => return Ok(finished),
                Err(error) if tries_left > 0 => match Again::after(&error) {
                    // What was refused for what was entered used nothing up: the secret in the application stays good.
                    Some(Again::Password) => {
                        console::tell(&format!("{error}"));
                        password = new_password(user)?;
                    }
                    Some(Again::Code) => console::tell(&format!("{error}; wait for the next code")),
                    Some(Again::Begin) => challenge = begun_again(client, token).await?,
                    None => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What to ask for again.
enum Again {
    Password,
    Code,
    /// The second factor from its beginning: it waited too long.
    Begin,
}

impl Again {
    fn after(error: &ClientError) -> Option<Self> {
        match error.code() {
            Some("weak_password") => Some(Self::Password),
            Some("second_factor_refused") => Some(Self::Code),
            Some("challenge_gone") => Some(Self::Begin),
            Some(_) | None => None,
        }
    }
}

/// What a terminal can make.
pub(crate) fn totp() -> NewSecondFactorRequest {
    NewSecondFactorRequest {
        kind: "totp".to_owned(),
    }
}

/// Another secret in the place of one that was not proven in time.
async fn begun_again(client: &Client, token: &SecretText) -> Result<InviteChallenge, Failure> {
    let challenge = client.invite_begin(token, &totp()).await?;
    console::tell(
        "That took too long. The secret is another one now: remove the one before from the application.",
    );
    show_secret(challenge.totp.as_ref())?;
    Ok(challenge)
}

/// A password that may become one, twice in a terminal. The server judges it again, by its own rules.
fn new_password(user: &str) -> Result<SecretText, Failure> {
    for _ in 0..TRIES {
        let password = console::ask_secret("New password (at least 12 characters)")?;
        match problem(&password, user) {
            None if !console::is_attended() => return Ok(password),
            None if password == console::ask_secret("The same once more")? => return Ok(password),
            None => console::tell("They are not the same."),
            Some(problem) if console::is_attended() => console::tell(&format!("{problem}.")),
            Some(problem) => return Err(Failure::refused(problem.to_string()).with_hint(STILL_GOOD)),
        }
    }
    Err(Failure::failed("no good password was given twice alike, nothing was set").with_hint(STILL_GOOD))
}

/// What to do after a password was not taken.
const STILL_GOOD: &str = "the link is still good: use it again with another password";

/// What keeps a text from becoming a user's password.
fn problem(password: &SecretText, user: &str) -> Option<PasswordProblem> {
    // A name that is none here is the server's to judge.
    let user: UserName = user.parse().ok()?;
    check_new_password(&Password::new(password.expose().to_owned()), &user).err()
}

/// Shows the secret of a second factor: the picture where somebody looks at it, and the words in any case.
pub(crate) fn show_secret(totp: Option<&TotpSecret>) -> Result<(), Failure> {
    let totp = totp.ok_or_else(|| Failure::failed("the server gave no secret to make codes from"))?;
    let words = format!(
        "Secret: {}\nURL:    {}\n",
        totp.secret.expose(),
        totp.url.expose()
    );
    if console::is_attended() {
        console::show(totp.qr_text.expose())?;
        console::show("Scan this with your application for codes, or type the secret.")?;
        return console::show(&words);
    }
    // Standard output is read by whoever makes the code.
    Report::good(words).print().map(drop)
}

/// The proxy and the token of a link; only the token when it is not a link.
fn parse_link(link: &str) -> Result<(Option<String>, SecretText), Failure> {
    let link = link.trim();
    let bad = || {
        Failure::usage(
            "this is no sign-up link",
            "give it as you got it: https://HOST:3080/…/TOKEN; links are good once, and for an hour",
        )
    };
    let (proxy, token) = match link.strip_prefix("https://") {
        Some(rest) => {
            let (authority, path) = rest.split_once('/').ok_or_else(bad)?;
            let path = path.split(['?']).next().unwrap_or_default();
            let token = path.trim_end_matches('/').rsplit(['/', '#']).next();
            // A link without a port is one of the web's own.
            let authority = if authority.contains(':') {
                authority.to_owned()
            } else {
                format!("{authority}:443")
            };
            (
                Some(proxy_address(&authority).map_err(|_| bad())?),
                token.unwrap_or_default(),
            )
        }
        None => (None, link),
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '=');
    if token.is_empty() || !token.chars().all(is_token) {
        return Err(bad());
    }
    Ok((proxy, SecretText::new(token.to_owned())))
}

fn done(finished: &InviteFinished, proxy: &str) -> String {
    let user = terminal::visible(&finished.user);
    let mut text = format!("The account of {user} is ready.\n");
    if !finished.recovery_codes.is_empty() {
        text.push_str(
            "\nRecovery codes: each is good once in the place of the second factor. They are not shown again; keep them safe.\n",
        );
        for code in &finished.recovery_codes {
            text.push_str(&format!("  {}\n", terminal::visible(code.expose())));
        }
    }
    text.push_str(&format!("\nLog in: signet login --proxy={proxy} --user={user}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_tokens_are_read() {
        let parse = |link| {
            let (proxy, token) = parse_link(link).unwrap();
            (proxy, token.expose().to_owned())
        };
        let both = |proxy: &str| (Some(proxy.to_owned()), "ab12".to_owned());
        assert_eq!(
            parse("https://p.example.com:3080/web/invite/ab12"),
            both("p.example.com:3080")
        );
        assert_eq!(
            parse("https://p.example.com/invite/ab12/"),
            both("p.example.com:443")
        );
        assert_eq!(
            parse("https://p.example.com:3080/web/invite#ab12"),
            both("p.example.com:3080")
        );
        assert_eq!(parse(" ab12\n"), (None, "ab12".to_owned()));
        for bad in ["", "https://p", "http://p/x", "https://p/a b", "a b"] {
            let refused = parse_link(bad).err().unwrap();
            assert!(
                !refused.lines().contains("a b"),
                "what may be a secret is not repeated"
            );
        }
    }

    #[test]
    fn recovery_codes_are_shown_with_what_to_do_next() {
        let finished = InviteFinished {
            user: "alice".to_owned(),
            recovery_codes: vec![SecretText::new("aaaa-bbbb".to_owned())],
        };
        let text = done(&finished, "p:3080");
        assert!(text.contains("\n  aaaa-bbbb\n"));
        assert!(text.ends_with("Log in: signet login --proxy=p:3080 --user=alice\n"));
    }
}
