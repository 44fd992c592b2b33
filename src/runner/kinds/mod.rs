//! The kinds that this program runs by itself, and what a runner of each needs to know.

mod asset;
mod exec_test;
mod lua;
mod package;
mod pip;
mod pytest;
mod python_unittest;
mod scripted;
mod sysinfo;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use serde_json::Value;

pub(super) use self::scripted::find as find_script;
use super::relay::{Relay, Streams};
use super::status::{Reporter, TOKEN};
use crate::engine::{Listener, ProgramEnd, RunnerProgram, StopRequest, run_program};
use crate::model::{Finished, Kind, Runnable, Running, TestStatus};
use crate::testing::{self, Reading};

/// A runnable that is run.
pub(super) struct Work<'a> {
    pub(super) runnable: &'a Runnable,
    /// The folder for what it leaves.
    pub(super) output_dir: Option<&'a Path>,
    pub(super) reporter: &'a mut Reporter,
    pub(super) stop: Rc<StopRequest>,
    /// How TAP is read unless the runnable says it.
    pub(super) reading: Reading,
}

/// The settings of kinds that run a program as a test.
const EXEC_SETTINGS: &[&str] = &["run.keep_tmp", "runner.exectest.exitcodes.skip", "runner.exectest.clear_env"];

const TAP_SETTINGS: &[&str] =
    &[EXEC_SETTINGS[0], EXEC_SETTINGS[1], EXEC_SETTINGS[2], testing::TAP_READING, testing::TAP_HONOUR_EXIT];

/// Returns the settings that a kind looks at.
pub(super) const fn settings(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ExecTest => EXEC_SETTINGS,
        Kind::Tap => TAP_SETTINGS,
        Kind::Sysinfo => &[sysinfo::PACKAGES, sysinfo::TIMEOUT, sysinfo::LOCALE],
        Kind::Asset => &[asset::CACHES],
        Kind::Lua | Kind::Noop | Kind::DryRun | Kind::PythonUnittest | Kind::Pytest | Kind::Package | Kind::Pip => &[],
    }
}

/// Runs a runnable of a kind of ours.
pub(super) fn run(kind: Kind, work: &mut Work<'_>) -> Finished {
    match kind {
        Kind::Lua => lua::run(work),
        Kind::Noop | Kind::DryRun => without_running(kind).unwrap_or(Finished::new(TestStatus::Pass)),
        Kind::ExecTest => exec_test::run(work),
        Kind::Tap => exec_test::run_tap(work),
        Kind::PythonUnittest => python_unittest::run(work),
        Kind::Pytest => pytest::run(work),
        Kind::Sysinfo => sysinfo::run(work),
        Kind::Package => package::run(work),
        Kind::Pip => pip::run(work),
        Kind::Asset => asset::run(work),
    }
}

/// Returns how a runnable ends that is not run; `None` for a kind that is.
pub(super) fn without_running(kind: Kind) -> Option<Finished> {
    kind.end_unrun().map(|(status, reason)| match reason {
        Some(reason) => Finished::because(status, reason),
        None => Finished::new(status),
    })
}

/// Runs a kind that is written in Lua.
pub(super) fn run_scripted(script: &Path, work: &mut Work<'_>) -> Finished {
    scripted::run(script, work)
}

impl Work<'_> {
    /// Returns a setting of the runnable that is not null.
    fn setting(&self, name: &str) -> Option<&Value> {
        self.runnable.config.get(name).filter(|value| !value.is_null())
    }

    /// Returns a parameter that is text.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.runnable.kwargs.get(name).and_then(Value::as_str)
    }

    /// Makes a program that finds the environment of this process, less what is for the runner alone.
    fn program(program: impl Into<std::ffi::OsString>, args: &[impl AsRef<std::ffi::OsStr>]) -> RunnerProgram {
        RunnerProgram {
            program: program.into(),
            args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
            environment: vec![(TOKEN.into(), None)],
            ..RunnerProgram::default()
        }
    }

    /// Runs a program whose output is that of the test.
    fn relay(&mut self, program: &RunnerProgram) -> Result<ProgramEnd, Finished> {
        let stop = Rc::clone(&self.stop);
        let mut relay = Relay::new(Streams::new(self.reporter, None, false));
        let end = run_program(program, &stop, &mut relay);
        relay.into_parts().0.flush();
        let end = end.map_err(|error| {
            let name = program.program.to_string_lossy();
            Finished::because(TestStatus::Error, format!("cannot run {name}: {}", plain(&error)))
        })?;
        match end {
            ProgramEnd::Stopped(signal) => Err(interrupted(signal)),
            end => Ok(end),
        }
    }

    /// Runs a program whose output is looked at.
    fn ask(&mut self, program: &RunnerProgram) -> io::Result<(ProgramEnd, Capture)> {
        let stop = Rc::clone(&self.stop);
        let mut listener =
            Quiet { relay: Relay::new(Streams::new(self.reporter, None, false)), capture: Capture::default() };
        let end = run_program(program, &stop, &mut listener)?;
        Ok((end, listener.capture))
    }

    fn say_stdout(&mut self, text: &str) {
        self.reporter.running(Running::Stdout { log: text.as_bytes().to_vec(), log_only: false });
    }

    fn say_stderr(&mut self, text: &str) {
        self.reporter.running(Running::Stderr { log: text.as_bytes().to_vec(), log_only: false });
    }
}

/// What a program wrote, up to a limit.
#[derive(Debug, Default)]
struct Capture {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// How much of a program's output is looked at, in bytes.
const MOST_CAPTURED: usize = 64 << 20;

/// Keeps what it hears, and only says that the runner is alive.
struct Quiet<'a> {
    relay: Relay<'a>,
    capture: Capture,
}

impl Listener for Quiet<'_> {
    fn stdout(&mut self, bytes: &[u8]) {
        keep(&mut self.capture.stdout, bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        keep(&mut self.capture.stderr, bytes);
    }

    fn line(&mut self, _line: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn wakes(&mut self) {
        self.relay.wakes();
    }

    fn wakes_at(&self) -> Instant {
        self.relay.wakes_at()
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = MOST_CAPTURED.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// Returns the end of a test that was ended by a signal to its runner.
pub(super) fn interrupted(signal: i32) -> Finished {
    // The words are those of the originals, which are sent SIGTERM when the time is up.
    let why = match signal {
        libc::SIGTERM => "Timeout reached".to_owned(),
        libc::SIGINT => "Interrupted by user".to_owned(),
        other => format!("the runner got {}", signal_hook::low_level::signal_name(other).unwrap_or("a signal")),
    };
    Finished::because(TestStatus::Interrupted, format!("Test interrupted: {why}"))
}

/// Returns what the system says of an error, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Returns an error of the system as Python words it.
fn python_error(error: &io::Error, path: &str) -> String {
    let Some(number) = error.raw_os_error() else { return error.to_string() };
    let mut text = format!("[Errno {number}] {}: ", plain(error));
    crate::model::push_python_str(&mut text, path);
    text
}

/// A file that cannot be made, as Python words it.
#[derive(Debug, thiserror::Error)]
#[error("{}", python_error(source, &path.to_string_lossy()))]
struct Unmade {
    path: PathBuf,
    source: io::Error,
}

/// Makes the files of both streams in a folder. They must not be there yet.
fn output_files(folder: &Path) -> Result<[File; 2], Unmade> {
    let open = |name: &str| {
        let path: PathBuf = folder.join(name);
        File::create_new(&path).map_err(|source| Unmade { path, source })
    };
    Ok([open("stdout")?, open("stderr")?])
}
