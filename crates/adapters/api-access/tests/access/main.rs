//! The routes of people, documents and machines, over a real directory, identities and enrollment in memory.

#![cfg(test)]

mod admin;
mod browser_login;
mod browser_proof;
mod callers;
mod codes;
mod documents;
mod hostile;
mod limits;
mod machines;
mod people;
mod recorded;
mod world;
