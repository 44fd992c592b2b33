//! Lists of many runs: the newest, all of them, and those that a filter leaves in.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::figure::{Figure, Pairs, median};
use super::session::{Site, wait};

/// Runs of the small home, and of the large one.
const FEW: u32 = 10_000;
const MANY: u32 = 100_000;

/// Times that each command is run.
const TIMES: usize = 9;

/// How long change times must be past for the index to believe in them.
const SETTLED: Duration = Duration::from_millis(2_200);

/// What listing the runs of a home takes, in seconds.
struct Times {
    newest: f64,
    build: f64,
    all: f64,
    filter: f64,
}

/// Lists of 10,000 runs.
pub(crate) fn runs() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    make_runs(&site.path("home"), FEW)?;
    let mut pairs = Pairs::default();
    for _ in 0..TIMES {
        pairs.add((newest(&site)?, 1), (ls(&site)?, 1));
    }
    let times = times(&site)?;
    Ok(vec![
        pairs.figure("the 20 newest of 10,000 runs, against ls", 5.0),
        Figure::at_most("the first index of 10,000 runs", times.build, 5.0, "s", String::new()),
        Figure::at_most("10,000 runs as JSON", times.all, 0.3, "s", String::new()),
        Figure::at_most("a filter over a flag of 10,000 runs", times.filter, 0.3, "s", String::new()),
    ])
}

/// The same of 100,000 runs, against ten times less.
pub(crate) fn many_runs() -> io::Result<Vec<Figure>> {
    let (few, many) = (Site::new()?, Site::new()?);
    make_runs(&few.path("home"), FEW)?;
    make_runs(&many.path("home"), MANY)?;
    let (few, many) = (times(&few)?, times(&many)?);
    let figure = |name: &str, few: f64, many: f64| {
        Figure::at_most(name, many / few, 12.0, "x 10,000", format!("{few:.3} s and {many:.3} s"))
    };
    Ok(vec![
        figure("the 20 newest of 100,000 runs", few.newest, many.newest),
        figure("the first index of 100,000 runs", few.build, many.build),
        figure("100,000 runs as JSON", few.all, many.all),
        figure("a filter over a flag of 100,000 runs", few.filter, many.filter),
    ])
}

fn times(site: &Site) -> io::Result<Times> {
    thread::sleep(SETTLED);
    // The first look at a folder is the disk's.
    newest(site)?;
    let json = ["runs", "--all", "--json"];
    let mut builds = Vec::new();
    for _ in 0..2 {
        let _ = fs::remove_dir_all(site.path("home").join("cache"));
        builds.push(rille(site, &json)?.as_secs_f64());
    }
    let median_of = |args: &[&str]| -> io::Result<f64> {
        let mut seconds = Vec::new();
        for _ in 0..TIMES {
            seconds.push(rille(site, args)?.as_secs_f64());
        }
        Ok(median(&mut seconds))
    };
    Ok(Times {
        newest: median_of(&["runs"])?,
        build: median(&mut builds),
        all: median_of(&json)?,
        filter: median_of(&["runs", "--all", "-F", "lr > 0.5 and batch = 3"])?,
    })
}

fn newest(site: &Site) -> io::Result<Duration> {
    rille(site, &["runs"])
}

fn rille(site: &Site, args: &[&str]) -> io::Result<Duration> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command.args(args);
    timed(command, site)
}

fn ls(site: &Site) -> io::Result<Duration> {
    let mut command = Command::new("ls");
    command.arg(site.path("home").join("runs"));
    timed(command, site)
}

fn timed(mut command: Command, site: &Site) -> io::Result<Duration> {
    let out = site.path("out");
    command.env("RILLE_HOME", site.path("home")).stdin(Stdio::null()).stdout(File::create(out)?).stderr(Stdio::null());
    let started = Instant::now();
    let end = wait(&command.spawn()?)?;
    if end.code == 0 {
        Ok(started.elapsed())
    } else {
        Err(io::Error::other(format!("{command:?} left with {}", end.code)))
    }
}

/// Makes run directories as operations leave them.
fn make_runs(home: &Path, count: u32) -> io::Result<()> {
    let threads = 2;
    thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                scope.spawn(move || (part..count).step_by(threads as usize).try_for_each(|n| make_run(home, n)))
            })
            .collect();
        parts.into_iter().try_for_each(|part| part.join().map_err(|_| io::Error::other("a maker of runs failed"))?)
    })
}

fn make_run(home: &Path, number: u32) -> io::Result<()> {
    // Ids in no order, as they are given.
    let id = format!("{:08x}{number:024x}", number.wrapping_mul(2_654_435_761));
    let attrs = home.join("runs").join(&id).join(".guild/attrs");
    fs::create_dir_all(&attrs)?;
    fs::write(
        attrs.join("../opref"),
        "guildfile:/home/ada/project/guild.yml f21d6a9ccd23a0fc03d79d174d0d3b80 m train",
    )?;
    fs::write(attrs.join("../output"), "loss: 0.5\n")?;
    let started = 1_795_247_695_000_000 + u64::from(number) * 1_000_000;
    let (lr, batch) = (f64::from(number % 1000) / 1000.0, number % 7);
    let env = (0..30).map(|n| format!("VARIABLE_{n}: '/opt/some/path/number/{n}'\n")).collect::<Vec<_>>().concat();
    for (name, text) in [
        ("id", format!("{id}\n")),
        ("initialized", format!("{}\n", started - 1000)),
        ("started", format!("{started}\n")),
        ("stopped", format!("{}\n", started + 900_000)),
        ("exit_status", format!("{}\n", i32::from(number % 10 == 3))),
        ("label", format!("lr={lr} batch={batch}\n")),
        ("tags", "- t1\n- t2\n".to_owned()),
        ("flags", format!("batch: {batch}\nlr: {lr}\nname: foo\nseed: {number}\n")),
        ("cmd", "- python3\n- -um\n- train\n- --lr\n- '0.1'\n".to_owned()),
        ("env", env),
        ("host", "vm\n".to_owned()),
        ("user", "ada\n".to_owned()),
        ("sourcecode_digest", "df646068a317fcb68a1fbc3231a826fb\n".to_owned()),
        ("deps", "{}\n".to_owned()),
        ("op", "deps: []\nop-cmd:\n  cmd-args:\n  - python3\n  - train.py\n".to_owned()),
    ] {
        fs::write(attrs.join(name), text)?;
    }
    Ok(())
}
