//! What the system says of an error, in its words alone.

use std::io;

/// Returns the text of an error without the number that Rust puts behind it.
pub(crate) fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, number)) if number.strip_suffix(')').is_some_and(|digits| digits.parse::<i32>().is_ok()) => {
            words.to_owned()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_left_out() {
        assert_eq!(os_text(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(os_text(&io::Error::other("mine (os error x)")), "mine (os error x)");
    }
}
