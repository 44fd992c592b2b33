//! The prototype of a batch: a run that is never started, in the run of the batch.

use std::path::Path;
use std::sync::Arc;

use super::Batch;
use crate::engine::Journal;
use crate::job::operation::state::State;
use crate::job::operation::{Audience, Plan, RunError, RunPlace, SourceCode, naming, prepare, secrets, sourcecode};
use crate::store::{EventLog, RunDir, Site};

/// Where it is in the run directory.
pub(crate) const PROTO: &str = ".guild/proto";

/// Makes the prototype of the batch in this directory, with the source code of all trials.
pub(super) fn make(
    batch: &Batch,
    source: &Arc<SourceCode>,
    directory: &Path,
    pid: u32,
    audience: &mut dyn Audience,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<(), RunError> {
    let path = directory.join(PROTO);
    let mut plan = Plan {
        recipe: Arc::clone(&batch.recipe),
        place: RunPlace::New { path: path.clone(), id: "proto".to_owned(), is_outside: true },
        source: Arc::clone(source),
        record: batch.record.clone(),
        values: batch.values.clone(),
        user_flags: batch.user_flags.clone(),
        label: None,
        resolved: batch.resolved.clone(),
        secrets: batch.secrets.clone(),
        random_seed: batch.random_seed,
        used: Vec::new(),
    };
    let masks = plan.masks();
    (plan.label, _) = naming::label(&plan.record, &plan.values, &plan.recipe.tags, None, &masks);
    secrets::note(&mut plan);
    let mut git = sourcecode::ask_git(&plan);
    let (run, log): (RunDir, EventLog) = RunDir::begin(Site::At(&path), "proto", pid, &plan.recipe.opref)?;
    let state = State::new(run, Journal::new(log.masked_by(masks), Box::new(drop)));
    prepare::record(&mut plan, &state)?;
    sourcecode::provide(&plan, git.as_mut(), &state, audience, interrupted)?;
    sourcecode::record_commit(git, &state, interrupted)?;
    prepare::record_command(&plan, &state)?;
    match state.take() {
        Some(run) => Ok(run.leave_pending()?),
        None => Err(RunError::Interrupted(libc::SIGINT)),
    }
}

/// Returns where the trials' source code comes from: the prototype.
pub(super) fn source(directory: &Path) -> Result<Arc<SourceCode>, RunError> {
    let snapshot = sourcecode::Snapshot::read(&directory.join(PROTO))?;
    Ok(Arc::new(SourceCode::Snapshot(Arc::new(snapshot))))
}
