//! `--needed`: whether there is a run that is the same, in what matters.
//!
//! Two runs are the same if their operation (its command, environment, dependencies, scalars), the values of their flags,
//! their source code and what their dependencies were resolved to are. Where a definition stands, and what else stands in
//! its file, does not matter, and neither do labels and tags.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::Plan;
use crate::model::{EntryKind, ManifestEntry};
use crate::store::{self, RunDetails, Status};

/// Keys of the attribute `op` that change nothing of what is run.
const IMMATERIAL: [&str; 3] = ["label-template", "delete-on-success", "output-attrs"];

/// Returns the ids of the runs that are the same as the one that was prepared in `directory`, newest first; `None` if
/// there is none, or if it does not matter.
pub(super) fn same_runs(plan: &Plan, directory: &Path) -> Option<Vec<String>> {
    if !plan.wants.needed {
        return None;
    }
    let own = Identity::of(directory, &store::load(directory).ok()?);
    let operation = plan.opref.operation();
    let is_candidate = |run: &store::RunInfo| {
        run.path != directory
            && run.operation.as_ref() == Some(&operation)
            && matches!(run.status, Status::Completed | Status::Terminated)
    };
    let runs = store::list(&plan.home).ok()?.into_iter().filter(is_candidate);
    let same = runs.filter(|run| store::load(&run.path).is_ok_and(|run| Identity::of(&run.info.path, &run) == own));
    Some(same.map(|run| run.id).collect::<Vec<_>>()).filter(|same| !same.is_empty())
}

/// What makes a run the same as another.
#[derive(Debug, PartialEq)]
struct Identity {
    operation: Value,
    flags: Map<String, Value>,
    source: Option<Value>,
    dependencies: BTreeSet<String>,
}

impl Identity {
    fn of(directory: &Path, run: &RunDetails) -> Identity {
        let mut operation = run.attrs.get("op").cloned().unwrap_or_default();
        if let Some(fields) = operation.as_object_mut() {
            fields.retain(|name, _| !IMMATERIAL.contains(&name.as_str()));
        }
        Identity {
            operation,
            flags: run.flags.clone(),
            source: run.attrs.get("sourcecode_digest").cloned(),
            dependencies: dependencies(directory, run),
        }
    }
}

/// Returns what the dependencies were resolved to: runs by their ids, files by their content.
fn dependencies(directory: &Path, run: &RunDetails) -> BTreeSet<String> {
    let deps = run.attrs.get("deps").and_then(Value::as_object).into_iter().flatten();
    let sources = deps.flat_map(|(resource, sources)| {
        let sources = sources.as_object().into_iter().flatten();
        sources.map(move |(name, source)| format!("{resource} {name} {}", source.get("config").unwrap_or(&Value::Null)))
    });
    // Where a file came from does not matter: it may be a generated one.
    let file = |entry: ManifestEntry| {
        let path = entry.path.into_os_string();
        (entry.kind == EntryKind::Dependency).then(|| format!("{path:?} {}", entry.sha1.unwrap_or_default()))
    };
    sources.chain(store::manifest(directory).into_iter().filter_map(file)).collect()
}
