//! What the system says of an error, in its words alone.

use std::io;

/// What stands before the number that Rust puts behind the words.
const NUMBER: &str = " (os error ";

/// Returns the text of an error without its number.
pub(crate) fn os_text(error: &io::Error) -> String {
    without_os_numbers(&error.to_string())
}

/// Returns a text in which such errors stand without their numbers.
pub(crate) fn without_os_numbers(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(NUMBER) {
        words.push_str(before);
        match after.split_once(')') {
            Some((digits, after)) if digits.parse::<i32>().is_ok() => rest = after,
            _ => {
                words.push_str(NUMBER);
                rest = after;
            }
        }
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_left_out() {
        assert_eq!(os_text(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(os_text(&io::Error::other("mine (os error x)")), "mine (os error x)");
        assert_eq!(without_os_numbers("a: b (os error 2): c (os error 13); d"), "a: b: c; d");
    }
}
