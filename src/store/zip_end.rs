//! How many entries a zip file says it has, told by its last bytes: a file that says a million is refused before a place in
//! memory is made for each.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The record at the end: 22 bytes, and a comment of at most 65,535.
const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const LONGEST_COMMENT: u64 = 65_535;

/// Where the larger record is, just before the end, where the numbers of that do not suffice.
const LOCATOR: &[u8] = b"PK\x06\x07";
const LOCATOR_LENGTH: usize = 20;

/// The larger record.
const LARGE_END: &[u8] = b"PK\x06\x06";
const LARGE_END_LENGTH: usize = 56;

/// Returns the number; `None` if the file has no such end.
pub(super) fn entries(file: &mut File) -> io::Result<Option<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(LONGEST_COMMENT + (END_LENGTH + LOCATOR_LENGTH) as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let end = (0..tail.len().saturating_sub(END_LENGTH - 1)).rev().find(|at| tail[*at..].starts_with(END));
    let Some(end) = end else { return Ok(None) };
    let small = u16::from_le_bytes([tail[end + 10], tail[end + 11]]);
    let locator = end.checked_sub(LOCATOR_LENGTH).filter(|at| tail[*at..].starts_with(LOCATOR));
    let Some(locator) = locator else { return Ok(Some(u64::from(small))) };
    let Some(offset) = number(&tail, locator + 8) else { return Ok(None) };
    file.seek(SeekFrom::Start(offset))?;
    let mut large = Vec::new();
    file.take(LARGE_END_LENGTH as u64).read_to_end(&mut large)?;
    Ok(number(&large, 32).filter(|_| large.starts_with(LARGE_END)))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn check(count: u32, comment: &str) -> Option<u64> {
        let mut file = tempfile::tempfile().unwrap();
        let mut zip = ZipWriter::new(file.try_clone().unwrap());
        zip.set_comment(comment).unwrap();
        for number in 0..count {
            zip.start_file(format!("{number}"), SimpleFileOptions::default()).unwrap();
        }
        zip.finish().unwrap();
        entries(&mut file).unwrap()
    }

    #[test]
    fn the_number_stands_at_the_end() {
        assert_eq!(check(0, ""), Some(0));
        assert_eq!(check(3, "a comment"), Some(3));
        assert_eq!(check(70_000, ""), Some(70_000));
        let mut none = tempfile::tempfile().unwrap();
        assert_eq!(entries(&mut none).unwrap(), None);
        none.write_all(b"no zip, and longer than an end").unwrap();
        assert_eq!(entries(&mut none).unwrap(), None);
    }
}
