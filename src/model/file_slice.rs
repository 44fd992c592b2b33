//! Where bytes of a task's log stand in its file, which may have been cut in the middle.

use super::{LogRange, OutputSize};

/// Bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileSlice {
    /// Where the first one stands, from 0.
    pub(crate) begin: u64,
    /// How many there are.
    pub(crate) size: u64,
    /// Whether some of the bytes that were written are not in the file.
    pub(crate) truncated: bool,
}

impl OutputSize {
    /// Returns the line that stands in the file for what was left out; empty where nothing was.
    pub(crate) fn gap_line(&self) -> String {
        match self.left_out {
            0 => String::new(),
            left_out => format!("\n[rille: {left_out} bytes left out here]\n"),
        }
    }

    /// Returns where the bytes stand in the file that the task wrote as its bytes `range`. For bytes that were left out
    /// this is the line that says so.
    pub(crate) fn slice(&self, range: LogRange) -> FileSlice {
        let end = range.begin.saturating_add(range.size);
        let (gap, after) = (self.head, self.head.saturating_add(self.left_out));
        if self.left_out == 0 || end <= gap {
            return FileSlice { begin: range.begin, size: range.size, truncated: false };
        }
        let note = self.gap_line().len() as u64;
        let moved = |at: u64| (at - after).saturating_add(gap + note);
        let begin = match range.begin {
            at if at >= after => moved(at),
            at => at.min(gap),
        };
        let truncated = range.begin < after && range.size > 0;
        let end = if end >= after { moved(end) } else { gap + note };
        let size = if range.size == 0 { 0 } else { end - begin };
        FileSlice { begin, size, truncated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FilePlace;

    /// A log of 100 bytes with 10 of its head and, behind the line, 20 of its tail.
    const CUT: OutputSize = OutputSize { bytes: 100, left_out: 70, head: 10, place: FilePlace::Named };

    #[test]
    fn ranges_are_found_before_in_and_behind_the_gap() {
        let file = format!("0123456789{}{}", CUT.gap_line(), "abcdefghijklmnopqrst");
        let cases = [
            ((0, 4), "0123", false),
            ((0, 10), "0123456789", false),
            ((80, 20), "abcdefghijklmnopqrst", false),
            ((95, 5), "pqrst", false),
            ((20, 30), "\n[rille: 70 bytes left out here]\n", true),
            ((8, 30), "89\n[rille: 70 bytes left out here]\n", true),
            ((70, 12), "\n[rille: 70 bytes left out here]\nab", true),
            ((0, 100), file.as_str(), true),
            ((50, 0), "", false),
            ((100, 0), "", false),
        ];
        for ((begin, size), text, truncated) in cases {
            let slice = CUT.slice(LogRange { begin, size });
            let (from, length) = (usize::try_from(slice.begin).unwrap(), usize::try_from(slice.size).unwrap());
            assert_eq!((&file[from..from + length], slice.truncated), (text, truncated), "{begin} {size}");
        }
    }

    #[test]
    fn in_a_whole_log_bytes_stand_where_they_were_written() {
        let whole = OutputSize { bytes: 100, ..OutputSize::default() };
        let slice = whole.slice(LogRange { begin: 7, size: 90 });
        assert_eq!(slice, FileSlice { begin: 7, size: 90, truncated: false });
        // A damaged log may hold any number.
        let far = CUT.slice(LogRange { begin: u64::MAX, size: u64::MAX });
        assert_eq!(far.size, 0);
    }
}
