//! What a runner costs: its whole process in bare processes, and a job of the real Avocado with its own runner and with ours.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bare;
use super::figure::{Figure, Pairs};
use super::ground;

/// Pairs of measurements for one figure.
const PAIRS: u32 = 60;

/// Bare processes in each pair.
const BATCH: u32 = 4;

/// References in the job of Avocado with our runner.
const OURS: u32 = 200;

/// The same with its own, of which each takes about a second.
const THEIRS: u32 = 20;

/// A runner that does nothing, and 200 times `/bin/true` under Avocado.
pub(crate) fn runner() -> io::Result<Vec<Figure>> {
    let folder = ground::folder()?;
    let bin = folder.path().join("bin");
    fs::create_dir(&bin)?;
    for kind in ["noop", "exec-test"] {
        symlink(env!("CARGO_BIN_EXE_rille"), bin.join(format!("avocado-runner-{kind}")))?;
    }
    let noop = bin.join("avocado-runner-noop");
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        let bare = bare::one_by_one(BATCH)?;
        let ours = run(Command::new(&noop).arg("runnable-run"))?;
        pairs.add((ours, 1), (bare, BATCH));
    }
    let mut figures = vec![pairs.figure("avocado-runner-noop runnable-run", 4.0)];
    match std::env::var_os("RILLE_TEST_AVOCADO").map(PathBuf::from) {
        Some(programs) => figures.push(avocado(&programs, &bin, folder.path())?),
        None => {
            eprintln!("there is no avocado to compare with; name the folder of its programs with RILLE_TEST_AVOCADO");
        }
    }
    Ok(figures)
}

fn avocado(programs: &Path, bin: &Path, folder: &Path) -> io::Result<Figure> {
    let job = |first: Option<&Path>, count: u32| -> io::Result<Duration> {
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            first.into_iter().map(Path::to_owned).chain([programs.to_owned()]).chain(std::env::split_paths(&rest));
        let mut command = Command::new(programs.join("avocado"));
        command.args(["run", "--disable-sysinfo", "--job-results-dir"]).arg(folder.join("results"));
        command.args((0..count).map(|_| "/bin/true"));
        command.env("PATH", std::env::join_paths(folders).map_err(io::Error::other)?).env("HOME", folder);
        run(&mut command)
    };
    let seconds = |time: Duration, count: u32| time.as_secs_f64() / f64::from(count);
    let ours = seconds(job(Some(bin), OURS)?, OURS);
    let theirs = seconds(job(None, THEIRS)?, THEIRS);
    let detail = format!("{:.1} ms against {:.1} ms a test", ours * 1e3, theirs * 1e3);
    Ok(Figure::at_least("avocado run, our runner against its own", theirs / ours, 20.0, "times", detail))
}

fn run(command: &mut Command) -> io::Result<Duration> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    match status.success() {
        true => Ok(started.elapsed()),
        false => Err(io::Error::other(format!("{command:?} left with {status}"))),
    }
}
