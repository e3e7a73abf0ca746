//! What verifiers are given: always the whole set asked for, in the form they read.

use authority::AuthorityType;
use authority::KeyForm;
use aws_lc_rs::digest;
use rotation::Desired;
use rotation::Generation;

use crate::Cluster;
use crate::ClusterError;
use crate::Refusal;
use crate::record::AuthorityKey;

/// What to export: an authority's keys of one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportKind {
    /// The authority.
    pub authority: AuthorityType,
    /// The form of its keys.
    pub form: KeyForm,
    /// The format when none is asked for: what the usual consumers read.
    pub format: ExportFormat,
}

/// Which keys to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportStatus {
    /// Those that sign.
    Active,
    /// Those that will sign.
    Incoming,
    /// Those that will be distrusted.
    Outgoing,
    /// All that are trusted.
    All,
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// X.509 certificates, or public keys, as PEM; all in one file.
    Pem,
    /// DER; one file for each.
    Der,
    /// `cert-authority` lines for `authorized_keys`.
    AuthorizedKeys,
    /// Plain public key lines, as `TrustedUserCAKeys` reads them.
    PublicKeys,
    /// `@cert-authority` lines for `known_hosts`.
    KnownHosts,
    /// A JSON Web Key Set.
    Jwks,
    /// The metadata of the SAML identity provider.
    SamlMetadata,
    /// A SPIFFE trust bundle: X.509 and JWT keys in one document.
    SpiffeBundle,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// A name for it.
    pub name: String,
    /// What it is.
    pub media_type: &'static str,
    /// What is in it.
    pub content: Vec<u8>,
    /// Which keys it holds.
    pub status: ExportStatus,
    /// Of each key or certificate in it, in order.
    pub fingerprints: Vec<String>,
    /// Whose keys they are.
    pub authority: AuthorityType,
}

/// The names under which exports are asked for, and what each means.
const KINDS: [(&str, AuthorityType, KeyForm, ExportFormat); 20] = [
    (
        "user",
        AuthorityType::User,
        KeyForm::Ssh,
        ExportFormat::AuthorizedKeys,
    ),
    (
        "host",
        AuthorityType::Host,
        KeyForm::Ssh,
        ExportFormat::KnownHosts,
    ),
    (
        "openssh",
        AuthorityType::Openssh,
        KeyForm::Ssh,
        ExportFormat::PublicKeys,
    ),
    ("tls-host", AuthorityType::Host, KeyForm::Tls, ExportFormat::Pem),
    ("tls-user", AuthorityType::User, KeyForm::Tls, ExportFormat::Pem),
    (
        "tls-user-der",
        AuthorityType::User,
        KeyForm::Tls,
        ExportFormat::Der,
    ),
    ("db", AuthorityType::Db, KeyForm::Tls, ExportFormat::Pem),
    ("db-der", AuthorityType::Db, KeyForm::Tls, ExportFormat::Der),
    (
        "db-client",
        AuthorityType::DbClient,
        KeyForm::Tls,
        ExportFormat::Pem,
    ),
    (
        "db-client-der",
        AuthorityType::DbClient,
        KeyForm::Tls,
        ExportFormat::Der,
    ),
    ("windows", AuthorityType::Windows, KeyForm::Tls, ExportFormat::Der),
    (
        "windows-der",
        AuthorityType::Windows,
        KeyForm::Tls,
        ExportFormat::Der,
    ),
    (
        "windows-pem",
        AuthorityType::Windows,
        KeyForm::Tls,
        ExportFormat::Pem,
    ),
    (
        "saml-idp",
        AuthorityType::SamlIdp,
        KeyForm::Tls,
        ExportFormat::SamlMetadata,
    ),
    (
        "spiffe",
        AuthorityType::Spiffe,
        KeyForm::Tls,
        ExportFormat::SpiffeBundle,
    ),
    (
        "tls-spiffe",
        AuthorityType::Spiffe,
        KeyForm::Tls,
        ExportFormat::Pem,
    ),
    (
        "jwt-spiffe",
        AuthorityType::Spiffe,
        KeyForm::Jwt,
        ExportFormat::Jwks,
    ),
    ("jwt", AuthorityType::Jwt, KeyForm::Jwt, ExportFormat::Jwks),
    (
        "oidc-idp",
        AuthorityType::OidcIdp,
        KeyForm::Jwt,
        ExportFormat::Jwks,
    ),
    ("okta", AuthorityType::Okta, KeyForm::Jwt, ExportFormat::Jwks),
];

impl ExportKind {
    /// Reads the name of an export; underscores pass for hyphens.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] with the names there are.
    pub fn parse(name: &str) -> Result<Self, Refusal> {
        let spelled = name.replace('_', "-");
        KINDS
            .iter()
            .find(|(known, ..)| *known == spelled)
            .map(|(_, authority, form, format)| Self {
                authority: *authority,
                form: *form,
                format: *format,
            })
            .ok_or_else(|| {
                let known: Vec<&str> = KINDS.iter().map(|(known, ..)| *known).collect();
                let asked: String = name.chars().take(40).collect();
                let problem = format!(
                    "{asked:?} is nothing that can be exported; known are {}",
                    known.join(", ")
                );
                Refusal::Malformed {
                    field: "type",
                    problem,
                }
            })
    }
}

impl Cluster {
    /// Exports an authority's keys.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when the format does not fit the form, or there are no keys of this status.
    pub fn export(
        &self,
        kind: ExportKind,
        status: ExportStatus,
        format: Option<ExportFormat>,
    ) -> Result<Vec<ExportFile>, ClusterError> {
        let ExportKind {
            authority,
            form,
            format: usual,
        } = kind;
        let format = format.unwrap_or(usual);
        let view = self.authority(authority)?;
        let desired = view.record.desired();
        let keys: Vec<&AuthorityKey> = view
            .record
            .trusted()
            .filter(|(generation, key)| key.form == form && has_status(&desired, *generation, status))
            .map(|(_, key)| key)
            .collect();
        if keys.is_empty() {
            let problem = format!(
                "the {authority} authority has no such key now: it is in {}; ask for --status=all or active",
                view.record.rotation.phase()
            );
            return Err(Refusal::Malformed {
                field: "status",
                problem,
            }
            .into());
        }
        let file = |name: String, media_type, content: Vec<u8>, keys: &[&AuthorityKey]| {
            let fingerprints = keys
                .iter()
                .map(|key| fingerprint(key))
                .collect::<Result<_, ClusterError>>()?;
            Ok::<_, ClusterError>(ExportFile {
                name,
                media_type,
                content,
                status,
                fingerprints,
                authority,
            })
        };
        match format {
            ExportFormat::Der => {
                let many = keys.len() > 1;
                let mut files = Vec::new();
                for (index, key) in keys.iter().enumerate() {
                    let suffix = if many {
                        format!("-{}", index + 1)
                    } else {
                        String::new()
                    };
                    let name = format!("{authority}{suffix}.cer");
                    files.push(file(
                        name,
                        "application/pkix-cert",
                        certificate(authority, key)?.to_vec(),
                        &[*key],
                    )?);
                }
                Ok(files)
            }
            ExportFormat::Pem => {
                let pem: Result<Vec<String>, ClusterError> = keys.iter().map(|key| pem(key)).collect();
                Ok(vec![file(
                    format!("{authority}.pem"),
                    "application/x-pem-file",
                    pem?.concat().into_bytes(),
                    &keys,
                )?])
            }
            ExportFormat::AuthorizedKeys | ExportFormat::PublicKeys | ExportFormat::KnownHosts => {
                let lines: Result<Vec<String>, ClusterError> = keys
                    .iter()
                    .map(|key| self.ssh_line(authority, key, format))
                    .collect();
                let content = lines?
                    .into_iter()
                    .map(|line| line + "\n")
                    .collect::<String>()
                    .into_bytes();
                Ok(vec![file(
                    format!("{authority}.pub"),
                    "text/plain",
                    content,
                    &keys,
                )?])
            }
            ExportFormat::Jwks => {
                let content = jwks(authority, &keys)?;
                Ok(vec![file(
                    format!("{authority}.jwks.json"),
                    "application/jwk-set+json",
                    content,
                    &keys,
                )?])
            }
            ExportFormat::SpiffeBundle => {
                let trusted: Vec<&AuthorityKey> = view
                    .record
                    .trusted()
                    .filter(|(generation, _)| has_status(&desired, *generation, status))
                    .map(|(_, key)| key)
                    .collect();
                let content = spiffe_bundle(authority, view.revision.0, &trusted)?;
                Ok(vec![file(
                    format!("{authority}.bundle.json"),
                    "application/json",
                    content,
                    &trusted,
                )?])
            }
            ExportFormat::SamlMetadata => {
                let content = self.saml_metadata(authority, &keys)?.into_bytes();
                Ok(vec![file(
                    format!("{authority}.metadata.xml"),
                    "application/samlmetadata+xml",
                    content,
                    &keys,
                )?])
            }
        }
    }

    fn ssh_line(
        &self,
        authority: AuthorityType,
        key: &AuthorityKey,
        format: ExportFormat,
    ) -> Result<String, ClusterError> {
        if key.form != KeyForm::Ssh {
            return Err(unfit(authority, key.form, "SSH lines"));
        }
        let name = self.name().as_str();
        let comment = format!("signet-{authority}@{name}");
        let line = match format {
            ExportFormat::KnownHosts => {
                // Hosts have names of every kind; each certificate says which it is good for.
                ssh_cert::known_hosts_line(&key.public_key, &["*"], &comment)
                    .map_err(|error| error.to_string())
            }
            ExportFormat::AuthorizedKeys => ssh_cert::cert_authority_line(&key.public_key, &[], &comment)
                .map_err(|error| error.to_string()),
            ExportFormat::PublicKeys
            | ExportFormat::Pem
            | ExportFormat::Der
            | ExportFormat::Jwks
            | ExportFormat::SamlMetadata
            | ExportFormat::SpiffeBundle => {
                ssh_cert::public_key_line(&key.public_key, &comment).map_err(|error| error.to_string())
            }
        };
        line.map_err(ClusterError::Internal)
    }

    fn saml_metadata(
        &self,
        authority: AuthorityType,
        keys: &[&AuthorityKey],
    ) -> Result<String, ClusterError> {
        if authority != AuthorityType::SamlIdp {
            return Err(unfit(authority, KeyForm::Tls, "SAML metadata"));
        }
        let certificates: Result<Vec<&[u8]>, ClusterError> =
            keys.iter().map(|key| certificate(authority, key)).collect();
        let base = self
            .settings
            .public_url
            .clone()
            .unwrap_or_else(|| format!("https://{}", self.name()));
        Ok(saml::metadata(&base, &certificates?))
    }

    /// The keys that tokens of these authorities verify under, as one set.
    ///
    /// # Errors
    /// When an authority is missing.
    pub fn jwks(&self, authorities: &[AuthorityType]) -> Result<Vec<u8>, ClusterError> {
        let mut keys = Vec::new();
        for authority in authorities {
            let view = self.authority(*authority)?;
            let of_form = view.record.trusted().filter(|(_, key)| key.form == KeyForm::Jwt);
            keys.extend(of_form.map(|(_, key)| key.public_key.clone()));
        }
        key_set(keys.iter())
    }
}

fn has_status(desired: &Desired, generation: Generation, status: ExportStatus) -> bool {
    match status {
        ExportStatus::All => desired.trusts.contains(&generation),
        ExportStatus::Active => desired.signs_with == generation,
        ExportStatus::Incoming => desired.incoming == Some(generation),
        ExportStatus::Outgoing => desired.outgoing == Some(generation),
    }
}

fn unfit(authority: AuthorityType, form: KeyForm, format: &str) -> ClusterError {
    let problem = format!(
        "{} keys of the {authority} authority are not exported as {format}",
        form.protocol()
    );
    Refusal::Malformed {
        field: "format",
        problem,
    }
    .into()
}

fn certificate(authority: AuthorityType, key: &AuthorityKey) -> Result<&[u8], ClusterError> {
    key.certificate
        .as_ref()
        .map(|der| der.0.as_slice())
        .ok_or_else(|| unfit(authority, key.form, "X.509 certificates"))
}

/// The certificate where there is one, the bare public key otherwise.
fn pem(key: &AuthorityKey) -> Result<String, ClusterError> {
    Ok(match &key.certificate {
        Some(der) => x509::pem::encode("CERTIFICATE", &der.0),
        None => x509::pem::encode("PUBLIC KEY", key.public_key.spki_der()),
    })
}

fn jwks(authority: AuthorityType, keys: &[&AuthorityKey]) -> Result<Vec<u8>, ClusterError> {
    if keys.iter().any(|key| key.form != KeyForm::Jwt) {
        return Err(unfit(authority, KeyForm::Tls, "a JWKS"));
    }
    key_set(keys.iter().map(|key| &key.public_key))
}

fn key_set<'a>(keys: impl Iterator<Item = &'a key::PublicKey>) -> Result<Vec<u8>, ClusterError> {
    jwt::key_set(keys)
        .map(String::into_bytes)
        .map_err(|error| ClusterError::Internal(error.to_string()))
}

fn spiffe_bundle(
    authority: AuthorityType,
    sequence: u64,
    keys: &[&AuthorityKey],
) -> Result<Vec<u8>, ClusterError> {
    if authority != AuthorityType::Spiffe {
        return Err(unfit(authority, KeyForm::Tls, "a SPIFFE bundle"));
    }
    let certificates = keys.iter().filter_map(|key| {
        key.certificate
            .as_ref()
            .map(|der| (&key.public_key, der.0.as_slice()))
    });
    let tokens = keys
        .iter()
        .filter(|key| key.form == KeyForm::Jwt)
        .map(|key| &key.public_key);
    jwt::spiffe_bundle(sequence, certificates, tokens)
        .map(String::into_bytes)
        .map_err(|error| ClusterError::Internal(error.to_string()))
}

fn fingerprint(key: &AuthorityKey) -> Result<String, ClusterError> {
    match (key.form, &key.certificate) {
        (KeyForm::Ssh, _) => ssh_cert::public_key_fingerprint(&key.public_key)
            .map_err(|error| ClusterError::Internal(error.to_string())),
        (KeyForm::Tls | KeyForm::Jwt, Some(der)) => Ok(hex::encode(digest::digest(&digest::SHA256, &der.0))),
        (KeyForm::Tls | KeyForm::Jwt, None) => Ok(key.public_key.spki_sha256().to_string()),
    }
}
