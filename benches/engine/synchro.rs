//! What a shared object costs a Lua task, beside a bare ping-pong over a socket pair between two processes.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::figure::{Figure, Pairs, median};
use super::session::{Session, Site};

/// Pairs of batches for one figure.
const PAIRS: u32 = 40;

/// Round trips in a batch.
const BATCH: u32 = 1000;

/// Bytes of a message of the ping-pong: about those of a request.
const MESSAGE: usize = 48;

/// A round trip, four tasks at once, and a large dict beside a small one.
pub(crate) fn synchro() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    let mut session = site.start(&[])?;
    let mut bare = PingPong::start()?;
    session.batch("shared", 1)?;
    for _ in 0..3 {
        session.batch("trips", BATCH)?;
        bare.batch(BATCH)?;
    }
    let mut trips = Pairs::default();
    for _ in 0..PAIRS {
        let bare = bare.batch(BATCH)?;
        trips.add((session.batch("trips", BATCH)?, BATCH), (bare, BATCH));
    }
    let mut sizes = Pairs::default();
    for _ in 0..PAIRS {
        let small = session.batch("small", BATCH)?;
        sizes.add((session.batch("large", BATCH)?, BATCH), (small, BATCH));
    }
    let together = together(&mut session)?;
    bare.stop()?;
    session.finish()?;
    Ok(vec![
        trips.figure("synchro: a round trip of a Lua task", 3.0),
        sizes.figure("synchro: a dict of 100,000 keys beside 10", 1.2),
        together,
    ])
}

/// Four tasks that all add to one number.
fn together(session: &mut Session) -> io::Result<Figure> {
    let mut rates = Vec::new();
    for _ in 0..10 {
        let took = session.batch("together", BATCH)?;
        rates.push(f64::from(4 * BATCH) / took.as_secs_f64());
    }
    let rate = median(&mut rates);
    let detail = format!("slowest batch {:.0}, fastest {:.0}", rates[0], rates[rates.len() - 1]);
    Ok(Figure::at_least("synchro: four tasks at once", rate, 20_000.0, "/s", detail))
}

/// A process that sends back what it gets.
struct PingPong {
    stream: UnixStream,
    child: libc::pid_t,
}

impl PingPong {
    fn start() -> io::Result<Self> {
        let (mut ours, theirs) = UnixStream::pair()?;
        // SAFETY: this program has one thread, and the child only reads, writes and leaves.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(std::mem::replace(&mut ours, theirs));
                let mut message = [0; MESSAGE];
                while ours.read_exact(&mut message).and_then(|()| ours.write_all(&message)).is_ok() {}
                // SAFETY: it ends this process, without what others have left to do in it.
                unsafe { libc::_exit(0) }
            }
            child => Ok(Self { stream: ours, child }),
        }
    }

    fn batch(&mut self, count: u32) -> io::Result<Duration> {
        let started = Instant::now();
        let mut message = [b'x'; MESSAGE];
        for _ in 0..count {
            self.stream.write_all(&message)?;
            self.stream.read_exact(&mut message)?;
        }
        Ok(started.elapsed())
    }

    fn stop(self) -> io::Result<()> {
        drop(self.stream);
        let mut status = 0;
        // SAFETY: the child is this process's own and has not been reaped; `status` outlives the call.
        match unsafe { libc::waitpid(self.child, &raw mut status, 0) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}
