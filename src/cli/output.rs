//! Data on standard output: plain tables, clean text, and what to do when nobody reads it any more.

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use super::{Failure, FailureKind};

/// Bytes that are written at once of what is long.
const BUFFER: usize = 128 << 10;

/// Writes `text` to standard output. A reader that has gone, like `head`, has seen what it wanted: that is no failure.
pub(crate) fn write_out(text: &str) -> Result<(), Failure> {
    write_bytes(text.as_bytes())
}

/// The same for bytes.
pub(crate) fn write_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    ended(out.write_all(bytes).and_then(|()| out.flush()))
}

fn ended(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure {
            kind: FailureKind::General,
            message: format!("cannot write to standard output: {e}"),
            hints: Vec::new(),
        }),
        _ => Ok(()),
    }
}

/// Writes a value as indented JSON and a newline to standard output.
pub(crate) fn write_json(value: &impl Serialize) -> Result<(), Failure> {
    // Not first into memory: a list of many runs is long.
    let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let written = match serde_json::to_writer_pretty(&mut out, value) {
        Err(e) if !e.is_io() => return Err(Failure::general(format!("cannot encode JSON: {e}"))),
        written => written.map_err(io::Error::from),
    };
    ended(written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

/// Returns whether colours belong on standard output: it is a terminal, and `NO_COLOR` is not set to anything.
pub(crate) fn wants_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Returns the columns of the terminal on standard output; `None` if it is none.
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Returns `text` on one line and without control characters, which could move the cursor or forge a row.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns rows as lines of aligned columns, two spaces apart and none at the end. `width` cuts the lines.
pub(crate) fn table<const N: usize>(rows: &[[String; N]], width: Option<usize>) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| length(&row[column])).max().unwrap_or_default());
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        match width {
            Some(width) if length(line) > width && width > 1 => {
                line.chars().take(width - 1).chain(std::iter::once('…')).collect()
            }
            _ => line.to_owned(),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cut_on_a_terminal_only() {
        let rows = [["a", "bö", "label"], ["long", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, None), ["a     bö  label", "long  b"]);
        assert_eq!(table(&rows, Some(10)), ["a     bö …", "long  b"]);
    }

    #[test]
    fn text_stays_on_its_line() {
        assert_eq!(one_line("a\nb\u{1b}[31mc"), "a b [31mc");
    }
}
