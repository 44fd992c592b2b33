//! What very many tasks leave behind in the processes of the run: it should be nothing.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::figure::Figure;
use super::session::{Session, Site, children};

/// Tasks of the job.
const TASKS: u32 = 10_000;

/// How long what ends by itself, such as a sync to the disk, is waited for.
const SETTLING: Duration = Duration::from_secs(3);

/// What a run that stands still has.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    /// Processes below the guardian beside the host; zombies are among them.
    processes: usize,
}

/// Runs 10,000 short tasks and compares the run before and after them.
pub(crate) fn leaks() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    let mut session = site.start(&["-q"])?;
    session.batch("sequential", 10)?;
    let before = holdings(&session)?;
    session.batch("crowd", TASKS)?;
    let deadline = Instant::now() + SETTLING;
    let mut after = holdings(&session)?;
    while after != before && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        after = holdings(&session)?;
    }
    let end = session.finish()?;
    let figure = |what: &str, before: usize, after: usize, at_most: usize| Figure {
        name: format!("{what} after 10,000 tasks"),
        measured: after.to_string(),
        floor: format!("at most {at_most}"),
        is_met: Some(after <= at_most),
        detail: format!("{before} before"),
    };
    Ok(vec![
        figure("processes left, zombies included,", before.processes, after.processes, 0),
        figure("open descriptors of the host", before.descriptors, after.descriptors, before.descriptors),
        figure("threads of the host", before.threads, after.threads, before.threads),
        Figure::plain("memory of a job of 10,000 tasks", format!("{:.1} MiB", end.peak), String::new()),
    ])
}

fn holdings(session: &Session) -> io::Result<Holdings> {
    let (guardian, host) = session.processes()?;
    let count = |folder: &str| -> io::Result<usize> { Ok(fs::read_dir(format!("/proc/{host}/{folder}"))?.count()) };
    Ok(Holdings {
        descriptors: count("fd")?,
        threads: count("task")?,
        processes: children(guardian)?.len() - 1 + children(host)?.len(),
    })
}
