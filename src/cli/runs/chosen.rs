//! Which runs a command is about, and how it tells people of them.

use std::io::{self, Write};

use clap::Args;

use super::selection::{RunFilter, Unnamed, select_runs};
use crate::cli::Failure;
use crate::cli::output::one_line;
use crate::store::{Home, RunInfo};

/// The runs that a command is about.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// The runs: ids, beginnings of ids, `latest`, numbers of the list, ranges of them such as 2:4, or paths
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: RunFilter,
}

impl Chosen {
    /// Returns the runs; there may be none where none was named.
    pub(crate) fn select(&self, home: &Home, unnamed: Unnamed) -> Result<Vec<RunInfo>, Failure> {
        select_runs(home, &self.runs, &self.filter, unnamed)
    }

    /// The same, and it is an error if there is none.
    pub(crate) fn some(&self, home: &Home, unnamed: Unnamed) -> Result<Vec<RunInfo>, Failure> {
        let runs = self.select(home, unnamed)?;
        if runs.is_empty() { Err(no_run()) } else { Ok(runs) }
    }
}

/// The one run that a command is about.
#[derive(Args, Debug)]
pub(crate) struct ChosenOne {
    /// The run: its id, the beginning of it, its number in the list, `latest`, or a path
    #[arg(value_name = "RUN", default_value = "latest")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) filter: RunFilter,
}

impl ChosenOne {
    /// Returns the run.
    pub(crate) fn find(&self, home: &Home) -> Result<RunInfo, Failure> {
        one(home, &self.run, &self.filter)
    }
}

/// The two runs that a command is about.
#[derive(Args, Debug)]
pub(crate) struct ChosenPair {
    /// The two runs, each as for other commands [default: the newest but one, and the newest]
    #[arg(value_name = "RUN", num_args = 0..=2)]
    runs: Vec<String>,
    #[command(flatten)]
    filter: RunFilter,
}

impl ChosenPair {
    /// Returns the two runs.
    pub(crate) fn find_two(&self, home: &Home) -> Result<(RunInfo, RunInfo), Failure> {
        match &self.runs[..] {
            [first, second] => Ok((one(home, first, &self.filter)?, one(home, second, &self.filter)?)),
            [] => {
                let mut runs = select_runs(home, &[], &self.filter, Unnamed::All)?.into_iter();
                match (runs.next(), runs.next()) {
                    (Some(newest), Some(older)) => Ok((older, newest)),
                    _ => Err(Failure::usage("there are no two runs to compare")
                        .hint("'rille runs --all' lists the runs there are.")),
                }
            }
            _ => Err(Failure::usage("diff requires two runs").hint("name a second one.")),
        }
    }

    /// Returns the one run, where the other is something else.
    pub(crate) fn find_one(&self, home: &Home) -> Result<RunInfo, Failure> {
        match &self.runs[..] {
            [] => one(home, "latest", &self.filter),
            [run] => one(home, run, &self.filter),
            _ => Err(Failure::usage("a folder is compared with one run, and two are named")),
        }
    }
}

/// Returns the one run that a selector means.
pub(crate) fn one(home: &Home, selector: &str, filter: &RunFilter) -> Result<RunInfo, Failure> {
    // Where there is no run at all this tells so, and what to do.
    if selector == "latest" && home.ids()?.is_empty() {
        home.find(selector)?;
    }
    let mut runs = select_runs(home, &[selector.to_owned()], filter, Unnamed::Latest)?;
    match runs.len() {
        1 => Ok(runs.remove(0)),
        0 => Err(no_run()),
        many => Err(Failure::usage(format!("'{selector}' means {many} runs, and one is wanted"))),
    }
}

fn no_run() -> Failure {
    Failure::usage("there is no such run").hint("'rille runs --all' lists the runs there are.")
}

/// Returns a line that describes a run.
pub(crate) fn describe(run: &RunInfo) -> String {
    let id: String = run.id.chars().take(8).collect();
    let operation = run.operation.as_deref().unwrap_or("?");
    let started = run.started.map(|time| time.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string());
    let (started, label) = (started.unwrap_or_else(|| "-".to_owned()), run.label.as_deref().unwrap_or_default());
    one_line(&format!("[{id}]  {operation}  {started}  {}  {label}", run.status)).trim_end().to_owned()
}

/// Tells people something, on standard error. With nobody there to hear it, it is not told.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Warns of something.
pub(crate) fn warn(text: &str) {
    tell(&format!("WARNING: {}", one_line(text)));
}
