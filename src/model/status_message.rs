//! What a runner says about its task: the messages of Avocado's status server, read and written.
//!
//! A message is one line of JSON; bytes stand in it as `{"__base64_encoded__": "…"}`. The keys are written in the order in
//! which Avocado's own runners write them, and in ASCII. See `read` and `write` below.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use serde_json::Number;

pub(crate) use self::read::BadMessage;
use super::TestStatus;

/// One message of a runner.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatusMessage {
    /// Which task it is about.
    pub(crate) id: Option<TaskIdValue>,
    /// Which job it is about.
    pub(crate) job_id: Option<String>,
    /// When it was made, in seconds of the sender's monotonic clock.
    pub(crate) time: Option<f64>,
    /// How the bytes in it came from text, if they did.
    pub(crate) encoding: Option<String>,
    /// What it says.
    pub(crate) kind: StatusKind,
}

/// The id of a task as a message has it: what a recipe gives as a number stays one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskIdValue {
    /// Text.
    Text(String),
    /// A number.
    Number(Number),
}

impl fmt::Display for TaskIdValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskIdValue::Text(text) => f.write_str(text),
            TaskIdValue::Number(number) => write!(f, "{number}"),
        }
    }
}

impl From<&str> for TaskIdValue {
    fn from(text: &str) -> Self {
        TaskIdValue::Text(text.to_owned())
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum StatusKind {
    /// The runner has begun.
    Started {
        /// The folder for what the task leaves.
        output_dir: Option<String>,
    },
    /// The runner is at work.
    Running(Running),
    /// The runner is done.
    Finished(Finished),
}

/// What a runner says while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    /// That it is alive.
    Heartbeat,
    /// A record of a log.
    Log {
        /// The record, formatted.
        log: Vec<u8>,
        /// The logger's name.
        logger: Option<String>,
        /// The level as Python's numbers: 20 is information.
        level: Option<i64>,
        /// The level's name.
        levelname: Option<String>,
    },
    /// Standard output of the test.
    Stdout {
        /// The bytes.
        log: Vec<u8>,
        /// They are in the file `stdout` already.
        log_only: bool,
    },
    /// Standard error of the test.
    Stderr {
        /// The bytes.
        log: Vec<u8>,
        /// They are in the file `stderr` already.
        log_only: bool,
    },
    /// What the test keeps for who reads its result.
    Whiteboard {
        /// The bytes.
        log: Vec<u8>,
    },
    /// What is to be shown to the user now.
    Output {
        /// The bytes.
        log: Vec<u8>,
    },
    /// What is to be appended to a file of the task.
    File {
        /// The file, relative to the task's folder.
        path: String,
        /// The bytes.
        log: Vec<u8>,
    },
}

/// How a runner says that the task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    /// The status.
    pub(crate) result: TestStatus,
    /// Why, in a sentence.
    pub(crate) fail_reason: Option<String>,
    /// The exit code of the program that was run; the negative of the signal that ended it.
    pub(crate) returncode: Option<i64>,
    /// The name of the test's class.
    pub(crate) class_name: Option<String>,
    /// The class of the exception that ended it.
    pub(crate) fail_class: Option<String>,
    /// Where that exception was raised.
    pub(crate) traceback: Option<String>,
}

impl Finished {
    /// Makes an end with a status and nothing else.
    pub(crate) const fn new(result: TestStatus) -> Self {
        Self { result, fail_reason: None, returncode: None, class_name: None, fail_class: None, traceback: None }
    }

    /// Makes an end with a status and a reason.
    pub(crate) fn because(result: TestStatus, reason: impl Into<String>) -> Self {
        Self { fail_reason: Some(reason.into()), ..Self::new(result) }
    }
}

impl StatusMessage {
    /// Returns the word of the key `status`.
    pub(crate) const fn status(&self) -> &'static str {
        match self.kind {
            StatusKind::Started { .. } => "started",
            StatusKind::Running(_) => "running",
            StatusKind::Finished(_) => "finished",
        }
    }

    /// Reads a line. Keys that nobody knows are passed over; a missing time is no mistake.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, BadMessage> {
        read::parse(line)
    }

    /// Writes it as a line of JSON, without the line break.
    pub(crate) fn to_json(&self) -> String {
        write::json(self)
    }

    /// Writes it as Python's `print` shows a `dict`, without the line break.
    pub(crate) fn to_python(&self) -> String {
        write::python(self)
    }
}

impl Running {
    /// Returns the word of the key `type`; a heartbeat has none.
    pub(crate) const fn name(&self) -> Option<&'static str> {
        match self {
            Running::Heartbeat => None,
            Running::Log { .. } => Some("log"),
            Running::Stdout { .. } => Some("stdout"),
            Running::Stderr { .. } => Some("stderr"),
            Running::Whiteboard { .. } => Some("whiteboard"),
            Running::Output { .. } => Some("output"),
            Running::File { .. } => Some("file"),
        }
    }
}
