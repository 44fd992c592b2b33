//! The list of the trials of a batch: what each is called, and which values it has. It is written before any of them is made,
//! so that a batch that was killed knows what is missing.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::operation::FlagValues;
use crate::store::{self, RunDir, Status};

/// The list, a line of JSON for each trial.
pub(super) const TRIALS: &str = ".guild/trials";

/// A trial in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// The id of its run.
    pub(crate) id: String,
    /// All its flags.
    pub(crate) flags: FlagValues,
    /// The names of those in which it differs from others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) own: Vec<String>,
    /// Its run was there before the batch, and is not run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_found: bool,
}

/// Writes the list into the run of a batch.
pub(super) fn write(run: &RunDir, trials: &[Listed]) -> store::Result<()> {
    run.write_file_with(TRIALS, |file| {
        let mut out = std::io::BufWriter::new(file);
        for trial in trials {
            serde_json::to_writer(&mut out, trial)?;
            std::io::Write::write_all(&mut out, b"\n")?;
        }
        std::io::Write::flush(&mut out)
    })
}

/// Reads the list of the batch in this directory; `None` if it has none, as one of Guild's.
pub(crate) fn read(batch: &Path) -> store::Result<Option<Vec<Listed>>> {
    let path = batch.join(TRIALS);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(store::Error::io("read", &path)(error)),
    };
    let trial = |line: &str| serde_json::from_str(line);
    let trials: Result<Vec<Listed>, _> = text.lines().map(trial).collect();
    let mut trials = trials.map_err(|error| store::Error::corrupt(&path, error.to_string()))?;
    for trial in trials.iter_mut().filter(|trial| trial.is_found) {
        let run = batch.parent().map(|runs| runs.join(&trial.id));
        let is_there = run.is_some_and(|run| {
            run.join(".guild").is_dir()
                && matches!(store::summarise(&run).status, Status::Completed | Status::Terminated)
        });
        if !is_there {
            // It is another's run, and gets its own.
            trial.is_found = false;
            trial.id = uuid::Uuid::new_v4().simple().to_string();
        }
    }
    Ok(Some(trials))
}
