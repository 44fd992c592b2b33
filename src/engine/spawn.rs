//! The local process spawner: from a task to a process group of its own, by `posix_spawn`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

use super::capped_file::CappedFile;
use super::channel::Channel;
use super::descendants::MARK;
use super::image::Image;
use super::output::{Capture, Target};
use super::output_sink::SharedSink;
use super::scheduler::Slots;
use super::shelter::{self, Shelter, Sheltered};
use super::status::Line;
use super::status::argv::{self, Report};
use super::synchro::Synchro;
use super::way::Way;
use crate::model::{Cleared, Order, Runner, RuntimeInfo, SharedRef, Stream, SynchroLine, Task, TaskNumber};

/// The argument by which a task process knows its role.
pub(crate) const TASK_ROLE: &str = "--as-task-process";

/// The kind of the one task of an operation's run: a program, as it is.
pub(crate) const OPERATION_KIND: &str = "operation";

/// The environment variables by which a task learns where it is.
pub(crate) mod variable {
    pub(crate) const TASK_ID: &str = "RILLE_TASK_ID";
    pub(crate) const TASK_DIR: &str = "RILLE_TASK_DIR";
    pub(crate) const RUN_ID: &str = "RILLE_RUN_ID";
    pub(crate) const RUN_DIR: &str = "RILLE_RUN_DIR";
    pub(crate) const ATTEMPT: &str = "RILLE_ATTEMPT";
    pub(crate) const TESTBED: &str = "RILLE_TESTBED";
    /// The socket of the shared objects; as the next, only where there are any.
    pub(crate) const SYNCHRO: &str = "RILLE_SYNCHRO";
    pub(crate) const TASK_NUMBER: &str = "RILLE_TASK_NUMBER";
    /// By what a runner that reports by TCP makes itself known.
    pub(crate) const STATUS_TOKEN: &str = "RILLE_STATUS_TOKEN";
}

/// What is the same for all tasks of a run.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The run's id.
    pub(crate) run_id: String,
    /// The run directory.
    pub(crate) directory: PathBuf,
    /// The working folder of the host.
    pub(crate) started_in: PathBuf,
    /// The testbed as a JSON file for executables.
    pub(crate) testbed_file: Option<PathBuf>,
    /// The cap of each output file, in bytes.
    pub(crate) output_limit: u64,
    /// What the processes of the run share, once there is anything.
    pub(crate) synchro: Arc<OnceLock<Synchro>>,
}

/// One attempt at a task.
pub(super) struct Attempt<'a> {
    pub(super) task: &'a Task,
    pub(super) number: TaskNumber,
    /// Which attempt, from 1.
    pub(super) ordinal: u32,
    /// The absolute path of its folder.
    pub(super) folder: PathBuf,
    pub(super) slots: &'a Slots,
    pub(super) runtime: &'a RuntimeInfo,
    /// Where its runner reports to, if it has one.
    pub(super) line: Option<&'a Line>,
}

/// A process that runs.
pub(super) struct Launched {
    /// The process of the task, and its group.
    pub(super) pid: i32,
    /// The process whose end is the task's: its own, or that of its shelter.
    pub(super) pidfd: OwnedFd,
    /// What stands between the task and the host, if anything does.
    pub(super) shelter: Option<Shelter>,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
    pub(super) channel: Option<Channel>,
}

/// Why there is no process.
#[derive(Debug)]
pub(super) enum SpawnError {
    /// It lies in the task.
    Task(String),
    /// There are no processes, descriptors or memory left just now.
    Exhausted(String),
    /// The run directory does not take it.
    Storage(PathBuf, io::Error),
}

/// Starts an attempt. Without a sink its folder is made, and its output files appear with the first byte; with one its
/// folder is there.
pub(super) fn spawn(
    attempt: &Attempt<'_>,
    surroundings: &Surroundings,
    sink: Option<&SharedSink>,
) -> Result<Launched, SpawnError> {
    let Attempt { task, folder, .. } = attempt;
    match sink {
        Some(sink) => {
            let mut sink = sink.lock();
            sink.begin().map_err(|error| SpawnError::Storage(sink.path().to_owned(), error))?;
        }
        None => make_folder(folder).map_err(|error| SpawnError::Storage(folder.clone(), error))?,
    }
    let way = Way::of(task);
    let (mut command, channel, stdin) = match way {
        Way::Channel => speaker(attempt, surroundings)?,
        Way::Runner(program) => runner(attempt, program, surroundings)?,
        Way::Direct | Way::Tap | Way::Nothing => executable(attempt)?,
    };
    let open = |stream: Stream, name: &str| {
        let target = match sink {
            Some(sink) => Target::Sink(Arc::clone(sink), stream),
            None => Target::File(CappedFile::new(folder.join(name), surroundings.output_limit)),
        };
        Capture::new(target).map_err(|error| exhausted("a pipe", &error))
    };
    let (stdout, stdout_end) = open(Stream::Stdout, "stdout")?;
    let (mut stderr, stderr_end) = open(Stream::Stderr, "stderr")?;
    let mut cwd = folder;
    if let Way::Runner(_) = way {
        // It says on its standard output once more what it reports. What it says on the other is its own, not the test's.
        stderr.keep_apart();
        cwd = &surroundings.started_in;
    }
    command
        .current_dir(task.cwd.as_ref().unwrap_or(cwd))
        .env(MARK, format!("{}:{}", surroundings.run_id, attempt.number))
        .env(variable::TASK_ID, &task.id)
        .env(variable::TASK_DIR, folder)
        .env(variable::RUN_ID, &surroundings.run_id)
        .env(variable::RUN_DIR, &surroundings.directory)
        .env(variable::ATTEMPT, attempt.ordinal.to_string());
    if let Some(testbed) = &surroundings.testbed_file {
        command.env(variable::TESTBED, testbed);
    }
    if let Some(synchro) = surroundings.synchro.get() {
        command.env(variable::SYNCHRO, synchro.socket()).env(variable::TASK_NUMBER, attempt.number.to_string());
    }
    for (name, value) in slot_variables(attempt.slots) {
        command.env(name, value);
    }
    for (name, value) in &task.env {
        check_variable("environment variable", name, value.as_deref())?;
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if task.is_sheltered && matches!(way, Way::Direct | Way::Tap) {
        let stdin = stdin.map_or_else(nothing, Ok)?;
        let started = Image::of(&command, is_bare(task))
            .and_then(|image| shelter::spawn(&image, [stdin.as_fd(), stdout_end.as_fd(), stderr_end.as_fd()]));
        let Sheltered { pid, pidfd, shelter } = started.map_err(|error| refused(&command, task, &error))?;
        return Ok(Launched { pid, pidfd, shelter: Some(shelter), stdout, stderr, channel });
    }
    let stdout_end = (!matches!(way, Way::Runner(_))).then_some(stdout_end);
    let (pid, pidfd) = start(command, stdin, stdout_end, stderr_end, task)?;
    Ok(Launched { pid, pidfd, shelter: None, stdout, stderr, channel })
}

/// Starts a process with these standard streams, where none is nothing.
fn start(
    mut command: Command,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: OwnedFd,
    task: &Task,
) -> Result<(i32, OwnedFd), SpawnError> {
    let or_null = |fd: Option<OwnedFd>| fd.map_or_else(Stdio::null, Stdio::from);
    command.process_group(0).stdin(or_null(stdin)).stdout(or_null(stdout)).stderr(stderr);
    let child = command.spawn().map_err(|error| refused(&command, task, &error))?;
    drop(command);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| SpawnError::Task("got no process id".to_owned()))?;
    // The child is not reaped before its pidfd says that it ended, so the pid is still its own.
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| {
        super::descendants::kill_child(pid.as_raw_nonzero().get());
        exhausted("a descriptor for the process", &error.into())
    })?;
    Ok((pid.as_raw_nonzero().get(), pidfd))
}

fn nothing() -> Result<OwnedFd, SpawnError> {
    File::open("/dev/null").map(OwnedFd::from).map_err(|error| exhausted("/dev/null", &error))
}

/// Makes the folder of a task that has no process.
pub(super) fn make_empty(folder: &Path) -> Result<(), SpawnError> {
    make_folder(folder).map_err(|error| SpawnError::Storage(folder.to_owned(), error))
}

/// Makes a task's folder; that of all tasks is made with the first.
fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder),
        // The start was put off after the folder was made.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made,
    }
}

type Prepared = (Command, Option<Channel>, Option<OwnedFd>);

/// Prepares a process of this same program that runs the task in its own words.
fn speaker(attempt: &Attempt<'_>, surroundings: &Surroundings) -> Result<Prepared, SpawnError> {
    let Attempt { task, .. } = attempt;
    let runnable = &task.runnable;
    let script = runnable.uri.clone().unwrap_or_default();
    let order = Order {
        task_id: task.id.clone(),
        script: PathBuf::from(&script),
        args: runnable.args.clone(),
        parameters: runnable.kwargs.clone(),
        started_in: surroundings.started_in.clone(),
        stdin: task.stdin.clone(),
        choice: task.choice.clone(),
        synchro: surroundings.synchro.get().map(|synchro| SynchroLine {
            socket: synchro.socket().to_owned(),
            task: attempt.number,
            attempt: attempt.ordinal,
        }),
        walk: task.walk.as_deref().cloned(),
        runtime: attempt.runtime.clone(),
    };
    let (channel, task_end) = Channel::new(&order).map_err(|error| exhausted("a socket", &error))?;
    // By this path the program starts again even if its file was replaced or deleted meanwhile.
    let mut command = Command::new("/proc/self/exe");
    let stem = Path::new(&script).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.arg0(format!("rille task: {} - {stem}", task.id)).arg(TASK_ROLE);
    Ok((command, Some(channel), Some(task_end)))
}

/// Prepares an executable; nothing stands between it and the engine.
fn executable(attempt: &Attempt<'_>) -> Result<Prepared, SpawnError> {
    let Attempt { task, .. } = attempt;
    let runnable = &task.runnable;
    let uri = runnable.uri.as_deref().unwrap_or_default();
    let is_script = task.runnable.kind != OPERATION_KIND;
    let mut command = if is_script && Path::new(uri).extension().is_some_and(|extension| extension == "py") {
        let mut command = Command::new("python3");
        command.arg(uri);
        command
    } else {
        Command::new(uri)
    };
    if is_bare(task) {
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
    }
    for (index, arg) in runnable.args.iter().enumerate() {
        check_nul(&format!("args[{}]", index + 1), arg)?;
    }
    command.args(&runnable.args);
    for (name, value) in &runnable.kwargs {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => SharedRef::of_value(other).map_or_else(|| other.to_string(), |shared| shared.to_string()),
        };
        check_variable("parameter", name, Some(&text))?;
        command.env(name, text);
    }
    Ok((command, None, stdin(task)?))
}

/// Returns whether a program is to find `PATH` in its environment, what its task says and what the engine adds, and nothing
/// of the host's.
fn is_bare(task: &Task) -> bool {
    task.runnable.kind == "exec-test" && Cleared::of(&task.runnable).is_ok_and(|cleared| cleared.is_some())
}

/// Prepares a runner, which is told its task and where to report to on its command line.
fn runner(attempt: &Attempt<'_>, program: &Runner, surroundings: &Surroundings) -> Result<Prepared, SpawnError> {
    let Attempt { task, folder, line, .. } = attempt;
    let output_dir = folder.to_str();
    let output_dir = output_dir.ok_or_else(|| SpawnError::Task(format!("{} is not valid UTF-8", folder.display())))?;
    let report =
        Report { task: &task.id, job: &surroundings.run_id, output_dir, uri: line.map_or("", |line| &line.uri) };
    let args = argv::task_run(&task.runnable, program, &report).map_err(SpawnError::Task)?;
    let mut command = Command::new(&program.program);
    if let Some(name) = &program.name {
        command.arg0(name);
    }
    if let Some(token) = line.and_then(|line| line.token.as_ref()) {
        command.env(variable::STATUS_TOKEN, token);
    }
    command.args(args);
    Ok((command, None, stdin(task)?))
}

fn stdin(task: &Task) -> Result<Option<OwnedFd>, SpawnError> {
    let Some(path) = &task.stdin else { return Ok(None) };
    let refused = |error| SpawnError::Task(format!("cannot read stdin from {}: {error}", path.display()));
    Ok(Some(File::open(path).map_err(refused)?.into()))
}

/// Which pieces of a counted resource the task holds: `RILLE_SLOTS_<NAME>=0,2`, for `gpus` also as CUDA wants it.
fn slot_variables(slots: &Slots) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, numbers) in slots {
        let list = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let upper: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        if name == "gpus" {
            variables
                .insert("CUDA_VISIBLE_DEVICES".to_owned(), visible_devices(numbers).unwrap_or_else(|| list.clone()));
        }
        variables.insert(format!("RILLE_SLOTS_{upper}"), list);
    }
    variables
}

/// Maps slots to the devices that the host itself may see.
fn visible_devices(slots: &[u64]) -> Option<String> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok()?;
    let devices: Vec<&str> = visible.split(',').collect();
    let chosen: Option<Vec<&str>> =
        slots.iter().map(|slot| devices.get(usize::try_from(*slot).ok()?).copied()).collect();
    chosen.map(|chosen| chosen.join(","))
}

fn check_variable(what: &str, name: &str, value: Option<&str>) -> Result<(), SpawnError> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(SpawnError::Task(format!(
            "{what} '{}' has a name that no environment can hold",
            name.escape_debug()
        )));
    }
    check_nul(&format!("{what} '{name}'"), value.unwrap_or_default())
}

fn check_nul(what: &str, value: &str) -> Result<(), SpawnError> {
    match value.contains('\0') {
        true => Err(SpawnError::Task(format!("{what} holds a NUL byte, which no process can be given"))),
        false => Ok(()),
    }
}

fn exhausted(what: &str, error: &io::Error) -> SpawnError {
    SpawnError::Exhausted(format!("cannot get {what}: {error}"))
}

fn refused(command: &Command, task: &Task, error: &io::Error) -> SpawnError {
    use rustix::io::Errno;
    let program = Path::new(command.get_program()).display();
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno {
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => exhausted("a process", error),
        Some(Errno::TOOBIG) => SpawnError::Task(format!(
            "cannot start {program}: its arguments and environment together are too long ({error}); hand large \
             parameters over in a file"
        )),
        Some(Errno::ACCESS) => SpawnError::Task(format!(
            "cannot start {program}: {error}; make it executable (chmod +x) or give kind = \"lua\" for a Lua script"
        )),
        Some(Errno::NOEXEC) => SpawnError::Task(format!(
            "cannot start {program}: {error}; does its first line name an interpreter (#!/bin/sh)?"
        )),
        Some(Errno::NOENT) => {
            let cwd = task.cwd.as_ref().filter(|cwd| !cwd.is_dir());
            SpawnError::Task(match cwd {
                Some(cwd) => format!("cannot start {program}: the working folder {} does not exist", cwd.display()),
                None if Path::new(command.get_program()).exists() => {
                    format!("cannot start {program}: the interpreter that its first line names does not exist")
                }
                None => format!("cannot start {program}: no such program"),
            })
        }
        _ => SpawnError::Task(format!("cannot start {program}: {error}")),
    }
}
