//! The API as it is served: over its socket, over mutual TLS, to everybody; on in-memory parts, under a virtual clock.

#[cfg(test)]
mod authorisation;
#[cfg(test)]
mod client;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mutual_tls;
#[cfg(test)]
mod server_certificate;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod web;
#[cfg(test)]
mod world;
