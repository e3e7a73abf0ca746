//! Installs what tests run against: Debian packages and a Python environment.
//!
//! Everything is checked first, so a second run takes a moment and needs neither network nor rights.

mod debian;
mod python;

use crate::workspace::Workspace;

/// Installs every part that is missing.
pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<()> {
    debian::install()?;
    python::install(workspace)
}
