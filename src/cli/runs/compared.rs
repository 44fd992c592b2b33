//! Comparing two texts or files, in the unified form.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use similar::{Algorithm, TextDiff};

use crate::cli::Failure;
use crate::cli::output::one_line;

/// Bytes above which a file is not compared by lines.
const LARGEST_TEXT: u64 = 32 << 20;

/// How long the shortest difference is looked for; then some difference will do.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found out about two files.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// They hold the same, or there is neither.
    Same,
    /// There is only the first.
    OnlyFirst,
    /// There is only the second.
    OnlySecond,
    /// They differ, and are no texts, or too large.
    Binary,
    /// They differ in this, in the unified form.
    Text(String),
}

/// One of two texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    /// What it is called.
    pub(super) name: &'a Path,
    /// What it says.
    pub(super) text: &'a str,
}

/// Returns in what two texts differ, with their names; nothing if they do not.
pub(super) fn compare_texts(old: Side<'_>, new: Side<'_>) -> String {
    if old.text == new.text {
        return String::new();
    }
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(PATIENCE).diff_lines(old.text, new.text);
    let name = |side: Side<'_>| one_line(&side.name.to_string_lossy());
    diff.unified_diff().context_radius(3).header(&name(old), &name(new)).to_string()
}

/// Compares two files. What is at the end of a link is compared; a link that leads nowhere is no file.
pub(super) fn compare_files(old: &Path, new: &Path) -> Result<Compared, Failure> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| Failure::general(format!("cannot read {path}: {error}"))
    };
    let (first, second) = match (fs::metadata(old), fs::metadata(new)) {
        (Ok(first), Ok(second)) => (first, second),
        (Ok(_), Err(_)) => return Ok(Compared::OnlyFirst),
        (Err(_), Ok(_)) => return Ok(Compared::OnlySecond),
        (Err(_), Err(_)) => return Ok(Compared::Same),
    };
    if first.is_dir() && second.is_dir() {
        return Ok(Compared::Same);
    }
    // A pipe would never end.
    if !first.is_file() || !second.is_file() {
        return Ok(Compared::Binary);
    }
    if first.len() == second.len() && same(old, new).map_err(failed(old))? {
        return Ok(Compared::Same);
    }
    if first.len().max(second.len()) > LARGEST_TEXT {
        return Ok(Compared::Binary);
    }
    let (first, second) = (fs::read(old).map_err(failed(old))?, fs::read(new).map_err(failed(new))?);
    match (text(first), text(second)) {
        (Some(first), Some(second)) => {
            let diff = compare_texts(Side { name: old, text: &first }, Side { name: new, text: &second });
            Ok(Compared::Text(diff))
        }
        _ => Ok(Compared::Binary),
    }
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn same(old: &Path, new: &Path) -> io::Result<bool> {
    let (mut old, mut new) = (File::open(old)?, File::open(new)?);
    let (mut first, mut second) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = old.read(&mut first)?;
        if count == 0 {
            return Ok(new.read(&mut second)? == 0);
        }
        match new.read_exact(&mut second[..count]) {
            Ok(()) if first[..count] == second[..count] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Returns a difference with colours, for a terminal: without anything else that could move its cursor.
pub(super) fn paint(diff: &str) -> String {
    let line = |line: &str| {
        let clean: String = line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        match () {
            () if line.starts_with("+++ ") || line.starts_with("--- ") => format!("\x1b[1m{clean}\x1b[0m\n"),
            () if line.starts_with('+') => format!("\x1b[32m{clean}\x1b[0m\n"),
            () if line.starts_with('-') => format!("\x1b[31m{clean}\x1b[0m\n"),
            () if line.starts_with("@@") => format!("\x1b[36m{clean}\x1b[0m\n"),
            () => clean + "\n",
        }
    };
    diff.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_as_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, bytes) in
            [("a", &b"x\ny\n"[..]), ("b", b"x\nz"), ("same", b"x\ny\n"), ("bin", b"x\0y\n"), ("odd", b"\xff")]
        {
            fs::write(at(name), bytes).unwrap();
        }
        let compare = |old: &str, new: &str| compare_files(&at(old), &at(new)).unwrap();
        assert_eq!(compare("a", "same"), Compared::Same);
        assert_eq!(compare("none", "nothing"), Compared::Same);
        assert_eq!(compare("a", "none"), Compared::OnlyFirst);
        assert_eq!(compare("none", "a"), Compared::OnlySecond);
        assert_eq!(compare("a", "bin"), Compared::Binary);
        assert_eq!(compare("odd", "a"), Compared::Binary);
        let Compared::Text(diff) = compare("a", "b") else { panic!("they are texts") };
        let expected = format!(
            "--- {}\n+++ {}\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n\\ No newline at end of file\n",
            at("a").display(),
            at("b").display()
        );
        assert_eq!(diff, expected);
        assert!(paint(&diff).contains("\x1b[31m-y\x1b[0m\n\x1b[32m+z\x1b[0m\n"));
    }
}
