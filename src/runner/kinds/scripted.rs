//! Kinds that are written in Lua: a file `avocado-runner-KIND.lua`, whose function runs in a process of its own.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Work, interrupted, plain};
use crate::engine::{ProgramEnd, run_program};
use crate::model::{Exit, Finished, Running, StatusKind, StatusMessage, Stream, TestStatus};
use crate::runner::KIND_ROLE;
use crate::runner::relay::{Relay, Streams};
use crate::runner::status::TOKEN;

/// Returns the file of a kind: in the working folder, in a folder of the project's modules (`RILLE_PATH`), beside the name
/// by which the runner was called, or on the `PATH`.
pub(in crate::runner) fn find(kind: &str, called_as: Option<&Path>) -> Option<PathBuf> {
    if kind.is_empty() || kind.contains(['/', '\0']) {
        return None;
    }
    let name = format!("avocado-runner-{kind}.lua");
    let split = |variable: &str| {
        let value = std::env::var_os(variable).unwrap_or_default();
        std::env::split_paths(&value).collect::<Vec<_>>()
    };
    let mut folders = vec![PathBuf::from(".")];
    folders.extend(split("RILLE_PATH"));
    folders.extend(called_as.and_then(Path::parent).map(Path::to_owned));
    folders.extend(split("PATH"));
    folders.into_iter().map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// Runs the function of the kind.
pub(super) fn run(script: &Path, work: &mut Work<'_>) -> Finished {
    let error = |reason: String| Finished::because(TestStatus::Error, reason);
    let runnable = serde_json::to_value(work.runnable).unwrap_or_default();
    let order = serde_json::json!({ "script": script, "runnable": runnable, "output_dir": work.output_dir });
    let mut program = Work::program("/proc/self/exe", &[KIND_ROLE]);
    program.name = Some(format!("rille kind: {}", work.runnable.kind).into());
    program.environment.push((TOKEN.into(), None));
    program.order = Some((order.to_string() + "\n").into_bytes());
    // Its end, or what is wrong with what it said before that.
    let mut told = None;
    let stop = Rc::clone(&work.stop);
    let streams = Streams::new(work.reporter, None, false);
    let mut relay = Relay::new(streams).with_lines(Box::new(|streams, line| {
        let heard = StatusMessage::parse(line).map(|message| take(streams, message)).transpose();
        told = told.take().or(heard);
        None
    }));
    let end = run_program(&program, &stop, &mut relay);
    let (mut streams, _) = relay.into_parts();
    streams.flush();
    match (end, told) {
        (Err(failed), _) => error(format!("cannot run {}: {}", script.display(), plain(&failed))),
        (Ok(ProgramEnd::Stopped(signal)), _) => interrupted(signal),
        (Ok(ProgramEnd::TimedOut), _) => error("it took too long".to_owned()),
        (Ok(ProgramEnd::Exited(Exit::Code(0))), Some(Ok(finished))) => finished,
        (Ok(ProgramEnd::Exited(_)), Some(Err(bad))) => error(bad.to_string()),
        (Ok(ProgramEnd::Exited(exit)), Some(Ok(_))) => error(format!("{exit} after the runner had told its result")),
        (Ok(ProgramEnd::Exited(exit)), None) => error(format!("{exit} before the runner had told its result")),
    }
}

/// Takes what the function says; returns its end when it says that.
fn take(streams: &mut Streams<'_>, message: StatusMessage) -> Option<Finished> {
    let is_text = message.encoding.is_some();
    match message.kind {
        // The runner has said so itself.
        StatusKind::Started { .. } => {}
        StatusKind::Finished(finished) => return Some(finished),
        StatusKind::Running(Running::Stdout { log, .. }) => streams.take(Stream::Stdout, &log),
        StatusKind::Running(Running::Stderr { log, .. }) => streams.take(Stream::Stderr, &log),
        StatusKind::Running(running) => {
            streams.flush_lines();
            if is_text {
                streams.reporter.running_text(running);
            } else {
                streams.reporter.running(running);
            }
        }
    }
    None
}
