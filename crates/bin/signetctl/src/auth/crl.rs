use std::path::PathBuf;

use api_types::Crl;
use api_types::CrlParameters;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::files::Content;
use crate::files::NewFile;
use crate::files::write_all;
use crate::get::parse_authority;
use crate::report::Report;

/// Show or write the revocation lists of an authority
///
/// Every trusted key has a list of its own, and whoever checks needs all of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl auth crl --type=db_client > db_client.crl
  signetctl auth crl --type=windows --der --out /srv/crl/windows
  signetctl auth crl --type=user --json | jq -r '.[].next_update'")]
pub(crate) struct CrlArgs {
    /// The authority
    #[arg(long = "type", value_name = "TYPE")]
    authority: String,
    /// Write PREFIX.crl, or PREFIX-1.crl, PREFIX-2.crl and so on, rather than to standard output
    #[arg(long, value_name = "PREFIX")]
    out: Option<PathBuf>,
    /// Write DER rather than PEM; needs --out
    #[arg(long, requires = "out")]
    der: bool,
    /// Replace files that exist
    #[arg(long, requires = "out")]
    overwrite: bool,
    /// Print the lists and what is known of them as JSON
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

impl CrlArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let authority = parse_authority(&self.authority)?.as_str().to_owned();
        let lists = connection.client()?.crl(&CrlParameters { authority }).await?;
        if self.json {
            return crate::report::facts(&lists, crate::report::Format::Json, |_| String::new());
        }
        match &self.out {
            None => Ok(Report::good(
                lists.iter().map(|list| list.pem.as_str()).collect::<String>(),
            )),
            Some(prefix) => {
                let files = self.files(prefix, &lists)?;
                write_all(&files, self.overwrite)?;
                let lines = files
                    .iter()
                    .map(|file| format!("wrote {}\n", file.path.display()));
                Ok(Report::good(lines.collect::<String>()))
            }
        }
    }

    fn files(&self, prefix: &std::path::Path, lists: &[Crl]) -> Result<Vec<NewFile>, Failure> {
        let mut files = Vec::new();
        for (index, list) in lists.iter().enumerate() {
            let bytes = if self.der {
                let decoded = STANDARD.decode(&list.der_base64);
                decoded
                    .map_err(|error| Failure::local("the server sent a list that is not base64", &error))?
            } else {
                list.pem.clone().into_bytes()
            };
            let path = super::export::numbered(prefix, index, lists.len(), "crl");
            files.push(NewFile {
                path,
                content: Content::Public(bytes),
            });
        }
        Ok(files)
    }
}
