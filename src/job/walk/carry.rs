//! Carries out what the coordinator of walks decides: starts workers as tasks, talks with them, and records.

mod records;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{after, never, select, tick};

use self::records::way_of;
use super::failures::Failures;
use super::line::{Heard, WorkerLines};
use super::overdue::Overdue;
use super::page::PageFile;
use super::traces::{FAILED, MASTER, begin_traces, list_trace};
use super::words::{step_in_words, steps_of};
use super::{Elapsed, WalkError, WalkOutcome, end_of, worker_draft};
use crate::engine::{End, Failure, OnLimit, StopReason};
use crate::job::{HostCall, Job, WaitError};
use crate::model::{EventKind, Exit, NoState, Place, Stream, TaskNumber, WalkEnd, WalkOrder, WalkReport, WalkSuite};
use crate::walk::{Coordinator, Effect, Input};

/// How often it is looked whether the run is to stop, whether a walk takes too long, and whether a task has ended.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// How long a worker that has closed its socket, or was told that there is nothing more, may take to come to its end.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A worker as the host knows it.
struct Worker {
    task: TaskNumber,
    page: PageFile,
    /// It is past its time limit, and was ended for it.
    overdue: Option<String>,
    /// Whether it is, where there is a limit.
    watch: Option<Overdue>,
}

/// See the module.
pub(super) struct Carrier<'a> {
    job: &'a Job,
    suite_number: u32,
    pub(super) folder: PathBuf,
    pub(super) suite: Arc<WalkSuite>,
    verbose: u8,
    pub(super) place: Option<Place>,
    pub(super) coordinator: Coordinator,
    line: WorkerLines,
    workers: HashMap<u32, Worker>,
    /// The tasks of all workers there ever were.
    tasks: Vec<(u32, TaskNumber)>,
    elapsed: Elapsed,
    /// How long it took, once it is over.
    took: Option<Duration>,
    actions: u64,
    states: BTreeMap<u64, Result<serde_json::Value, NoState>>,
    /// How many sections the tasks of the workers have.
    sections: HashMap<TaskNumber, u32>,
    /// How many walks are listed.
    listed: u32,
    /// The ways in which walks failed.
    pub(super) failures: Failures,
}

impl<'a> Carrier<'a> {
    /// Makes one, whose workers can be reached.
    pub(super) fn new(
        job: &'a Job,
        suite_number: u32,
        folder: PathBuf,
        suite: Arc<WalkSuite>,
        verbose: u8,
        place: Option<Place>,
        coordinator: Coordinator,
    ) -> Result<Self, WalkError> {
        begin_traces(&folder, &job.settings.jobfile, &suite)
            .map_err(|error| unrecordable(&folder.join(FAILED), &error))?;
        let line = WorkerLines::start(job.run.directory(), &format!("walks-{suite_number}.sock"))?;
        Ok(Self {
            job,
            suite_number,
            folder,
            suite,
            verbose,
            place,
            coordinator,
            line,
            workers: HashMap::new(),
            tasks: Vec::new(),
            elapsed: Elapsed::default(),
            took: None,
            actions: 0,
            states: BTreeMap::new(),
            sections: HashMap::new(),
            listed: 0,
            failures: Failures::default(),
        })
    }

    /// Takes in walks that failed before the run was resumed. The steps of those over a machine are not known any more.
    pub(super) fn note_earlier(&mut self, events: &[EventKind]) {
        if self.suite.machine.is_some() {
            return;
        }
        for event in events {
            let EventKind::WalksRan(ran) = event else { continue };
            for walk in ran.ended.iter().filter(|walk| walk.end == WalkEnd::Failed) {
                let plan = &self.coordinator.setup().plan;
                self.failures.add(way_of(walk), walk.id, || steps_of(plan, walk.id));
            }
        }
    }

    /// Runs the walks to their end, and waits for the workers'.
    pub(super) fn run(&mut self, first: Vec<Effect>, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        let ticks = tick(TICK);
        self.carry_out(first)?;
        while !self.coordinator.is_over() {
            let heard = self.line.heard().clone();
            select! {
                recv(heard) -> heard => if let Ok(heard) = heard { self.take(heard, serve)? },
                recv(self.job.calls.queue()) -> call => if let Ok(call) = call { serve(call) },
                recv(ticks) -> _ => self.look(serve)?,
            }
        }
        self.took = Some(self.elapsed.get());
        self.dismiss(serve)
    }

    /// Returns what came of it.
    pub(super) fn outcome(&mut self) -> WalkOutcome {
        let took = self.took.unwrap_or_else(|| self.elapsed.get());
        let master = self.suite.traces.as_deref().map(|folder| folder.join(MASTER));
        let log = |(worker, task): &(u32, TaskNumber)| {
            let view = self.job.roster.view(*task)?;
            Some((*worker, self.job.run.directory().join(crate::store::task_folder(*task, &view.id))))
        };
        WalkOutcome {
            end: end_of(&self.coordinator, self.actions, took),
            ended: self.coordinator.ended().clone(),
            states: std::mem::take(&mut self.states),
            master,
            logs: self.tasks.iter().filter_map(log).collect(),
        }
    }

    /// Tells the workers that there is nothing more, and waits for their end.
    fn dismiss(&mut self, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        for worker in self.workers.keys().copied().collect::<Vec<_>>() {
            self.line.send(worker, &WalkOrder::Finish {});
        }
        let tasks: Vec<TaskNumber> = self.tasks.iter().map(|(_, task)| *task).collect();
        let answer = self.job.engine().wait(tasks.clone(), None);
        let mut patience = after(PATIENCE);
        let waited = loop {
            let heard = self.line.heard().clone();
            select! {
                recv(answer) -> answer => break crate::job::calls::waited(answer.ok()),
                // One that comes only now is sent away.
                recv(heard) -> heard => if let Ok(Heard::Came(worker, stream)) = heard {
                    self.line.note(worker, stream);
                    self.line.send(worker, &WalkOrder::Finish {});
                },
                recv(self.job.calls.queue()) -> call => if let Ok(call) = call { serve(call) },
                recv(patience) -> _ => {
                    self.job.terminate(tasks.clone());
                    patience = never();
                }
            }
        };
        waited.map(|_| ()).map_err(WalkError::from)
    }

    fn take(&mut self, heard: Heard, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        let effects = match heard {
            Heard::Came(worker, stream) => {
                self.line.note(worker, stream);
                self.coordinator.handle(Input::Connected { worker })
            }
            Heard::Said(worker, report) => {
                match &*report {
                    WalkReport::Ready {} => self.elapsed.begin(),
                    WalkReport::Done { actions, .. } => self.actions += actions,
                    _ => {}
                }
                self.coordinator.handle(Input::Report { worker, report: *report })
            }
            Heard::Left(worker) => return self.bury(worker, None, serve),
            Heard::Broke(worker, what) => {
                let text = format!("said what makes no sense ({what}) and was ended");
                return self.bury(worker, Some(text), serve);
            }
        };
        self.carry_out(effects)
    }

    /// Looks whether the run is to stop, whether walks take too long, and whether there are workers that never came.
    fn look(&mut self, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        if self.job.interrupted() {
            let effects = self.coordinator.handle(Input::Stop);
            return self.carry_out(effects);
        }
        let is_gone = |worker: &Worker| self.job.roster.view(worker.task).is_some_and(|view| view.end.is_some());
        let gone: Vec<u32> =
            self.workers.iter().filter(|(_, worker)| is_gone(worker)).map(|(number, _)| *number).collect();
        for worker in gone {
            // What it said before it died is heard first.
            let mut rest = Vec::new();
            while let Ok(heard) = self.line.heard().recv_timeout(TICK) {
                let is_last = matches!(heard, Heard::Left(other) | Heard::Broke(other, _) if other == worker);
                rest.push(heard);
                if is_last {
                    break;
                }
            }
            for heard in rest {
                self.take(heard, serve)?;
            }
            self.bury(worker, None, serve)?;
        }
        self.look_at_times();
        Ok(())
    }

    /// Ends workers whose walk, or whose serial action, is past its time limit and did not heed it.
    fn look_at_times(&mut self) {
        let Some(limit) = self.suite.max_walk_runtime else { return };
        for (number, worker) in &mut self.workers {
            if worker.overdue.is_some() || !self.coordinator.is_walking(*number) {
                continue;
            }
            let page = worker.page.read();
            let Some(watch) = &mut worker.watch else { continue };
            if watch.look(page) {
                worker.overdue =
                    Some(format!("took longer than {limit} s over it, did not heed its time limit, and was killed"));
                self.job.engine().stop(vec![worker.task], StopReason::TimeLimit(watch.limit()));
            }
        }
    }

    /// Takes in that a worker is gone, once its process is.
    fn bury(&mut self, number: u32, why: Option<String>, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        self.line.forget(number);
        let Some(worker) = self.workers.remove(&number) else { return Ok(()) };
        if why.is_some() {
            self.job.terminate(vec![worker.task]);
        }
        let mut waited = self.job.wait(vec![worker.task], Some((PATIENCE, OnLimit::Leave)), serve);
        if matches!(waited, Ok(false)) {
            self.job.terminate(vec![worker.task]);
            waited = self.job.wait(vec![worker.task], None, serve);
        }
        let end = self.job.roster.view(worker.task).and_then(|view| view.end);
        let how = why.or(worker.overdue).unwrap_or_else(|| how_it_ended(end));
        let page = worker.page.read();
        if waited.is_err() {
            let effects = self.coordinator.handle(Input::Stop);
            return self.carry_out(effects);
        }
        let effects = self.coordinator.handle(Input::Died { worker: number, how, page });
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), WalkError> {
        for effect in effects {
            match effect {
                Effect::Start { worker } => self.start(worker)?,
                Effect::Load { worker } => {
                    let suite = WalkSuite { spool: self.spool(worker), ..(*self.suite).clone() };
                    self.line.send(worker, &WalkOrder::Suite(Box::new(suite)));
                }
                Effect::Send { worker, order } => self.line.send(worker, &order),
                Effect::Adopt { worker, spool, states } => {
                    if let Some(spool) = self.spool(spool) {
                        self.line.send(worker, &WalkOrder::Adopt { spool, states });
                    }
                }
                Effect::Stage { stage, serial, walks } => self.say(1, || {
                    let serial = serial.map(|step| format!(" after {}", step_in_words(&self.suite, step)));
                    format!("Stage {} of {walks} walks{}", stage + 1, serial.unwrap_or_default())
                }),
                Effect::Ran(ran) => self.record_ran(ran)?,
                Effect::SerialEnded(ended) => self.record_serial(ended)?,
                Effect::States(states) => self.states.extend(states),
                Effect::End => {}
            }
        }
        Ok(())
    }

    fn spool(&self, worker: u32) -> Option<PathBuf> {
        let setup = self.coordinator.setup();
        let is_needed = setup.gathers || setup.plan.stages().len() > 1;
        is_needed.then(|| spool_of(&self.folder, worker))
    }

    fn start(&mut self, number: u32) -> Result<(), WalkError> {
        let page = PageFile::make(self.line.folder(), number)?;
        let id = format!("walks-{}/worker-{number}", self.suite_number);
        let draft = worker_draft(&self.line, &self.job.settings.jobfile, id, number, &page, self.place.clone());
        let task = self.job.define(Box::new(draft));
        self.job.suites.loud.show(task, self.verbose);
        // It was made this very moment, and so is started once.
        let _ = self.job.start(&[task], None);
        self.tasks.push((number, task));
        if let Some(folder) = &self.suite.traces {
            list_trace(folder, number).map_err(|error| WalkError::Traces(folder.clone(), error))?;
        }
        let watch = Overdue::new(self.suite.max_walk_runtime, self.job.settings.grace);
        self.workers.insert(number, Worker { task, page, overdue: None, watch });
        Ok(())
    }

    /// Says something to a user who wants to hear so much.
    fn say(&self, from: u8, text: impl FnOnce() -> String) {
        if self.verbose >= from {
            self.job.run.print(Stream::Stderr, format!("{}\n", text()).into_bytes());
        }
    }
}

/// Returns the file into which a worker writes states.
fn spool_of(folder: &Path, worker: u32) -> PathBuf {
    folder.join(format!("states-{worker}.jsonl"))
}

/// Returns the numbers of the workers that have written states into this folder, also of those that nothing was recorded of.
pub(super) fn spools_in(folder: &Path) -> Vec<u32> {
    let number = |name: &str| name.strip_prefix("states-")?.strip_suffix(".jsonl")?.parse().ok();
    let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    files.filter_map(|file| number(file.file_name().to_str()?)).collect()
}

fn unrecordable(path: &Path, error: &std::io::Error) -> WalkError {
    WalkError::Wait(WaitError::Unrecordable(Failure::at(path, error)))
}

/// Says how the process of a worker ended, as in "its worker …".
pub(super) fn how_it_ended(end: Option<End>) -> String {
    let Some(end) = end else { return "vanished".to_owned() };
    match (end.exit, end.reason) {
        (Some(exit @ Exit::Signal(_)), _) => format!("was {exit}"),
        (Some(exit @ Exit::Code(_)), Some(reason)) if exit.is_success() => format!("left: {reason}"),
        (Some(exit @ Exit::Code(_)), _) => format!("left with {exit}"),
        (None, Some(reason)) => format!("could not run: {reason}"),
        (None, None) => "vanished".to_owned(),
    }
}
