//! `rille runs list`: a table of runs, or JSON.

use chrono::{DateTime, Local, Utc};
use clap::Args;

use crate::cli::Failure;
use crate::cli::output::{one_line, table, terminal_width, wants_colour, write_json, write_out};
use crate::store::{self, Home, RunInfo, Status};

/// Which runs are listed, and how.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Write JSON: a list of objects
    #[arg(long)]
    json: bool,
    /// List all runs
    #[arg(long, short, conflicts_with = "limit")]
    all: bool,
    /// List at most N runs
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// List only runs of this status; can be given several times
    #[arg(long, value_name = "STATUS")]
    status: Vec<Status>,
}

/// Lists the runs of `home`.
pub(crate) fn main(args: &ListArgs, home: &Home) -> Result<i32, Failure> {
    let mut runs = store::list(home)?;
    runs.retain(|run| args.status.is_empty() || args.status.contains(&run.status));
    let found = runs.len();
    if !args.all {
        runs.truncate(args.limit);
    }
    if args.json {
        write_json(&runs)?;
        return Ok(0);
    }
    if runs.is_empty() {
        eprintln!("no runs");
        return Ok(0);
    }
    let rows: Vec<[String; 5]> = runs.iter().map(row).collect();
    let colour = wants_colour();
    let mut text = String::new();
    for ((line, run), [id, operation, ..]) in table(&rows, terminal_width()).into_iter().zip(&runs).zip(&rows) {
        text += &if colour { paint(&line, id.len() + 2 + operation.len(), run.status) } else { line };
        text.push('\n');
    }
    write_out(&text)?;
    if found > runs.len() {
        eprintln!("{} of {found} runs; --all lists every one", runs.len());
    }
    Ok(0)
}

/// Returns the cells of a run: short id, operation, start, status, label.
fn row(run: &RunInfo) -> [String; 5] {
    let id = run.id.chars().take(8).collect::<String>();
    let label = match (&run.damage, &run.label) {
        (Some(damage), _) => damage,
        (None, Some(label)) => label,
        (None, None) => "",
    };
    let operation = run.operation.as_deref().unwrap_or("?");
    [id, operation.to_owned(), local_time(run.started), run.status.to_string(), label.to_owned()]
        .map(|cell| one_line(&cell))
}

fn local_time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string())
}

/// Returns the line of a run with the word of its status in the colour of that status. The word is looked for behind the
/// `offset` bytes of the id and the operation, which may have the name of a status.
fn paint(line: &str, offset: usize, status: Status) -> String {
    let colour = match status {
        Status::Completed => "32",
        Status::Running => "36",
        Status::Staged | Status::Pending => "33",
        Status::Error | Status::Terminated | Status::Lost | Status::Corrupt => "31",
    };
    let word = status.name();
    match line.get(offset..).and_then(|rest| rest.find(word)) {
        Some(at) => {
            let (start, end) = (offset + at, offset + at + word.len());
            format!("{}\x1b[{colour}m{word}\x1b[0m{}", &line[..start], &line[end..])
        }
        // The terminal is too narrow to show it.
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_is_coloured() {
        let line = "0123abcd  error  2026-11-21 10:03:53  error  an error";
        let painted = "0123abcd  error  2026-11-21 10:03:53  \x1b[31merror\x1b[0m  an error";
        assert_eq!(paint(line, 15, Status::Error), painted);
        assert_eq!(paint("0123ab…", 15, Status::Error), "0123ab…");
    }
}
