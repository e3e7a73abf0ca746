//! The node with real clients: OpenSSH's `ssh`, `scp`, `sftp`, `ssh-keyscan`, and `rsync`.
//!
//! The test program is also the helper that becomes a session's program, so it has a main function of its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "this is a test, which clippy does not see without the usual harness"
)]

mod admission;
mod ends;
mod files;
mod foreign;
mod forwarding;
mod remote;
mod sessions;
mod world;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Trial;

/// The argument that makes this program the helper.
pub(crate) const HELPER: &str = "exec-child";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if std::env::args_os().nth(1).is_some_and(|first| first == HELPER) {
        arguments.next();
        return ssh_node::exec_child::main(arguments);
    }
    let trials = [
        admission::TESTS,
        ends::TESTS,
        files::TESTS,
        forwarding::TESTS,
        remote::TESTS,
        sessions::TESTS,
    ];
    let trials = trials.into_iter().flatten().map(|(name, test)| {
        Trial::test(*name, || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Lists test functions by their names.
#[macro_export]
macro_rules! tests {
    ($($name:ident)*) => {
        pub(crate) const TESTS: &[(&str, fn())] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
