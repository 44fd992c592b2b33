//! What it costs to find the flags of a script: one that has to be asked, beside Python that imports the same parser, and one
//! that is read, or was asked before.

use std::fs;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::figure::{Figure, median};
use super::session::Site;

/// Measurements of each kind.
const TIMES: usize = 40;

const ASKED: &str = "\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument('--lr', type=float, default=0.1)
parser.add_argument('--opt', choices=['sgd', 'adam'], default='sgd')
parser.parse_args()
";

const READ: &str = "lr = 0.1\nopt = 'sgd'\n";

/// Flags that are asked for, read, and remembered. What a command without any of them takes is taken off.
pub(crate) fn flags() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    fs::write(site.path("asked.py"), ASKED)?;
    fs::write(site.path("read.py"), READ)?;
    fs::write(site.path("guild.yml"), "none:\n  exec: /bin/true\n  flags:\n    lr: 0.1\n    opt: sgd\n")?;
    // What stands on the `PATH` may be a script that looks for the interpreter first.
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output()?;
    let python = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    let bare = || time(Command::new(&python).args(["-c", "import argparse"]));
    let rille = |name: &str, cache: &str| {
        let mut command = site.command(&["run", name, "--test-flags"])?;
        time(command.env("NO_IMPORT_FLAGS_CACHE", cache))
    };
    let (mut asked, mut bares, mut read, mut kept, mut none) = (vec![], vec![], vec![], vec![], vec![]);
    for turn in 0..TIMES + 3 {
        let times =
            [rille("asked.py", "1")?, bare()?, rille("read.py", "")?, rille("asked.py", "")?, rille("none", "")?];
        // The first warm up.
        if turn >= 3 {
            for (all, time) in [&mut asked, &mut bares, &mut read, &mut kept, &mut none].into_iter().zip(times) {
                all.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    let [asked, bare, read, kept, none] = [asked, bares, read, kept, none].map(|mut times| median(&mut times));
    let detail = |whole: f64| format!("rille {whole:.1} ms, without flags of code {none:.1} ms, python {bare:.1} ms");
    Ok(vec![
        Figure::at_most("flags that a script is run for", (asked - none) / bare, 1.2, "x python", detail(asked)),
        Figure::at_most("flags that are read", read - none, 3.0, "ms", detail(read)),
        Figure::at_most("flags that a script has told before", kept - none, 3.0, "ms", detail(kept)),
    ])
}

fn time(command: &mut Command) -> io::Result<Duration> {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let took = started.elapsed();
    match status.success() {
        true => Ok(took),
        false => Err(io::Error::other(format!("it left with {status}"))),
    }
}
