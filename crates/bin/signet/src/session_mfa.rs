//! A second factor for one session: asked for when a server wants it, and traded for a certificate that is good for that session alone.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use api_client::Client;
use api_types::BrowserProofPurpose;
use api_types::SecondFactorProof;
use api_types::SecretText;
use api_types::SessionBeginRequest;
use api_types::SessionCertificate;
use api_types::SessionChallenge;
use api_types::SessionFinishRequest;
use clap::Args;
use zeroize::Zeroizing;

use crate::browser_proof;
use crate::browser_proof::BrowserArgs;
use crate::console;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::files;
use crate::key_pair::KeyPair;
use crate::login::refused;
use crate::report::Report;
use crate::session::Session;
use crate::target::Target;

/// Where the code of a second factor comes from, when a server asks for one.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CodeArgs {
    /// A file whose first line is the code of your second factor, for servers that ask for one each session; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "browser")]
    code_file: Option<PathBuf>,
    #[command(flatten)]
    browser: BrowserArgs,
}

/// Asks somebody for second factors of sessions.
pub(crate) struct SecondFactor<'a> {
    pub(crate) session: &'a Session,
    pub(crate) code: &'a CodeArgs,
    pub(crate) environment: &'a Environment,
}

/// A key and a certificate for one session. The key is kept nowhere else.
pub(crate) struct SessionCredential {
    /// In OpenSSH's form.
    pub(crate) key: Zeroizing<String>,
    /// A line.
    pub(crate) certificate: String,
}

/// Give your second factor for one session of OpenSSH
///
/// Asks for the code (in a browser for your security key), and writes a key and a certificate that are good for one session on one server by one account, to be begun within two
/// minutes. `signet ssh` and `signet scp` do this by themselves; `signet config --mfa` has OpenSSH do it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signet mfa session root@web-1 --out ./once
  signet mfa session root@web-1 --out ./once --browser")]
pub(crate) struct SessionFileArgs {
    /// Where the session is to be
    #[arg(value_name = "LOGIN@NODE", value_parser = Target::parse)]
    target: Target,
    /// Where the key is written; the certificate goes beside it, with -cert.pub at the end of its name
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Ask and write only when the server wants a second factor; the exit code is 1 when it does not
    #[arg(long)]
    if_needed: bool,
    #[command(flatten)]
    code: CodeArgs,
}

/// How often somebody in front of a terminal may mistype.
const TRIES: u32 = 3;
/// A line is no longer than this.
const LINE_MAX: u64 = 4096;
/// The terminal of whoever runs the program, wherever input and output go.
const TERMINAL: &str = "/dev/tty";

impl SessionFileArgs {
    pub(crate) async fn run(&self, session: &Session, environment: &Environment) -> Result<Report, Failure> {
        let login = self.target.login.as_deref().ok_or_else(|| {
            Failure::usage(
                "it is not said as which account",
                format!("say LOGIN@{}", self.target.node),
            )
        })?;
        if self.if_needed && required_by(session, &self.target).await.is_none() {
            return Ok(Report::exit(1));
        }
        let second_factor = SecondFactor {
            session,
            code: &self.code,
            environment,
        };
        let SessionCredential { key, certificate } = second_factor.give(&self.target, login).await?;
        files::write_private(&self.out, key.as_bytes())?;
        let mut beside = self.out.clone().into_os_string();
        beside.push("-cert.pub");
        files::write_private(
            Path::new(&beside),
            format!("{}\n", certificate.trim_end()).as_bytes(),
        )?;
        Ok(Report::good(Vec::new()))
    }
}

impl SecondFactor<'_> {
    /// Gives a second factor for a session, and returns what it was traded for.
    pub(crate) async fn give(&self, target: &Target, login: &str) -> Result<SessionCredential, Failure> {
        let client = self.session.api()?;
        let begin = SessionBeginRequest {
            login: login.to_owned(),
            node: target.node.clone(),
        };
        let mut tries = if self.code.code_file.is_some() { 1 } else { TRIES };
        loop {
            let need = client.session_begin(&begin).await?;
            let Some(SessionChallenge {
                required_by,
                challenge,
            }) = need.second_factor
            else {
                return Err(Failure::failed(format!(
                    "{} asks for a second factor, and the cluster no longer does",
                    target.node
                ))
                .with_hint("the server has not heard of that yet; try again in a moment"));
            };
            let pair = KeyPair::ssh(&format!("{login}@{}", target.node))?;
            let mut request = SessionFinishRequest {
                challenge_id: None,
                second_factor: None,
                login: login.to_owned(),
                node: need.host_id,
                ssh_public_key: pair.public,
            };
            if self.is_in_browser(&client, &challenge.second_factors).await? {
                let proven = self.proven(&begin, &need.hostname, &required_by).await?;
                let answer = proven.session_finish(&request).await.map_err(refused)?;
                return Ok(SessionCredential::new(pair.private, answer));
            }
            request.challenge_id = Some(challenge.challenge_id);
            request.second_factor = Some(SecondFactorProof::Totp(self.ask(login, &target.node)?));
            tries -= 1;
            match client.session_finish(&request).await {
                Ok(answer) => return Ok(SessionCredential::new(pair.private, answer)),
                Err(error) if tries > 0 && error.code() == Some("invalid_credentials") => {
                    console::tell("The code was not accepted; every code is good once.");
                }
                Err(error) => return Err(refused(error)),
            }
        }
    }

    /// Whether the second factor is given in a browser: somebody says so, or has nothing that works in a terminal.
    async fn is_in_browser(&self, client: &Client, accepted: &[String]) -> Result<bool, Failure> {
        let CodeArgs { code_file, browser } = self.code;
        if browser.browser || code_file.is_some() {
            return Ok(browser.browser);
        }
        let takes_codes = accepted.iter().any(|kind| kind == "totp");
        if takes_codes && !client.me().await?.has_only_keys(accepted) {
            return Ok(false);
        }
        // A page may be opened by itself, but its code is read here.
        if terminal::is_watched() {
            return Ok(true);
        }
        Err(Failure::usage(
            "the session needs your second factor, which works in a browser alone, and there is no terminal to show the page's address on",
            "run it in a terminal, or with --browser, and open the page that is then named on standard error",
        ))
    }

    /// A client that shows that the second factor was given for the session.
    async fn proven(
        &self,
        begin: &SessionBeginRequest,
        hostname: &str,
        required_by: &str,
    ) -> Result<Client, Failure> {
        console::tell(&format!(
            "{}@{} needs your second factor ({}).",
            terminal::visible(&begin.login),
            terminal::visible(hostname),
            terminal::visible(required_by),
        ));
        let purpose = BrowserProofPurpose::Session(begin.clone());
        let opener = self.code.browser.opener(self.environment);
        browser_proof::proven(self.session, purpose, opener, console::tell).await
    }

    fn ask(&self, login: &str, node: &str) -> Result<SecretText, Failure> {
        let code = match &self.code.code_file {
            Some(file) => console::secret_of_file(file)?,
            None => ask_terminal(&format!(
                "{}@{} needs your second factor. Code of your application: ",
                terminal::visible(login),
                terminal::visible(node)
            ))?,
        };
        // Applications show codes in groups.
        Ok(SecretText::new(code.expose().trim().replace(' ', "")))
    }
}

/// Which role or setting asks for a second factor for a session there, as far as the cluster answers: the server decides anyway.
pub(crate) async fn required_by(session: &Session, target: &Target) -> Option<String> {
    let begin = SessionBeginRequest {
        login: target.login.clone()?,
        node: target.node.clone(),
    };
    let need = session.api().ok()?.session_begin(&begin).await.ok()?;
    Some(need.second_factor?.required_by)
}

impl SessionCredential {
    fn new(key: Zeroizing<String>, answer: SessionCertificate) -> Self {
        Self {
            key,
            certificate: answer.ssh_certificate,
        }
    }
}

/// Asks on the terminal: standard input may be the remote command's.
fn ask_terminal(question: &str) -> Result<SecretText, Failure> {
    let nobody = |_| {
        Failure::usage(
            "the session needs your second factor, and there is no terminal to ask for it on",
            "run it in a terminal, or give the code with --code-file=FILE (- is standard input)",
        )
    };
    let terminal = Path::new(TERMINAL);
    let mut to = File::options().write(true).open(terminal).map_err(nobody)?;
    let from = File::open(terminal).map_err(nobody)?;
    let mut line = Zeroizing::new(String::new());
    let asked = to
        .write_all(question.as_bytes())
        .and_then(|()| to.flush())
        .and_then(|()| BufReader::new(from.take(LINE_MAX)).read_line(&mut line));
    match asked {
        Ok(0) => Err(Failure::failed("no code was given")),
        Ok(_) => Ok(SecretText::new(line.to_string())),
        Err(error) => Err(Failure::local("cannot ask", &error)),
    }
}
