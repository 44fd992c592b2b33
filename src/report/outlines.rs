//! What tasks write, as whole lines that say whose they are: `id | line`.

use std::collections::BTreeMap;

use super::style::{Paint, clean_output};
use crate::model::{MaskStream, Masks, Stream, TaskNumber};

/// An unfinished line is held up to this many bytes; a longer one is shown in pieces.
const MAX_LINE: usize = 8 * 1024;

/// The unfinished lines of all tasks.
#[derive(Debug, Default)]
pub(super) struct OutputLines {
    held: BTreeMap<Key, Held>,
    /// Streams of which something was left out, and not yet told of.
    gaps: BTreeMap<Key, Gap>,
    masks: Masks,
    /// What keeps the beginnings of secrets, of the tasks that have written one.
    streams: BTreeMap<Key, MaskStream>,
}

/// An unfinished line, or what was not shown of it yet.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// A piece of the line was shown.
    is_rest: bool,
}

/// Which stream of which task.
pub(super) type Key = (TaskNumber, Stream);

/// Bytes that are not shown, whole lines of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gap {
    bytes: u64,
    /// The last line that was left out goes on: its rest is left out as well.
    in_line: bool,
}

impl OutputLines {
    /// Makes one that masks secrets.
    pub(super) fn new(masks: Masks) -> OutputLines {
        OutputLines { masks, ..OutputLines::default() }
    }

    /// Takes note that so many bytes of a stream do not come. What is left of the lines that this breaks is not shown
    /// either, and counted: no line is shown that nobody wrote. `ended_line` says that the last byte ended one.
    pub(super) fn leave_out(&mut self, key: Key, bytes: u64, ended_line: bool) {
        let held = self.held.remove(&key).map_or(0, |held| held.bytes.len());
        // What may be the beginning of a secret is not known to be one.
        let mut kept = 0;
        if let Some(mut stream) = self.streams.remove(&key) {
            stream.finish(&mut |bytes| kept += bytes.len());
        }
        let gap = self.gaps.entry(key).or_default();
        gap.bytes += bytes + (held + kept) as u64;
        gap.in_line = !ended_line;
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

    fn take_masked(&mut self, key: Key, mut bytes: &[u8], id: &str, paint: Paint, out: &mut Vec<u8>) {
        if let Some(gap) = self.gaps.get_mut(&key) {
            if gap.in_line {
                let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
                gap.bytes += end.unwrap_or(bytes.len()) as u64;
                gap.in_line = end.is_none();
                bytes = &bytes[end.unwrap_or(bytes.len())..];
            }
            if bytes.is_empty() {
                return;
            }
            self.tell_gap(key, id, paint, out);
        }
        let mut held = self.held.remove(&key).unwrap_or_default();
        let mut rest = bytes;
        while !rest.is_empty() {
            // One more than is shown: only a line that goes on is shown in pieces.
            let room = MAX_LINE + 1 - held.bytes.len();
            let piece = &rest[..rest.len().min(room)];
            if let Some(at) = piece.iter().position(|byte| *byte == b'\n') {
                held.bytes.extend_from_slice(&piece[..at]);
                rest = &rest[at + 1..];
                held.show(id, None, paint, out);
                held = Held::default();
            } else {
                held.bytes.extend_from_slice(piece);
                rest = &rest[piece.len()..];
                if held.bytes.len() > MAX_LINE {
                    let end = char_end(&held.bytes[..MAX_LINE]);
                    held.show(id, Some(end), paint, out);
                    held.bytes.drain(..end);
                    held.is_rest = true;
                }
            }
        }
        if !held.bytes.is_empty() {
            self.held.insert(key, held);
        }
    }

    /// Writes the unfinished lines of a task that has ended.
    pub(super) fn end(&mut self, task: TaskNumber, id: &str, paint: Paint, out: &mut Vec<u8>) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(mut kept) = self.streams.remove(&(task, stream)) {
                kept.finish(&mut |bytes| self.take_masked((task, stream), bytes, id, paint, out));
            }
            self.tell_gap((task, stream), id, paint, out);
            if let Some(held) = self.held.remove(&(task, stream)) {
                held.show(id, None, paint, out);
            }
        }
    }

    /// Marks where something was left out.
    fn tell_gap(&mut self, key: Key, id: &str, paint: Paint, out: &mut Vec<u8>) {
        let Some(gap) = self.gaps.remove(&key) else { return };
        let text =
            format!("{} {} bytes of output of {id} not shown: the terminal was too slow", paint.ellipsis(), gap.bytes);
        out.extend_from_slice(paint.dim(text).to_string().as_bytes());
        out.push(b'\n');
    }

    /// Returns the tasks of which something is still to be told.
    pub(super) fn tasks(&self) -> Vec<TaskNumber> {
        self.held.keys().chain(self.streams.keys()).chain(self.gaps.keys()).map(|(task, _)| *task).collect()
    }
}

impl Held {
    /// Writes the line, or so many bytes of one that goes on: where a line is parted, both ends are marked.
    fn show(&self, id: &str, piece: Option<usize>, paint: Paint, out: &mut Vec<u8>) {
        let mark = |is_parted| if is_parted { paint.ellipsis() } else { "" };
        let line = &self.bytes[..piece.unwrap_or(self.bytes.len())];
        let (prefix, before, behind) = (format!("{id} |"), mark(self.is_rest), mark(piece.is_some()));
        let text = format!("{} {before}{}{behind}\n", paint.dim(prefix), clean_output(line, paint));
        out.extend_from_slice(text.as_bytes());
    }
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
        let expected = format!("a | {}…\na | …ß{}\n", "x".repeat(MAX_LINE - 1), "y".repeat(10));
        check(&[line.as_bytes(), b"\n"], &expected);
        let exact = "x".repeat(MAX_LINE);
        check(&[exact.as_bytes()], &format!("a | {exact}\n"));
        check(&[exact.as_bytes(), b"\n"], &format!("a | {exact}\n"));
        check(&[exact.as_bytes(), b"y\nz"], &format!("a | {exact}…\na | …y\na | z\n"));
        let three = "x".repeat(2 * MAX_LINE + 1);
        check(&[three.as_bytes()], &format!("a | {exact}…\na | …{exact}…\na | …x\n"));
        let invalid = vec![0x80; MAX_LINE];
        check(&[&invalid], &format!("a | {}\n", "\u{fffd}".repeat(MAX_LINE)));
    }

    /// What becomes of a piece of output.
    #[derive(Clone, Debug)]
    enum Piece {
        Shown(String),
        LeftOut(String),
    }

    fn pieces() -> impl proptest::strategy::Strategy<Value = Vec<Piece>> {
        use proptest::prelude::*;
        let piece = ("([a-z]{0,3}\n?){0,4}", any::<bool>());
        let piece = piece.prop_map(|(text, shown)| if shown { Piece::Shown(text) } else { Piece::LeftOut(text) });
        proptest::collection::vec(piece, 0..12)
    }

    proptest::proptest! {
        #[test]
        fn across_gaps_every_line_shown_is_one_that_was_written_and_every_byte_is_accounted_for(pieces in pieces()) {
            let (mut lines, mut out) = (OutputLines::default(), Vec::new());
            let key = (1, Stream::Stdout);
            let mut written = String::new();
            for piece in &pieces {
                match piece {
                    Piece::Shown(text) => lines.take(key, text.as_bytes(), "a", Paint::default(), &mut out),
                    // Nobody announces that nothing was left out.
                    Piece::LeftOut(text) if text.is_empty() => {}
                    Piece::LeftOut(text) => lines.leave_out(key, text.len() as u64, text.ends_with('\n')),
                }
                let (Piece::Shown(text) | Piece::LeftOut(text)) = piece;
                written.push_str(text);
            }
            lines.end(1, "a", Paint::default(), &mut out);
            // The shown lines are those that were written, in their order; each gap is as long as what it stands for.
            let out = String::from_utf8(out).unwrap();
            let mut rest = written.as_str();
            for line in out.lines() {
                if let Some(shown) = line.strip_prefix("a | ") {
                    let (first, others) = rest.split_once('\n').unwrap_or((rest, ""));
                    proptest::prop_assert_eq!(shown, first, "{:?}: {}", pieces, out);
                    rest = others;
                } else {
                    let bytes = line.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
                    proptest::prop_assert!(written.len() == rest.len() || written[..written.len() - rest.len()].ends_with('\n'));
                    rest = &rest[bytes..];
                }
            }
            proptest::prop_assert_eq!(rest, "");
        }
    }
}
