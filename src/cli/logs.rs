//! `rille logs`: writes the log of a job or of one of its tasks, whole, a section of it, or as it grows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::jobs::read_summary;
use crate::model::nearest;
use crate::report::{Row, Summary};
use crate::store::{self, Home, Status};

/// How often a growing log is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Writes the log of a run, or of a task in it, to standard output.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// The run: its id, the beginning of it, `latest`, or the path of its directory
    #[arg(value_name = "RUN", default_value = "latest")]
    id: String,
    /// The task, by its id or its number; without it the log of the job itself
    #[arg(value_name = "TASK")]
    task: Option<String>,
    /// Only what this section logged: its name, such as Ping or Ping.icmp
    #[arg(long, value_name = "SECTION", requires = "task")]
    section: Option<String>,
    /// The attempt, from 1 [default: the last]
    #[arg(long, value_name = "N", requires = "task", conflicts_with = "section")]
    attempt: Option<u32>,
    /// Go on as the log grows, until the run has ended
    #[arg(short, long, conflicts_with = "section")]
    follow: bool,
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: &LogsArgs, home: &Home) -> Result<i32, Failure> {
    let directory = home.find(&args.id)?;
    let summary = read_summary(&directory)?;
    let Some(task) = &args.task else {
        let path = directory.join("job.log");
        return write_log(&path, &directory, args.follow, "this run has no log of its own");
    };
    let row = find(&summary, task)?;
    if let Some(section) = &args.section {
        return write_section(&directory, row, section);
    }
    let attempt = args.attempt.unwrap_or(row.attempts);
    if attempt > row.attempts.max(1) {
        return Err(Failure::usage(format!("task '{}' has made {} attempts", row.id(), row.attempts)));
    }
    let path = match attempt == row.attempts && row.outcome.is_some() {
        true => directory.join(row.path_of(row.log_name())),
        false => {
            let folder = directory.join(store::attempt_folder(row.folder(), attempt));
            // Of an attempt without an end no event tells where its files stand.
            let beside = Some(folder.join(store::name_beside(row.log_name()))).filter(|path| path.is_file());
            beside.unwrap_or_else(|| folder.join(row.log_name()))
        }
    };
    write_log(&path, &directory, args.follow, &format!("task '{}' has logged nothing", row.id()))
}

/// Returns the task with this id, or with this number.
fn find<'a>(summary: &'a Summary, name: &str) -> Result<&'a Row, Failure> {
    let wanted = name.replace('/', "_");
    let by_number = || name.parse().ok().and_then(|number| summary.row(number));
    let found = summary.rows().iter().find(|row| row.id() == name || row.id() == wanted).or_else(by_number);
    found.ok_or_else(|| {
        let failure = Failure::usage(format!("this run has no task '{name}'"));
        let ids = || summary.rows().iter().map(Row::id);
        match nearest(&wanted, ids()) {
            Some(near) => failure.hint(format!("did you mean '{near}'?")),
            None if summary.rows().is_empty() => failure.hint("it has no tasks at all."),
            None => failure.hint(format!("its tasks are: {}", ids().take(20).collect::<Vec<_>>().join(", "))),
        }
    })
}

fn write_log(path: &Path, run: &Path, follow: bool, nothing: &str) -> Result<i32, Failure> {
    let mut position = 0;
    loop {
        // Looked at before the log: what comes before the end of the run is in the log that is read after.
        let is_running = follow && store::summarise(run).status == Status::Running;
        match File::open(path) {
            Ok(mut file) => {
                position += copy_from(&mut file, position, u64::MAX).map_err(|error| broken(path, &error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(broken(path, &error)),
        }
        if !is_running {
            break;
        }
        std::thread::sleep(INTERVAL);
    }
    if position == 0 {
        // The answer is nothing; the word is for people.
        let _ = writeln!(io::stderr(), "{nothing}");
    }
    Ok(0)
}

/// Writes a part of a file to standard output. Returns how many bytes there were.
fn copy_from(file: &mut File, from: u64, length: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let mut out = io::stdout().lock();
    match io::copy(&mut file.take(length), &mut out).and_then(|count| out.flush().map(|()| count)) {
        // A reader that has gone has seen what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        copied => copied,
    }
}

fn broken(path: &Path, error: &io::Error) -> Failure {
    Failure::general(format!("cannot read the log {}: {error}", path.display()))
}

/// Writes what a section has logged. It is named by its own name or by those of all that it is a part of.
fn write_section(run: &Path, row: &Row, wanted: &str) -> Result<i32, Failure> {
    let Some(sections) = row.sections() else {
        return Err(Failure::usage(format!("task '{}' has no sections", row.id())));
    };
    let named = || sections.iter().map(|(number, section)| (number, section, sections.full_id(number)));
    let full = named().find(|(_, _, id)| id == wanted);
    let mut partly = named().filter(|(_, section, id)| section.uid() == wanted || id.ends_with(&format!(".{wanted}")));
    let Some((_, found, _)) = full.or_else(|| partly.next()) else {
        let ids: Vec<String> = named().map(|(_, _, id)| id).collect();
        let failure = Failure::usage(format!("task '{}' has no section '{wanted}'", row.id()));
        return Err(match nearest(wanted, ids.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean '{near}'?")),
            None => failure.hint(format!("its sections are: {}", ids[..ids.len().min(20)].join(", "))),
        });
    };
    let others: Vec<String> = partly.map(|(_, _, id)| id).collect();
    if !others.is_empty() {
        // The answer is the first; the word is for people.
        let _ = writeln!(io::stderr(), "there are more sections of that name: {}", others.join(", "));
    }
    let slice = row.log().slice(found.log);
    let path = run.join(row.path_of(row.log_name()));
    if slice.size == 0 {
        let _ = writeln!(io::stderr(), "section '{wanted}' has logged nothing");
        return Ok(0);
    }
    let mut file = File::open(&path).map_err(|error| broken(&path, &error))?;
    copy_from(&mut file, slice.begin, slice.size).map_err(|error| broken(&path, &error))?;
    Ok(0)
}
