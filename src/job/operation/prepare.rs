//! The run directory before the operation starts: attributes, source code, dependencies, command and environment.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::git::Asking;
use super::state::State;
use super::{Audience, Plan, RunError, RunPlace, dependencies, python, secrets, sourcecode};
use crate::operation::command::{self, Places, Process};
use crate::operation::{self, FlagValues, Notice, OpRecord};
use crate::store::{self, Home, Opref, RunDir};

/// A run that can be started.
pub(super) struct Prepared {
    /// The command line.
    pub(super) command: Vec<String>,
    /// Variables on top of the host's.
    pub(super) env: BTreeMap<String, Option<String>>,
}

/// Prepares the run directory. Between its steps it is asked whether the run is to stop.
pub(super) fn prepare(
    plan: &mut Plan,
    mut git: Option<Asking>,
    state: &State,
    audience: &mut dyn Audience,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Prepared, RunError> {
    let check = || interrupted().map_or(Ok(()), |signal| Err(RunError::Interrupted(signal)));
    record(plan, state)?;
    check()?;
    sourcecode::provide(plan, git.as_mut(), state, audience, interrupted)?;
    check()?;
    let resolved = dependencies::resolve(plan, state, audience, interrupted);
    let prepared = resolved.and_then(|()| check()).and_then(|()| command_of(plan, state, audience));
    // As late as can be: git worked on it meanwhile.
    check()?;
    sourcecode::record_commit(git, state, interrupted)?;
    let prepared = prepared?;
    secrets::note_environment(plan, &prepared.env);
    for text in secrets::kept(plan) {
        audience.notice(Notice::Warning(text));
    }
    with(state, |run| write_command(run, plan, &prepared))?;
    Ok(prepared)
}

/// Records what is known before anything is done.
pub(super) fn record(plan: &mut Plan, state: &State) -> Result<(), RunError> {
    let user_path = std::env::var("PYTHONPATH").ok();
    plan.record.record_python_path(&python::shared(&plan.recipe.home).to_string_lossy(), user_path.as_deref());
    with_mut(state, |run| {
        write_attributes(run, plan)?;
        // What takes its time is done where it can be seen.
        if is_short(plan) { run.appear_in_place() } else { run.appear() }
    })
}

/// Records the command of a run that is not to be started, and its label.
pub(super) fn record_command(plan: &Plan, state: &State) -> Result<(), RunError> {
    let command = command_words(&plan.record, &plan.values).map_err(RunError::Command)?;
    with(state, |run| write_command(run, plan, &Prepared { command, env: BTreeMap::new() }))
}

/// Calls `work` with the run, unless somebody has ended it.
pub(super) fn with<T>(state: &State, work: impl FnOnce(&RunDir) -> store::Result<T>) -> Result<T, RunError> {
    match state.with_run(work) {
        Some(result) => Ok(result?),
        None => Err(RunError::Interrupted(libc::SIGINT)),
    }
}

/// The same for what changes where the run is.
pub(super) fn with_mut<T>(state: &State, work: impl FnOnce(&mut RunDir) -> store::Result<T>) -> Result<T, RunError> {
    match state.with_run_mut(work) {
        Some(result) => Ok(result?),
        None => Err(RunError::Interrupted(libc::SIGINT)),
    }
}

/// Returns whether nothing has to be copied, or waited for, before the operation can start.
fn is_short(plan: &Plan) -> bool {
    plan.record.deps.is_empty() && !sourcecode::has_to_copy(plan)
}

/// Writes what is known before anything is done.
fn write_attributes(run: &RunDir, plan: &Plan) -> store::Result<()> {
    let (masks, encoder) = (plan.masks(), &plan.recipe.encoder);
    run.write_attr_by(encoder, "op", &secrets::written(&plan.record, &plan.secrets))?;
    run.write_attr("flags", &plan.values)?;
    run.write_attr("user_flags", &plan.user_flags)?;
    // One that was staged was asked for then, and may be put back.
    if !plan.recipe.wants.claim {
        run.write_attr_by(encoder, "run_params", &secrets::options(plan))?;
    }
    let is_new = matches!(plan.place, RunPlace::New { .. });
    if is_new {
        run.write_attr_by(encoder, "host", &store::host())?;
        run.write_attr_by(encoder, "user", &store::user())?;
        run.write_attr_by(encoder, "platform", &store::platform())?;
        run.write_attr_by(encoder, "random_seed", &plan.random_seed)?;
        for (name, value) in &plan.recipe.attributes {
            run.write_attr_by(encoder, name, value)?;
        }
    }
    if !plan.recipe.tags.is_empty() {
        run.write_attr("tags", &plan.recipe.tags.iter().map(|tag| masks.mask_text(tag)).collect::<Vec<_>>())?;
    }
    match &plan.recipe.comment {
        Some(body) => {
            let (body, host, user) = (masks.mask_text(body).into_owned(), store::host(), store::user());
            let comment = store::Comment { body, host, time: store::now_micros(), user, ..Default::default() };
            if is_new { run.write_attr("comments", &[comment]) } else { store::add_comment(run.path(), &comment) }
        }
        None => Ok(()),
    }
}

fn command_of(plan: &Plan, state: &State, audience: &mut dyn Audience) -> Result<Prepared, RunError> {
    let made = command(&plan.record, &plan.values).map_err(RunError::Command)?;
    for notice in made.notices {
        audience.notice(notice);
    }
    if made.args.iter().any(|word| word == operation::python::OP_MAIN) {
        for (name, text) in operation::python::FILES {
            let path = Path::new(operation::python::FOLDER).join(name);
            with(state, |run| run.write_file(&path, text.as_bytes()))?;
        }
        python::share(&plan.recipe.home);
    }
    let (id, directory) = with(state, |run| Ok((run.id().to_owned(), run.path().to_owned())))?;
    let inherited = Inherited::read();
    let process = Process {
        run_id: &id,
        run_dir: &directory,
        home: plan.recipe.home.path(),
        operation: &plan.recipe.opref.operation(),
        cwd: &plan.recipe.started_in,
        ..inherited.process(plan.recipe.gpus.as_deref())
    };
    let env = command::environment(&plan.record, &plan.values, &process).map_err(RunError::Command)?;
    Ok(Prepared { command: made.args, env })
}

fn command(record: &OpRecord, values: &FlagValues) -> Result<command::Command, String> {
    // To find one that the operation accepts, each Python of the system is started.
    let found = OnceCell::new();
    let python_exe = || found.get_or_init(|| python::interpreter(record)).clone();
    let without_guild = python::without_guild(record);
    let record = without_guild.as_ref().unwrap_or(record);
    let rille_exe = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rille"));
    let places = Places { python_exe: &python_exe, rille_exe: &rille_exe.to_string_lossy() };
    command::command(record, values, places)
}

/// Returns the command line that a run would have.
pub(super) fn command_words(record: &OpRecord, values: &FlagValues) -> Result<Vec<String>, String> {
    Ok(command(record, values)?.args)
}

/// Returns the variables that a run would add, by a run directory that stands for the one it would get.
pub(super) fn environment_text(
    record: &OpRecord,
    values: &FlagValues,
    opref: &Opref,
    home: &Home,
    gpus: Option<&str>,
) -> Result<String, String> {
    let cwd = std::env::current_dir().unwrap_or_default();
    let inherited = Inherited::read();
    let process = Process {
        run_id: "RUN_ID",
        run_dir: &home.runs_dir().join("RUN_ID"),
        home: home.path(),
        operation: &opref.operation(),
        cwd: &cwd,
        ..inherited.process(gpus)
    };
    Ok(command::env_text(&command::environment(record, values, &process)?))
}

/// What an operation takes over of the environment of its host in a changed form.
struct Inherited {
    python_path: Option<String>,
    log_level: Option<String>,
}

impl Inherited {
    fn read() -> Inherited {
        let text = |name: &str| std::env::var(name).ok();
        Inherited { python_path: text("PYTHONPATH"), log_level: text("LOG_LEVEL") }
    }

    /// Returns a process of which nothing else is known yet.
    fn process<'a>(&'a self, gpus: Option<&'a str>) -> Process<'a> {
        let nowhere = Path::new("");
        let (python_path, log_level) = (self.python_path.as_deref(), self.log_level.as_deref());
        Process {
            run_id: "",
            run_dir: nowhere,
            home: nowhere,
            operation: "",
            cwd: nowhere,
            python_path,
            log_level,
            gpus,
        }
    }
}

/// Writes what follows from flags and dependencies.
fn write_command(run: &RunDir, plan: &Plan, prepared: &Prepared) -> store::Result<()> {
    let masks = plan.masks();
    run.write_attr("cmd", &prepared.command.iter().map(|word| masks.mask_text(word)).collect::<Vec<_>>())?;
    match &plan.label {
        Some(label) => run.write_attr("label", &masks.mask_text(label)),
        None => Ok(()),
    }
}

/// Writes that the operation starts now, with the environment that it gets.
pub(super) fn mark_started(plan: &Plan, state: &State, prepared: &Prepared) -> Result<(), RunError> {
    let recorded = recorded_environment(plan, prepared);
    with_mut(state, |run| {
        run.write_map_by(&plan.recipe.encoder, "env", &recorded)?;
        run.start(store::now_micros())?;
        run.appear()
    })
}

/// Returns the whole environment of the operation without what is secret.
fn recorded_environment(plan: &Plan, prepared: &Prepared) -> BTreeMap<String, String> {
    let mut all = plan.recipe.environment.clone();
    for (name, value) in &prepared.env {
        match value {
            Some(value) => all.insert(name.clone(), value.clone()),
            None => all.remove(name),
        };
    }
    all.retain(|name, value| !plan.secrets.holds(name, value.as_bytes()));
    all
}

/// Returns `.guild/ENV`, by which a staged run can be started by hand.
pub(super) fn staged_environment(plan: &Plan, prepared: &Prepared) -> String {
    command::env_file(&recorded_environment(plan, prepared), plan.secrets.variables())
}
