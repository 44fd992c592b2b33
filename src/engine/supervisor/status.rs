//! What runners say, and what it means for their tasks.
//!
//! A message counts if it names task and run rightly. A runner that breaks the protocol ends its own task as errored.

use std::io;

use chrono::Utc;
use serde_json::{Map, Value};

use super::Supervisor;
use crate::engine::request::{Failure, Origin};
use crate::engine::scheduler::Input;
use crate::engine::status::{CallerId, shortened};
use crate::engine::verdict::Verdict;
use crate::model::{Exit, Finished, Level, Running, StatusKind, StatusMessage, Stream, TaskIdValue, TaskNumber};

/// The logger of what a runner says of itself.
const RUNNER_LOGGER: &str = "runner";

impl Supervisor {
    pub(super) fn take_report(&mut self, task: TaskNumber, from: CallerId, message: Result<StatusMessage, String>) {
        let taken = match message {
            Err(what) => Err(what),
            Ok(message) => self.hear_report(task, from, message),
        };
        if let Err(what) = taken {
            self.broken(task, what);
        }
    }

    /// Ends a task whose runner broke the protocol. Nothing that it still says counts.
    pub(super) fn broken(&mut self, task: TaskNumber, what: String) {
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        if std::mem::replace(&mut line.is_broken, true) {
            return;
        }
        for caller in line.callers.clone() {
            // What is held of lines is not needed any more.
            drop(self.status.get(caller).map(|caller| caller.connection.take_rest()));
        }
        self.inputs.push(Input::BadMessage { task, what });
    }

    /// Takes in a message from a descendant of the task.
    fn hear_report(&mut self, task: TaskNumber, from: CallerId, message: StatusMessage) -> Result<(), String> {
        let StatusMessage { id, job_id, kind, .. } = message;
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return Ok(()) };
        if line.is_broken {
            return Ok(());
        }
        match &job_id {
            None => return Err("a message names no job (job_id)".to_owned()),
            Some(job) if *job != self.parts.surroundings.run_id => {
                line.dropped.foreign += 1;
                return Ok(());
            }
            Some(_) => {}
        }
        match &id {
            Some(TaskIdValue::Text(id)) if *id == line.id => {}
            Some(other) if other.to_string() == line.id => {}
            Some(other) => return Err(format!("it spoke of the task '{}'", shortened(&other.to_string()))),
            None => return Err("a message names no task (id)".to_owned()),
        }
        if let StatusKind::Finished(finished) = kind {
            return self.hear_end(task, from, finished);
        }
        if let Some(ended) = line.ended {
            return Err(format!("it went on after it had reported its end ({ended})"));
        }
        match kind {
            StatusKind::Running(running) => self.hear_running(task, running),
            StatusKind::Started { .. } | StatusKind::Finished(_) => {}
        }
        Ok(())
    }

    fn hear_running(&mut self, task: TaskNumber, running: Running) {
        let now = Utc::now();
        match running {
            Running::Heartbeat => {}
            Running::Log { log, logger, level, levelname } => {
                let level = level.map(level_of).or_else(|| levelname.and_then(|name| name.parse().ok()));
                let logger = logger.filter(|logger| logger != "root").unwrap_or_default();
                self.logged(task, now, level.unwrap_or_default(), &logger, &log);
            }
            Running::Stdout { log, log_only } => self.reported_output(task, Stream::Stdout, &log, log_only),
            Running::Stderr { log, log_only } => self.reported_output(task, Stream::Stderr, &log, log_only),
            Running::Whiteboard { log } => self.write_file(task, "whiteboard", &log),
            Running::File { path, log } => self.write_file(task, &path, &log),
            Running::Output { log } => {
                let mut text = log;
                if !text.ends_with(b"\n") {
                    text.push(b'\n');
                }
                let Some(live) = self.live.get_mut(&task) else { return };
                let logged = live.log.record(now, Level::Info, "output", &text);
                if let Some(tap) = &self.parts.tap {
                    tap(task, Origin::Script(Stream::Stdout), &text);
                }
                self.note_log(task, logged);
            }
        }
    }

    fn reported_output(&mut self, task: TaskNumber, stream: Stream, bytes: &[u8], is_stored: bool) {
        if !is_stored {
            self.printed(task, Utc::now(), stream, Origin::Program(stream), bytes);
            return;
        }
        let Some(live) = self.live.get_mut(&task) else { return };
        let logged = live.log.output(Utc::now(), stream, bytes);
        if let Some(tap) = &self.parts.tap {
            tap(task, Origin::Program(stream), bytes);
        }
        self.note_log(task, logged);
    }

    fn write_file(&mut self, task: TaskNumber, name: &str, bytes: &[u8]) {
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        let text = match line.files.append(&line.folder, name, bytes) {
            Ok(true) => return,
            Ok(false) if std::mem::replace(&mut line.is_over_limit, true) => return,
            Ok(false) => "the files that the runner sends are over the output limit; the rest is left out".to_owned(),
            Err(error) if is_full(&error) => {
                let failure = Failure::at(&line.folder.join(name), &error);
                self.fail(failure);
                return;
            }
            Err(error) => format!("cannot write the file {:?} that the runner sent: {error}", shortened(name)),
        };
        self.logged(task, Utc::now(), Level::Warning, RUNNER_LOGGER, text.as_bytes());
    }

    fn hear_end(&mut self, task: TaskNumber, from: CallerId, finished: Finished) -> Result<(), String> {
        self.drain_others(task, from);
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return Ok(()) };
        let word = finished.result.name();
        if let Some(before) = line.ended.replace(word) {
            return Err(format!("it reported its end twice: {before}, then {word}"));
        }
        self.inputs.push(Input::Reported { task, verdict: verdict(finished) });
        Ok(())
    }

    /// Takes in what the runner itself wrote to its standard error, which is not the test's.
    pub(super) fn heard_runner(&mut self, task: TaskNumber, length: usize) {
        let Some(live) = self.live.get_mut(&task) else { return };
        let bytes = &self.buffer[..length];
        if let Some(line) = &mut live.line {
            line.keep_words(bytes);
        }
        let logged = live.log.record(Utc::now(), Level::Warning, RUNNER_LOGGER, bytes).and_then(|()| live.log.flush());
        self.note_log(task, logged);
    }
}

fn verdict(finished: Finished) -> Verdict {
    let Finished { result, fail_reason, returncode, class_name, fail_class, traceback } = finished;
    let mut data = Map::new();
    let texts = [("class_name", class_name), ("fail_class", fail_class), ("traceback", traceback)];
    data.extend(returncode.map(|code| ("returncode".to_owned(), Value::from(code))));
    data.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?)))));
    let data = (!data.is_empty()).then_some(Value::Object(data));
    let told = fail_reason.filter(|reason| !reason.is_empty());
    // Avocado's runners of programs give no reason; the exit of the runner itself would mislead.
    let reason = || (!result.outcome().is_good()).then(|| reason_of(returncode));
    Verdict { data, ..Verdict::of_status(result, told.or_else(reason)) }
}

/// Returns the reason of a failure for which a runner gave none but perhaps how the program ended, as Python has it.
fn reason_of(returncode: Option<i64>) -> String {
    let code = returncode.filter(|code| *code != 0).and_then(|code| i32::try_from(code).ok());
    match code {
        None => "its runner gave no reason".to_owned(),
        Some(code) if code < 0 => Exit::Signal(code.saturating_neg()).to_string(),
        Some(code) => Exit::Code(code).to_string(),
    }
}

/// Returns the level that Python's number is.
fn level_of(number: i64) -> Level {
    match number {
        ..20 => Level::Debug,
        20..30 => Level::Info,
        30..40 => Level::Warning,
        40..50 => Level::Error,
        50.. => Level::Critical,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
