//! Runs named steps one after the other and sums up what happened. A failed step does not stop the later ones, so that
//! one run shows everything there is to repair.

use std::time::Instant;

use anyhow::bail;

/// The steps of one command.
#[derive(Default)]
pub(crate) struct Steps {
    summary: Vec<String>,
    failed: Vec<&'static str>,
}

impl Steps {
    /// Runs a step. What it returns is a remark for the summary, which may be empty.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> anyhow::Result<String>) {
        println!("==> {name}");
        let start = Instant::now();
        let result = step();
        let seconds = start.elapsed().as_secs_f32();
        let (verdict, remark) = match result {
            Ok(remark) => ("ok", remark),
            Err(error) => {
                eprintln!("error: {name}: {error:#}");
                self.failed.push(name);
                ("FAILED", String::new())
            }
        };
        self.summary.push(
            format!("{name:<10} {verdict:<6} {seconds:>7.1} s  {remark}")
                .trim_end()
                .to_owned(),
        );
    }

    /// Whether any step has failed so far.
    pub(crate) fn any_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Prints the summary; an error when a step failed.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!("==> summary");
        for line in &self.summary {
            println!("    {line}");
        }
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", self.failed.join(", "))
    }
}
