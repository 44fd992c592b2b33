//! A run under way: it has a run directory, feeds the engine, waits for tasks and wraps up. All front doors use it.
//!
//! Nothing here knows Lua.

mod before;
mod calls;
mod datafile;
mod draft;
mod ending;
mod executables;
mod history;
mod inputs;
mod ledger;
pub(crate) mod operation;
mod prompt;
mod reports;
mod rerun;
mod resolve;
mod roster;
mod secrets;
mod sections;
mod select;
mod settings;
mod start;
mod synchro;
mod testing;
mod variant;
mod walk;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;
use parking_lot::{Mutex, RwLock};

use self::ledger::Ledger;
use self::roster::Roster;
use crate::engine::{End, Engine, Failure, Group, Journal, OnLimit, Runners, StopReason, Synchro};
use crate::model::{EventKind, Kind, Level, Masks, Outcome, Place, QUARANTINE, RuntimeInfo, Stream, Task, TaskNumber};
use crate::report::{Announcement, Live, LiveHandle};
use crate::store::RunDir;

pub(crate) use self::calls::HostCall;
pub(crate) use self::datafile::read_datafile;
pub(crate) use self::draft::{Draft, DraftDatafile, DraftSections, Testscript};
pub(crate) use self::ending::MainEnd;
pub(crate) use self::executables::{PYTEST_MAIN, printed_by, pytest_items, python_folders, run_again};
pub(crate) use self::ledger::slip_text;
pub(crate) use self::reports::{Annotations, ReportCopy, ReportForm};
pub(crate) use self::rerun::{Condition, Rerun};
pub(crate) use self::secrets::missing_secrets;
pub(crate) use self::sections::SectionFilter;
pub(crate) use self::select::Selection;
pub(crate) use self::settings::{Door, Settings};
pub(crate) use self::start::StartError;
pub(crate) use self::testing::{TestPlan, read_suite, suite_text};
pub(crate) use self::walk::{
    FAILED_TRACE, SHRUNK_TRACE, WalkError, WalkOptions, WalkOutcome, WalkRun, WalkSettings, steps_in_words, steps_of,
};

/// A run of a jobfile.
pub(crate) struct Job {
    settings: Settings,
    run: Mutex<Option<RunDir>>,
    directory: PathBuf,
    journal: Journal,
    runtime: Arc<RwLock<RuntimeInfo>>,
    roster: Arc<Mutex<Roster>>,
    live: Mutex<Option<Live>>,
    console: LiveHandle,
    engine: OnceLock<Engine>,
    synchro: Arc<OnceLock<Synchro>>,
    runners: Runners,
    started: Instant,
    history: history::History,
    /// What takes the place of secrets in all that is only read.
    masks: Masks,
    next_group: Mutex<u32>,
    /// The number of the last suite of walks.
    next_suite: Mutex<u32>,
    /// The tasks whose log is shown.
    loud: walk::LoudLogs,
    /// The number of the last replay of a walk.
    next_replay: Mutex<u32>,
    ledger: Mutex<Ledger>,
    calls: calls::Calls,
    /// Held by whoever asks the user.
    terminal: Mutex<()>,
    /// What made the run unrecordable, once the engine is closed.
    failure: Mutex<Option<Failure>>,
    /// Taken by the thread that wraps up.
    ending: Mutex<bool>,
    /// The process that stays with the user.
    guardian_pid: u32,
    /// The trials of a batch.
    trials: Arc<OnceLock<Arc<operation::batch::Trials>>>,
}

/// Why a wait brought no results.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum WaitError {
    /// The run was asked to stop.
    #[error("the run was interrupted by {}", signal_hook::low_level::signal_name(*.0).unwrap_or("a signal"))]
    Interrupted(i32),
    /// Nothing can be recorded any more.
    #[error("the run can no longer be recorded: {0}")]
    Unrecordable(Failure),
}

/// What is known of a task.
#[derive(Clone, Debug)]
pub(crate) struct TaskView {
    /// Its id.
    pub(crate) id: String,
    /// Whether it was started.
    pub(crate) is_started: bool,
    /// Its first or present process.
    pub(crate) pid: Option<i32>,
    /// How it ended.
    pub(crate) end: Option<End>,
}

/// Why a task cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CannotStart {
    /// It was started before.
    #[error("task '{0}' cannot be started twice")]
    Twice(String),
}

impl Job {
    /// Makes a task. It gets its number and its id; what is wrong with it is told at once.
    pub(crate) fn define(&self, mut draft: Box<Draft>) -> TaskNumber {
        let place = draft.place.clone();
        let remarks = std::mem::take(&mut draft.remarks);
        self.note_environment(&draft.env);
        let mut roster = self.roster.lock();
        let number = roster.add(draft, &self.masks);
        let decided = roster.get(number).and_then(|entry| entry.decided.clone());
        drop(roster);
        for text in remarks.into_iter().chain(decided.map(|(_, reason)| reason)) {
            self.warn(text, place.clone());
        }
        number
    }

    /// Makes a group, of whose tasks at most `limit` run at once.
    pub(crate) fn new_group(&self, limit: usize) -> Group {
        let mut next = self.next_group.lock();
        *next += 1;
        Group { id: *next, limit }
    }

    /// Starts tasks that were made before, as members of a group if one is given.
    pub(crate) fn start(&self, numbers: &[TaskNumber], group: Option<Group>) -> Result<(), CannotStart> {
        let mut submissions = Vec::with_capacity(numbers.len());
        for &number in numbers {
            // Not held any longer: to look at a task's files takes time, and the engine needs the roster.
            let mut roster = self.roster.lock();
            let Some(entry) = roster.get_mut(number) else { continue };
            let Some(draft) = entry.draft.take() else { return Err(CannotStart::Twice(entry.id.clone())) };
            let (id, decided) = (entry.id.clone(), entry.decided.take());
            drop(roster);
            let (task, decided) = self.prepare(id, *draft, decided);
            self.note_shared(number, &task.runnable.kwargs);
            let submission = self.submission(number, task, decided);
            match &submission.reused {
                Some(_) => self.reuse_unknown(),
                None if submission.decided.is_none() => self.await_use(number, &submission.task),
                None => {}
            }
            submissions.push(submission);
        }
        self.engine().submit(submissions, group);
        Ok(())
    }

    /// Makes a task of a draft, with the outcome it has already if it is not to be run.
    fn prepare(
        &self,
        id: String,
        draft: Draft,
        decided: Option<(Outcome, String)>,
    ) -> (Task, Option<(Outcome, String)>) {
        // Who named his task has said what it is.
        let variant = roster::is_default(&id).then(|| variant::variant(&draft, &self.masks)).flatten();
        let beside = self.settings.jobfile.parent().unwrap_or(Path::new("/"));
        let path = match draft.env.get("PATH") {
            Some(path) => path.as_ref().map(|path| AsRef::<OsStr>::as_ref(path).to_owned()),
            None => std::env::var_os("PATH"),
        };
        let runnable = match &draft.testscript {
            Some(testscript) => {
                let folders = [beside, &self.settings.started_in];
                resolve::resolve(testscript, draft.kind.as_deref(), &folders, path.as_deref())
            }
            None => Err("has no testscript; write testscript = \"FILE\"".to_owned()),
        };
        let (mut runnable, unresolved) = match runnable {
            Ok(runnable) => (runnable, None),
            Err(problem) => {
                let uri = match draft.testscript {
                    Some(Testscript::Path(path)) => Some(path),
                    Some(Testscript::Recipe(recipe)) => recipe.uri,
                    None => None,
                };
                let kind = draft.kind.unwrap_or_default();
                let runnable = crate::model::Runnable { kind, uri, ..crate::model::Runnable::default() };
                (runnable, Some((Outcome::Errored, problem)))
            }
        };
        runnable.args.extend(draft.args);
        if let Some(testbed) = &self.settings.testbed
            && !runnable.kwargs.contains_key("testbed")
        {
            runnable.kwargs.insert("testbed".to_owned(), testbed.clone());
        }
        runnable.kwargs.extend(draft.parameters.into_iter().map(|(name, value)| (name, value.into())));
        if !runnable.is(Kind::Lua) && draft.sections.is_set() {
            let text = "'uids' and 'groups' choose sections of a testscript; they have no effect on kind";
            self.warn(format!("{text} '{}'", runnable.kind), draft.place.clone());
        }
        let mut choice = draft.sections.choice(&self.settings.choice);
        let mut unresolved = unresolved;
        if let Some(given) = &draft.datafile {
            let problem = self.set_datafile(given, &runnable, &mut choice, draft.place.as_ref());
            unresolved = unresolved.or(problem.map(|problem| (Outcome::Errored, problem)));
        }
        if runnable.is(Kind::Lua) {
            runnable.kwargs.extend(self.settings.parameters.clone());
        }
        let (runner, unresolved) = match unresolved {
            Some(unresolved) => (None, Some(unresolved)),
            None => match self.runners.find(&runnable, &|| self.interrupted()) {
                Ok(runner) => {
                    // A runner finds the testbed by its variable; Avocado's own take no parameters but texts.
                    if runner.is_some() && runnable.kwargs.get("testbed") == self.settings.testbed.as_ref() {
                        runnable.kwargs.shift_remove("testbed");
                    }
                    (runner, None)
                }
                Err(problem) => (None, Some((Outcome::Errored, problem))),
            },
        };
        let absolute = |path: PathBuf| beside.join(path);
        let task = Task {
            id,
            runnable,
            runner,
            cwd: draft.cwd.map(absolute),
            env: draft.env,
            stdin: draft.stdin.map(absolute),
            max_runtime: draft.max_runtime,
            retries: draft.retries.unwrap_or(self.settings.retries),
            needs: draft.needs.iter().map(|need| self.masks.mask_text(need).replace('/', "_")).collect(),
            resources: draft.resources,
            // Nobody puts himself into quarantine.
            tags: draft.tags.into_iter().filter(|tag| !tag.starts_with(QUARANTINE)).collect(),
            prepares: false,
            every_code_fails: false,
            choice,
            walk: draft.walk,
            inputs: None,
            variant,
            place: draft.place,
        };
        let left_out = || {
            // Workers are there for the walks, which are not chosen by the names of tasks.
            let chosen = Some(&task).filter(|task| task.walk.is_none())?;
            self.settings.selection.leaves_out(chosen).map(|reason| (Outcome::Skipped, reason))
        };
        // What is wrong with a task is told with the line that it stands in.
        let placed = |(outcome, reason): (Outcome, String)| match &task.place {
            Some(place) => (outcome, format!("{place}: {reason}")),
            None => (outcome, reason),
        };
        let decided = decided.map(placed).or_else(left_out).or_else(|| unresolved.map(placed));
        (task, decided)
    }

    /// Waits until these tasks have ended. With a limit and [`OnLimit::End`] they are ended when it is reached. Returns
    /// false only for [`OnLimit::Leave`], when some have not ended. What is asked of the jobfile meanwhile is answered by
    /// `serve`.
    pub(crate) fn wait(
        &self,
        numbers: Vec<TaskNumber>,
        limit: Option<(Duration, OnLimit)>,
        serve: &mut dyn FnMut(HostCall),
    ) -> Result<bool, WaitError> {
        let follows = self.follow(&numbers, limit.is_some());
        let answer = self.engine().wait(numbers, limit);
        let answer = self.wait_serving(&answer, &mut |call| follows.interrupted_by(|| serve(call)));
        calls::waited(answer)
    }

    /// Ends tasks, without waiting for their end. One that was not started is left alone.
    pub(crate) fn terminate(&self, numbers: Vec<TaskNumber>) {
        self.engine().stop(numbers, StopReason::Terminated);
    }

    /// Returns what is known of a task.
    pub(crate) fn task(&self, number: TaskNumber) -> Option<TaskView> {
        self.roster.lock().get(number).map(|entry| TaskView {
            id: entry.id.clone(),
            is_started: entry.draft.is_none(),
            pid: entry.pid,
            end: entry.end.as_deref().cloned(),
        })
    }

    /// Returns the numbers of the tasks that were started and have not ended.
    pub(crate) fn active(&self) -> Vec<TaskNumber> {
        let roster = self.roster.lock();
        let active = roster.iter().filter(|(_, entry)| entry.draft.is_none() && entry.end.is_none());
        active.map(|(number, _)| number).collect()
    }

    /// Returns how many tasks were made.
    pub(crate) fn task_count(&self) -> usize {
        self.roster.lock().iter().count()
    }

    /// Returns the roll-up of the tasks that have ended.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let roster = self.roster.lock();
        Outcome::roll_up(roster.iter().filter_map(|(_, entry)| Some(entry.end.as_ref()?.outcome)))
    }

    /// Returns the name of the signal by which the run was asked to stop, once it was.
    pub(crate) fn interrupted(&self) -> bool {
        self.engine().interrupts() > 0
    }

    /// Gives the job another reporting name.
    pub(crate) fn rename(&self, name: &str) {
        name.clone_into(&mut self.runtime.write().job.name);
        self.record(vec![EventKind::JobRenamed { name: name.to_owned() }]);
    }

    /// Tells the user something.
    pub(crate) fn warn(&self, text: String, place: Option<Place>) {
        self.record(vec![EventKind::Warning { text, place }]);
    }

    /// Shows what the jobfile itself logs, and keeps it in the job's log.
    pub(crate) fn log(&self, level: Level, logger: &str, text: &[u8]) {
        self.console.announce(Announcement::Log { level, logger: logger.to_owned(), text: text.to_vec() });
    }

    /// Sets the level of a logger for the tasks that start from now on, or takes it away.
    pub(crate) fn set_level(&self, logger: &str, level: Option<Level>) {
        let levels = &mut self.runtime.write().log_levels;
        match level {
            Some(level) => levels.insert(logger.to_owned(), level),
            None => levels.remove(logger),
        };
    }

    /// Shows what the jobfile itself prints; returns when it was written.
    pub(crate) fn print(&self, stream: Stream, bytes: Vec<u8>) {
        let (done, written) = bounded(1);
        self.console.announce(Announcement::Print { stream, bytes, done });
        // A console that has ended acknowledges nothing more.
        let _ = written.recv();
    }

    /// Returns what tasks may read of the run.
    pub(crate) fn runtime(&self) -> RuntimeInfo {
        self.runtime.read().clone()
    }

    /// Returns the masks of the run.
    pub(crate) const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Returns the settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the run directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns for how long the run has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed() + Duration::try_from_secs_f64(self.history.seconds).unwrap_or_default()
    }

    fn record(&self, kinds: Vec<EventKind>) {
        // The engine meets the same failure with its next event, and ends the run for it.
        let _ = self.journal.record(kinds);
    }

    fn engine(&self) -> &Engine {
        self.engine.get().expect("a job that was started has an engine")
    }
}
