//! The other end: a process that asks for what is shared.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::engine::json_lines::{IncomingLines, OutgoingLines};
use crate::model::{Answer, FRAME_LIMIT, Fault, FaultKind, Op, Request, TaskNumber};

/// The request that gives up the one before it, which waits.
const CANCEL: Request = Request::bare(Op::Cancel);

/// A connection to the shared objects of a run. What it holds is released when it is dropped.
#[derive(Debug)]
pub(crate) struct SynchroClient {
    socket: UnixStream,
    outgoing: OutgoingLines,
    incoming: IncomingLines,
}

impl SynchroClient {
    /// Connects, and says which attempt at which task it is.
    pub(crate) fn connect(path: &Path, task: TaskNumber, attempt: u32) -> Result<Self, Fault> {
        let socket = UnixStream::connect(path).map_err(|error| {
            let text = format!("cannot reach the shared objects of the run at {}: {error}", path.display());
            Fault::new(FaultKind::Closed, text)
        })?;
        let mut client = Self { socket, outgoing: OutgoingLines::default(), incoming: IncomingLines::of_any_length() };
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
        if self.outgoing.post(request).is_err() || self.outgoing.held() > FRAME_LIMIT {
            let text = format!(
                "a request of {} bytes is too long; {} MiB is the most: hand a large value over in a file, or in parts",
                self.outgoing.held(),
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

    fn send(&mut self) -> io::Result<()> {
        match self.outgoing.flush(&self.socket) {
            Ok(_) => Ok(()),
            // What the server said last tells more than that it has hung up.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn exchange(&mut self, wakes: Option<BorrowedFd<'_>>, is_given_up: &dyn Fn() -> bool) -> io::Result<Answer> {
        self.send()?;
        let mut wakes = wakes;
        loop {
            if let Some(line) = self.incoming.next().map_err(io::Error::other)? {
                return Ok(serde_json::from_slice(line)?);
            }
            if let Some(waker) = wakes
                && self.wait(waker)? == Came::Word
            {
                // It stays readable, and is not asked again.
                wakes = None;
                if is_given_up() {
                    self.outgoing.post(&CANCEL)?;
                    self.send()?;
                }
            }
            if !self.incoming.fill(&self.socket)? {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the other side has closed it"));
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
