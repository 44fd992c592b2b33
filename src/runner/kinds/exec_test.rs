//! The kinds `exec-test` and `tap`: a program is the test. Its exit code, or what it writes, says how it ended.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Access, access};
use serde_json::Value;

use super::{Work, interrupted, output_files, python_error};
use crate::engine::{ProgramEnd, RunnerProgram, run_program};
use crate::model::{Cleared, Exit, Finished, NothingCleared, TestStatus, python_text_of};
use crate::runner::relay::{Relay, Streams};
use crate::testing::{TapRules, TapVerdict};

/// The version of Avocado whose environment the tests find.
const AVOCADO_VERSION: &str = "113.0";

/// Runs an `exec-test`.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    run_as(work, None)
}

/// Runs a `tap`.
pub(super) fn run_tap(work: &mut Work<'_>) -> Finished {
    match TapRules::of(work.runnable, work.reading) {
        Ok(rules) => run_as(work, Some(rules)),
        Err(problem) => Finished::because(TestStatus::Error, problem.to_string()),
    }
}

fn run_as(work: &mut Work<'_>, tap: Option<TapRules>) -> Finished {
    let error = |reason: String| Finished::because(TestStatus::Error, reason);
    let files = match work.output_dir.map(output_files).transpose() {
        Ok(files) => files,
        Err(unmade) => return error(unmade.to_string()),
    };
    let mut workdir = Workdir::default();
    let program = match program(work, &mut workdir) {
        Ok(program) => program,
        Err(problem) => return error(problem.to_string()),
    };
    let uri = work.runnable.uri.clone().unwrap_or_default();
    let streams = Streams::new(work.reporter, files, true);
    let mut relay = match tap {
        Some(rules) => Relay::new(streams).with_tap(rules),
        None => Relay::new(streams),
    };
    let end = match run_program(&program, &work.stop, &mut relay) {
        Ok(end) => end,
        Err(failed) => return error(python_error(&failed, &uri)),
    };
    let (mut streams, tap) = relay.into_parts();
    streams.flush();
    if let Some(problem) = streams.problem {
        return error(format!("cannot keep its output: {problem}"));
    }
    let exit = match end {
        ProgramEnd::Exited(exit) => exit,
        ProgramEnd::Stopped(signal) => return interrupted(signal),
        ProgramEnd::TimedOut => return error("it took too long".to_owned()),
    };
    let mut finished = match tap {
        Some(tap) => {
            let TapVerdict { status, reason } = tap.finish(exit);
            Finished { fail_reason: reason, ..Finished::new(status) }
        }
        None => Finished::new(status(exit, work.setting("runner.exectest.exitcodes.skip"))),
    };
    finished.returncode = Some(exit.as_python().into());
    finished
}

fn status(exit: Exit, skips: Option<&Value>) -> TestStatus {
    let skips = skips.map(|skips| skips.get("__encoded_set__").unwrap_or(skips)).and_then(Value::as_array);
    let code = i64::from(exit.as_python());
    match exit {
        _ if skips.is_some_and(|codes| codes.iter().any(|skip| skip.as_i64() == Some(code))) => TestStatus::Skip,
        Exit::Code(0) => TestStatus::Pass,
        _ => TestStatus::Fail,
    }
}

/// The folder that a test may use; it goes with the test.
#[derive(Default)]
struct Workdir(Option<tempfile::TempDir>);

impl Workdir {
    fn make(&mut self, is_kept: bool) -> io::Result<OsString> {
        let folder = tempfile::Builder::new().prefix(".avocado-workdir-").tempdir()?;
        let path = folder.path().as_os_str().to_owned();
        if is_kept {
            let _ = folder.keep();
        } else {
            self.0 = Some(folder);
        }
        Ok(path)
    }
}

/// Why a program cannot be started, worded as Python does.
#[derive(Debug, thiserror::Error)]
enum NoProgram {
    /// A value of this type in Python stands where text is meant.
    #[error("expected str, bytes or os.PathLike object, not {0}")]
    NoText(&'static str),
    #[error("embedded null byte")]
    Null,
    #[error("illegal environment variable name or value")]
    Variable,
    #[error(transparent)]
    Environment(#[from] NothingCleared),
    #[error("cannot make a working folder: {0}")]
    Workdir(#[source] io::Error),
}

/// Prepares the program.
fn program(work: &Work<'_>, workdir: &mut Workdir) -> Result<RunnerProgram, NoProgram> {
    let runnable = work.runnable;
    let uri = runnable.uri.as_ref().ok_or(NoProgram::NoText(python_type(&Value::Null)))?;
    let clears = Cleared::of(runnable)?;
    let mut program = Work::program(uri, &runnable.args);
    program.clears_environment = clears.is_some();
    if program.args.iter().any(|arg| arg.as_encoded_bytes().contains(&0)) || uri.contains('\0') {
        return Err(NoProgram::Null);
    }
    let mut path = None;
    for (name, value) in &runnable.kwargs {
        let value = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => return Err(NoProgram::NoText(python_type(other))),
        };
        if name.is_empty() || name.contains(['=', '\0']) || value.as_ref().is_some_and(|value| value.contains('\0')) {
            return Err(NoProgram::Variable);
        }
        if name == "PATH" {
            path.clone_from(&value);
        }
        program.environment.push((name.into(), value.map(OsString::from)));
    }
    let mut set = |name: &str, value: OsString| program.environment.push((name.into(), Some(value)));
    if clears != Some(Cleared::All) {
        let is_kept = work.setting("run.keep_tmp") == Some(&Value::Bool(true));
        let own = workdir.make(is_kept).map_err(NoProgram::Workdir)?;
        set("AVOCADO_VERSION", AVOCADO_VERSION.into());
        set("AVOCADO_TEST_WORKDIR", own);
        let absolute = std::path::absolute(uri).unwrap_or_default();
        set("AVOCADO_TEST_BASEDIR", absolute.parent().unwrap_or(Path::new("/")).into());
        if let Some(folder) = work.output_dir {
            set("AVOCADO_TEST_LOGDIR", folder.into());
            set("AVOCADO_TEST_OUTPUTDIR", folder.into());
            set("AVOCADO_TEST_LOGFILE", folder.join("debug.log").into());
        }
    }
    for (name, value) in runnable.variant_parameters() {
        if !name.is_empty() && !name.contains(['=', '\0']) {
            set(&name, python_text_of(&value).into());
        }
    }
    // What is named without a folder may lie in the working folder.
    let is_here = !uri.contains('/') && access(uri.as_str(), Access::READ_OK | Access::EXEC_OK).is_ok();
    if is_here || (clears.is_some() && path.is_none()) {
        let mut path = path.map(OsString::from).or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        if is_here && let Ok(here) = std::env::current_dir() {
            path.push(":");
            path.push(fs::canonicalize(&here).unwrap_or(here));
        }
        set("PATH", path);
    }
    Ok(program)
}

/// Returns the name of the type that a value has in Python.
fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}
