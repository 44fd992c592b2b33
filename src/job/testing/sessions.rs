//! Sessions: tests of pytest's that share processes, as pytest has them. What comes of each is taken in while they go on.
//!
//! The tests of a file stay together. There are as many sessions as tasks may run at once, so that files run beside each
//! other; each session is a task that prepares its tests, and the tests themselves have no process.

mod hear;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use serde_json::Map;

use self::hear::Pipe;
pub(super) use self::hear::{Heard, Hearing, Place};
use super::TestPlan;
use crate::engine::{IncomingLines, PrivateFolder, Submission};
use crate::job::Job;
use crate::model::{ENOUGH, Outcome, Runnable, SESSION, SessionOrder, Task, TaskNumber};
use crate::store;
use crate::testing::{PYTEST_KIND, Test};

/// The folder of the sessions' logs, in a run directory.
const FOLDER: &str = "sessions";

/// The folder of orders and pipes, in a run directory.
const PRIVATE: &str = ".sessions";

/// A test that is run in a session.
pub(super) struct Item {
    /// Its number.
    pub(super) number: TaskNumber,
    /// Its folder, relative to the run directory.
    pub(super) folder: String,
    /// The task that it is in the run.
    pub(super) task: Task,
}

/// The sessions of a run.
pub(super) struct Sessions {
    /// What has to be there as long as they run.
    folder: PrivateFolder,
    /// The tasks that they are.
    pub(super) tasks: Vec<TaskNumber>,
    /// The pipes on which they are heard.
    pub(super) pipes: Vec<Pipe>,
    /// The tests in them.
    pub(super) items: HashMap<TaskNumber, Item>,
}

/// What came of the wish for sessions.
pub(super) enum Opened {
    /// They are there, with the tasks that they are.
    Sessions(Sessions, Vec<Submission>),
    /// These items run by themselves: nobody can run sessions.
    Not(Vec<Item>),
}

/// Returns whether a test can share a process: nothing of it says how its process is to be, and nothing has to be there
/// before it.
pub(super) fn may_share(test: &Test, plan: &TestPlan, retries: u32) -> bool {
    let runnable = &test.runnable;
    let is_plain = runnable.args.is_empty()
        && runnable.kwargs.is_empty()
        && runnable.variant.is_none()
        && runnable.dependencies.is_empty()
        && !runnable.config.contains_key("rille.runner");
    runnable.kind == PYTEST_KIND
        && runnable.uri.is_some()
        && is_plain
        && plan.dependencies.is_empty()
        && !plan.is_dry
        && !plan.is_isolated
        && retries == 0
}

/// Parts items into so many sessions of about the same weight. Items of a file stay together and in their order; an item
/// that is there again goes into a session of its own kind, as pytest runs none twice.
pub(super) fn part(items: Vec<Item>, sessions: usize) -> Vec<Vec<Item>> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut rounds: Vec<Vec<Item>> = Vec::new();
    for item in items {
        let uri = item.task.runnable.uri.clone().unwrap_or_default();
        let round = seen.entry(uri).and_modify(|times| *times += 1).or_insert(0);
        if rounds.len() <= *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(item);
    }
    rounds.into_iter().flat_map(|round| share_out(round, sessions)).collect()
}

fn share_out(items: Vec<Item>, sessions: usize) -> Vec<Vec<Item>> {
    let mut files: Vec<(String, Vec<Item>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for item in items {
        let uri = item.task.runnable.uri.as_deref().unwrap_or_default();
        let file = uri.split_once("::").map_or(uri, |(file, _)| file).to_owned();
        let place = *places.entry(file.clone()).or_insert_with(|| {
            files.push((file, Vec::new()));
            files.len() - 1
        });
        files[place].1.push(item);
    }
    // The file with the most items goes first, into the session with the fewest.
    let mut by_weight: Vec<usize> = (0..files.len()).collect();
    by_weight.sort_by_key(|place| std::cmp::Reverse(files[*place].1.len()));
    let mut weights = vec![0; sessions.clamp(1, files.len().max(1))];
    let mut session_of = vec![0; files.len()];
    for place in by_weight {
        let lightest = (0..weights.len()).min_by_key(|session| weights[*session]).unwrap_or(0);
        weights[lightest] += files[place].1.len();
        session_of[place] = lightest;
    }
    let mut parts: Vec<Vec<Item>> = weights.iter().map(|_| Vec::new()).collect();
    for ((_, items), session) in files.into_iter().zip(session_of) {
        parts[session].extend(items);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

impl Job {
    /// Makes the sessions of these items, whose tasks are numbered on from `next`.
    pub(super) fn open_sessions(&self, items: Vec<Item>, plan: &TestPlan, next: TaskNumber) -> store::Result<Opened> {
        let folder = PrivateFolder::make(self.run.directory(), PRIVATE, "order-4294967295".len());
        let folder = folder.map_err(store::Error::io("create", &self.run.directory().join(PRIVATE)))?;
        let at_once = self.settings.jobs.unwrap_or(self.settings.cpus).max(1);
        let limit = plan.test_limit.map(|limit| limit.as_secs_f64());
        let mut sessions = Sessions { folder, tasks: Vec::new(), pipes: Vec::new(), items: HashMap::new() };
        let mut submissions = Vec::new();
        for (number, part) in (next..).zip(part(items, at_once)) {
            let id = format!("{number}-pytest-session");
            let log = format!("{FOLDER}/{id}");
            let order_path = sessions.folder.path().join(format!("order-{number}"));
            let pipe_path = sessions.folder.path().join(format!("pipe-{number}"));
            let uris = part.iter().map(|item| (item.number, item.task.runnable.uri.clone().unwrap_or_default()));
            let max_failures = self.settings.max_failures;
            let order = SessionOrder { items: uris.collect(), limit, max_failures, report: pipe_path.clone() };
            write_order(&order_path, &order)?;
            sessions.pipes.push(make_pipe(&pipe_path).map_err(store::Error::io("create", &pipe_path))?);
            let mut kwargs = Map::new();
            kwargs.insert(SESSION.to_owned(), order_path.to_string_lossy().into_owned().into());
            let runnable = Runnable { kind: PYTEST_KIND.to_owned(), kwargs, ..Runnable::default() };
            let mut task = self.task_of(runnable, id, &self.run.directory().join(&log));
            task.prepares = true;
            task.retries = 0;
            if self.assign_runner(&mut task).is_some() {
                return Ok(Opened::Not(part.into_iter().chain(sessions.items.into_values()).collect()));
            }
            sessions.tasks.push(number);
            sessions.items.extend(part.into_iter().map(|item| (item.number, item)));
            submissions.push(Submission { number, folder: log, task: Box::new(task), decided: None, reused: None });
        }
        Ok(Opened::Sessions(sessions, submissions))
    }
}

fn write_order(path: &PathBuf, order: &SessionOrder) -> store::Result<()> {
    // Plain data: there is nothing in it that JSON cannot hold.
    let text = serde_json::to_vec(order).unwrap_or_default();
    std::fs::write(path, text).map_err(store::Error::io("write", path))
}

/// Makes a pipe with a name, and opens it to read without waiting for who writes.
fn make_pipe(path: &PathBuf) -> io::Result<Pipe> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let open = |way: OFlags| open(path, way | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).map(File::from);
    let reader = open(OFlags::RDONLY)?;
    Ok(Pipe { reader, writer: Some(open(OFlags::WRONLY)?), incoming: IncomingLines::of_any_length() })
}

impl Sessions {
    /// Lets no other test of the sessions start.
    fn stop_at_next(&self) {
        for number in &self.tasks {
            // A session that does not hear of it runs its tests, which then count.
            let _ = File::create(self.folder.path().join(format!("order-{number}")).with_extension(ENOUGH));
        }
    }
}

impl Heard {
    /// Makes the submissions of what no session has brought to its end.
    pub(super) fn rest(self, place: Place<'_>, why: &Unfinished) -> store::Result<Vec<Submission>> {
        let mut submissions = Vec::new();
        for (item, mut report) in self.interrupted {
            let outcome = match &why.running {
                Some((outcome, reason)) => {
                    report.reason = Some(reason.clone());
                    *outcome
                }
                None => Outcome::Aborted,
            };
            submissions.push(hear::submission(item, &report, outcome, place)?);
        }
        let rest = self.left.into_iter().map(|item| Submission { decided: why.left.clone(), ..item.submission() });
        submissions.extend(rest);
        Ok(submissions)
    }
}

/// Why tests of sessions have not come to their end.
pub(super) struct Unfinished {
    /// How those end that ran; without it as their sessions said.
    running: Option<(Outcome, String)>,
    /// How those end that did not start; without it as the engine says, which starts nothing any more.
    left: Option<(Outcome, String)>,
}

impl Unfinished {
    /// The run was stopped, for this reason.
    pub(super) fn as_stopped(reason: String) -> Self {
        Self { running: Some((Outcome::Aborted, reason)), left: None }
    }

    /// As many tests had not passed as may; what ran has come to its end.
    pub(super) fn as_enough() -> Self {
        Self { running: None, left: None }
    }

    /// The run has taken longer than it may.
    pub(super) fn as_late(limit: Duration) -> Self {
        let reason = format!("the run exceeded its time limit of {} s", limit.as_secs_f64());
        let left = (Outcome::Skipped, format!("did not start: {reason}"));
        Self { running: Some((Outcome::Errored, reason)), left: Some(left) }
    }

    /// The sessions are to blame.
    pub(super) fn by_itself() -> Self {
        Self { running: None, left: Some((Outcome::Errored, "its session ended before the test had run".to_owned())) }
    }
}

impl Item {
    /// Makes the submission of an item that is to run, or to end, by itself.
    pub(super) fn submission(self) -> Submission {
        let Item { number, folder, task } = self;
        Submission { number, folder, task: Box::new(task), decided: None, reused: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(uris: &[&str], sessions: usize) -> Vec<String> {
        let items = (1..).zip(uris).map(|(number, uri)| {
            let runnable = Runnable { uri: Some((*uri).to_owned()), ..Runnable::default() };
            Item { number, folder: String::new(), task: Task { runnable, ..Task::default() } }
        });
        let uri = |item: &Item| item.task.runnable.uri.clone().unwrap();
        part(items.collect(), sessions).iter().map(|part| part.iter().map(uri).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn files_stay_together_and_sessions_are_of_about_the_same_weight() {
        let uris = ["a::1", "b::1", "a::2", "c::1", "a::3", "b::2", "d"];
        assert_eq!(parted(&uris, 1), ["a::1 a::2 a::3 b::1 b::2 c::1 d"]);
        assert_eq!(parted(&uris, 2), ["a::1 a::2 a::3 d", "b::1 b::2 c::1"]);
        assert_eq!(parted(&uris, 9), ["a::1 a::2 a::3", "b::1 b::2", "c::1", "d"]);
        assert_eq!(parted(&["a::1", "a::2", "a::1", "a::1"], 2), ["a::1 a::2", "a::1", "a::1"]);
        assert!(parted(&[], 2).is_empty());
    }
}
