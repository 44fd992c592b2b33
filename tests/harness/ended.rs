//! What came of a process: its exit code and all that it wrote.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::Value;

use super::redact::redact;
use super::{Project, Run};

/// A process that has ended. Its checks are a chain; a failed one shows everything.
pub(crate) struct Ended {
    project: Project,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ended {
    pub(super) fn new(project: Project, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        Self { project, status, stdout, stderr }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn code(&self, code: i32) -> &Self {
        assert!(self.status.code() == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Returns the exit code; `None` after a signal.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Checks the whole of standard output.
    #[track_caller]
    pub(crate) fn stdout(&self, expected: &str) -> &Self {
        assert!(self.out() == expected, "expected on stdout:\n{expected}\n{self}");
        self
    }

    /// Checks that standard output contains `part`.
    #[track_caller]
    pub(crate) fn stdout_has(&self, part: &str) -> &Self {
        assert!(self.out().contains(part), "expected on stdout: {part}\n{self}");
        self
    }

    /// Checks that standard error contains `part`.
    #[track_caller]
    pub(crate) fn stderr_has(&self, part: &str) -> &Self {
        assert!(self.err().contains(part), "expected on stderr: {part}\n{self}");
        self
    }

    /// Checks that standard error does not contain `part`.
    #[track_caller]
    pub(crate) fn stderr_lacks(&self, part: &str) -> &Self {
        assert!(!self.err().contains(part), "unexpected on stderr: {part}\n{self}");
        self
    }

    /// Returns standard output as text.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns the bytes of standard output.
    pub(crate) fn out_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Returns standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self}"))
    }

    /// Returns standard error as text.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Returns standard error with times, ids, process numbers and paths replaced.
    pub(crate) fn redacted_err(&self) -> String {
        redact(&self.err(), self.project.root())
    }

    /// Returns standard output with times, ids, process numbers and paths replaced.
    pub(crate) fn redacted_out(&self) -> String {
        redact(&self.out(), self.project.root())
    }

    /// Returns exit code, standard output and standard error in one redacted text, for a snapshot of all of it.
    pub(crate) fn whole(&self) -> String {
        redact(&self.to_string(), self.project.root())
    }

    /// Returns the only run in the project's home.
    #[track_caller]
    pub(crate) fn the_run(&self) -> Run {
        self.project.the_run()
    }

    /// Checks the outcomes of all tasks in `results.json` of the only run, as in `"a=passed b=failed"`.
    #[track_caller]
    pub(crate) fn outcomes(&self, expected: &str) -> &Self {
        let found = self.the_run().outcomes();
        assert!(found == expected, "expected outcomes: {expected}\nfound outcomes:    {found}\n{self}");
        self
    }

    /// Checks that the reason of a task in `results.json` contains `part`.
    #[track_caller]
    pub(crate) fn reason_has(&self, task: &str, part: &str) -> &Self {
        let reason = self.the_run().reason(task);
        assert!(reason.contains(part), "expected in the reason of {task}: {part}\nfound: {reason}\n{self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => writeln!(f, "exit code {code}")?,
            (None, signal) => writeln!(f, "killed by signal {}", signal.unwrap_or_default())?,
        }
        for (name, text) in [("stdout", self.out()), ("stderr", self.err())] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end_matches('\n'))?;
            }
        }
        Ok(())
    }
}
