//! Links from a page to the files of a run.

use std::fmt::{self, Display, Write};
use std::path::{Component, Path};

/// The path of a file as a relative reference (RFC 3986, 4.2): what is not a letter, a digit or one of `-._~/` is encoded.
pub(super) struct Href<'a>(pub(super) &'a str);

impl Display for Href<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    f.write_char(char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// Returns the path that leads from one folder to another, with a slash at its end; both are absolute. Empty if they are the
/// same.
pub(super) fn path_between(from: &Path, to: &Path) -> String {
    let names = |path: &Path| -> Vec<String> {
        let names = path.components().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        });
        names.collect()
    };
    let (from, to) = (names(from), names(to));
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", from.len() - shared);
    up.chain(to[shared..].iter().map(String::as_str)).flat_map(|name| [name, "/"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference_whatever_is_in_it() {
        let cases = [
            ("tasks/1-ping/task.log", "tasks/1-ping/task.log"),
            ("tasks/1-a b#c?d%e", "tasks/1-a%20b%23c%3Fd%25e"),
            ("tasks/1-\"><script>:'&", "tasks/1-%22%3E%3Cscript%3E%3A%27%26"),
            ("tasks/1-gr\u{f6}\u{df}e", "tasks/1-gr%C3%B6%C3%9Fe"),
            ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ];
        for (path, expected) in cases {
            assert_eq!(Href(path).to_string(), expected);
        }
    }

    #[test]
    fn one_folder_is_reached_from_another() {
        let cases = [
            ("/runs/1", "/runs/1", ""),
            ("/runs", "/runs/1", "1/"),
            ("/runs/1", "/runs", "../"),
            ("/project/out", "/home/u/.rille/runs/1", "../../home/u/.rille/runs/1/"),
            ("/", "/runs/1", "runs/1/"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(path_between(Path::new(from), Path::new(to)), expected, "{from} {to}");
        }
    }
}
