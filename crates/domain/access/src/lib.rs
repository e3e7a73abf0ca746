//! Who may do what: roles and a request in, a [`Decision`] with its proof out. Pure: no clock, no store, no network.
//!
//! [`Role::parse`] compiles the document of a role, [`AccessSet`] holds the roles of one user with the user's traits filled
//! in and answers: may it log in to a node by a login, may it do something with a resource, how do its sessions behave.
//! A refusal in any role wins over every permission, and what nothing permits is refused.
//!
//! [`lock_hits`] finds the lock that stops a subject. What members of the cluster may call, their routes say.
//! This crate does not know where roles come from; the directory hands them over.

mod carried;
mod condition;
mod decision;
mod explain;
mod lock;
mod options;
mod pattern;
mod preset;
mod role;
mod rules;
mod selector;
mod session;
mod set;
mod template;
mod tokens;

pub use carried::{Carried, NotCarried};
pub use decision::{Decision, Proof, Reason};
pub use lock::{LockSubject, lock_hits};
pub use options::{MAX_SESSION_TTL, SESSION_TTL, SessionOptions, session_ttl};
pub use preset::presets;
pub use role::Role;
pub use rules::{RESOURCES, ResourceView, SessionView, UnknownVerb, Verb, WhereContext};
pub use session::{Demand, LOCKS_STALE_AFTER, Lacking, SessionFacts, SessionNeeds, judge_locks};
pub use set::{AccessSet, NodeView, UserTraits};
