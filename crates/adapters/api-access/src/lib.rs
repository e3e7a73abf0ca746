//! The API about people, documents and machines, over HTTP: what [`api_http`] serves about authorities, continued.
//!
//! [`access_router`] is for those who prove who they are, [`public_router`] for everybody. Endpoints are thin: they parse, ask for the
//! right, call one use case, and put its answer into the documents of `api-types`. Who may do what with documents is decided by the rules
//! of roles (`access`), what machines may do by their system role.

mod admin;
mod agents;
mod asked;
mod browser_login;
mod browser_proof;
mod caller;
mod convert;
mod documents;
mod events;
mod explain;
mod let_in;
mod nodes;
mod openssh;
mod people;
mod problem;
mod proof;
mod router;
mod service;
mod session;
mod tokens;

pub use agents::join_directly;
pub use agents::view_directly;
pub use let_in::limit_pages;
pub use problem::Problem;
pub use router::{access_router, public_router};
pub use service::{Access, AccessParts};
pub use tokens::local_token;
