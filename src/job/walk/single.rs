//! A worker that runs walks one at a time: for a replay, and for shrinking.

use std::io;
use std::path::PathBuf;

use crossbeam::channel::{select, tick};

use super::carry::{TICK, how_it_ended};
use super::line::{Heard, WorkerLines};
use super::overdue::Overdue;
use super::page::PageFile;
use super::{WalkError, worker_draft};
use crate::engine::{OnLimit, StopReason, Waited};
use crate::job::{HostCall, Job, WaitError};
use crate::model::{Place, RaisedError, TaskNumber, WalkEnd, WalkEnded, WalkOrder, WalkReport, WalkSuite};

/// See the module. A worker that died is replaced when the next walk is asked for.
pub(super) struct Single<'a> {
    job: &'a Job,
    suite: WalkSuite,
    /// The file that defines the actions.
    file: PathBuf,
    name: String,
    place: Option<Place>,
    line: WorkerLines,
    last: u32,
    worker: Option<(u32, TaskNumber, PageFile)>,
}

impl<'a> Single<'a> {
    /// Makes one whose workers have ids that begin with `name`.
    pub(super) fn new(
        job: &'a Job,
        suite: WalkSuite,
        file: PathBuf,
        name: &str,
        place: Option<Place>,
    ) -> io::Result<Self> {
        let line = WorkerLines::start(job.run.directory(), &format!("{}.sock", name.replace('/', "-")))?;
        Ok(Self { job, suite, file, name: name.to_owned(), place, line, last: 0, worker: None })
    }

    /// Has a walk run, and returns how it ended; also where its worker died of it.
    pub(super) fn ask(&mut self, order: &WalkOrder, serve: &mut dyn FnMut(HostCall)) -> Result<WalkEnded, WalkError> {
        if self.worker.is_none() {
            self.begin(serve)?;
        }
        let Some((number, task, _)) = &self.worker else { return Err(WalkError::Deaths("vanished".to_owned())) };
        let (number, task) = (*number, *task);
        self.line.send(number, order);
        match self.hear(number, task, serve)? {
            Some(WalkReport::Tried(ended)) => Ok(*ended),
            Some(other) => Err(WalkError::Deaths(format!("answered {other:?}"))),
            None => {
                let how = self.bury(task, serve)?;
                let message = format!("its worker {how}");
                let error = RaisedError { kind: "crashed".to_owned(), message, traceback: None };
                Ok(WalkEnded {
                    id: 0,
                    stage: 0,
                    end: WalkEnd::Failed,
                    slot: None,
                    error: Some(error),
                    state: None,
                    steps: Vec::new(),
                    seconds: 0.0,
                })
            }
        }
    }

    /// Ends the worker, so that the next walk runs in a new one.
    pub(super) fn renew(&mut self, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        self.finish(serve)
    }

    /// Ends the worker.
    pub(super) fn finish(&mut self, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        let Some((number, task, _)) = self.worker.take() else { return Ok(()) };
        self.line.send(number, &WalkOrder::Finish {});
        self.job.wait(vec![task], None, serve)?;
        Ok(())
    }

    fn begin(&mut self, serve: &mut dyn FnMut(HostCall)) -> Result<(), WalkError> {
        self.last += 1;
        let number = self.last;
        let page = PageFile::make(self.line.folder(), number)?;
        let id = if number == 1 { self.name.clone() } else { format!("{}-{number}", self.name) };
        let draft = worker_draft(&self.line, &self.file, id, number, &page, self.place.clone());
        let task = self.job.define(Box::new(draft));
        // It was made this very moment, and so is started once.
        let _ = self.job.start(&[task], None);
        self.worker = Some((number, task, page));
        match self.hear(number, task, serve)? {
            Some(WalkReport::Ready {}) => Ok(()),
            Some(WalkReport::Refused { error }) => {
                self.worker = None;
                self.job.wait(vec![task], None, serve)?;
                Err(WalkError::Refused(error))
            }
            Some(other) => Err(WalkError::Deaths(format!("said {other:?}"))),
            None => {
                let how = self.bury(task, serve)?;
                Err(WalkError::Deaths(how))
            }
        }
    }

    /// Waits for what the worker says next; `None` if it is gone.
    fn hear(
        &mut self,
        number: u32,
        task: TaskNumber,
        serve: &mut dyn FnMut(HostCall),
    ) -> Result<Option<WalkReport>, WalkError> {
        let ticks = tick(TICK);
        let mut overdue = Overdue::new(self.suite.max_walk_runtime, self.job.settings.grace);
        // It is told of a signal at once.
        let answer = self.job.engine().wait(vec![task], None);
        loop {
            let heard = self.line.heard().clone();
            select! {
                recv(heard) -> heard => match heard {
                    Ok(Heard::Came(worker, stream)) => {
                        self.line.note(worker, stream);
                        self.line.send(worker, &WalkOrder::Suite(Box::new(self.suite.clone())));
                    }
                    Ok(Heard::Said(worker, report)) if worker == number => return Ok(Some(*report)),
                    Ok(Heard::Left(worker) | Heard::Broke(worker, _)) if worker == number => return Ok(None),
                    _ => {}
                },
                recv(self.job.calls.queue()) -> call => if let Ok(call) = call { serve(call) },
                recv(ticks) -> _ => {
                    if let Ok(Ok(Waited::Interrupted(signal))) = answer.try_recv() {
                        return Err(WaitError::Interrupted(signal).into());
                    }
                    if let (Some((_, _, page)), Some(overdue)) = (&self.worker, &mut overdue)
                        && overdue.look(page.read())
                    {
                        self.job.engine().stop(vec![task], StopReason::TimeLimit(overdue.limit()));
                    }
                    let is_gone = self.job.roster.view(task).is_some_and(|view| view.end.is_some());
                    if is_gone && self.line.heard().is_empty() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn bury(&mut self, task: TaskNumber, serve: &mut dyn FnMut(HostCall)) -> Result<String, WalkError> {
        self.worker = None;
        if !self.job.wait(vec![task], Some((super::carry::PATIENCE, OnLimit::Leave)), serve)? {
            self.job.terminate(vec![task]);
            self.job.wait(vec![task], None, serve)?;
        }
        Ok(how_it_ended(self.job.roster.view(task).and_then(|view| view.end)))
    }
}
