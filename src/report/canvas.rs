//! A terminal that indicatif draws on and that only collects bytes, so that text and bar leave in one write.

use std::io;
use std::sync::Arc;

use indicatif::TermLike;
use parking_lot::Mutex;

/// The bytes that were drawn and not yet taken. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    drawn: Arc<Mutex<Vec<u8>>>,
    size: fn() -> (u16, u16),
}

impl Canvas {
    /// Returns an empty canvas; `size` gives columns and rows of the terminal.
    pub(super) fn new(size: fn() -> (u16, u16)) -> Self {
        Canvas { drawn: Arc::default(), size }
    }

    /// Returns what was drawn since the last call.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.drawn.lock())
    }

    fn put(&self, text: &str) {
        self.drawn.lock().extend_from_slice(text.as_bytes());
    }

    fn move_by(&self, n: usize, direction: char) {
        if n > 0 {
            self.put(&format!("\x1b[{n}{direction}"));
        }
    }
}

/// Returns columns and rows of the terminal on standard error.
pub(super) fn terminal_size() -> (u16, u16) {
    match rustix::termios::tcgetwinsize(rustix::stdio::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        (self.size)().0
    }

    fn height(&self) -> u16 {
        (self.size)().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(text);
        self.put("\r\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
