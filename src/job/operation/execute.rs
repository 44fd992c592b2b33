//! The run itself: the engine is started, the directory is prepared, and the operation's process is waited for.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value, json};

use super::output::{Recorder, Recording};
use super::state::{RunEnd, State};
use super::{Audience, Done, Plan, RunError, RunPlace, keep, prepare, secrets, sourcecode, stale, waiting};
use crate::engine::{
    self, Abandoned, End, Engine, Guarded, Journal, Limits, OwnRun, StopReason, Submission, Surroundings, Timing,
    Waited,
};
use crate::model::{EVENT_FORMAT, EventKind, JobInfo, Masks, RunStarted, Runnable, RuntimeInfo, Task, TaskNumber};
use crate::operation::{self, Notice};
use crate::store::{self, EventLog, Opref, RunDir, Site};

/// How long the console of a run that was asked to stop is waited for.
pub(super) const LAST_OUTPUT: Duration = Duration::from_secs(2);

/// The one task of the run.
const TASK: TaskNumber = 1;

/// How long a copy or a download may go on after an interrupt.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs the plan; see [`super::run`].
pub(super) fn run(mut plan: Plan, guarded: Guarded, mut audience: Box<dyn Audience>) -> Result<Done, RunError> {
    let pid = guarded.guardian_pid();
    // It answers while the run directory is made.
    let git = sourcecode::ask_git(&plan);
    let used = std::mem::take(&mut plan.used);
    let names = secrets::note(&mut plan);
    let masks = plan.masks();
    let Some((run, log)) = open_wanted(&plan, pid, &masks)? else { return Ok(Done::NotStaged) };
    store::keep_secret_variables(&run, names.clone())?;
    engine::mark_host(run.id());
    let directory = run.path().to_owned();
    let journal = Journal::new(log, Box::new(drop));
    let runtime = runtime_info(&plan, &run);
    journal.record(vec![run_started(&plan, &runtime, pid, names)])?;
    let state = Arc::new(State::new(run, journal.clone()));
    let ended: Arc<Mutex<Option<End>>> = Arc::default();
    let Recorder { sink, recording } =
        Recorder::new(&directory, plan.recipe.scalars.clone(), !plan.recipe.wants.quiet, &masks);
    let audience = &mut secrets::Masked { audience: &mut *audience, masks };
    let own_run = OwnRun::new(&runtime.job.uid, &directory, sink);
    let parts = Parts { guarded, journal, state: &state, ended: &ended };
    let engine = start_engine(&plan, &directory, runtime, parts)?;
    engine.provide(TASK, Some(own_run), None);

    // What comes after it will be noticed as a change.
    let seen = waiting::seen_of(&plan);
    let prepared = prepare::prepare(&mut plan, git, &state, audience, &|| engine.interrupted());
    let unfinished = match prepared {
        Ok(prepared) if engine.interrupted().is_none() => {
            match superfluous(&plan, &state, audience, |what| stale::explain(used, what, pid, &|| engine.interrupted()))
            {
                Some(done) => {
                    close(&engine)?;
                    return discard(&state, done);
                }
                None if plan.recipe.wants.staging => {
                    close(&engine)?;
                    return stage(&plan, &state, &prepared);
                }
                None => {
                    return operate(
                        &plan,
                        Operating { engine: &engine, state: &state, ended: &ended, recording },
                        prepared,
                        audience,
                    );
                }
            }
        }
        Ok(_) => RunError::Interrupted(engine.interrupted().unwrap_or(libc::SIGINT)),
        Err(error) => error,
    };
    close(&engine)?;
    let unfinished = match plan.recipe.wants.claim {
        true => match waiting::leave_staged(&plan, &state, unfinished, seen) {
            Err(unfinished) => unfinished,
            waits => return waits,
        },
        false => unfinished,
    };
    state.end(&RunEnd::of_error(&unfinished))?;
    Err(unfinished)
}

/// Returns what came of a run that was prepared only to be looked at, or that another makes superfluous; `None` for one that
/// goes on. `of_used` says more of the runs that it would use, given its operation and whether that would run again.
fn superfluous(
    plan: &Plan,
    state: &State,
    audience: &mut dyn Audience,
    of_used: impl FnOnce((&str, bool)) -> String,
) -> Option<Done> {
    // One that is started again is there already.
    if let RunPlace::Again { .. } = plan.place {
        return None;
    }
    let place = state.with_run(|run| run.place().to_owned())?;
    let comparison = keep::compare(plan, &place)?;
    if plan.recipe.wants.explain {
        let more = of_used((&plan.recipe.opref.operation(), comparison.is_needed()));
        return Some(Done::Explained(comparison.explain() + &more));
    }
    if !comparison.same.is_empty() {
        return Some(Done::NotNeeded(comparison.same));
    }
    if let Some(why) = comparison.why_needed() {
        audience.notice(Notice::Info(why));
    }
    None
}

/// Begins the run directory, or takes it up again.
pub(super) fn open(plan: &Plan, pid: u32, masks: &Masks) -> Result<(RunDir, EventLog), RunError> {
    open_by(plan, pid, masks, RunDir::begin)
}

/// The same, unless the run is to be taken up only as a staged one, and is none any more.
fn open_wanted(plan: &Plan, pid: u32, masks: &Masks) -> Result<Option<(RunDir, EventLog)>, RunError> {
    match &plan.place {
        RunPlace::Again { path } if plan.recipe.wants.claim => {
            let Some(run) = RunDir::claim(path, pid)? else { return Ok(None) };
            // One whose start was broken off has one.
            let log_path = run.event_log();
            let log = if log_path.exists() { EventLog::open(&log_path) } else { EventLog::create(&log_path) }?;
            Ok(Some((run, log.masked_by(masks.clone()))))
        }
        _ => open(plan, pid, masks).map(Some),
    }
}

/// The same for a trial, of which there are many.
pub(super) fn open_trial(plan: &Plan, pid: u32, masks: &Masks) -> Result<(RunDir, EventLog), RunError> {
    open_by(plan, pid, masks, RunDir::begin_small)
}

/// Makes a run directory.
type Begin = fn(Site<'_>, &str, u32, &Opref) -> store::Result<(RunDir, EventLog)>;

fn open_by(plan: &Plan, pid: u32, masks: &Masks, begin: Begin) -> Result<(RunDir, EventLog), RunError> {
    match &plan.place {
        RunPlace::New { path, id, is_outside } => {
            let runs = plan.recipe.home.runs_dir();
            let site = if *is_outside { Site::At(path) } else { Site::Among(&runs) };
            let (run, log) = begin(site, id, pid, &plan.recipe.opref)?;
            Ok((run, log.masked_by(masks.clone())))
        }
        RunPlace::Again { path } => {
            let run = RunDir::reopen(path, pid)?;
            let log_path = run.event_log();
            // A staged run, and one of Guild, has none yet.
            let log = if log_path.exists() { EventLog::open(&log_path) } else { EventLog::create(&log_path) }?;
            run.begin_again()?;
            Ok((run, log.masked_by(masks.clone())))
        }
    }
}

struct Parts<'a> {
    guarded: Guarded,
    journal: Journal,
    state: &'a Arc<State>,
    ended: &'a Arc<Mutex<Option<End>>>,
}

fn start_engine(plan: &Plan, directory: &Path, runtime: RuntimeInfo, parts: Parts<'_>) -> Result<Engine, RunError> {
    let (abandoned, ended) = (Arc::clone(parts.state), Arc::clone(parts.ended));
    let engine = Engine::start(engine::Settings {
        guarded: parts.guarded,
        journal: parts.journal,
        limits: Limits { at_once: None, capacity: BTreeMap::new(), max_failures: None, deadline: None },
        timing: Timing { grace: plan.recipe.grace, ..Timing::default() },
        patience: PATIENCE,
        status_listen: None,
        surroundings: Surroundings {
            run_id: runtime.job.uid.clone(),
            directory: directory.to_owned(),
            started_in: plan.recipe.started_in.clone(),
            testbed_file: None,
            output_limit: plan.recipe.output_limit,
            visible_gpus: None,
            synchro: Arc::new(OnceLock::new()),
            // The sink masks what it keeps.
            masks: Masks::default(),
        },
        runtime: Arc::new(RwLock::new(runtime)),
        tap: None,
        reads_much: true,
        on_started: Box::new(|_, _| ()),
        on_settled: Box::new(move |_, end| *ended.lock() = Some(end)),
        on_call: Box::new(|_, _| ()),
        before_pause: Box::new(|| ()),
        // A download that does not heed the signal.
        // With a closed terminal there is nobody to tell.
        on_stall: Box::new(|text| drop(writeln!(io::stderr(), "WARNING: {text}"))),
        on_abandoned: Box::new(move |why| {
            // An operation has no deadline of its own.
            let Abandoned::Interrupted(signal) = why else { return };
            let _ = abandoned.end(&RunEnd::interrupted(signal));
            std::process::exit(128 + signal);
        }),
    })?;
    Ok(engine)
}

/// What an operation is watched with.
struct Operating<'a> {
    engine: &'a Engine,
    state: &'a State,
    ended: &'a Mutex<Option<End>>,
    recording: Recording,
}

/// Runs the operation's process and records how it ended.
fn operate(
    plan: &Plan,
    Operating { engine, state, ended, recording }: Operating<'_>,
    prepared: prepare::Prepared,
    audience: &mut dyn Audience,
) -> Result<Done, RunError> {
    prepare::mark_started(plan, state, &prepared)?;
    engine.submit(vec![submission(plan, state, prepared)], None);
    audience.started();
    let waited = engine.wait(vec![TASK], None).recv();
    let mut recorded = Ok(());
    if matches!(waited, Ok(Ok(Waited::Answer(_)))) {
        // The engine stays until then, to hear who wants to stop: a console may stand still.
        recorded = recording.finish(None);
    }
    let closed = close(engine);
    let recorded = recorded.and(recording.finish(Some(LAST_OUTPUT)));
    let end = ended.lock().take();
    let run_end = match &end {
        Some(end) => RunEnd::of(end),
        None => RunEnd::unstarted("the operation could not be watched to its end".to_owned()),
    };
    let path = state.with_run(|run| run.path().to_owned());
    state.end(&run_end)?;
    closed?;
    recorded?;
    if run_end.exit_status == 0
        && plan.record.delete_on_success
        && !plan.recipe.wants.keep
        && let Some(path) = path
    {
        store::remove(&plan.recipe.home, &path, false)?;
    }
    let remark = end.as_ref().and_then(|end| remark(plan, end));
    Ok(Done::Ran { code: run_end.code, remark: remark.map(|text| plan.masks().mask_text(&text).into_owned()) })
}

/// Returns what the exit code alone does not tell.
fn remark(plan: &Plan, end: &End) -> Option<String> {
    match (end.stopped, end.exit) {
        (Some(StopReason::TimeLimit(limit)), _) => {
            Some(format!("the operation was ended after {} minutes (--stop-after)", limit.as_secs_f64() / 60.0))
        }
        (None, None) => Some(format!(
            "the operation '{}' could not be started: {}",
            plan.recipe.opref.operation(),
            end.reason.as_deref().unwrap_or("no reason is known")
        )),
        (None, Some(exit @ crate::model::Exit::Signal(_))) => Some(format!("the operation was {exit}")),
        _ => None,
    }
}

fn submission(plan: &Plan, state: &State, prepared: prepare::Prepared) -> Submission {
    let directory = state.with_run(|run| run.path().to_owned()).unwrap_or_default();
    let task = Box::new(task(plan, &directory, prepared));
    Submission { number: TASK, folder: String::new(), task, decided: None, reused: None }
}

/// Returns what is run in a run directory.
pub(super) fn task(plan: &Plan, directory: &Path, prepared: prepare::Prepared) -> Task {
    let mut words = prepared.command.into_iter();
    let program = words.next().unwrap_or_default();
    // A program of the run directory is named relative to it.
    let program = if program.contains('/') { directory.join(program).to_string_lossy().into_owned() } else { program };
    Task {
        id: plan.recipe.opref.operation(),
        runnable: Runnable {
            kind: engine::OPERATION_KIND.to_owned(),
            uri: Some(program),
            args: words.map(Into::into).collect(),
            ..Runnable::default()
        },
        cwd: Some(directory.to_owned()),
        env: prepared.env.into_iter().map(|(name, value)| (name, value.map(Into::into))).collect(),
        stdin: plan.recipe.stdin.clone(),
        max_runtime: plan.recipe.stop_after,
        ..Task::default()
    }
}

pub(super) fn stage(plan: &Plan, state: &State, prepared: &prepare::Prepared) -> Result<Done, RunError> {
    let Some(run) = state.take() else { return Err(RunError::Interrupted(libc::SIGINT)) };
    run.write_file(".guild/ENV", prepare::staged_environment(plan, prepared).as_bytes())?;
    let (id, path) = (run.id().to_owned(), run.path().to_owned());
    run.stage(store::now_micros())?;
    let is_outside = matches!(plan.place, RunPlace::New { is_outside: true, .. });
    Ok(Done::Staged { id, outside: is_outside.then(|| (path, operation::join(&prepared.command))) })
}

/// Removes a run that is not to be. One that was started again keeps its directory, and its end.
fn discard(state: &State, done: Done) -> Result<Done, RunError> {
    if let Some(run) = state.take() {
        run.discard()?;
    }
    Ok(done)
}

fn close(engine: &Engine) -> Result<(), RunError> {
    let closed = engine.close().recv();
    engine.leave();
    match closed {
        Ok(Err(failure)) => Err(RunError::Unrecordable(failure.to_string())),
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

pub(super) fn runtime_info(plan: &Plan, run: &RunDir) -> RuntimeInfo {
    RuntimeInfo {
        job: JobInfo {
            name: plan.recipe.opref.operation(),
            uid: run.id().to_owned(),
            file: PathBuf::from(&plan.recipe.opref.name),
            file_hash: String::new(),
            starttime: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        },
        directory: run.path().to_owned(),
        ..RuntimeInfo::default()
    }
}

pub(super) fn run_started(plan: &Plan, runtime: &RuntimeInfo, pid: u32, secrets: Vec<String>) -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        format: EVENT_FORMAT,
        rille: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: runtime.job.uid.clone(),
        door: "operation".to_owned(),
        name: runtime.job.name.clone(),
        file: plan.recipe.opref.name.clone(),
        file_hash: String::new(),
        argv: plan.recipe.typed.clone(),
        pid: i32::try_from(pid).unwrap_or_default(),
        host: store::host(),
        user: store::user(),
        first_started: None,
        rerun_of: None,
        secrets,
        attrs: logged_attributes(plan),
    }))
}

/// Returns the attributes that the log keeps as well.
fn logged_attributes(plan: &Plan) -> Map<String, Value> {
    let attrs = json!({
        "opref": plan.recipe.opref.to_string(), "label": plan.label, "tags": plan.recipe.tags, "flags": plan.values,
        "user_flags": plan.user_flags, "random_seed": plan.random_seed,
    });
    match attrs {
        Value::Object(attrs) => attrs.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
