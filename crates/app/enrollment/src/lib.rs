//! How machines join a cluster and stay in it.
//!
//! A [`JoinSecret`] gives the right to join; [`Enrollment::join`] makes a host of whoever has it and proves to hold a key;
//! [`Enrollment::identify`] tells who presents a host's certificate, [`Enrollment::renew`] gives it new ones, and
//! [`Enrollment::heartbeat`] notes that it is here and what it proved, which is what rotations wait for. A host that is removed
//! stays known, so that its id never comes back.

mod caller;
mod certificates;
mod claims;
mod dial;
mod enrollment;
mod error;
mod evidence;
mod heartbeat;
mod host;
mod host_names;
mod join;
mod nodes;
mod own;
mod reach;
mod records;
mod removals;
mod remove;
mod renew;
mod secret;
mod tokens;
mod trust;

pub use caller::HostCaller;
pub use certificates::{Certificates, SSH_LIFE, SshCertificate, TLS_LIFE, TlsCertificate};
pub use enrollment::{Enrollment, HEARD, ONLINE, Parts, Settings, Tunnelled};
pub use error::{EnrollmentError, Refusal};
pub use heartbeat::{Heartbeat, HeartbeatAnswer, events_wait_alert};
pub use host::HostId;
pub use join::{JoinRequest, Joined};
pub use nodes::{HostStatus, NodePage, NodeStatus};
pub use own::Standing;
pub use removals::Removals;
pub use renew::RenewRequest;
pub use secret::{JoinSecret, SecretSource, StaticToken, join_proof, parse_static_token};
pub use tokens::{CreateToken, CreatedToken, TOKEN_TTL, TOKEN_TTL_MAX};
pub use trust::{TrustBundle, TrustedKey};
