//! What a task says and writes: into its log and its files in the order in which it happened, and to whom it concerns.

use std::io;

use chrono::{DateTime, Utc};

use super::{Live, Supervisor};
use crate::engine::reactor::Source;
use crate::engine::request::{Call, Failure, Origin};
use crate::engine::scheduler::Input;
use crate::model::{
    EventKind, Level, LogRange, Message, Reply, SectionFinished, SectionStarted, Stream, TaskNumber, TaskPlanned,
};

/// The logger of what the host itself writes into a task's log.
const OWN_LOGGER: &str = "rille";

/// How often what waits in a task's pipes is read before a message is taken in. More comes from somebody who writes
/// without an end, and has no place before or after.
const READS_BEFORE_MESSAGE: usize = 16;

impl Supervisor {
    /// Takes in what has come on a task's channel.
    pub(super) fn talk(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        let Some(channel) = &mut live.launched.channel else { return };
        let unsent = channel.flush();
        let received = channel.receive(&mut self.buffer);
        if received.closed {
            self.reactor.forget(&*channel);
            live.launched.channel = None;
        } else if !unsent {
            let _ = self.reactor.rewatch(&*channel, Source::Channel(task), false);
        }
        if received.messages.is_empty() {
            return;
        }
        // What the task's programs wrote before it said this comes before it: a task has its messages taken in before it
        // starts a program, so nothing that is in a pipe now was written after them.
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.is_dry(task, stream) {
                self.read_output(task, stream, READS_BEFORE_MESSAGE);
            }
        }
        for message in received.messages {
            let heard = match message {
                Ok(message) => self.hear(task, message),
                Err(what) => Err(what),
            };
            if let Err(what) = heard {
                self.inputs.push(Input::BadMessage { task, what });
            }
        }
        self.write_log(task);
    }

    /// Sends an answer to a task that has asked.
    pub(super) fn reply(&mut self, task: TaskNumber, reply: &Reply) {
        if matches!(reply, Reply::Line { .. }) {
            self.inputs.push(Input::Released { task });
        }
        let Some(live) = self.live.get_mut(&task) else { return };
        let Some(channel) = &mut live.launched.channel else { return };
        channel.post(reply);
        if channel.flush() {
            let _ = self.reactor.rewatch(&*channel, Source::Channel(task), true);
        }
    }

    /// Takes in output of the task: its log and whoever listens get it. The file of the stream has it already.
    pub(super) fn heard_output(&mut self, task: TaskNumber, stream: Stream, length: usize) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.line.is_some() {
            return self.heard_runner(task, length);
        }
        let bytes = &self.buffer[..length];
        if let (Some(tap), Stream::Stdout) = (&mut live.tap, stream) {
            tap.feed(bytes);
        }
        let logged = live.log.output(Utc::now(), stream, bytes).and_then(|()| live.log.flush());
        if let Some(tap) = &self.parts.tap {
            tap(task, Origin::Program(stream), bytes);
        }
        self.note_log(task, logged);
    }

    fn hear(&mut self, task: TaskNumber, message: Message) -> Result<(), String> {
        match message {
            Message::Started {} => {}
            Message::Stdout { time, text } => {
                self.printed(task, at(time), Stream::Stdout, Origin::Script(Stream::Stdout), &text.0);
            }
            Message::Stderr { time, text } => {
                self.printed(task, at(time), Stream::Stderr, Origin::Script(Stream::Stderr), &text.0);
            }
            Message::Log { time, level, logger, text } => self.logged(task, at(time), level, &logger, &text.0),
            Message::Plan { sections } => {
                let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
                live.sections.plan(&sections)?;
                self.records.push(EventKind::TaskPlanned(Box::new(TaskPlanned { task, sections })));
            }
            Message::SectionStarted { time, section, plan, uid } => {
                self.section_started(at(time), SectionStarted { task, section, plan, uid })?;
            }
            Message::SectionFinished { time, section, result, reason, data, seconds } => {
                let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
                let log = LogRange::default();
                let finished = SectionFinished { task, section, outcome: result, reason, data, seconds, log };
                self.section_finished(at(time), finished)?;
            }
            Message::ArgumentsRead { words } => (self.parts.on_call)(task, Call::ArgumentsRead(words)),
            Message::Sync {} => {
                self.write_log(task);
                let interrupted = self.interrupted.is_some();
                self.reply(task, &Reply::Ack { interrupted });
            }
            Message::Select { sections } => (self.parts.on_call)(task, Call::Select(sections)),
            Message::Prompt { text } => {
                self.write_log(task);
                self.inputs.push(Input::Held { task });
                (self.parts.on_call)(task, Call::Prompt(text.0));
            }
            Message::Finished { result, .. } => {
                let open = self.live.get(&task).map_or(0, |live| live.sections.open());
                if open > 0 && result.is_good() {
                    return Err(format!("it reported {result} while {open} of its sections had not ended"));
                }
                self.inputs.push(Input::Message { task, message });
            }
        }
        Ok(())
    }

    pub(super) fn printed(
        &mut self,
        task: TaskNumber,
        time: DateTime<Utc>,
        stream: Stream,
        origin: Origin,
        bytes: &[u8],
    ) {
        let Some(Live { launched, log, .. }) = self.live.get_mut(&task) else { return };
        let capture = match stream {
            Stream::Stdout => &mut launched.stdout,
            Stream::Stderr => &mut launched.stderr,
        };
        if let Err(error) = capture.append(bytes) {
            let failure = Failure::at(&capture.path(), &error);
            self.fail(failure);
            return;
        }
        let logged = log.output(time, stream, bytes);
        if let Some(tap) = &self.parts.tap {
            tap(task, origin, bytes);
        }
        self.note_log(task, logged);
    }

    pub(super) fn logged(&mut self, task: TaskNumber, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) {
        let logger = logger.replace(|c: char| c.is_control() || c == ' ' || c == '[', "_");
        let Some(live) = self.live.get_mut(&task) else { return };
        let noted = live.log.record(time, level, &logger, text);
        if let Some(tap) = &self.parts.tap {
            let name = if logger.is_empty() { "root" } else { &logger };
            let mut shown = format!("{level} {name}: ").into_bytes();
            shown.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
            shown.push(b'\n');
            tap(task, Origin::Log(level), &shown);
        }
        self.note_log(task, noted);
    }

    fn section_started(&mut self, time: DateTime<Utc>, started: SectionStarted) -> Result<(), String> {
        let (task, section) = (started.task, started.section);
        let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
        let logged = live.log.position(time).and_then(|position| {
            let known = live.sections.start(section, started.plan.as_ref(), started.uid.as_deref(), position);
            let text = known.map(|known| format!("Starting {} {}", known.kind, known.uid));
            Ok(match text {
                Ok(text) => Ok(live.log.record(time, Level::Info, OWN_LOGGER, text.as_bytes())?),
                Err(what) => Err(what),
            })
        });
        match logged {
            Ok(heard) => heard?,
            Err(error) => self.note_log(task, Err(error)),
        }
        self.records.push(EventKind::SectionStarted(Box::new(started)));
        Ok(())
    }

    fn section_finished(&mut self, time: DateTime<Utc>, mut finished: SectionFinished) -> Result<(), String> {
        let (task, section) = (finished.task, finished.section);
        let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
        let known = live.sections.get(section).ok_or_else(|| format!("there is no section {section}"))?;
        let mut text =
            format!("The result of {} {} is => {}", known.kind, known.uid, finished.outcome.name().to_uppercase());
        if let Some(reason) = &finished.reason {
            text.extend([": ", reason]);
        }
        let is_top = known.parent == 0;
        let level = if finished.outcome.is_good() { Level::Info } else { Level::Error };
        let logged = live.log.record(time, level, OWN_LOGGER, text.as_bytes()).and_then(|()| live.log.position(time));
        match logged {
            Ok(position) => finished.log = live.sections.finish(section, position)?,
            Err(error) => self.note_log(task, Err(error)),
        }
        if is_top {
            self.inputs.push(Input::SectionEnded { task, outcome: finished.outcome });
        }
        self.records.push(EventKind::SectionFinished(Box::new(finished)));
        Ok(())
    }

    /// Writes what the log of a task has taken in.
    pub(super) fn write_log(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        let written = live.log.flush();
        self.note_log(task, written);
    }

    pub(super) fn note_log(&mut self, task: TaskNumber, logged: io::Result<()>) {
        if let (Err(error), Some(live)) = (logged, self.live.get(&task)) {
            let failure = Failure::at(live.log.path(), &error);
            self.fail(failure);
        }
    }
}

/// Returns the moment that a task has named, or now.
fn at(seconds: f64) -> DateTime<Utc> {
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range becomes the end of it, which is no time")]
    let micros = (seconds * 1e6) as i64;
    if micros <= 0 { Utc::now() } else { DateTime::from_timestamp_micros(micros).unwrap_or_else(Utc::now) }
}
