//! SSH certificates in the form of OpenSSH (PROTOCOL.certkeys), for users and hosts.
//!
//! A [`CertificatePlan`] says everything that will be signed and writes the bytes to sign; [`assemble`] joins them with the
//! signature, which may come from anywhere. [`Certificate`] reads certificates back, ours and others', within limits, and
//! [`Certificate::check`] decides whether one is accepted. [`SubjectKey`] is a key that may be certified: weak, odd and already certified
//! ones do not become one.
//!
//! This crate holds no policy (that is `profile`), no private keys, no clock and no randomness.

mod certificate;
mod error;
mod options;
mod own_fact;
mod plan;
mod subject_key;
mod trust;
mod wire;

pub use certificate::{
    Certificate, Expected, MAXIMUM_CERTIFICATE_LENGTH, NotAccepted, TbsCertificate, certificate_line,
};
pub use error::{BuildError, ParseError};
pub use options::{
    CriticalOptions, EXTENSION_DOMAIN, ExtensionName, Extensions, ForceCommand, Network, Permit,
};
pub use own_fact::OwnFact;
pub use plan::{CertificatePlan, CertificateType, MAXIMUM_PRINCIPALS, assemble};
pub use subject_key::{SubjectAlgorithm, SubjectKey, authority_key, public_key_blob};
pub use trust::{cert_authority_line, known_hosts_line, public_key_fingerprint, public_key_line};
