//! Where things are, and what Cargo says about the packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The workspace that is worked on.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    parts: PathBuf,
    packages: Vec<Package>,
}

/// A workspace member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The folder of its manifest.
    pub(crate) folder: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    /// Names of its integration tests.
    pub(crate) suites: Vec<String>,
}

/// A dependency as the manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The folder, for dependencies inside the workspace.
    pub(crate) path: Option<PathBuf>,
    pub(crate) for_tests_only: bool,
}

impl Workspace {
    /// Finds the workspace around the present directory. `parts` overrides where parts are installed.
    pub(crate) fn find(parts: Option<PathBuf>) -> anyhow::Result<Self> {
        let manifest = output(Command::new("cargo").args([
            "locate-project",
            "--workspace",
            "--message-format",
            "plain",
        ]))?;
        let root = Path::new(manifest.trim())
            .parent()
            .context("the workspace manifest has no folder")?;
        Self::at(root, parts)
    }

    /// The workspace with this root folder.
    pub(crate) fn at(root: &Path, parts: Option<PathBuf>) -> anyhow::Result<Self> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let text = output(Command::new("cargo").args(arguments).current_dir(root))?;
        let metadata: Value =
            serde_json::from_str(&text).context("cannot read the output of `cargo metadata`")?;
        let target = PathBuf::from(string(&metadata, "target_directory")?);
        let packages = list(&metadata, "packages")?
            .iter()
            .map(package)
            .collect::<anyhow::Result<_>>()?;
        let parts = parts.unwrap_or_else(|| target.join("parts"));
        Ok(Self {
            root: root.to_owned(),
            target,
            parts,
            packages,
        })
    }

    /// The folder of the workspace manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory, as the environment and configuration say.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Where parts that are not system packages are installed.
    pub(crate) fn parts(&self) -> &Path {
        &self.parts
    }

    /// The members.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// A Cargo command in the workspace, which tells tests where the parts are.
    pub(crate) fn cargo<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("cargo");
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("SIGNET_PARTS_DIR", &self.parts);
        command
    }
}

/// Runs a command that has to succeed, and returns its standard output.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = command_line(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}` failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command that has to succeed, with its output on ours.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = command_line(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("`{line}` failed ({status})")
    }
}

/// The command line for messages.
pub(crate) fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn package(value: &Value) -> anyhow::Result<Package> {
    let manifest = PathBuf::from(string(value, "manifest_path")?);
    let folder = manifest.parent().context("a manifest has no folder")?.to_owned();
    let dependencies = list(value, "dependencies")?
        .iter()
        .map(dependency)
        .collect::<anyhow::Result<_>>()?;
    let suites = list(value, "targets")?
        .iter()
        .filter(|target| is_suite(target))
        .map(|target| string(target, "name"));
    Ok(Package {
        name: string(value, "name")?,
        folder,
        dependencies,
        suites: suites.collect::<anyhow::Result<_>>()?,
    })
}

fn dependency(value: &Value) -> anyhow::Result<Dependency> {
    Ok(Dependency {
        name: string(value, "name")?,
        path: value.get("path").and_then(Value::as_str).map(PathBuf::from),
        for_tests_only: value.get("kind").and_then(Value::as_str) == Some("dev"),
    })
}

fn is_suite(target: &Value) -> bool {
    let kinds = target.get("kind").and_then(Value::as_array);
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"))
}

fn string(value: &Value, field: &str) -> anyhow::Result<String> {
    let text = value.get(field).and_then(Value::as_str);
    text.map(str::to_owned)
        .with_context(|| format!("`cargo metadata` gives no {field}"))
}

fn list<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a Vec<Value>> {
    value
        .get(field)
        .and_then(Value::as_array)
        .with_context(|| format!("`cargo metadata` gives no {field}"))
}
