//! The proxy with real clients and servers: OpenSSH on both ends, OpenSSL, and agents behind tunnels.

#[cfg(test)]
mod balancers;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod dialling;
#[cfg(test)]
mod jump;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod openssh;
#[cfg(test)]
mod public;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tunnels;
