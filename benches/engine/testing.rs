//! What a test costs: a run of 1,000 tests beside bare processes, and 40 of them beside the real Avocado.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bare;
use super::figure::{Figure, Pairs};
use super::ground;

/// Pairs of measurements.
const PAIRS: u32 = 9;

/// Tests of a run.
const TESTS: u32 = 1000;

/// Tests that Avocado is given, of which each takes half a second.
const THEIRS: u32 = 40;

/// `rille test -j 1` of 1,000 times `/bin/true`, the whole process with its run directory.
pub(crate) fn testing() -> io::Result<Vec<Figure>> {
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        let bare = bare::one_by_one(TESTS)?;
        pairs.add((rille(TESTS)?, TESTS), (bare, TESTS));
    }
    let mut figures = vec![pairs.figure("rille test -j 1 of 1,000 x /bin/true", 2.0)];
    match std::env::var_os("RILLE_TEST_AVOCADO").map(PathBuf::from) {
        Some(programs) => figures.push(avocado(&programs)?),
        None => {
            eprintln!("there is no avocado to compare with; name the folder of its programs with RILLE_TEST_AVOCADO");
        }
    }
    Ok(figures)
}

fn rille(count: u32) -> io::Result<Duration> {
    let home = ground::folder()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command.args(["test", "-j", "1", "-qq", "--repeat", &count.to_string(), "/bin/true"]);
    timed(command.env("RILLE_HOME", home.path()))
}

fn avocado(programs: &std::path::Path) -> io::Result<Figure> {
    let home = ground::folder()?;
    let mut command = Command::new(programs.join("avocado"));
    command.args(["run", "--disable-sysinfo", "--max-parallel-tasks=1"]).args((0..THEIRS).map(|_| "/bin/true"));
    let theirs = timed(command.env("HOME", home.path()))?;
    let ours = rille(THEIRS)?;
    let times = theirs.as_secs_f64() / ours.as_secs_f64();
    let detail = format!("{:.1} s against {:.0} ms", theirs.as_secs_f64(), ours.as_secs_f64() * 1000.0);
    Ok(Figure::plain("avocado run of 40 x /bin/true, one by one", format!("{times:.0} x ours"), detail))
}

fn timed(command: &mut Command) -> io::Result<Duration> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    match status.success() {
        true => Ok(started.elapsed()),
        false => Err(io::Error::other(format!("the tests ended with {status}"))),
    }
}
