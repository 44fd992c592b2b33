//! The worker's end of the socket to the coordinator: JSON objects, one a line.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::model::{WalkOrder, WalkReport};

/// See the module.
pub(super) struct Line {
    incoming: RefCell<BufReader<UnixStream>>,
    outgoing: RefCell<Vec<u8>>,
}

impl Line {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { incoming: RefCell::new(BufReader::new(socket)), outgoing: RefCell::default() }
    }

    /// Waits for an order; `None` when the coordinator is gone.
    pub(super) fn receive(&self) -> io::Result<Option<WalkOrder>> {
        let mut line = Vec::new();
        self.incoming.borrow_mut().read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// Sends a report; it is out when this returns.
    pub(super) fn send(&self, report: &WalkReport) -> io::Result<()> {
        let mut outgoing = self.outgoing.borrow_mut();
        outgoing.clear();
        serde_json::to_writer(&mut *outgoing, report)?;
        outgoing.push(b'\n');
        let mut rest = outgoing.as_slice();
        let incoming = self.incoming.borrow();
        while !rest.is_empty() {
            match send(incoming.get_ref(), rest, SendFlags::NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
