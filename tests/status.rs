//! Runners that report to the status server: what they say is kept, and what goes wrong with one costs only its own test.

mod avocado;
mod crowds;
mod ours;
mod protocol;

use std::path::Path;

use crate::harness::Project;

/// A runner of the kind `foo` that does what the parameter `code`, in Python, says.
const RUNNER: &str = include_str!("status/runner.py");

/// Makes a project with the runner of the kind `foo` on the `PATH`, whose jobfile has this body.
fn project(body: &str) -> Project {
    let project = Project::new();
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = project.path("bin").display().to_string();
    project.env("PATH", format!("{bin}:{path}")).executable("bin/avocado-runner-foo", RUNNER).main(body)
}

/// Returns the line of a jobfile that runs this code in a runner of the kind `foo`.
fn foo(id: &str, code: &str) -> String {
    format!("job.run {{ taskid = '{id}', testscript = {{ kind = 'foo', kwargs = {{ code = [==[{code}]==] }} }} }}\n")
}

/// Returns what a file of the first attempt at the first task of a run holds.
#[track_caller]
fn file(run: &crate::harness::Run, name: &str) -> String {
    String::from_utf8_lossy(&run.bytes(Path::new("tasks/1-t").join(name))).into_owned()
}
