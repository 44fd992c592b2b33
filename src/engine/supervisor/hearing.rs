//! What spawners tell of attempts: into the log and the files in the order in which it happened, and to whom it concerns.

use chrono::{DateTime, Utc};

use super::books::{Books, Wish};
use super::live::Live;
use crate::engine::protocol::Breach;
use crate::engine::request::{Call, Failure, Origin};
use crate::engine::scheduler::Input;
use crate::engine::sections::BadSection;
use crate::engine::spawner::{AttemptId, Left, News, NotStarted};
use crate::engine::verdict::Verdict;
use crate::model::{
    EventKind, Level, LogRange, Message, Reply, SectionFinished, SectionStarted, Stream, TaskNumber, TaskPlanned,
};
use crate::testing::TapVerdict;

/// The logger of what the host itself writes into a task's log.
const OWN_LOGGER: &str = "rille";

impl Books {
    /// Takes in what a spawner tells. What comes of an attempt that has ended is nobody's.
    pub(super) fn hear(&mut self, id: AttemptId, news: News<'_>) {
        let task = id.task;
        if self.live.get(&task).is_none_or(|live| live.id != id) {
            return;
        }
        if self.heard.last() != Some(&task) {
            self.heard.push(task);
        }
        match news {
            News::Started { pid } => self.started(task, pid),
            News::NotStarted(why) => self.not_started(task, why),
            News::Output { stream, bytes } => self.heard_output(task, stream, bytes),
            News::Said(message) => {
                let heard = message.and_then(|message| self.heard_message(task, message));
                if let Err(breach) = heard {
                    self.inputs.push(Input::BadMessage { task, what: breach.to_string() });
                }
            }
            News::Reported(message) => self.take_report(task, *message),
            News::Heard => self.note_life(task),
            News::Exited(exit) => {
                if let Some(live) = self.live.get_mut(&task) {
                    live.exit = Some(exit);
                }
                self.inputs.push(Input::Exited { task, exit });
            }
            News::Gone(left) => self.gone(task, left),
            News::Lost(why) => {
                self.inputs.push(Input::Lost { task, why });
                self.gone(task, Left::default());
            }
        }
    }

    fn started(&mut self, task: TaskNumber, pid: i32) {
        let now = self.clock.now();
        let Some(live) = self.live.get_mut(&task) else { return };
        live.has_started = true;
        live.log.set_pid(pid);
        if let Some(runner) = &mut live.runner {
            runner.heard_at = now;
        }
        (self.hooks.on_started)(task, pid);
        self.inputs.push(Input::Spawned { task, pid });
    }

    fn not_started(&mut self, task: TaskNumber, why: NotStarted) {
        if let Some(live) = self.live.remove(&task) {
            live.keep.withdraw();
        }
        self.inputs.push(match why {
            NotStarted::Task(reason) => Input::SpawnFailed { task, reason },
            NotStarted::Exhausted(reason) => Input::SpawnDeferred { task, reason },
        });
    }

    /// Takes in output of the task's programs: its file, its log and whoever listens get it.
    fn heard_output(&mut self, task: TaskNumber, stream: Stream, bytes: &[u8]) {
        let time = self.clock.time();
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.runner.is_some() {
            return self.heard_runner(task, bytes);
        }
        if let (Some(tap), Stream::Stdout) = (&mut live.tap, stream) {
            tap.feed(bytes);
        }
        self.printed(task, time, stream, Origin::Program(stream), bytes);
        let Some(live) = self.live.get_mut(&task) else { return };
        if !live.keep.has_room() && !live.held.contains(&stream) {
            live.held.push(stream);
            self.wishes.push((live.id, Wish::Hold(stream, true)));
        }
    }

    /// Has streams read again that were not because nobody took them.
    pub(super) fn release_output(&mut self) {
        for live in self.live.values_mut() {
            let id = live.id;
            self.wishes.extend(live.held.drain(..).map(|stream| (id, Wish::Hold(stream, false))));
        }
    }

    fn heard_message(&mut self, task: TaskNumber, message: Message) -> Result<(), Breach> {
        match message {
            Message::Started {} => {}
            Message::Stdout { time, text } => {
                let time = self.at(time);
                self.printed(task, time, Stream::Stdout, Origin::Script(Stream::Stdout), &text.0);
            }
            Message::Stderr { time, text } => {
                let time = self.at(time);
                self.printed(task, time, Stream::Stderr, Origin::Script(Stream::Stderr), &text.0);
            }
            Message::Log { time, level, logger, text } => {
                let time = self.at(time);
                self.logged(task, time, level, &logger, &text.0);
            }
            Message::Plan { sections } => {
                let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
                live.sections.plan(&sections)?;
                self.records.push(EventKind::TaskPlanned(Box::new(TaskPlanned { task, sections })));
            }
            Message::SectionStarted { time, section, plan, uid } => {
                let time = self.at(time);
                self.section_started(time, SectionStarted { task, section, plan, uid })?;
            }
            Message::SectionFinished { time, section, result, reason, data, seconds, will_retry } => {
                let time = self.at(time);
                let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
                let log = LogRange::default();
                let finished =
                    SectionFinished { task, section, outcome: result, reason, data, seconds, will_retry, log };
                self.section_finished(time, finished)?;
            }
            Message::ArgumentsRead { words } => (self.hooks.on_call)(task, Call::ArgumentsRead(words)),
            Message::Used(used) => (self.hooks.on_call)(task, Call::Used(Box::new(used))),
            Message::Remark { text } => (self.hooks.on_call)(task, Call::Remark(text)),
            Message::Sync {} => {
                self.write_log(task);
                let interrupted = self.is_interrupted();
                self.reply(task, Reply::Ack { interrupted });
            }
            Message::Select { sections } => (self.hooks.on_call)(task, Call::Select(sections)),
            Message::Prompt { text } => {
                self.write_log(task);
                self.inputs.push(Input::Held { task });
                (self.hooks.on_call)(task, Call::Prompt(text.0));
            }
            Message::Finished { result, .. } => {
                let open = self.live.get(&task).map_or(0, |live| live.sections.open());
                if open > 0 && result.is_good() {
                    return Err(Breach::OpenSections { result, open });
                }
                self.inputs.push(Input::Message { task, message });
            }
        }
        Ok(())
    }

    /// Sends an answer to a task that has asked.
    pub(super) fn reply(&mut self, task: TaskNumber, reply: Reply) {
        if matches!(reply, Reply::Line { .. }) {
            self.inputs.push(Input::Released { task });
        }
        if let Some(live) = self.live.get(&task) {
            self.wishes.push((live.id, Wish::Answer(reply)));
        }
    }

    /// Takes in what an attempt wrote: its file, its log and whoever listens get it.
    pub(super) fn printed(
        &mut self,
        task: TaskNumber,
        time: DateTime<Utc>,
        stream: Stream,
        origin: Origin,
        bytes: &[u8],
    ) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if stream == Stream::Stderr && live.runner.is_none() {
            live.last_words.take(bytes);
        }
        let stored = live.keep.store(stream, bytes);
        if let Err(failure) = stored {
            return self.fail(failure);
        }
        self.log_output(task, time, stream, origin, bytes);
    }

    /// The same for what somebody else has put into the file.
    pub(super) fn log_output(
        &mut self,
        task: TaskNumber,
        time: DateTime<Utc>,
        stream: Stream,
        origin: Origin,
        bytes: &[u8],
    ) {
        let Some(live) = self.live.get_mut(&task) else { return };
        live.log.output(time, stream, bytes);
        self.show(task, origin, bytes);
        self.write_full_log(task);
    }

    /// Takes in a record of the log.
    pub(super) fn logged(&mut self, task: TaskNumber, time: DateTime<Utc>, level: Level, logger: &str, text: &[u8]) {
        let logger = logger.replace(|c: char| c.is_control() || c == ' ' || c == '[', "_");
        let Some(live) = self.live.get_mut(&task) else { return };
        live.log.record(time, level, &logger, text);
        let name = if logger.is_empty() { "root" } else { &logger };
        if self.hooks.tap.is_some() {
            let mut shown = format!("{level} {name}: ").into_bytes();
            shown.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
            shown.push(b'\n');
            self.show(task, Origin::Log(level), &shown);
        }
        self.write_full_log(task);
    }

    pub(super) fn show(&self, task: TaskNumber, origin: Origin, bytes: &[u8]) {
        if let Some(tap) = &self.hooks.tap {
            tap(task, origin, bytes);
        }
    }

    fn section_started(&mut self, time: DateTime<Utc>, started: SectionStarted) -> Result<(), Breach> {
        let (task, section) = (started.task, started.section);
        let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
        let position = live.position(time);
        let known = live.sections.start(section, started.plan.as_ref(), started.uid.as_deref(), position)?;
        let text = format!("Starting {} {}", known.kind, known.uid);
        live.log.record(time, Level::Info, OWN_LOGGER, text.as_bytes());
        self.write_full_log(task);
        self.records.push(EventKind::SectionStarted(Box::new(started)));
        Ok(())
    }

    fn section_finished(&mut self, time: DateTime<Utc>, mut finished: SectionFinished) -> Result<(), Breach> {
        let (task, section) = (finished.task, finished.section);
        let Some(live) = self.live.get_mut(&task) else { return Ok(()) };
        let known = live.sections.get(section).ok_or(BadSection::Unknown(section))?;
        let mut text =
            format!("The result of {} {} is => {}", known.kind, known.uid, finished.outcome.name().to_uppercase());
        if let Some(reason) = &finished.reason {
            text.extend([": ", reason]);
        }
        let is_top = known.parent == 0;
        let level = if finished.outcome.is_good() { Level::Info } else { Level::Error };
        live.log.record(time, level, OWN_LOGGER, text.as_bytes());
        let position = live.position(time);
        finished.log = live.sections.finish(section, position)?;
        self.write_full_log(task);
        if is_top && !finished.will_retry {
            self.inputs.push(Input::SectionEnded { task, outcome: finished.outcome });
        }
        self.records.push(EventKind::SectionFinished(Box::new(finished)));
        Ok(())
    }

    /// Stores what the log of a task has taken in.
    pub(super) fn write_log(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if let Err(failure) = live.write_log() {
            self.fail(failure);
        }
    }

    fn write_full_log(&mut self, task: TaskNumber) {
        if self.live.get(&task).is_some_and(|live| live.log.is_full()) {
            self.write_log(task);
        }
    }

    /// Stores what the logs have taken in of those attempts that were heard of.
    pub(super) fn write_logs(&mut self) {
        for task in std::mem::take(&mut self.heard) {
            self.write_log(task);
        }
    }

    /// Closes the books of an attempt of which nothing is left.
    fn gone(&mut self, task: TaskNumber, left: Left) {
        let time = self.clock.time();
        let Some(mut live) = self.live.remove(&task) else { return };
        self.close_runner(task, &mut live, left.dropped);
        if live.runner.is_none()
            && live.exit.is_some_and(|exit| !exit.is_success())
            && let Some(words) = live.last_words.line(|bytes| self.surroundings.masks.mask(bytes))
        {
            self.inputs.push(Input::LastWords { task, words });
        }
        if let (Some(tap), Some(exit)) = (live.tap.take(), live.exit) {
            let TapVerdict { status, reason } = tap.finish(exit);
            self.inputs.push(Input::Reported { task, verdict: Verdict::of_status(status, reason) });
        }
        if left.unkillable > 0 {
            let text = format!("{} of its processes could not be killed", left.unkillable);
            live.log.record(time, Level::Error, OWN_LOGGER, text.as_bytes());
        }
        live.log.end(time);
        let logged = live.write_log();
        let folder = live.keep.folder().to_owned();
        let is_of_runner = live.runner.is_some();
        let (mut written, failure) = live.keep.finish(time);
        if is_of_runner {
            // What the runner has put into its files itself was only told.
            for (size, name) in [(&mut written.stdout, "stdout"), (&mut written.stderr, "stderr")] {
                if size.is_empty() {
                    let file = folder.join(name).symlink_metadata().ok().filter(std::fs::Metadata::is_file);
                    size.bytes = file.map_or(0, |file| file.len());
                }
            }
        }
        for failure in logged.err().into_iter().chain(failure) {
            self.fail(failure);
        }
        self.inputs.push(Input::Gone { task, written, killed_leftovers: left.killed });
    }

    /// Returns the moment that a task has named, or now.
    fn at(&self, seconds: f64) -> DateTime<Utc> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is out of range becomes the end of it, which is no time"
        )]
        let micros = (seconds * 1e6) as i64;
        let named = (micros > 0).then(|| DateTime::from_timestamp_micros(micros)).flatten();
        named.unwrap_or_else(|| self.clock.time())
    }
}

impl Live {
    /// Stores what the log has taken in.
    fn write_log(&mut self) -> Result<(), Failure> {
        if self.log.unstored().is_empty() {
            return Ok(());
        }
        let stored = self.keep.store_log(self.log.unstored());
        self.log.clear();
        stored
    }

    /// Makes records of lines that have no end yet, and returns where the next record will begin.
    fn position(&mut self, time: DateTime<Utc>) -> u64 {
        self.log.close_lines(time);
        self.keep.log_position().unwrap_or(0) + self.log.unstored().len() as u64
    }
}
