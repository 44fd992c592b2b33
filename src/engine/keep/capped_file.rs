//! A file of limited size that keeps the head and the tail of what is written to it.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;

use super::attempt_folder::{AttemptFolder, OwnFile};
use crate::model::{FilePlace, Masks, OutputSize};

/// A file that keeps the head and the tail of what is written to it.
///
/// The first half of the limit goes to the file itself. What follows goes by turns to two segment files of a quarter
/// each, out of the task's reach, so that the newest quarter at least is always there, in order, also after a crash; at the
/// end they are appended behind a line that tells how much is missing.
#[derive(Debug)]
pub(super) struct CappedFile {
    name: &'static str,
    limit: u64,
    head: Option<OwnFile>,
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
    name: String,
    file: File,
    bytes: u64,
}

impl CappedFile {
    /// Makes a file of at most `limit` bytes, which appears with the first one.
    pub(super) fn new(name: &'static str, limit: u64) -> Self {
        Self { name, limit, head: None, total: 0, tail: None }
    }

    /// Makes the file appear now.
    pub(super) fn create(&mut self, folder: &AttemptFolder) -> io::Result<()> {
        if self.head.is_none() {
            self.head = Some(folder.create(self.name)?);
        }
        Ok(())
    }

    /// Takes the file away again, if nobody has written to it.
    pub(super) fn withdraw(self, folder: &AttemptFolder) {
        if let Some(head) = self.head {
            folder.withdraw(self.name, &head);
        }
    }

    /// Adds bytes to the end.
    pub(super) fn write(&mut self, folder: &AttemptFolder, mut bytes: &[u8]) -> io::Result<()> {
        let head = match &mut self.head {
            Some(head) => head,
            None => self.head.insert(folder.create(self.name)?),
        };
        let room = (self.limit / 2).saturating_sub(self.total);
        self.total += bytes.len() as u64;
        if room > 0 {
            let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            head.file.write_all(&bytes[..fits])?;
            bytes = &bytes[fits..];
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let quarter = (self.limit / 4).max(1);
        let tail = match &mut self.tail {
            Some(tail) => tail,
            None => {
                let current = Segment::create(folder, self.name, 1)?;
                self.tail.insert(Tail { current, previous: None, dropped: 0 })
            }
        };
        while !bytes.is_empty() {
            if tail.current.bytes == quarter {
                tail.turn(folder, self.name)?;
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
    pub(super) fn path(&self, folder: &AttemptFolder) -> PathBuf {
        folder.path_of(self.name, self.head.as_ref().map_or(FilePlace::Named, |head| head.place))
    }

    /// Returns where the next byte will stand. A task that knows of the file may write to it as well.
    pub(super) fn position(&self) -> u64 {
        match &self.head {
            Some(head) if self.tail.is_none() => head.file.metadata().map_or(self.total, |meta| meta.len()),
            _ => self.total,
        }
    }

    /// Masks what somebody else has written to a file of this name.
    pub(super) fn mask_foreign(&self, folder: &AttemptFolder, masks: &Masks) -> io::Result<()> {
        match &self.head {
            Some(own) if own.place == FilePlace::Named => Ok(()),
            _ => folder.mask(self.name, masks),
        }
    }

    /// Puts head and tail together, and sees that the file is where it is said to be. Only what came by way of us has its
    /// secrets masked; where somebody else has written to the file, it is looked through.
    pub(super) fn finish(self, folder: &AttemptFolder, masks: &Masks) -> io::Result<OutputSize> {
        let left_out = self.tail.as_ref().map_or(0, |tail| tail.dropped);
        let Some(mut head) = self.head else { return Ok(OutputSize::default()) };
        let is_shared = !masks.is_empty() && head.file.metadata()?.len() != self.total.min(self.limit / 2);
        if let Some(tail) = self.tail {
            if left_out > 0 {
                write!(head.file, "\n[rille: {left_out} bytes left out here]\n")?;
            }
            for mut segment in tail.previous.into_iter().chain([tail.current]) {
                segment.file.rewind()?;
                io::copy(&mut segment.file, &mut head.file)?;
                folder.remove_apart(&segment.name)?;
            }
        }
        if is_shared {
            folder.mask_file(self.name, &mut head.file, masks)?;
        }
        let place = folder.settle(self.name, head)?;
        let head = if left_out > 0 { self.limit / 2 } else { 0 };
        Ok(OutputSize { bytes: self.total, left_out, head, place })
    }
}

impl Tail {
    /// Goes on with an empty segment; the older of two full ones is given up.
    fn turn(&mut self, folder: &AttemptFolder, name: &str) -> io::Result<()> {
        match self.previous.take() {
            Some(mut oldest) => {
                self.dropped += oldest.bytes;
                oldest.file.rewind()?;
                oldest.file.set_len(0)?;
                oldest.bytes = 0;
                self.previous = Some(std::mem::replace(&mut self.current, oldest));
            }
            None => {
                let second = Segment::create(folder, name, 2)?;
                self.previous = Some(std::mem::replace(&mut self.current, second));
            }
        }
        Ok(())
    }
}

impl Segment {
    fn create(folder: &AttemptFolder, name: &str, number: u8) -> io::Result<Self> {
        let name = format!("{name}.tail{number}");
        let file = folder.create_apart(&name)?;
        Ok(Self { name, file, bytes: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn capped(limit: u64, pieces: &[&[u8]]) -> (Vec<u8>, OutputSize, usize) {
        let run = tempfile::tempdir().unwrap();
        let folder = AttemptFolder::make(run.path(), "tasks/1-a", ".guild/tasks/1").unwrap();
        let mut file = CappedFile::new("stdout", limit);
        for piece in pieces {
            file.write(&folder, piece).unwrap();
        }
        let size = file.finish(&folder, &Masks::default()).unwrap();
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert!(!run.path().join(".guild/tasks/1").exists(), "segments are gone");
        (fs::read(folder.path().join("stdout")).unwrap_or_default(), size, files)
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
            assert_eq!(
                size,
                OutputSize { bytes: 100, left_out: 100 - 8 - tail.len() as u64, head: 8, place: FilePlace::Named }
            );
            assert_eq!(files, 1);
        }
    }

    #[test]
    fn silence_leaves_no_file() {
        assert_eq!(capped(16, &[]), (Vec::new(), OutputSize::default(), 0));
    }
}
