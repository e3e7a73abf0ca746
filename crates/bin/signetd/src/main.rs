//! The daemon of Signet.

fn main() {}
