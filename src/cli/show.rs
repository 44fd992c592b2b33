//! `rille runs show`: renders the event log of a run again, by the same code as while it ran.

use super::Failure;
use super::output::write_out;
use crate::job::ReportForm;
use crate::report::{self, Closing, ColorChoice, Look, Row, Summary, Verbosity};
use crate::store::{self, Home, Status};

/// Shows the run as the console did, or as `results.json` has it.
pub(crate) fn main(home: &Home, id: &str, json: bool) -> Result<i32, Failure> {
    let directory = home.find(id)?;
    let look = Look { verbosity: Verbosity::Normal, paint: paint() };
    let mut summary = Summary::default();
    let mut text = String::new();
    for event in store::read(&directory.join(".guild").join("events.jsonl"))? {
        let event = event?;
        summary.apply(&event);
        if !json && let Some(line) = report::line(&event, &summary, look) {
            text.push_str(&line);
        }
    }
    if json {
        let mut bytes = Vec::new();
        let read = |path: &str, begin: u64, size: u64| store::read_part(&directory, path, begin, size);
        ReportForm::Json
            .write(&summary, &directory, false, None, &read, &mut bytes)
            .map_err(|error| Failure::general(format!("cannot encode JSON: {error}")))?;
        text = String::from_utf8_lossy(&bytes).into_owned();
        write_out(&text)?;
        return Ok(0);
    }
    let shown = directory.display().to_string();
    let tail = |row: &Row| store::output_tail(&directory, &row.path_of(report::telling_stream(row)?));
    let still_running = store::summarise(&directory).status == Status::Running;
    text.push_str(&report::render(&summary, &Closing { look, run_dir: Some(&shown), still_running, tail: &tail }));
    write_out(&text)?;
    Ok(0)
}

fn paint() -> report::Paint {
    ColorChoice::Auto.by_environment(std::io::IsTerminal::is_terminal(&std::io::stdout()))
}
