//! `e2e`, one suite by name, and `golden`, rewriting generated files.

use anyhow::bail;

use crate::workspace::{Workspace, run};

/// Runs every suite called `suite` (hyphens and underscores are the same), or lists all suites.
pub(crate) fn run_one(
    workspace: &Workspace,
    suite: Option<&str>,
    arguments: &[String],
) -> anyhow::Result<()> {
    let names = names(workspace);
    let listing = names
        .iter()
        .map(|(name, package)| format!("    {name:<28} in {package}\n"))
        .collect::<String>();
    let Some(suite) = suite else {
        print!("{listing}");
        return Ok(());
    };
    let wanted = suite.replace('-', "_");
    let found: Vec<_> = names
        .iter()
        .filter(|(name, _)| name.replace('-', "_") == wanted)
        .collect();
    if found.is_empty() {
        bail!("no suite is called {suite}; there are:\n{listing}");
    }
    for (name, package) in found {
        run(workspace
            .cargo(["test", "--package", package, "--test", name, "--"])
            .args(arguments))?;
    }
    Ok(())
}

/// Runs tests so that they rewrite what they compare with; all tests when nothing is asked for.
pub(crate) fn update_golden(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let mut command = workspace.cargo(["test"]);
    if arguments.is_empty() {
        command.arg("--workspace");
    }
    run(command.args(arguments).env("UPDATE_GOLDEN", "1"))
}

/// Every suite with its package, sorted.
fn names(workspace: &Workspace) -> Vec<(&str, &str)> {
    let packages = workspace.packages().iter();
    let mut names: Vec<_> = packages
        .flat_map(|each| {
            each.suites
                .iter()
                .map(|suite| (suite.as_str(), each.name.as_str()))
        })
        .collect();
    names.sort_unstable();
    names
}
