//! Cutting bytes that are text, so that no character is torn.

/// Returns at most the first `most` bytes, without a character of UTF-8 that would be torn at the end.
pub(crate) fn whole(bytes: &[u8], most: usize) -> &[u8] {
    match bytes.len() > most {
        true => without_torn_end(&bytes[..most]),
        false => bytes,
    }
}

/// Returns at most the last `most` bytes, without a character of UTF-8 that would be torn at the beginning.
pub(crate) fn whole_tail(bytes: &[u8], most: usize) -> &[u8] {
    match bytes.len() > most {
        true => without_torn_begin(&bytes[bytes.len() - most..]),
        false => bytes,
    }
}

/// Leaves out the rest of a character at the beginning of what was cut out of a text.
pub(crate) fn without_torn_begin(bytes: &[u8]) -> &[u8] {
    // More than three in a row are no rest of one.
    let torn = bytes.iter().take(4).take_while(|byte| is_inside(**byte)).count();
    if torn < 4 { &bytes[torn..] } else { bytes }
}

/// Leaves out the first bytes of a character at the end of what was cut out of a text.
pub(crate) fn without_torn_end(bytes: &[u8]) -> &[u8] {
    let Some(at) = (bytes.len().saturating_sub(4)..bytes.len()).rev().find(|at| !is_inside(bytes[*at])) else {
        return bytes;
    };
    let length = match bytes[at] {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 1,
    };
    if at + length > bytes.len() { &bytes[..at] } else { bytes }
}

/// Returns whether a byte is one of a character, but not its first.
const fn is_inside(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_torn() {
        let text = "aé€😀z".as_bytes();
        for most in 0..=text.len() + 2 {
            for short in [whole(text, most), whole_tail(text, most)] {
                assert!(std::str::from_utf8(short).is_ok() && short.len() <= most, "{most}");
                assert!(short.len() + 3 >= most.min(text.len()), "{most}");
            }
        }
        for binary in [&[0x80; 9][..], &[0xff; 9]] {
            assert_eq!(whole(binary, 5), &binary[..5], "what is no text is cut where it must be");
            assert_eq!(whole_tail(binary, 5), &binary[..5]);
        }
        assert_eq!(without_torn_end(b""), b"");
    }
}
