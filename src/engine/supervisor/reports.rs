//! What runners report, and what it means for their tasks.
//!
//! A message counts if it names task and run rightly. A runner that breaks the protocol ends its own task as errored.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::books::Books;
use super::last_words::LastWords;
use super::live::Live;
use super::runner_files::Files;
use crate::engine::protocol::Breach;
use crate::engine::request::{Failure, Origin};
use crate::engine::scheduler::Input;
use crate::engine::stop::StopReason;
use crate::engine::verdict::{Verdict, with_words};
use crate::model::{
    Dropped, EventKind, Exit, Finished, Level, MaskStream, Masks, Running, StatusKind, StatusMessage, Stream,
    TaskIdValue, TaskNumber,
};

/// The logger of what a runner says of itself.
const RUNNER_LOGGER: &str = "runner";

/// The file of a whiteboard.
const WHITEBOARD_FILE: &str = "whiteboard";

/// Which of the masked streams of a runner is which.
const WORDS: usize = 0;
const WHITEBOARD: usize = 1;

/// What is known of the runner of an attempt.
pub(super) struct RunnerBooks {
    /// The task's id, as messages have it.
    id: String,
    /// When it was heard of last.
    pub(super) heard_at: Duration,
    /// How it said that the task ended.
    ended: Option<&'static str>,
    /// It broke the protocol: nothing it says counts any more.
    is_broken: bool,
    /// The files that it writes.
    files: Files,
    /// It was told that files are over their limit.
    is_over_limit: bool,
    /// The end of what it wrote to standard error.
    last_words: LastWords,
    /// What masks its standard error, and the whiteboard that it sends.
    masked: [MaskStream; 2],
    dropped: Dropped,
}

impl RunnerBooks {
    /// Makes the books of the runner of the task with this id; its files may have `limit` bytes, and secrets are masked in what
    /// it says.
    pub(super) fn new(id: &str, now: Duration, limit: u64, masks: &Masks) -> Self {
        Self {
            id: id.to_owned(),
            heard_at: now,
            ended: None,
            is_broken: false,
            files: Files::new(limit),
            is_over_limit: false,
            last_words: LastWords::default(),
            masked: [masks.stream(), masks.stream()],
            dropped: Dropped::default(),
        }
    }
}

impl Books {
    /// Takes in a report from a process of the task.
    pub(super) fn take_report(&mut self, task: TaskNumber, message: Result<StatusMessage, Breach>) {
        self.note_life(task);
        if let Err(breach) = message.and_then(|message| self.hear_report(task, message)) {
            self.broken(task, breach.to_string());
        }
    }

    /// Takes note that a runner is alive.
    pub(super) fn note_life(&mut self, task: TaskNumber) {
        let now = self.clock.now();
        if let Some(runner) = self.runner(task) {
            runner.heard_at = now;
        }
    }

    fn runner(&mut self, task: TaskNumber) -> Option<&mut RunnerBooks> {
        self.live.get_mut(&task)?.runner.as_deref_mut()
    }

    /// Ends a task whose runner broke the protocol. Nothing that it still says counts.
    fn broken(&mut self, task: TaskNumber, what: String) {
        let Some(runner) = self.runner(task) else { return };
        if !std::mem::replace(&mut runner.is_broken, true) {
            self.inputs.push(Input::BadMessage { task, what });
        }
    }

    fn hear_report(&mut self, task: TaskNumber, message: StatusMessage) -> Result<(), Breach> {
        let StatusMessage { id, job_id, kind, .. } = message;
        let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
        let Some(runner) = live.runner.as_deref_mut() else { return Ok(()) };
        if runner.is_broken {
            return Ok(());
        }
        match &job_id {
            None => return Err(Breach::NoJob),
            Some(job) if *job != self.surroundings.run_id => {
                runner.dropped.foreign += 1;
                return Ok(());
            }
            Some(_) => {}
        }
        match &id {
            Some(TaskIdValue::Text(id)) if *id == runner.id => {}
            Some(other) if other.to_string() == runner.id => {}
            Some(other) => return Err(Breach::OtherTask(shortened(&other.to_string()))),
            None => return Err(Breach::NoTask),
        }
        if let StatusKind::Finished(finished) = kind {
            let word = finished.result.name();
            if let Some(before) = runner.ended.replace(word) {
                return Err(Breach::EndedTwice { before, then: word });
            }
            let words = live.last_words.line(|bytes| self.surroundings.masks.mask(bytes));
            self.inputs.push(Input::Reported { task, verdict: verdict(finished, words) });
            return Ok(());
        }
        if let Some(ended) = runner.ended {
            return Err(Breach::WentOn(ended));
        }
        match kind {
            StatusKind::Running(running) => self.hear_running(task, running),
            StatusKind::Started { .. } | StatusKind::Finished(_) => {}
        }
        Ok(())
    }

    fn hear_running(&mut self, task: TaskNumber, running: Running) {
        let now = self.clock.time();
        match running {
            Running::Heartbeat => {}
            Running::Log { log, logger, level, levelname } => {
                let level = level.map(level_of).or_else(|| levelname.and_then(|name| name.parse().ok()));
                let logger = logger.filter(|logger| logger != "root").unwrap_or_default();
                self.logged(task, now, level.unwrap_or_default(), &logger, &log);
            }
            Running::Stdout { log, log_only } => self.reported_output(task, Stream::Stdout, &log, log_only),
            Running::Stderr { log, log_only } => self.reported_output(task, Stream::Stderr, &log, log_only),
            Running::Whiteboard { log } => {
                let Some(runner) = self.runner(task) else { return };
                let mut masked = Vec::with_capacity(log.len());
                runner.masked[WHITEBOARD].write(&log, &mut |bytes| masked.extend_from_slice(bytes));
                self.write_file(task, WHITEBOARD_FILE, &masked);
            }
            Running::File { path, log } => self.file_sent(task, &path, &log),
            Running::Output { log } => {
                let mut text = log;
                if !text.ends_with(b"\n") {
                    text.push(b'\n');
                }
                let Some(live) = self.live.get_mut(&task) else { return };
                live.log.record(now, Level::Info, "output", &text);
                self.show(task, Origin::Script(Stream::Stdout), &text);
            }
        }
    }

    fn reported_output(&mut self, task: TaskNumber, stream: Stream, bytes: &[u8], is_stored: bool) {
        let now = self.clock.time();
        let origin = Origin::Program(stream);
        if let (Some(live), Stream::Stderr) = (self.live.get_mut(&task), stream) {
            live.last_words.take(bytes);
        }
        match is_stored {
            true => self.log_output(task, now, stream, origin, bytes),
            false => self.printed(task, now, stream, origin, bytes),
        }
    }

    fn write_file(&mut self, task: TaskNumber, name: &str, bytes: &[u8]) {
        let Some(live) = self.live.get_mut(&task) else { return };
        let folder = live.keep.folder().to_owned();
        let Some(runner) = &mut live.runner else { return };
        let text = match runner.files.append(&folder, name, bytes) {
            Ok(true) => return,
            Ok(false) if std::mem::replace(&mut runner.is_over_limit, true) => return,
            Ok(false) => "the files that the runner sends are over the output limit; the rest is left out".to_owned(),
            Err(error) if is_full(&error) => return self.fail(Failure::at(&folder.join(name), &error)),
            Err(error) => format!("cannot write the file {:?} that the runner sent: {error}", shortened(name)),
        };
        let now = self.clock.time();
        self.logged(task, now, Level::Warning, RUNNER_LOGGER, text.as_bytes());
    }

    /// Keeps a file that a runner sent. What it tells of the machine is only read; any other is data, and stays as it is.
    fn file_sent(&mut self, task: TaskNumber, path: &str, bytes: &[u8]) {
        let masks = self.surroundings.masks.clone();
        if Path::new(path).starts_with("sysinfo") {
            return self.write_file(task, path, &masks.mask(bytes));
        }
        self.write_file(task, path, bytes);
        if masks.finds(bytes) {
            let text = format!(
                "the file {:?} that the runner sent holds the value of a secret variable, and is kept as it is",
                shortened(&masks.mask_text(path))
            );
            let now = self.clock.time();
            self.logged(task, now, Level::Warning, RUNNER_LOGGER, text.as_bytes());
        }
    }

    /// Takes in what the runner itself wrote to its standard error, which is not the test's.
    pub(super) fn heard_runner(&mut self, task: TaskNumber, bytes: &[u8]) {
        let now = self.clock.time();
        let Some(live) = self.live.get_mut(&task) else { return };
        if let Some(runner) = &mut live.runner {
            let mut masked = Vec::with_capacity(bytes.len());
            runner.masked[WORDS].write(bytes, &mut |bytes| masked.extend_from_slice(bytes));
            if !masked.is_empty() {
                runner.last_words.take(&masked);
                live.log.record(now, Level::Warning, RUNNER_LOGGER, &masked);
            }
        }
    }

    /// Takes in the last words of a runner, and records what was said in its name and did not count.
    pub(super) fn close_runner(&mut self, task: TaskNumber, live: &mut Live, dropped: Dropped) {
        let Some(runner) = &mut live.runner else { return };
        let [mut words, mut rest] = [Vec::new(), Vec::new()];
        runner.masked[WORDS].finish(&mut |bytes| words.extend_from_slice(bytes));
        if !words.is_empty() {
            runner.last_words.take(&words);
            live.log.record(self.clock.time(), Level::Warning, RUNNER_LOGGER, &words);
        }
        runner.masked[WHITEBOARD].finish(&mut |bytes| rest.extend_from_slice(bytes));
        if !rest.is_empty() {
            // Over the limit there would not have been the beginning of it.
            match runner.files.append(live.keep.folder(), WHITEBOARD_FILE, &rest) {
                Err(error) if is_full(&error) => {
                    let failure = Failure::at(&live.keep.folder().join(WHITEBOARD_FILE), &error);
                    self.fail(failure);
                }
                Ok(_) | Err(_) => {}
            }
        }
        if runner.ended.is_none()
            // What it wrote is masked by now.
            && let Some(words) = runner.last_words.line(|bytes| Cow::Borrowed(bytes))
        {
            self.inputs.push(Input::LastWords { task, words });
        }
        let dropped = dropped + runner.dropped;
        if !dropped.is_empty() {
            self.records.push(EventKind::MessagesDropped { task: Some(task), dropped });
        }
    }

    /// Ends the tasks whose runners have said nothing for too long.
    pub(super) fn end_silent_runners(&mut self) {
        let Some(limit) = self.scheduler.silence() else { return };
        let now = self.clock.now();
        let mut silent = Vec::new();
        for (task, live) in &mut self.live {
            let Some(runner) = live.runner.as_deref_mut() else { continue };
            // One that has told the end has nothing more to say.
            let may_speak = live.exit.is_none() && live.has_started && runner.ended.is_none();
            if may_speak && now >= runner.heard_at + limit {
                runner.heard_at = now;
                silent.push(*task);
            }
        }
        if !silent.is_empty() {
            self.inputs.push(Input::Stop { tasks: silent, reason: StopReason::Silence(limit) });
        }
    }

    /// Returns when a runner has said nothing for too long, unless it does until then.
    pub(super) fn silence_due(&self) -> Option<Duration> {
        let limit = self.scheduler.silence()?;
        let running = self.live.values().filter(|live| live.exit.is_none());
        let runners = running.filter_map(|live| live.runner.as_deref().filter(|runner| runner.ended.is_none()));
        runners.map(|runner| runner.heard_at + limit).min()
    }
}

/// Makes the verdict that a runner has reported. `last_words` is the last line that the test wrote to standard error.
fn verdict(finished: Finished, last_words: Option<String>) -> Verdict {
    let Finished { result, fail_reason, returncode, class_name, fail_class, traceback } = finished;
    let mut data = Map::new();
    let texts = [("class_name", class_name), ("fail_class", fail_class), ("traceback", traceback)];
    data.extend(returncode.map(|code| ("returncode".to_owned(), Value::from(code))));
    data.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?)))));
    let data = (!data.is_empty()).then(|| crate::model::Value::of_json(&Value::Object(data)));
    let told = fail_reason.filter(|reason| !reason.is_empty());
    // Avocado's runners of programs give no reason; the exit of the runner itself would mislead.
    let reason = || (!result.outcome().is_good()).then(|| with_words(reason_of(returncode), last_words));
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

/// Returns the beginning of a text that somebody sent, for a sentence about it.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
