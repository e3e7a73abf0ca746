/// A rule that a plan or a request breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule, stable: `x509.aki`, `ssh.principals`.
    pub id: &'static str,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(id: &'static str, message: impl Into<String>) -> Self {
        Self {
            id,
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.id, self.message)
    }
}

/// Collects what does not hold.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// Notes a finding unless the rule holds.
    pub(crate) fn check(&mut self, holds: bool, id: &'static str, message: &'static str) {
        if !holds {
            self.0.push(Finding::new(id, message));
        }
    }

    pub(crate) fn add(&mut self, id: &'static str, message: impl Into<String>) {
        self.0.push(Finding::new(id, message));
    }

    /// A value that could be read, or a finding.
    pub(crate) fn read<T, E: std::fmt::Display>(
        &mut self,
        id: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(id, error.to_string())).ok()
    }

    pub(crate) fn into_result(self) -> Result<(), Vec<Finding>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}
