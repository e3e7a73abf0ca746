use std::path::Path;
use std::path::PathBuf;

use api_client::CaPin;
use api_client::ClientError;
use api_types::LoginAnswer;
use api_types::LoginFinishRequest;
use api_types::SecondFactorProof;
use api_types::SecretText;
use clap::Args;
use clap::ValueEnum;
use names::Ttl;
use names::UnixSeconds;

use crate::agent;
use crate::browser_login;
use crate::cluster::Cluster;
use crate::cluster::Met;
use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::files;
use crate::home::Login;
use crate::home::Profile;
use crate::key_pair::KeyPair;
use crate::report::Report;
use crate::session::Credentials;
use crate::session::Session;
use crate::session::SessionArgs;
use crate::session::remaining;
use crate::trust;
use crate::trust::Trust;

/// Log in: get certificates that are good for hours
///
/// Asks for the password and the second factor. Key pairs are made here; certificates and keys are stored under ~/.signet (or SIGNET_HOME) for
/// nobody else to read, and loaded into the SSH agent if one runs. Without a terminal the password and the code are read from standard input,
/// one a line. With --browser all of that happens on a page of the cluster: whoever has nothing but security keys logs in so.
///
/// A cluster that is not known here yet is recognised by --ca-pin, by a certificate that the whole world recognises, or by you: its pin is shown
/// and asked about.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet login --proxy=proxy.example.com:3080 --user=alice
  signet login --proxy=proxy.example.com --user=alice --ttl=1h \\
    --ca-pin=sha256:HEX
  signet login --proxy=proxy.example.com --browser
  signet login --user=ci --mfa-mode=totp --password-file=./password \\
    --out=./identity.pem")]
pub(crate) struct LoginArgs {
    /// Who you are; the one of the latest log-in when left out
    #[arg(long, short, value_name = "NAME", env = "SIGNET_USER", hide_env_values = true)]
    user: Option<String>,
    /// How long the certificates are to be good for, such as 8h; as long as your roles allow when left out
    #[arg(long, value_name = "DURATION")]
    ttl: Option<Ttl>,
    #[command(flatten)]
    pins: PinArgs,
    #[command(flatten)]
    proof: ProofArgs,
    /// Log in through a browser, where security keys work; as --user, else as the one of the latest log-in, else as whoever approves
    #[arg(long, conflicts_with_all = ["mfa_mode", "password_file"])]
    browser: bool,
    /// Do not open a browser, only print the address of the page
    #[arg(long, requires = "browser")]
    no_open: bool,
    /// Write everything into one file, and store nothing else
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not load the certificate into the SSH agent
    #[arg(long)]
    no_agent: bool,
}

/// By what a cluster is recognised.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PinArgs {
    /// The pin of the cluster's host authority, as `signetctl status` shows it; may be given twice
    #[arg(long = "ca-pin", value_name = "sha256:HEX")]
    pub(crate) pins: Vec<CaPin>,
    /// Something in front of the proxy ends TLS with a public certificate, and is to be trusted with passwords; remembered for this proxy
    #[arg(long)]
    pub(crate) tls_in_front: bool,
}

/// With what somebody proves who they are.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ProofArgs {
    /// The kind of second factor to use
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) mfa_mode: Option<MfaMode>,
    /// A file whose first line is the password; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// A kind of second factor that works in a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MfaMode {
    /// Six digits of an application
    Totp,
    /// One of the codes that were shown once
    RecoveryCode,
}

impl MfaMode {
    const fn word(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
        }
    }
}

impl LoginArgs {
    pub(crate) async fn run(
        &self,
        arguments: &SessionArgs,
        environment: &Environment,
    ) -> Result<Report, Failure> {
        if arguments.identity.is_some() {
            return Err(Failure::usage(
                "--identity is for using a file of certificates, not for making one",
                "to make one, say --out FILE",
            ));
        }
        let proxy = arguments.proxy(environment)?.ok_or_else(|| {
            Failure::usage(
                "it is not said where to log in",
                "name the proxy of the cluster: --proxy=HOST:3080",
            )
        })?;
        let user = match self.known_user(environment, &proxy)? {
            None if !self.browser => Some(ask_user(environment, &proxy)?),
            user => user,
        };
        if let Some(out) = &self.out
            && out.is_dir()
        {
            return Err(Failure::usage(
                format!("{} is a directory", out.display()),
                "name a file",
            ));
        }
        let met = Cluster::meet(environment, &proxy, &self.pins).await?;
        let session = match user {
            Some(user) if !self.browser => log_in(met, &user, self.ttl, &self.proof).await?,
            user => {
                let opener = environment.opener.as_deref().filter(|_| !self.no_open);
                browser_login::log_in(&met.cluster, user.as_deref(), self.ttl, opener).await?
            }
        };
        let mut text = String::new();
        match &self.out {
            Some(out) => {
                files::write_private(out, session.to_file()?.as_bytes())?;
                text.push_str(&format!("Wrote {}\n", out.display()));
            }
            None => {
                let is_in_agent = store(environment, &session, !self.no_agent).await?;
                text.push_str(&welcome(&session, environment.now));
                if is_in_agent {
                    text.push_str("The certificate is in your SSH agent, too.\n");
                }
            }
        }
        Ok(Report::good(text))
    }

    /// Who is named, or else who logged in last: nobody is replaced by somebody else unless that is said.
    fn known_user(&self, environment: &Environment, proxy: &str) -> Result<Option<String>, Failure> {
        if let Some(user) = &self.user {
            return Ok(Some(user.clone()));
        }
        let known = environment.home.profile(proxy)?.and_then(|profile| profile.login);
        match known {
            Some(login) => Ok(Some(login.user)),
            // Whoever approves is meant in a browser where nobody is logged in.
            None if self.browser => Ok(None),
            None => environment.home.place(proxy).last_user(),
        }
    }
}

/// Asks who logs in; the local account's name is what an empty line stands for.
fn ask_user(environment: &Environment, proxy: &str) -> Result<String, Failure> {
    if !console::is_attended() {
        return Err(nobody_named(proxy));
    }
    let usual = environment.local_user.as_deref();
    let shown = usual.map(|usual| format!(" [{usual}]")).unwrap_or_default();
    let answer = console::ask(&format!("User{shown}: "))?;
    match (answer.is_empty(), usual) {
        (false, _) => Ok(answer),
        (true, Some(usual)) => Ok(usual.to_owned()),
        (true, None) => Err(nobody_named(proxy)),
    }
}

fn nobody_named(proxy: &str) -> Failure {
    Failure::usage(
        "it is not said who logs in",
        format!("say `signet login --proxy={proxy} --user=NAME`"),
    )
}

/// Logs in again the one whose certificates ended, in the way of the last time.
pub(crate) async fn again(
    environment: &Environment,
    proxy: &str,
    before: &Login,
) -> Result<Session, Failure> {
    let met = Cluster::meet(environment, proxy, &PinArgs::default()).await?;
    let session = if before.is_by_browser {
        let opener = environment.opener.as_deref();
        browser_login::log_in(&met.cluster, Some(&before.user), None, opener).await?
    } else {
        log_in(met, &before.user, None, &ProofArgs::default()).await?
    };
    store(environment, &session, true).await?;
    Ok(session)
}

fn welcome(session: &Session, now: UnixSeconds) -> String {
    let Login {
        user,
        roles: _,
        logins,
        not_after,
        is_outgoing: _,
        is_by_browser: _,
    } = &session.login;
    let remaining = remaining(now, *not_after).unwrap_or_else(|| "no time".to_owned());
    format!(
        "Logged in to {} as {} for {remaining} (until {not_after}); logins: {}\n",
        terminal::visible(&session.cluster.name),
        terminal::visible(user),
        terminal::visible(&terminal::joined(logins))
    )
}

/// Proves who somebody is, and gets their certificates. Whoever mistypes in a terminal is asked once more.
async fn log_in(met: Met, user: &str, ttl: Option<Ttl>, proof: &ProofArgs) -> Result<Session, Failure> {
    let Met {
        cluster,
        client,
        second_factors,
    } = met;
    let is_attended = console::is_attended();
    // Typing takes its time, and the server has a use for the place meanwhile.
    let client = if is_attended { client.connecting() } else { client };
    // The same for everybody: who has which second factor is nobody's business before they proved who they are.
    if is_attended && proof.mfa_mode.is_none() && takes_keys(&second_factors) {
        console::tell("With a security key, stop this and log in by `signet login --browser`.");
    }
    let (ssh, tls) = (KeyPair::ssh(user)?, KeyPair::tls()?);
    let mut tries_left = if is_attended && proof.password_file.is_none() {
        2
    } else {
        1
    };
    loop {
        tries_left -= 1;
        let (password, second_factor) = ask_proof(&second_factors, user, proof)?;
        let request = LoginFinishRequest {
            challenge_id: None,
            user: user.to_owned(),
            password,
            second_factor,
            ssh_public_key: ssh.public.clone(),
            tls_public_key: tls.public.clone(),
            ttl_seconds: ttl.map(Ttl::seconds),
        };
        match client.login_finish(&request).await {
            Ok(answer) if answer.user == user => return session(&cluster, answer, ssh, tls),
            Ok(answer) => {
                return Err(Failure::failed(format!(
                    "the server logged {} in, who was not asked for; nothing was stored",
                    answer.user
                )));
            }
            Err(error) if tries_left > 0 && is_mistyped(&error) => {
                console::tell(&format!("{error}; try again, with a new code"));
            }
            Err(error) => return Err(refused(error)),
        }
    }
}

/// Whether security keys are a second factor here, which works in browsers alone.
fn takes_keys(accepted: &[String]) -> bool {
    accepted.iter().any(|kind| kind == "webauthn")
}

fn is_mistyped(error: &ClientError) -> bool {
    error.code() == Some("invalid_credentials")
}

/// A refusal with what can be done about it, where the server does not say.
pub(crate) fn refused(error: ClientError) -> Failure {
    let hint = match (error.code(), error.hint()) {
        (_, Some(_)) => None,
        (Some("invalid_credentials"), None) => Some(
            "user, password or second factor is wrong, or there were too many failures (then wait half an hour, or ask an operator for \
             `signetctl users unlock`); every code is good once; a security key works with --browser",
        ),
        (Some("busy"), None) => Some("try again in a moment"),
        (Some(_) | None, None) => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// The password and the second factor: asked for together, sent together.
pub(crate) fn ask_proof(
    accepted: &[String],
    user: &str,
    proof: &ProofArgs,
) -> Result<(SecretText, SecondFactorProof), Failure> {
    let mode = choose(accepted, proof.mfa_mode)?;
    let password = match &proof.password_file {
        Some(file) => console::secret_of_file(file)?,
        None => console::ask_secret(&format!("Password of {user}"))?,
    };
    if password.expose().is_empty() {
        return Err(Failure::failed("no password was given").with_hint("nothing was sent; try again"));
    }
    let second_factor = match mode {
        MfaMode::Totp => {
            SecondFactorProof::Totp(one_time_code(console::ask_code("Code of your application")?)?)
        }
        MfaMode::RecoveryCode => SecondFactorProof::RecoveryCode(console::ask_code("Recovery code")?),
    };
    Ok((password, second_factor))
}

/// A code that may be one: what cannot be is not sent, where it would count as a failure.
fn one_time_code(code: SecretText) -> Result<SecretText, Failure> {
    let text = code.expose();
    if text.len() == CODE_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(code);
    }
    Err(
        Failure::failed(format!("that is no code: codes have {CODE_DIGITS} digits"))
            .with_hint("nothing was sent; try again, or say --mfa-mode=recovery-code to use one of those"),
    )
}

/// The digits of a one-time code (RFC 6238).
const CODE_DIGITS: usize = 6;

fn choose(accepted: &[String], wanted: Option<MfaMode>) -> Result<MfaMode, Failure> {
    let is_accepted = |mode: MfaMode| accepted.iter().any(|kind| kind == mode.word());
    match wanted {
        Some(mode) if is_accepted(mode) => Ok(mode),
        Some(mode) => Err(Failure::usage(
            format!("the cluster does not accept {} here", mode.word()),
            format!("it accepts: {}", accepted.join(", ")),
        )),
        None if is_accepted(MfaMode::Totp) => Ok(MfaMode::Totp),
        None if is_accepted(MfaMode::RecoveryCode) => Ok(MfaMode::RecoveryCode),
        None => Err(Failure::usage(
            format!(
                "the second factors accepted here do not work in a terminal: {}",
                accepted.join(", ")
            ),
            "log in through a browser: `signet login --browser`",
        )),
    }
}

pub(crate) fn session(
    cluster: &Cluster,
    answer: LoginAnswer,
    ssh: KeyPair,
    tls: KeyPair,
) -> Result<Session, Failure> {
    let LoginAnswer {
        user,
        cluster: name,
        roles,
        logins,
        ssh_certificate,
        tls_certificate,
        not_after,
        trust,
    } = answer;
    let not_after: UnixSeconds = not_after
        .parse()
        .map_err(|error| Failure::local("the answer of the server cannot be read", &error))?;
    names::UserName::parse(&user)
        .map_err(|error| Failure::local("the answer of the server cannot be read", &error))?;
    let trust = trust::of_log_in(cluster, &name, &trust)?;
    Ok(Session {
        cluster: cluster.trusting(&trust),
        login: Login {
            user,
            roles,
            logins,
            not_after,
            is_outgoing: false,
            is_by_browser: false,
        },
        credentials: Credentials {
            ssh_key: ssh.private,
            ssh_certificate: format!("{}\n", ssh_certificate.trim_end()),
            tls_key: tls.private,
            tls_certificate: format!("{}\n", tls_certificate.trim_end()),
            known_hosts: trust.known_hosts,
        },
    })
}

/// Keeps a session, and loads it into the agent. Returns whether there is an agent that took it.
pub(crate) async fn store(
    environment: &Environment,
    session: &Session,
    with_agent: bool,
) -> Result<bool, Failure> {
    let Session {
        cluster,
        login,
        credentials,
    } = session;
    let mut profile = Profile {
        proxy: cluster.proxy.clone(),
        cluster: cluster.name.clone(),
        login: None,
        tls_in_front: cluster.is_fronted,
    };
    // Until everything is there nobody is logged in: a run in between sees no half of it.
    let place = environment.home.keep(&profile)?;
    let before = files::read_if_there(&place.ssh_certificate())?;
    let public = ssh_key::PrivateKey::from_openssh(credentials.ssh_key.as_bytes())
        .and_then(|key| key.public_key().to_openssh())
        .map_err(|error| Failure::local("cannot write the public key", &error))?;
    let private = |path: &Path, text: &str| files::write_private(path, text.as_bytes());
    private(&place.ssh_key(), &credentials.ssh_key)?;
    private(&place.ssh_public_key(), &format!("{public}\n"))?;
    private(&place.ssh_certificate(), &credentials.ssh_certificate)?;
    private(&place.tls_key(), &credentials.tls_key)?;
    private(&place.tls_certificate(), &credentials.tls_certificate)?;
    let trust = Trust {
        authorities: cluster.authorities.clone(),
        known_hosts: credentials.known_hosts.clone(),
    };
    {
        let _one_at_a_time = place.lock()?;
        place.keep_trust(&trust)?;
    }
    profile.login = Some(login.clone());
    environment.home.keep(&profile)?;
    place.keep_last_user(&login.user)?;
    environment.home.make_current(&cluster.proxy)?;
    let Some(socket) = environment.agent.as_deref().filter(|_| with_agent) else {
        return Ok(false);
    };
    if let Some(before) = before {
        // One that is not there need not be taken out.
        let _ = agent::remove(socket, &before).await;
    }
    let seconds = login.not_after.0.saturating_sub(environment.now.0);
    let identity = agent::Identity {
        key: &credentials.ssh_key,
        certificate: &credentials.ssh_certificate,
        comment: &format!("signet {}@{}", login.user, cluster.name),
        lifetime_seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1),
    };
    match agent::add(socket, &identity).await {
        Ok(()) => Ok(true),
        Err(error) => {
            console::say(&format!(
                "warning: the certificate is not in your SSH agent: {error}"
            ));
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_code_is_not_sent() {
        let is_sent = |text: &str| one_time_code(SecretText::new(text.to_owned())).is_ok();
        assert!(is_sent("012345"));
        for text in ["", "abc", "12345", "1234567", "12345x"] {
            assert!(!is_sent(text), "{text}");
        }
    }

    #[test]
    fn the_second_factor_is_chosen_from_what_works_here() {
        let accepts = |kinds: &[&str], wanted| {
            choose(&kinds.iter().map(ToString::to_string).collect::<Vec<_>>(), wanted)
        };
        assert_eq!(
            accepts(&["webauthn", "totp", "recovery_code"], None).unwrap(),
            MfaMode::Totp
        );
        assert_eq!(
            accepts(&["webauthn", "recovery_code"], None).unwrap(),
            MfaMode::RecoveryCode
        );
        assert_eq!(
            accepts(&["totp", "recovery_code"], Some(MfaMode::RecoveryCode)).unwrap(),
            MfaMode::RecoveryCode
        );
        assert!(accepts(&["webauthn"], None).is_err());
        assert!(accepts(&["webauthn"], Some(MfaMode::Totp)).is_err());
    }

    #[test]
    fn a_refusal_that_says_little_has_a_hint() {
        let error = |hint: Option<&str>| ClientError::Refused {
            status: 401,
            code: "invalid_credentials".to_owned(),
            message: "invalid credentials".to_owned(),
            hint: hint.map(ToOwned::to_owned),
            request_id: "r".to_owned(),
            retry_after: None,
        };
        assert!(
            refused(error(None))
                .lines()
                .contains("hint: user, password or second factor")
        );
        assert_eq!(
            refused(error(Some("look up"))).lines(),
            "error: invalid credentials\nhint: look up\n"
        );
    }

    #[test]
    fn nobody_is_replaced_by_somebody_else_unless_that_is_said() {
        let temporary = tempfile::tempdir().unwrap();
        let environment = Environment::bare(UnixSeconds(0), temporary.path());
        let proxy = "proxy.example.com:3080";
        let arguments = |user: Option<&str>| LoginArgs {
            user: user.map(ToOwned::to_owned),
            ttl: None,
            pins: PinArgs::default(),
            proof: ProofArgs::default(),
            browser: true,
            no_open: true,
            out: None,
            no_agent: true,
        };
        let known = |user| arguments(user).known_user(&environment, proxy).unwrap();
        assert_eq!(known(None), None, "nobody to be replaced");
        let login = Login {
            user: "alice".to_owned(),
            roles: Vec::new(),
            logins: Vec::new(),
            not_after: UnixSeconds(1),
            is_outgoing: false,
            is_by_browser: false,
        };
        let profile = Profile {
            proxy: proxy.to_owned(),
            cluster: "example.com".to_owned(),
            login: Some(login),
            tls_in_front: false,
        };
        environment.home.keep(&profile).unwrap();
        assert_eq!(known(None).as_deref(), Some("alice"));
        assert_eq!(known(Some("bob")).as_deref(), Some("bob"));
    }

    #[test]
    fn keys_of_a_log_in_are_what_servers_read() {
        let (ssh, tls) = (KeyPair::ssh("alice").unwrap(), KeyPair::tls().unwrap());
        assert!(ssh_cert::SubjectKey::from_line(&ssh.public).is_ok());
        assert!(tls.public.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert!(tls.private.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    }
}
