use api_client::Client;
use api_types::ExportFormat;
use api_types::ExportParameters;
use api_types::ExportStatus;
use clap::Args;
use resource::AnyDocument;
use resource::Document;
use resource::Kind;
use resource::Metadata;
use resource::NodeSpec;
use resource::SubKind;

use super::quoted;
use crate::connection::ConnectionArgs;
use crate::documents;
use crate::documents::sent;
use crate::failure::Failure;
use crate::pairs::Pair;
use crate::pairs::labels;
use crate::report::Format;
use crate::report::Report;
use crate::report::facts;
use terminal::visible_lines;

/// Register a host with plain OpenSSH, without an agent
///
/// People reach it through the proxy, which shows its sshd an ephemeral certificate of the authority openssh. What to put
/// on the host is printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl nodes register web-2 --addr=10.0.0.7:22 --labels env=prod")]
pub(crate) struct RegisterArgs {
    /// What people call it
    name: String,
    /// Where its sshd listens
    #[arg(long, value_name = "HOST:PORT")]
    addr: String,
    /// Its labels, by which roles select it
    #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',')]
    labels: Vec<Pair>,
    /// The form of the output
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

impl RegisterArgs {
    pub(super) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let acts = connection.admin()?;
        let document = documents::checked(self.document(uuid::Uuid::new_v4())?)?;
        let authorities = openssh_authorities(&acts.client()).await?;
        let request = sent(&document)?;
        let made = acts
            .act(async |client| client.create_resource(Kind::Node.as_str(), &request).await)
            .await?;
        let made = documents::understood(made)?;
        let id = made.metadata().name.to_string();
        facts(&made, self.format, |_| self.render(&id, &authorities))
    }

    fn document(&self, id: uuid::Uuid) -> Result<AnyDocument, Failure> {
        let mut metadata = Metadata::named(documents::name(&id.to_string())?);
        metadata.labels = labels(&self.labels)?;
        let spec = NodeSpec {
            hostname: self.name.clone(),
            addr: self.addr.clone(),
            sub_kind: SubKind::Openssh,
            ..NodeSpec::default()
        };
        Ok(AnyDocument::Node(Document::new(metadata, spec)))
    }

    fn render(&self, id: &str, authorities: &str) -> String {
        let Self { name, addr, .. } = self;
        let (place, port) = addr.rsplit_once(':').unwrap_or((addr.as_str(), SSH_PORT));
        let host = place.trim_start_matches('[').trim_end_matches(']');
        let scp = if port == SSH_PORT {
            "scp".to_owned()
        } else {
            format!("scp -P {port}")
        };
        let names = if host == name {
            name.clone()
        } else {
            format!("{name},{host}")
        };
        format!(
            "registered {name} ({addr}), node/{id}

1. On {name}, as root: trust the authority by whose certificates the proxy connects

cat > /etc/ssh/signet_openssh_cas <<'EOF'
{authorities}EOF

2. Here: certify the host's key, and put the certificate beside it. Check the key: whose it is decides who answers
   for {name}

{scp} {key_of} .
ssh-keygen -l -f ssh_host_ed25519_key.pub
signetctl auth sign --format=openssh --host={names} \\
    --public-key=ssh_host_ed25519_key.pub --out=ssh_host_ed25519_key
{scp} ssh_host_ed25519_key-cert.pub {folder}

3. On {name}: add to /etc/ssh/sshd_config

TrustedUserCAKeys /etc/ssh/signet_openssh_cas
HostKey /etc/ssh/ssh_host_ed25519_key
HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub

4. On {name}: check, and reload

sshd -t && {{ systemctl reload ssh || systemctl reload sshd; }}

Two rotations matter to it:

openssh: in init, and again after standby, write the file of step 1 anew
    signetctl auth export --type=openssh --format=public_keys
host: in update_servers, before standby, do step 2 again, and reload; so, too, before the certificate ends
",
            authorities = visible_lines(authorities) + "\n",
            names = quoted(&names),
            key_of = quoted(&format!("root@{place}:/etc/ssh/ssh_host_ed25519_key.pub")),
            folder = quoted(&format!("root@{place}:/etc/ssh/")),
        )
    }
}

/// Where `scp` goes by itself.
const SSH_PORT: &str = "22";

/// The public keys of the authority, a line each.
async fn openssh_authorities(client: &Client) -> Result<String, Failure> {
    let parameters = ExportParameters {
        kind: "openssh".to_owned(),
        status: ExportStatus::All,
        format: Some(ExportFormat::PublicKeys),
    };
    let export = client.export(&parameters).await?;
    let mut text = String::new();
    for file in &export.files {
        let bytes = crate::auth::content(file)?;
        let lines = String::from_utf8(bytes)
            .map_err(|_| Failure::failed("the server sent authorities that are not text"))?;
        text.push_str(lines.trim_end());
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_onto_the_host_is_printed() {
        let arguments = RegisterArgs {
            name: "web-2".to_owned(),
            addr: "[2001:db8::7]:22".to_owned(),
            labels: vec!["env=prod".parse().unwrap()],
            format: Format::Text,
        };
        let id = uuid::Uuid::nil();
        let document = documents::checked(arguments.document(id).unwrap()).unwrap();
        assert_eq!(
            sent(&document).unwrap()["spec"],
            serde_json::json!({"hostname": "web-2", "addr": "[2001:db8::7]:22", "sub_kind": "openssh", "use_tunnel": false})
        );
        insta::assert_snapshot!(arguments.render(&id.to_string(), "ssh-ed25519 AAAA openssh\n"));
        let elsewhere = RegisterArgs {
            addr: "10.0.0.7:2222".to_owned(),
            ..arguments
        };
        let told = elsewhere.render(&id.to_string(), "");
        assert!(
            told.contains("\nscp -P 2222 root@10.0.0.7:/etc/ssh/ssh_host_ed25519_key.pub .\n"),
            "{told}"
        );
        let wrong = RegisterArgs {
            addr: "web-2".to_owned(),
            ..elsewhere
        };
        assert!(documents::checked(wrong.document(id).unwrap()).is_err());
    }
}
