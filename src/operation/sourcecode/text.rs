//! Whether a file is text, by its name and its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How much of a file is looked at.
const SAMPLE: usize = 1024;

/// Names that end so are text, whatever the first bytes are.
const TEXT: [&str; 5] = ["csv", "md", "py", "sh", "txt"];

/// Names that end so are not: formats that begin with text, or may be empty.
const BINARY: [&str; 54] = [
    "7z", "a", "ai", "aif", "avi", "bin", "bmp", "bz2", "class", "deb", "doc", "docx", "dylib", "exe", "gif", "gz",
    "h5", "ico", "jar", "jpeg", "jpg", "key", "mid", "mov", "mp3", "mp4", "mpeg", "npy", "npz", "o", "ogg", "parquet",
    "pdf", "pickle", "pkl", "png", "ppt", "pptx", "ps", "psd", "pyc", "pyo", "rar", "rpm", "so", "svg", "swf", "tar",
    "tif", "tiff", "wav", "xlsx", "xz", "zip",
];

/// Returns whether the file at `path` is text.
pub(super) fn is_text(path: &Path) -> io::Result<bool> {
    let extension = path.extension().map(|extension| extension.as_bytes().to_ascii_lowercase());
    let is_one_of = |known: &[&str]| extension.as_ref().is_some_and(|own| known.iter().any(|k| k.as_bytes() == own));
    if is_one_of(&TEXT) {
        return Ok(true);
    }
    if is_one_of(&BINARY) {
        return Ok(false);
    }
    let mut sample = Vec::with_capacity(SAMPLE);
    File::open(path)?.take(SAMPLE as u64).read_to_end(&mut sample)?;
    Ok(looks_like_text(&sample))
}

/// Returns whether bytes are the beginning of a text: UTF-8, UTF-16 with its mark, or an encoding that extends ASCII and
/// is mostly ASCII.
fn looks_like_text(sample: &[u8]) -> bool {
    if sample.starts_with(&[0xff, 0xfe]) || sample.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    if sample.contains(&0) {
        return false;
    }
    let controls = sample.iter().filter(|byte| matches!(byte, 1..=7 | 11 | 14..=26 | 28..=31 | 127)).count();
    if controls * 10 > sample.len() {
        return false;
    }
    match std::str::from_utf8(sample) {
        Ok(_) => true,
        // The sample may end within a character.
        Err(error) if error.error_len().is_none() && sample.len() == SAMPLE => true,
        Err(_) => {
            let foreign = sample.iter().filter(|byte| **byte >= 128).count();
            !sample.contains(&0xff) && foreign * 10 <= sample.len() * 3
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_told_apart() {
        let cut: Vec<u8> = "ä".repeat(SAMPLE).into_bytes()[1..=SAMPLE].to_vec();
        let cases: [(&[u8], bool); 10] = [
            (b"", true),
            (b"import sys\n", true),
            ("größer\n".as_bytes(), true),
            (&cut[1..], false),
            (b"gr\xf6\xdfer als alles andere hier\n", true),
            (b"\xff\xfea\0b\0", true),
            (b"\x7fELF\x02\x01\x01\0", false),
            (b"\x01\x02\x03\x04\x05", false),
            (b"\x80\x81\x82\x83", false),
            (b"\x1b[31mred\x1b[0m\n", true),
        ];
        for (sample, expected) in cases {
            assert_eq!(looks_like_text(sample), expected, "{sample:?}");
        }
        let whole = "ä".repeat(SAMPLE);
        assert!(looks_like_text(&[b"x", &whole.as_bytes()[..SAMPLE - 1]].concat()));
    }

    #[test]
    fn names_are_looked_at_first() {
        let dir = tempfile::tempdir().unwrap();
        for (name, expected) in [("a.py", true), ("a.PNG", false), ("a.pyc", false), ("empty", true), ("a.R", true)] {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            assert_eq!(is_text(&path).unwrap(), expected, "{name}");
        }
        assert!(is_text(&dir.path().join("none")).is_err());
    }
}
