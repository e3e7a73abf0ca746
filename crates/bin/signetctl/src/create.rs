use std::io::IsTerminal;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use api_client::ClientError;
use clap::Args;
use resource::AnyDocument;

use crate::connection::ConnectionArgs;
use crate::documents::Unreadable;
use crate::documents::in_order_of_need;
use crate::documents::read_all;
use crate::documents::sent;
use crate::failure::Failure;
use crate::reauthenticate::Privileged;
use crate::report::Report;
use crate::report::emit;

/// Make resources from documents
///
/// YAML or JSON, several documents separated by `---`. All of them are checked before the first is sent; roles are sent
/// before those who bear them.
///
/// A document that is there already is refused without --force. With it, it is replaced; when the document says at which
/// revision it was read (metadata.revision), only if nobody changed it since.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl create role.yaml
  signetctl create -f users-and-roles.yaml --force
  signetctl get role/access | sed 's/prod/test/' | signetctl create -f - --force")]
pub(crate) struct CreateArgs {
    /// The file, or - for standard input
    #[arg(long = "filename", short = 'f', value_name = "FILE", conflicts_with = "path")]
    filename: Option<PathBuf>,
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    path: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    force: bool,
}

impl CreateArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let file = self.filename.as_deref().or(self.path.as_deref());
        let (place, text) = source(file)?;
        let documents = read_all(&text).map_err(|Unreadable(problems)| {
            Failure::usage(
                format!("cannot use {place}:\n{}", problems.join("\n")),
                "nothing was sent; `signetctl get KIND/NAME` prints documents to compare with",
            )
        })?;
        // Whoever makes many is asked once who they are.
        let acts = connection.admin()?;
        let documents = in_order_of_need(documents);
        let count = documents.len();
        for (done, document) in documents.into_iter().enumerate() {
            let shown = format!("{}/{}", document.kind(), document.metadata().name);
            match self.write(&acts, document).await {
                Ok(what) => emit(format!("{what} {shown}\n").as_bytes())?,
                Err(failure) if count == 1 => return Err(failure),
                Err(failure) => {
                    return Err(failure.about(&format!("{shown} ({done} of {count} were written)")));
                }
            }
        }
        Ok(Report::good(""))
    }

    async fn write(&self, acts: &Privileged<'_>, mut document: AnyDocument) -> Result<&'static str, Failure> {
        let is_singleton = document.kind().singleton_name().is_some();
        let kind = document.kind().as_str();
        let name = document.metadata().name.clone();
        if self.force {
            let request = sent(&document)?;
            let written = acts.act(async |client| client.put_resource(kind, name.as_str(), &request).await);
            return match written.await {
                Ok(_) => Ok("wrote"),
                Err(failure) if failure.code() == Some("conflict") => Err(failure.with_hint(
                    "get it again and redo the change, or remove metadata.revision to replace whatever is there",
                )),
                Err(failure) => Err(failure),
            };
        }
        // What is not there yet has no revision.
        document.metadata_mut().revision = None;
        let request = sent(&document)?;
        let made = acts
            .act(async |client| -> Result<_, ClientError> { client.create_resource(kind, &request).await });
        match made.await {
            // Settings are there from the start.
            Ok(_) if is_singleton => Ok("updated"),
            Ok(_) => Ok("created"),
            Err(failure) if failure.code() == Some("already_exists") => Err(failure.with_hint(format!(
                "say --force to replace it, or change it with `signetctl edit {kind}/{name}`"
            ))),
            Err(failure) => Err(failure),
        }
    }
}

/// Where the text is from, and the text.
fn source(file: Option<&Path>) -> Result<(String, String), Failure> {
    let is_standard_input = file.is_some_and(|file| file == Path::new("-"));
    let mut stdin = std::io::stdin().lock();
    match file {
        Some(file) if !is_standard_input => {
            let what = format!("cannot read {}", file.display());
            let text = std::fs::read_to_string(file).map_err(|error| Failure::local(&what, &error))?;
            Ok((file.display().to_string(), text))
        }
        None if std::io::stdin().is_terminal() => Err(Failure::usage(
            "which document?",
            "name its file: `signetctl create FILE`, or - for standard input",
        )),
        Some(_) | None => {
            let mut text = String::new();
            stdin
                .read_to_string(&mut text)
                .map_err(|error| Failure::local("cannot read standard input", &error))?;
            Ok(("standard input".to_owned(), text))
        }
    }
}
