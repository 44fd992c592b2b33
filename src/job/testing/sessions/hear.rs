//! What sessions tell, on a thread of its own: each test that has ended gets its files and its place in the run.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::{Item, Sessions};
use crate::engine::{End, Engine, IncomingLines, Reused, Submission};
use crate::model::{
    EventKind, ItemReport, Key, Level, Masks, Outcome, OutputSize, RecordForm, TaskFinished, TaskNumber, TestStatus,
    Value,
};
use crate::store;

/// How long sessions that were asked to stop may go on telling.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells the thread that nothing more is to be waited for.
pub(in crate::job::testing) struct Hearing {
    stop: OwnedFd,
}

/// What was heard.
pub(in crate::job::testing) struct Heard {
    /// The tests that no session has told of.
    pub(in crate::job::testing) left: Vec<Item>,
    /// The tests that were ended from outside while they ran, for a reason that the session does not know.
    pub(in crate::job::testing) interrupted: Vec<(Item, ItemReport)>,
    /// So many tests have not passed that no other is to start.
    pub(in crate::job::testing) is_enough: bool,
    /// Why not everything could be kept.
    pub(in crate::job::testing) failed: Option<store::Error>,
}

impl Hearing {
    pub(in crate::job::testing) fn new() -> io::Result<Self> {
        Ok(Self { stop: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// Has the thread come to its end: when all that was told is heard.
    pub(in crate::job::testing) fn stop(&self) {
        // The only failure is a full counter, and then it is told.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }

    /// Hears the sessions until each has closed its pipe, or is not waited for any more.
    pub(in crate::job::testing) fn hear(
        &self,
        sessions: &mut Sessions,
        engine: &Engine,
        place: Place<'_>,
        max_failures: Option<u32>,
    ) -> Heard {
        let mut listener = Listener {
            place,
            max_failures,
            failures: 0,
            items: std::mem::take(&mut sessions.items),
            heard: Heard { left: Vec::new(), interrupted: Vec::new(), is_enough: false, failed: None },
        };
        let mut pipes: Vec<Pipe> = std::mem::take(&mut sessions.pipes);
        let mut until: Option<Instant> = None;
        while !pipes.is_empty() {
            let mut fds: Vec<PollFd<'_>> =
                pipes.iter().map(|pipe| PollFd::from_borrowed_fd(pipe.reader.as_fd(), PollFlags::IN)).collect();
            if until.is_none() {
                fds.push(PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) => continue,
            }
            let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            let mut submissions = Vec::new();
            let mut ready = is_ready.iter();
            pipes.retain_mut(|pipe| ready.next() != Some(&true) || listener.read(pipe, &mut submissions));
            if until.is_none() && ready.next() == Some(&true) {
                // Those whose sessions are gone are at their end now.
                until = Some(Instant::now() + PATIENCE);
                for pipe in &mut pipes {
                    pipe.writer = None;
                }
            }
            if !submissions.is_empty() {
                engine.submit(submissions, None);
            }
            if listener.has_enough() {
                sessions.stop_at_next();
            }
        }
        let mut left: Vec<Item> = listener.items.into_values().collect();
        left.sort_by_key(|item| item.number);
        Heard { left, ..listener.heard }
    }
}

/// Where the files of tests go.
#[derive(Clone, Copy)]
pub(in crate::job::testing) struct Place<'a> {
    /// The run directory.
    pub(in crate::job::testing) directory: &'a Path,
    /// What takes the place of secrets in them.
    pub(in crate::job::testing) masks: &'a Masks,
}

struct Listener<'a> {
    place: Place<'a>,
    max_failures: Option<u32>,
    failures: u32,
    items: HashMap<TaskNumber, Item>,
    heard: Heard,
}

/// A pipe of a session.
pub(in crate::job::testing) struct Pipe {
    pub(super) reader: File,
    /// As long as this is open, the pipe has no end.
    pub(super) writer: Option<File>,
    /// What came of reports.
    pub(super) incoming: IncomingLines,
}

impl Listener<'_> {
    /// Reads what is in a pipe; returns whether there may be more.
    fn read(&mut self, pipe: &mut Pipe, submissions: &mut Vec<Submission>) -> bool {
        loop {
            match pipe.incoming.fill(&pipe.reader) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
            while let Ok(Some(line)) = pipe.incoming.next() {
                // What cannot be read tells of no test; it is one that nothing was told of.
                if let Ok(report) = serde_json::from_slice(line) {
                    submissions.extend(self.take(report));
                }
            }
        }
    }

    /// Takes in how a test ended; returns its place in the run.
    fn take(&mut self, report: ItemReport) -> Option<Submission> {
        let item = self.items.remove(&report.task)?;
        if report.status == TestStatus::Interrupted && !report.is_late {
            self.heard.interrupted.push((item, report));
            return None;
        }
        let outcome = if report.is_late { Outcome::Errored } else { report.status.outcome() };
        self.failures += u32::from(matches!(outcome, Outcome::Failed | Outcome::Errored | Outcome::Aborted));
        match submission(item, &report, outcome, self.place) {
            Ok(submission) => Some(submission),
            Err(error) => {
                self.heard.failed.get_or_insert(error);
                None
            }
        }
    }

    /// Returns, the first time, whether as many tests have not passed as may.
    fn has_enough(&mut self) -> bool {
        let is_enough = self.max_failures.is_some_and(|most| self.failures >= most);
        is_enough && !std::mem::replace(&mut self.heard.is_enough, true)
    }
}

/// Makes the submission of a test that has ended, and its files.
pub(super) fn submission(
    item: Item,
    report: &ItemReport,
    outcome: Outcome,
    place: Place<'_>,
) -> store::Result<Submission> {
    let Item { number, folder, task } = item;
    let path = place.directory.join(&folder);
    let log = log_of(report, &task.id, place.masks);
    fs::create_dir_all(&path).map_err(store::Error::io("create", &path))?;
    let keep = |name: &str, bytes: &[u8]| -> store::Result<OutputSize> {
        let bytes = place.masks.mask(bytes);
        if !bytes.is_empty() {
            let path = path.join(name);
            fs::write(&path, &bytes).map_err(store::Error::io("write", &path))?;
        }
        Ok(OutputSize { bytes: bytes.len() as u64, ..OutputSize::default() })
    };
    let data = report
        .traceback
        .as_ref()
        .map(|traceback| Value::Map([(Key::Text("traceback".to_owned()), Value::from(traceback.as_str()))].into()));
    let finished = TaskFinished {
        status: Some(report.status),
        reason: report.reason.clone(),
        data: data.clone(),
        seconds: report.seconds,
        stdout: keep("stdout", report.stdout.as_bytes())?,
        stderr: keep("stderr", report.stderr.as_bytes())?,
        log: keep(store::log_name(&folder), &log)?,
        time_limit: report.is_late.then_some(report.seconds),
        ..TaskFinished::new(number, 1, outcome)
    };
    let events = vec![
        EventKind::TaskStarted { task: number, attempt: 1, pid: report.pid },
        EventKind::TaskFinished(Box::new(finished)),
    ];
    let end = End { outcome, reason: report.reason.clone(), data, exit: None, stopped: None };
    let reused = Some(Box::new(Reused { events, end }));
    Ok(Submission { number, folder, task: Box::new(task), decided: None, reused })
}

/// Returns the log of a test: what it wrote, and what pytest says of it. Secrets are masked before a record is made of them,
/// which may part them.
fn log_of(report: &ItemReport, id: &str, masks: &Masks) -> Vec<u8> {
    let mut form = RecordForm::new(report.pid.unsigned_abs(), &masks.mask_text(id));
    let mut log = Vec::new();
    let parts = [
        (Level::Info, "stdout", report.stdout.as_str()),
        (Level::Info, "stderr", report.stderr.as_str()),
        (Level::Error, "pytest", report.traceback.as_deref().unwrap_or_default()),
    ];
    for (level, logger, text) in parts.iter().filter(|(_, _, text)| !text.is_empty()) {
        form.write(&mut log, Utc::now(), *level, logger, &masks.mask(text.as_bytes()));
    }
    log
}
