//! Runs that tests of the store make.

use std::path::Path;

use serde_json::json;

use super::{Opref, RunDir, Site};
use crate::model::{EVENT_FORMAT, EventKind, Outcome, RunStarted};

pub(super) const ID: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn started() -> EventKind {
    let attrs = json!({"opref": "script:/home/me '' '' job.lua", "label": "lab 2", "tags": ["t1"], "started_in": "/"});
    EventKind::RunStarted(Box::new(RunStarted {
        format: EVENT_FORMAT,
        rille: "0.1.0".into(),
        run_id: ID.into(),
        door: "job".into(),
        name: "job".into(),
        file: "/home/me/job.lua".into(),
        file_hash: String::new(),
        argv: vec!["rille".into(), "run".into(), "job.lua".into()],
        pid: 7,
        host: "lab".into(),
        user: "me".into(),
        first_started: None,
        rerun_of: None,
        secrets: Vec::new(),
        attrs: attrs.as_object().cloned().unwrap(),
    }))
}

pub(super) fn finished(exit_code: i32) -> EventKind {
    EventKind::RunFinished { outcome: Some(Outcome::Failed), exit_code, seconds: 1.5, reason: None }
}

pub(super) fn opref() -> Opref {
    Opref::for_script(Path::new("/home/me/job.lua"))
}

/// Begins a run of this process, which nobody sees yet.
pub(super) fn begun(path: &Path) -> RunDir {
    RunDir::begin(Site::At(path), "0123abcd", std::process::id(), &opref()).unwrap().0
}

/// Makes a run of this process.
pub(super) fn new_run(path: &Path) -> RunDir {
    let mut run = begun(path);
    run.appear().unwrap();
    run
}
