use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use resource::AnyDocument;

use crate::connection::ConnectionArgs;
use crate::console::Gravity;
use crate::console::confirm;
use crate::console::is_attended;
use crate::documents;
use crate::documents::Named;
use crate::documents::Unreadable;
use crate::documents::read_one;
use crate::documents::sent;
use crate::failure::Failure;
use crate::reauthenticate::Privileged;
use crate::report::Report;

/// Change a resource in your editor
///
/// The editor is $VISUAL or $EDITOR, else vi. What it leaves is checked, and written only if nobody else changed the
/// resource meanwhile. When it cannot be written, the edited file is kept, and named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  signetctl edit role/access
  signetctl edit cap")]
pub(crate) struct EditArgs {
    /// What to change
    #[arg(value_name = "KIND/NAME")]
    resource: Named,
    /// The editor
    #[arg(long, value_name = "COMMAND")]
    editor: Option<OsString>,
}

impl EditArgs {
    pub(crate) async fn run(&self, connection: &ConnectionArgs) -> Result<Report, Failure> {
        let acts = connection.admin()?;
        let before = documents::get(&acts.client(), &self.resource)
            .await?
            .without_read_only();
        let file = Edited::new(&self.resource, &documents::yaml(std::slice::from_ref(&before))?)?;
        let editor = self.editor.clone().unwrap_or_else(usual_editor);
        loop {
            let problem = match file.edit(&editor).and_then(|text| changed(&text, &before)) {
                Err(problem) => problem,
                Ok(None) => {
                    file.remove();
                    return Ok(Report::good(format!("{} is unchanged\n", self.resource.shown())));
                }
                Ok(Some(after)) => match write(&acts, &after).await {
                    Ok(()) => {
                        file.remove();
                        return Ok(Report::good(format!("wrote {}\n", self.resource.shown())));
                    }
                    // Editing again helps where the server finds fault with the document, and nowhere else.
                    Err(failure) if failure.code() == Some("invalid_document") => failure,
                    Err(failure) => return Err(file.kept(failure)),
                },
            };
            let again = format!("{}\nThe file is opened again.", problem.message());
            if !is_attended() || confirm(&again, Gravity::Named, false).is_err() {
                return Err(file.kept(problem));
            }
        }
    }
}

/// The document as it was edited; nothing when it says the same as before.
fn changed(text: &str, before: &AnyDocument) -> Result<Option<AnyDocument>, Failure> {
    let mut after = read_one(text)
        .map_err(|Unreadable(problems)| Failure::usage(problems.join("\n"), "nothing was written"))?;
    let (is, was) = (after.metadata().name.clone(), &before.metadata().name);
    if after.kind() != before.kind() || is != *was {
        return Err(Failure::usage(
            format!(
                "this was {}/{was} and became {}/{is}",
                before.kind(),
                after.kind()
            ),
            "a name stays; make another document with `signetctl create`",
        ));
    }
    // The change was decided on what was shown.
    after.metadata_mut().revision = before.metadata().revision;
    Ok((after != *before).then_some(after))
}

async fn write(acts: &Privileged<'_>, document: &AnyDocument) -> Result<(), Failure> {
    let kind = document.kind().as_str();
    let name = document.metadata().name.as_str();
    let request = sent(document)?;
    let written = acts
        .act(async |client| client.put_resource(kind, name, &request).await)
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(failure) if failure.code() == Some("conflict") => Err(failure.with_hint(format!(
            "somebody changed it meanwhile: run `signetctl edit {kind}/{name}` again, with what you kept at hand"
        ))),
        Err(failure) => Err(failure),
    }
}

/// The editor that the environment names.
fn usual_editor() -> OsString {
    let named = |name: &str| std::env::var_os(name).filter(|editor| !editor.is_empty());
    named("VISUAL")
        .or_else(|| named("EDITOR"))
        .unwrap_or_else(|| OsString::from("vi"))
}

/// A file that somebody edits. It stays when this is dropped.
struct Edited {
    path: PathBuf,
}

impl Edited {
    fn new(named: &Named, yaml: &str) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::local("cannot write a file to edit", &error);
        let prefix = format!("signetctl-{}-{}-", named.kind, named.name.replace(':', "_"));
        let mut file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".yaml")
            .tempfile()
            .map_err(cannot)?;
        file.write_all(yaml.as_bytes()).map_err(cannot)?;
        let (_, path) = file.keep().map_err(|error| cannot(error.error))?;
        Ok(Self { path })
    }

    /// What the editor leaves. The editor may be a command with arguments.
    fn edit(&self, editor: &OsString) -> Result<String, Failure> {
        let mut line = editor.clone();
        line.push(" \"$1\"");
        let status = Command::new("/bin/sh")
            .arg("-c")
            .arg(line)
            .arg("signetctl")
            .arg(&self.path)
            .status();
        let status = status.map_err(|error| Failure::local("cannot run the editor", &error))?;
        if !status.success() {
            return Err(Failure::failed(format!(
                "the editor {} failed: {status}",
                Path::new(editor).display()
            ))
            .with_hint("name another one: --editor COMMAND, or $EDITOR"));
        }
        let what = format!("cannot read {}", self.path.display());
        std::fs::read_to_string(&self.path).map_err(|error| Failure::local(&what, &error))
    }

    /// The work is done.
    fn remove(&self) {
        // A file that is gone already is as good.
        let _ = std::fs::remove_file(&self.path);
    }

    /// The failure, which says where the work is.
    fn kept(&self, failure: Failure) -> Failure {
        failure.and_message(&format!("what you edited is kept in {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests;
