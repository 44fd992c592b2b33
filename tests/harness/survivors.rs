//! Processes that a test left behind, found by an environment variable that every descendant inherits.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The environment variable that marks the processes of one test project.
pub(crate) const MARK: &str = "RILLE_TEST_MARK";

/// Finds the processes that carry one mark. What is left when it is dropped is killed.
#[derive(Debug)]
pub(crate) struct Survivors {
    mark: String,
}

impl Survivors {
    /// Makes a mark that no other project has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { mark: format!("{}-{number}", std::process::id()) }
    }

    /// Returns the value of [`MARK`].
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }

    /// Returns the living processes with the mark: pid and command line.
    pub(crate) fn list(&self) -> Vec<(i32, String)> {
        let entry = format!("{MARK}={}", self.mark).into_bytes();
        let processes = fs::read_dir("/proc").expect("there is a /proc").filter_map(|process| {
            let path = process.ok()?.path();
            let pid: i32 = path.file_name()?.to_str()?.parse().ok()?;
            // A zombie has no environment any more, so it is not seen.
            let environment = fs::read(path.join("environ")).ok()?;
            let is_marked = environment.split(|byte| *byte == 0).any(|variable| variable == entry);
            let command = fs::read(path.join("cmdline")).unwrap_or_default();
            is_marked.then(|| (pid, String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned()))
        });
        processes.collect()
    }

    /// Waits until no process with the mark is left.
    #[track_caller]
    pub(crate) fn assert_none_within(&self, deadline: Duration) {
        let started = Instant::now();
        loop {
            let left = self.list();
            if left.is_empty() {
                return;
            }
            assert!(started.elapsed() < deadline, "{} processes were left after {deadline:?}: {left:#?}", left.len());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Survivors {
    fn drop(&mut self) {
        for (pid, _) in self.list() {
            let pid = Pid::from_raw(pid).expect("a process has a number");
            // It may have ended by now, which is what is wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
