//! `results.json` of a run of tests, with the keys that Avocado's has, so that what reads the one reads the other.
//!
//! Other than in the original, tests that never started are in the list too. Times of tests are those of the real clock.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Local, Utc};
use serde::{Serialize, Serializer};

use super::excerpt::ReadFile;
use super::row::Row;
use super::summary::Summary;
use super::tasks::tests;
use super::test_names::plain_name;
use crate::model::{QUARANTINE, TestStatus};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What Avocado writes where there is nothing.
const NOTHING: &str = "<unknown>";

/// Bytes of a whiteboard that the file holds.
const WHITEBOARD: u64 = 1 << 20;

/// The file. The keys are in the order of the original, which sorts them.
#[derive(Serialize)]
struct Results<'a> {
    cancel: usize,
    debuglog: String,
    errors: usize,
    failures: usize,
    interrupt: usize,
    job_id: &'a str,
    /// The metadata of the run. The original knows none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<&'a str, &'a str>,
    pass: usize,
    /// How many tests are in quarantine, which are in no other count. The original knows none.
    #[serde(skip_serializing_if = "is_zero")]
    quarantined: usize,
    skip: usize,
    start: String,
    tests: Tests<'a>,
    time: f64,
    total: usize,
    warn: usize,
}

/// One test.
#[derive(Serialize)]
struct Test<'a> {
    actual_time_end: Option<f64>,
    actual_time_start: Option<f64>,
    fail_reason: &'a str,
    id: &'a str,
    logdir: String,
    logfile: String,
    name: &'a str,
    status: &'static str,
    tags: BTreeMap<&'a str, Option<Vec<&'a str>>>,
    time_elapsed: f64,
    time_end: Option<f64>,
    time_start: Option<f64>,
    whiteboard: String,
}

/// The tests, made one by one.
struct Tests<'a> {
    summary: &'a Summary,
    directory: &'a Path,
    read: ReadFile<'a>,
}

impl Serialize for Tests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(tests(self.summary).map(|row| self.test(row)))
    }
}

impl Tests<'_> {
    fn test<'r>(&self, row: &'r Row) -> Test<'r> {
        let path = |file: &str| self.directory.join(row.path_of(file)).to_string_lossy().into_owned();
        let start = row.started.map(seconds);
        let end = row.outcome.and(start).map(|start| start + row.seconds);
        let whiteboard = (self.read)(&row.path_of("whiteboard"), 0, WHITEBOARD);
        Test {
            actual_time_end: end,
            actual_time_start: start,
            fail_reason: row.reason().unwrap_or(NOTHING),
            id: row.id(),
            logdir: self.directory.join(row.latest_folder()).to_string_lossy().into_owned(),
            logfile: path(row.log_name()),
            name: plain_name(row),
            status: status(row).title(),
            tags: tags(row),
            time_elapsed: row.seconds,
            time_end: end,
            time_start: start,
            whiteboard: whiteboard
                .map_or_else(|| NOTHING.to_owned(), |(bytes, _)| String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

/// Returns how a test ended. Of one without an end nobody knows that it would have passed.
fn status(row: &Row) -> TestStatus {
    row.status().unwrap_or(TestStatus::Interrupted)
}

fn seconds(time: DateTime<Utc>) -> f64 {
    (time - DateTime::UNIX_EPOCH).as_seconds_f64()
}

/// Returns the labels by name, with the values of each.
fn tags(row: &Row) -> BTreeMap<&str, Option<Vec<&str>>> {
    let mut tags: BTreeMap<&str, Option<Vec<&str>>> = BTreeMap::new();
    for tag in row.tags().iter().filter(|tag| !tag.starts_with(QUARANTINE)) {
        match tag.split_once(':') {
            Some((name, value)) => tags.entry(name).or_default().get_or_insert_default().push(value),
            None => drop(tags.entry(tag).or_default()),
        }
    }
    tags
}

/// Writes the results of a run of tests in `directory`. `read` reads the files of its tests.
pub(crate) fn write(summary: &Summary, directory: &Path, read: ReadFile<'_>, to: impl Write) -> io::Result<()> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut time = 0.0;
    let mut quarantined = 0;
    for row in tests(summary) {
        time += row.seconds;
        if row.quarantine().is_some() {
            quarantined += 1;
            continue;
        }
        *counts.entry(status(row).name()).or_default() += 1;
    }
    let count = |status: TestStatus| counts.get(status.name()).copied().unwrap_or(0);
    let start = summary.started.map(|start| start.with_timezone(&Local).naive_local());
    let results = Results {
        cancel: count(TestStatus::Cancel),
        debuglog: directory.join("job.log").to_string_lossy().into_owned(),
        errors: count(TestStatus::Error),
        failures: count(TestStatus::Fail),
        interrupt: count(TestStatus::Interrupted),
        job_id: summary.header.as_ref().map_or("", |header| header.run_id.as_str()),
        meta: summary.header.iter().flat_map(|header| header.meta()).collect(),
        pass: count(TestStatus::Pass),
        quarantined,
        skip: count(TestStatus::Skip),
        start: start.map(|start| start.format("%Y-%m-%d %H:%M:%S%.6f").to_string()).unwrap_or_default(),
        tests: Tests { summary, directory, read },
        time,
        total: tests(summary).count(),
        warn: count(TestStatus::Warn),
    };
    let mut to = BufWriter::new(to);
    serde_json::to_writer_pretty(&mut to, &results)?;
    to.write_all(b"\n")?;
    to.flush()
}
