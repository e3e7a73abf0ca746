//! What other processes cost: commands that are run to their end, and servers that go on.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::ExitStatus;
use std::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::UsageWho;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use nix::unistd::SysconfVar;
use nix::unistd::sysconf;

use crate::cpu_used;

/// A command that ran to its end.
#[derive(Debug, Clone, Copy)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// From its start to its end.
    pub wall: Duration,
    /// The CPU time of it and of everything it started.
    pub cpu: Duration,
}

/// What a process holds, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// All of it, pages that it shares with others by its part.
    pub whole: u64,
    /// What is no file's, in the same way.
    pub anonymous: u64,
    /// All of it, as if it shared nothing.
    pub resident: u64,
}

/// Wall times of the same thing, and the CPU it took altogether.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    walls: Vec<Duration>,
    cpu: Duration,
}

impl Samples {
    /// Adds a run.
    pub fn add(&mut self, ran: Ran) {
        self.walls.push(ran.wall);
        self.cpu += ran.cpu;
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.walls.len()).unwrap_or(u32::MAX)
    }

    /// The wall time that this share of them did not exceed: 0.0 is the best, 0.5 the median.
    pub fn at(&self, share: f64) -> Duration {
        let mut walls = self.walls.clone();
        walls.sort_unstable();
        let index = (walls.len().saturating_sub(1)) as f64 * share;
        walls.get(index.round() as usize).copied().unwrap_or_default()
    }

    /// The mean of the CPU time.
    pub fn cpu(&self) -> Duration {
        self.cpu / self.count().max(1)
    }
}

/// From now on this process is the parent of everything that those it starts leave behind, so that [`timed`] can count it: `ssh -J`
/// does not wait for the second `ssh` that it starts.
///
/// # Errors
/// When the system refuses.
pub fn take_orphans() -> io::Result<()> {
    set_child_subreaper(true).map_err(io::Error::from)
}

/// Runs a command in a process group of its own. Its time ends when it does; what it cost is known when all that it started has ended.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn timed(command: &mut Command) -> io::Result<Ran> {
    let before = cpu_used(UsageWho::RUSAGE_CHILDREN);
    let begun = Instant::now();
    let mut child = command.process_group(0).spawn()?;
    let status = child.wait()?;
    let wall = begun.elapsed();
    let group = Pid::from_raw(-i32::try_from(child.id()).map_err(io::Error::other)?);
    loop {
        match waitpid(group, None::<WaitPidFlag>) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Ran {
        status,
        wall,
        cpu: cpu_used(UsageWho::RUSAGE_CHILDREN).saturating_sub(before),
    })
}

/// The CPU time of a process and of those it started that have ended and were waited for.
///
/// # Errors
/// When there is no such process, or the system tells of it in another way than Linux does.
pub fn cpu_of(pid: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = text.rsplit_once(") ").ok_or_else(unknown)?;
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(4)
        .map(|field| field.parse::<u64>().map_err(|_| unknown()))
        .sum::<io::Result<u64>>()?;
    let second = sysconf(SysconfVar::CLK_TCK)?.ok_or_else(unknown)?;
    Ok(Duration::from_secs_f64(ticks as f64 / second as f64))
}

/// The CPU time of the threads of a process that have this name and have not ended.
///
/// # Errors
/// As [`cpu_of`], and when the system does not count threads' time (`CONFIG_SCHED_INFO`).
pub fn cpu_of_threads(pid: u32, name: &str) -> io::Result<Duration> {
    let mut used = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        // One that ended meanwhile is not there.
        if fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
            let text = fs::read_to_string(thread.join("schedstat"))?;
            let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
            used += Duration::from_nanos(nanos.ok_or_else(unknown)?);
        }
    }
    Ok(used)
}

/// The memory of a process.
///
/// # Errors
/// As [`cpu_of`].
pub fn memory_of(pid: u32) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kib.map(|kib| kib * 1_024).ok_or_else(unknown)
    };
    Ok(Memory {
        whole: bytes("Pss:")?,
        anonymous: bytes("Pss_Anon:")?,
        resident: bytes("Rss:")?,
    })
}

fn unknown() -> io::Error {
    io::Error::other("the system tells of processes in a way that is not known here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_counted_with_what_it_leaves_behind() {
        take_orphans().unwrap();
        let burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let alone = timed(Command::new("sh").args(["-c", burn])).unwrap();
        let left = timed(Command::new("sh").args(["-c", &format!("({burn}) & exit 3")])).unwrap();
        assert_eq!((alone.status.code(), left.status.code()), (Some(0), Some(3)));
        assert!(left.cpu > alone.cpu / 4, "{:?} beside {:?}", left.cpu, alone.cpu);
    }

    #[test]
    fn this_process_has_used_memory_and_time() {
        let pid = std::process::id();
        let memory = memory_of(pid).unwrap();
        assert!(
            memory.resident >= memory.whole && memory.whole >= memory.anonymous && memory.anonymous > 0,
            "{memory:?}"
        );
        let before = cpu_of(pid).unwrap();
        let mut sum = 0_u64;
        while cpu_of(pid).unwrap() == before {
            sum = (0..1_000_000_u64).fold(sum, u64::wrapping_add);
        }
        assert!(sum > 0);
    }

    #[test]
    fn shares_of_samples_are_their_order() {
        let ran = |millis| Ran {
            status: ExitStatus::default(),
            wall: Duration::from_millis(millis),
            cpu: Duration::from_millis(2),
        };
        let mut samples = Samples::default();
        for millis in [5, 1, 3] {
            samples.add(ran(millis));
        }
        let millis = |share| samples.at(share).as_millis();
        assert_eq!((millis(0.0), millis(0.5), millis(1.0)), (1, 3, 5));
        assert_eq!((samples.count(), samples.cpu()), (3, Duration::from_millis(2)));
    }
}
