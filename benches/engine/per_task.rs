//! What a task costs within a run, beside a process that is started bare.

use std::io;
use std::time::Duration;

use super::bare;
use super::figure::{Figure, Pairs};
use super::session::Site;

/// Pairs of batches for one figure.
const PAIRS: u32 = 150;

/// Tasks in a batch: short enough that both halves of a pair see the same machine.
const BATCH: u32 = 16;

/// `run {}` of `/bin/true`, one after the other.
pub(crate) fn sequential() -> io::Result<Vec<Figure>> {
    let pairs = pairs("sequential", bare::one_by_one)?;
    Ok(vec![pairs.figure("run {} of /bin/true, one by one", 1.4)])
}

/// `parallel { limit = 2 }` of `/bin/true`, beside two threads that start processes.
pub(crate) fn parallel() -> io::Result<Vec<Figure>> {
    let pairs = pairs("parallel", bare::on_two_threads)?;
    Ok(vec![pairs.figure("parallel { limit = 2 } of /bin/true", 1.4)])
}

/// A Lua task that does nothing, beside `/bin/true` bare.
pub(crate) fn lua() -> io::Result<Vec<Figure>> {
    let pairs = pairs("lua", bare::one_by_one)?;
    Ok(vec![pairs.figure("run {} of an empty Lua script", 3.0)])
}

fn pairs(work: &str, bare: fn(u32) -> io::Result<Duration>) -> io::Result<Pairs> {
    let site = Site::new()?;
    let mut session = site.start(&[])?;
    let mut pairs = Pairs::default();
    for _ in 0..3 {
        bare(BATCH)?;
        session.batch(work, BATCH)?;
    }
    for _ in 0..PAIRS {
        let bare = bare(BATCH)?;
        let ours = session.batch(work, BATCH)?;
        pairs.add((ours, BATCH), (bare, BATCH));
    }
    session.finish()?;
    Ok(pairs)
}
