//! What a task process says of itself while it runs, and what it is answered.

use serde::{Deserialize, Serialize};

use super::{Blob, Level, Outcome, SectionNumber, SectionPlan, SectionTally, Tally, Value};

/// One message of a task to its host, a JSON object with the key `status`.
///
/// A message speaks only of the task on whose channel it came, and never outranks the exit status of its process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub(crate) enum Message {
    /// The script is about to run.
    Started {},
    /// The script printed this to standard output.
    Stdout {
        /// When, in seconds since 1970 by the real-time clock; 0 for when it is read.
        #[serde(default)]
        time: f64,
        /// The bytes.
        text: Blob,
    },
    /// The script printed this to standard error.
    Stderr {
        /// When, in seconds since 1970 by the real-time clock; 0 for when it is read.
        #[serde(default)]
        time: f64,
        /// The bytes.
        text: Blob,
    },
    /// The script logged something.
    Log {
        /// When, in seconds since 1970 by the real-time clock.
        time: f64,
        /// How much it matters.
        level: Level,
        /// The logger's name, parted by dots; empty for the root.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        logger: String,
        /// The text, one line or several.
        text: Blob,
    },
    /// These sections are to come, numbered on from those that were announced before.
    Plan {
        /// The sections, parents before their parts.
        sections: Vec<SectionPlan>,
    },
    /// A section begins.
    SectionStarted {
        /// When, in seconds since 1970 by the real-time clock; 0 for when it is read.
        #[serde(default)]
        time: f64,
        /// Its number.
        section: SectionNumber,
        /// What it is, if it was not planned. Its number is then the next after all that are known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<SectionPlan>,
        /// Its name, if that differs from the planned one: a loop has come to its first turn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<String>,
    },
    /// A section has ended, or was passed over and so never began.
    SectionFinished {
        /// When, in seconds since 1970 by the real-time clock; 0 for when it is read.
        #[serde(default)]
        time: f64,
        /// Its number.
        section: SectionNumber,
        /// How it ended.
        result: Outcome,
        /// Why, in a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What else is to be kept: a traceback, measured values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
        /// Seconds it took, by the monotonic clock.
        #[serde(default)]
        seconds: f64,
        /// It is run again; what this attempt came to does not count.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        will_retry: bool,
    },
    /// Arguments of the command line that the script has read.
    ArgumentsRead {
        /// The words as they stand in `runtime.argv`; everything if there is none.
        words: Option<Vec<String>>,
    },
    /// What of the command line the script has had a use for, once it has ended.
    Used(Used),
    /// Something that the user is to know, though it changes no result.
    Remark {
        /// What, in a sentence.
        text: String,
    },
    /// Everything before is to be taken in before it goes on; answered by [`Reply::Ack`].
    Sync {},
    /// Which of these sections are to run, asked of a function in the jobfile; answered by [`Reply::Selected`].
    Select {
        /// Uid and groups of each testcase.
        sections: Vec<(String, Vec<String>)>,
    },
    /// A section failed and the script asks what to do; answered by [`Reply::Line`].
    Prompt {
        /// What is shown before the cursor, whole lines before it included.
        text: Blob,
    },
    /// The script has come to its end, in its own words.
    Finished {
        /// The outcome the script claims.
        result: Outcome,
        /// Why, in a sentence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Anything else the script wants to be kept: a traceback, measured values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    },
}

/// What of the command line a script has had a use for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    /// The parameters of the command line.
    pub(crate) parameters: Tally,
    /// The patterns over sections; `None` if it ended before it was known which sections it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sections: Option<SectionTally>,
}

/// What the host answers a message that asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// Everything up to here was taken in.
    Ack {
        /// The run was asked to stop.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        interrupted: bool,
    },
    /// Which sections are to run, in the order they were asked for; or why nobody could tell.
    Selected {
        /// One answer a section.
        sections: Vec<bool>,
        /// The error that the jobfile's function raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// What the user typed; `None` at the end of input, or where there is no terminal.
    Line {
        /// The line without its line break.
        text: Option<String>,
    },
    /// No answer: the task is to end. A signal follows.
    Stop(StopOrder),
}

/// Why a task is to end, as its script is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StopOrder {
    /// What the section is that runs.
    pub(crate) word: StopWord,
    /// Why, in a sentence.
    pub(crate) text: String,
}

/// What becomes of a section that runs when its task is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StopWord {
    /// It is aborted.
    Aborted,
    /// It took too long, and is errored.
    TimedOut,
}
