//! `results.json`: a run and its tasks for programs, and the JSON Schema of that file.
//!
//! The file is written task by task, so that its size costs no memory. A change that a reader of the old form would
//! misread raises `VERSION`; a new optional key does not.

mod sections;
mod walks;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use self::sections::{PluginErrors, SectionTotals, TaskLog, TaskSections};
use self::walks::Walks;
use super::row::Row;
use super::summary::Summary;
use super::tasks::tasks;
use crate::model::{self, Exit, Outcome, OutputSize, Place, RaisedError, RunStarted, TaskNumber, Trial};

/// The version of the form of the file.
const VERSION: u32 = 1;

/// What the schema calls itself. It names the form and is no address.
const SCHEMA_ID: &str = "urn:rille:schema:results:1";

/// The language of the schema.
const META_SCHEMA: &str = "https://json-schema.org/draft/2020-12/schema";

/// The results of a run of Rille.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Results")]
struct Results<'a> {
    /// The version of this form.
    #[schemars(extend("const" = VERSION))]
    version: u32,
    /// The version of the program that made the run.
    rille: &'a str,
    /// The run as a whole.
    run: Run<'a>,
    /// How many tasks ended in which way.
    counts: TaskCounts,
    /// How many sections of testscripts ended in which way.
    #[serde(skip_serializing_if = "Option::is_none")]
    section_counts: Option<SectionTotals>,
    /// Plugins that failed.
    #[serde(skip_serializing_if = "PluginErrors::is_empty")]
    #[schemars(with = "Option<PluginErrors<'a>>")]
    plugin_errors: PluginErrors<'a>,
    /// Walks: what became of them, suite by suite.
    #[serde(skip_serializing_if = "Walks::is_empty")]
    #[schemars(with = "Option<Walks<'a>>")]
    walks: Walks<'a>,
    /// What the user should know.
    warnings: Warnings<'a>,
    /// The tasks in the order in which they were queued.
    tasks: Tasks<'a>,
}

/// The run as a whole.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Run<'a> {
    /// The run's id, 32 hexadecimal digits.
    id: &'a str,
    /// The reporting name.
    name: &'a str,
    /// Which front door it came by: `job`, `operation`, `test` or `walk`.
    door: &'a str,
    /// The absolute path of the jobfile.
    file: &'a str,
    /// SHA-256 of the jobfile, hexadecimal.
    file_hash: &'a str,
    /// The command line.
    argv: &'a [String],
    /// The metadata that it was given, texts by their keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "Option<BTreeMap<&'a str, &'a str>>")]
    meta: BTreeMap<&'a str, &'a str>,
    /// The host's name.
    host: &'a str,
    /// Who ran it.
    user: &'a str,
    /// When it started, by the real-time clock.
    started: Option<DateTime<Utc>>,
    /// When it was resumed for the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<DateTime<Utc>>,
    /// The id of the run of which it repeats a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerun_of: Option<&'a str>,
    /// When it stopped; null for a run without an end.
    stopped: Option<DateTime<Utc>>,
    /// Seconds from its start to its end, by the monotonic clock; to its last event if it has no end.
    seconds: f64,
    /// Whether the run came to its end. False for one that is under way or whose host died.
    complete: bool,
    /// The roll-up of the run; null when nothing ran. A run without an end is errored at least.
    result: Option<TaskResult<'a>>,
    /// The exit code of the host; null for a run without an end.
    exit_code: Option<i32>,
    /// The error that `main` raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RaisedError>,
    /// The first signal that asked the host to stop, such as `SIGINT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted_by: Option<String>,
}

/// How a run or a task ended.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Result")]
struct TaskResult<'a> {
    /// The outcome.
    value: Outcome,
    /// The number that pyATS gives it: passed 1, failed 0, errored 5, aborted 2, blocked 3, skipped 4, passx 8.
    code: u8,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<std::borrow::Cow<'a, str>>,
    /// What the script gave with its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a model::Value>,
}

/// How many tasks ended in which way.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Counts")]
struct TaskCounts {
    /// Did what they should.
    passed: u32,
    /// Say themselves that they did not do what they should.
    failed: u32,
    /// Ended in a way that says nothing of the thing under test.
    errored: u32,
    /// Were ended from outside before they could tell.
    aborted: u32,
    /// Could not start because something they need did not pass.
    blocked: u32,
    /// Were left out on purpose.
    skipped: u32,
    /// Passed, with a remark.
    passx: u32,
    /// All tasks that were queued.
    total: u32,
    /// Tasks without an end.
    unfinished: u32,
}

/// Something the user should know.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Warning {
    /// The text.
    text: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

/// A task.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Task")]
struct TaskEntry<'a> {
    /// Its number in the run, from 1.
    number: TaskNumber,
    /// Its id, unique in the run.
    id: &'a str,
    /// The runner kind.
    kind: &'a str,
    /// What was run, for most kinds a path.
    uri: &'a str,
    /// Its folder, relative to the run directory.
    folder: &'a str,
    /// Its labels.
    tags: &'a [String],
    /// Where it was defined.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    /// How it ended; null for a task without an end.
    result: Option<TaskResult<'a>>,
    /// How the process of its latest attempt ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<Exit>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_text: Option<String>,
    /// Attempts that were started.
    attempts: u32,
    /// Whether it passed, but not at the first attempt.
    flaky: bool,
    /// Whether `main` returned while it was alive.
    dangling: bool,
    /// Its end is from before the run was resumed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reused: bool,
    /// When its first attempt started, by the real-time clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<DateTime<Utc>>,
    /// Seconds that its latest attempt took, by the monotonic clock, pauses left out.
    seconds: f64,
    /// What its latest attempt wrote to standard output.
    stdout: StreamSize,
    /// What its latest attempt wrote to standard error.
    stderr: StreamSize,
    /// Processes that were still there after its end and had to be killed.
    killed_leftovers: u32,
    /// The log of its latest attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<TaskLog>,
    /// The trial of a batch that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<&'a Trial>,
    /// The sections of its testscript, of its latest attempt.
    #[serde(skip_serializing_if = "TaskSections::is_empty")]
    #[schemars(with = "Option<TaskSections<'a>>")]
    sections: TaskSections<'a>,
}

/// How much a stream carried, and how much of it was kept.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct StreamSize {
    /// Bytes that were written.
    bytes: u64,
    /// Bytes of them that were left out of the file, between its head and its tail.
    left_out: u64,
}

#[derive(JsonSchema)]
#[schemars(transparent)]
struct Warnings<'a>(#[schemars(with = "Vec<Warning>")] &'a Summary);

impl Serialize for Warnings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.warnings().map(|(text, place)| Warning { text, place }))
    }
}

#[derive(JsonSchema)]
#[schemars(transparent)]
struct Tasks<'a>(#[schemars(with = "Vec<TaskEntry<'a>>")] &'a Summary);

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(tasks(self.0).map(TaskEntry::from))
    }
}

impl<'a> From<&'a Row> for TaskEntry<'a> {
    fn from(row: &'a Row) -> Self {
        TaskEntry {
            number: row.number,
            id: row.id(),
            kind: row.kind(),
            uri: row.uri(),
            folder: row.folder(),
            tags: row.tags(),
            place: row.place(),
            result: row.outcome.map(|value| TaskResult {
                value,
                code: value.code(),
                reason: row.reason().map(Into::into),
                data: row.data(),
            }),
            exit: row.exit,
            exit_text: row.exit.map(|exit| exit.to_string()),
            attempts: row.attempts,
            flaky: row.is_flaky(),
            dangling: row.dangling,
            reused: row.reused,
            started: row.started,
            seconds: row.seconds,
            stdout: row.stdout().into(),
            stderr: row.stderr().into(),
            killed_leftovers: row.killed_leftovers(),
            log: TaskLog::of(row),
            trial: row.trial(),
            sections: TaskSections(row),
        }
    }
}

impl From<OutputSize> for StreamSize {
    fn from(size: OutputSize) -> Self {
        StreamSize { bytes: size.bytes, left_out: size.left_out }
    }
}

impl From<&Summary> for TaskCounts {
    fn from(summary: &Summary) -> Self {
        let counts = &summary.counts;
        TaskCounts {
            passed: counts.of(Outcome::Passed),
            failed: counts.of(Outcome::Failed),
            errored: counts.of(Outcome::Errored),
            aborted: counts.of(Outcome::Aborted),
            blocked: counts.of(Outcome::Blocked),
            skipped: counts.of(Outcome::Skipped),
            passx: counts.of(Outcome::Passx),
            total: counts.total,
            unfinished: counts.unfinished(),
        }
    }
}

/// Writes `results.json` of a run, in one pass and without holding it in memory.
pub(crate) fn write(summary: &Summary, to: impl Write) -> io::Result<()> {
    let header: Option<&RunStarted> = summary.header.as_deref();
    let text = |get: fn(&RunStarted) -> &String| header.map_or("", |header| get(header).as_str());
    let end = summary.end.as_ref();
    let results = Results {
        version: VERSION,
        rille: text(|header| &header.rille),
        run: Run {
            id: text(|header| &header.run_id),
            name: &summary.name,
            door: text(|header| &header.door),
            file: text(|header| &header.file),
            file_hash: text(|header| &header.file_hash),
            argv: header.map_or(&[], |header| &header.argv),
            meta: header.into_iter().flat_map(RunStarted::meta).collect(),
            host: text(|header| &header.host),
            user: text(|header| &header.user),
            started: summary.started,
            resumed: summary.resumed,
            rerun_of: header.and_then(|header| header.rerun_of.as_deref()),
            stopped: end.map(|end| end.time),
            seconds: summary.seconds(),
            complete: summary.is_complete(),
            result: run_result(summary),
            exit_code: end.map(|end| end.exit_code),
            error: summary.main_error.as_deref(),
            interrupted_by: summary.interrupted_by(),
        },
        counts: summary.into(),
        section_counts: summary.section_counts().map(Into::into),
        plugin_errors: PluginErrors(summary),
        walks: Walks(summary),
        warnings: Warnings(summary),
        tasks: Tasks(summary),
    };
    let mut to = BufWriter::new(to);
    serde_json::to_writer(&mut to, &results)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// Returns the result of the run. Of one without an end nobody knows that it would have passed.
fn run_result(summary: &Summary) -> Option<TaskResult<'_>> {
    let (value, reason) = if summary.is_complete() {
        (summary.outcome()?, summary.reason())
    } else {
        let value = summary.outcome().map_or(Outcome::Errored, |outcome| outcome.and(Outcome::Errored));
        (value, summary.reason().or_else(|| Some("the run has no end".to_owned())))
    };
    Some(TaskResult { value, code: value.code(), reason: reason.map(Into::into), data: None })
}

/// Returns the JSON Schema of `results.json` (draft 2020-12).
pub(crate) fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let body = generator.into_root_schema_for::<Results<'_>>().to_value();
    let mut schema = Map::new();
    for (key, value) in [("$schema", META_SCHEMA), ("$id", SCHEMA_ID), ("title", "Rille results")] {
        schema.insert(key.to_owned(), value.into());
    }
    if let Value::Object(body) = body {
        body.into_iter().filter(|(key, _)| key != "title").for_each(|(key, value)| drop(schema.insert(key, value)));
    }
    Value::Object(schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{end, finished, fold, job, queued, run_started, started};
    use super::*;

    fn results(summary: &Summary) -> Value {
        let mut bytes = Vec::new();
        write(summary, &mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn results_keep_to_the_schema_and_broken_ones_do_not() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let mut lost = job();
        lost.truncate(12);
        for kinds in [job(), lost, vec![run_started()], Vec::new()] {
            let value = results(&fold(kinds));
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?} in {value}");
        }
        let breaks: [fn(&mut Value); 6] = [
            |v| v["more"] = json!(1),
            |v| v["tasks"][0]["result"]["value"] = json!("fine"),
            |v| v["tasks"][0]["exit"] = json!({ "code": 0, "signal": 9 }),
            |v| v["run"]["started"] = json!(7),
            |v| v["counts"]["passed"] = json!(-1),
            |v| drop(v["tasks"][0].as_object_mut().unwrap().remove("id")),
        ];
        for (index, damage) in breaks.into_iter().enumerate() {
            let mut value = results(&fold(job()));
            damage(&mut value);
            assert!(!validator.is_valid(&value), "break {index} is let through");
        }
    }

    #[test]
    fn a_task_and_its_run_are_told_in_full() {
        let value = results(&fold(job()));
        let run = &value["run"];
        assert_eq!(
            (&run["complete"], &run["exit_code"], &run["result"]["value"]),
            (&json!(true), &json!(1), &json!("errored"))
        );
        assert_eq!(
            value["counts"],
            json!({ "passed": 2, "failed": 1, "errored": 1, "aborted": 0, "blocked": 1,
            "skipped": 0, "passx": 0, "total": 5, "unfinished": 0 })
        );
        assert_eq!(
            value["tasks"][3],
            json!({
                "number": 4, "id": "traffic", "kind": "lua", "uri": "/jobs/traffic.lua", "folder": "tasks/4-traffic",
                "tags": [], "place": { "file": "nightly.lua", "line": 7 },
                "result": { "value": "errored", "code": 5, "reason": "killed by SIGKILL (signal 9)" },
                "exit": { "signal": 9 }, "exit_text": "killed by SIGKILL (signal 9)", "attempts": 1, "flaky": false,
                "dangling": false, "started": "2026-11-21T09:00:01.500Z", "seconds": 75.2,
                "stdout": { "bytes": 5_000_000, "left_out": 1_000_000 }, "stderr": { "bytes": 900, "left_out": 0 },
                "killed_leftovers": 2,
            })
        );
    }

    #[test]
    fn a_run_without_an_end_is_never_passed() {
        let kinds = vec![run_started(), queued(1, "a", 0), started(1, 1), end(finished(1, Outcome::Passed, None))];
        let value = results(&fold(kinds));
        assert_eq!(value["run"]["result"], json!({ "value": "errored", "code": 5, "reason": "the run has no end" }));
        assert_eq!((&value["run"]["complete"], &value["run"]["stopped"]), (&json!(false), &Value::Null));
    }

    #[test]
    fn the_schema_is_stable() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&schema()).unwrap());
    }
}
