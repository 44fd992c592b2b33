//! The one ceremony of commands that do something to runs: ask, do it to each, go on with the others where it cannot be done
//! to one, and say what came of it.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use super::chosen::{describe, tell, warn};
use crate::cli::Failure;
use crate::cli::output::{one_line, write_json};
use crate::model::exit_code;
use crate::store::RunInfo;

/// How many things a question lists.
const LINES: usize = 50;

/// How much there is to lose by what is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It can be undone: it is done unless somebody is there who says no.
    Light,
    /// It cannot: it is done only if somebody says yes.
    Heavy,
}

/// A question before something is done to runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// What is about to happen, up to a colon.
    pub(crate) text: &'a str,
    /// The runs it happens to.
    pub(crate) runs: &'a [RunInfo],
    /// What there is to lose.
    pub(crate) weight: Weight,
    /// The thing that is done, as in "removing runs".
    pub(crate) doing: &'a str,
}

impl Question<'_> {
    /// Returns whether to go on: `yes` was given, the user says so, or nobody needs to.
    pub(crate) fn ask(&self, yes: bool) -> Result<bool, Failure> {
        let lines: Vec<String> = self.runs.iter().map(describe).collect();
        ask(self.text, &lines, self.weight, self.doing, yes)
    }
}

/// The same about anything, with a line for each thing.
pub(crate) fn ask(text: &str, lines: &[String], weight: Weight, doing: &str, yes: bool) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return match weight {
            Weight::Light => Ok(true),
            Weight::Heavy => {
                Err(Failure::usage(format!("{doing} needs a yes, and standard input is not a terminal to ask on"))
                    .hint("add -y to go on without being asked."))
            }
        };
    }
    let mut err = io::stderr().lock();
    let asked = (|| {
        writeln!(err, "{text}:")?;
        for line in lines.iter().take(LINES) {
            writeln!(err, "  {}", one_line(line).trim_end())?;
        }
        if lines.len() > LINES {
            writeln!(err, "  … and {} more", lines.len() - LINES)?;
        }
        write!(err, "Continue? {} ", if weight == Weight::Light { "(Y/n)" } else { "(y/N)" })?;
        err.flush()?;
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer)?;
        Ok(match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => true,
            "" => read > 0 && weight == Weight::Light,
            _ => false,
        })
    })();
    asked.map_err(|error: io::Error| Failure::general(format!("cannot ask: {error}")))
}

/// What a command does to runs that were chosen.
pub(crate) struct Act<'a> {
    /// What is asked before.
    pub(crate) question: Question<'a>,
    /// The yes was given with the command.
    pub(crate) yes: bool,
    /// What came of it is told in JSON.
    pub(crate) json: bool,
}

impl Act<'_> {
    /// Asks, does it to each run, and says by `said` what came of it. `work` returns nothing for a run that it could not be
    /// done to and of which it has told. Returns the exit code.
    pub(crate) fn perform<T: Serialize>(
        &self,
        work: impl FnMut(&RunInfo) -> Result<Option<T>, Failure>,
        said: impl FnOnce(&[T]) -> String,
    ) -> Result<i32, Failure> {
        if !self.is_agreed()? {
            return Ok(exit_code::FAILED);
        }
        self.perform_agreed(work, said)
    }

    /// Asks. What else is to be done before is done after that.
    pub(crate) fn is_agreed(&self) -> Result<bool, Failure> {
        self.question.ask(self.yes)
    }

    /// The same as [`Act::perform`], after the question.
    pub(crate) fn perform_agreed<T: Serialize>(
        &self,
        work: impl FnMut(&RunInfo) -> Result<Option<T>, Failure>,
        said: impl FnOnce(&[T]) -> String,
    ) -> Result<i32, Failure> {
        let (done, all) = each(self.question.runs, work)?;
        let is_done_to_all = all && done.iter().all(Option::is_some);
        let done: Vec<T> = done.into_iter().flatten().collect();
        if self.json {
            write_json(&done)?;
        } else {
            tell(&said(&done));
        }
        Ok(if is_done_to_all { 0 } else { exit_code::FAILED })
    }
}

/// Does something to each of the runs. Where it fails for one of several, that is told and the others are gone on with.
/// Returns what came of the runs, and whether it failed for none.
pub(crate) fn each<T>(
    runs: &[RunInfo],
    mut work: impl FnMut(&RunInfo) -> Result<T, Failure>,
) -> Result<(Vec<T>, bool), Failure> {
    let (mut done, mut failed) = (Vec::new(), 0);
    for run in runs {
        match work(run) {
            Ok(made) => done.push(made),
            Err(failure) if runs.len() == 1 => return Err(failure),
            Err(failure) => {
                failed += 1;
                warn(&format!("{}, skipping run {}", failure.message, run.id));
            }
        }
    }
    Ok((done, failed == 0))
}
