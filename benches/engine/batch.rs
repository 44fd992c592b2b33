//! What the trials of a batch cost, beside bare processes on two threads and beside Guild.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bare;
use super::figure::{Figure, Pairs, median};
use super::operation::guild;
use super::session::{Site, wait};

/// Trials of a batch.
const TRIALS: u32 = 500;

/// How often it is run.
const TURNS: u32 = 9;

/// Trials of the batches between which the time of a trial is to be the same.
const FEW: u32 = 100;
const MANY: u32 = 10_000;

/// Trials of the batch that Guild runs: each takes it half a second.
const BY_GUILD: u32 = 8;

/// An operation that does nothing, without source code to copy.
const NOOP: &str = "noop:\n  exec: /bin/true\n  sourcecode: no\n  flags: {n: 0}\n";

/// Trials that do nothing.
pub(crate) fn batch() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    fs::write(site.path("guild.yml"), NOOP)?;
    let mut pairs = Pairs::default();
    let mut times = Vec::new();
    for turn in 0..TURNS + 2 {
        let bare = bare::on_two_threads(TRIALS)?;
        let ours = rille(&site, TRIALS)?;
        // The first warm up.
        if turn >= 2 {
            pairs.add((ours, TRIALS), (bare, TRIALS));
            times.push(ours.as_secs_f64() / f64::from(TRIALS));
        }
    }
    let mut figures = vec![pairs.figure("500 trials that do nothing, two at once", 3.0)];
    let (few, many) = (rille(&site, FEW)?, rille(&site, MANY)?);
    let each = |took: Duration, count: u32| took.as_secs_f64() / f64::from(count);
    let detail = format!("{:.2} ms of 100, {:.2} ms of 10,000", each(few, FEW) * 1e3, each(many, MANY) * 1e3);
    let name = "a trial of 10,000 beside one of 100";
    figures.push(Figure::at_most(name, each(many, MANY) / each(few, FEW), 1.1, "x", detail));
    figures.push(by_guild(&site, median(&mut times))?);
    Ok(figures)
}

fn by_guild(site: &Site, ours: f64) -> io::Result<Figure> {
    let name = "a trial by guild run";
    let Some(guild) = guild() else {
        let detail = "there is no guild; name one with RILLE_TEST_GUILD".to_owned();
        return Ok(Figure::plain(name, "-".to_owned(), detail));
    };
    fs::create_dir_all(site.path("guild-home"))?;
    let mut command = Command::new(&guild);
    command.args(["run", "-y", "noop", &values(BY_GUILD)]).current_dir(site.path(""));
    command.env("GUILD_HOME", site.path("guild-home"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    if !status.success() {
        return Err(io::Error::other(format!("guild run left with {status}")));
    }
    let theirs = started.elapsed().as_secs_f64() / f64::from(BY_GUILD);
    let detail = format!("guild {:.0} ms, rille {:.2} ms", theirs * 1e3, ours * 1e3);
    Ok(Figure::at_least(name, theirs / ours, 60.0, "x ours", detail))
}

fn values(count: u32) -> String {
    format!("n=range[1:{count}]")
}

fn rille(site: &Site, count: u32) -> io::Result<Duration> {
    let mut command = site.rille("noop")?;
    command.args(["-y", "-q", "-j", "2", &values(count)]);
    let started = Instant::now();
    let end = wait(&command.spawn()?)?;
    let took = started.elapsed();
    if end.code != 0 {
        return Err(io::Error::other(format!("rille run noop left with {}", end.code)));
    }
    fs::remove_dir_all(site.path("home"))?;
    Ok(took)
}
