//! The supervisor's ear for runners: who may speak of a task, what they say, and the end of what they say.
//!
//! A message counts if it comes from a descendant of its task and names task and run rightly. A runner that breaks the
//! protocol ends its own task as errored; what others say is counted and dropped.

use std::io;
use std::time::Duration;

use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Supervisor;
use crate::engine::descendants::Whose;
use crate::engine::reactor::Source;
use crate::engine::request::{Failure, Origin};
use crate::engine::scheduler::Input;
use crate::engine::status::connection::{Connection, LINE_LIMIT, Read, TooLong};
use crate::engine::status::{Admitted, Caller, CallerId, Line, NO_TASK, Standing};
use crate::engine::stop::StopReason;
use crate::engine::verdict::Verdict;
use crate::model::{
    Dropped, EventKind, Finished, Level, Running, StatusKind, StatusMessage, Stream, TaskIdValue, TaskNumber,
};

/// How many callers are let in at one task's socket before others have their turn.
const ADMITTED_AT_ONCE: usize = 16;

/// How many are let in when every process of the task is gone: as many as may wait.
const LAST_ADMITTED: usize = 4096;

/// How long what is known of a process is not looked up again.
const PEER_KNOWN_FOR: Duration = Duration::from_millis(100);

/// How often a connection is read before an end that came by another one is taken in. What a socket holds is less.
const READS_BEFORE_END: usize = 16;

/// How often a connection is read when everybody who could write to it is gone.
const LAST_READS: usize = 1024;

/// What a line with a token may have, in bytes.
const LONGEST_GREETING: usize = 4 << 10;

/// By which a caller says whose runner it is.
#[derive(Deserialize)]
struct Greeting {
    token: String,
}

/// The logger of what a runner says of itself.
const RUNNER_LOGGER: &str = "runner";

impl Supervisor {
    /// Lets in who waits at a task's socket, and hears what they have to say so far.
    pub(super) fn callers_came(&mut self, task: TaskNumber) {
        for _ in 0..ADMITTED_AT_ONCE {
            if !self.let_in(task) {
                return;
            }
        }
    }

    /// Lets one in. Returns whether another one may be waiting.
    fn let_in(&mut self, task: TaskNumber) -> bool {
        let has_room = self.status.has_room();
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return false };
        let admitted = if has_room { line.accept() } else { Err(io::Error::other("no descriptors")) };
        let Admitted { socket, pid, is_ours } = match admitted {
            Ok(Some(admitted)) => admitted,
            Ok(None) => return false,
            // Those who wait stay in the line.
            Err(_) => {
                self.reactor.forget(&*line);
                self.status.pause(task);
                return false;
            }
        };
        let counts = is_ours && self.may_speak(task, pid);
        let standing = if counts { Standing::Counts } else { Standing::Stranger };
        let caller = self.status.add(Caller { connection: Connection::new(socket), task, standing });
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return false };
        if counts {
            line.callers.push(caller);
        }
        self.watch_caller(caller);
        // Messages that each come by a connection of their own are heard in their order.
        self.read_caller(caller, READS_BEFORE_END);
        true
    }

    fn watch_caller(&mut self, id: CallerId) {
        let Some(caller) = self.status.get(id) else { return };
        if let Err(error) = self.reactor.watch(&caller.connection, Source::Caller(id)) {
            self.fail(Failure::new("watching a connection to the status server", &error));
        }
    }

    /// Lets in who comes by TCP. Nobody knows yet who that is.
    pub(super) fn strangers_came(&mut self) {
        for _ in 0..ADMITTED_AT_ONCE {
            let has_room = self.status.has_room();
            let Some(listener) = self.status.listener() else { return };
            let accepted = if has_room { listener.accept() } else { Err(io::Error::other("no descriptors")) };
            let socket = match accepted {
                Ok((socket, _)) if socket.set_nonblocking(true).is_ok() => socket,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => continue,
                Err(_) => {
                    self.reactor.forget(listener);
                    self.status.pause(NO_TASK);
                    return;
                }
            };
            let connection = Connection::new(socket.into());
            let caller = self.status.add(Caller { connection, task: NO_TASK, standing: Standing::Unknown });
            self.watch_caller(caller);
        }
    }

    /// Looks whose runner it is that came by TCP: the first line tells a token.
    fn make_known(&mut self, id: CallerId, count: usize) {
        let Some(caller) = self.status.get(id) else { return };
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let parted = caller.connection.part(&self.buffer[..count], |line| lines.push(line.to_vec()));
        let is_too_long = parted.is_err() || caller.connection.held() > LONGEST_GREETING;
        let mut lines = lines.into_iter();
        let first = lines.next();
        if first.is_none() && !is_too_long {
            return;
        }
        let greeting: Option<Greeting> = first.and_then(|first| serde_json::from_slice(&first).ok());
        let task = greeting.and_then(|greeting| self.status.task_of(&greeting.token));
        let line = task.and_then(|task| self.live.get_mut(&task)?.line.as_deref_mut());
        let Some(caller) = self.status.get(id) else { return };
        let (Some(task), Some(line)) = (task, line) else {
            caller.standing = Standing::Stranger;
            caller.connection.take_rest();
            self.drop_messages(NO_TASK, 1 + lines.len() as u64);
            return;
        };
        (caller.task, caller.standing) = (task, Standing::Counts);
        line.callers.push(id);
        line.heard_at = self.clock.elapsed();
        line.held += caller.connection.held();
        for text in lines {
            self.take_report(task, id, StatusMessage::parse(&text));
        }
        self.write_log(task);
    }

    /// Returns whether the process with this number may speak of a task.
    fn may_speak(&mut self, task: TaskNumber, pid: i32) -> bool {
        let now = self.clock.elapsed();
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return false };
        // Many connections of one process come one after the other.
        if let Some((known, at, counts)) = line.last_peer
            && known == pid
            && now < at + PEER_KNOWN_FOR
        {
            return counts;
        }
        let whose = self.descendants.whose(pid, task, &self.groups);
        // Who is gone already came by this task's own socket; nobody can tell more of him.
        let counts = whose == Whose::Of(task) || whose == Whose::Gone;
        line.last_peer = Some((pid, now, counts));
        counts
    }

    /// Hears somebody who is connected.
    pub(super) fn caller_speaks(&mut self, caller: CallerId) {
        self.read_caller(caller, 1);
    }

    /// Reads a connection at most `times` times; returns whether it may still bring something.
    fn read_caller(&mut self, id: CallerId, times: usize) -> bool {
        for _ in 0..times {
            let Some(caller) = self.status.get(id) else { return false };
            let (task, standing) = (caller.task, caller.standing);
            match caller.connection.read(&mut self.buffer) {
                Read::Dry => return false,
                Read::Closed => {
                    self.hang_up(id);
                    return false;
                }
                Read::Bytes(count) => match standing {
                    Standing::Counts => self.hear_bytes(id, task, count),
                    Standing::Unknown => self.make_known(id, count),
                    Standing::Stranger => {
                        let lines = caller.connection.count(&self.buffer[..count]);
                        self.drop_messages(task, lines);
                    }
                },
            }
        }
        true
    }

    fn hear_bytes(&mut self, id: CallerId, task: TaskNumber, count: usize) {
        let Some(caller) = self.status.get(id) else { return };
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        line.heard_at = self.clock.elapsed();
        if line.is_broken {
            return;
        }
        let before = caller.connection.held();
        let mut messages = Vec::new();
        let parted = caller.connection.part(&self.buffer[..count], |text| messages.push(StatusMessage::parse(text)));
        line.held = line.held + caller.connection.held() - before;
        let is_too_long = parted == Err(TooLong) || line.held > LINE_LIMIT;
        for message in messages {
            self.take_report(task, id, message);
        }
        if is_too_long {
            self.broken(task, format!("a message is longer than {} MiB", LINE_LIMIT >> 20));
        }
        self.write_log(task);
    }

    fn take_report(&mut self, task: TaskNumber, from: CallerId, message: Result<StatusMessage, String>) {
        let taken = match message {
            Err(what) => Err(what),
            Ok(message) => self.hear_report(task, from, message),
        };
        if let Err(what) = taken {
            self.broken(task, what);
        }
    }

    /// Ends a task whose runner broke the protocol. Nothing that it still says counts.
    fn broken(&mut self, task: TaskNumber, what: String) {
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

    /// Hears what came before an end by the task's other connections: they are not read in the order of what is written.
    fn drain_others(&mut self, task: TaskNumber, from: CallerId) {
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        if std::mem::replace(&mut line.is_draining, true) {
            return;
        }
        self.callers_came(task);
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        let others: Vec<CallerId> = line.callers.iter().copied().filter(|caller| *caller != from).collect();
        for caller in others {
            self.read_caller(caller, READS_BEFORE_END);
        }
        if let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) {
            line.is_draining = false;
        }
    }

    /// Takes leave of somebody who has closed the connection. A last line without an end is heard if it is whole.
    fn hang_up(&mut self, id: CallerId) {
        let Some(mut caller) = self.status.remove(id) else { return };
        self.reactor.forget(&caller.connection);
        let (task, rest) = (caller.task, caller.connection.take_rest());
        if caller.standing != Standing::Counts {
            self.drop_messages(task, u64::from(!rest.is_empty()));
            return;
        }
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        line.callers.retain(|caller| *caller != id);
        line.held = line.held.saturating_sub(rest.len());
        let rest = rest.trim_ascii();
        if line.is_broken || rest.is_empty() {
            return;
        }
        // Who was killed while he spoke is judged by his end, not by half a word.
        match StatusMessage::parse(rest) {
            Ok(message) => {
                self.take_report(task, id, Ok(message));
                self.write_log(task);
            }
            Err(_) => line.dropped.torn += 1,
        }
    }

    /// Counts messages that count for nothing.
    fn drop_messages(&mut self, task: TaskNumber, count: u64) {
        match self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) {
            Some(line) => line.dropped.foreign += count,
            None if task == NO_TASK => self.status.dropped.foreign += count,
            None => self.status.dropped.late += count,
        }
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

    /// Hears the last of a task of which no process is left.
    pub(super) fn drain_status(&mut self, task: TaskNumber) {
        if self.live.get(&task).is_none_or(|live| live.line.is_none()) {
            return;
        }
        // Somebody outside may go on connecting.
        let _ = (0..LAST_ADMITTED).all(|_| self.let_in(task));
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        for caller in line.callers.clone() {
            self.read_caller(caller, LAST_READS);
            self.hang_up(caller);
        }
    }

    /// Closes a task's line, and records what did not count.
    pub(super) fn close_line(&mut self, task: TaskNumber, line: &Line) {
        self.reactor.forget(line);
        self.status.forget_token(line);
        if line.ended.is_none()
            && let Some(words) = line.last_line()
        {
            self.inputs.push(Input::LastWords { task, words: shortened(&words) });
        }
        if !line.dropped.is_empty() {
            self.records.push(EventKind::MessagesDropped { task: Some(task), dropped: line.dropped });
        }
    }

    /// Records what came when nobody was there to hear it any more.
    pub(super) fn close_status(&mut self) {
        let dropped = std::mem::take(&mut self.status.dropped);
        if dropped != Dropped::default() {
            self.records.push(EventKind::MessagesDropped { task: None, dropped });
        }
    }

    /// Ends the tasks whose runners have said nothing for too long, and lets in those who had to wait for a descriptor.
    pub(super) fn look_after_runners(&mut self) {
        if let Some(limit) = self.parts.scheduler.silence() {
            let now = self.clock.elapsed();
            let silent = self.live.iter().filter(|(_, live)| {
                live.exit.is_none() && live.line.as_ref().is_some_and(|line| now >= line.heard_at + limit)
            });
            let tasks: Vec<TaskNumber> = silent.map(|(task, _)| *task).collect();
            for task in &tasks {
                if let Some(line) = self.live.get_mut(task).and_then(|live| live.line.as_deref_mut()) {
                    line.heard_at = now;
                }
            }
            if !tasks.is_empty() {
                self.inputs.push(Input::Stop { tasks, reason: StopReason::Silence(limit) });
            }
        }
        for task in self.status.resumed() {
            if let Some(listener) = self.status.listener().filter(|_| task == NO_TASK) {
                let _ = self.reactor.watch(listener, Source::Listener(NO_TASK));
            }
            let Some(line) = self.live.get(&task).and_then(|live| live.line.as_deref()) else { continue };
            // A listener that is watched already is as good.
            let _ = self.reactor.watch(line, Source::Listener(task));
        }
    }

    /// Returns when runners have to be looked after at the latest.
    pub(super) fn runners_due(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let pause = self.status.pause_left().map(|left| now + left);
        let silence = self.parts.scheduler.silence().and_then(|limit| {
            let running = self.live.values().filter(|live| live.exit.is_none());
            running.filter_map(|live| Some(live.line.as_ref()?.heard_at + limit)).min()
        });
        pause.into_iter().chain(silence).min()
    }
}

fn verdict(finished: Finished) -> Verdict {
    let Finished { result, fail_reason, returncode, class_name, fail_class, traceback } = finished;
    let mut data = Map::new();
    let texts = [("class_name", class_name), ("fail_class", fail_class), ("traceback", traceback)];
    data.extend(returncode.map(|code| ("returncode".to_owned(), Value::from(code))));
    data.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?)))));
    let data = (!data.is_empty()).then_some(Value::Object(data));
    Verdict { data, ..Verdict::of_status(result, fail_reason.filter(|reason| !reason.is_empty())) }
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

fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns whether an error is over when the call is made again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
