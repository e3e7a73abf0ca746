//! Tests of the audit log from outside: the reference page and its script.

#[cfg(test)]
mod reference;
