//! `rille runs flaky`: the tests that pass in some runs and not in others, over the latest runs of tests.

use clap::Args;
use serde::Serialize;

use crate::cli::Failure;
use crate::cli::history;
use crate::cli::output::{one_line, table, terminal_width, write_json, write_out};
use crate::report::TestRecord;
use crate::store::Home;

/// Lists tests by how often they pass.
#[derive(Args, Debug)]
pub(crate) struct FlakyArgs {
    /// Look at the latest N runs of tests
    #[arg(short = 'n', long, value_name = "N", default_value_t = history::USUAL)]
    limit: usize,
    /// List all tests, those too that always pass, or never
    #[arg(short, long)]
    all: bool,
    /// Write JSON: a list of objects
    #[arg(long)]
    json: bool,
}

/// A test, as JSON.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    record: &'a TestRecord,
    pass_rate: f64,
    flaky: bool,
}

/// Runs the command and returns the exit code.
pub(super) fn main(args: &FlakyArgs, home: &Home) -> Result<i32, Failure> {
    let history = history::of_home(home, args.limit)?;
    let records: Vec<&TestRecord> =
        history.records().into_iter().filter(|record| args.all || record.is_flaky()).collect();
    if args.json {
        let listed = |record| Listed { record, pass_rate: record.pass_rate(), flaky: record.is_flaky() };
        return write_json(&records.iter().copied().map(listed).collect::<Vec<_>>()).map(|()| 0);
    }
    if records.is_empty() {
        match history.runs {
            0 => eprintln!("no runs of tests"),
            runs => eprintln!("no test has both passed and not passed in the latest {runs} runs of tests"),
        }
        return Ok(0);
    }
    let mut rows = vec![["TEST", "PASSED", "RATE", "FIRST FAILURE", "SLOWEST", "REASON"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| row(record).map(|cell| one_line(&cell))));
    write_out(&table(&rows, terminal_width()).into_iter().map(|line| line + "\n").collect::<String>())?;
    Ok(0)
}

fn row(record: &TestRecord) -> [String; 6] {
    let short = |run: &str| run.chars().take(8).collect::<String>();
    let failure = record.first_failure.as_ref();
    let first = failure.map(|failure| {
        let day = failure.started.map(|time| time.with_timezone(&chrono::Local).format(" %Y-%m-%d %H:%M").to_string());
        short(&failure.run) + &day.unwrap_or_default()
    });
    let later = match record.passed_later {
        0 => String::new(),
        later => format!(" ({later} later)"),
    };
    [
        record.name.clone(),
        format!("{}/{}{later}", record.passed, record.runs),
        format!("{:.0}%", record.pass_rate() * 100.0),
        first.unwrap_or_default(),
        format!("{:.3} s", record.slowest),
        failure.and_then(|failure| failure.reason.clone()).unwrap_or_default(),
    ]
}
