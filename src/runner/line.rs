//! The task's end of the socket to its host: JSON objects, one a line.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::de::DeserializeOwned;

use crate::engine::{IncomingLines, OutgoingLines};
use crate::model::{Message, Reply};
use crate::script::{HostLine, Stop};

/// See the module.
pub(super) struct TaskLine {
    socket: UnixStream,
    /// What asks the task to end, once it has a script that could heed it.
    stop: RefCell<Rc<Stop>>,
    /// What came and was not looked at.
    incoming: RefCell<IncomingLines>,
    /// What is to be written.
    outgoing: RefCell<OutgoingLines>,
    /// How many answers are to come that nobody waits for any more.
    stale: Cell<usize>,
}

impl TaskLine {
    pub(super) fn new(socket: UnixStream) -> Self {
        let (incoming, outgoing) = (RefCell::new(IncomingLines::of_any_length()), RefCell::default());
        Self { socket, stop: RefCell::new(Stop::at_once()), incoming, outgoing, stale: Cell::new(0) }
    }

    /// Has waits broken off from now on when the task is asked to end.
    pub(super) fn heed_with(&self, stop: &Rc<Stop>) {
        *self.stop.borrow_mut() = Rc::clone(stop);
    }

    fn stop(&self) -> Rc<Stop> {
        Rc::clone(&self.stop.borrow())
    }

    /// Waits for one line and reads it.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<T> {
        match self.incoming.borrow_mut().wait_for_next(&self.socket)? {
            Some(line) => Ok(serde_json::from_slice(line)?),
            None => Err(closed()),
        }
    }

    /// Waits for the answer to what was asked. The error may be that the task was asked to end meanwhile.
    fn receive_answer(&self) -> io::Result<Reply> {
        loop {
            while let Some(reply) = self.take_reply()? {
                if let Some(reply) = self.heed(reply) {
                    return Ok(reply);
                }
            }
            let stop = self.stop();
            if stop.is_pending() {
                self.stale.set(self.stale.get() + 1);
                return Err(io::Error::other(stop.error(self)));
            }
            if self.wait()? {
                self.read()?;
            }
        }
    }

    /// Takes in a reply that is no answer to what was asked last; returns any other.
    fn heed(&self, reply: Reply) -> Option<Reply> {
        match reply {
            Reply::Stop(order) => {
                self.stop().told(order);
                None
            }
            reply if self.stale.get() == 0 => Some(reply),
            _ => {
                self.stale.set(self.stale.get() - 1);
                None
            }
        }
    }

    /// Waits until something has come, or the task is asked to end; returns whether something has come.
    fn wait(&self) -> io::Result<bool> {
        let stop = self.stop();
        let wakes = stop.wakes();
        let mut polled = vec![PollFd::new(&self.socket, PollFlags::IN)];
        polled.extend(wakes.as_ref().map(|wakes| PollFd::new(wakes, PollFlags::IN)));
        match poll(&mut polled, None) {
            Ok(_) => Ok(!polled[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self) -> io::Result<()> {
        if self.incoming.borrow_mut().fill(&self.socket)? { Ok(()) } else { Err(closed()) }
    }

    fn take_reply(&self) -> io::Result<Option<Reply>> {
        let mut incoming = self.incoming.borrow_mut();
        let line = incoming.next().map_err(io::Error::other)?;
        Ok(line.map(serde_json::from_slice).transpose()?)
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the host has closed the line")
}

impl HostLine for TaskLine {
    fn tell(&self, message: &Message) -> io::Result<()> {
        self.tell_with_next(message)?;
        self.flush()
    }

    fn tell_with_next(&self, message: &Message) -> io::Result<()> {
        Ok(self.outgoing.borrow_mut().post(message)?)
    }

    fn flush(&self) -> io::Result<()> {
        self.outgoing.borrow_mut().flush(&self.socket).map(drop)
    }

    fn ask(&self, message: &Message) -> io::Result<Reply> {
        self.tell(message)?;
        self.receive_answer()
    }

    fn listen(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            // What came with an earlier answer is here already. What is wrong with the line is met by who asks next.
            while let Ok(Some(reply)) = self.take_reply() {
                let is_word = matches!(reply, Reply::Stop(_));
                let _ = self.heed(reply);
                if is_word {
                    return;
                }
            }
            match self.wait_for_socket(deadline.saturating_duration_since(Instant::now())) {
                Ok(true) if self.read().is_ok() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }
}

impl TaskLine {
    /// Waits at most so long until something has come; returns whether it has.
    fn wait_for_socket(&self, limit: Duration) -> io::Result<bool> {
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        Ok(poll(&mut polled, Some(&limit))? > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::engine::json_line;
    use crate::model::{StopOrder, StopWord};

    fn line() -> (TaskLine, UnixStream) {
        let (own, host) = UnixStream::pair().unwrap();
        (TaskLine::new(own), host)
    }

    fn send(mut host: &UnixStream, reply: &Reply) {
        let text = json_line(reply).unwrap();
        // In two pieces, as a socket may bring it.
        host.write_all(&text[..3]).unwrap();
        host.write_all(&text[3..]).unwrap();
    }

    #[test]
    fn a_word_that_is_no_answer_does_not_take_the_place_of_one() {
        let (line, host) = line();
        send(&host, &Reply::Stop(StopOrder { word: StopWord::Aborted, text: "why".into() }));
        send(&host, &Reply::Ack { interrupted: true });
        assert_eq!(line.ask(&Message::Sync {}).unwrap(), Reply::Ack { interrupted: true });
    }

    #[test]
    fn a_word_that_came_with_an_answer_is_found() {
        let (line, host) = line();
        send(&host, &Reply::Ack { interrupted: false });
        send(&host, &Reply::Stop(StopOrder { word: StopWord::Aborted, text: "why".into() }));
        assert_eq!(line.ask(&Message::Sync {}).unwrap(), Reply::Ack { interrupted: false });
        let stop = Stop::at_once();
        line.heed_with(&stop);
        assert_eq!(stop.error(&line).message, "why");
    }

    #[test]
    fn answers_that_nobody_waits_for_any_more_are_passed_over() {
        let (line, host) = line();
        line.stale.set(1);
        send(&host, &Reply::Line { text: Some("late".into()) });
        send(&host, &Reply::Ack { interrupted: false });
        assert_eq!(line.ask(&Message::Sync {}).unwrap(), Reply::Ack { interrupted: false });
        drop(host);
        assert!(line.ask(&Message::Sync {}).is_err());
    }
}
