//! Being no part of the cluster any more, and knowing so from the first moment after a restart.
//!
//! A machine that is locked or was removed is shown nothing by the auth service, so that what it last saw has no lock on it. The lock is
//! therefore put there by the machine itself, in memory and in the file that the next start reads.

use api_client::ClientError;
use api_types::AgentView;
use resource::Document;
use resource::LockSpec;
use resource::LockTarget;
use resource::Metadata;
use resource::ResourceName;

use crate::AgentError;

/// What the machine's own lock on itself is called.
const NAME: &str = "removed-machine";
/// A revision that no view has: whatever the auth service shows next is new.
const NOT_SHOWN: u64 = 0;

/// Why the machine may let nobody in, when the auth service says so: it was removed, which takes a lock on it first, or it is locked.
pub(crate) fn out_of_the_cluster(error: &AgentError) -> Option<&str> {
    let AgentError::Client(ClientError::Refused { code, message, .. }) = error else {
        return None;
    };
    match code.as_str() {
        "not_a_member" | "revoked" => Some("the host was removed"),
        "locked" => Some(
            message
                .split_once(": ")
                .map_or("the host is locked", |(_, words)| words),
        ),
        _ => None,
    }
}

/// Puts a lock on a machine into what it was last shown, when there is none of its own yet. Returns whether anything changed.
///
/// # Errors
/// When the lock cannot be written, which no input makes happen.
pub(crate) fn shut_out(view: &mut AgentView, host_id: &str, words: &str) -> Result<bool, AgentError> {
    let is_own = |lock: &serde_json::Value| {
        lock.pointer("/metadata/name").and_then(serde_json::Value::as_str) == Some(NAME)
    };
    if view.locks.iter().any(is_own) {
        return Ok(false);
    }
    let unwritten = |error: &dyn std::fmt::Display| AgentError::NotUnderstood(error.to_string());
    let name = ResourceName::parse(NAME).map_err(|error| unwritten(&error))?;
    let spec = LockSpec {
        target: LockTarget {
            node: Some(host_id.to_owned()),
            ..LockTarget::default()
        },
        message: Some(words.to_owned()),
        ..LockSpec::default()
    };
    let lock = Document::new(Metadata::named(name), spec);
    let lock = serde_json::to_value(lock).map_err(|error| unwritten(&error))?;
    view.locks.push(lock);
    // Should it be taken back into the cluster, it looks anew.
    view.revision = NOT_SHOWN;
    Ok(true)
}

#[cfg(test)]
mod tests;
