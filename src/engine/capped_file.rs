//! A file of limited size that keeps the head and the tail of what is written to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use crate::model::OutputSize;

/// A file that keeps the head and the tail of what is written to it.
///
/// The first half of the limit goes to the file itself. What follows goes by turns to two segment files of a quarter
/// each, so that the newest quarter at least is always there, in order, also after a crash; at the end they are appended
/// behind a line that tells how much is missing.
#[derive(Debug)]
pub(super) struct CappedFile {
    path: PathBuf,
    limit: u64,
    head: Option<File>,
    total: u64,
    tail: Option<Tail>,
}

#[derive(Debug)]
struct Tail {
    current: Segment,
    previous: Option<Segment>,
    /// Bytes of segments that were given up.
    dropped: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl CappedFile {
    /// Makes a file of at most `limit` bytes, which appears with the first one.
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self { path, limit, head: None, total: 0, tail: None }
    }

    /// Adds bytes to the end.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let head = match &mut self.head {
            Some(head) => head,
            None => self.head.insert(File::create(&self.path)?),
        };
        let room = (self.limit / 2).saturating_sub(self.total);
        self.total += bytes.len() as u64;
        if room > 0 {
            let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            head.write_all(&bytes[..fits])?;
            bytes = &bytes[fits..];
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let quarter = (self.limit / 4).max(1);
        let tail = match &mut self.tail {
            Some(tail) => tail,
            None => {
                let current = Segment::create(&self.path, 1)?;
                self.tail.insert(Tail { current, previous: None, dropped: 0 })
            }
        };
        while !bytes.is_empty() {
            if tail.current.bytes == quarter {
                tail.turn(&self.path)?;
            }
            let room = quarter - tail.current.bytes;
            let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            tail.current.file.write_all(&bytes[..fits])?;
            tail.current.bytes += fits as u64;
            bytes = &bytes[fits..];
        }
        Ok(())
    }

    /// Returns where the bytes go.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many bytes were written to it.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Puts head and tail together.
    pub(super) fn finish(self) -> io::Result<OutputSize> {
        let left_out = self.tail.as_ref().map_or(0, |tail| tail.dropped);
        if let (Some(mut head), Some(tail)) = (self.head, self.tail) {
            if left_out > 0 {
                write!(head, "\n[rille: {left_out} bytes left out here]\n")?;
            }
            for mut segment in tail.previous.into_iter().chain([tail.current]) {
                segment.file.rewind()?;
                io::copy(&mut segment.file, &mut head)?;
                fs::remove_file(&segment.path)?;
            }
        }
        let head = if left_out > 0 { self.limit / 2 } else { 0 };
        Ok(OutputSize { bytes: self.total, left_out, head })
    }
}

impl Tail {
    /// Goes on with an empty segment; the older of two full ones is given up.
    fn turn(&mut self, path: &Path) -> io::Result<()> {
        match self.previous.take() {
            Some(mut oldest) => {
                self.dropped += oldest.bytes;
                oldest.file.rewind()?;
                oldest.file.set_len(0)?;
                oldest.bytes = 0;
                self.previous = Some(std::mem::replace(&mut self.current, oldest));
            }
            None => {
                let second = Segment::create(path, 2)?;
                self.previous = Some(std::mem::replace(&mut self.current, second));
            }
        }
        Ok(())
    }
}

impl Segment {
    fn create(path: &Path, number: u8) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".tail{number}"));
        let path = PathBuf::from(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Self { path, file, bytes: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capped(limit: u64, pieces: &[&[u8]]) -> (Vec<u8>, OutputSize, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout");
        let mut file = CappedFile::new(path.clone(), limit);
        for piece in pieces {
            file.write(piece).unwrap();
        }
        let size = file.finish().unwrap();
        let files = fs::read_dir(folder.path()).unwrap().count();
        (fs::read(path).unwrap_or_default(), size, files)
    }

    #[test]
    fn what_fits_is_kept_as_it_came() {
        let (text, size, files) = capped(16, &[b"\xff\x00ab", b"cdefghij", b"klmn"]);
        assert_eq!(text, b"\xff\x00abcdefghijklmn");
        assert_eq!((size, files), (OutputSize { bytes: 16, ..OutputSize::default() }, 1));
    }

    #[test]
    fn head_and_tail_stay_and_the_gap_is_counted() {
        let bytes: Vec<u8> = (0..100).map(|n| b'a' + n % 26).collect();
        for pieces in [vec![bytes.as_slice()], bytes.chunks(7).collect(), bytes.chunks(1).collect()] {
            let (text, size, files) = capped(16, &pieces);
            let text = String::from_utf8(text).unwrap();
            let (head, rest) = text.split_once("\n[rille: ").unwrap();
            let (left_out, tail) = rest.split_once(" bytes left out here]\n").unwrap();
            assert_eq!(head.as_bytes(), &bytes[..8]);
            assert!(tail.len() >= 4 && bytes.ends_with(tail.as_bytes()), "{tail}");
            assert_eq!(left_out.parse::<u64>().unwrap(), size.left_out);
            assert_eq!(size, OutputSize { bytes: 100, left_out: 100 - 8 - tail.len() as u64, head: 8 });
            assert_eq!(files, 1);
        }
    }

    #[test]
    fn silence_leaves_no_file() {
        assert_eq!(capped(16, &[]), (Vec::new(), OutputSize::default(), 0));
    }
}
