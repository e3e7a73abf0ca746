use std::collections::BTreeMap;

use api_types::DatabaseFlavor;
use api_types::SignDatabase;
use api_types::SignDatabaseClient;
use api_types::SignIdentity;
use api_types::SignJwt;
use api_types::SignRequest;
use api_types::SignSpiffe;
use api_types::SignSshHost;
use api_types::SignSshUser;
use api_types::SignTlsHost;
use api_types::SignWindows;
use api_types::SshPermission;
use authority::AuthorityType;
use key::PublicKey;
use names::Ttl;
use names::UserName;
use profile::SshProfile;
use profile::SshRequest;
use profile::TokenProfile;
use profile::TokenRequest;
use profile::X509Request;
use ssh_cert::CriticalOptions;
use ssh_cert::ForceCommand;
use ssh_cert::Network;
use ssh_cert::Permit;
use ssh_cert::SubjectKey;
use x509::CertificateRequest;

use super::parse;
use crate::problem::Problem;

/// A request in the cluster's words: what to issue, and what goes with it.
pub(crate) struct Order {
    /// What to issue, in this order.
    pub(crate) wanted: Vec<Wanted>,
    /// How long it is to be good for; the profile's usual length when nothing.
    pub(crate) ttl: Option<Ttl>,
    /// The exports that its holder has to trust: names of [`cluster::ExportKind`].
    pub(crate) trusted: &'static [&'static str],
    /// What to do with it.
    pub(crate) hints: Vec<String>,
}

/// One credential to issue.
pub(crate) enum Wanted {
    /// An X.509 certificate.
    X509(Box<X509Request>, PublicKey),
    /// An SSH certificate.
    Ssh(Box<SshRequest>, SubjectKey),
    /// A token.
    Token(TokenRequest),
}

/// What SSH certificates permit when the request does not say.
const PERMITS: [Permit; 3] = [Permit::AgentForwarding, Permit::PortForwarding, Permit::Pty];

/// Reads a request.
///
/// # Errors
/// When a field does not parse.
pub(crate) fn order(request: SignRequest) -> Result<Order, Problem> {
    match request {
        SignRequest::OpensshUser(request) => ssh_user(request),
        SignRequest::OpensshHost(request) => ssh_host(request),
        SignRequest::File(request) => identity(request),
        SignRequest::Tls(request) => {
            if request.ssh_public_key.is_some() {
                let problem = "is for format \"file\", which has both certificates".to_owned();
                return Err(Problem::BadRequest {
                    field: "ssh_public_key",
                    problem,
                });
            }
            identity(request)
        }
        SignRequest::TlsHost(request) => tls_host(request),
        SignRequest::Db(request) => database(request),
        SignRequest::DbClient(request) => database_client(request),
        SignRequest::Windows(request) => windows(request),
        SignRequest::Spiffe(request) => spiffe(request),
        SignRequest::Jwt(request) => token(request),
    }
}

fn ssh_user(request: SignSshUser) -> Result<Order, Problem> {
    let SignSshUser {
        public_key,
        user,
        logins,
        roles,
        ttl_seconds,
        source_addresses,
        force_command,
        permit,
        authority,
    } = request;
    let authority: Option<AuthorityType> = authority.map(|text| parse("authority", &text)).transpose()?;
    let profile = match authority {
        None | Some(AuthorityType::User) => SshProfile::User,
        Some(AuthorityType::Openssh) => SshProfile::Openssh,
        Some(other) => {
            let problem = format!("{other} does not sign SSH certificates for people; user and openssh do");
            return Err(Problem::BadRequest {
                field: "authority",
                problem,
            });
        }
    };
    let unfit = |field| {
        move |error: &dyn std::fmt::Display| Problem::BadRequest {
            field,
            problem: error.to_string(),
        }
    };
    let mut networks = Vec::with_capacity(source_addresses.len());
    for text in &source_addresses {
        networks.push(Network::parse(text).map_err(|error| unfit("source_addresses")(&error))?);
    }
    let force_command = force_command.map(|text| ForceCommand::parse(&text)).transpose();
    let request = SshRequest::User {
        profile,
        user: parse("user", &user)?,
        logins: all("logins", &logins)?,
        roles: all("roles", &roles)?,
        critical_options: CriticalOptions {
            force_command: force_command.map_err(|error| unfit("force_command")(&error))?,
            source_addresses: networks,
            verify_required: false,
        },
        facts: Default::default(),
        permits: permit.map_or_else(
            || PERMITS.to_vec(),
            |asked| asked.into_iter().map(permitted).collect(),
        ),
    };
    Ok(Order {
        wanted: vec![Wanted::Ssh(
            Box::new(request),
            ssh_key("public_key", &public_key)?,
        )],
        ttl: ttl(ttl_seconds),
        trusted: &["host"],
        hints: vec!["keep the certificate beside its key as <key>-cert.pub; ssh finds it there".to_owned()],
    })
}

fn ssh_host(request: SignSshHost) -> Result<Order, Problem> {
    let SignSshHost {
        public_key,
        hosts,
        ttl_seconds,
    } = request;
    let request = SshRequest::Host {
        names: some("hosts", &hosts)?,
        roles: Vec::new(),
    };
    Ok(Order {
        wanted: vec![Wanted::Ssh(
            Box::new(request),
            ssh_key("public_key", &public_key)?,
        )],
        ttl: ttl(ttl_seconds),
        trusted: &["user-public-keys", "openssh"],
        hints: vec![
            "sshd_config: HostKey <key>, HostCertificate <key>-cert.pub".to_owned(),
            "sshd_config: TrustedUserCAKeys <file>, with the keys to trust, one on a line".to_owned(),
        ],
    })
}

fn identity(request: SignIdentity) -> Result<Order, Problem> {
    let SignIdentity {
        public_key,
        ssh_public_key,
        user,
        roles,
        logins,
        ttl_seconds,
    } = request;
    let user: UserName = parse("user", &user)?;
    let (roles, logins) = (all("roles", &roles)?, all("logins", &logins)?);
    let mut wanted = Vec::new();
    if let Some(line) = &ssh_public_key {
        let request = SshRequest::User {
            profile: SshProfile::User,
            user: user.clone(),
            logins: logins.clone(),
            roles: roles.clone(),
            critical_options: CriticalOptions::default(),
            facts: Default::default(),
            permits: PERMITS.to_vec(),
        };
        wanted.push(Wanted::Ssh(Box::new(request), ssh_key("ssh_public_key", line)?));
    }
    let request = X509Request::User {
        user,
        roles,
        logins,
        traits: BTreeMap::new(),
        mfa_device: None,
        pinned_to: None,
    };
    wanted.insert(0, Wanted::X509(Box::new(request), tls_key(&public_key)?));
    Ok(Order {
        wanted,
        ttl: ttl(ttl_seconds),
        trusted: &["tls-host", "host"],
        hints: Vec::new(),
    })
}

fn tls_host(request: SignTlsHost) -> Result<Order, Problem> {
    let SignTlsHost {
        public_key,
        hosts,
        ttl_seconds,
    } = request;
    let request = X509Request::Host {
        names: some("hosts", &hosts)?,
        roles: Vec::new(),
    };
    Ok(Order {
        wanted: vec![Wanted::X509(Box::new(request), tls_key(&public_key)?)],
        ttl: ttl(ttl_seconds),
        trusted: &["tls-user"],
        hints: vec![
            "clients trust it by the host authority: `signetctl auth export --type=tls-host`".to_owned(),
        ],
    })
}

fn database(request: SignDatabase) -> Result<Order, Problem> {
    let SignDatabase {
        public_key,
        hosts,
        ttl_seconds,
        flavor,
    } = request;
    let common_name = match flavor {
        DatabaseFlavor::Cockroachdb => Some("node".to_owned()),
        DatabaseFlavor::Any | DatabaseFlavor::Mongodb | DatabaseFlavor::Redis => None,
    };
    let request = X509Request::DatabaseServer {
        names: some("hosts", &hosts)?,
        common_name,
        organization: None,
    };
    Ok(Order {
        wanted: vec![Wanted::X509(Box::new(request), tls_key(&public_key)?)],
        ttl: ttl(ttl_seconds),
        trusted: &["db-client"],
        hints: database_hints(flavor)
            .iter()
            .map(|hint| (*hint).to_owned())
            .collect(),
    })
}

/// What to put into a database's configuration. `<out>` is where the client writes its files.
const fn database_hints(flavor: DatabaseFlavor) -> &'static [&'static str] {
    match flavor {
        DatabaseFlavor::Any => &[
            "PostgreSQL, postgresql.conf: ssl = on, ssl_cert_file = '<out>.crt', ssl_key_file = '<out>.key', ssl_ca_file = '<out>.cas'",
            "PostgreSQL, pg_hba.conf: hostssl all all all cert",
            "MySQL and MariaDB, [mysqld]: require_secure_transport = ON, ssl-cert = <out>.crt, ssl-key = <out>.key, ssl-ca = <out>.cas; then CREATE USER … REQUIRE SUBJECT '/CN=<user>'",
        ],
        DatabaseFlavor::Mongodb => &[
            "MongoDB, mongod.conf, net.tls: mode: requireTLS, certificateKeyFile: <out>.crt (certificate and key in one file), CAFile: <out>.cas",
            "MongoDB: db.getSiblingDB(\"$external\").runCommand({createUser: \"CN=<user>\", roles: […]})",
        ],
        DatabaseFlavor::Cockroachdb => &[
            "CockroachDB, in the directory of --certs-dir: <out>.crt as node.crt, <out>.key as node.key, <out>.cas as ca-client.crt, and the db authority (`signetctl auth export --type=db`) as ca.crt",
        ],
        DatabaseFlavor::Redis => &[
            "Redis, redis.conf: tls-port 6379, port 0, tls-cert-file <out>.crt, tls-key-file <out>.key, tls-ca-cert-file <out>.cas, tls-auth-clients yes",
        ],
    }
}

fn database_client(request: SignDatabaseClient) -> Result<Order, Problem> {
    let SignDatabaseClient {
        public_key,
        user,
        ttl_seconds,
    } = request;
    let request = X509Request::DatabaseClient {
        user: parse("user", &user)?,
    };
    Ok(Order {
        wanted: vec![Wanted::X509(Box::new(request), tls_key(&public_key)?)],
        ttl: ttl(ttl_seconds),
        trusted: &["db"],
        hints: vec![
            "psql: sslmode=verify-full sslcert=<out>.crt sslkey=<out>.key sslrootcert=<out>.cas".to_owned(),
            "mysql: --ssl-mode=VERIFY_IDENTITY --ssl-cert=<out>.crt --ssl-key=<out>.key --ssl-ca=<out>.cas; mariadb: --ssl-verify-server-cert in place of --ssl-mode".to_owned(),
            "mongosh: `cat <out>.crt <out>.key > <out>.pem`, then --tls --tlsCertificateKeyFile=<out>.pem --tlsCAFile=<out>.cas --authenticationMechanism=MONGODB-X509".to_owned(),
        ],
    })
}

fn windows(request: SignWindows) -> Result<Order, Problem> {
    let SignWindows {
        public_key,
        user,
        domain,
        sid,
        ttl_seconds,
    } = request;
    let request = X509Request::Windows {
        user: parse("user", &user)?,
        domain: parse("domain", &domain)?,
        sid,
    };
    Ok(Order {
        wanted: vec![Wanted::X509(Box::new(request), tls_key(&public_key)?)],
        ttl: ttl(ttl_seconds),
        trusted: &["windows-pem"],
        hints: vec![
            "the directory trusts it once the windows authority is in its NTAuth store and its revocation list is published: `signetctl auth export --type=windows`, `signetctl auth crl --type=windows`".to_owned(),
        ],
    })
}

fn spiffe(request: SignSpiffe) -> Result<Order, Problem> {
    let SignSpiffe {
        public_key,
        path,
        dns_names,
        ttl_seconds,
    } = request;
    let request = X509Request::Workload {
        path,
        dns_names: all("dns_names", &dns_names)?,
    };
    Ok(Order {
        wanted: vec![Wanted::X509(Box::new(request), tls_key(&public_key)?)],
        ttl: ttl(ttl_seconds),
        trusted: &["tls-spiffe"],
        hints: Vec::new(),
    })
}

fn token(request: SignJwt) -> Result<Order, Problem> {
    let SignJwt {
        subject,
        audience,
        ttl_seconds,
        claims,
        authority,
    } = request;
    let authority: Option<AuthorityType> = authority.map(|text| parse("authority", &text)).transpose()?;
    let wanted = authority.unwrap_or(AuthorityType::Jwt);
    let Some(profile) = TokenProfile::ALL
        .into_iter()
        .find(|profile| profile.authority() == wanted)
    else {
        let problem = format!("{wanted} does not sign tokens; jwt, oidc_idp, okta and spiffe do");
        return Err(Problem::BadRequest {
            field: "authority",
            problem,
        });
    };
    Ok(Order {
        wanted: vec![Wanted::Token(TokenRequest {
            profile,
            subject,
            audience,
            claims,
        })],
        ttl: ttl(ttl_seconds),
        trusted: &[],
        hints: vec![match profile {
            TokenProfile::Oidc => "it verifies by /.well-known/jwks-oidc".to_owned(),
            TokenProfile::Application | TokenProfile::Okta => {
                "it verifies by /.well-known/jwks.json".to_owned()
            }
            TokenProfile::Workload => {
                "it verifies by the SPIFFE bundle: `signetctl auth export --type=spiffe`".to_owned()
            }
        }],
    })
}

fn ttl(seconds: Option<u64>) -> Option<Ttl> {
    seconds.map(Ttl::from_seconds)
}

/// Every text of a list.
fn all<T>(field: &'static str, texts: &[String]) -> Result<Vec<T>, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    texts.iter().map(|text| parse(field, text)).collect()
}

/// Every text of a list that must not be empty.
fn some<T>(field: &'static str, texts: &[String]) -> Result<Vec<T>, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if texts.is_empty() {
        return Err(Problem::BadRequest {
            field,
            problem: "is empty; name at least one".to_owned(),
        });
    }
    all(field, texts)
}

fn ssh_key(field: &'static str, line: &str) -> Result<SubjectKey, Problem> {
    SubjectKey::from_line(line).map_err(|error| Problem::BadRequest {
        field,
        problem: crate::problem::chain(&error),
    })
}

/// The key of a `PUBLIC KEY` or of a request, whose signature is checked.
fn tls_key(text: &str) -> Result<PublicKey, Problem> {
    let unfit = |problem: String| Problem::BadRequest {
        field: "public_key",
        problem,
    };
    if text.contains("CERTIFICATE REQUEST-----") {
        let request =
            CertificateRequest::from_pem(text).map_err(|error| unfit(crate::problem::chain(&error)))?;
        return Ok(request.public_key().clone());
    }
    let keys = x509::pem::decode_all("public key", "PUBLIC KEY", text)
        .map_err(|error| unfit(crate::problem::chain(&error)))?;
    match keys.as_slice() {
        [der] => PublicKey::from_spki_der(der).map_err(|fault| unfit(fault.to_string())),
        several => Err(unfit(format!("holds {} keys; send one", several.len()))),
    }
}

const fn permitted(asked: SshPermission) -> Permit {
    match asked {
        SshPermission::Pty => Permit::Pty,
        SshPermission::PortForwarding => Permit::PortForwarding,
        SshPermission::AgentForwarding => Permit::AgentForwarding,
        SshPermission::X11Forwarding => Permit::X11Forwarding,
        SshPermission::UserRc => Permit::UserRc,
    }
}

#[cfg(test)]
mod tests;
