//! The kind `lua`: a testscript in a process of its own, the same as a task of a run. What it says becomes messages.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use chrono::{DateTime, Local, Utc};

use super::{Work, interrupted, plain};
use crate::engine::{ProgramEnd, RunnerProgram, TASK_ROLE, json_line, run_program, variable};
use crate::model::{
    Exit, Finished, JobInfo, Level, Message, Order, Outcome, Reply, Running, RuntimeInfo, SectionChoice, SectionNumber,
    Stream, TestStatus,
};
use crate::runner::relay::{Relay, Streams};

/// The logger of what becomes of sections.
const SECTIONS: &str = "rille.testscript";

/// Runs the testscript.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    let error = |reason: String| Finished::because(TestStatus::Error, reason);
    let program = match program(work) {
        Ok(program) => program,
        Err(problem) => return error(problem.to_string()),
    };
    let mut script = Script::default();
    let stop = Rc::clone(&work.stop);
    let streams = Streams::new(work.reporter, None, false);
    let mut relay = Relay::new(streams).with_lines(Box::new(|streams, line| script.hear(streams, line)));
    let end = run_program(&program, &stop, &mut relay);
    let (mut streams, _) = relay.into_parts();
    streams.flush();
    match end {
        Ok(ProgramEnd::Exited(exit)) => script.end(exit),
        Ok(ProgramEnd::Stopped(signal)) => interrupted(signal),
        Ok(ProgramEnd::TimedOut) => error("it took too long".to_owned()),
        Err(failed) => error(format!("cannot run the script: {}", plain(&failed))),
    }
}

/// Why a testscript cannot be started.
#[derive(Debug, thiserror::Error)]
enum NoScript {
    #[error("a runnable of kind lua needs a uri: the path of a Lua file")]
    NoUri,
    #[error("{uri} is no path of a file: {}", plain(source))]
    NoPath { uri: String, source: io::Error },
    #[error(transparent)]
    Order(#[from] serde_json::Error),
}

fn program(work: &Work<'_>) -> Result<RunnerProgram, NoScript> {
    let runnable = work.runnable;
    let Some(uri) = runnable.uri.as_deref().filter(|uri| !uri.is_empty()) else {
        return Err(NoScript::NoUri);
    };
    let script = std::path::absolute(uri).map_err(|source| NoScript::NoPath { uri: uri.to_owned(), source })?;
    let started_in = std::env::current_dir().unwrap_or_default();
    let directory = work.output_dir.map_or_else(|| started_in.clone(), PathBuf::from);
    let stem = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let task_id = runnable.identifier.clone().unwrap_or_else(|| stem.clone());
    let mut parameters = runnable.kwargs.clone();
    for (name, value) in runnable.variant_parameters() {
        parameters.insert(name, value);
    }
    let job =
        JobInfo { name: stem.clone(), file: script.clone(), starttime: Utc::now().to_rfc3339(), ..JobInfo::default() };
    let order = Order {
        task_id,
        script,
        args: runnable.args.clone(),
        parameters,
        started_in,
        stdin: None,
        choice: SectionChoice::default(),
        synchro: None,
        walk: None,
        runtime: RuntimeInfo { job, directory, ..RuntimeInfo::default() },
    };
    let order = json_line(&order)?;
    // By this path the program starts again even if its file was replaced or deleted meanwhile.
    let mut program = Work::program("/proc/self/exe", &[TASK_ROLE]);
    program.name = Some(format!("rille task: {stem}").into());
    program.order = Some(order);
    if let Some(folder) = work.output_dir {
        program.environment.push((variable::TASK_DIR.into(), Some(folder.into())));
    }
    Ok(program)
}

/// What a script has said of itself.
#[derive(Default)]
struct Script {
    /// The names of its sections, by number.
    sections: Vec<String>,
    /// The roll-up of its sections.
    outcome: Option<Outcome>,
    finished: Option<Finished>,
    claimed: Option<Outcome>,
    problem: Option<String>,
}

impl Script {
    fn hear(&mut self, streams: &mut Streams<'_>, line: &[u8]) -> Option<Vec<u8>> {
        let message: Message = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(error) => {
                self.problem.get_or_insert_with(|| format!("broke the protocol of its runner: {error}"));
                return None;
            }
        };
        match message {
            Message::Stdout { text, .. } => streams.take(Stream::Stdout, &text.0),
            Message::Stderr { text, .. } => streams.take(Stream::Stderr, &text.0),
            Message::Log { time, level, logger, text } => log(streams, time, level, &logger, &text.0),
            Message::Plan { sections } => {
                self.sections.extend(sections.into_iter().map(|plan| format!("{} {}", plan.kind, plan.uid)));
            }
            Message::SectionStarted { section, plan, uid, time } => {
                if let Some(plan) = plan {
                    self.sections.push(format!("{} {}", plan.kind, uid.as_deref().unwrap_or(&plan.uid)));
                }
                let text = format!("{} begins", self.name(section));
                log(streams, time, Level::Info, SECTIONS, text.as_bytes());
            }
            Message::SectionFinished { section, result, reason, time, will_retry, .. } => {
                if !will_retry {
                    self.outcome = Some(self.outcome.map_or(result, |known| known.and(result)));
                }
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                let text = format!("{} {result}{reason}", self.name(section));
                let level = if result.is_good() { Level::Info } else { Level::Error };
                log(streams, time, level, SECTIONS, text.as_bytes());
            }
            Message::Finished { result, reason, data } => {
                let part = |key: &str| data.as_ref()?.get(key)?.as_str().map(str::to_owned);
                let raised = matches!(result, Outcome::Failed | Outcome::Errored);
                self.claimed = Some(result);
                self.finished = Some(Finished {
                    fail_reason: reason,
                    fail_class: part("kind").filter(|_| raised),
                    traceback: part("traceback").filter(|_| raised),
                    ..Finished::new(TestStatus::from_outcome(result))
                });
            }
            Message::Remark { text } => log(streams, 0.0, Level::Warning, "", text.as_bytes()),
            Message::Started {} | Message::ArgumentsRead { .. } | Message::Used(_) => {}
            Message::Sync {} => return answer(&Reply::Ack { interrupted: false }),
            Message::Select { sections } => {
                return answer(&Reply::Selected { sections: vec![true; sections.len()], error: None });
            }
            Message::Prompt { .. } => return answer(&Reply::Line { text: None }),
        }
        None
    }

    fn name(&self, section: SectionNumber) -> &str {
        let index = usize::try_from(section).ok().and_then(|number| number.checked_sub(1));
        index.and_then(|index| self.sections.get(index)).map_or("a section", String::as_str)
    }

    /// Judges it as a task of a run is judged: no result is better than what happened.
    fn end(self, exit: Exit) -> Finished {
        let error = |reason: String| Finished::because(TestStatus::Error, reason);
        match (self.problem, self.finished, exit) {
            (Some(problem), ..) => error(problem),
            (None, Some(finished), Exit::Code(0)) => finished,
            (None, Some(_), exit) => {
                let claimed = self.claimed.map(|claimed| format!(" after it had reported {claimed}"));
                error(format!("{exit}{}", claimed.unwrap_or_default()))
            }
            (None, None, Exit::Code(0)) => error("left with exit code 0 before it reached its end".to_owned()),
            (None, None, exit) => error(exit.to_string()),
        }
    }
}

fn answer(reply: &Reply) -> Option<Vec<u8>> {
    json_line(reply).ok()
}

fn log(streams: &mut Streams<'_>, time: f64, level: Level, logger: &str, text: &[u8]) {
    #[expect(clippy::cast_possible_truncation, reason = "a time has that many microseconds")]
    let time = DateTime::from_timestamp_micros((time * 1e6) as i64).filter(|_| time > 0.0).unwrap_or_else(Utc::now);
    let logger = if logger.is_empty() { "root" } else { logger };
    let time = time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S,%3f");
    let mut record = format!("{time} {logger} {level} | ").into_bytes();
    record.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
    let number = match level {
        Level::Debug => 10,
        Level::Info => 20,
        Level::Warning => 30,
        Level::Error => 40,
        Level::Critical => 50,
    };
    streams.flush_lines();
    streams.reporter.running_text(Running::Log {
        log: record,
        logger: Some(logger.to_owned()),
        level: Some(number),
        levelname: Some(level.name().to_owned()),
    });
}
