//! The operator's command line of Signet.
fn main() {}
