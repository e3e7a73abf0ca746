use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use api_client::ClientError;

/// Why a command did not do what was asked. Printed as an `error:` line and, where there is something to do about it,
/// a `hint:` line.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// The server's stable code, when it gave one.
    code: Option<String>,
}

/// Who has to act, as the exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something failed: exit code 1.
    Failed,
    /// The command was not given what it needs: exit code 2, as for unknown options.
    Usage,
    /// The server refused: exit code 3.
    Refused,
    /// The server could not be reached, and nothing was done: exit code 4.
    Unreachable,
}

impl Failure {
    /// The command was not given what it needs.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind: Kind::Usage,
            message: message.into(),
            hint: Some(hint.into()),
            code: None,
        }
    }

    /// Something on this side failed.
    pub(crate) fn local(what: &str, cause: &dyn Error) -> Self {
        Self {
            kind: Kind::Failed,
            message: format!("{what}: {}", chain(cause)),
            hint: None,
            code: None,
        }
    }

    /// Something on this side failed, in words.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failed,
            message: message.into(),
            hint: None,
            code: None,
        }
    }

    /// The server says no, in words: there is nothing of that name.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Refused,
            message: message.into(),
            hint: None,
            code: None,
        }
    }

    /// The same with something to do about it.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same in other words.
    pub(crate) fn with_message(self, message: String) -> Self {
        Self { message, ..self }
    }

    /// The same, saying first what it is about.
    pub(crate) fn about(self, what: &str) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }

    /// The same with one more line.
    pub(crate) fn and_message(self, line: &str) -> Self {
        Self {
            message: format!("{}\n{line}", self.message),
            ..self
        }
    }

    /// The server's stable code, when it gave one.
    pub(crate) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether what was asked for is not there.
    pub(crate) fn is_absence(&self) -> bool {
        self.kind == Kind::Refused && self.code().is_none_or(|code| code == "not_found")
    }

    /// Why.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    const fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Unreachable => 4,
        }
    }

    /// The lines for standard error.
    fn lines(&self) -> String {
        let mut lines = format!("error: {}\n", terminal::visible_lines(&self.message));
        if let Some(hint) = &self.hint {
            lines.push_str(&format!("hint: {}\n", terminal::visible_lines(hint)));
        }
        lines
    }

    /// Prints the lines and returns the exit code.
    pub(crate) fn print(&self) -> ExitCode {
        // Nothing is left to do when standard error is gone too.
        let _ = std::io::stderr().write_all(self.lines().as_bytes());
        ExitCode::from(self.exit_code())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Refused { .. } => Kind::Refused,
            ClientError::Unusable(_) => Kind::Usage,
            ClientError::SocketUnreachable { .. }
            | ClientError::SocketForbidden { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Untrusted { .. } => Kind::Unreachable,
            ClientError::TooSlow { .. }
            | ClientError::Broken(_)
            | ClientError::Fault { .. }
            | ClientError::NotUnderstood(_) => Kind::Failed,
        };
        Self {
            kind,
            message: chain(&error),
            hint: error.hint(),
            code: error.code().map(str::to_owned),
        }
    }
}

/// An error and what caused it, once each.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(&format!(": {words}"));
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_absence_have_their_own_exit_codes() {
        let refused = Failure::from(ClientError::Refused {
            status: 409,
            code: "rotation.not_allowed".to_owned(),
            message: "cannot go to \"standby\" from \"init\"".to_owned(),
            hint: Some("use update_clients or rollback".to_owned()),
            request_id: "r".to_owned(),
            retry_after: None,
        });
        assert_eq!(refused.exit_code(), 3);
        assert_eq!(
            refused.lines(),
            "error: cannot go to \"standby\" from \"init\"\nhint: use update_clients or rollback\n"
        );
        let absent = Failure::from(ClientError::SocketUnreachable {
            path: "/nowhere/signet.sock".into(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        });
        assert_eq!(absent.exit_code(), 4);
        assert!(
            absent
                .lines()
                .starts_with("error: no auth service answers on /nowhere/signet.sock: ")
        );
        assert_eq!(Failure::usage("a", "b").exit_code(), 2);
        assert_eq!(Failure::failed("a").exit_code(), 1);
    }

    #[test]
    fn what_the_server_says_cannot_drive_the_terminal() {
        let failure = Failure::failed("a\x1b[2Jb");
        assert_eq!(failure.lines(), "error: a\\u{1b}[2Jb\n");
    }
}
