//! The other end: a process that asks for what is shared.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::model::{Answer, FRAME_LIMIT, Fault, FaultKind, Request, TaskNumber};

/// The request that gives up the one before it, which waits.
const CANCEL: &[u8] = b"{\"op\":\"cancel\"}\n";

/// A connection to the shared objects of a run. What it holds is released when it is dropped.
#[derive(Debug)]
pub(crate) struct SynchroClient {
    socket: UnixStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// How many bytes of `incoming` were used.
    used: usize,
}

impl SynchroClient {
    /// Connects, and says which attempt at which task it is.
    pub(crate) fn connect(path: &Path, task: TaskNumber, attempt: u32) -> Result<Self, Fault> {
        let socket = UnixStream::connect(path).map_err(|error| {
            let text = format!("cannot reach the shared objects of the run at {}: {error}", path.display());
            Fault::new(FaultKind::Closed, text)
        })?;
        let mut client = Self { socket, outgoing: Vec::new(), incoming: Vec::new(), used: 0 };
        match client.call(&Request::hello(task, attempt)) {
            Answer::Error(fault) => Err(fault),
            Answer::Ok(_) | Answer::Timeout(_) => Ok(client),
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) fn call(&mut self, request: &Request) -> Answer {
        self.call_until(request, None, &|| false)
    }

    /// Asks, and waits for the answer; when `wakes` is readable and `is_given_up` says so, the wait is given up. What comes
    /// then is the answer all the same, or that it was cancelled.
    pub(crate) fn call_until(
        &mut self,
        request: &Request,
        wakes: Option<BorrowedFd<'_>>,
        is_given_up: &dyn Fn() -> bool,
    ) -> Answer {
        self.outgoing.clear();
        let written = serde_json::to_writer(&mut self.outgoing, request);
        self.outgoing.push(b'\n');
        if written.is_err() || self.outgoing.len() > FRAME_LIMIT {
            let text = format!(
                "a request of {} bytes is too long; {} MiB is the most: hand a large value over in a file, or in parts",
                self.outgoing.len(),
                FRAME_LIMIT >> 20
            );
            return Answer::Error(Fault::usage(text));
        }
        match self.exchange(wakes, is_given_up) {
            Ok(answer) => answer,
            Err(error) => Answer::Error(Fault::new(
                FaultKind::Closed,
                format!("the connection to the shared objects of the run is lost: {error}"),
            )),
        }
    }

    fn send(&self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                // What the server said last tells more than that it has hung up.
                Err(Errno::PIPE | Errno::CONNRESET) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn exchange(&mut self, wakes: Option<BorrowedFd<'_>>, is_given_up: &dyn Fn() -> bool) -> io::Result<Answer> {
        self.send(&self.outgoing)?;
        let mut scanned = self.used;
        let mut wakes = wakes;
        loop {
            if let Some(length) = self.incoming[scanned..].iter().position(|byte| *byte == b'\n') {
                let line = &self.incoming[self.used..scanned + length];
                let answer = serde_json::from_slice(line)?;
                self.used = scanned + length + 1;
                if self.used == self.incoming.len() {
                    self.incoming.clear();
                    self.used = 0;
                }
                return Ok(answer);
            }
            scanned = self.incoming.len();
            if let Some(waker) = wakes
                && self.wait(waker)? == Came::Word
            {
                // It stays readable, and is not asked again.
                wakes = None;
                if is_given_up() {
                    self.send(CANCEL)?;
                }
            }
            let mut piece = [0; 16 << 10];
            match self.socket.read(&mut piece) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other side has closed it")),
                Ok(count) => self.incoming.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl SynchroClient {
    /// Waits until something has come, or `waker` is readable.
    fn wait(&self, waker: BorrowedFd<'_>) -> io::Result<Came> {
        loop {
            let mut polled = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&waker, PollFlags::IN)];
            match poll(&mut polled, None) {
                Ok(_) if !polled[0].revents().is_empty() => return Ok(Came::Bytes),
                Ok(_) => return Ok(Came::Word),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What a wait has ended by.
#[derive(PartialEq, Eq)]
enum Came {
    /// There is something to read.
    Bytes,
    /// The wait may be given up.
    Word,
}

impl AsFd for SynchroClient {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
