//! A process of a test while it runs.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{DEADLINE, Ended, Project, until};

/// A process that was started, mostly rille. It is killed when it is dropped.
pub(crate) struct Running {
    project: Project,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How long processes may be seen after their run has ended. It leaves room for a busy machine.
const TO_VANISH: Duration = Duration::from_secs(5);

impl Running {
    pub(super) fn new(project: Project, child: Child, stdout: PathBuf, stderr: PathBuf) -> Self {
        Self { project, child, stdout, stderr }
    }

    /// Returns the number of the process that was started.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process number fits")
    }

    /// Sends a signal to the process that was started.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid()).expect("a process has a number");
        kill_process(pid, signal).expect("the process is there");
    }

    /// Kills the child of the process that was started: the host. The process itself is its guardian, and that is killed
    /// where there is no child yet.
    #[track_caller]
    pub(crate) fn kill_host(&self) {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = fs::read_to_string(path).unwrap_or_default();
        match children.split_whitespace().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)) {
            // It may have ended in this moment, which is as good.
            Some(host) => drop(kill_process(host, Signal::KILL)),
            None => self.signal(Signal::KILL),
        }
    }

    /// Returns whether the process has ended. It is not reaped before it is waited for.
    pub(crate) fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['Z', 'X']) || rest.is_empty())
    }

    /// Returns what was written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }

    /// Returns what was written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits until a file in the working folder is there and not empty, and returns its first line.
    #[track_caller]
    pub(crate) fn wait_for_file(&self, path: &str) -> String {
        let line = || {
            let text = fs::read_to_string(self.project.path(path)).ok()?;
            text.split_once('\n').map(|(line, _)| line.to_owned())
        };
        until(&format!("a line in {path}; so far\n{}", self.stderr()), DEADLINE, line)
    }

    /// Waits until standard output or error has a line that contains `text`, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        let line = || {
            let all = self.stdout() + &self.stderr();
            all.split_inclusive('\n').find(|line| line.ends_with('\n') && line.contains(text)).map(str::to_owned)
        };
        until(&format!("a line with '{text}'"), DEADLINE, line)
    }

    /// Waits until the event log of the only run has an event like this, and returns it.
    #[track_caller]
    pub(crate) fn wait_for_event(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        let event = || self.project.runs().first()?.events_so_far().into_iter().find(&is_it);
        until("an event", DEADLINE, event)
    }

    /// Waits for its end. No process of the project may be left then.
    #[track_caller]
    pub(crate) fn wait(self) -> Ended {
        let project = self.project.clone();
        let ended = self.wait_only(DEADLINE);
        project.survivors().assert_none_within(TO_VANISH);
        ended
    }

    /// Waits for its end, not longer than `deadline`, and does not look for survivors.
    #[track_caller]
    pub(crate) fn wait_only(mut self, deadline: Duration) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if started.elapsed() >= deadline {
                let (stdout, stderr) = (self.stdout(), self.stderr());
                panic!("it did not end within {deadline:?}\n--- stdout\n{stdout}--- stderr\n{stderr}");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let read = |path| fs::read(path).expect("the file of a stream can be read");
        Ended::new(self.project.clone(), status, read(&self.stdout), read(&self.stderr))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended in most cases, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
