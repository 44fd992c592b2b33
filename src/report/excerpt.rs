//! What a report shows of the files of a task: its head and its tail, never more than there is room for.
//!
//! Nothing here opens a file: the caller brings a way to read those of the run.

use super::plain;
use super::row::Row;
use crate::model::{FileSlice, without_torn_begin, without_torn_end};

/// Reads so many bytes of a file, from this place on: the path is relative to the run directory, the size is at most.
/// Returns the bytes, and the length of the whole file; `None` for a file that cannot be read.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&str, u64, u64) -> Option<(Vec<u8>, u64)>;

/// The kind of tasks that have loggers.
const LOGGING_KIND: &str = "lua";

/// What of a task's output is there to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    /// The log of a script; of a program, standard output.
    pub(super) out: Option<String>,
    /// Standard error, where it is not in the log.
    pub(super) err: Option<String>,
}

/// Returns what a task wrote, of each file at most `room` bytes.
pub(super) fn output(row: &Row, room: u64, read: ReadFile<'_>) -> Output {
    // What a task without an end has written, no event tells.
    let may_have = |is_empty: bool| !is_empty || (row.outcome.is_none() && row.attempts > 0);
    let ends = |file: &str, is_empty: bool| may_have(is_empty).then(|| whole(&row.path_of(file), room, read)).flatten();
    let log = || ends(row.log_name(), row.log().is_empty());
    // A script logs more than it prints; what a program prints is all that stands in its log.
    if let Some(log) = Some(row.kind()).filter(|kind| *kind == LOGGING_KIND).and_then(|_| log()) {
        return Output { out: Some(log), err: None };
    }
    Output { out: ends("stdout", row.stdout().is_empty()), err: ends("stderr", row.stderr().is_empty()) }
}

/// Returns the text of a file; of a long one its head and its tail, together at most `room` bytes.
fn whole(path: &str, room: u64, read: ReadFile<'_>) -> Option<String> {
    let (bytes, length) = read(path, 0, room)?;
    if length <= room {
        return text(&bytes);
    }
    part(path, FileSlice { begin: 0, size: length, truncated: false }, room, read)
}

/// Returns the text of a part of a file; of a long one its head and its tail, together at most `room` bytes.
pub(super) fn part(path: &str, slice: FileSlice, room: u64, read: ReadFile<'_>) -> Option<String> {
    if slice.size <= room {
        return text(&read(path, slice.begin, slice.size)?.0);
    }
    let half = room / 2;
    let (head, _) = read(path, slice.begin, half)?;
    let (tail, _) = read(path, slice.begin + slice.size - half, half)?;
    let (head, tail) = (without_torn_end(&head), without_torn_begin(&tail));
    let gap = slice.size - (head.len() + tail.len()) as u64;
    Some(format!("{}\n[{gap} bytes are not shown here]\n{}", plain::lines(head), plain::lines(tail)))
}

/// Returns the last bytes of a part of a file as text, from the beginning of a line if there is one.
pub(super) fn tail(path: &str, slice: FileSlice, room: u64, read: ReadFile<'_>) -> Option<String> {
    let size = slice.size.min(room);
    let (bytes, _) = read(path, slice.begin + slice.size - size, size)?;
    let bytes = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) if size < slice.size && at + 1 < bytes.len() => &bytes[at + 1..],
        _ if size < slice.size => without_torn_begin(&bytes),
        _ => &bytes[..],
    };
    text(bytes)
}

/// Returns the last bytes of what a task wrote as text: of its log, or of the stream that tells most.
pub(super) fn last_words(row: &Row, room: u64, read: ReadFile<'_>) -> Option<(&'static str, String)> {
    let is_over = row.outcome.is_some();
    let files = [(row.log_name(), row.log()), ("stderr", row.stderr()), ("stdout", row.stdout())];
    files.into_iter().filter(|(_, size)| !is_over || !size.is_empty()).find_map(|(file, _)| {
        let path = row.path_of(file);
        let (_, length) = read(&path, 0, 0)?;
        let slice = FileSlice { begin: 0, size: length, truncated: false };
        Some((file, tail(&path, slice, room, read)?))
    })
}

fn text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| plain::lines(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_shown_by_its_ends() {
        let file: Vec<u8> = (0..100).flat_map(|n| format!("line {n:02}\n").into_bytes()).collect();
        let read = |path: &str, begin: u64, size: u64| {
            let from = usize::try_from(begin).unwrap().min(file.len());
            let to = (from + usize::try_from(size).unwrap()).min(file.len());
            (path == "log").then(|| (file[from..to].to_vec(), file.len() as u64))
        };
        let all = FileSlice { begin: 0, size: 800, truncated: false };
        assert_eq!(whole("log", 800, &read).unwrap().len(), 800);
        assert_eq!(
            whole("log", 32, &read).unwrap(),
            "line 00\nline 01\n\n[768 bytes are not shown here]\nline 98\nline 99\n"
        );
        assert_eq!(tail("log", all, 20, &read).unwrap(), "line 98\nline 99\n");
        assert_eq!(tail("log", FileSlice { begin: 8, size: 8, truncated: false }, 20, &read).unwrap(), "line 01\n");
        assert_eq!(whole("none", 32, &read), None);
        assert_eq!(part("log", FileSlice { begin: 900, size: 8, truncated: false }, 20, &read), None);
    }
}
