//! What issuance and access cost beside the raw thing, measured in one run: `cargo bench -p benchmarks`.
//!
//! Figures are of CPU time (user and system, all threads), so that they hold on a busy machine, and are quoted as ratios to the raw
//! signature, to OpenSSH, or to bare argon2 in the same run.

mod processes;

pub use processes::Memory;
pub use processes::Ran;
pub use processes::Samples;
pub use processes::cpu_of;
pub use processes::cpu_of_threads;
pub use processes::memory_of;
pub use processes::take_orphans;
pub use processes::timed;

use std::time::Duration;
use std::time::Instant;

use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike;

/// CPU and wall time of some work.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// CPU time of the whole process, per unit of work.
    pub cpu: Duration,
    /// Wall time per unit of work.
    pub wall: Duration,
}

impl Cost {
    /// The cost with the least CPU time; `None` of none.
    pub fn cheapest(costs: &[Self]) -> Option<Self> {
        costs.iter().copied().min_by_key(|cost| cost.cpu)
    }
}

/// A stopwatch of CPU and wall time.
#[derive(Debug)]
pub struct Stopwatch {
    cpu: Duration,
    wall: Instant,
}

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Self {
        Self {
            cpu: cpu_time(),
            wall: Instant::now(),
        }
    }

    /// What `count` units of work cost since the start.
    pub fn cost(&self, count: u32) -> Cost {
        let count = count.max(1);
        Cost {
            cpu: cpu_time().saturating_sub(self.cpu) / count,
            wall: self.wall.elapsed() / count,
        }
    }
}

/// The CPU time this process has used.
fn cpu_time() -> Duration {
    cpu_used(UsageWho::RUSAGE_SELF)
}

/// The CPU time that somebody has used; zero when the system does not tell.
fn cpu_used(who: UsageWho) -> Duration {
    getrusage(who).map_or(Duration::ZERO, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(micros.unsigned_abs())
    })
}

/// One line of a report: what, how long, how much of the reference.
pub fn line(what: &str, cost: Cost, reference: Cost) -> String {
    let ratio = cost.cpu.as_secs_f64() / reference.cpu.as_secs_f64();
    let micros = cost.cpu.as_secs_f64() * 1e6;
    let rate = 1.0 / cost.wall.as_secs_f64();
    format!("{what:<58} {micros:>9.1} µs CPU {ratio:>7.2}× {rate:>11.0}/s")
}
