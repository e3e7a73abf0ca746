//! Parts from PyPI, in an environment of their own with pinned versions.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::workspace::{Workspace, run};

/// Debian's interpreter, which belongs to the packages installed before; otherwise whatever is in `PATH`.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// Makes the environment, unless it was made from the very same list of versions.
pub(super) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    let requirements = workspace.root().join("xtask/requirements.txt");
    let wanted =
        fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let venv = workspace.parts().join("venv");
    // Written last: an environment without it is half made.
    let stamp = venv.join("signet-requirements.txt");
    if fs::read(&stamp).is_ok_and(|present| present == wanted) {
        println!("    Python environment: up to date in {}", venv.display());
        return Ok(());
    }
    println!("    Python environment: making {}", venv.display());
    fs::create_dir_all(workspace.parts())
        .with_context(|| format!("cannot make the directory {}", workspace.parts().display()))?;
    let python = if Path::new(SYSTEM_PYTHON).exists() {
        SYSTEM_PYTHON
    } else {
        "python3"
    };
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--requirement",
    ]);
    run(pip.arg(&requirements))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
