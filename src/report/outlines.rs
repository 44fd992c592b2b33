//! What tasks write, as whole lines that say whose they are: `id | line`.

use std::collections::BTreeMap;

use super::style::{Paint, clean_output};
use crate::model::{MaskStream, Masks, Stream, TaskNumber};

/// An unfinished line is held up to this many bytes; a longer one is shown in pieces.
const MAX_LINE: usize = 8 * 1024;

/// The unfinished lines of all tasks.
#[derive(Debug, Default)]
pub(super) struct OutputLines {
    held: BTreeMap<Key, Vec<u8>>,
    masks: Masks,
    /// What keeps the beginnings of secrets, of the tasks that have written one.
    streams: BTreeMap<Key, MaskStream>,
}

/// Which stream of which task.
type Key = (TaskNumber, Stream);

impl OutputLines {
    /// Makes one that masks secrets.
    pub(super) fn new(masks: Masks) -> OutputLines {
        OutputLines { masks, ..OutputLines::default() }
    }

    /// Takes bytes of a task in and writes the lines that are whole by now.
    pub(super) fn take(&mut self, key: Key, bytes: &[u8], id: &str, paint: Paint, out: &mut Vec<u8>) {
        if self.masks.is_empty() {
            self.take_masked(key, bytes, id, paint, out);
            return;
        }
        let mut stream = self.streams.remove(&key).unwrap_or_else(|| self.masks.stream());
        stream.write(bytes, &mut |bytes| self.take_masked(key, bytes, id, paint, out));
        if !stream.is_idle() {
            self.streams.insert(key, stream);
        }
    }

    fn take_masked(&mut self, key: Key, bytes: &[u8], id: &str, paint: Paint, out: &mut Vec<u8>) {
        let mut held = self.held.remove(&key).unwrap_or_default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = MAX_LINE - held.len();
            let piece = &rest[..rest.len().min(room)];
            if let Some(at) = piece.iter().position(|byte| *byte == b'\n') {
                held.extend_from_slice(&piece[..at]);
                rest = &rest[at + 1..];
                show(id, &held, paint, out);
                held.clear();
            } else {
                held.extend_from_slice(piece);
                rest = &rest[piece.len()..];
                if held.len() == MAX_LINE {
                    let end = char_end(&held);
                    show(id, &held[..end], paint, out);
                    held.drain(..end);
                }
            }
        }
        if !held.is_empty() {
            self.held.insert(key, held);
        }
    }

    /// Writes the unfinished lines of a task that has ended.
    pub(super) fn end(&mut self, task: TaskNumber, id: &str, paint: Paint, out: &mut Vec<u8>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(mut kept) = self.streams.remove(&(task, stream)) {
                kept.finish(&mut |bytes| self.take_masked((task, stream), bytes, id, paint, out));
            }
            if let Some(held) = self.held.remove(&(task, stream)) {
                show(id, &held, paint, out);
            }
        }
    }

    /// Returns the tasks that have an unfinished line.
    pub(super) fn tasks(&self) -> Vec<TaskNumber> {
        self.held.keys().chain(self.streams.keys()).map(|(task, _)| *task).collect()
    }
}

fn show(id: &str, line: &[u8], paint: Paint, out: &mut Vec<u8>) {
    let prefix = paint.dim(format_args!("{id} |")).to_string();
    out.extend_from_slice(prefix.as_bytes());
    out.push(b' ');
    out.extend_from_slice(clean_output(line, paint).as_bytes());
    out.push(b'\n');
}

/// Returns where to cut so that no UTF-8 character is cut in two.
fn char_end(bytes: &[u8]) -> usize {
    let end = bytes.len();
    let start = (end.saturating_sub(4)..end).rev().find(|at| bytes[*at] & 0xc0 != 0x80);
    match start {
        Some(at) if at > 0 && std::str::from_utf8(&bytes[at..]).is_err_and(|error| error.error_len().is_none()) => at,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], expected: &str) {
        let (mut lines, mut out) = (OutputLines::default(), Vec::new());
        for piece in pieces {
            lines.take((1, Stream::Stdout), piece, "a", Paint::default(), &mut out);
        }
        lines.end(1, "a", Paint::default(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(lines.tasks().is_empty());
    }

    #[test]
    fn only_whole_lines_are_shown_until_the_task_ends() {
        check(&[b"one\ntwo\n"], "a | one\na | two\n");
        check(&[b"on", b"e\n", b"", b"\n", b"t", b"wo"], "a | one\na | \na | two\n");
        check(&[b"\x1b[2Jx\r\n"], "a | x\n");
    }

    #[test]
    fn streams_of_tasks_do_not_mix() {
        let (mut lines, mut out) = (OutputLines::default(), Vec::new());
        lines.take((1, Stream::Stdout), b"one ", "a", Paint::default(), &mut out);
        lines.take((2, Stream::Stdout), b"two\n", "b", Paint::default(), &mut out);
        lines.take((1, Stream::Stderr), b"err\n", "a", Paint::default(), &mut out);
        lines.take((1, Stream::Stdout), b"more\n", "a", Paint::default(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "b | two\na | err\na | one more\n");
    }

    #[test]
    fn secrets_are_masked_however_they_come() {
        let mut lines = OutputLines::new(Masks::new(["hunter2hunter2"]));
        let mut out = Vec::new();
        for piece in ["it is hunter2", "hunter2.\nhunt", "ing\nhunter2hunter", "2\nhunter2"] {
            lines.take((1, Stream::Stdout), piece.as_bytes(), "a", Paint::default(), &mut out);
        }
        assert_eq!(lines.tasks(), [1]);
        lines.end(1, "a", Paint::default(), &mut out);
        let expected = "a | it is ***.\na | hunting\na | ***\na | hunter2\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(lines.tasks().is_empty());
    }

    #[test]
    fn a_long_line_is_shown_in_pieces_and_no_character_is_cut() {
        let line = "x".repeat(MAX_LINE - 1) + "ß" + &"y".repeat(10);
        let expected = format!("a | {}\na | ß{}\n", "x".repeat(MAX_LINE - 1), "y".repeat(10));
        check(&[line.as_bytes(), b"\n"], &expected);
        let exact = "x".repeat(MAX_LINE);
        check(&[exact.as_bytes()], &format!("a | {exact}\n"));
        let invalid = vec![0x80; MAX_LINE];
        check(&[&invalid], &format!("a | {}\n", "\u{fffd}".repeat(MAX_LINE)));
    }
}
