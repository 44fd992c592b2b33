//! The two streams of the console: plain write(2), in order, and quiet once nobody reads any more.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::model::Stream;

/// Bytes that are handed to the kernel at once, so that a reader that is slow is told from one that is stuck.
const CHUNK: usize = 64 * 1024;

/// Bytes for which there is room in a pipe that is ready, so that to write them does not wait.
const PIECE: usize = 4096;

/// How long a reader that takes nothing is waited for once the run is to end.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often it is looked whether the run is to end, while a reader takes nothing.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Where the console's text goes.
pub(crate) struct Console {
    stdout: Option<Box<dyn Write + Send>>,
    stderr: Option<Box<dyn Write + Send>>,
    written: Arc<AtomicU64>,
    is_to_end: Arc<AtomicBool>,
}

impl Console {
    /// Returns the standard output and error of this process.
    pub(crate) fn standard() -> Self {
        let is_to_end = Arc::default();
        let stream = |stream| Box::new(Standard::new(stream, Arc::clone(&is_to_end)));
        Console { is_to_end: Arc::clone(&is_to_end), ..Console::new(stream(Stream::Stdout), stream(Stream::Stderr)) }
    }

    /// Returns a console that writes to these.
    pub(crate) fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>) -> Self {
        Console { stdout: Some(stdout), stderr: Some(stderr), written: Arc::default(), is_to_end: Arc::default() }
    }

    /// Returns the number of bytes written by now, as it goes on.
    pub(super) fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }

    /// Returns what is set when the run is to end: from then on a reader that takes nothing is given up.
    pub(super) fn is_to_end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_to_end)
    }

    /// Writes all of it. After an error the stream is left alone for good: a run does not end because nobody looks.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let slot = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        for chunk in bytes.chunks(CHUNK) {
            let Some(writer) = slot else { return };
            if writer.write_all(chunk).is_err() {
                *slot = None;
            }
            self.written.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
    }
}

/// A standard stream without the buffer and the lock of `std::io`, whose macros panic when the reader is gone.
struct Standard {
    stream: Stream,
    /// It is never waited for: a file, or a device such as `/dev/null`.
    takes_all: bool,
    is_to_end: Arc<AtomicBool>,
}

impl Standard {
    fn new(stream: Stream, is_to_end: Arc<AtomicBool>) -> Self {
        let mut standard = Self { stream, takes_all: false, is_to_end };
        let kind = rustix::fs::fstat(standard.fd()).map(|stat| FileType::from_raw_mode(stat.st_mode));
        standard.takes_all = matches!(kind, Ok(FileType::RegularFile | FileType::BlockDevice));
        standard
    }

    fn fd(&self) -> BorrowedFd<'static> {
        match self.stream {
            Stream::Stdout => rustix::stdio::stdout(),
            Stream::Stderr => rustix::stdio::stderr(),
        }
    }

    /// Waits until the reader takes something. One that does not is given up when the run is to end.
    fn wait(&self) -> io::Result<()> {
        let mut given_up_at = None;
        loop {
            match poll(&mut [PollFd::new(&self.fd(), PollFlags::OUT)], Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if self.is_to_end.load(Ordering::Relaxed)
                && Instant::now() >= *given_up_at.get_or_insert_with(|| Instant::now() + PATIENCE)
            {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = if self.takes_all { bytes } else { &bytes[..bytes.len().min(PIECE)] };
        loop {
            if !self.takes_all {
                self.wait()?;
            }
            match rustix::io::write(self.fd(), piece) {
                // Another program has set O_NONBLOCK on the terminal that we share, and has filled it meanwhile.
                Err(Errno::INTR | Errno::AGAIN) => {}
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
