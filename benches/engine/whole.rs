//! What a whole `rille run` costs, from its start to its exit, in bare processes.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::bare;
use super::figure::{Figure, Pairs};
use super::session::{Site, wait};

/// Pairs of measurements for one figure.
const PAIRS: u32 = 60;

/// Bare processes in each pair.
const BATCH: u32 = 15;

/// The exit code of a run without tasks.
const NOTHING_TO_RUN: i32 = 4;

/// An empty job, and a job of one Lua task that does nothing.
pub(crate) fn process() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    fs::write(site.path("empty.lua"), "function main() end\n")?;
    let one = "local job = require 'rille.job'\nfunction main() job.run { testscript = 'noop.lua' } end\n";
    fs::write(site.path("one.lua"), one)?;
    let empty = pairs(&site, "empty.lua", NOTHING_TO_RUN)?;
    let one = pairs(&site, "one.lua", 0)?;
    Ok(vec![
        empty.figure("rille run of an empty job, whole process", 15.0),
        one.figure("rille run of one empty Lua task, whole", 15.0),
    ])
}

fn pairs(site: &Site, jobfile: &str, code: i32) -> io::Result<Pairs> {
    let mut pairs = Pairs::default();
    for _ in 0..3 {
        bare::one_by_one(BATCH)?;
        run(site, jobfile, code)?;
    }
    for _ in 0..PAIRS {
        let bare = bare::one_by_one(BATCH)?;
        let ours = run(site, jobfile, code)?;
        pairs.add((ours, 1), (bare, BATCH));
    }
    Ok(pairs)
}

fn run(site: &Site, jobfile: &str, code: i32) -> io::Result<Duration> {
    let mut command = site.rille(jobfile)?;
    let started = Instant::now();
    let end = wait(&command.spawn()?)?;
    let took = started.elapsed();
    if end.code != code {
        return Err(io::Error::other(format!("rille run {jobfile} left with {}, not {code}", end.code)));
    }
    Ok(took)
}
