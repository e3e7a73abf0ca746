use api_types::DeleteParameters;
use clap::Args;
use resource::AnyDocument;
use resource::Kind;

use crate::connection::ConnectionArgs;
use crate::console::Gravity;
use crate::console::confirm;
use crate::documents;
use crate::documents::Named;
use crate::failure::Failure;
use crate::reauthenticate::Privileged;
use crate::report::Report;
use crate::report::emit;

/// Remove resources
///
/// A role that users bear, and the last user who may change anything, are kept without --force. A setting of which there is
/// one goes back to its default.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl rm role/contractor
  signetctl rm role/contractor --force --yes
  signetctl rm lock/7c9e6679-7425-40de-944b-e07fc1f90ae7
  signetctl rm user/bob user/carol")]
pub(crate) struct RmArgs {
    /// What to remove
    #[arg(value_name = "KIND/NAME", required = true)]
    resources: Vec<Named>,
    /// Even when others refer to it
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl RmArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let acts = connection.admin()?;
        // All are looked up before the first is removed.
        let mut found = Vec::new();
        for named in &self.resources {
            found.push(documents::get(&acts.client(), named).await?);
        }
        remove(&acts, &found, self.force, self.yes).await
    }
}

/// Asks, and removes documents that were found: each at the revision it was found at.
pub(crate) async fn remove(
    acts: &Privileged<'_>,
    found: &[AnyDocument],
    force: bool,
    is_confirmed: bool,
) -> Result<Report, Failure> {
    let what: Vec<String> = found.iter().map(consequence).collect();
    confirm(&what.join("\n"), Gravity::Named, is_confirmed)?;
    for document in found {
        let kind = document.kind();
        let name = &document.metadata().name;
        let parameters = DeleteParameters {
            // Machines change their own documents all the time.
            revision: document
                .metadata()
                .revision
                .filter(|_| kind != Kind::Node && kind != Kind::Token),
            force,
        };
        acts.act(async |client| {
            client
                .delete_resource(kind.as_str(), name.as_str(), &parameters)
                .await
        })
        .await?;
        emit(format!("removed {kind}/{name}\n").as_bytes())?;
    }
    Ok(Report::good(""))
}

/// What is lost, in a sentence.
fn consequence(document: &AnyDocument) -> String {
    let name = &document.metadata().name;
    match document {
        AnyDocument::User(_) => {
            format!("User {name} is removed, with password, second factors and sessions.")
        }
        AnyDocument::Role(_) => format!("Role {name} is removed."),
        AnyDocument::Token(_) => {
            let short = documents::short_token(name.as_str());
            format!("Token {short} is removed: nobody joins with it any more.")
        }
        AnyDocument::Node(node) => format!(
            "Node {} ({name}) is removed for good: its certificates end, and its id never comes back.",
            node.spec.hostname
        ),
        AnyDocument::Lock(_) => format!("Lock {name} is removed: whom it kept out may come back."),
        AnyDocument::ClusterAuthPreference(_)
        | AnyDocument::SessionRecordingConfig(_)
        | AnyDocument::ClusterNetworkingConfig(_) => {
            format!("The {} goes back to its default.", document.kind())
        }
    }
}
