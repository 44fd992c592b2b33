//! A job of very many tasks: memory, and whether a task costs the same among many as among few.

use std::io;

use super::figure::{Figure, median};
use super::session::{End, Site};

/// Tasks of a small job.
const FEW: u32 = 1_000;

/// Tasks of a large one.
const MANY: u32 = 100_000;

/// Small jobs before the large one, and again after it: the machine may change its mind meanwhile.
const SMALL_JOBS: usize = 7;

/// `parallel { limit = 200 }` of `/bin/true`: the peak of memory, and the time for one task among [`MANY`] and [`FEW`].
pub(crate) fn crowd() -> io::Result<Vec<Figure>> {
    let mut few = Vec::new();
    job(FEW)?;
    for _ in 0..SMALL_JOBS {
        few.push(job(FEW)?.0);
    }
    let (many, end) = job(MANY)?;
    for _ in 0..SMALL_JOBS {
        few.push(job(FEW)?.0);
    }
    let few = median(&mut few);
    let detail = format!("{:.0} µs and {:.0} µs for a task, 200 at once", many * 1e6, few * 1e6);
    let name = "time per task, of 100,000 beside of 1,000";
    let memory = "the largest of host, guardian and tasks, to the end of the run".to_owned();
    Ok(vec![
        Figure::at_most("memory of a job of 100,000 tasks", end.peak, 150.0, "MiB", memory),
        Figure::at_most(name, many / few, 1.2, "x", detail),
    ])
}

/// Runs a job and returns the seconds for each of its tasks.
fn job(tasks: u32) -> io::Result<(f64, End)> {
    let site = Site::new()?;
    let mut session = site.start(&["-q"])?;
    let took = session.batch("crowd", tasks)?;
    Ok((took.as_secs_f64() / f64::from(tasks), session.finish()?))
}
