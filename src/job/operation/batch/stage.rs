//! A batch that is made ready, to be started later: as a whole, or each of its trials for itself.

use std::sync::Arc;

use chrono::Utc;

use super::trial::Trials;
use super::{Batch, listed, proto};
use crate::engine::Journal;
use crate::job::operation::state::{RunEnd, State};
use crate::job::operation::{Audience, RunError, prepare};
use crate::job::{Settings, start};
use crate::model::{Outcome, TaskNumber};
use crate::operation::Notice;
use crate::store::{self, EventLog, RunDir, Site};

/// Makes the run of a batch with its prototype and the list of its trials, and leaves it staged. Returns its id.
pub(crate) fn stage(settings: &Settings, mut batch: Batch, audience: &mut dyn Audience) -> Result<String, RunError> {
    let (run, _log) = begin(settings, &mut batch, audience)?;
    let id = run.id().to_owned();
    run.stage(store::now_micros())?;
    Ok(id)
}

/// Makes each trial of a batch ready that is to be run, and tells of each. The run of the batch has completed with that.
pub(crate) fn stage_trials(
    settings: &Settings,
    mut batch: Batch,
    audience: &mut dyn Audience,
    notify: &mut (dyn FnMut(Notice) + Send),
) -> Result<(), RunError> {
    let (run, log) = begin(settings, &mut batch, audience)?;
    let (id, pid) = (run.id().to_owned(), std::process::id());
    let runtime = start::runtime_info(settings, &run, Utc::now());
    let journal = Journal::new(log, Box::new(drop));
    journal.record(vec![start::run_started(settings, &runtime, pid, None)])?;
    let state = State::new(run, journal);
    prepare::with_mut(&state, |run| {
        run.appear()?;
        run.start(store::now_micros())
    })?;
    let directory = runtime.directory;
    let source = proto::source(&directory)?;
    let needed: Vec<TaskNumber> =
        (1..).zip(&batch.trials).filter(|(_, trial)| !trial.is_found).map(|(number, _)| number).collect();
    let trials = Arc::new(Trials::new(batch, &directory, &id, pid, source));
    let staged = needed.into_iter().try_for_each(|number| trials.make(number, notify, &|| None).map(drop));
    let end = match &staged {
        Ok(()) => RunEnd { exit_status: 0, code: 0, outcome: Some(Outcome::Passed), reason: None },
        Err(error) => RunEnd::of_error(error),
    };
    state.end(&end)?;
    staged
}

fn begin(settings: &Settings, batch: &mut Batch, audience: &mut dyn Audience) -> Result<(RunDir, EventLog), RunError> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (pid, masks) = (std::process::id(), settings.masks());
    let runs = settings.home.runs_dir();
    let site = settings.run_dir.as_deref().map_or(Site::Among(&runs), Site::At);
    let (run, log) = RunDir::begin(site, &id, pid, &start::opref(settings))?;
    start::write_attributes(&run, settings, &masks)?;
    if let Some(source) = batch.source.take() {
        proto::make(batch, &source, run.place(), pid, audience, &|| None)?;
    }
    listed::write(&run, &batch.trials)?;
    Ok((run, log.masked_by(masks)))
}
