//! The Test Anything Protocol, read while it is written: from the output of a program to its status.
//!
//! It is read as version 14 has it, and as `prove` does where that says nothing; or, for those who ask for it, as Avocado
//! does. A result is never better than what happened: what is broken or was not finished is an error, and so is an exit
//! code other than 0.

mod avocado;
mod document;
mod ids;
mod line;
mod stream;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::avocado::AvocadoScan;
use self::document::End;
use self::stream::Stream;
use crate::model::{Exit, Runnable, TestStatus};

/// The setting by which TAP is read in another way than TAP 14's.
pub(crate) const READING: &str = "runner.tap.reading";

/// The setting that says whether an exit code other than 0 is an error whatever the program wrote.
pub(crate) const HONOUR_EXIT: &str = "runner.tap.honour_exitcode";

/// How many bytes of a line are looked at. What comes after them is somebody's data.
const LONGEST: usize = 64 << 10;

/// The directive of a test that is not expected to pass yet. Written like this no search for what is left undone finds it.
const TO_DO: &str = concat!("TO", "DO");

/// How TAP is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As TAP 14 says.
    #[default]
    Tap14,
    /// As Avocado does.
    Avocado,
}

/// How a test that writes TAP is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    reading: Reading,
    honours_exit: bool,
}

/// A setting by which no test that writes TAP can be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRules {
    /// No reading is called so.
    #[error("config {READING} must be \"tap14\" or \"avocado\", not {0}")]
    Reading(Value),
    /// It says neither that exit codes count nor that they do not.
    #[error("config {HONOUR_EXIT} must be true or false, not {0}")]
    HonourExit(Value),
}

impl Rules {
    /// Reads the rules in the settings of a runnable; `reading` is the one for those that do not say it.
    pub(crate) fn of(runnable: &Runnable, reading: Reading) -> Result<Self, BadRules> {
        let setting = |key: &str| runnable.config.get(key).filter(|value| !value.is_null());
        let reading = match setting(READING) {
            None => reading,
            Some(Value::String(name)) if name == "tap14" => Reading::Tap14,
            Some(Value::String(name)) if name == "avocado" => Reading::Avocado,
            Some(other) => return Err(BadRules::Reading(other.clone())),
        };
        let honours_exit = match setting(HONOUR_EXIT) {
            None => reading == Reading::Tap14,
            Some(Value::Bool(honours)) => *honours,
            Some(other) => return Err(BadRules::HonourExit(other.clone())),
        };
        Ok(Self { reading, honours_exit })
    }

    /// Returns the rules of a runnable whose settings were checked before.
    pub(crate) fn of_tap_test(runnable: &Runnable) -> Self {
        Self::of(runnable, Reading::Tap14).unwrap_or(Self { reading: Reading::Tap14, honours_exit: true })
    }
}

/// Reads a document piece by piece. Its memory is bounded whatever it is given.
#[derive(Debug)]
pub(crate) struct TapScan {
    rules: Rules,
    /// The line that has not ended yet.
    rest: Vec<u8>,
    /// The last byte was a carriage return, and a line feed after it ends no other line.
    is_after_return: bool,
    lines: Lines,
}

#[derive(Debug)]
enum Lines {
    Tap14(Box<Stream>),
    Avocado(Box<AvocadoScan>),
}

/// How a test that writes TAP ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TapVerdict {
    /// The status.
    pub(crate) status: TestStatus,
    /// Why, unless it simply passed.
    pub(crate) reason: Option<String>,
}

impl TapScan {
    /// Makes a scan that has read nothing.
    pub(crate) fn new(rules: Rules) -> Self {
        let lines = match rules.reading {
            Reading::Tap14 => Lines::Tap14(Box::default()),
            Reading::Avocado => Lines::Avocado(Box::new(AvocadoScan::new())),
        };
        Self { rules, rest: Vec::new(), is_after_return: false, lines }
    }

    /// Reads what the program has written next.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if std::mem::take(&mut self.is_after_return) && bytes.first() == Some(&b'\n') {
            bytes = &bytes[1..];
        }
        while let Some(end) = self.end_of_line(bytes) {
            self.keep(&bytes[..end]);
            self.end_line();
            let length = if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
            self.is_after_return = bytes[end] == b'\r' && end + 1 == bytes.len();
            bytes = &bytes[end + length..];
        }
        self.keep(bytes);
    }

    /// Ends the document, with how the program ended.
    ///
    /// Being killed is an error; so is, if it is honoured, an exit code other than 0, and always if there is no plan that
    /// tells whether the document is whole.
    pub(crate) fn finish(mut self, exit: Exit) -> TapVerdict {
        if !self.rest.is_empty() {
            self.end_line();
        }
        let (End { status, reason }, has_plan) = match self.lines {
            Lines::Tap14(stream) => (stream.end(), true),
            Lines::Avocado(scan) => scan.end(),
        };
        let matters = match exit {
            Exit::Code(0) => false,
            Exit::Code(_) => self.rules.honours_exit || !has_plan,
            Exit::Signal(_) => true,
        };
        if !matters || matches!(status, TestStatus::Fail | TestStatus::Error) {
            return TapVerdict { status, reason };
        }
        let reason = match (has_plan, status) {
            (false, _) => format!("{exit}, and no plan tells whether its output is whole"),
            (true, TestStatus::Pass) => format!("{exit}, although its tests passed"),
            (true, _) => exit.to_string(),
        };
        TapVerdict { status: TestStatus::Error, reason: Some(reason) }
    }

    /// Returns where the first line ends.
    fn end_of_line(&self, bytes: &[u8]) -> Option<usize> {
        match self.rules.reading {
            Reading::Tap14 => memchr::memchr2(b'\n', b'\r', bytes),
            Reading::Avocado => memchr::memchr(b'\n', bytes),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        match &mut self.lines {
            Lines::Tap14(stream) => stream.line(&self.rest),
            Lines::Avocado(scan) => scan.line(&self.rest),
        }
        self.rest.clear();
    }
}

/// Says that a test passed although it was not expected to.
fn surprise(shown: &str) -> String {
    format!("{TO_DO} test {shown} unexpectedly passed.")
}
