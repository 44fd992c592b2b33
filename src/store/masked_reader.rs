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
        let count = read_on(&mut self.from, &mut self.piece)?;
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
            self.fill()?;
        }
        let count = (&self.out[self.given..]).read(into)?;
        self.given += count;
        Ok(count)
    }
}

/// Reads what comes next, however often that is interrupted.
fn read_on(mut from: impl Read, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
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
    let (mut stream, mut piece) = (masks.stream(), vec![0; PIECE]);
    let (mut came, mut went) = (0, 0);
    loop {
        let count = read_on(&mut from, &mut piece)?;
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
        let mut first = [0; 3];
        let count =
            MaskedReader::new(&Masks::new(["hunter22"]), Slow(b"a hunter22 b", false)).read(&mut first).unwrap();
        assert_eq!(&first[..count], &b"a "[..count]);
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

    #[test]
    fn a_secret_is_found_wherever_it_stands_and_however_it_comes() {
        let masks = Masks::new(["hunter22", "correct horse battery staple"]);
        let cases: [(&'static [u8], bool); 9] = [
            (b"", false),
            (b"hunter", false),
            (b"a hunter", false),
            (b"a hunter2 b", false),
            (b"hunter22", true),
            (b"a hunter22", true),
            (b"hunter22 b", true),
            (b"***", false),
            (b"x correct horse battery staple, hunter22", true),
        ];
        for (text, is_there) in cases {
            assert_eq!(holds_secrets(&masks, text).unwrap(), is_there, "{}", text.escape_ascii());
            // Byte by byte, and with the error that is at the end.
            let error = holds_secrets(&masks, Slow(text, false)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            let in_bytes = text
                .chunks(1)
                .fold(Box::new(io::empty()) as Box<dyn Read>, |before, byte| Box::new(before.chain(byte)));
            assert_eq!(holds_secrets(&masks, in_bytes).unwrap(), is_there, "{}", text.escape_ascii());
        }
        // Over the edge of a piece.
        let mut long = vec![b'x'; PIECE - 4];
        assert!(!holds_secrets(&masks, long.as_slice()).unwrap());
        long.extend_from_slice(b"hunter22");
        assert!(holds_secrets(&masks, long.as_slice()).unwrap());
    }

    #[test]
    fn files_are_copied_with_secrets_masked() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        std::fs::write(&from, "a hunter22 b").unwrap();
        let masks = Masks::new(["hunter22"]);
        copy_masked(&from, &to, &masks).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"a *** b");
        let mut opened = File::open(&from).unwrap();
        opened.read_exact(&mut [0; 2]).unwrap();
        mask_into(&opened, &mut File::create(&to).unwrap(), &masks).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"*** b", "only the rest");
    }
}
