//! What an operation costs: one that does nothing, beside bare processes and beside Guild, and one that writes very much.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bare;
use super::figure::{Figure, Pairs, median};
use super::session::{Site, wait};

/// Pairs of measurements of the operation that does nothing.
const PAIRS: u32 = 60;

/// Bare processes in each pair.
const BATCH: u32 = 20;

/// How often Guild is run: it takes a second.
const GUILD_TIMES: usize = 5;

/// What the operation that writes writes, in bytes.
const BYTES: u64 = 100_000_000;

/// How often it is run.
const WRITES: usize = 11;

/// The operation that does nothing, without source code to copy.
const NOOP: &str = "noop:\n  exec: /bin/true\n  sourcecode: no\n";

/// An operation that does nothing, and one that writes 100 MB with output scalars.
pub(crate) fn operation() -> io::Result<Vec<Figure>> {
    let mut figures = noop()?;
    figures.push(much_output()?);
    Ok(figures)
}

fn noop() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    fs::write(site.path("guild.yml"), NOOP)?;
    let mut pairs = Pairs::default();
    let mut times = Vec::new();
    for turn in 0..PAIRS + 3 {
        let bare = bare::one_by_one(BATCH)?;
        let ours = rille(&site, "noop")?;
        // The first warm up.
        if turn >= 3 {
            pairs.add((ours, 1), (bare, BATCH));
            times.push(ours.as_secs_f64());
        }
    }
    let mut figures = vec![pairs.figure("rille run of an operation that does nothing", 20.0)];
    let name = "the same by guild run";
    let Some(guild) = guild() else {
        let detail = "there is no guild; name one with RILLE_TEST_GUILD".to_owned();
        figures.push(Figure::plain(name, "-".to_owned(), detail));
        return Ok(figures);
    };
    let mut by_guild = Vec::new();
    for _ in 0..GUILD_TIMES {
        let started = Instant::now();
        let mut command = Command::new(&guild);
        // Guild does not make its home.
        std::fs::create_dir_all(site.path("guild-home"))?;
        command.args(["run", "-y", "noop"]).current_dir(site.path("")).env("GUILD_HOME", site.path("guild-home"));
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("guild run left with {status}")));
        }
        by_guild.push(started.elapsed().as_secs_f64());
    }
    let (by_guild, ours) = (median(&mut by_guild), median(&mut times));
    let detail = format!("guild {:.0} ms, rille {:.1} ms", by_guild * 1e3, ours * 1e3);
    figures.push(Figure::at_least(name, by_guild / ours, 30.0, "x ours", detail));
    Ok(figures)
}

fn much_output() -> io::Result<Figure> {
    let site = Site::new()?;
    let log = site.path("log.txt");
    write_log(&log)?;
    fs::write(site.path("guild.yml"), format!("write:\n  exec: cat {}\n  sourcecode: no\n", log.display()))?;
    let (mut ratios, mut ours, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..=WRITES {
        let cat = cat(&site, &log)?;
        let rille = rille(&site, "write")?;
        fs::remove_dir_all(site.path("home"))?;
        if turn > 0 {
            ratios.push(rille.as_secs_f64() / cat.as_secs_f64());
            ours.push(rille.as_secs_f64() * 1e3);
            bare.push(cat.as_secs_f64() * 1e3);
        }
    }
    let detail = format!("rille {:.0} ms, cat through a pipe to a file {:.0} ms", median(&mut ours), median(&mut bare));
    let name = "100 MB of output with output scalars";
    Ok(Figure::at_most(name, median(&mut ratios), 1.5, "x cat", detail))
}

/// Writes a log as a training writes it: of every hundred lines one is a scalar.
fn write_log(path: &PathBuf) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let (mut written, mut number) = (0, 0_u64);
    while written < BYTES {
        number += 1;
        let line = if number.is_multiple_of(100) {
            format!("loss: 0.{:06} (step {number})\n", number % 1_000_000)
        } else {
            let (minute, second) = (number / 60 % 60, number % 60);
            format!("2026-11-21 12:{minute:02}:{second:02} INFO trainer batch {number} took 0.{second:02} s\n")
        };
        file.write_all(line.as_bytes())?;
        written += line.len() as u64;
    }
    file.flush()
}

fn cat(site: &Site, log: &PathBuf) -> io::Result<Duration> {
    let copy = site.path("copy");
    let started = Instant::now();
    let mut writer = Command::new("cat").arg(log).stdout(Stdio::piped()).spawn()?;
    let from = writer.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let status = Command::new("cat").stdin(from).stdout(File::create(&copy)?).status()?;
    writer.wait()?;
    let took = started.elapsed();
    if !status.success() {
        return Err(io::Error::other("cat did not write everything"));
    }
    fs::remove_file(copy)?;
    Ok(took)
}

fn rille(site: &Site, operation: &str) -> io::Result<Duration> {
    let mut command = site.rille(operation)?;
    command.arg("-y");
    let started = Instant::now();
    let end = wait(&command.spawn()?)?;
    let took = started.elapsed();
    if end.code != 0 {
        return Err(io::Error::other(format!("rille run {operation} left with {}", end.code)));
    }
    Ok(took)
}

pub(crate) fn guild() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_GUILD").map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    named.or_else(|| std::env::split_paths(&paths).map(|path| path.join("guild")).find(|path| path.is_file()))
}
