//! Test frameworks of others: a long document of TAP, and a suite of pytest's beside pytest-xdist.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::figure::{Figure, median};
use super::ground;
use super::session::wait;

/// Measurements of each, by turns.
const PAIRS: usize = 7;

/// Files of the suite, and the tests in each.
const FILES: usize = 20;
const TESTS: usize = 50;

/// `rille test` of a program that writes 1,000,000 test points.
pub(crate) fn tap() -> io::Result<Vec<Figure>> {
    let folder = ground::folder()?;
    let program = folder.path().join("long.t");
    let text = "#!/bin/sh\nawk 'BEGIN { print \"1..1000000\"; for (i = 1; i <= 1000000; i++) print \"ok \" i \" - point \" i }'\n";
    fs::write(&program, text)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let (mut times, mut peak) = (Vec::new(), 0.0_f64);
    for _ in 0..PAIRS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
        command.args(["test", "--disable-sysinfo", "-qq"]).arg(&program).env("RILLE_HOME", folder.path().join("home"));
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let end = wait(&child)?;
        if end.code != 0 {
            return Err(io::Error::other(format!("rille left with {}", end.code)));
        }
        times.push(started.elapsed().as_secs_f64());
        peak = peak.max(end.peak);
    }
    let time = median(&mut times);
    let memory = "the largest of host, guardian and the program".to_owned();
    Ok(vec![
        Figure::at_most("TAP of 1,000,000 points", time, 2.0, "s", "with the program that writes it".to_owned()),
        Figure::at_most("memory of that", peak, 64.0, "MiB", memory),
    ])
}

/// `rille test -j 2` of a suite of 1,000 small tests of pytest's, beside `pytest -n 2`.
pub(crate) fn pytest() -> io::Result<Vec<Figure>> {
    let Some(programs) = std::env::var_os("RILLE_TEST_PYTEST").map(PathBuf::from) else {
        eprintln!("there is no pytest to compare with; name the folder of its programs with RILLE_TEST_PYTEST");
        return Ok(Vec::new());
    };
    let folder = ground::folder()?;
    let suite = folder.path().join("suite");
    fs::create_dir(&suite)?;
    for file in 0..FILES {
        let mut text = String::new();
        for test in 0..TESTS {
            text.extend(["def test_", &test.to_string(), "():\n    assert 1 + 1 == 2\n\n"]);
        }
        fs::write(suite.join(format!("test_{file}.py")), text)?;
    }
    let mut ratios = Vec::new();
    let mut last = (Duration::ZERO, Duration::ZERO);
    for _ in 0..PAIRS {
        let ours = run(
            &programs,
            folder.path(),
            env!("CARGO_BIN_EXE_rille"),
            &["test", "suite", "-j2", "--disable-sysinfo", "-qq"],
        )?;
        let theirs = programs.join("pytest");
        let theirs = run(
            &programs,
            folder.path(),
            theirs.to_str().unwrap_or_default(),
            &["-q", "-n", "2", "-p", "no:cacheprovider", "suite"],
        )?;
        ratios.push(ours.as_secs_f64() / theirs.as_secs_f64());
        last = (ours, theirs);
    }
    let detail = format!("the last {:.2} s against {:.2} s", last.0.as_secs_f64(), last.1.as_secs_f64());
    Ok(vec![Figure::at_most("1,000 tests of pytest's, beside pytest-xdist", median(&mut ratios), 1.0, "x", detail)])
}

fn run(programs: &Path, folder: &Path, program: &str, args: &[&str]) -> io::Result<Duration> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [programs.to_owned()].into_iter().chain(std::env::split_paths(&path));
    let path = std::env::join_paths(path).map_err(io::Error::other)?;
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env("PATH", path).env("RILLE_HOME", folder.join("home"));
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    match status.success() {
        true => Ok(started.elapsed()),
        false => Err(io::Error::other(format!("{program} ended with {status}"))),
    }
}
