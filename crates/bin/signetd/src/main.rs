//! The daemon of Signet: reads its configuration, wires the services, runs them.
//!
//! `main` only chooses the command. Start reading at `start`.

mod access;
mod agent_only;
mod backends;
mod cli;
mod commands;
mod data_dir;
mod doctor;
mod failure;
mod greeting;
mod host;
mod join;
mod local;
mod log_check;
mod logging;
mod open_files;
mod services;
mod start;
mod tick;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::failure::Failure;

/// Issuance is many small allocations passed between threads; this allocator makes it cost about a tenth less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // As the helper of a session this process becomes another program, before any thread of its own begins.
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == services::node::HELPER)
    {
        open_files::restore(&arguments.next().unwrap_or_default());
        return ssh_node::exec_child::main(arguments);
    }
    // One provider of cryptography for the whole process, before anything could choose another.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return Failure::new(
            "cannot install the cryptographic provider",
            "this is a bug, please report it",
        )
        .report();
    }
    match commands::run(Cli::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
