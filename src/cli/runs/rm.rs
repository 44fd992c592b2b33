//! `rille runs rm`: removes runs, after asking.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use crate::cli::Failure;
use crate::cli::output::{one_line, write_json};
use crate::store::{self, Home, Status};

/// Which runs are removed, and how.
#[derive(Args, Debug)]
pub(crate) struct RmArgs {
    /// The runs: ids, beginnings of ids, `latest`, or paths of run directories
    #[arg(value_name = "RUN", required = true)]
    ids: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Delete them instead of moving them to the trash
    #[arg(long, short)]
    permanent: bool,
    /// Write what was removed as JSON: a list of objects
    #[arg(long)]
    json: bool,
}

/// Removes the runs: all of them, or none if one cannot be found or is running.
pub(crate) fn main(args: &RmArgs, home: &Home) -> Result<i32, Failure> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for id in &args.ids {
        let path = home.find(id)?;
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let runs: Vec<store::RunInfo> = paths.iter().map(|path| store::summarise(path)).collect();
    if let Some(running) = runs.iter().find(|run| run.status == Status::Running) {
        return Err(store::Error::Running { id: running.id.clone() }.into());
    }
    if !args.yes && !confirm(&runs, args.permanent)? {
        return Ok(1);
    }
    let mut removed = Vec::new();
    for path in &paths {
        removed.push(store::remove(home, path, args.permanent)?);
    }
    if args.json {
        write_json(&removed)?;
    } else {
        let plural = if removed.len() == 1 { "run" } else { "runs" };
        let done = if args.permanent { "deleted" } else { "moved to the trash" };
        eprintln!("{} {plural} {done}", removed.len());
    }
    Ok(0)
}

/// Asks on the terminal whether the runs are to go.
fn confirm(runs: &[store::RunInfo], permanent: bool) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("removing runs needs a yes, and standard input is not a terminal to ask on")
            .hint("add -y to remove them without being asked."));
    }
    let mut err = io::stderr().lock();
    let asked = (|| {
        writeln!(err, "These runs will be {}:", if permanent { "deleted for good" } else { "moved to the trash" })?;
        for run in runs {
            let operation = run.operation.as_deref().unwrap_or("?");
            let line = format!("  {}  {operation}  {}  {}", run.id, run.status, run.label.as_deref().unwrap_or(""));
            writeln!(err, "{}", one_line(&line).trim_end())?;
        }
        write!(err, "Go on? (y/N) ")?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    })();
    asked.map_err(|e: io::Error| Failure::general(format!("cannot ask: {e}")))
}
