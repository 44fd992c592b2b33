//! The two streams of the console: plain write(2), in order, and quiet once nobody reads any more.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use crate::model::Stream;

/// Bytes that are handed to the kernel at once, so that a reader that is slow is told from one that is stuck.
const CHUNK: usize = 64 * 1024;

/// Where the console's text goes.
pub(crate) struct Console {
    stdout: Option<Box<dyn Write + Send>>,
    stderr: Option<Box<dyn Write + Send>>,
    written: Arc<AtomicU64>,
}

impl Console {
    /// Returns the standard output and error of this process.
    pub(crate) fn standard() -> Self {
        Console::new(Box::new(Standard(Stream::Stdout)), Box::new(Standard(Stream::Stderr)))
    }

    /// Returns a console that writes to these.
    pub(crate) fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>) -> Self {
        Console { stdout: Some(stdout), stderr: Some(stderr), written: Arc::default() }
    }

    /// Returns the number of bytes written by now, as it goes on.
    pub(super) fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
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
struct Standard(Stream);

impl Standard {
    fn fd(&self) -> BorrowedFd<'static> {
        match self.0 {
            Stream::Stdout => rustix::stdio::stdout(),
            Stream::Stderr => rustix::stdio::stderr(),
        }
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.fd(), bytes) {
                Err(Errno::INTR) => {}
                // Another program has set O_NONBLOCK on the terminal that we share.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.fd(), PollFlags::OUT)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
