//! How a task's script is heard: what it prints and logs goes to the host in order with everything else it says.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::HostLine;
use crate::model::{Blob, Level, Message, Reply, whole};

/// Bytes of one print that go into one message.
const PIECE: usize = 256 << 10;

/// The script's voice.
pub(crate) struct Voice {
    host: Rc<dyn HostLine>,
    /// Something was said that the host may not have taken in.
    is_ahead: Cell<bool>,
}

impl Voice {
    pub(crate) fn new(host: Rc<dyn HostLine>) -> Self {
        Self { host, is_ahead: Cell::new(false) }
    }

    /// Prints to `stdout` or `stderr`.
    pub(crate) fn print(&self, stream: &str, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = whole(rest, PIECE);
            rest = &rest[piece.len()..];
            let text = Blob(piece.to_vec());
            let time = now();
            self.say(&match stream {
                "stderr" => Message::Stderr { time, text },
                _ => Message::Stdout { time, text },
            });
        }
    }

    /// Logs a record. A text too long for one message is cut: a record is one.
    pub(crate) fn log(&self, level: Level, logger: &str, text: &[u8]) {
        let time = now();
        let text = Blob(whole(text, PIECE).to_vec());
        self.say(&Message::Log { time, level, logger: logger.to_owned(), text });
    }

    /// Waits until the host has taken in all that was said.
    pub(crate) fn settle(&self) {
        if self.is_ahead.replace(false) {
            // A host that is gone takes its tasks with it.
            let _ = self.host.ask(&Message::Sync {});
        }
    }

    fn say(&self, message: &Message) {
        self.is_ahead.set(true);
        // A host that is gone takes its tasks with it.
        let _ = self.host.tell(message);
    }
}

/// What is said of sections has its place among what is printed.
impl HostLine for Voice {
    fn tell(&self, message: &Message) -> io::Result<()> {
        self.is_ahead.set(true);
        self.host.tell(message)
    }

    fn tell_with_next(&self, message: &Message) -> io::Result<()> {
        self.is_ahead.set(true);
        self.host.tell_with_next(message)
    }

    fn flush(&self) -> io::Result<()> {
        self.host.flush()
    }

    fn ask(&self, message: &Message) -> io::Result<Reply> {
        self.host.ask(message)
    }

    fn listen(&self, limit: Duration) {
        self.host.listen(limit);
    }
}

/// Returns the seconds since 1970 by the real-time clock.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
