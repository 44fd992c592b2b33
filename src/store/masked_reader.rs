//! Reading with secrets masked, piece by piece: the size of what is read costs no memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::model::{MaskStream, Masks};

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// Reads with secrets masked.
pub(super) struct MaskedReader<R> {
    from: R,
    stream: MaskStream,
    piece: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` was handed out.
    given: usize,
    is_at_end: bool,
}

impl<R: Read> MaskedReader<R> {
    pub(super) fn new(masks: &Masks, from: R) -> Self {
        Self { from, stream: masks.stream(), piece: Vec::new(), out: Vec::new(), given: 0, is_at_end: false }
    }

    /// Works one piece through.
    fn fill(&mut self) -> io::Result<()> {
        self.piece.resize(PIECE, 0);
        let count = self.from.read(&mut self.piece)?;
        self.out.clear();
        self.given = 0;
        let out = &mut self.out;
        let mut add = |bytes: &[u8]| out.extend_from_slice(bytes);
        match count {
            0 => {
                self.stream.finish(&mut add);
                self.is_at_end = true;
            }
            count => self.stream.write(&self.piece[..count], &mut add),
        }
        Ok(())
    }
}

impl<R: Read> Read for MaskedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() && !self.is_at_end {
            match self.fill() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => done?,
            }
        }
        let count = (&self.out[self.given..]).read(into)?;
        self.given += count;
        Ok(count)
    }
}

/// Copies a file with secrets masked.
pub(crate) fn copy_masked(from: &Path, to: &Path, masks: &Masks) -> io::Result<()> {
    io::copy(&mut MaskedReader::new(masks, File::open(from)?), &mut File::create(to)?).map(drop)
}

/// Copies the rest of a file with secrets masked.
pub(crate) fn mask_into(from: &File, to: &mut File, masks: &Masks) -> io::Result<()> {
    io::copy(&mut MaskedReader::new(masks, from), to).map(drop)
}

/// Returns whether there is a secret in what is read.
pub(crate) fn holds_secrets(masks: &Masks, mut from: impl Read) -> io::Result<bool> {
    let (mut stream, mut piece) = (masks.stream(), vec![0; 256 << 10]);
    let (mut came, mut went) = (0, 0);
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            stream.finish(&mut |bytes| went += bytes.len());
            // A mask is shorter than any secret.
            return Ok(went < came);
        }
        came += count;
        stream.write(&piece[..count], &mut |bytes| went += bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is interrupted before each byte, and fails at the end.
    struct Slow(&'static [u8], bool);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            match self.0.split_first() {
                _ if self.1 => Err(io::ErrorKind::Interrupted.into()),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
                Some((byte, rest)) => {
                    (self.0, into[0]) = (rest, *byte);
                    Ok(1)
                }
            }
        }
    }

    #[test]
    fn an_interrupt_is_no_error_and_an_error_is_told() {
        let mut read = Vec::new();
        let error = MaskedReader::new(&Masks::new(["hunter22"]), Slow(b"a hunter22 b", false)).read_to_end(&mut read);
        assert_eq!((read.as_slice(), error.unwrap_err().kind()), (&b"a *** b"[..], io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_copy_has_masks() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        std::fs::write(&from, "a hunter22").unwrap();
        copy_masked(&from, &to, &Masks::new(["hunter22"])).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"a ***");
    }

    #[test]
    fn a_secret_on_the_border_of_two_pieces_is_masked() {
        let masks = Masks::new(["hunter2hunter3"]);
        for before in PIECE - 16..PIECE + 2 {
            let text = ["x".repeat(before), "hunter2hunter3".repeat(2), "y".repeat(PIECE)].concat();
            let mut read = String::new();
            MaskedReader::new(&masks, text.as_bytes()).read_to_string(&mut read).unwrap();
            assert!(read == ["x".repeat(before), "***".repeat(2), "y".repeat(PIECE)].concat(), "{before}");
        }
    }
}
