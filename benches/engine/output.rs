//! One task that writes very much: memory, and speed beside `cat` to a file.

use std::fs::{self, File};
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::figure::{Figure, median};
use super::session::Site;

/// What the task writes.
const BYTES: u32 = 1 << 30;

/// How often.
const TIMES: usize = 5;

/// A task that writes 1 GiB of which all is kept, as `cat` keeps it, and one of which the default cap is kept.
pub(crate) fn output() -> io::Result<Vec<Figure>> {
    let (mut cat, mut kept, mut capped, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..TIMES {
        cat.push(rate(by_cat()?));
        for (rates, limit) in [(&mut kept, "2G"), (&mut capped, "256M")] {
            let site = Site::new()?;
            let mut session = site.start(&["--output-limit", limit])?;
            rates.push(rate(session.batch("output", BYTES)?));
            peak = peak.max(session.finish()?.peak);
        }
    }
    let rates = |rates: &mut Vec<f64>| format!("{:.0} MiB/s", median(rates));
    let beside = format!("cat from the same pipe to a file: {}", rates(&mut cat));
    let memory = "the largest of host, guardian and task".to_owned();
    Ok(vec![
        Figure::at_most("memory of a task that writes 1 GiB", peak, 64.0, "MiB", memory),
        Figure::plain("1 GiB of output, all kept", rates(&mut kept), beside.clone()),
        Figure::plain("1 GiB of output, 256 MiB kept", rates(&mut capped), beside),
    ])
}

/// Returns MiB a second.
fn rate(took: Duration) -> f64 {
    f64::from(BYTES >> 20) / took.as_secs_f64()
}

fn by_cat() -> io::Result<Duration> {
    let site = Site::new()?;
    let path = site.path("copy");
    let started = Instant::now();
    let mut head = Command::new("head")
        .args(["-c", &BYTES.to_string(), "/dev/zero"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let from = head.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let status = Command::new("cat").stdin(from).stdout(File::create(&path)?).status()?;
    head.wait()?;
    let took = started.elapsed();
    if !status.success() || fs::metadata(&path)?.len() != u64::from(BYTES) {
        return Err(io::Error::other("cat did not write everything"));
    }
    Ok(took)
}
