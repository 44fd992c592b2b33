//! The last lines of what a task wrote, for the tasks that did not do what they should.

use std::fmt::{self, Write};

use super::row::Row;
use super::section_tree::SectionTree;
use super::style::{Paint, clean, clean_output};
use crate::model::{Outcome, whole, whole_tail};

/// Lines of output that are shown of a task.
const LINES: usize = 10;

/// Characters of a line that are shown.
const LINE_CHARS: usize = 500;

/// Bytes of what the caller gives that are looked at.
const BYTES: usize = 64 * 1024;

/// Sections of a task whose call stacks are shown.
const SECTIONS: usize = 10;

/// Tasks whose output is shown; for the rest their folders are named.
const TASKS: usize = 20;

/// Reads the end of what a task wrote; `None` if there is nothing or it cannot be read.
pub(super) type ReadTail<'a> = &'a dyn Fn(&Row) -> Option<Vec<u8>>;

/// Returns the stream that tells why a task ended as it did: `stderr` if it wrote there, else `stdout`, else none.
pub(crate) fn telling_stream(row: &Row) -> Option<&'static str> {
    match (row.stderr().is_empty(), row.stdout().is_empty()) {
        (false, _) => Some("stderr"),
        (true, false) => Some("stdout"),
        (true, true) => None,
    }
}

/// Writes a block for each task that failed, errored or was aborted: its traceback and its last lines.
pub(super) fn write<'r>(
    out: &mut String,
    rows: impl Iterator<Item = &'r Row>,
    read: ReadTail<'_>,
    paint: Paint,
) -> fmt::Result {
    let mut tasks = 0;
    for row in rows.filter(|row| is_wanted(row)) {
        tasks += 1;
        if tasks <= TASKS {
            block(out, row, read, paint)?;
        }
    }
    if tasks > TASKS {
        writeln!(out, "\nThe output of {} more tasks is in their folders.", tasks - TASKS)?;
    }
    Ok(())
}

fn is_wanted(row: &Row) -> bool {
    matches!(row.outcome, Some(Outcome::Failed | Outcome::Errored | Outcome::Aborted))
}

fn block(out: &mut String, row: &Row, read: ReadTail<'_>, paint: Paint) -> fmt::Result {
    let told = sections(out, row, paint)?;
    if let Some(traceback) = row.traceback().filter(|traceback| !told.contains(traceback)) {
        writeln!(out, "\n{}: traceback", paint.bold(clean(row.id(), paint)))?;
        indented(out, traceback.as_bytes(), 2 * LINES, paint)?;
    }
    let Some(stream) = telling_stream(row) else { return Ok(()) };
    let Some(bytes) = read(row).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
    let bytes = whole_tail(&bytes, BYTES);
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n').count();
    let last = if lines > LINES { format!(", last {LINES} lines") } else { String::new() };
    // What a program complains of may not be where it ran, and most of them do not say where that was.
    let folder = match row.elsewhere {
        true => String::new(),
        false => format!(" (in {})", clean(&row.latest_folder(), paint)),
    };
    writeln!(out, "\n{}: {stream}{last}{folder}", paint.bold(clean(row.id(), paint)))?;
    indented(out, bytes, LINES, paint)
}

/// Writes a block for each section that raised an error; returns the call stacks that were shown.
fn sections<'a>(out: &mut String, row: &'a Row, paint: Paint) -> Result<Vec<&'a str>, fmt::Error> {
    let Some(tree) = SectionTree::of(row) else { return Ok(Vec::new()) };
    let faults = tree.parts(0).iter().flat_map(|part| tree.faults(*part));
    let mut told = Vec::new();
    let mut left_out = 0;
    for (number, traceback) in faults.filter_map(|number| Some((number, tree.get(number).traceback()?))) {
        // An error that a section hands on to the one that it is a part of is one error.
        if told.contains(&traceback) {
            continue;
        }
        if told.len() == SECTIONS {
            left_out += 1;
            continue;
        }
        let name = format!("{}.{}", row.id(), tree.full_id(number));
        writeln!(out, "\n{}: traceback", paint.bold(clean(&name, paint)))?;
        indented(out, traceback.as_bytes(), 2 * LINES, paint)?;
        told.push(traceback);
    }
    if left_out > 0 {
        writeln!(out, "\n{}: {left_out} more sections raised an error", paint.bold(clean(row.id(), paint)))?;
    }
    Ok(told)
}

/// Writes the last lines of a text, four spaces in.
pub(super) fn indented(out: &mut String, text: &[u8], max: usize, paint: Paint) -> fmt::Result {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut lines: Vec<&[u8]> = text.rsplit(|byte| *byte == b'\n').take(max).collect();
    lines.reverse();
    for line in lines {
        // Cut first, so that a line of a megabyte is not decoded; a character is at most four bytes.
        let (line, cut) =
            if line.len() > 4 * LINE_CHARS { (whole(line, 4 * LINE_CHARS), paint.ellipsis()) } else { (line, "") };
        writeln!(out, "    {}{cut}", clean_output(line, paint))?;
    }
    Ok(())
}
