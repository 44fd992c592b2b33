//! How a task's script is heard: what it prints and logs goes to the host in order with everything else it says.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::HostLine;
use crate::model::{Blob, Level, Message};

/// Bytes of one print that go into one message.
const PIECE: usize = 256 << 10;

/// The script's voice.
pub(super) struct Voice {
    host: Rc<dyn HostLine>,
    /// Something was said that the host may not have taken in.
    is_ahead: Cell<bool>,
}

impl Voice {
    pub(super) fn new(host: Rc<dyn HostLine>) -> Self {
        Self { host, is_ahead: Cell::new(false) }
    }

    /// Prints to `stdout` or `stderr`.
    pub(super) fn print(&self, stream: &str, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            let text = Blob(piece.to_vec());
            self.say(&if stream == "stderr" { Message::Stderr { text } } else { Message::Stdout { text } });
        }
    }

    /// Logs a record. A text too long for one message is cut: a record is one.
    pub(super) fn log(&self, level: Level, logger: &str, text: &[u8]) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let text = Blob(text[..text.len().min(PIECE)].to_vec());
        self.say(&Message::Log { time, level, logger: logger.to_owned(), text });
    }

    /// Waits until the host has taken in all that was said.
    pub(super) fn settle(&self) {
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
