//! The records of an event file: a length, bytes, and a checksum of each.

use std::io::{self, Read};

/// What is added to a checksum that stands beside what it is of.
const MASK: u32 = 0xa282_ead8;

/// Bytes before those of a record: the length and its checksum.
const HEAD: usize = 12;

/// Bytes behind those of a record: their checksum.
const FOOT: usize = 4;

/// What follows in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record of so many bytes of the file.
    Record(u64),
    /// Nothing, or the beginning of a record that is not all there.
    End,
    /// What is no record.
    Damaged(&'static str),
}

/// Adds a record to `file`.
pub(super) fn put(file: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u64).to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&masked(&length).to_le_bytes());
    file.extend_from_slice(record);
    file.extend_from_slice(&masked(record).to_le_bytes());
}

/// Reads the next record into `record`. `left` is how many bytes of the file there are.
pub(super) fn next(file: &mut impl Read, left: u64, record: &mut Vec<u8>) -> io::Result<Next> {
    let mut head = [0; HEAD];
    if left < HEAD as u64 || !filled(file, &mut head)? {
        return Ok(Next::End);
    }
    let (length, check) = head.split_at(8);
    if masked(length).to_le_bytes() != check {
        return Ok(Next::Damaged("the length of a record has another checksum"));
    }
    let length = length.try_into().map_or(0, u64::from_le_bytes);
    let whole = length.saturating_add((HEAD + FOOT) as u64);
    if whole > left {
        return Ok(Next::End);
    }
    // As much as is in the file, so it can be counted.
    record.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
    let mut check = [0; FOOT];
    if !filled(file, record)? || !filled(file, &mut check)? {
        return Ok(Next::End);
    }
    match masked(record).to_le_bytes() == check {
        true => Ok(Next::Record(whole)),
        false => Ok(Next::Damaged("a record has another checksum")),
    }
}

/// Fills `bytes`. Returns false if the file is at its end before.
fn filled(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut file: &[u8]) -> (Vec<Vec<u8>>, Next) {
        let (mut records, mut record) = (Vec::new(), Vec::new());
        loop {
            let left = file.len() as u64;
            match next(&mut file, left, &mut record).unwrap() {
                Next::Record(_) => records.push(record.clone()),
                end => return (records, end),
            }
        }
    }

    #[test]
    fn whole_records_are_read_and_a_torn_one_is_not() {
        let mut file = Vec::new();
        for record in [&b"one"[..], b"", b"three"] {
            put(&mut file, record);
        }
        for length in 0..=file.len() {
            let (records, end) = read(&file[..length]);
            let whole = [19, 35, 56].iter().filter(|end| **end <= length).count();
            assert_eq!((records.len(), end), (whole, Next::End), "{length}");
        }
    }

    #[test]
    fn a_changed_byte_is_found() {
        let mut file = Vec::new();
        put(&mut file, b"one");
        put(&mut file, b"two");
        for at in 19..file.len() {
            let mut file = file.clone();
            file[at] ^= 0x10;
            let (records, end) = read(&file);
            assert_eq!(records, [b"one"], "{at}");
            assert!(matches!(end, Next::Damaged(_)), "{at}: {end:?}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_format() {
        // The first record that TensorBoard itself writes, at the time 0: file_version "brain.Event:2".
        let event = b"\x09\0\0\0\0\0\0\0\0\x1a\x0dbrain.Event:2";
        let mut file = Vec::new();
        put(&mut file, event);
        assert_eq!(file[..8], 24_u64.to_le_bytes());
        assert_eq!(file[8..12], [0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(file[36..], [0xee, 0xdf, 0x28, 0xa3]);
    }
}
