//! The fold of a run's events: all that any report shows, in memory that grows by some 200 bytes a task.
//!
//! It repeats what the events say. It never makes up an end for a task that has none.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::row::Row;
use super::section_tree::SectionCounts;
use super::walks;
use crate::model::{Event, EventKind, Outcome, Place, PluginFailed, RaisedError, RunStarted, TaskNumber};

/// Warnings that are kept; the number of those beyond is.
const MAX_WARNINGS: usize = 1000;

/// Failures of plugins that are kept; the number of those beyond is.
const MAX_PLUGIN_FAILURES: usize = 1000;

/// The kind of the error that a run under interrupt raises in the jobfile.
const CANCELLED: &str = "cancelled";

/// How many tasks ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    by_outcome: [u32; 7],
    /// Tasks that were queued.
    pub(crate) total: u32,
}

impl Counts {
    /// Returns how many tasks ended with this outcome.
    pub(crate) const fn of(&self, outcome: Outcome) -> u32 {
        self.by_outcome[outcome as usize]
    }

    /// Returns how many tasks have ended.
    pub(crate) fn ended(&self) -> u32 {
        self.by_outcome.iter().sum()
    }

    /// Returns how many tasks have not ended.
    pub(crate) fn unfinished(&self) -> u32 {
        self.total.saturating_sub(self.ended())
    }

    /// Returns how many tasks passed or were left out on purpose.
    pub(crate) fn good(&self) -> u32 {
        Outcome::BY_STRENGTH.into_iter().filter(|outcome| outcome.is_good()).map(|outcome| self.of(outcome)).sum()
    }

    /// Returns how many tasks ended, but neither passed nor were left out on purpose.
    pub(crate) fn bad(&self) -> u32 {
        self.ended() - self.good()
    }
}

/// How a run that came to its end ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunEnd {
    /// When.
    pub(crate) time: DateTime<Utc>,
    /// The roll-up that the host recorded.
    pub(crate) outcome: Option<Outcome>,
    /// The exit code of the host.
    pub(crate) exit_code: i32,
    /// Seconds since the start of the run.
    pub(crate) seconds: f64,
    /// What, beside its tasks, made the run end as it did.
    pub(crate) reason: Option<String>,
}

/// All that reports show of a run.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// What was known when the run started.
    pub(crate) header: Option<Box<RunStarted>>,
    /// When the run started.
    pub(crate) started: Option<DateTime<Utc>>,
    /// When the run was resumed for the last time.
    pub(crate) resumed: Option<DateTime<Utc>>,
    /// The reporting name by now.
    pub(crate) name: String,
    /// How many tasks ended in which way, less those that only prepare others.
    pub(crate) counts: Counts,
    /// How many of those in quarantine ended in which way; they are in no other count.
    pub(crate) quarantined: Counts,
    /// How many of those that prepare others ended in which way.
    pub(crate) preparations: Counts,
    /// How many tasks passed, but not at the first attempt.
    pub(crate) flaky: u32,
    /// How many tasks were alive when `main` returned.
    pub(crate) dangling: u32,
    /// The error that `main` raised.
    pub(crate) main_error: Option<Box<RaisedError>>,
    /// The first signal that asked the host to stop, by number.
    pub(crate) interrupt: Option<i32>,
    /// How the run ended; `None` as long as it has not, and for ever if its host died.
    pub(crate) end: Option<RunEnd>,
    warnings: Vec<(String, Option<Place>)>,
    warnings_left_out: usize,
    plugin_failures: Vec<PluginFailed>,
    /// How often plugins failed, those included that were not kept.
    pub(crate) plugin_failure_count: usize,
    /// The suites of walks, in the order in which they were run.
    pub(crate) walks: Vec<walks::Suite>,
    rows: Vec<Row>,
    /// Where the rows are whose number is not their place in the list, which no sound log has.
    strays: HashMap<TaskNumber, usize>,
    last_time: Option<DateTime<Utc>>,
}

impl Summary {
    /// Takes one more event in. The time this takes does not depend on how many came before.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.last_time = Some(event.time);
        match &event.kind {
            EventKind::RunStarted(header) => self.begin(header, event.time),
            EventKind::JobRenamed { name } => self.name.clone_from(name),
            EventKind::TaskQueued(queued) => {
                if self.index(queued.task).is_none() {
                    let row = Row::new(queued, self.rows.last());
                    self.push(row);
                }
            }
            EventKind::TrialMeasured(measured) => {
                self.row_or_new(measured.task).measure(&measured.trial);
            }
            EventKind::TaskReused { task, started } => self.row_or_new(*task).reuse(*started),
            EventKind::TaskStarted { task, attempt, pid: _ } => self.row_or_new(*task).start(*attempt, event.time),
            EventKind::TaskFinished(finished) => {
                let row = self.row_or_new(finished.task);
                let before = Standing::of(row);
                row.finish(finished);
                let now = Standing::of(row);
                self.recount(before, now);
            }
            EventKind::Warning { text, place } => {
                if self.warnings.len() < MAX_WARNINGS {
                    self.warnings.push((text.clone(), place.clone()));
                } else {
                    self.warnings_left_out += 1;
                }
            }
            EventKind::MainFinished { error } => self.main_error = error.clone().map(Box::new),
            EventKind::Interrupted { signal, times: _ } => {
                self.interrupt.get_or_insert(*signal);
            }
            EventKind::TaskPlanned(planned) => {
                self.row_or_new(planned.task).sections_mut().plan(&planned.sections);
            }
            EventKind::SectionStarted(started) => {
                self.row_or_new(started.task).sections_mut().start(started, event.time);
            }
            EventKind::SectionFinished(finished) => {
                self.row_or_new(finished.task).sections_mut().finish(finished);
            }
            EventKind::PluginFailed(failed) => {
                self.plugin_failure_count += 1;
                if self.plugin_failures.len() < MAX_PLUGIN_FAILURES {
                    self.plugin_failures.push(PluginFailed::clone(failed));
                }
            }
            EventKind::WalksStarted(_)
            | EventKind::WalksRan(_)
            | EventKind::SerialRan(_)
            | EventKind::WalksFinished(_) => walks::apply(&mut self.walks, &event.kind),
            EventKind::MessagesDropped { .. } | EventKind::Paused {} | EventKind::Resumed {} => {}
            EventKind::RunFinished { outcome, exit_code, seconds, reason } => {
                self.end = Some(RunEnd {
                    time: event.time,
                    outcome: *outcome,
                    exit_code: *exit_code,
                    seconds: *seconds,
                    reason: reason.clone(),
                });
            }
        }
    }

    /// Takes the beginning of a run in. A second one is that of a resumed run: what came before it no longer counts.
    fn begin(&mut self, header: &RunStarted, time: DateTime<Utc>) {
        *self = Summary {
            name: header.name.clone(),
            started: header.first_started.or(Some(time)),
            resumed: header.first_started.map(|_| time),
            header: Some(Box::new(header.clone())),
            last_time: Some(time),
            ..Summary::default()
        };
    }

    /// Returns the tasks in the order in which they were queued.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns one task.
    pub(crate) fn row(&self, number: TaskNumber) -> Option<&Row> {
        self.index(number).map(|index| &self.rows[index])
    }

    /// Returns the warnings in the order in which they came; of very many, the first and a word on the rest.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = (String, Option<Place>)> {
        let rest = (self.warnings_left_out > 0)
            .then(|| (format!("{} more warnings are in the event log", self.warnings_left_out), None));
        self.warnings.iter().cloned().chain(rest)
    }

    /// Returns the failures of plugins in the order in which they came; of very many, the first.
    pub(crate) fn plugin_failures(&self) -> &[PluginFailed] {
        &self.plugin_failures
    }

    /// Returns the error that `main` raised, unless it only says that the run was interrupted.
    pub(crate) fn main_fault(&self) -> Option<&RaisedError> {
        self.main_error.as_deref().filter(|error| self.interrupt.is_none() || error.kind != CANCELLED)
    }

    /// Returns how many sections ended in which way; `None` if no task has any.
    pub(crate) fn section_counts(&self) -> Option<SectionCounts> {
        let counts = SectionCounts::of(&self.rows);
        (counts.sections.total > 0).then_some(counts)
    }

    /// Returns the roll-up of what is known by now: of the tasks' outcomes, of an error in `main` or in a plugin and of
    /// tasks that `main` left alive (errored), of a run that could not be recorded (errored too), of an interrupt (aborted) and of what the host recorded; `None` if there is nothing.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let counted = [self.counts, self.preparations];
        let has = |outcome: &Outcome| counted.iter().any(|counts| counts.of(*outcome) > 0);
        let tasks = Outcome::BY_STRENGTH.into_iter().find(has);
        let tasks = tasks.or((self.quarantined.total > 0).then_some(Outcome::Passed));
        let is_open = counted.iter().chain([&self.quarantined]).any(|counts| counts.unfinished() > 0);
        let cut_short = self.end.is_some() && is_open;
        let ill_ended = self.end.as_ref().is_some_and(|end| end.reason.is_some());
        let left_broken = self.main_error.is_some() || self.plugin_failure_count > 0 || self.dangling > 0;
        // Walks of a part of the run before it was resumed have no task any more that says how they ended.
        let walks = self.walks.iter().any(|suite| suite.failures > 0).then_some(Outcome::Failed);
        let stopped = self.walks.iter().any(|suite| suite.serial_failed.is_some());
        let broken = left_broken || cut_short || ill_ended || stopped;
        let broken = broken.then_some(Outcome::Errored);
        let interrupted = self.interrupt.map(|_| Outcome::Aborted);
        let recorded = self.end.as_ref().and_then(|end| end.outcome);
        Outcome::roll_up([tasks, walks, broken, interrupted, recorded].into_iter().flatten())
    }

    /// Returns whether the run came to its end and said so. A run that did not is still going, or lost its host.
    pub(crate) const fn is_complete(&self) -> bool {
        self.end.is_some()
    }

    /// Returns the seconds from the start of the run to its end, or to the last event if it has none.
    pub(crate) fn seconds(&self) -> f64 {
        match (&self.end, self.started, self.last_time) {
            (Some(end), _, _) => end.seconds,
            (None, Some(started), Some(last)) => (last - started).as_seconds_f64().max(0.0),
            _ => 0.0,
        }
    }

    /// Returns the name of the signal that asked the host to stop, such as `SIGINT`.
    pub(crate) fn interrupted_by(&self) -> Option<String> {
        self.interrupt.map(signal_name)
    }

    /// Returns why the run ended as it did, where its tasks alone do not say it.
    pub(crate) fn reason(&self) -> Option<String> {
        if let Some(reason) = self.end.as_ref().and_then(|end| end.reason.clone()) {
            return Some(reason);
        }
        if let Some(signal) = self.interrupted_by() {
            return Some(format!("stopped by {signal}"));
        }
        if let Some(error) = &self.main_error {
            return Some(format!("main raised an error: {}", error.message));
        }
        if let Some(failed) = self.plugin_failures.first() {
            return Some(match self.plugin_failure_count {
                1 => format!("{}: {}", plugin_stage(failed), failed.error.message),
                n => format!("plugins failed {n} times, first {}: {}", plugin_stage(failed), failed.error.message),
            });
        }
        match self.dangling {
            0 => None,
            1 => Some("1 task was alive when main returned".to_owned()),
            n => Some(format!("{n} tasks were alive when main returned")),
        }
    }

    fn index(&self, number: TaskNumber) -> Option<usize> {
        let usual = (number as usize).wrapping_sub(1);
        match self.rows.get(usual) {
            Some(row) if row.number == number => Some(usual),
            _ if self.strays.is_empty() => None,
            _ => self.strays.get(&number).copied(),
        }
    }

    fn push(&mut self, row: Row) {
        let index = self.rows.len();
        if row.number as usize != index + 1 {
            self.strays.insert(row.number, index);
        }
        self.counts_mut(Sort::of(&row)).total += 1;
        self.rows.push(row);
    }

    fn row_or_new(&mut self, number: TaskNumber) -> &mut Row {
        let index = self.index(number).unwrap_or_else(|| {
            self.push(Row::unknown(number));
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }

    const fn counts_mut(&mut self, sort: Sort) -> &mut Counts {
        match sort {
            Sort::Task => &mut self.counts,
            Sort::Preparation => &mut self.preparations,
            Sort::Quarantined => &mut self.quarantined,
        }
    }

    fn recount(&mut self, before: Standing, now: Standing) {
        let counts = self.counts_mut(now.sort);
        if let Some(outcome) = before.outcome {
            counts.by_outcome[outcome as usize] -= 1;
        }
        if let Some(outcome) = now.outcome {
            counts.by_outcome[outcome as usize] += 1;
        }
        self.flaky = self.flaky + u32::from(now.flaky) - u32::from(before.flaky);
        self.dangling = self.dangling + u32::from(now.dangling) - u32::from(before.dangling);
    }
}

/// What of a row counts.
#[derive(Clone, Copy)]
struct Standing {
    outcome: Option<Outcome>,
    flaky: bool,
    dangling: bool,
    sort: Sort,
}

/// Among which a row is counted.
#[derive(Clone, Copy)]
enum Sort {
    Task,
    Preparation,
    Quarantined,
}

impl Sort {
    fn of(row: &Row) -> Self {
        match (row.prepares(), row.quarantine()) {
            (true, _) => Self::Preparation,
            (false, Some(_)) => Self::Quarantined,
            (false, None) => Self::Task,
        }
    }
}

impl Standing {
    fn of(row: &Row) -> Self {
        Self { outcome: row.outcome, flaky: row.is_flaky(), dangling: row.dangling, sort: Sort::of(row) }
    }
}

/// Returns which plugin failed and when, as in `plugin 'timer' failed in pre_task`.
pub(super) fn plugin_stage(failed: &PluginFailed) -> String {
    format!("plugin '{}' failed in {}", failed.plugin, failed.stage)
}

/// Returns the name of a signal, or its number in words.
pub(super) fn signal_name(number: i32) -> String {
    signal_hook::low_level::signal_name(number).map_or_else(|| format!("signal {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{end, event, finished, fold, job, queued, run_finished, run_started, started};
    use super::*;
    use crate::model::{FilePlace, OutputSize, TaskFinished};

    #[test]
    fn a_job_is_folded() {
        let summary = fold(job());
        let counts = summary.counts;
        assert_eq!((counts.total, counts.unfinished(), counts.good(), counts.bad()), (5, 0, 2, 3));
        assert_eq!((summary.flaky, summary.dangling), (1, 0));
        assert_eq!(summary.outcome(), Some(Outcome::Errored));
        assert!(summary.is_complete());
        let row = summary.row(4).unwrap();
        assert_eq!(
            (row.id(), row.folder(), row.kind(), row.uri()),
            ("traffic", "tasks/4-traffic", "lua", "/jobs/traffic.lua")
        );
        assert_eq!(row.place(), Some(Place { file: "nightly.lua".into(), line: 7 }));
        assert_eq!(
            row.stdout(),
            OutputSize { bytes: 5_000_000, left_out: 1_000_000, head: 0, place: FilePlace::Named }
        );
        assert_eq!((row.killed_leftovers(), row.exit.unwrap().as_python()), (2, -9));
        let flaky = summary.row(2).unwrap();
        assert_eq!((flaky.attempts, flaky.max_attempts, flaky.is_flaky(), flaky.reason()), (2, 3, true, None));
        assert_eq!(summary.warnings().count(), 1);
    }

    #[test]
    fn what_is_not_a_task_counts_too() {
        let error = RaisedError { kind: "error".into(), message: "job.lua:3: no".into(), traceback: None };
        let passed = || vec![run_started(), queued(1, "a", 0), started(1, 1), end(finished(1, Outcome::Passed, None))];
        let with = |kinds: Vec<EventKind>| {
            let summary = fold(passed().into_iter().chain(kinds).collect());
            (summary.outcome(), summary.reason())
        };
        assert_eq!(fold(vec![run_started()]).outcome(), None);
        assert_eq!(with(vec![]), (Some(Outcome::Passed), None));
        assert_eq!(
            with(vec![EventKind::MainFinished { error: Some(error) }]),
            (Some(Outcome::Errored), Some("main raised an error: job.lua:3: no".into()))
        );
        assert_eq!(
            with(vec![EventKind::Interrupted { signal: 2, times: 1 }]),
            (Some(Outcome::Aborted), Some("stopped by SIGINT".into()))
        );
        let dangling = TaskFinished { dangling: true, ..finished(2, Outcome::Passed, None) };
        assert_eq!(
            with(vec![queued(2, "b", 0), started(2, 1), end(dangling)]),
            (Some(Outcome::Errored), Some("1 task was alive when main returned".into()))
        );
        // What the host recorded is never bettered, and a task without an end is no pass.
        assert_eq!(with(vec![run_finished(Some(Outcome::Failed), 1)]).0, Some(Outcome::Failed));
        assert_eq!(with(vec![queued(2, "b", 0), run_finished(Some(Outcome::Passed), 0)]).0, Some(Outcome::Errored));
    }

    #[test]
    fn a_resumed_run_is_one_run() {
        let again = |first_started| match run_started() {
            EventKind::RunStarted(header) => EventKind::RunStarted(Box::new(RunStarted { first_started, ..*header })),
            other => other,
        };
        let first = event(1, run_started()).time;
        let lost = [run_started(), EventKind::JobRenamed { name: "other".into() }, queued(1, "a", 0), started(1, 1)];
        let ended = [end(finished(1, Outcome::Failed, None)), EventKind::Interrupted { signal: 2, times: 1 }];
        let resumed = [
            again(Some(first)),
            queued(1, "a", 0),
            EventKind::TaskReused { task: 1, started: Some(first) },
            started(1, 1),
            end(finished(1, Outcome::Failed, None)),
            queued(2, "b", 0),
        ];
        let summary = fold(lost.into_iter().chain(ended).chain(resumed).collect());
        assert_eq!((summary.started, summary.resumed.is_some(), summary.name.as_str()), (Some(first), true, "nightly"));
        assert_eq!((summary.counts.total, summary.counts.unfinished(), summary.interrupt), (2, 1, None));
        let row = summary.row(1).unwrap();
        assert_eq!((row.reused, row.started, row.outcome), (true, Some(first), Some(Outcome::Failed)));
        assert!(!summary.row(2).unwrap().reused);
    }

    #[test]
    fn a_lost_run_has_tasks_without_an_end() {
        let mut kinds = job();
        kinds.truncate(12);
        let summary = fold(kinds);
        assert!(!summary.is_complete());
        assert_eq!((summary.counts.total, summary.counts.unfinished()), (3, 1));
        let row = summary.row(3).unwrap();
        assert_eq!((row.running, row.outcome, row.is_good()), (true, None, false));
        assert!((summary.seconds() - 1.1).abs() < 1e-9);
    }

    #[test]
    fn a_damaged_log_costs_nothing_and_betters_nothing() {
        let summary = fold(vec![
            queued(7, "seven", 0),
            queued(7, "again", 0),
            end(finished(4_000_000_000, Outcome::Failed, None)),
            end(finished(7, Outcome::Failed, None)),
            end(finished(7, Outcome::Passed, None)),
        ]);
        assert_eq!((summary.counts.total, summary.counts.of(Outcome::Failed), summary.counts.ended()), (2, 2, 2));
        assert_eq!(summary.row(7).unwrap().id(), "seven");
        assert_eq!(summary.row(4_000_000_000).unwrap().id(), "task 4000000000");
    }

    #[test]
    fn a_hundred_thousand_tasks_add_up_in_little_memory() {
        const TASKS: u32 = 100_000;
        let mut summary = Summary::default();
        let outcome = |task: u32| Outcome::BY_STRENGTH[task as usize % 7];
        for task in 1..=TASKS {
            summary.apply(&event(u64::from(task) * 3, queued(task, &format!("Task-{task}"), 0)));
            summary.apply(&event(u64::from(task) * 3, started(task, 1)));
            summary.apply(&event(u64::from(task) * 3, end(finished(task, outcome(task), None))));
        }
        assert_eq!((summary.counts.total, summary.counts.ended(), summary.rows().len()), (TASKS, TASKS, 100_000));
        for (index, expected) in Outcome::BY_STRENGTH.into_iter().enumerate() {
            let count = (1..=TASKS).filter(|task| *task as usize % 7 == index).count();
            assert_eq!(summary.counts.of(expected) as usize, count);
        }
        assert!(summary.strays.is_empty(), "rows are found by their number");
        assert!(size_of::<Row>() <= 200, "a row has {} bytes", size_of::<Row>());
    }
}
