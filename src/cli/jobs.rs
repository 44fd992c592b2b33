//! `rille jobs`: the runs of jobfiles and of tests; two of them are told apart test by test.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::Local;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::output::{one_line, table, terminal_width, write_json, write_out};
use super::{Failure, show};
use crate::job::Door;
use crate::model::EventKind;
use crate::report::{Row, Summary};
use crate::store::{self, Home, RunInfo};

/// Runs that are listed where nothing else is said.
const GROUP: usize = 20;

/// Lists runs of jobfiles and of tests, and shows one.
#[derive(Args, Debug)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Subcommand, Debug)]
enum JobsCommand {
    /// List runs of jobfiles and of tests, newest first, with how many tests ended in which way
    List(ListArgs),
    /// Show a run as the console did, with every test
    Show(ShowArgs),
    /// Show which tests ended differently in two runs; of two runs of tests `rille diff` shows the same
    Diff(DiffArgs),
}

/// Lists runs.
#[derive(Args, Debug)]
struct ListArgs {
    /// List at most N runs
    #[arg(short = 'n', long, value_name = "N", default_value_t = GROUP, conflicts_with = "all")]
    limit: usize,
    /// List all runs
    #[arg(long, short)]
    all: bool,
    /// Write JSON: a list of objects
    #[arg(long)]
    json: bool,
}

/// Shows a run.
#[derive(Args, Debug)]
struct ShowArgs {
    /// The run: its id, the beginning of it, `latest`, or the path of its directory
    #[arg(value_name = "RUN", default_value = "latest")]
    id: String,
    /// Write what results.json holds
    #[arg(long)]
    json: bool,
}

/// Compares two runs.
#[derive(Args, Debug)]
struct DiffArgs {
    /// The first run: its id, the beginning of it, `latest`, or the path of its directory
    #[arg(value_name = "RUN")]
    one: String,
    /// The second
    #[arg(value_name = "RUN")]
    other: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs `rille jobs` and returns the exit code.
pub(crate) fn main(args: &JobsArgs, home: &Home) -> Result<i32, Failure> {
    match &args.command {
        JobsCommand::List(list) => list_jobs(list, home),
        JobsCommand::Show(args) => show::main(home, &args.id, args.json),
        JobsCommand::Diff(args) => diff(&home.find(&args.one)?, &home.find(&args.other)?, args.json),
    }
}

/// What a list says of a run.
#[derive(Serialize)]
struct Listed {
    id: String,
    door: &'static str,
    name: String,
    started: Option<chrono::DateTime<chrono::Utc>>,
    status: store::Status,
    result: Option<String>,
    counts: BTreeMap<&'static str, usize>,
}

fn list_jobs(args: &ListArgs, home: &Home) -> Result<i32, Failure> {
    let most = if args.all { usize::MAX } else { args.limit };
    let listed: Vec<Listed> = store::list(home)?.iter().filter_map(listed).take(most).collect();
    if args.json {
        return write_json(&listed).map(|()| 0);
    }
    let mut rows = vec![["ID", "DOOR", "NAME", "STARTED", "STATUS", "RESULT", "TESTS"].map(str::to_owned)];
    rows.extend(listed.iter().map(|run| {
        let started = run.started.map(|time| time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string());
        let counts: Vec<String> = run.counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let result = run.result.clone().unwrap_or_default();
        [
            run.id.chars().take(8).collect(),
            run.door.to_owned(),
            run.name.clone(),
            started.unwrap_or_default(),
            run.status.to_string(),
            result,
            counts.join(", "),
        ]
        .map(|cell: String| one_line(&cell))
    }));
    if listed.is_empty() {
        eprintln!("no runs of jobfiles or of tests");
        return Ok(0);
    }
    write_out(&table(&rows, terminal_width()).into_iter().map(|line| line + "\n").collect::<String>())?;
    Ok(0)
}

/// Returns what a list says of a run, if it is one of a jobfile or of tests. One that is damaged says what can be read.
fn listed(run: &RunInfo) -> Option<Listed> {
    let path = run.path.join(".guild/events.jsonl");
    let mut events = store::read(&path).ok()?;
    let first = events.next()?.ok()?;
    let EventKind::RunStarted(header) = &first.kind else { return None };
    let door = [Door::Job, Door::Test].into_iter().find(|door| door.name() == header.door)?;
    let mut summary = Summary::default();
    summary.apply(&first);
    for event in events {
        let Ok(event) = event else { break };
        summary.apply(&event);
    }
    let mut counts = BTreeMap::new();
    for row in tests(&summary) {
        *counts.entry(word(row, door)).or_default() += 1;
    }
    Some(Listed {
        id: run.id.clone(),
        door: door.name(),
        name: summary.name.clone(),
        started: run.started.or(run.initialized),
        status: run.status,
        result: summary.outcome().map(|outcome| outcome.to_string()),
        counts,
    })
}

fn tests(summary: &Summary) -> impl Iterator<Item = &Row> {
    summary.rows().iter().filter(|row| !row.prepares())
}

/// Returns how a test ended, in the words of its door.
fn word(row: &Row, door: Door) -> &'static str {
    match (row.outcome, row.status(), door) {
        (Some(outcome), _, Door::Job) => outcome.name(),
        (Some(_), Some(status), Door::Test) => status.title(),
        _ => "unfinished",
    }
}

/// Returns whether the run in this directory is one of tests.
pub(crate) fn is_of_tests(directory: &Path) -> bool {
    let first = store::read(&directory.join(".guild/events.jsonl")).ok().and_then(|mut events| events.next()?.ok());
    matches!(first.map(|event| event.kind), Some(EventKind::RunStarted(header)) if header.door == Door::Test.name())
}

/// Compares the runs in two directories: 0 if every test ended alike in both, else 1.
pub(crate) fn diff(one: &Path, other: &Path, as_json: bool) -> Result<i32, Failure> {
    let (one, other) = (Side::read(one)?, Side::read(other)?);
    let ids: std::collections::BTreeSet<&String> = one.tests.keys().chain(other.tests.keys()).collect();
    let mut changed = Vec::new();
    for id in ids {
        let ends = [&one, &other].map(|side| side.tests.get(id).map_or("absent", |(word, _)| *word));
        if ends[0] != ends[1] {
            let reason = |side: &Side| side.tests.get(id).and_then(|(_, reason)| reason.clone());
            changed.push((id, ends, reason(&other).or_else(|| reason(&one))));
        }
    }
    if as_json {
        let tests: Vec<_> = changed
            .iter()
            .map(|(id, ends, reason)| json!({ "id": id, "one": ends[0], "other": ends[1], "reason": reason }))
            .collect();
        write_json(&json!({ "one": one.about(), "other": other.about(), "tests": tests }))?;
        return Ok(i32::from(!changed.is_empty()));
    }
    let mut text = String::new();
    for (name, left, right) in [
        ("run", &one.id, &other.id),
        ("started", &one.started, &other.started),
        ("command", &one.command, &other.command),
        ("host", &one.host, &other.host),
    ] {
        if left != right {
            text.extend([name, ":\n- ", &one_line(left), "\n+ ", &one_line(right), "\n"]);
        }
    }
    if changed.is_empty() {
        text.extend(["All ", &one.tests.len().to_string(), " tests ended alike.\n"]);
        return write_out(&text).map(|()| 0);
    }
    let mut rows = vec![["TEST", "ONE", "OTHER", "REASON"].map(str::to_owned)];
    rows.extend(changed.iter().map(|(id, ends, reason)| {
        [(*id).clone(), ends[0].to_owned(), ends[1].to_owned(), reason.clone().unwrap_or_default()]
            .map(|cell| one_line(&cell))
    }));
    text += &table(&rows, terminal_width()).into_iter().map(|line| line + "\n").collect::<String>();
    write_out(&text).map(|()| 1)
}

/// One of two runs.
struct Side {
    id: String,
    started: String,
    command: String,
    host: String,
    /// How each test ended, and why.
    tests: BTreeMap<String, (&'static str, Option<String>)>,
}

impl Side {
    fn read(directory: &Path) -> Result<Side, Failure> {
        let summary = read_summary(directory)?;
        let header = summary.header.as_deref();
        let door = match header.map(|header| header.door.as_str()) {
            Some(name) if name == Door::Test.name() => Door::Test,
            _ => Door::Job,
        };
        let end = |row: &Row| (row.id().to_owned(), (word(row, door), row.reason().map(str::to_owned)));
        Ok(Side {
            id: store::run_id(directory),
            started: summary.started.map(|time| time.to_rfc3339()).unwrap_or_default(),
            command: header.map(|header| header.argv.join(" ")).unwrap_or_default(),
            host: header.map(|header| header.host.clone()).unwrap_or_default(),
            tests: tests(&summary).map(end).collect(),
        })
    }

    fn about(&self) -> serde_json::Value {
        json!({ "id": self.id, "started": self.started, "command": self.command, "host": self.host })
    }
}

/// Returns what the events of a run say.
pub(crate) fn read_summary(directory: &Path) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    for event in store::read(&directory.join(".guild/events.jsonl"))? {
        summary.apply(&event?);
    }
    Ok(summary)
}
