use api_types::CertAuthority;
use api_types::CertAuthorityParameters;
use authority::AuthorityType;
use clap::Args;

use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::report::Format;
use crate::report::Report;
use crate::report::facts;
use crate::table::table;

/// Show resources as documents
///
/// Kinds: cert_authority, also written cert_authorities or cas. One authority is named as KIND/TYPE, such as
/// cert_authority/host.
///
/// With --with-secrets the documents hold private keys, base64 in JSON and YAML. Of a key in an HSM or a KMS they hold
/// its reference, for there is nothing more to show. The audit log records who asked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl get cas
  signetctl get cert_authority/host --format json
  signetctl get cert_authorities --with-secrets --format json | jq -r '.[].spec.active_keys.tls[0].key | select(.) | @base64d'")]
pub(crate) struct GetArgs {
    /// What to show
    #[arg(value_name = "KIND[/TYPE]")]
    resource: String,
    /// Include private keys, or their references
    #[arg(long)]
    with_secrets: bool,
    /// The form of the output
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
}

impl GetArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let authority = parse_resource(&self.resource)?.map(|authority| authority.as_str().to_owned());
        let parameters = CertAuthorityParameters {
            authority,
            with_secrets: self.with_secrets,
        };
        let documents = connection.client()?.cert_authorities(&parameters).await?;
        facts(&documents, self.format, |is_wide| render(&documents, is_wide))
    }
}

fn parse_resource(text: &str) -> Result<Option<AuthorityType>, Failure> {
    let (kind, name) = text
        .split_once('/')
        .map_or((text, None), |(kind, name)| (kind, Some(name)));
    if !matches!(kind, "cert_authority" | "cert_authorities" | "cas" | "ca") {
        return Err(Failure::usage(
            format!("there is no kind {:?}", kind.chars().take(40).collect::<String>()),
            "the kinds are cert_authority, cert_authorities, cas",
        ));
    }
    name.map(parse_authority).transpose()
}

/// The type of an authority as typed; hyphens serve for underscores.
pub(crate) fn parse_authority(text: &str) -> Result<AuthorityType, Failure> {
    text.parse::<AuthorityType>().map_err(|_| {
        let known: Vec<&str> = AuthorityType::ALL
            .iter()
            .map(|authority| authority.as_str())
            .collect();
        Failure::usage(
            format!(
                "there is no authority {:?}",
                text.chars().take(40).collect::<String>()
            ),
            format!("the authorities are {}", known.join(", ")),
        )
    })
}

fn render(documents: &[CertAuthority], is_wide: bool) -> String {
    let headings = [
        "authority",
        "cluster",
        "phase",
        "active keys",
        "trusted keys",
        "revision",
    ];
    let count = |set: &api_types::KeySet| set.ssh.len() + set.tls.len() + set.jwt.len();
    let rows = documents.iter().map(|document| {
        let spec = &document.spec;
        [
            spec.authority.clone(),
            spec.cluster_name.clone(),
            spec.rotation.phase.to_string(),
            count(&spec.active_keys).to_string(),
            count(&spec.additional_trusted_keys).to_string(),
            document.metadata.revision.clone(),
        ]
    });
    let mut text = table(headings, rows);
    if !is_wide {
        text.push_str("\nThe documents themselves: --format yaml or json\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_aliases() {
        for kind in ["cas", "ca", "cert_authority", "cert_authorities"] {
            assert_eq!(parse_resource(kind).unwrap(), None);
        }
        assert_eq!(
            parse_resource("cas/db-client").unwrap(),
            Some(AuthorityType::DbClient)
        );
        assert!(parse_resource("nodes").is_err());
        assert!(parse_resource("cas/all").is_err());
    }
}
