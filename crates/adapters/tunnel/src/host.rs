use std::sync::Arc;

/// The id of a host, as its certificate has it. Clones are cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(Arc<str>);

/// The text is not the id of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a host has 1 to 64 letters, digits, dots, hyphens and underscores")]
pub struct NotAHostId;

impl HostId {
    /// Parses an id.
    ///
    /// # Errors
    /// When it is empty, longer than 64 bytes, or has other characters than ASCII letters, digits, `.`, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, NotAHostId> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(is_allowed) {
            return Err(NotAHostId);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HostId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
