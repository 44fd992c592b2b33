//! Walks of a run: workers are tasks of it, a coordinator decides what each runs, and the events say what came of it.

mod carry;
mod earlier;
mod failures;
mod line;
mod loud;
mod options;
mod overdue;
mod page;
mod sections;
mod shrinking;
mod single;
mod study;
mod suites;
mod traces;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use self::carry::Carrier;
use self::earlier::EarlierWalks;
use self::line::WorkerLines;
pub(super) use self::loud::LoudLogs;
pub(crate) use self::options::{WalkOptions, WalkSettings};
use self::page::PageFile;
use self::shrinking::Shrinking;
use self::single::Single;
pub(crate) use self::study::Measured;
pub(super) use self::suites::Suites;
pub(crate) use self::traces::{FAILED as FAILED_TRACE, SHRUNK as SHRUNK_TRACE};
pub(crate) use self::words::{option_in_words, step_in_words, steps_in_words, steps_of};
use super::inputs::hex;
use super::secrets::kept_value;
use super::{Draft, HostCall, Job, Testscript, WaitError};
use crate::engine::Failure;
use crate::model::{
    EventKind, Kind, NoState, Place, RaisedError, WalkEnd, WalkEnded, WalkLine, WalkOrder, WalkSuite, WalksEnd,
    WalksFinished, WalksStarted,
};
use crate::walk::{Coordinator, Counts, Plan, Selection, Setup, Shard, ShardTable, Stopped};

/// Ways of failing of which the first walk is made short.
const SHRUNK: usize = 8;

/// How many walks are listed one by one in reports, also where they pass.
const LISTED: u64 = 1000;

/// What walks are run, and how.
pub(crate) struct WalkRun {
    /// The actions, the state and the machine; the rest is filled in.
    pub(crate) suite: WalkSuite,
    /// All walks.
    pub(crate) plan: Plan,
    /// Those that are run.
    pub(crate) selection: Selection,
    /// Of which only a shard is run.
    pub(crate) shard: Option<Shard>,
    /// Ids of walks that are not run, ascending.
    pub(crate) excluded: Vec<u64>,
    /// The seed, where something was drawn.
    pub(crate) seed: Option<i64>,
    /// How many workers are wanted; as many as there are CPUs if it is not said.
    pub(crate) workers: Option<u32>,
    /// How much is said: 0, 1 or 2.
    pub(crate) verbose: u8,
    /// The state of each walk is wanted at the end.
    pub(crate) gathers: bool,
    /// Failing walks are made short.
    pub(crate) shrinks: bool,
    /// What is to be told of their coverage.
    pub(crate) measured: Measured,
    /// Where `run_tests` was called.
    pub(crate) place: Option<Place>,
}

/// What came of the walks.
#[derive(Debug, Default)]
pub(crate) struct WalkOutcome {
    /// The counts, and what was found.
    pub(crate) end: WalksEnd,
    /// Walks that ended otherwise than by passing, by id.
    pub(crate) ended: BTreeMap<u64, WalkEnd>,
    /// States by id, if they were wanted.
    pub(crate) states: BTreeMap<u64, Result<Value, NoState>>,
    /// The master file of the traces, if there are traces.
    pub(crate) master: Option<PathBuf>,
    /// The folders of the workers' logs, by worker.
    pub(crate) logs: Vec<(u32, PathBuf)>,
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    /// The run was asked to stop, or cannot be recorded.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The workers cannot be reached.
    #[error("cannot make the socket of the walks: {0}")]
    Socket(#[from] io::Error),
    /// The traces cannot be written.
    #[error("the traces cannot go into {}: {}", .0.display(), .1)]
    Traces(PathBuf, io::Error),
    /// A worker could not load the suite.
    #[error("{}", .0.message)]
    Refused(RaisedError),
    /// Workers died before they had run anything.
    #[error("two workers in a row died before they had run a walk; the last {0}")]
    Deaths(String),
    /// The run that is gone on with ran other walks.
    #[error(
        "the walks are not those of the run that is resumed: actions, options, state or selection have changed; run them anew without resume"
    )]
    Changed,
}

impl Job {
    /// Runs walks to their end. What is asked of the jobfile meanwhile is answered by `serve`.
    pub(crate) fn run_walks(&self, run: WalkRun, serve: &mut dyn FnMut(HostCall)) -> Result<WalkOutcome, WalkError> {
        let number = self.suites.next_suite();
        let WalkRun { mut suite, plan, selection, shard, excluded, seed, workers, verbose, gathers, .. } = run;
        let WalkRun { shrinks, measured, place, .. } = run;
        suite.rows = plan.rows().map(<[_]>::to_vec).unwrap_or_default();
        self.tell_of_kept_options(&suite, place.as_ref());
        let plan_hash = plan_hash(&suite, &selection, shard);
        let mut earlier = EarlierWalks::of(self.suites.take_recorded(number), &plan_hash)?;
        let folder = self.run.directory().join(format!("walks-{number}"));
        std::fs::create_dir_all(&folder)?;
        for worker in carry::spools_in(&folder) {
            // A second worker of its number would write behind what was never recorded.
            earlier.done.note_worker(worker);
        }
        suite.shard = shard.map(|shard| (shard.index, shard.of));
        if let Some(folder) = &mut suite.traces {
            // The folder may hold those of other runs, and of other suites of this one.
            let uid: String = self.run.runtime().job.uid.chars().take(8).collect();
            *folder = folder.join(format!("walks-{uid}-{number}"));
            std::fs::create_dir_all(&folder).map_err(|error| WalkError::Traces(folder.clone(), error))?;
        }
        suite.reports_all = selection.len() <= LISTED;
        suite.logs_debug = verbose >= 2;
        let max_failures = suite.max_failures;
        let wanted = workers.map_or(self.settings.cpus, |workers| workers as usize);
        let at_once = self.settings.jobs.map_or(wanted, |jobs| wanted.min(jobs));
        let workers = u32::try_from(at_once).unwrap_or(u32::MAX).max(1);
        let started = WalksStarted {
            suite: number,
            plan: plan_hash,
            actions: match &suite.machine {
                Some(machine) => vec![machine.name.clone()],
                None => suite.order.iter().map(|slot| slot.action.clone()).collect(),
            },
            planned: plan.walks(),
            selected: selection.len(),
            excluded: excluded.len() as u64,
            workers: u32::try_from(selection.len()).unwrap_or(u32::MAX).min(workers),
            seed,
            shard: shard.map(|shard| format!("{}/{}", shard.index, shard.of)),
            place: place.clone(),
        };
        let mut kinds = vec![EventKind::WalksStarted(Box::new(started))];
        kinds.extend(earlier.events.iter().cloned());
        self.run.record(kinds).map_err(|error| WaitError::Unrecordable(Failure::from(error)))?;
        let table = shard.map(|shard| ShardTable::new(shard, &suite.order));
        let setup = Setup {
            plan,
            selection,
            shard: table,
            excluded,
            workers,
            state: suite.state.clone(),
            gathers,
            max_failures,
        };
        let (coordinator, effects) = Coordinator::new(setup, earlier.done);
        let mut carrier = Carrier::new(self, number, folder, Arc::new(suite), verbose, place, coordinator)?;
        carrier.note_earlier(&earlier.events);
        let mut run = carrier.run(effects, serve);
        let mut outcome = carrier.outcome();
        if run.is_ok() {
            let (setup, suite) = (carrier.coordinator.setup(), &carrier.suite);
            let through = carrier.coordinator.through();
            study::study(setup, suite, &outcome.ended, &through, &measured, &mut outcome.end);
            if shrinks {
                run = self.shrink_walks(number, &carrier, &mut outcome, serve);
            }
        }
        let finished = WalksFinished { suite: number, end: outcome.end.clone() };
        let recorded = self.run.record(vec![EventKind::WalksFinished(Box::new(finished))]);
        run?;
        recorded.map_err(|error| WaitError::Unrecordable(Failure::from(error)))?;
        match carrier.coordinator.stopped() {
            Some(Stopped::Refused(error)) => Err(WalkError::Refused(error.clone())),
            Some(Stopped::Deaths(how)) => Err(WalkError::Deaths(how.clone())),
            _ => Ok(outcome),
        }
    }
}

impl Job {
    /// Warns of options and of a state that hold secrets: traces keep them, so that a walk can be run again.
    fn tell_of_kept_options(&self, suite: &WalkSuite, place: Option<&Place>) {
        let secrets = self.history.secrets.lock();
        let options = suite.order.iter().filter_map(|slot| {
            let what = format!("an option of the action '{}'", self.run.masks().mask_text(&slot.action));
            slot.options.iter().find_map(|option| kept_value(&secrets, &what, option))
        });
        let state = kept_value(&secrets, "the state of the walks", &suite.state);
        let texts: Vec<String> = options.chain(state).collect();
        drop(secrets);
        for text in texts {
            self.run.warn(text, place.cloned());
        }
    }

    /// Makes the first walk of each way of failing short.
    fn shrink_walks(
        &self,
        suite: u32,
        carrier: &Carrier<'_>,
        outcome: &mut WalkOutcome,
        serve: &mut dyn FnMut(HostCall),
    ) -> Result<(), WalkError> {
        let given = WalkSuite { traces: None, spool: None, reports_all: false, ..(*carrier.suite).clone() };
        let file = self.settings.jobfile.clone();
        let name = format!("walks-{suite}/shrink");
        let mut single = Single::new(self, given, file, &name, carrier.place.clone())?;
        let mut result = Ok(());
        let mut shrinking = Shrinking { single: &mut single, suite: &carrier.suite, masks: self.run.masks() };
        let mut walks = Vec::new();
        for failing in carrier.failures.first(SHRUNK) {
            match shrinking.shrink(&failing, serve) {
                Ok((shrunk, steps)) => {
                    if shrunk.error.is_some() {
                        walks.push((shrunk.id, steps, shrunk.error.clone()));
                    }
                    outcome.end.shrunk.push(shrunk);
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        single.finish(serve).and(result)?;
        let path = carrier.folder.join(SHRUNK_TRACE);
        traces::write_shrunk(&path, &self.settings.jobfile, &carrier.suite, &walks)
            .map_err(|error| WaitError::Unrecordable(Failure::at(&path, &error)).into())
    }

    /// Runs a walk again, as it stands in a trace, in a worker that loads this file. What is asked of the jobfile meanwhile
    /// is answered by `serve`.
    pub(crate) fn replay_walk(
        &self,
        file: PathBuf,
        suite: WalkSuite,
        order: &WalkOrder,
        place: Option<Place>,
        serve: &mut dyn FnMut(HostCall),
    ) -> Result<WalkEnded, WalkError> {
        let number = self.suites.next_replay();
        let mut single = Single::new(self, suite, file, &format!("replay-{number}"), place)?;
        let ended = single.ask(order, serve);
        let finished = single.finish(serve);
        let ended = ended?;
        finished.map(|()| ended)
    }
}

/// Makes the task of a worker.
fn worker_draft(
    line: &WorkerLines,
    file: &Path,
    id: String,
    number: u32,
    page: &PageFile,
    place: Option<Place>,
) -> Draft {
    let walk = WalkLine { socket: line.socket().to_owned(), worker: number, page: page.path().to_owned() };
    Draft {
        testscript: Some(Testscript::Path(file.to_string_lossy().into_owned())),
        taskid: Some(id),
        kind: Some(Kind::Lua.name().to_owned()),
        retries: Some(0),
        place,
        walk: Some(Box::new(walk)),
        ..Draft::default()
    }
}

/// Returns the hash of what decides which walks there are and which of them run.
fn plan_hash(suite: &WalkSuite, selection: &Selection, shard: Option<Shard>) -> String {
    let mut hasher = Sha256::new();
    for part in [serde_json::to_vec(&suite.order), serde_json::to_vec(&suite.state), serde_json::to_vec(&suite.machine)]
    {
        // What was read as JSON is written as JSON.
        let part = part.unwrap_or_default();
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    for option in suite.rows.iter().flatten() {
        hasher.update(option.to_le_bytes());
    }
    if let Selection::List(ids) = selection {
        for id in ids {
            hasher.update(id.to_le_bytes());
        }
    }
    hasher.update(format!("{} {shard:?}", selection.len()));
    hex(&hasher.finalize())
}

/// Fills in the end by what the coordinator counted.
fn end_of(coordinator: &Coordinator, actions: u64, elapsed: Duration) -> WalksEnd {
    let Counts { walks, segments, passed, failed, crashed, cancelled, .. } = coordinator.counts();
    let setup = coordinator.setup();
    let stopped = coordinator.stopped().map(|stopped| match stopped {
        Stopped::Asked => "the run was asked to stop".to_owned(),
        Stopped::Refused(error) => format!("a worker could not load the suite: {}", error.message),
        Stopped::Deaths(how) => format!("two workers in a row died before they had run a walk; the last {how}"),
        Stopped::Serial(_, error) => format!("a serial action failed: {}", error.message),
        Stopped::Failures(1) => "a walk has failed".to_owned(),
        Stopped::Failures(most) => format!("{most} walks have failed"),
    });
    let ended = passed + failed + cancelled;
    // How many walks a shard has is known only by a look at every one.
    let selected = setup.shard.is_none().then(|| setup.selection.len() - setup.excluded.len() as u64);
    // Where the last walks were among those that failed, nothing was stopped.
    let is_whole = matches!(coordinator.stopped(), Some(Stopped::Failures(_))) && selected == Some(ended);
    let stopped = stopped.filter(|_| !is_whole);
    WalksEnd {
        walk_count: walks,
        segment_count: segments,
        action_count: actions,
        passed,
        failed,
        crashed,
        cancelled,
        not_run: stopped.as_ref().and(selected).map(|selected| selected.saturating_sub(ended)),
        stopped,
        seconds: elapsed.as_secs_f64(),
        ..WalksEnd::default()
    }
}

/// Time from when the first worker was ready.
#[derive(Debug, Default)]
struct Elapsed(Option<Instant>);

impl Elapsed {
    fn begin(&mut self) {
        self.0.get_or_insert_with(Instant::now);
    }

    fn get(&self) -> Duration {
        self.0.map_or(Duration::ZERO, |began| began.elapsed())
    }
}
