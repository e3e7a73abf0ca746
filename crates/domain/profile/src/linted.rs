use key::Signature;
use key::SignatureScheme;
use names::UnixSeconds;

/// What the log says of something about to be signed. Taken from the plan that was linted, not from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its kind: `user`, `host`, `db`, …
    pub cert_type: &'static str,
    /// Its serial: hexadecimal (X.509), decimal (SSH), the `jti` of a token.
    pub serial: String,
    /// Whom it names.
    pub subject: String,
    /// Every name it is good for.
    pub principals: Vec<String>,
    /// When it begins.
    pub not_before: UnixSeconds,
    /// When it ends.
    pub not_after: UnixSeconds,
}

/// A plan that passed the linter. Only this crate makes one; it cannot be copied, and signing consumes it.
#[derive(Debug)]
pub struct LintedPlan {
    summary: Summary,
    to_be_signed: ToBeSigned,
}

/// The bytes of a linted plan, waiting for their signature.
#[derive(Debug)]
pub struct ToBeSigned {
    bytes: Vec<u8>,
    scheme: SignatureScheme,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    X509,
    Ssh,
    Token,
}

/// The signature does not fit the plan.
#[derive(Debug, thiserror::Error)]
#[error("the signature cannot be joined to what was planned: {0}")]
pub struct AssembleError(String);

impl LintedPlan {
    pub(crate) const fn new(summary: Summary, bytes: Vec<u8>, scheme: SignatureScheme, kind: Kind) -> Self {
        Self {
            summary,
            to_be_signed: ToBeSigned { bytes, scheme, kind },
        }
    }

    /// What the log is to say of it.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Gives the plan up for what it says and the bytes to sign.
    pub fn into_parts(self) -> (Summary, ToBeSigned) {
        (self.summary, self.to_be_signed)
    }
}

impl ToBeSigned {
    /// The bytes to sign.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How to sign them.
    pub const fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Joins the bytes with their signature: DER (X.509), a blob (SSH), or the text of a token.
    ///
    /// # Errors
    /// When the signature is of another scheme.
    pub fn assemble(self, signature: &Signature) -> Result<Vec<u8>, AssembleError> {
        let Self { bytes, scheme, kind } = self;
        match kind {
            Kind::X509 => {
                x509::assemble(&bytes, scheme, signature).map_err(|error| AssembleError(error.to_string()))
            }
            Kind::Ssh => ssh_cert::assemble(&bytes, scheme, signature)
                .map_err(|error| AssembleError(error.to_string())),
            Kind::Token => {
                let text = std::str::from_utf8(&bytes).map_err(|error| AssembleError(error.to_string()))?;
                let token = jwt::assemble(text, scheme, signature)
                    .map_err(|error| AssembleError(error.to_string()))?;
                Ok(token.into_bytes())
            }
        }
    }
}
