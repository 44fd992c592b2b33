//! From a task to what a spawner is told of an attempt at it.

use std::path::{Path, PathBuf};

use crate::engine::scheduler::Slots;
use crate::engine::spawner::{AttemptId, Start, What};
use crate::engine::surroundings::Surroundings;
use crate::engine::way::Way;
use crate::model::{Blob, Cleared, Kind, Order, RuntimeInfo, SynchroLine, Task, argument};

/// The kind of the one task of an operation's run: a program, as it is.
pub(crate) const OPERATION_KIND: &str = "operation";

/// What no process can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotGive {
    /// A name that is empty or has `=` or a NUL byte in it, of what is said before it.
    #[error("{what} '{}' has a name that no environment can hold", name.escape_debug())]
    Name {
        /// What has the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value with a NUL byte.
    #[error("{0} holds a NUL byte, which no process can be given")]
    NulByte(String),
}

/// Returns what is to be started.
pub(super) fn of_task(
    task: &Task,
    id: AttemptId,
    folder: &Path,
    slots: Slots,
    runtime: &RuntimeInfo,
    around: &Surroundings,
) -> Result<Start, CannotGive> {
    let runnable = &task.runnable;
    let mut parameters = Vec::new();
    let what = match Way::of(task) {
        Way::Runner(runner) => What::Runner { runner: Box::new(runner.clone()), runnable: Box::new(runnable.clone()) },
        Way::Channel => {
            let order = order(task, id, runtime, around);
            let stem = order.script.file_name().unwrap_or_default().to_string_lossy().into_owned();
            What::Speaker(Box::new(order), format!("rille task: {} - {stem}", task.id))
        }
        Way::Direct | Way::Tap | Way::Nothing => {
            for (index, arg) in runnable.args.iter().enumerate() {
                check_nul(&format!("args[{}]", index + 1), &arg.0)?;
            }
            parameters = variables(task)?;
            program(task)
        }
    };
    for (name, value) in &task.env {
        check_variable("environment variable", name, value.as_ref())?;
    }
    Ok(Start {
        id,
        task_id: task.id.clone(),
        what,
        parameters,
        env: task.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        is_bare: is_bare(task),
        folder: folder.to_owned(),
        run: None,
        cwd: task.cwd.clone(),
        stdin: task.stdin.clone(),
        slots,
        has_large_pipes: runnable.kind == OPERATION_KIND,
    })
}

/// Returns what a task process of this same program is told.
fn order(task: &Task, id: AttemptId, runtime: &RuntimeInfo, around: &Surroundings) -> Order {
    let runnable = &task.runnable;
    Order {
        task_id: task.id.clone(),
        script: PathBuf::from(runnable.uri.clone().unwrap_or_default()),
        args: runnable.args.clone(),
        parameters: runnable.kwargs.clone(),
        started_in: around.started_in.clone(),
        stdin: task.stdin.clone(),
        choice: task.choice.clone(),
        synchro: around.synchro.get().map(|synchro| SynchroLine {
            socket: synchro.socket().to_owned(),
            task: id.task,
            attempt: id.ordinal,
        }),
        walk: task.walk.as_deref().cloned(),
        runtime: runtime.clone(),
    }
}

/// Returns the program of a task between which and the engine nothing stands.
fn program(task: &Task) -> What {
    let runnable = &task.runnable;
    let uri = runnable.uri.clone().unwrap_or_default();
    let is_script = runnable.kind != OPERATION_KIND;
    if is_script && Path::new(&uri).extension().is_some_and(|extension| extension == "py") {
        let args = std::iter::once(uri.into()).chain(runnable.args.iter().cloned()).collect();
        return What::Program { program: "python3".to_owned(), args };
    }
    What::Program { program: uri, args: runnable.args.clone() }
}

/// Returns the environment variables that a program's parameters become.
fn variables(task: &Task) -> Result<Vec<(String, Blob)>, CannotGive> {
    let mut variables = Vec::new();
    for (name, value) in &task.runnable.kwargs {
        let Some(text) = argument(value) else { continue };
        check_variable("parameter", name, Some(&text))?;
        variables.push((name.clone(), text));
    }
    Ok(variables)
}

/// Returns whether a program is to find `PATH` in its environment, what its task says and what the engine adds, and nothing
/// of the host's.
fn is_bare(task: &Task) -> bool {
    task.runnable.is(Kind::ExecTest) && Cleared::of(&task.runnable).is_ok_and(|cleared| cleared.is_some())
}

fn check_variable(what: &'static str, name: &str, value: Option<&Blob>) -> Result<(), CannotGive> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(CannotGive::Name { what, name: name.to_owned() });
    }
    check_nul(&format!("{what} '{name}'"), value.map_or(&[], |value| value.0.as_slice()))
}

fn check_nul(what: &str, value: &[u8]) -> Result<(), CannotGive> {
    match value.contains(&0) {
        true => Err(CannotGive::NulByte(what.to_owned())),
        false => Ok(()),
    }
}
