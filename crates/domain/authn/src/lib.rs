//! How people prove who they are: passwords, one-time codes, recovery codes, bearers; and when attempts are no longer listened to.
//!
//! Nothing here reads a clock, a file or random bytes: they are arguments. Secrets are types without `Debug` output that wipe
//! themselves. Ceremonies of WebAuthn are the work of a library and live with the use cases.

mod base32;
mod bearer;
mod frequent_passwords;
mod lockout;
mod password;
mod password_hash;
mod picture;
mod recovery;
mod totp;

pub use bearer::Bearer;
pub use bearer::BearerHash;
pub use bearer::CsrfToken;
pub use lockout::Admission;
pub use lockout::AttemptId;
pub use lockout::Attempts;
pub use lockout::LockedOut;
pub use lockout::LockoutPolicy;
pub use lockout::Scope;
pub use lockout::Source;
pub use password::Password;
pub use password::PasswordProblem;
pub use password::check_new_password;
pub use password_hash::HashFault;
pub use password_hash::HashMemory;
pub use password_hash::PasswordHash;
pub use picture::QrPicture;
pub use recovery::RECOVERY_CODES;
pub use recovery::RecoveryCode;
pub use recovery::RecoveryCodeHash;
pub use recovery::recovery_codes;
pub use totp::Step;
pub use totp::TotpSeed;
