//! The documents an operator reads and writes: users, roles, join tokens, nodes, locks and the settings of the cluster.
//!
//! A [`Document`] has a kind, a version, metadata and a spec. [`Document::from_value`] and [`AnyDocument::from_value`] read
//! and check one; every [`Problem`] they find says where it is, what it is, and what is allowed there. Documents
//! round-trip: what is read back from a printed document equals the document.
//!
//! This crate knows the form of documents. What roles mean is in `access`; who may write which document, and what
//! the store fills in, is the directory's business. YAML is an adapter's: it hands a JSON value over.

mod any;
mod document;
mod kind;
mod limits;
mod lock;
mod name;
mod node;
mod problem;
mod role;
mod scalars;
mod settings;
mod token;
mod user;

pub use any::AnyDocument;
pub use document::{Document, Metadata, Spec, Version};
pub use kind::{Kind, UnknownKind};
pub use limits::{ENTRIES_MAX, TEXT_BYTES_MAX};
pub use lock::{LockSpec, LockTarget};
pub use name::{BadResourceName, ResourceName};
pub use node::{NodeSpec, RotationEvidence, SubKind};
pub use problem::{Problem, closest};
pub use role::{
    CertExtension, CertExtensionKind, CertExtensionMode, Conditions, Labels, LockMode, PortForwarding,
    RecordMode, RecordSession, RoleOptions, RoleSpec, Rule,
};
pub use settings::{
    AuthPreferenceSpec, Lockout, NetworkingSpec, RecordingMode, SecondFactor, SessionRecordingSpec, Webauthn,
};
pub use token::{JoinMethod, SystemRole, TokenSpec, UnknownSystemRole};
pub use user::{UserSpec, UserStatus};
