//! Signet's API over HTTP: for the operator of the host by a local socket, for others by mutual TLS, and what everybody may read.
//!
//! [`api_router`] and [`web_router`] are what is served, [`LocalListener`] and [`TlsListener`] how, [`Front`] what TLS runs with. Who may
//! do what is the table [`TABLE`]; how errors are told is the match in `problem`. Endpoints are thin: they parse, call one use case
//! of `cluster`, and put its answer into the documents of `api-types`; what maps one to the other is pure and lies in `documents`.

mod accept;
mod attempts;
mod caller;
mod connection;
mod credential;
mod denials;
mod documents;
mod endpoints;
mod limits;
mod local;
mod openapi;
mod permission;
mod places;
mod presence;
mod problem;
mod public;
mod reauthentication;
mod reference;
mod request_id;
mod rest;
mod router;
mod service;
mod stop;
mod strangers;
mod tls;
mod trust;
mod visitors;
mod web;

pub use accept::{Face, HandedOver, TlsListener};
pub use attempts::{AttemptLimits, AttemptRate};
pub use caller::{Caller, Peer, Role, Stranger};
pub use connection::{API_ALPN, Last, Visitor, serve_visitor};
pub use limits::{AddressLimits, ConnectionLimits};
pub use local::{LocalListener, SocketError};
pub use openapi::openapi_json;
pub use permission::{Holders, Permission, TABLE, permits};
pub use problem::{ACCESS_CODES, CODES, Problem, Told, chain};
pub use reauthentication::{Locked, Reauthentication};
pub use reference::reference_markdown;
pub use request_id::RequestId;
pub use router::{api_router, check_type, deny, read as read_body, recognise};
pub use service::{
    CheckLog, Examine, LOG_ALERT, RequestLimits, Restore, RestoreError, Service, ServiceParts,
};
pub use stop::{Stop, Stopper};
pub use strangers::{Admission, Notice, Strangers};
pub use tls::{Front, ReloadError};
pub use trust::ClientTrust;
pub use web::web_router;
