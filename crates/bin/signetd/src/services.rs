//! What runs besides the auth service: this machine as an agent, its proxy, its SSH service.

mod machine;
pub(crate) mod node;
pub(crate) mod proxy;

pub(crate) use machine::Machine;
pub(crate) use machine::Services;
pub(crate) use machine::run;
