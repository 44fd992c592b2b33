//! A batch that is made ready, to be started later: as a whole, or each of its trials for itself.

use std::sync::Arc;

use super::trial::Trials;
use super::{Batch, listed, proto};
use crate::job::operation::{Audience, RunError};
use crate::job::{Settings, start};
use crate::operation::Notice;
use crate::store::{self, RunDir, Site};

/// Makes the run of a batch with its prototype and the list of its trials, and leaves it staged. Returns its id.
pub(crate) fn stage(settings: &Settings, mut batch: Batch, audience: &mut dyn Audience) -> Result<String, RunError> {
    let run = begin(settings, &mut batch, audience)?;
    let id = run.id().to_owned();
    run.stage(store::now_micros())?;
    Ok(id)
}

/// Makes each trial of a batch ready, and tells of each. The run of the batch has completed with that.
pub(crate) fn stage_trials(
    settings: &Settings,
    mut batch: Batch,
    audience: &mut dyn Audience,
    notify: &mut (dyn FnMut(Notice) + Send),
) -> Result<(), RunError> {
    let mut run = begin(settings, &mut batch, audience)?;
    run.appear()?;
    run.start(store::now_micros())?;
    let directory = run.path().to_owned();
    let source = proto::source(&directory)?;
    let needed: Vec<_> =
        (1..).zip(&batch.trials).filter(|(_, trial)| !trial.is_found).map(|(number, _)| number).collect();
    let trials = Arc::new(Trials::new(batch, &directory, run.id(), std::process::id(), source));
    let staged = needed.into_iter().try_for_each(|number| trials.make(number, notify, &|| None).map(drop));
    run.conclude(i32::from(staged.is_err()), store::now_micros())?;
    store::settle(&[&run])?;
    run.release()?;
    staged
}

fn begin(settings: &Settings, batch: &mut Batch, audience: &mut dyn Audience) -> Result<RunDir, RunError> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (pid, masks) = (std::process::id(), settings.masks());
    let runs = settings.home.runs_dir();
    let site = settings.run_dir.as_deref().map_or(Site::Among(&runs), Site::At);
    let (run, _log): (RunDir, _) = RunDir::begin(site, &id, pid, &start::opref(settings))?;
    start::write_attributes(&run, settings, &masks)?;
    if let Some(source) = batch.source.take() {
        proto::make(batch, &source, run.place(), pid, audience, &|| None)?;
    }
    listed::write(&run, &batch.trials)?;
    Ok(run)
}
