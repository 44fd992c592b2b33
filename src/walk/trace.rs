//! The grammar of traces: one JSON object a line, so that they can be read, compared, and cut by hand.
//!
//! The first line of a trace says what it is of: `{"trace": 1, "run": "…", "suite": "FILE", "state": …}`. Before a portion of a walk
//! runs: `{"walk_id": 6, "walk": [{"A": 1}, {"B": 2}], "serial_action": null}`; after it `{"walk_id": 6, "outcome":
//! "failed", "seconds": 0.000012, "error": "…"}`. A master file begins with `{"id": "master"}` and lists traces:
//! `{"worker": 1, "trace": "FILE"}`. Blank lines and lines that begin with `#` or `--` are comments. A last line without
//! its end is one that was being written: it counts if it is whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The version of the grammar.
const VERSION: u32 = 1;

/// Why a walk cannot be read from traces.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TraceError {
    /// No line has the id.
    #[error("cannot find walk with id {id} in {}{}", .files.join(", "), near(.ids.as_ref()))]
    NotFound {
        /// The id.
        id: u64,
        /// Where it was looked for.
        files: Vec<String>,
        /// The first and the last id that is there, if any.
        ids: Option<(u64, u64)>,
    },
    /// A line is none of the grammar.
    #[error("{file}:{line}: {problem}")]
    Line {
        /// The trace.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

fn near(ids: Option<&(u64, u64)>) -> String {
    match ids {
        Some((first, last)) => format!("; the ids in it go from {first} to {last}"),
        None => "; there is no walk in it".to_owned(),
    }
}

/// A walk as traces have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Its actions as `{"NAME": OPTION}`, serial ones at their place.
    pub(crate) walk: Vec<Value>,
    /// The file that defines the actions, if the trace says.
    pub(crate) suite: Option<PathBuf>,
    /// The state with which its walks began, if the trace says.
    pub(crate) state: Option<Value>,
}

/// Appends the first line of a trace. `run` tells the walks of one call of `run_tests` from those of others in the folder.
pub(crate) fn push_header(out: &mut Vec<u8>, run: &str, suite: &Path, state: &Value) {
    push(out, &json!({ "trace": VERSION, "run": run, "suite": suite.to_string_lossy(), "state": state }));
}

/// Returns the path of a worker's trace in the folder for them.
pub(crate) fn of_worker(folder: &Path, worker: u32) -> PathBuf {
    folder.join(format!("worker-{worker}.trace"))
}

/// Appends the first line of a master file.
pub(crate) fn push_master(out: &mut Vec<u8>) {
    push(out, &json!({ "id": "master" }));
}

/// Appends the line of a master file that names the trace of a worker.
pub(crate) fn push_listed(out: &mut Vec<u8>, worker: u32, trace: &Path) {
    push(out, &json!({ "worker": worker, "trace": trace.to_string_lossy() }));
}

/// Returns an action with its option as it stands in a line.
pub(crate) fn action(name: &str, option: &Value) -> String {
    format!("{{{}: {option}}}", Value::from(name))
}

/// Appends the line that stands before a portion runs. Actions are written as [`action`] gives them.
pub(crate) fn push_portion<'a>(
    out: &mut Vec<u8>,
    id: u64,
    actions: impl IntoIterator<Item = &'a str>,
    serial: Option<&str>,
) {
    out.extend_from_slice(b"{\"walk_id\": ");
    push_number(out, id);
    out.extend_from_slice(b", \"walk\": [");
    for (number, action) in actions.into_iter().enumerate() {
        if number > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(action.as_bytes());
    }
    out.extend_from_slice(b"], \"serial_action\": ");
    out.extend_from_slice(serial.unwrap_or("null").as_bytes());
    out.extend_from_slice(b"}\n");
}

/// Appends the line that stands after a portion.
pub(crate) fn push_outcome(out: &mut Vec<u8>, id: u64, outcome: &str, nanoseconds: u64, error: Option<&str>) {
    out.extend_from_slice(b"{\"walk_id\": ");
    push_number(out, id);
    // Writing to memory cannot fail.
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let _ = write!(out, ", \"outcome\": \"{outcome}\", \"seconds\": {seconds}.{rest:09}");
    if let Some(error) = error {
        let _ = write!(out, ", \"error\": {}", Value::from(error));
    }
    out.extend_from_slice(b"}\n");
}

/// Returns the traces that a master file lists; none if it is no master file.
pub(crate) fn listed(text: &[u8]) -> Vec<PathBuf> {
    let mut lines = lines(text).filter_map(|(_, line)| serde_json::from_slice::<Value>(line).ok());
    if !lines.next().is_some_and(|first| first["id"] == "master") {
        return Vec::new();
    }
    lines.filter_map(|line| Some(PathBuf::from(line["trace"].as_str()?))).collect()
}

/// Finds a walk in traces, and joins its portions in the order of the lines, a serial action before the portion that
/// follows it.
pub(crate) fn find<'a>(files: impl IntoIterator<Item = (&'a Path, &'a [u8])>, id: u64) -> Result<Found, TraceError> {
    let mut found = Found::default();
    let mut found_in = None;
    let mut searched = Vec::new();
    let mut ids: Option<(u64, u64)> = None;
    for (path, text) in files {
        searched.push(path.display().to_string());
        let (mut run, mut suite, mut state) = (None, None, None);
        let last = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for (number, line) in lines(text) {
            let is_torn = line.as_ptr() as usize - text.as_ptr() as usize >= last;
            let fail = |problem: String| TraceError::Line { file: path.display().to_string(), line: number, problem };
            let line: Value = match serde_json::from_slice(line) {
                Ok(line) => line,
                Err(_) if is_torn => continue,
                Err(error) => return Err(fail(format!("this is no JSON ({error}); a comment begins with #"))),
            };
            if line["trace"].is_number() {
                run = line["run"].as_str().map(str::to_owned);
                suite = line["suite"].as_str().map(PathBuf::from);
                state = line.get("state").cloned();
            }
            let Some(walk_id) = line.get("walk_id") else { continue };
            let walk_id = walk_id.as_u64().ok_or_else(|| fail(format!("the walk_id is a number, not {walk_id}")))?;
            ids = Some(ids.map_or((walk_id, walk_id), |(first, last)| (first.min(walk_id), last.max(walk_id))));
            let Some(walk) = line.get("walk").filter(|_| walk_id == id) else { continue };
            let walk = walk.as_array().ok_or_else(|| fail("the walk is a list of {\"ACTION\": OPTION}".to_owned()))?;
            // What an earlier run left in the same folder is another walk.
            if found_in.as_ref().is_none_or(|other| *other != run) {
                found = Found::default();
                found_in = Some(run.clone());
            }
            let serial = line.get("serial_action").filter(|serial| !serial.is_null());
            for action in serial.into_iter().chain(walk) {
                if action.as_object().is_none_or(|fields| fields.len() != 1) {
                    return Err(fail(format!("an action is {{\"NAME\": OPTION}}, not {action}")));
                }
                found.walk.push(action.clone());
            }
            found.suite = found.suite.take().or_else(|| suite.clone());
            found.state = found.state.take().or_else(|| state.clone());
        }
    }
    if found_in.is_some() { Ok(found) } else { Err(TraceError::NotFound { id, files: searched, ids }) }
}

/// Returns the lines that are no comments, with their numbers from 1.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    (1..).zip(text.split(|byte| *byte == b'\n')).filter_map(|(number, line)| {
        let line = line.trim_ascii();
        let is_comment = line.is_empty() || line.starts_with(b"#") || line.starts_with(b"--");
        (!is_comment).then_some((number, line))
    })
}

fn push(out: &mut Vec<u8>, line: &Value) {
    // Writing to memory cannot fail.
    let _ = writeln!(out, "{line}");
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_in(text: &str, id: u64) -> Result<String, String> {
        let found = find([(Path::new("x.trace"), text.as_bytes())], id);
        found.map(|found| Value::from(found.walk).to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_those_of_the_grammar() {
        let mut out = Vec::new();
        let (first, second) = (action("A \"1\"", &json!(1)), action("Fail", &json!({ "x": [] })));
        push_portion(&mut out, 6, [first.as_str(), second.as_str()], None);
        push_portion(&mut out, u64::MAX, [], Some(&action("S", &json!("on"))));
        push_outcome(&mut out, 6, "failed", 1_000_012_000, Some("two is \"bad\"\n"));
        push_outcome(&mut out, 0, "passed", 12_000, None);
        let expected = r#"{"walk_id": 6, "walk": [{"A \"1\"": 1}, {"Fail": {"x":[]}}], "serial_action": null}
{"walk_id": 18446744073709551615, "walk": [], "serial_action": {"S": "on"}}
{"walk_id": 6, "outcome": "failed", "seconds": 1.000012000, "error": "two is \"bad\"\n"}
{"walk_id": 0, "outcome": "passed", "seconds": 0.000012000}
"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
        for line in expected.lines() {
            serde_json::from_str::<Value>(line).expect(line);
        }
    }

    const TRACE: &str = r#"# a comment
{"trace": 1, "suite": "/job.lua", "state": {"n": 0}}
{"walk_id": 6, "walk": [{"A": 1}, {"F": 2}], "serial_action": null}
-- and one more
{"walk_id": 2, "walk": [{"A": 0}, {"F": 2}], "serial_action": null}

{"walk_id": 6, "outcome": "passed", "seconds": 0.1}
  {"walk_id": 6, "walk": [{"C": "x"}], "serial_action": {"S": true}}
{"walk_id": 2, "walk": [{"C": "x"}], "serial"#;

    #[test]
    fn a_walk_is_joined_from_its_portions() {
        assert_eq!(find_in(TRACE, 6).as_deref(), Ok(r#"[{"A":1},{"F":2},{"S":true},{"C":"x"}]"#));
        // The torn line is not there.
        assert_eq!(find_in(TRACE, 2).as_deref(), Ok(r#"[{"A":0},{"F":2}]"#));
        let found = find([(Path::new("x"), TRACE.as_bytes())], 6).expect("it is there");
        assert_eq!((found.suite, found.state), (Some("/job.lua".into()), Some(json!({ "n": 0 }))));
    }

    #[test]
    fn walks_of_several_runs_in_one_trace_are_not_mixed() {
        let line = "{\"walk_id\": 1, \"walk\": [{\"A\": N}], \"serial_action\": null}\n";
        let part =
            |run: &str, option: &str| format!("{{\"trace\": 1, \"run\": \"{run}\"}}\n{}", line.replace('N', option));
        let text = part("a", "1") + &part("b", "2") + &part("b", "3");
        assert_eq!(find_in(&text, 1).as_deref(), Ok("[{\"A\":2},{\"A\":3}]"));
    }

    #[test]
    fn a_whole_last_line_needs_no_line_break() {
        assert_eq!(find_in(r#"{"walk_id": 1, "walk": []}"#, 1).as_deref(), Ok("[]"));
    }

    #[test]
    fn a_walk_may_go_on_in_another_trace() {
        let first = br#"{"walk_id": 1, "walk": [{"A": 1}], "serial_action": null}"#;
        let second = br#"{"walk_id": 1, "walk": [{"B": 2}], "serial_action": {"S": 0}}"#;
        let found = find([(Path::new("a"), &first[..]), (Path::new("b"), &second[..])], 1).expect("it is there");
        assert_eq!(Value::from(found.walk).to_string(), r#"[{"A":1},{"S":0},{"B":2}]"#);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases = [
            (TRACE, 99, "cannot find walk with id 99 in x.trace; the ids in it go from 2 to 6"),
            ("# nothing", 1, "cannot find walk with id 1 in x.trace; there is no walk in it"),
            (
                "{\"walk_id\": 1}\nwhat\n",
                1,
                "x.trace:2: this is no JSON (expected value at line 1 column 1); a comment begins with #",
            ),
            ("{\"walk_id\": -1}\n", 1, "x.trace:1: the walk_id is a number, not -1"),
            ("{\"walk_id\": 1, \"walk\": {}}\n", 1, "x.trace:1: the walk is a list of {\"ACTION\": OPTION}"),
            ("{\"walk_id\": 1, \"walk\": [3]}\n", 1, "x.trace:1: an action is {\"NAME\": OPTION}, not 3"),
        ];
        for (text, id, expected) in cases {
            assert_eq!(find_in(text, id).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn a_master_file_lists_traces() {
        let mut text = Vec::new();
        push_master(&mut text);
        push_listed(&mut text, 1, Path::new("logs/a.trace"));
        push_listed(&mut text, 2, Path::new("logs/b.trace"));
        assert_eq!(listed(&text), [PathBuf::from("logs/a.trace"), "logs/b.trace".into()]);
        assert_eq!(listed(TRACE.as_bytes()), Vec::<PathBuf>::new());
    }
}
