//! `--needed` and `--explain`: whether there is a run that is the same in what matters, and in what the nearest one differs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Plan;
use super::identity::{Difference, Identity};
use crate::store::{self, RunInfo, Status};

/// How a run that was prepared stands to those that there are.
pub(super) struct Comparison {
    operation: String,
    /// The ids of the runs that are the same, newest first.
    pub(super) same: Vec<String>,
    /// The run that differs in the fewest things, and in what; `None` without any run of the operation that has ended.
    nearest: Option<(RunInfo, Vec<Difference>)>,
}

/// Compares the run that was prepared in `directory` with the others of its operation; `None` where nobody asks for it.
pub(super) fn compare(plan: &Plan, directory: &Path) -> Option<Comparison> {
    if !plan.recipe.wants.needed && !plan.recipe.wants.explain {
        return None;
    }
    let definitions = definitions(plan);
    let own = Identity::of(directory, &store::load(directory).ok()?, &definitions);
    let operation = plan.recipe.opref.operation();
    let is_candidate = |run: &RunInfo| {
        run.path != directory
            && run.operation.as_ref() == Some(&operation)
            && matches!(run.status, Status::Completed | Status::Terminated)
    };
    let mut comparison = Comparison { operation: operation.clone(), same: Vec::new(), nearest: None };
    for run in store::list(&plan.recipe.home).ok()?.into_iter().filter(is_candidate) {
        let Ok(details) = store::load(&run.path) else { continue };
        let differences = own.differences(&Identity::of(&run.path, &details, &definitions));
        if differences.is_empty() {
            comparison.same.push(run.id);
        } else if comparison.nearest.as_ref().is_none_or(|(_, fewest)| differences.len() < fewest.len()) {
            comparison.nearest = Some((run, differences));
        }
    }
    Some(comparison)
}

/// Returns in what the run that was prepared in `directory` differs from another one; `None` where one cannot be read.
pub(super) fn differences(plan: &Plan, directory: &Path, other: &Path) -> Option<Vec<Difference>> {
    let definitions = definitions(plan);
    let [own, other] = [directory, other].map(|path| Some(Identity::of(path, &store::load(path).ok()?, &definitions)));
    Some(own?.differences(&other?))
}

/// Returns the files of the project that define operations. A run that is started again knows only where it is defined.
pub(super) fn definitions(plan: &Plan) -> Vec<PathBuf> {
    let mut files = plan.recipe.definitions.clone();
    if plan.recipe.opref.kind == "guildfile" {
        files.extend(Path::new(&plan.recipe.opref.name).file_name().map(PathBuf::from));
    }
    files
}

impl Comparison {
    /// Returns why the run is needed although others are there; `None` where there is none.
    pub(super) fn why_needed(&self) -> Option<String> {
        let (run, differences) = self.nearest.as_ref()?;
        let id: String = run.id.chars().take(8).collect();
        let mut text = format!("Running {} because it differs from run {id} (--needed specified):", self.operation);
        add(&mut text, differences);
        Some(text)
    }

    /// Returns whether `--needed` would run it.
    pub(super) fn is_needed(&self) -> bool {
        self.same.is_empty()
    }

    /// Returns what `--needed` would do, and why.
    pub(super) fn explain(&self) -> String {
        let operation = &self.operation;
        let mut text = String::new();
        if !self.same.is_empty() {
            let ids: Vec<String> = self.same.iter().map(|id| id.chars().take(8).collect()).collect();
            return format!("{operation} is the same as run {}: --needed would skip it.\n", ids.join(", "));
        }
        match &self.nearest {
            None => {
                let _ = write!(text, "There is no run of {operation} that has ended");
            }
            Some((run, differences)) => {
                let id: String = run.id.chars().take(8).collect();
                // Writing to a string cannot fail.
                let _ = write!(text, "{operation} differs from run {id}, the nearest one:");
                add(&mut text, differences);
                text.push_str("\nIt would run again");
            }
        }
        text.push_str(": --needed would run it.\n");
        text
    }
}

fn add(text: &mut String, differences: &[Difference]) {
    for difference in differences {
        let _ = write!(text, "\n  {difference}");
    }
}
