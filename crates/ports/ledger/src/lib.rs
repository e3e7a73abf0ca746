//! The port to append-only facts: audit events and issued certificates.
//!
//! Appending is durable on return. Adapters gather concurrent appends into one commit (group commit), keep the chain of hashes of
//! `audit`, and never change or remove what was appended. The contract every adapter passes is in `ledger-contract`.

use async_trait::async_trait;
use audit::AuditReport;
use audit::Entry;
use audit::Envelope;
use audit::Head;
use authority::AuthorityType;
use authority::KeyForm;
use key::SpkiSha256;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;

mod check;
mod revocation_check;

pub use revocation_check::RevocationCheck;

/// The largest event line, in bytes. A larger event is refused by the adapter, never cut.
pub use audit::LINE_BYTES_MAX;
/// The most records of one [`Ledger::append`].
pub const RECORDS_MAX: usize = 256;
/// The longest certificate, in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1_024;
/// The longest serial, in bytes: visible ASCII, at least one.
pub const SERIAL_BYTES_MAX: usize = 128;
/// The longest subject or reason, in bytes.
pub const TEXT_BYTES_MAX: usize = 4 * 1_024;
/// The most rows of one page.
pub const PAGE_MAX: usize = 1_000;

/// The rows of a page for the limit of a query.
pub const fn page_size(limit: usize) -> usize {
    if limit == 0 || limit > PAGE_MAX {
        PAGE_MAX
    } else {
        limit
    }
}

/// A fact to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An audit event.
    Event(Box<Envelope>),
    /// A serial number is taken for a certificate about to be signed.
    Serial {
        /// The authority and form it will be signed by: serials are unique per pair.
        authority: AuthorityType,
        /// What signs it.
        form: KeyForm,
        /// The serial, lower-case hexadecimal (X.509), decimal (SSH) or the `jti` of a token.
        serial: String,
    },
    /// A certificate was issued. Its serial was taken before, in an earlier append or earlier in this one, and no certificate
    /// with it was recorded.
    Certificate(Box<IssuedCertificate>),
    /// A certificate was revoked. When it is revoked again, the first time counts.
    Revocation {
        /// The authority.
        authority: AuthorityType,
        /// Its serial.
        serial: String,
        /// When it was revoked.
        revoked_at: UnixSeconds,
        /// Why (RFC 5280 section 5.3.1, its name).
        reason: String,
        /// When the certificate would have expired, after which no list needs to name it.
        not_after: UnixSeconds,
    },
}

/// A certificate as issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedCertificate {
    /// The authority that issued it.
    pub authority: AuthorityType,
    /// What it is.
    pub form: KeyForm,
    /// Its serial, as in [`Record::Serial`].
    pub serial: String,
    /// Whom it names.
    pub subject: String,
    /// The key that signed it.
    pub issuer_spki_sha256: SpkiSha256,
    /// When it begins.
    pub not_before: UnixSeconds,
    /// When it ends.
    pub not_after: UnixSeconds,
    /// The `uid` of the audit event that announced it: who asked, which policy allowed it.
    pub event_uid: String,
    /// The certificate: DER (X.509), the blob (SSH). Empty for tokens, which are secrets.
    pub bytes: Vec<u8>,
}

/// A revocation as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The serial.
    pub serial: String,
    /// When it was revoked.
    pub revoked_at: UnixSeconds,
    /// Why.
    pub reason: String,
    /// When the certificate would have expired.
    pub not_after: UnixSeconds,
}

/// Which events to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only those with a sequence above this (below it, when the newest come first).
    pub after: Option<u64>,
    /// The most to return, capped at [`PAGE_MAX`]; 0 means [`PAGE_MAX`].
    pub limit: usize,
    /// Only events of these names or codes (`authority.rotation.phase`, `SR002I`); empty: all.
    pub kinds: Vec<String>,
    /// Only those by this user.
    pub user: Option<String>,
    /// Only those at or after this moment.
    pub since: Option<UnixSeconds>,
    /// Only those before this moment.
    pub until: Option<UnixSeconds>,
    /// Newest first rather than oldest first.
    pub newest_first: bool,
}

/// Which certificates to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateQuery {
    /// Only by this authority.
    pub authority: Option<AuthorityType>,
    /// Only signed by this key.
    pub issuer: Option<SpkiSha256>,
    /// Only those that end after this moment.
    pub unexpired_at: Option<UnixSeconds>,
    /// Only with this serial.
    pub serial: Option<String>,
    /// Only for this subject.
    pub subject: Option<String>,
    /// Skip this many; rows are in the order in which their serials were taken, newest first.
    pub offset: usize,
    /// The most to return, capped at [`PAGE_MAX`]; 0 means [`PAGE_MAX`].
    pub limit: usize,
}

/// A copy of the log is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportTrouble {
    /// The file or folder.
    pub path: String,
    /// What was seen, and what to do.
    pub reason: String,
}

/// Why nothing was appended, or nothing read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The serial is taken: choose another.
    #[error("serial {serial} of authority {authority} is taken")]
    SerialTaken {
        /// The authority.
        authority: AuthorityType,
        /// The serial.
        serial: String,
    },
    /// A record is larger than allowed or not of the form its kind asks for, or there are too many or none.
    #[error("the records cannot be appended: {0}")]
    Malformed(&'static str),
    /// The ledger is full, or may not be written. What was to be recorded must not be done.
    #[error("the ledger cannot be written: {0}; free space or fix permissions, nothing was done")]
    Unwritable(String),
    /// What is stored is damaged or of another version.
    #[error("the ledger cannot be read: {0}")]
    Damaged(String),
    /// The ledger does not answer.
    #[error("the ledger does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Append-only facts.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Appends all the records or none, in this order; durable on return.
    ///
    /// # Errors
    /// After an error nothing was appended.
    async fn append(&self, records: Vec<Record>) -> Result<Head, LedgerError>;

    /// The last event.
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn head(&self) -> Result<Head, LedgerError>;

    /// Reads events.
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn events(&self, query: &EventQuery) -> Result<Vec<Entry>, LedgerError>;

    /// Reads certificates.
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn certificates(&self, query: &CertificateQuery) -> Result<Vec<IssuedCertificate>, LedgerError>;

    /// Every revocation of an authority whose certificate has not expired at this moment (`not_after` is later), each serial once,
    /// in the order they were recorded.
    ///
    /// # Errors
    /// When the ledger does not answer.
    async fn revocations(
        &self,
        authority: AuthorityType,
        unexpired_at: UnixSeconds,
    ) -> Result<Vec<Revoked>, LedgerError>;

    /// Checks every entry against the chain, every copy the ledger keeps against the entries, the list of revocations against the
    /// entries that tell of them ([`RevocationCheck`]), and, when a head was recorded elsewhere, that the log still reaches it and
    /// holds that very entry.
    ///
    /// # Errors
    /// When the ledger does not answer. What does not fit is no error but a finding.
    async fn verify(&self, anchor: Option<Head>) -> Result<AuditReport, LedgerError>;

    /// What keeps a copy of the log from being complete, when something does: the ledger itself goes on.
    fn export_trouble(&self) -> Option<ExportTrouble>;
}
