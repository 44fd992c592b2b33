//! The sections of a task, failures of plugins and their counts in `results.json`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::TaskResult;
use crate::model::{Outcome, RaisedError, SectionKind, SectionNumber};
use crate::report::row::Row;
use crate::report::section_tree::{SectionCounts, SectionTree, Tally};
use crate::report::summary::Summary;

/// A section of a testscript: common setup or cleanup, a testcase, what they are made of, a step.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Section")]
struct SectionEntry<'a> {
    /// What kind of section.
    kind: SectionKind,
    /// Its name, unique among its siblings.
    uid: &'a str,
    /// The names from the top-level section down, parted by dots, such as `Ping.sweep[size=64]`.
    fullid: &'a str,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// The groups it is in.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
    /// The line of the testscript that defines it.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// How it ended; null for one without an end, and, where `reached` is false, for one that was never reached. What
    /// was open when its task ended is errored, or aborted with it.
    result: Option<TaskResult<'a>>,
    /// Whether it began or was passed over knowingly. False for one that was to come and never did.
    reached: bool,
    /// When it started, by the real-time clock. One that was passed over has not started.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<DateTime<Utc>>,
    /// Seconds it took, by the monotonic clock.
    seconds: f64,
    /// How many attempts it had, where there was more than one. All else is said of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    /// It passed, but not at the first attempt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    flaky: bool,
    /// The attempts before the last one, in order.
    #[serde(skip_serializing_if = "Parts::is_empty")]
    #[schemars(with = "Option<Vec<SectionEntry<'a>>>")]
    earlier: Parts<'a>,
    /// Where in the task's log its records are.
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<Logs<'a>>,
    /// Its parts: those that were reached in the order of their beginning, then the others.
    #[serde(skip_serializing_if = "Parts::is_empty")]
    #[schemars(with = "Option<Vec<SectionEntry<'a>>>")]
    sections: Parts<'a>,
}

/// Bytes of a file that a section has written.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Logs<'a> {
    /// The file, relative to the run directory.
    file: &'a str,
    /// Where the first byte stands in it, from 0.
    begin: u64,
    /// How many bytes.
    size: u64,
    /// The file was cut in the middle, and not all that the section has written is in it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Sections of one place, written one by one: the parts of a section, or the attempts before one.
struct Parts<'a> {
    tree: &'a SectionTree<'a>,
    numbers: std::borrow::Cow<'a, [SectionNumber]>,
    /// The full id of the section that they are in, with a dot behind it.
    prefix: &'a str,
    log: &'a str,
    /// They are attempts that others followed.
    is_earlier: bool,
}

impl Parts<'_> {
    fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut list = serializer.serialize_seq(Some(self.numbers.len()))?;
        for &number in &*self.numbers {
            let section = self.tree.get(number);
            let earlier = if self.is_earlier { Vec::new() } else { self.tree.earlier(number) };
            let state = self.tree.state(number);
            let prefix = format!("{}{}.", self.prefix, section.uid());
            list.serialize_element(&SectionEntry {
                kind: section.kind,
                uid: section.uid(),
                fullid: &prefix[..prefix.len() - 1],
                description: section.description(),
                groups: section.groups(),
                line: section.line(),
                result: state.outcome().map(|value| TaskResult {
                    value,
                    code: value.code(),
                    reason: self.tree.reason(number),
                    data: section.data(),
                }),
                reached: section.order > 0,
                started: section.started,
                seconds: section.seconds,
                attempts: (!self.is_earlier && section.attempt() > 1).then(|| section.attempt()),
                flaky: section.is_flaky(),
                earlier: Parts { numbers: earlier.into(), is_earlier: true, ..*self },
                logs: self.tree.log(number).map(|slice| Logs {
                    file: self.log,
                    begin: slice.begin,
                    size: slice.size,
                    truncated: slice.truncated,
                }),
                sections: Parts {
                    numbers: self.tree.parts(number).into(),
                    prefix: &prefix,
                    is_earlier: false,
                    ..*self
                },
            })?;
        }
        list.end()
    }
}

/// All sections of a task.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct TaskSections<'a>(#[schemars(with = "Vec<SectionEntry<'a>>")] pub(super) &'a Row);

impl TaskSections<'_> {
    /// Returns whether the task has no sections.
    pub(super) fn is_empty(&self) -> bool {
        self.0.sections().is_none_or(|sections| sections.len() == 0)
    }
}

impl Serialize for TaskSections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(tree) = SectionTree::of(self.0) else { return serializer.collect_seq(std::iter::empty::<()>()) };
        let log = self.0.path_of(self.0.log_name());
        let numbers = tree.parts(0).into();
        Parts { tree: &tree, numbers, prefix: "", log: &log, is_earlier: false }.serialize(serializer)
    }
}

/// The log of a task.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TaskLog {
    /// The file, relative to the run directory.
    file: String,
    /// Bytes that were written.
    bytes: u64,
    /// Bytes of them that were left out of the file, between its head and its tail.
    left_out: u64,
}

impl TaskLog {
    /// Returns what is told of the log of a task; `None` if it has none.
    pub(super) fn of(row: &Row) -> Option<Self> {
        let size = row.log();
        (!size.is_empty()).then(|| Self {
            file: row.path_of(row.log_name()),
            bytes: size.bytes,
            left_out: size.left_out,
        })
    }
}

/// How many sections of all tasks ended in which way. Steps are not counted.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SectionTotals {
    /// The testcases.
    testcases: SectionTally,
    /// The tests of testcases.
    tests: SectionTally,
    /// All sections: common setup and cleanup, subsections, testcases, setups, tests and cleanups.
    sections: SectionTally,
}

/// How many sections of a sort ended in which way.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct SectionTally {
    passed: u32,
    failed: u32,
    errored: u32,
    aborted: u32,
    blocked: u32,
    skipped: u32,
    passx: u32,
    /// Those that passed, but not at the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    flaky: Option<u32>,
    /// All of them.
    total: u32,
    /// Those that were to come and never did.
    not_reached: u32,
    /// Those that have begun and have no end.
    unfinished: u32,
}

impl From<SectionCounts> for SectionTotals {
    fn from(counts: SectionCounts) -> Self {
        Self { testcases: counts.testcases.into(), tests: counts.tests.into(), sections: counts.sections.into() }
    }
}

impl From<Tally> for SectionTally {
    fn from(tally: Tally) -> Self {
        Self {
            passed: tally.of(Outcome::Passed),
            failed: tally.of(Outcome::Failed),
            errored: tally.of(Outcome::Errored),
            aborted: tally.of(Outcome::Aborted),
            blocked: tally.of(Outcome::Blocked),
            skipped: tally.of(Outcome::Skipped),
            passx: tally.of(Outcome::Passx),
            flaky: Some(tally.flaky).filter(|flaky| *flaky > 0),
            total: tally.total,
            not_reached: tally.not_reached,
            unfinished: tally.open,
        }
    }
}

/// A plugin that failed.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PluginError<'a> {
    /// Its name.
    plugin: &'a str,
    /// `pre_job`, `pre_task`, `post_task` or `post_job`.
    stage: &'a str,
    /// The id of the task, in the stages of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'a str>,
    /// What it raised.
    error: &'a RaisedError,
}

/// All failures of plugins; of very many, the first.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(super) struct PluginErrors<'a>(#[schemars(with = "Vec<PluginError<'a>>")] pub(super) &'a Summary);

impl PluginErrors<'_> {
    /// Returns whether no plugin failed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.plugin_failures().is_empty()
    }
}

impl Serialize for PluginErrors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.plugin_failures().iter().map(|failed| PluginError {
            plugin: &failed.plugin,
            stage: &failed.stage,
            task: failed.task.and_then(|task| self.0.row(task)).map(Row::id),
            error: &failed.error,
        }))
    }
}
