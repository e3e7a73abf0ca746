//! X.509 certificates, revocation lists and requests (RFC 5280, RFC 2986).
//!
//! A plan ([`LeafPlan`], [`CaCertificatePlan`], [`CrlPlan`]) says everything that will be signed and writes the bytes to sign;
//! [`assemble`] joins them with the signature, which may come from anywhere. [`Certificate`], [`CertificateList`] and
//! [`CertificateRequest`] read documents back, ours and others', within limits and without trust.
//!
//! DER is written and read by two small modules of our own (`write`, `read`): one pass, no tree, no allocation for each element. Plans are
//! linted on the very bytes to be signed, which makes this the hot path of issuance. The tests compare both with a foreign implementation.
//!
//! This crate holds no policy (that is `profile`), no keys, no clock and no randomness.

mod algorithm;
mod alt_name;
mod certificate;
mod crl;
mod error;
mod identity;
mod issuer;
mod name;
pub mod oid;
pub mod pem;
mod plan;
mod read;
mod request;
mod signed;
mod tbs;
mod time;
mod usage;
mod write;

pub use alt_name::SubjectAltName;
pub use certificate::{Certificate, MAXIMUM_CERTIFICATE_LENGTH};
pub use crl::{
    CertificateList, CrlPlan, MAXIMUM_CRL_LENGTH, RevocationReason, RevokedCertificate, TbsCertList,
};
pub use error::{BuildError, ParseError};
pub use identity::{Identity, IdentityKind, IdentityVersion, MAXIMUM_IDENTITY_LENGTH};
pub use issuer::Issuer;
pub use name::{DistinguishedName, NameAttribute};
pub use plan::{CaCertificatePlan, LeafPlan};
pub use request::{CertificateRequest, MAXIMUM_REQUEST_LENGTH};
pub use signed::assemble;
pub use tbs::{BasicConstraints, Extension, TbsCertificate};
pub use time::EncodedTime;
pub use usage::{ExtendedKeyUsage, KeyUsage, StatedPurposes};
