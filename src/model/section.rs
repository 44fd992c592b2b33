//! The sections of a testscript: common setup, testcases, what they are made of, and steps.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Datafile, Tally};

/// The number of a section in one attempt at its task, from 1. 0 stands for the testscript itself.
pub(crate) type SectionNumber = u32;

/// What kind of section it is. The names are those of aetest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SectionKind {
    /// What comes before all testcases; made of subsections.
    CommonSetup,
    /// What comes after all testcases, whatever happened; made of subsections.
    CommonCleanup,
    /// A part of common setup or cleanup.
    Subsection,
    /// A testcase, made of a setup, tests and a cleanup.
    Testcase,
    /// What comes before the tests of a testcase.
    Setup,
    /// A test of a testcase.
    Test,
    /// What comes after the tests of a testcase, whatever happened.
    Cleanup,
    /// A step inside any section that is made of no sections.
    Step,
}

impl SectionKind {
    /// Returns the name that users read: `common setup`, `testcase`, …
    pub(crate) const fn words(self) -> &'static str {
        match self {
            SectionKind::CommonSetup => "common setup",
            SectionKind::CommonCleanup => "common cleanup",
            SectionKind::Subsection => "subsection",
            SectionKind::Testcase => "testcase",
            SectionKind::Setup => "setup",
            SectionKind::Test => "test",
            SectionKind::Cleanup => "cleanup",
            SectionKind::Step => "step",
        }
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// A section as it is known before it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SectionPlan {
    /// What kind.
    pub(crate) kind: SectionKind,
    /// Its name, unique among its siblings: `Ping`, `sweep[size=64]`.
    pub(crate) uid: String,
    /// The section it is a part of; 0 for the testscript.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) parent: SectionNumber,
    /// The line of the script it is defined on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u32>,
    /// What it is about, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// The groups it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// Attempts that may follow the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) retries: u32,
    /// The attempt before this one: a section of the same name that ended badly, and that counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_of: Option<SectionNumber>,
}

impl SectionPlan {
    /// Makes the plan of a section of which no more is known.
    pub(crate) fn new(kind: SectionKind, uid: impl Into<String>, parent: SectionNumber) -> Self {
        let uid = uid.into();
        Self { kind, uid, parent, line: None, description: None, groups: Vec::new(), retries: 0, retry_of: None }
    }
}

/// Which bytes of a task's log a section wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct LogRange {
    /// Where its first byte stands, from 0.
    pub(crate) begin: u64,
    /// How many bytes it wrote.
    pub(crate) size: u64,
}

/// Which sections of a testscript are to run, and how it runs them: from the command line and from `run {}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct SectionChoice {
    /// Patterns over the uids of testcases, or one expression with and/or/not; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) uids: Vec<String>,
    /// Patterns over the groups of testcases, or one expression with and/or/not; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// Exactly these top-level sections, as of a rerun; common setup and cleanup are not in the list and always run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) only: Option<Vec<String>>,
    /// A function of the jobfile chooses as well: it has to be asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ask: bool,
    /// How many testcases may fail before the rest is not run any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_failures: Option<u32>,
    /// Run the testcases in random order.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) random: bool,
    /// The seed of that order; `None` to draw one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) random_seed: Option<u64>,
    /// How often a testcase that fails is run again, where it does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<u32>,
    /// The same for testcases whose uids fit an expression, above what they say themselves. The last one that fits holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) retry_uids: Vec<(String, u32)>,
    /// What is set of the sections before they run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) datafile: Option<Box<Datafile>>,
    /// The task was given it, not the whole run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_own_datafile: bool,
    /// Ask the user at the terminal when a section fails.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pause_on_failure: bool,
}

/// What the patterns of a choice of sections found in one testscript.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SectionTally {
    /// Those over uids.
    pub(crate) uids: Tally,
    /// Those over groups.
    pub(crate) groups: Tally,
    /// Those of `--retry`.
    #[serde(default)]
    pub(crate) retry: Tally,
}

impl SectionTally {
    /// Returns whether nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.uids.is_empty() && self.groups.is_empty() && self.retry.is_empty()
    }

    /// Counts every pattern as met: nobody can tell.
    pub(crate) fn meet_all(&mut self) {
        self.uids.meet_all();
        self.groups.meet_all();
        self.retry.meet_all();
    }

    /// Returns the same with no more names than are listed.
    pub(crate) fn brief(self) -> SectionTally {
        SectionTally { uids: self.uids.brief(), groups: self.groups.brief(), retry: self.retry.brief() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}
