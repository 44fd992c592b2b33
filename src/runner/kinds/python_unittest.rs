//! The kind `python-unittest`: one method of a `unittest.TestCase`, run by a Python interpreter of its own.

use std::rc::Rc;

use serde::Deserialize;

use super::{Work, interrupted, plain};
use crate::engine::{ProgramEnd, run_program};
use crate::model::{Exit, Finished, Running, TestStatus, UnknownStatus};
use crate::runner::relay::{Relay, Streams};

/// What the interpreter runs.
const MAIN: &str = include_str!("../../../python/rille/unittest_main.py");

/// What it tells of its end.
#[derive(Deserialize)]
struct Told {
    result: String,
    fail_reason: Option<String>,
    #[serde(default)]
    fail_class: Option<String>,
    #[serde(default)]
    traceback: Option<String>,
    #[serde(default)]
    stdout: Option<String>,
    #[serde(default)]
    stderr: Option<String>,
}

/// Runs the test.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    let error = |reason: String| Finished::because(TestStatus::Error, reason);
    let uri = work.runnable.uri.clone().unwrap_or_default();
    let Some((folder, name)) = dotted_name(&uri) else {
        let reason = "Invalid URI: could not be converted to an unittest dotted name.";
        work.reporter.running_text(Running::Stderr { log: format!("{reason}\n").into_bytes(), log_only: false });
        return Finished { fail_class: Some("ValueError".to_owned()), ..error(reason.to_owned()) };
    };
    let mut program = Work::program("python3", &["-c", MAIN, folder, &name]);
    program.order = Some(Vec::new());
    // What it prints is heard while it runs, also where it is no terminal.
    program.environment.push(("PYTHONUNBUFFERED".into(), Some("1".into())));
    let mut told = None;
    let stop = Rc::clone(&work.stop);
    let streams = Streams::new(work.reporter, None, false);
    let mut relay = Relay::new(streams).with_lines(Box::new(|streams, line| {
        told.get_or_insert_with(|| hear(streams, line));
        None
    }));
    let end = run_program(&program, &stop, &mut relay);
    let (mut streams, _) = relay.into_parts();
    streams.flush();
    match (end, told) {
        (Err(failed), _) => error(format!("cannot run python3: {}", plain(&failed))),
        (Ok(ProgramEnd::Stopped(signal)), _) => interrupted(signal),
        (Ok(ProgramEnd::TimedOut), _) => error("it took too long".to_owned()),
        (Ok(ProgramEnd::Exited(Exit::Code(0))), Some(Ok(finished))) => finished,
        (Ok(ProgramEnd::Exited(Exit::Code(0))), Some(Err(problem))) => error(problem.to_string()),
        (Ok(ProgramEnd::Exited(exit)), Some(_)) => error(format!("Python ended with {exit} after its test had ended")),
        (Ok(ProgramEnd::Exited(exit)), None) => error(format!("Python ended with {exit} before its test had")),
    }
}

/// Returns the folder of a module and the dotted name of a test in it: `a/b.py:Class.test` is `a` and `b.Class.test`.
fn dotted_name(uri: &str) -> Option<(&str, String)> {
    let (path, test) = uri.rsplit_once(':')?;
    let (class, method) = test.rsplit_once('.')?;
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = if folder.is_empty() && path.starts_with('/') { "/" } else { folder };
    let module = file.strip_suffix(".py").unwrap_or(file);
    (!module.is_empty() && !class.is_empty() && !method.is_empty())
        .then(|| (folder, format!("{module}.{class}.{method}")))
}

/// Why what Python told of its test cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("what Python told of its test cannot be read: {0}")]
enum Unread {
    NoJson(#[from] serde_json::Error),
    NoStatus(#[from] UnknownStatus),
}

fn hear(streams: &mut Streams<'_>, line: &[u8]) -> Result<Finished, Unread> {
    let told: Told = serde_json::from_slice(line)?;
    let result: TestStatus = told.result.parse()?;
    streams.flush();
    let text = |text: Option<String>| text.map(String::into_bytes);
    if let Some(log) = text(told.stderr) {
        streams.reporter.running_text(Running::Stderr { log, log_only: false });
    }
    if let Some(log) = text(told.stdout) {
        streams.reporter.running_text(Running::Stdout { log, log_only: false });
    }
    let Told { fail_reason, fail_class, traceback, .. } = told;
    Ok(Finished { fail_reason, fail_class, traceback, ..Finished::new(result) })
}

#[cfg(test)]
mod tests {
    use super::dotted_name;

    #[test]
    fn a_uri_is_a_file_with_a_class_and_a_method() {
        let cases = [
            ("./tests/foo.py:ClassFoo.test_bar", Some(("./tests", "foo.ClassFoo.test_bar"))),
            ("foo.py:A.b", Some(("", "foo.A.b"))),
            ("/foo.py:A.b", Some(("/", "foo.A.b"))),
            ("a:b/foo:A.B.c", Some(("a:b", "foo.A.B.c"))),
            ("foo.py", None),
            ("foo.py:A", None),
            (":A.b", None),
            ("foo.py:.b", None),
            ("", None),
        ];
        for (uri, expected) in cases {
            let found = dotted_name(uri);
            assert_eq!(found.as_ref().map(|(folder, name)| (*folder, name.as_str())), expected, "{uri}");
        }
    }
}
