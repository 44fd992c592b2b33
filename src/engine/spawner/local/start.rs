//! From what is to be started to the image of a process: its program, arguments, environment and working folder.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use super::environment::Environment;
use super::image::Image;
use super::reports::RunnerLine;
use super::reports::argv::{self, Report};
use crate::engine::mark::{self, MARK};
use crate::engine::scheduler::Slots;
use crate::engine::spawner::{NotStarted, Start, What};
use crate::engine::surroundings::{Surroundings, variable};
use crate::engine::synchro::Synchro;
use crate::engine::wants;
use crate::model::os_text;

/// The argument by which a task process knows its role.
pub(crate) const TASK_ROLE: &str = "--as-task-process";

/// By this path the program starts again even if its file was replaced or deleted meanwhile.
const OURSELVES: &str = "/proc/self/exe";

/// Returns the image of an attempt. `line` is where its runner reports to, if it has one.
pub(super) fn image(
    start: &Start,
    around: &Surroundings,
    environment: &Environment,
    line: Option<&RunnerLine>,
) -> Result<Image, NotStarted> {
    let mut variables: Vec<(Cow<'_, OsStr>, Option<Cow<'_, OsStr>>)> = Vec::new();
    let mut set = |name: &'static str, value: Cow<'_, OsStr>| {
        variables.push((Cow::Borrowed(OsStr::new(name)), Some(Cow::Owned(value.into_owned()))));
    };
    let (program, name, arguments) = match &start.what {
        What::Speaker(order, name) => {
            let _ = order;
            (OURSELVES.into(), Some(OsString::from(name)), vec![OsString::from(TASK_ROLE)])
        }
        What::Program { program, args } => (program.into(), None, args.iter().map(OsString::from).collect()),
        What::Runner { runner, runnable } => {
            let folder = start.folder.to_str();
            let output_dir =
                folder.ok_or_else(|| NotStarted::Task(format!("{} is not valid UTF-8", start.folder.display())))?;
            let uri = line.map_or("", |line| &line.uri);
            let report = Report { task: &start.task_id, job: &around.run_id, output_dir, uri };
            let args =
                argv::task_run(runnable, runner, &report).map_err(|cannot| NotStarted::Task(cannot.to_string()))?;
            if let Some(token) = line.and_then(|line| line.token.as_ref()) {
                set(variable::STATUS_TOKEN, text(token));
            }
            (
                runner.program.clone().into_os_string(),
                runner.name.clone(),
                args.into_iter().map(OsString::from).collect(),
            )
        }
    };
    let task = start.id.task;
    set(MARK, text(&mark::of(&around.run_id, task)));
    set(variable::TASK_ID, text(&start.task_id));
    set(variable::TASK_DIR, Cow::Borrowed(start.folder.as_os_str()));
    let (run, directory) = start.run.as_ref().map_or((&around.run_id, &around.directory), |(id, path)| (id, path));
    set(variable::RUN_ID, text(run));
    set(variable::RUN_DIR, Cow::Borrowed(directory.as_os_str()));
    set(variable::ATTEMPT, text(&start.id.ordinal.to_string()));
    if let Some(testbed) = &around.testbed_file {
        set(variable::TESTBED, Cow::Borrowed(testbed.as_os_str()));
    }
    if let Some(synchro) = around.synchro.get() {
        set(variable::SYNCHRO, Cow::Borrowed(Synchro::socket(synchro).as_os_str()));
        set(variable::TASK_NUMBER, text(&task.to_string()));
    }
    let given = start.parameters.iter().map(|(name, value)| (OsStr::new(name), Some(value.as_ref())));
    let slots = slot_variables(&start.slots, around.visible_gpus.as_deref());
    let own = variables.iter().map(|(name, value)| (&**name, value.as_deref()));
    let slots = slots.iter().map(|(name, value)| (OsStr::new(name), Some(OsStr::new(value))));
    let last = start.env.iter().map(|(name, value)| (OsStr::new(name), value.as_ref().map(AsRef::as_ref)));
    let all = given.chain(own).chain(slots).chain(last);
    let (entries, path) = match start.is_bare {
        true => environment.bare().with(all),
        false => environment.with(all),
    };
    let cwd = start.cwd.as_deref().unwrap_or(match start.what {
        What::Runner { .. } => &around.started_in,
        What::Speaker(..) | What::Program { .. } => &start.folder,
    });
    let arguments = std::iter::once(name.unwrap_or_else(|| program.clone())).chain(arguments);
    Image::new(&program, path.as_deref(), arguments, entries, cwd)
        .map_err(|error| NotStarted::Task(format!("cannot start {}: {}", program.display(), os_text(&error))))
}

fn text(text: &str) -> Cow<'_, OsStr> {
    Cow::Borrowed(OsStr::new(text))
}

/// Opens what an attempt reads from its standard input; `None` where it reads nothing.
pub(super) fn stdin(start: &Start) -> Result<Option<OwnedFd>, NotStarted> {
    let Some(path) = &start.stdin else { return Ok(None) };
    match File::open(path) {
        Ok(file) => Ok(Some(file.into())),
        Err(error) if wants::is_want(&error) => Err(lacking("a descriptor for standard input", &error)),
        Err(error) => Err(NotStarted::Task(format!("cannot read stdin from {}: {}", path.display(), os_text(&error)))),
    }
}

/// Which pieces of a counted resource the task holds: `RILLE_SLOTS_<NAME>=0,2`, for `gpus` also as CUDA wants it.
fn slot_variables(slots: &Slots, visible: Option<&str>) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (name, numbers) in slots {
        let list = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let upper: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        if name == "gpus" {
            variables.push((
                "CUDA_VISIBLE_DEVICES".to_owned(),
                visible_devices(numbers, visible).unwrap_or_else(|| list.clone()),
            ));
        }
        variables.push((format!("RILLE_SLOTS_{upper}"), list));
    }
    variables
}

/// Maps slots to the devices that are visible.
fn visible_devices(slots: &[u64], visible: Option<&str>) -> Option<String> {
    let visible = visible?;
    let devices: Vec<&str> = visible.split(',').collect();
    let chosen: Option<Vec<&str>> =
        slots.iter().map(|slot| devices.get(usize::try_from(*slot).ok()?).copied()).collect();
    chosen.map(|chosen| chosen.join(","))
}

/// Says that something cannot be had: just now, or, where it is no want that may pass, for this task.
pub(super) fn lacking(what: &str, error: &io::Error) -> NotStarted {
    let text = format!("cannot get {what}: {}", wants::explain(error));
    match wants::is_want(error) {
        true => NotStarted::Exhausted(text),
        false => NotStarted::Task(text),
    }
}
