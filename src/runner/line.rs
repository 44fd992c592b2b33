//! The task's end of the socket to its host: JSON objects, one a line.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;

use crate::model::{Message, Reply};
use crate::script::HostLine;

/// See the module.
pub(super) struct Line {
    incoming: RefCell<BufReader<UnixStream>>,
    /// What is to be written.
    outgoing: RefCell<Vec<u8>>,
}

impl Line {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { incoming: RefCell::new(BufReader::new(socket)), outgoing: RefCell::new(Vec::new()) }
    }

    /// Waits for one line and reads it.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<T> {
        let mut line = Vec::new();
        self.incoming.borrow_mut().read_until(b'\n', &mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

impl Line {
    fn put(&self, message: &Message) -> io::Result<()> {
        let mut outgoing = self.outgoing.borrow_mut();
        serde_json::to_writer(&mut *outgoing, message)?;
        outgoing.push(b'\n');
        Ok(())
    }
}

impl HostLine for Line {
    fn tell(&self, message: &Message) -> io::Result<()> {
        self.put(message)?;
        self.flush()
    }

    fn tell_with_next(&self, message: &Message) -> io::Result<()> {
        self.put(message)
    }

    fn flush(&self) -> io::Result<()> {
        let mut outgoing = self.outgoing.borrow_mut();
        let written = self.incoming.borrow().get_ref().write_all(&outgoing);
        outgoing.clear();
        written
    }

    fn ask(&self, message: &Message) -> io::Result<Reply> {
        self.tell(message)?;
        self.receive()
    }
}
