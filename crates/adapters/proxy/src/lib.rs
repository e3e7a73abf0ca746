//! The public face of a cluster: one TLS port for everything, an SSH jump host, and the proxy's end of reverse tunnels.
//!
//! [`Listener::run_public`] accepts, looks at the first message of TLS without taking it, and gives the connection to whom its client asks
//! for (RFC 7301): `signet-auth` untouched to the API of the auth service, `signet-ssh` to the [`SshProxy`], `signet-tunnel` to the
//! tunnels, `acme-tls/1` to the answer for an ACME server, everything else to the web router. [`Listener::run_ssh`] serves the SSH proxy without TLS around it.
//!
//! This crate decides nothing by itself. Who may be here says the [`Gate`], which nodes there are and how they are reached the
//! [`Resolver`], and what happened is taken down by [`Events`] before it happens. It runs no shells and no commands, and connects to
//! nothing but nodes.

mod auth;
mod certificate;
mod challenge;
mod dialer;
mod door;
mod events;
mod faces;
mod gate;
mod header;
mod hello;
mod listener;
mod peek;
mod route;
mod ssh;
mod tunnelling;

pub use auth::{AuthIntake, HandOver};
pub use certificate::{CertError, CertSource, FileSource};
pub use dialer::{DialError, Dialer, Here, NodeStream};
pub use door::Balancers;
pub use events::{EventFault, Events, ProxyEvent};
pub use faces::{Faces, FacesError, TunnelIdentity, WebCredential};
pub use gate::{Gate, SshUser};
pub use hello::{ACME_ALPN, AUTH_ALPN, OWN_ALPN, SSH_ALPN};
pub use listener::{Listener, Public};
pub use route::{Hop, NoRoute, NotATarget, Resolver, Route, Target, Terminator, Via};
pub use ssh::{IdentityError, SshIdentity, SshLimits, SshParts, SshProxy};
pub use tunnelling::Tunnelling;
