//! What an operation has written, in Guild's two files: the bytes in the order in which they came, and an index of lines.
//!
//! `.guild/output` is standard output and standard error together. `.guild/output.index` has nine bytes for every line: the
//! time of its end in milliseconds since 1970, as a big-endian number of eight bytes, and 0 or 1 for its stream. Where a
//! line of one stream was written in the middle of one of the other, there are as many records as ends of lines, as Guild
//! has it. What a stream leaves without an end gets a record when everything has been written.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Error, Result};
use crate::model::Stream;

/// The two files of a run whose operation is running.
#[derive(Debug)]
pub(crate) struct RunOutput {
    path: PathBuf,
    output: File,
    index_path: PathBuf,
    index: File,
    /// Records that are not written yet.
    records: Vec<u8>,
    /// Which streams have a line without an end: standard output, standard error.
    open: [bool; 2],
    /// Whether it was the index that could not be written.
    index_failed: bool,
}

impl RunOutput {
    /// Makes both files, empty, in the directory of a run.
    pub(crate) fn create(run: &Path) -> Result<Self> {
        let make = |name: &str| {
            let path = run.join(".guild").join(name);
            let file = File::create(&path).map_err(Error::io("create", &path))?;
            Ok((path, file))
        };
        let (path, output) = make("output")?;
        let (index_path, index) = make("output.index")?;
        Ok(Self { path, output, index_path, index, records: Vec::new(), open: [false; 2], index_failed: false })
    }

    /// Adds bytes of a stream.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let Some(last) = bytes.last() else { return Ok(()) };
        self.output.write_all(bytes)?;
        let lines = memchr::memchr_iter(b'\n', bytes).count();
        self.open[usize::from(number(stream))] = *last != b'\n';
        self.index(stream, lines)
    }

    /// Gives lines without an end their records. There is nothing left to do the second time.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if std::mem::take(&mut self.open[usize::from(number(stream))]) {
                self.index(stream, 1)?;
            }
        }
        Ok(())
    }

    /// Returns the file that the last error was about.
    pub(crate) fn path(&self) -> &Path {
        if self.index_failed { &self.index_path } else { &self.path }
    }

    fn index(&mut self, stream: Stream, lines: usize) -> io::Result<()> {
        if lines == 0 {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut record = [0; 9];
        record[..8].copy_from_slice(&u64::try_from(now).unwrap_or(u64::MAX).to_be_bytes());
        record[8] = number(stream);
        self.records.clear();
        for _ in 0..lines {
            self.records.extend_from_slice(&record);
        }
        let written = self.index.write_all(&self.records);
        self.index_failed |= written.is_err();
        written
    }
}

const fn number(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_as_they_come_and_every_line_has_a_record() {
        use Stream::{Stderr, Stdout};
        let run = tempfile::tempdir().unwrap();
        std::fs::create_dir(run.path().join(".guild")).unwrap();
        for _ in 0..2 {
            let mut output = RunOutput::create(run.path()).unwrap();
            for (stream, bytes) in [
                (Stdout, &b"one\ntwo\nha"[..]),
                (Stderr, b"oh\xff\0\n"),
                (Stdout, b"lf\n\n"),
                (Stderr, b"left"),
                (Stdout, b""),
            ] {
                output.write(stream, bytes).unwrap();
            }
            output.finish().unwrap();
            output.finish().unwrap();
        }
        let read = |name: &str| std::fs::read(run.path().join(".guild").join(name)).unwrap();
        assert_eq!(read("output"), b"one\ntwo\nhaoh\xff\0\nlf\n\nleft");
        let index = read("output.index");
        let streams: Vec<u8> = index.chunks(9).map(|record| record[8]).collect();
        assert_eq!(streams, [0, 0, 1, 0, 0, 1]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        for record in index.chunks(9) {
            let time = u128::from(u64::from_be_bytes(record[..8].try_into().unwrap()));
            assert!(time <= now && now - time < 60_000, "{time}");
        }
    }
}
