//! `rille runs list`: a table of runs, or JSON.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local, Utc};
use clap::{ArgAction, Args};
use serde::Serialize;
use serde_json::{Map, Value};

use super::archived::Archived;
use super::selection::{RunFilter, filtered};
use crate::cli::Failure;
use crate::cli::output::{one_line, table, terminal_width, wants_colour, write_json, write_out};
use crate::store::{self, Home, RunInfo, RunRow, Status};

/// Runs that are shown where nothing else is said.
const GROUP: usize = 20;

/// Which runs are listed, and how.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct ListArgs {
    /// Write JSON: a list of objects
    #[arg(long, conflicts_with_all = ["comments", "verbose", "simplified"])]
    json: bool,
    /// List all runs
    #[arg(long, short, conflicts_with_all = ["limit", "more"])]
    all: bool,
    /// List 20 runs more; can be given several times
    #[arg(long, short, action = ArgAction::Count, conflicts_with = "limit")]
    more: u8,
    /// List at most N runs
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// List the runs that were removed
    #[arg(long, short, conflicts_with = "archive")]
    deleted: bool,
    /// List the runs in this folder or zip file, which an export has made
    #[arg(long, short = 'A', value_name = "PATH")]
    archive: Option<PathBuf>,
    /// Leave ids and times out
    #[arg(long, short)]
    simplified: bool,
    /// Show more of each run: its directory, times, command, flags, …
    #[arg(long, short)]
    verbose: bool,
    /// Show the comments of each run
    #[arg(long, short, conflicts_with = "verbose")]
    comments: bool,
    /// List only runs of this status; can be given several times
    #[arg(long, value_name = "STATUS")]
    status: Vec<Status>,
    #[command(flatten)]
    filter: RunFilter,
}

/// Lists the runs of `home`, of its trash, or of an export.
pub(crate) fn main(args: &ListArgs, home: &Home) -> Result<i32, Failure> {
    let archived = args.archive.as_deref().map(Archived::open).transpose()?;
    let home = match &archived {
        Some(archived) => home.with_runs_in(archived.folder().to_owned()),
        None if args.deleted => home.trash(),
        None => home.clone(),
    };
    if archived.is_none() {
        store::sweep(&home.runs_dir());
    }
    let (rows, found) = rows(args, &home)?;
    // They may be many, and the process ends next: that takes them apart faster.
    let rows = ManuallyDrop::new(rows);
    if args.json {
        let listed: Vec<Listed<'_>> = rows.iter().map(Listed::of).collect();
        write_json(&listed)?;
        return Ok(0);
    }
    if rows.is_empty() {
        eprintln!("no runs");
        return Ok(0);
    }
    write_out(&page(args, &rows))?;
    if found > rows.len() {
        eprintln!("{} of {found} runs; --all lists every one, -m 20 more", rows.len());
    }
    Ok(0)
}

/// Returns the runs that are shown, and how many there are of them in all.
fn rows(args: &ListArgs, home: &Home) -> Result<(Vec<RunRow>, usize), Failure> {
    let mut criteria = args.filter.checked()?;
    criteria.want(&args.status);
    let limit = match args.limit {
        Some(limit) => limit,
        None if args.all => usize::MAX,
        None => GROUP * (usize::from(args.more) + 1),
    };
    // The newest are had without the index, and without reading what is not shown.
    if criteria.is_empty() && limit < usize::MAX {
        let newest = store::newest(home, limit)?;
        return Ok((newest.runs, newest.total));
    }
    let mut rows = filtered(home, &criteria)?;
    let found = rows.len();
    rows.truncate(limit);
    Ok((rows, found))
}

/// A run in JSON.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    info: &'a RunInfo,
    run_dir: &'a Path,
    cmd: &'a Value,
    comments: &'a Value,
    flags: &'a Map<String, Value>,
}

impl<'a> Listed<'a> {
    fn of(row: &'a RunRow) -> Listed<'a> {
        Listed {
            info: &row.info,
            run_dir: &row.info.path,
            cmd: row.cmd(),
            comments: row.comments(),
            flags: row.flags(),
        }
    }
}

/// Returns the table, with what is shown below its lines.
fn page(args: &ListArgs, rows: &[RunRow]) -> String {
    let cells: Vec<[String; 7]> = rows.iter().zip(1..).map(|(row, number)| cells(&row.info, number)).collect();
    let lines = if args.simplified {
        let simple =
            |[_, number, operation, _, status, label, tags]: [String; 7]| [number, operation, status, label, tags];
        table(&cells.iter().cloned().map(simple).collect::<Vec<_>>(), terminal_width())
    } else {
        table(&cells, terminal_width())
    };
    let colour = wants_colour();
    let mut text = String::new();
    for ((line, row), [id, number, operation, ..]) in lines.into_iter().zip(rows).zip(&cells) {
        let before = if args.simplified { 0 } else { id.len() + 2 } + number.len() + 2 + operation.len();
        text += &if colour { paint(&line, before, row.info.status) } else { line };
        text.push('\n');
        if args.verbose {
            text += &details(row);
        }
        if args.comments {
            text += &comments(row.comments());
        }
    }
    text
}

/// Returns the cells of a run: short id, number, operation, start, status, label, tags.
fn cells(run: &RunInfo, number: usize) -> [String; 7] {
    let label = label_or_damage(run);
    let marked = if run.marked { " [marked]" } else { "" };
    let operation = format!("{}{marked}", run.operation.as_deref().unwrap_or("?"));
    // The label of an operation names its tags already.
    let tags = run.tags.iter().filter(|tag| !label.split_whitespace().any(|word| word == tag.as_str()));
    let tags = tags.map(|tag| format!("#{tag}")).collect::<Vec<_>>().join(" ");
    let (id, start, status) = (short_id(&run.id), local_time(run.started), run.status.to_string());
    [id, number.to_string(), operation, start, status, label.into_owned(), tags].map(|cell| one_line(&cell))
}

/// Returns the label of a run, or what is damaged of it, with what its log says became of it.
pub(super) fn label_or_damage(run: &RunInfo) -> Cow<'_, str> {
    match (&run.damage, run.log_status) {
        (Some(damage), Some(status)) => Cow::Owned(format!("{status} by its log; {damage}")),
        (Some(damage), None) => Cow::Borrowed(damage),
        (None, _) => Cow::Borrowed(run.label.as_deref().unwrap_or_default()),
    }
}

/// Returns what `--verbose` shows below a run.
fn details(row: &RunRow) -> String {
    let info = &row.info;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "    {name}: {}", one_line(value));
        }
    };
    let words = row.cmd().as_array().map(Vec::as_slice).unwrap_or_default();
    let words = words.iter().filter_map(Value::as_str).filter_map(|word| shlex::try_quote(word).ok());
    let flags = row.flags().iter().map(|(name, value)| format!("{name}={}", shown(value)));
    line("id", &info.id);
    line("run_dir", &info.path.to_string_lossy());
    line("from", info.opref.as_deref().unwrap_or_default());
    if info.stopped.is_some() {
        line("stopped", &local_time(info.stopped));
    }
    line("exit_status", &info.exit_status.map(|status| status.to_string()).unwrap_or_default());
    line("command", &words.collect::<Vec<_>>().join(" "));
    line("flags", &flags.collect::<Vec<_>>().join(" "));
    line("tags", &info.tags.join(" "));
    line("sourcecode_digest", row.digest().unwrap_or_default());
    text
}

/// Returns the comments as they stand below a run.
fn comments(comments: &Value) -> String {
    let mut text = String::new();
    for comment in comments.as_array().into_iter().flatten() {
        let field = |name: &str| comment.get(name).and_then(Value::as_str).unwrap_or_default();
        let time = comment.get("time").and_then(Value::as_i64).and_then(DateTime::from_timestamp_micros);
        let who = [field("user"), field("host")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let head = format!("{} {}", who.join("@"), local_time(time));
        let _ = writeln!(text, "    {}", one_line(head.trim_start()));
        for line in field("body").lines() {
            let _ = writeln!(text, "      {}", one_line(line));
        }
    }
    text
}

/// Returns a value as one would type it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // Infinity and the like, which JSON has a form for and no word.
        other => crate::model::Value::beyond_json(other).map_or_else(|| other.to_string(), |number| number.to_text()),
    }
}

/// Returns the short id that tables show.
pub(super) fn short_id(id: &str) -> String {
    id.chars().take(8).collect()
}

/// Returns a time as tables show it.
pub(super) fn local_time(time: Option<DateTime<Utc>>) -> String {
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
