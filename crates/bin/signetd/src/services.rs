//! What runs besides the auth service: this machine as an agent, its proxy, its SSH service.

mod machine;
pub(crate) mod node;
pub(crate) mod proxy;
pub(crate) mod public_certificate;
pub(crate) mod web_files;

pub(crate) use machine::Machine;
pub(crate) use machine::Services;
pub(crate) use machine::public_addresses;
pub(crate) use machine::run;
