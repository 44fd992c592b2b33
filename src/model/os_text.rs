//! What the system says of an error, in its words alone, and which limit it tells of.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// What stands before the number that Rust puts behind the words.
const NUMBER: &str = " (os error ";

/// Returns the text of an error without its number. Where it can only tell of one limit, that on open files, with its name
/// and what it is.
pub(crate) fn os_text(error: &io::Error) -> String {
    let text = without_os_numbers(&error.to_string());
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE) => {
            format!("{text}: the limit on open files is reached ({})", limit("ulimit -n", Resource::Nofile))
        }
        Some(Errno::NFILE) => format!("{text}: the system's limit on open files is reached (fs.file-max)"),
        _ => text,
    }
}

/// Says what a limit is, as the shell names it.
pub(crate) fn limit(name: &str, resource: Resource) -> String {
    match getrlimit(resource).current {
        Some(current) => format!("{name} is {current}"),
        None => format!("{name} is unlimited"),
    }
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
        for (number, name) in [(libc::EMFILE, "ulimit -n is "), (libc::ENFILE, "fs.file-max")] {
            let text = os_text(&io::Error::from_raw_os_error(number));
            assert!(text.contains(name) && !text.contains(NUMBER), "{text}");
        }
        assert_eq!(os_text(&io::Error::other("mine (os error x)")), "mine (os error x)");
        assert_eq!(without_os_numbers("a: b (os error 2): c (os error 13); d"), "a: b: c; d");
    }
}
