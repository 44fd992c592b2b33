//! The beginning of a run: its directory, its first records, its console and its engine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::before::Before;
use super::calls::Calls;
use super::ending::Ending;
use super::history::{History, keep_rerun};
use super::inputs::hex;
use super::ledger::Ledger;
use super::run::{Run, flush, warn_aloud};
use super::synchro::Shared;
use super::walk::{LoudLogs, Suites};
use super::{Door, Job, Settings, secrets, testing};
use crate::engine::{self, Engine, Guarded, Journal, Limits, Origin, OutputTap, Runners, Surroundings, Timing};
use crate::model::{EVENT_FORMAT, EventKind, JobInfo, META, Masks, RunStarted, RuntimeInfo, Stream, Value};
use crate::report::{self, Announcement, JobLog, Live, LiveHandle, Verbosity};
use crate::store::{self, EventLog, Opref, RunDir, Site};

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Its directory could not be made or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The system did not give what an engine needs.
    #[error("cannot start the engine: {}", engine::explain(.0))]
    System(#[from] std::io::Error),
    /// The run was to be started only if it is staged, and is not any more.
    #[error("run {0} is not staged any more")]
    NotStaged(String),
}

/// The log of the job in a run directory.
const LOG_FILE: &str = "job.log";

/// The file of the testbed in a run directory, for tasks that are executables.
const TESTBED_FILE: &str = "testbed.json";

impl Job {
    /// Makes the run directory, writes what is known of the run, and starts its engine and its console.
    pub(crate) fn begin(mut settings: Settings, guarded: Guarded) -> Result<Arc<Job>, StartError> {
        let pid = guarded.guardian_pid();
        let id = match &settings.resume {
            Some(path) => store::run_id(path),
            None => settings.id.clone().unwrap_or_else(|| Uuid::new_v4().simple().to_string()),
        };
        engine::mark_host(&id);
        let masks = settings.masks();
        let Opened { run, log, now, mut before, testbed_file } = open(&mut settings, &id, pid, &masks)?;
        let first_started = before.as_ref().and_then(|before| before.started);
        let runtime = runtime_info(&settings, &run, first_started.unwrap_or(now));
        let warnings = warnings(&settings, before.as_ref(), &runtime);

        let live = live(&run, &settings, pid, &runtime, &masks)?;
        let audience = live.handle();
        if first_started.is_some() {
            run.restart(now.timestamp_micros())?;
        }
        let journal = Journal::new(log, Box::new(move |event| audience.event(Arc::new(event))));
        journal.record([run_started(&settings, &runtime, pid, first_started)].into_iter().chain(warnings).collect())?;
        if settings.resume.is_some() && first_started.is_none() {
            run.start(now.timestamp_micros())?;
        }
        let seconds = before.as_ref().map_or(0.0, |before| before.seconds);
        let suites = Suites::new(before.as_mut().map(|before| std::mem::take(&mut before.walks)).unwrap_or_default());
        let history = History::new(&mut settings, before);
        let shared = Shared::default();
        let surroundings = Surroundings {
            run_id: id,
            directory: run.path().to_owned(),
            started_in: settings.started_in.clone(),
            testbed_file,
            output_limit: settings.output_limit,
            visible_gpus: settings.visible_gpus.clone().or_else(|| std::env::var("CUDA_VISIBLE_DEVICES").ok()),
            synchro: shared.slot(),
            masks: masks.clone(),
        };
        let tap = tap(live.handle(), &settings, suites.loud());
        let runners = runners(&settings);
        let status_listen = settings.status_listen;
        let job = Arc::new(Job {
            ledger: Ledger::new(&settings),
            run: Run::new(run, journal.clone(), live, runtime, masks, seconds),
            settings,
            roster: Arc::default(),
            engine: OnceLock::new(),
            shared,
            runners,
            history,
            suites,
            calls: Calls::default(),
            terminal: Mutex::default(),
            ending: Ending::default(),
            guardian_pid: pid,
            trials: Arc::default(),
        });
        let (starts, ends, abandoned) = (Arc::clone(&job.roster), Arc::clone(&job.roster), Arc::clone(&job));
        let (starting, ending) = (job.shared.clone(), job.shared.clone());
        let trials = Arc::clone(&job.trials);
        let (calls, pausing, stalled) = (Arc::clone(&job), job.run.console(), job.run.console());
        let engine = Engine::start(engine::Settings {
            guarded,
            journal,
            limits: limits(&job.settings),
            timing: timing(&job.settings),
            patience: job.settings.grace,
            status_listen,
            surroundings,
            runtime: job.run.shared_runtime(),
            tap,
            reads_much: job.settings.door == Door::Batch,
            on_started: Box::new(move |number, pid| {
                starts.note_process(number, pid);
                starting.task_started(number);
                if let Some(trials) = trials.get() {
                    trials.started(number, pid);
                }
            }),
            on_settled: Box::new(move |number, end| {
                ends.note_end(number, end);
                ending.task_ended(number);
            }),
            on_call: Box::new(move |task, call| calls.take_call(task, call)),
            before_pause: Box::new(move || flush(&pausing)),
            on_abandoned: Box::new(move |why| abandoned.end_abandoned(why)),
            on_stall: Box::new(move |text| warn_aloud(&stalled, text)),
        })?;
        // Nothing else sets it.
        let _ = job.engine.set(engine);
        Ok(job)
    }
}

fn timing(settings: &Settings) -> Timing {
    Timing { grace: settings.grace, silence: settings.silence_timeout, ..Timing::default() }
}

fn limits(settings: &Settings) -> Limits {
    let Settings { jobs, capacity, max_failures, deadline, .. } = settings;
    Limits { at_once: *jobs, capacity: capacity.clone(), max_failures: *max_failures, deadline: *deadline }
}

/// Returns where the programs are that run tasks of kinds that the engine does not know.
fn runners(settings: &Settings) -> Runners {
    let beside = settings.jobfile.parent().map(Path::to_owned);
    let modules = std::env::var_os("RILLE_PATH").unwrap_or_default();
    let folders = beside.into_iter().chain([settings.started_in.clone()]).chain(std::env::split_paths(&modules));
    let folders = folders.map(|folder| settings.started_in.join(folder)).collect();
    Runners::new(std::env::var_os("PATH"), folders, &settings.started_in)
}

/// Starts the renderers that follow the run, its log file among them.
fn live(run: &RunDir, settings: &Settings, pid: u32, runtime: &RuntimeInfo, masks: &Masks) -> Result<Live, StartError> {
    let log = JobLog::new(Box::new(run.append_file(LOG_FILE)?), pid, &runtime.job.name, masks.clone());
    let look = report::Settings::standard(settings.color, settings.verbosity);
    Ok(Live::start(report::Settings { log: Some(log), masks: masks.clone(), ..look })?)
}

/// A run directory whose run can begin.
struct Opened {
    run: RunDir,
    log: EventLog,
    /// When it begins.
    now: DateTime<Utc>,
    /// What the run was before it was resumed.
    before: Option<Before>,
    testbed_file: Option<PathBuf>,
}

/// Makes the directory of a run with its log, or opens that of the run that is resumed.
fn open(settings: &mut Settings, id: &str, pid: u32, masks: &Masks) -> Result<Opened, StartError> {
    if let Some(path) = &settings.resume {
        let claimed = if settings.claim { RunDir::claim(path, pid)? } else { Some(RunDir::reopen(path, pid)?) };
        let mut run = claimed.ok_or_else(|| StartError::NotStaged(id.to_owned()))?;
        // A batch that was staged, or that Guild has made, has none yet.
        let is_known = run.event_log().exists();
        if !is_known {
            EventLog::create(&run.event_log())?;
            if !settings.claim {
                run.begin_again()?;
            }
        }
        // What is torn is cut off before anybody reads it.
        let log = EventLog::open(&run.event_log())?.masked_by(masks.clone());
        let before = is_known.then(|| Before::read(&run.event_log())).transpose()?;
        keep_rerun(&run, settings)?;
        write_meta(&run, settings, masks)?;
        let testbed_file = keep_files(&mut run, settings, masks)?;
        return Ok(Opened { run, log, now: Utc::now(), before, testbed_file });
    }
    let runs = settings.home.runs_dir();
    let site = settings.run_dir.as_deref().map_or(Site::Among(&runs), Site::At);
    let (mut run, log) = RunDir::begin(site, id, pid, &opref(settings))?;
    let log = log.masked_by(masks.clone());
    write_attributes(&run, settings, masks)?;
    keep_rerun(&run, settings)?;
    let testbed_file = keep_files(&mut run, settings, masks)?;
    let now = Utc::now();
    run.start(now.timestamp_micros())?;
    run.appear()?;
    Ok(Opened { run, log, now, before: None, testbed_file })
}

/// Writes into the run directory what the run is given beside its metadata, and returns where the testbed is.
fn keep_files(run: &mut RunDir, settings: &Settings, masks: &Masks) -> store::Result<Option<PathBuf>> {
    run.appear_in_place()?;
    if settings.door == Door::Test && settings.resume.is_none() {
        testing::write_suite(run, settings, masks)?;
    }
    let Some(testbed) = &settings.testbed else { return Ok(None) };
    let plain = Value::of_json(testbed).to_plain_json();
    run.write_file(TESTBED_FILE, plain.to_string().as_bytes())?;
    Ok(Some(run.path().join(TESTBED_FILE)))
}

pub(super) fn runtime_info(settings: &Settings, run: &RunDir, started: DateTime<Utc>) -> RuntimeInfo {
    let name = match settings.door {
        Door::Batch | Door::Pipeline => settings.batch.as_ref().map(|batch| batch.name.clone()).unwrap_or_default(),
        Door::Job | Door::Walk => settings.jobfile.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        Door::Test => settings.label.clone().unwrap_or_else(|| settings.door.name().to_owned()),
    };
    RuntimeInfo {
        job: JobInfo {
            name,
            uid: run.id().to_owned(),
            file: settings.jobfile.clone(),
            file_hash: hex(&Sha256::digest(&settings.source)),
            starttime: started.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        },
        directory: run.path().to_owned(),
        argv: settings.argv.clone(),
        log_levels: settings.log_levels.clone(),
        testbed: settings.testbed.clone(),
        meta: settings.meta.clone(),
        given: settings.parameters.keys().cloned().collect(),
    }
}

pub(super) fn run_started(
    settings: &Settings,
    runtime: &RuntimeInfo,
    pid: u32,
    first_started: Option<DateTime<Utc>>,
) -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        format: EVENT_FORMAT,
        rille: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: runtime.job.uid.clone(),
        door: settings.door.name().to_owned(),
        name: runtime.job.name.clone(),
        file: runtime.job.file.to_string_lossy().into_owned(),
        file_hash: runtime.job.file_hash.clone(),
        argv: settings.command.clone(),
        pid: i32::try_from(pid).unwrap_or_default(),
        host: store::host(),
        user: store::user(),
        first_started,
        rerun_of: settings.rerun.as_ref().map(|rerun| rerun.of.clone()),
        secrets: settings.secrets.variables().map(str::to_owned).collect(),
        attrs: logged_attributes(settings),
    }))
}

/// Returns the attributes that the log keeps as well.
fn logged_attributes(settings: &Settings) -> serde_json::Map<String, Json> {
    let attrs = [
        ("opref", Json::from(opref(settings).to_string())),
        ("started_in", settings.started_in.to_string_lossy().into()),
        ("label", settings.label.as_deref().unwrap_or_default().into()),
        ("tags", settings.run_tags.clone().into()),
    ];
    let meta = (!settings.meta.is_empty()).then(|| (META, json!(settings.meta)));
    attrs.into_iter().chain(meta).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns what is to be known of the beginning: of secrets that the run would need and does not have, of those that stay in
/// what it is started by, and of a jobfile that is another.
fn warnings(settings: &Settings, before: Option<&Before>, runtime: &RuntimeInfo) -> Vec<EventKind> {
    let secrets = &settings.secrets;
    let had = settings.rerun.iter().flat_map(|rerun| &rerun.secrets);
    let had: Vec<String> = had.chain(before.iter().flat_map(|before| &before.secrets)).cloned().collect();
    let mut texts = Vec::from_iter(secrets::missing(secrets, &had));
    texts.extend(secrets::kept_words(secrets, &settings.command));
    texts.extend(settings.testbed.iter().filter_map(|testbed| secrets::kept_value(secrets, "the testbed", testbed)));
    if settings.door == Door::Test {
        texts.extend(testing::kept_secrets(settings));
    }
    let warnings = texts.into_iter().map(|text| EventKind::Warning { text, place: None });
    warnings.chain(before.and_then(|before| changed_jobfile(before, runtime, settings))).collect()
}

/// Returns a warning if a run is resumed with another jobfile than it had.
fn changed_jobfile(before: &Before, runtime: &RuntimeInfo, settings: &Settings) -> Option<EventKind> {
    let is_changed = before.file_hash.as_ref().is_some_and(|hash| *hash != runtime.job.file_hash);
    let file = settings.jobfile.display();
    let text = format!("{file} is not as it was; tasks that it makes as before are taken from before, the others run");
    is_changed.then_some(EventKind::Warning { text, place: None })
}

pub(super) fn opref(settings: &Settings) -> Opref {
    if let Some(batch) = &settings.batch {
        return batch.opref.clone();
    }
    match settings.door {
        Door::Job | Door::Walk | Door::Batch | Door::Pipeline => Opref::for_script(&settings.jobfile),
        // For Guild a script of that name in the folder where the tests were started.
        Door::Test => Opref::for_script(&settings.jobfile.join(settings.door.name())),
    }
}

pub(super) fn write_attributes(run: &RunDir, settings: &Settings, masks: &Masks) -> Result<(), store::Error> {
    run.write_attr("cmd", &settings.command)?;
    run.write_attr("started_in", &settings.started_in.to_string_lossy())?;
    let batch = settings.batch.as_ref();
    match batch {
        Some(batch) => run.write_attr("flags", &batch.flags)?,
        None => run.write_attr("flags", &serde_json::Map::new())?,
    }
    for (name, value) in batch.iter().flat_map(|batch| &batch.attributes) {
        run.write_attr(name, value)?;
    }
    run.write_attr("label", &masks.mask_text(settings.label.as_deref().unwrap_or_default()))?;
    run.write_attr("tags", &settings.run_tags.iter().map(|tag| masks.mask_text(tag)).collect::<Vec<_>>())?;
    write_meta(run, settings, masks)?;
    run.write_attr("host", &store::host())?;
    run.write_attr("user", &store::user())?;
    run.write_attr("platform", &store::platform())?;
    let mut params = serde_json::Value::Object(settings.options.clone());
    secrets::leave_out(&settings.secrets, &mut params);
    run.write_attr("run_params", &params)?;
    run.write_attr("env", &settings.environment)
}

/// Writes the metadata, if there is any.
fn write_meta(run: &RunDir, settings: &Settings, masks: &Masks) -> Result<(), store::Error> {
    if settings.meta.is_empty() {
        return Ok(());
    }
    let mut meta = json!(settings.meta);
    masks.mask_json(&mut meta);
    run.write_attr(META, &meta)
}

/// What a script prints is shown; what it logs and what programs write, to those who want to see more, unless its log was
/// asked for.
fn tap(console: LiveHandle, settings: &Settings, loud: LoudLogs) -> Option<OutputTap> {
    let verbosity = settings.verbosity;
    // Whoever runs an operation wants to see what it writes.
    let programs = match settings.door {
        Door::Batch | Door::Pipeline => Verbosity::Normal,
        Door::Job | Door::Test | Door::Walk => Verbosity::Verbose,
    };
    let tap: OutputTap = Box::new(move |task, origin, bytes| {
        let (stream, from) = match origin {
            Origin::Script(stream) => (stream, Verbosity::Normal),
            Origin::Program(stream) => (stream, programs),
            Origin::Log(level) if loud.shows(task, level) => (Stream::Stderr, Verbosity::Quiet),
            Origin::Log(_) => (Stream::Stderr, Verbosity::Verbose),
        };
        if verbosity >= from {
            console.announce(Announcement::Output { task, stream, bytes: bytes.to_vec() });
        }
    });
    (verbosity > Verbosity::Silent).then_some(tap)
}
