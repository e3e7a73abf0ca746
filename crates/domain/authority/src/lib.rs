//! What a certificate authority is: its type, the forms its keys have, the algorithm each suite gives them.

mod authority_type;
mod suite;

pub use authority_type::{AuthorityType, KeyForm, UnknownAuthorityType};
pub use suite::{Suite, UnknownSuite};

#[cfg(test)]
mod tests;
