//! What a report keeps of one task: as little as will do, because a run may have 100,000 of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::sections::Sections;
use crate::model::{
    Exit, FilePlace, Outcome, OutputSize, Place, QUARANTINE, TaskFinished, TaskNumber, TaskQueued, TestStatus, Trial,
    Value,
};
use crate::store::{self, attempt_folder};

/// A task as far as the events that came tell it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Row {
    /// The task's number in its run.
    pub(crate) number: TaskNumber,
    /// Attempts that were started.
    pub(crate) attempts: u32,
    /// Attempts that may be made.
    pub(crate) max_attempts: u32,
    /// Whether an attempt is under way.
    pub(crate) running: bool,
    /// Whether `main` returned while the task was alive.
    pub(crate) dangling: bool,
    /// Whether its end was copied from before the run was resumed.
    pub(crate) reused: bool,
    /// Whether its working folder is another than its own.
    pub(crate) elsewhere: bool,
    /// How the task ended; `None` until its last attempt has ended.
    pub(crate) outcome: Option<Outcome>,
    /// How the process of the latest attempt ended.
    pub(crate) exit: Option<Exit>,
    /// When the first attempt started.
    pub(crate) started: Option<DateTime<Utc>>,
    /// Seconds that the latest attempt took.
    pub(crate) seconds: f64,
    folder_end: u32,
    id_start: u32,
    place_line: u32,
    /// Folder and id in one, overlapping where the folder ends with the id, as it nearly always does.
    text: Box<str>,
    kind: Arc<str>,
    uri: Arc<str>,
    place_file: Option<Arc<str>>,
    reason: Option<Box<str>>,
    stdout_bytes: u64,
    stderr_bytes: u64,
    log_bytes: u64,
    rare: Option<Box<Rare>>,
}

/// What few tasks have.
#[derive(Clone, Debug, Default)]
struct Rare {
    tags: Vec<String>,
    /// What tells it from others that run the same.
    variant: Option<Box<str>>,
    /// It prepares others and is no test itself.
    prepares: bool,
    status: Option<TestStatus>,
    data: Option<Value>,
    killed_leftovers: u32,
    stdout_gap: Gap,
    stderr_gap: Gap,
    log_gap: Gap,
    earlier: Vec<Attempt>,
    sections: Sections,
    /// The trial of a batch that it is.
    trial: Option<Trial>,
}

/// What is not in the file of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Gap {
    head: u64,
    left_out: u64,
    place: FilePlace,
}

/// An attempt that was followed by another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attempt {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Why, or else how its process ended.
    pub(crate) reason: Option<Box<str>>,
    /// The call stack of the error it raised.
    pub(crate) traceback: Option<Box<str>>,
    /// Seconds it took.
    pub(crate) seconds: f64,
}

impl Row {
    /// Makes the row of a task that was queued. Texts that the row before has too are shared with it.
    pub(super) fn new(queued: &TaskQueued, before: Option<&Row>) -> Self {
        let share = |text: &str, known: Option<&Arc<str>>| match known {
            Some(known) if **known == *text => Arc::clone(known),
            _ => Arc::from(text),
        };
        let (text, id_start) = if queued.folder.ends_with(&queued.id) {
            (queued.folder.as_str().into(), queued.folder.len() - queued.id.len())
        } else {
            ([queued.folder.as_str(), &queued.id].concat().into_boxed_str(), queued.folder.len())
        };
        let tags = queued.tags.clone();
        Row {
            number: queued.task,
            attempts: 0,
            max_attempts: queued.retries.saturating_add(1),
            running: false,
            dangling: false,
            reused: false,
            elsewhere: queued.elsewhere,
            outcome: None,
            exit: None,
            started: None,
            seconds: 0.0,
            folder_end: offset(queued.folder.len()),
            id_start: offset(id_start),
            place_line: queued.place.as_ref().map_or(0, |place| place.line),
            text,
            kind: share(&queued.kind, before.map(|row| &row.kind)),
            uri: share(&queued.uri, before.map(|row| &row.uri)),
            place_file: queued
                .place
                .as_ref()
                .map(|place| share(&place.file, before.and_then(|row| row.place_file.as_ref()))),
            reason: None,
            stdout_bytes: 0,
            stderr_bytes: 0,
            log_bytes: 0,
            rare: (!tags.is_empty() || queued.prepares || queued.variant.is_some()).then(|| {
                let variant = queued.variant.as_deref().map(Into::into);
                Box::new(Rare { tags, variant, prepares: queued.prepares, ..Rare::default() })
            }),
        }
    }

    /// Makes the row of a task that was never seen queued, which only a damaged log can hold.
    pub(super) fn unknown(number: TaskNumber) -> Self {
        let queued = TaskQueued {
            task: number,
            id: format!("task {number}"),
            kind: String::new(),
            uri: String::new(),
            folder: String::new(),
            retries: 0,
            tags: Vec::new(),
            prepares: false,
            elsewhere: false,
            inputs: None,
            variant: None,
            place: None,
        };
        Row::new(&queued, None)
    }

    /// Takes note that it ended before the run was resumed.
    pub(super) fn reuse(&mut self, started: Option<DateTime<Utc>>) {
        self.reused = true;
        self.started = started;
    }

    /// Takes note that an attempt has a process.
    pub(super) fn start(&mut self, attempt: u32, time: DateTime<Utc>) {
        self.attempts = self.attempts.max(attempt);
        self.running = true;
        self.started.get_or_insert(time);
        self.reason = None;
        self.exit = None;
        if let Some(rare) = &mut self.rare {
            rare.sections = Sections::default();
        }
    }

    /// Returns the sections, to take something in.
    pub(super) fn sections_mut(&mut self) -> &mut Sections {
        &mut self.rare.get_or_insert_default().sections
    }

    /// Takes note that an attempt has ended. Returns the outcome that counts from now on, if it was the last one.
    pub(super) fn finish(&mut self, finished: &TaskFinished) -> Option<Outcome> {
        self.attempts = self.attempts.max(finished.attempt);
        self.running = false;
        self.dangling |= finished.dangling;
        self.exit = finished.exit;
        self.seconds = if finished.seconds.is_finite() { finished.seconds.max(0.0) } else { 0.0 };
        self.reason = finished.reason.as_deref().map(Into::into);
        self.stdout_bytes = finished.stdout.bytes;
        self.stderr_bytes = finished.stderr.bytes;
        self.log_bytes = finished.log.bytes;
        let gaps = [finished.stdout, finished.stderr, finished.log].map(Gap::of);
        let is_cut = gaps != [Gap::default(); 3];
        let is_rare = finished.data.is_some()
            || finished.status.is_some()
            || finished.killed_leftovers > 0
            || is_cut
            || finished.will_retry;
        if is_rare || self.rare.is_some() {
            let rare = self.rare.get_or_insert_default();
            rare.data.clone_from(&finished.data);
            rare.status = finished.status;
            rare.killed_leftovers = finished.killed_leftovers;
            [rare.stdout_gap, rare.stderr_gap, rare.log_gap] = gaps;
            if finished.will_retry {
                rare.earlier.push(Attempt::of(finished));
            } else if finished.attempt > 0 {
                // The last attempt was to be followed by one that did not come.
                rare.earlier.truncate(finished.attempt as usize - 1);
            }
        }
        if !finished.will_retry {
            // A log in which a task ends twice is damaged; the worse end stands.
            self.outcome = Some(self.outcome.map_or(finished.outcome, |known| known.and(finished.outcome)));
        }
        self.outcome
    }

    /// Returns the id the user gave or was given.
    pub(crate) fn id(&self) -> &str {
        &self.text[self.id_start as usize..]
    }

    /// Returns the task's folder, relative to the run directory.
    pub(crate) fn folder(&self) -> &str {
        &self.text[..self.folder_end as usize]
    }

    /// Returns the runner kind.
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns what was run, for most kinds a path.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns the labels.
    pub(crate) fn tags(&self) -> &[String] {
        self.rare.as_ref().map_or(&[], |rare| &rare.tags)
    }

    /// Returns what tells a task that nobody named from others that run the same: what it was given.
    pub(crate) fn variant(&self) -> Option<&str> {
        self.rare.as_ref()?.variant.as_deref()
    }

    /// Returns where the task was defined.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place_file.as_ref().map(|file| Place { file: Arc::clone(file), line: self.place_line })
    }

    /// Returns why the latest attempt ended as it did.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns whether the task prepares others and is no test itself.
    pub(crate) fn prepares(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.prepares)
    }

    /// Returns until when, and why, the task is in quarantine: how it ends does not count for the run.
    pub(crate) fn quarantine(&self) -> Option<&str> {
        self.tags().iter().find_map(|tag| tag.strip_prefix(QUARANTINE))
    }

    /// Returns how Avocado calls the end of the task; `None` while it has not ended.
    pub(crate) fn status(&self) -> Option<TestStatus> {
        let known = self.rare.as_ref().and_then(|rare| rare.status);
        self.outcome.map(|outcome| known.unwrap_or(TestStatus::from_outcome(outcome)))
    }

    /// Takes in what the trial came to that it is.
    pub(super) fn measure(&mut self, trial: &Trial) {
        self.rare.get_or_insert_default().trial = Some(trial.clone());
    }

    /// Returns the trial of a batch that it is.
    pub(crate) fn trial(&self) -> Option<&Trial> {
        self.rare.as_ref()?.trial.as_ref()
    }

    /// Returns what the script gave with its result.
    pub(crate) fn data(&self) -> Option<&Value> {
        self.rare.as_ref()?.data.as_ref()
    }

    /// Returns how many processes the task left behind and had killed.
    pub(crate) fn killed_leftovers(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.killed_leftovers)
    }

    /// Returns what the latest attempt wrote to standard output.
    pub(crate) fn stdout(&self) -> OutputSize {
        self.size(self.stdout_bytes, |rare| rare.stdout_gap)
    }

    /// Returns what the latest attempt wrote to standard error.
    pub(crate) fn stderr(&self) -> OutputSize {
        self.size(self.stderr_bytes, |rare| rare.stderr_gap)
    }

    /// Returns what stands in the log of the latest attempt.
    pub(crate) fn log(&self) -> OutputSize {
        self.size(self.log_bytes, |rare| rare.log_gap)
    }

    /// Returns the folder of the latest attempt, relative to the run directory.
    pub(crate) fn latest_folder(&self) -> String {
        attempt_folder(self.folder(), self.attempts)
    }

    /// Returns the path of a file of the latest attempt, relative to the run directory.
    pub(crate) fn path_of(&self, file: &str) -> String {
        let place = match file {
            "stdout" => self.stdout().place,
            "stderr" => self.stderr().place,
            log if log == self.log_name() => self.log().place,
            _ => FilePlace::Named,
        };
        match place {
            FilePlace::Named => format!("{}/{file}", self.latest_folder()),
            FilePlace::Beside => format!("{}/{}", self.latest_folder(), store::name_beside(file)),
            FilePlace::Apart => format!("{}/{file}", store::apart_folder(self.number, self.attempts)),
        }
    }

    /// Returns the name of the log in the folder of an attempt.
    pub(crate) fn log_name(&self) -> &'static str {
        store::log_name(self.folder())
    }

    /// Returns the sections of the latest attempt.
    pub(crate) fn sections(&self) -> Option<&Sections> {
        self.rare.as_ref().map(|rare| &rare.sections)
    }

    /// Returns the attempts that were followed by another, in order.
    pub(crate) fn earlier(&self) -> &[Attempt] {
        self.rare.as_ref().map_or(&[], |rare| &rare.earlier)
    }

    /// Returns the call stack of the error that the latest attempt raised.
    pub(crate) fn traceback(&self) -> Option<&str> {
        self.data()?.get("traceback")?.as_str()
    }

    fn size(&self, bytes: u64, gap: fn(&Rare) -> Gap) -> OutputSize {
        let gap = self.rare.as_ref().map_or(Gap::default(), |rare| gap(rare));
        OutputSize { bytes, left_out: gap.left_out, head: gap.head, place: gap.place }
    }

    /// Returns whether the task passed, but not at the first attempt.
    pub(crate) fn is_flaky(&self) -> bool {
        self.attempts > 1 && self.outcome.is_some_and(Outcome::is_pass)
    }

    /// Returns whether the task passed, but it, or a section of it, not at the first attempt.
    pub(crate) fn has_flaky(&self) -> bool {
        let has_section = || self.sections().is_some_and(|sections| sections.flaky() > 0);
        self.is_flaky() || has_section()
    }

    /// Returns whether the task has passed or was left out on purpose; false while it has not ended.
    pub(crate) fn is_good(&self) -> bool {
        self.outcome.is_some_and(Outcome::is_good)
    }
}

impl Gap {
    fn of(size: OutputSize) -> Self {
        Gap { head: size.head, left_out: size.left_out, place: size.place }
    }
}

impl Attempt {
    fn of(finished: &TaskFinished) -> Self {
        let exit = || finished.exit.filter(|exit| !exit.is_success()).map(|exit| exit.to_string());
        let reason = finished.reason.clone().or_else(exit);
        let traceback = finished.data.as_ref().and_then(|data| data.get("traceback")).and_then(Value::as_str);
        Attempt {
            outcome: finished.outcome,
            reason: reason.map(Into::into),
            traceback: traceback.map(Into::into),
            seconds: finished.seconds,
        }
    }
}

/// Ids and folders are file names and so far shorter than 4 GiB; beyond that a text is cut rather than misread.
fn offset(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
