mod output;
mod request;

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use api_client::Client;
use api_types::SshPermission;
use clap::Args;
use clap::ValueEnum;
use names::Ttl;
use names::UnixSeconds;
use serde::Serialize;

use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::files::NewFile;
use crate::files::refuse_existing_paths;
use crate::files::write_all;
use crate::key_pair::KeyPair;
use crate::key_pair::KeyType;
use crate::reauthenticate::Purpose;
use crate::reauthenticate::privileged_for;
use crate::report::Format;
use crate::report::Report;
use crate::report::emit;
use crate::report::facts;
use terminal::visible;
use terminal::visible_lines;

/// Issue a credential
///
/// The key pair is made on this machine, and the private key goes nowhere but into the file. With --public-key the
/// credential is for a key that exists already. Files are all written or none, and existing ones are kept unless
/// --overwrite is given.
///
/// What is written, for --out=NAME: openssh NAME and NAME-cert.pub; file NAME (one key with its TLS and SSH certificates,
/// and what to trust); tls, db, db-client, windows and spiffe
/// NAME.key, NAME.crt and NAME.cas (what to trust); mongodb NAME.crt (with the key) and NAME.cas; jwt NAME.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl auth sign --format=openssh --user=alice --logins=alice,root \\
    --ttl=8h --out=alice
  signetctl auth sign --format=openssh --host=web-1.example.com,10.0.0.7 \\
    --public-key=/etc/ssh/ssh_host_ed25519_key.pub \\
    --out=/etc/ssh/ssh_host_ed25519_key
  signetctl auth sign --format=file --user=alice --roles=editor --out=alice.pem
  signetctl auth sign --format=db --host=db.example.com,10.0.0.5 --ttl=90d \\
    --out=server
  signetctl auth sign --format=mongodb --host=mongo.example.com --out=mongo
  signetctl auth sign --format=db-client --user=app --out=app
  signetctl auth sign --format=windows --user=alice --domain=corp.example.com \\
    --out=alice
  signetctl auth sign --format=spiffe --path=/ns/prod/sa/web \\
    --dns-name=web.example.com --out=web
  signetctl auth sign --format=jwt --subject=alice \\
    --audience=https://app.example.com --ttl=5m")]
pub(crate) struct SignArgs {
    /// What to issue
    #[arg(long, value_enum)]
    format: SignFormat,
    /// Where to write: a name that endings are added to
    #[arg(long, short, value_name = "NAME")]
    out: Option<PathBuf>,
    /// Whom it names: a person or an account
    #[arg(long, visible_alias = "windows-user", value_name = "NAME")]
    user: Option<String>,
    /// Which host it names: names and addresses, the first of which is its own
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    host: Vec<String>,
    /// How long it is good for [default: the server's for the format]
    #[arg(long, value_name = "TIME")]
    ttl: Option<Ttl>,
    /// The accounts an SSH certificate is good for [default: the user's own name]
    #[arg(
        long,
        visible_alias = "principals",
        value_name = "NAME,…",
        value_delimiter = ','
    )]
    logins: Vec<String>,
    /// The roles it carries
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    roles: Vec<String>,
    /// Where an SSH certificate may be used from
    #[arg(long = "source-address", value_name = "CIDR,…", value_delimiter = ',')]
    source_addresses: Vec<String>,
    /// The only command an SSH certificate may run
    #[arg(long, value_name = "COMMAND")]
    force_command: Option<String>,
    /// What an SSH certificate permits, instead of the server's default: pty, port-forwarding, agent-forwarding,
    /// x11-forwarding, user-rc
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',')]
    permit: Option<Vec<SshPermission>>,
    /// Another authority that issues the same: openssh for SSH users; oidc_idp, okta or spiffe for tokens
    #[arg(long = "type", value_name = "TYPE")]
    authority: Option<String>,
    /// The domain of a Windows account
    #[arg(long, visible_alias = "windows-domain", value_name = "DOMAIN")]
    domain: Option<String>,
    /// The security identifier of a Windows account
    #[arg(long, visible_alias = "windows-sid", value_name = "S-1-…")]
    sid: Option<String>,
    /// The path of a workload's SPIFFE id
    #[arg(long, value_name = "/PATH")]
    path: Option<String>,
    /// The DNS names a workload serves
    #[arg(long = "dns-name", value_name = "NAME,…", value_delimiter = ',')]
    dns_names: Vec<String>,
    /// Whom a token is about
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Whom a token is for
    #[arg(long, visible_alias = "uri", value_name = "NAME,…", value_delimiter = ',')]
    audience: Vec<String>,
    /// More claims of a token, as a JSON object
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// The type of the key pair to make [default: ed25519 for SSH, rsa-2048 for databases and Windows, else ecdsa-p256]
    #[arg(long, value_enum, conflicts_with = "public_key")]
    key_type: Option<KeyType>,
    /// Make no key pair: certify the public key (or certificate request) in this file
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Write a tar archive to standard output rather than files
    #[arg(long, requires = "out", conflicts_with = "overwrite")]
    tar: bool,
    /// Print what was written as JSON
    #[arg(long, conflicts_with = "tar")]
    json: bool,
}

/// What to issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SignFormat {
    /// An identity file for signetctl and plain ssh
    File,
    /// An SSH certificate for a user or a host
    Openssh,
    /// An X.509 certificate for a user or a host
    Tls,
    /// The server certificate of a database: PostgreSQL, MySQL, MariaDB
    Db,
    /// The server certificate of MongoDB
    Mongodb,
    /// The server certificate of CockroachDB
    Cockroachdb,
    /// The server certificate of Redis
    Redis,
    /// The client certificate of a database account
    #[value(alias = "db_client")]
    DbClient,
    /// A smart-card certificate for a Windows account
    Windows,
    /// The X.509 identity of a workload
    Spiffe,
    /// A token
    Jwt,
}

impl SignFormat {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// What was written, for `--json`.
#[derive(Debug, Serialize)]
struct Written {
    files: Vec<String>,
    serials: Vec<String>,
    not_after: String,
    hints: Vec<String>,
}

impl SignArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs, now: UnixSeconds) -> Result<Report, Failure> {
        let planned = self.planned_paths()?;
        if !self.tar {
            let paths: Vec<&Path> = planned.iter().map(PathBuf::as_path).collect();
            refuse_existing_paths(&paths, self.overwrite)?;
        }
        let client = connection.client()?;
        let keys = self.make_keys()?;
        let request = request::request(self, &keys)?;
        let answer = privileged_for(&client, &connection.browser, Purpose::Sign, async |client| {
            client.sign(&request).await
        })
        .await?;
        let Some(out) = &self.out else {
            return self.token_on_standard_output(&answer);
        };
        if let Some(user) = self.names_nobody(&client).await {
            let _ = write!(std::io::stderr(), "{}", warning(&user));
        }
        let files = output::files(self.format, out, &keys, &answer)?;
        let hints = output::hints(self.format, out, &answer, connection.remote());
        if self.tar {
            emit(&crate::tar::archive(&files, now.as_u64())?)?;
            return Ok(Report::good(""));
        }
        write_all(&files, self.overwrite)?;
        let written = Written {
            files: files
                .iter()
                .map(|file: &NewFile| file.path.display().to_string())
                .collect(),
            serials: answer
                .certificates
                .iter()
                .map(|certificate| certificate.serial.clone())
                .collect(),
            not_after: answer.not_after.clone(),
            hints,
        };
        facts(
            &written,
            if self.json { Format::Json } else { Format::Text },
            |_| render(&written),
        )
    }

    /// The user that an identity is for, when there is none of that name. Who may not look at users is not told.
    async fn names_nobody(&self, client: &Client) -> Option<String> {
        match self.format {
            SignFormat::File | SignFormat::Tls => {}
            SignFormat::Openssh
            | SignFormat::Db
            | SignFormat::Mongodb
            | SignFormat::Cockroachdb
            | SignFormat::Redis
            | SignFormat::DbClient
            | SignFormat::Windows
            | SignFormat::Spiffe
            | SignFormat::Jwt => return None,
        }
        let user = self.user.as_ref()?;
        let found = client.resource("user", user).await;
        let is_unknown = matches!(&found, Err(error) if error.code() == Some("not_found"));
        is_unknown.then(|| user.clone())
    }

    fn token_on_standard_output(&self, answer: &api_types::SignAnswer) -> Result<Report, Failure> {
        match answer.certificates.as_slice() {
            [token] => Ok(Report::good(format!("{}\n", token.content.expose()))),
            _ => Err(Failure::failed("the server sent something other than one token")),
        }
    }
}

/// The keys a credential is for.
enum Keys {
    /// Made here.
    Made {
        tls: Option<KeyPair>,
        ssh: Option<KeyPair>,
    },
    /// The public key that `--public-key` names.
    Given(String),
    /// A token has none.
    None,
}

impl SignArgs {
    fn make_keys(&self) -> Result<Keys, Failure> {
        if let Some(path) = &self.public_key {
            if matches!(
                self.format,
                SignFormat::Jwt | SignFormat::File | SignFormat::Mongodb
            ) {
                return Err(Failure::usage(
                    format!("--public-key does not go with --format={}", self.format.name()),
                    "leave it out: the key belongs into the same file",
                ));
            }
            let what = format!("cannot read {}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| Failure::local(&what, &error))?;
            if text.contains("PRIVATE KEY") {
                return Err(Failure::failed(format!("{} holds a private key", path.display()))
                    .with_hint("name the public one; a private key is never sent"));
            }
            return Ok(Keys::Given(text.trim().to_owned()));
        }
        let comment = self
            .user
            .as_deref()
            .or(self.host.first().map(String::as_str))
            .unwrap_or_default();
        let ssh = |kind: Option<KeyType>| KeyPair::ssh(kind.unwrap_or(KeyType::Ed25519), comment).map(Some);
        let tls = |default: KeyType| KeyPair::tls(self.key_type.unwrap_or(default)).map(Some);
        Ok(match self.format {
            SignFormat::Openssh => Keys::Made {
                tls: None,
                ssh: ssh(self.key_type)?,
            },
            SignFormat::File => Keys::Made {
                tls: tls(KeyType::EcdsaP256)?,
                ssh: None,
            },
            SignFormat::Tls | SignFormat::Spiffe => Keys::Made {
                tls: tls(KeyType::EcdsaP256)?,
                ssh: None,
            },
            SignFormat::Db
            | SignFormat::Mongodb
            | SignFormat::Cockroachdb
            | SignFormat::Redis
            | SignFormat::DbClient
            | SignFormat::Windows => Keys::Made {
                tls: tls(KeyType::Rsa2048)?,
                ssh: None,
            },
            SignFormat::Jwt => Keys::None,
        })
    }

    /// The paths that will be written, as far as they are known before the answer.
    fn planned_paths(&self) -> Result<Vec<PathBuf>, Failure> {
        match &self.out {
            Some(out) => Ok(output::paths(self.format, out, self.public_key.is_none())),
            None if self.format == SignFormat::Jwt => Ok(Vec::new()),
            None => Err(Failure::usage(
                format!("--format={} needs --out", self.format.name()),
                "say where to write: --out=NAME",
            )),
        }
    }
}

/// What a certificate that names nobody cannot do.
fn warning(user: &str) -> String {
    let user = visible(user);
    format!(
        "warning: there is no user {user}: what is decided by a user's roles is refused to this certificate (get, create, edit, rm, users, \
         nodes, tokens, lock); only what needs no user works (status, auth, keys, certs, audit)\n\
         hint: make the user: `signetctl users add {user} --roles=…`\n"
    )
}

fn render(written: &Written) -> String {
    let Written {
        files,
        serials: _,
        not_after,
        hints,
    } = written;
    let mut text: String = files.iter().map(|file| format!("wrote {file}\n")).collect();
    text.push_str(&format!("good until {not_after}\n"));
    for hint in hints {
        text.push('\n');
        text.push_str(&visible_lines(hint));
        text.push('\n');
    }
    text
}
