//! What happens in a run, one event at a time. The event log is made of these, and every report is made from them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    Exit, LogRange, Outcome, OutputSize, Place, RaisedError, SectionNumber, SectionPlan, SerialRan, TaskNumber,
    TestStatus, Value, WalksFinished, WalksRan, WalksStarted,
};

/// The version of the event format, raised when a reader of the old one would misread the new one.
pub(crate) const EVENT_FORMAT: u32 = 1;

/// The attribute of a run that holds its metadata.
pub(crate) const META: &str = "meta";

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// The number of the event in its log, from 1 without gaps. It gives the order; the clock does not.
    pub(crate) seq: u64,
    /// When it was recorded, by the real-time clock.
    pub(crate) time: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub(crate) kind: EventKind,
}

/// What happened, in the key `event` of its line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum EventKind {
    /// The first event of every run. Where it comes again the run was resumed, and what came before it no longer counts.
    RunStarted(Box<RunStarted>),
    /// The job gave itself another reporting name.
    JobRenamed {
        /// The new name.
        name: String,
    },
    /// A task was handed to the engine.
    TaskQueued(Box<TaskQueued>),
    /// What follows of this task, up to its end, was copied from before the run was resumed.
    TaskReused {
        /// Which task.
        task: TaskNumber,
        /// When its first attempt started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started: Option<DateTime<Utc>>,
    },
    /// An attempt at a task has a process.
    TaskStarted {
        /// Which task.
        task: TaskNumber,
        /// Which attempt, from 1.
        attempt: u32,
        /// Its process, which is also its process group.
        pid: i32,
    },
    /// The testscript of a task says which sections are to come, numbered on from those that were known.
    TaskPlanned(Box<TaskPlanned>),
    /// A section of a testscript began.
    SectionStarted(Box<SectionStarted>),
    /// A section of a testscript ended, or was passed over.
    SectionFinished(Box<SectionFinished>),
    /// A plugin raised an error, or did not come to its end in time.
    PluginFailed(Box<PluginFailed>),
    /// A trial of a batch has come to its end; that of its task follows.
    TrialMeasured(Box<TrialMeasured>),
    /// An attempt at a task has ended, or a task ended without one.
    TaskFinished(Box<TaskFinished>),
    /// Walks are about to be run.
    WalksStarted(Box<WalksStarted>),
    /// Walks have come through a stage.
    WalksRan(Box<WalksRan>),
    /// A serial action between walks has ended.
    SerialRan(Box<SerialRan>),
    /// Walks have come to their end, or were stopped.
    WalksFinished(Box<WalksFinished>),
    /// Messages came to the status server that count for nothing.
    MessagesDropped {
        /// The task to whose socket they came; `None` for the run as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<TaskNumber>,
        /// What they were.
        #[serde(flatten)]
        dropped: Dropped,
    },
    /// Something the user should know.
    Warning {
        /// The text.
        text: String,
        /// What it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
    /// `main` returned, or raised.
    MainFinished {
        /// The error it raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RaisedError>,
    },
    /// The host was asked to stop.
    Interrupted {
        /// The signal's number.
        signal: i32,
        /// How often it was asked by now: 1 ends tasks in order, 2 kills them.
        times: u32,
    },
    /// All tasks and their time limits stand still (SIGTSTP).
    Paused {},
    /// They go on (SIGCONT).
    Resumed {},
    /// The last event of a run that came to its end.
    RunFinished {
        /// The roll-up of the run; `None` when nothing ran.
        outcome: Option<Outcome>,
        /// The exit code of the host.
        exit_code: i32,
        /// Seconds since the start of the run, by the monotonic clock.
        seconds: f64,
        /// What, beside its tasks, made the run end as it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// What is known when a run starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunStarted {
    /// [`EVENT_FORMAT`] of the writer.
    pub(crate) format: u32,
    /// The version of the program.
    pub(crate) rille: String,
    /// The run's id, 32 hexadecimal digits.
    pub(crate) run_id: String,
    /// Which front door: `job`, …
    pub(crate) door: String,
    /// The reporting name.
    pub(crate) name: String,
    /// The absolute path of the jobfile.
    pub(crate) file: String,
    /// SHA-256 of the jobfile, hexadecimal.
    pub(crate) file_hash: String,
    /// The command line.
    pub(crate) argv: Vec<String>,
    /// The process the user started.
    pub(crate) pid: i32,
    /// The host's name.
    pub(crate) host: String,
    /// Who ran it.
    pub(crate) user: String,
    /// When the run started first, where this event says that it was resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first_started: Option<DateTime<Utc>>,
    /// The id of the run of which this one repeats a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rerun_of: Option<String>,
    /// The names of the secret environment variables that it has. Their values are not kept, so that whoever starts the run
    /// again has to have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<String>,
    /// Attributes of the run that its other events do not tell, so that they can be had again from the log: `opref`, `label`,
    /// `tags`, `meta`, `flags`, …
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) attrs: Map<String, Json>,
}

impl RunStarted {
    /// Returns the metadata of the run, in the order of the keys.
    pub(crate) fn meta(&self) -> impl Iterator<Item = (&str, &str)> {
        let meta = self.attrs.get(META).and_then(Json::as_object);
        meta.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}

/// A task as it was queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskQueued {
    /// Its number in the run.
    pub(crate) task: TaskNumber,
    /// Its id.
    pub(crate) id: String,
    /// The runner kind.
    pub(crate) kind: String,
    /// What is run, for most kinds a path.
    pub(crate) uri: String,
    /// The task's folder, relative to the run directory.
    pub(crate) folder: String,
    /// Attempts that may follow the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) retries: u32,
    /// Labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// It prepares others and is no test itself: a dependency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) prepares: bool,
    /// Its working folder is another than its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) elsewhere: bool,
    /// SHA-256 over all that the task is made of: script, parameters, kind, arguments; by it a resumed run knows again
    /// what has not changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inputs: Option<String>,
    /// What tells a task that nobody named from others that run the same: arguments, parameters, and other keys that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
    /// Where it was defined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<Place>,
}

/// What a trial of a batch was, and what it came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Trial {
    /// The id of its run.
    pub(crate) run: String,
    /// The flags in which it differs from other trials.
    pub(crate) flags: BTreeMap<String, Json>,
    /// The last value of each scalar that it wrote; infinity and what is no number as texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) scalars: BTreeMap<String, Json>,
}

/// A trial of a batch that has come to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrialMeasured {
    /// Its task.
    pub(crate) task: TaskNumber,
    /// The trial.
    #[serde(flatten)]
    pub(crate) trial: Trial,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskFinished {
    /// Which task.
    pub(crate) task: TaskNumber,
    /// Which attempt, from 1; 0 for a task that ended without a process.
    pub(crate) attempt: u32,
    /// How this attempt ended.
    pub(crate) outcome: Outcome,
    /// The same in Avocado's words, where those say more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<TestStatus>,
    /// Why, unless it simply passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What the script gave with its result, a traceback for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
    /// How the process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit: Option<Exit>,
    /// Seconds from the start of the attempt to its end, by the monotonic clock, pauses left out.
    pub(crate) seconds: f64,
    /// What it wrote to standard output.
    #[serde(default, skip_serializing_if = "OutputSize::is_empty")]
    pub(crate) stdout: OutputSize,
    /// What it wrote to standard error.
    #[serde(default, skip_serializing_if = "OutputSize::is_empty")]
    pub(crate) stderr: OutputSize,
    /// What stands in its log.
    #[serde(default, skip_serializing_if = "OutputSize::is_empty")]
    pub(crate) log: OutputSize,
    /// Processes that were still there after its end and had to be killed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) killed_leftovers: u32,
    /// Another attempt follows, so this is not the task's outcome.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) will_retry: bool,
    /// Main returned while the task was alive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dangling: bool,
    /// The time limit in seconds, if that is what ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_limit: Option<f64>,
}

impl TaskFinished {
    /// Returns the end of an attempt of which nothing more is known.
    pub(crate) fn new(task: TaskNumber, attempt: u32, outcome: Outcome) -> Self {
        Self {
            task,
            attempt,
            outcome,
            status: None,
            reason: None,
            data: None,
            exit: None,
            seconds: 0.0,
            stdout: OutputSize::default(),
            stderr: OutputSize::default(),
            log: OutputSize::default(),
            killed_leftovers: 0,
            will_retry: false,
            dangling: false,
            time_limit: None,
        }
    }
}

/// How many messages at the status server counted for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dropped {
    /// They came from a process of another task or of none, or speak of another job.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub(crate) foreign: u64,
    /// They came when the task had ended.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub(crate) late: u64,
    /// They broke off in the middle.
    #[serde(default, skip_serializing_if = "is_zero_u64")]
    pub(crate) torn: u64,
}

impl std::ops::Add for Dropped {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { foreign: self.foreign + other.foreign, late: self.late + other.late, torn: self.torn + other.torn }
    }
}

impl Dropped {
    /// Returns whether nothing was dropped.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Sections that a testscript has announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskPlanned {
    /// The task.
    pub(crate) task: TaskNumber,
    /// The sections, parents before their parts.
    pub(crate) sections: Vec<SectionPlan>,
}

/// The beginning of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SectionStarted {
    /// The task.
    pub(crate) task: TaskNumber,
    /// The section's number in this attempt.
    pub(crate) section: SectionNumber,
    /// What it is, if it was not planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<SectionPlan>,
    /// Its name, if that differs from the planned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<String>,
}

/// The end of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SectionFinished {
    /// The task.
    pub(crate) task: TaskNumber,
    /// The section's number in this attempt.
    pub(crate) section: SectionNumber,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Why, unless it simply passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// A traceback, measured values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
    /// Seconds it took, by the monotonic clock; 0 for one that was passed over.
    pub(crate) seconds: f64,
    /// It is run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) will_retry: bool,
    /// Its bytes in the task's log, as they were written; see [`OutputSize`] for a log that was cut.
    pub(crate) log: LogRange,
}

/// A plugin that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PluginFailed {
    /// The plugin's name.
    pub(crate) plugin: String,
    /// `pre_job`, `pre_task`, `post_task` or `post_job`.
    pub(crate) stage: String,
    /// The task, in the stages of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<TaskNumber>,
    /// What it raised.
    pub(crate) error: RaisedError,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero_u64(n: &u64) -> bool {
    *n == 0
}
