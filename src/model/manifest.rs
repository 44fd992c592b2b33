//! The manifest of a run, `.guild/manifest`: which of its files are copies, and of what.
//!
//! One entry a line, in words as a shell quotes them: `s RUN-PATH SHA1 PROJECT-PATH` for source code, `d RUN-PATH SHA1-OR-DASH
//! URI [PATH-IN-ARCHIVE]` for a dependency. Names need not be UTF-8.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::is_inside;

/// What kind of file an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// Source code.
    SourceCode,
    /// A resolved dependency.
    Dependency,
    /// What Guild keeps for itself.
    Internal,
}

impl EntryKind {
    const fn word(self) -> &'static str {
        match self {
            EntryKind::SourceCode => "s",
            EntryKind::Dependency => "d",
            EntryKind::Internal => "i",
        }
    }

    fn of_word(word: &[u8]) -> Option<Self> {
        match word {
            b"s" => Some(EntryKind::SourceCode),
            b"d" => Some(EntryKind::Dependency),
            b"i" => Some(EntryKind::Internal),
            _ => None,
        }
    }
}

/// One file or folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestEntry {
    /// What it is.
    pub(crate) kind: EntryKind,
    /// Where it is, relative to the run directory.
    pub(crate) path: PathBuf,
    /// SHA-1 of its bytes, hexadecimal; `None` for a folder.
    pub(crate) sha1: Option<String>,
    /// Where it came from: the path in the project, or a URI.
    pub(crate) origin: OsString,
    /// The path inside the archive that it came from.
    pub(crate) subpath: Option<PathBuf>,
}

/// The entries of a run, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// One for each file or folder that was put into the run.
    pub(crate) entries: Vec<ManifestEntry>,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub(crate) struct BadManifest {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    #[source]
    pub(crate) why: BadEntry,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadEntry {
    /// A quote has no end.
    #[error("its quotes are not closed")]
    OpenQuotes,
    /// It has so many words.
    #[error("it has {0} words and not 4")]
    Words(usize),
    /// It is of a kind that is none.
    #[error("'{0}' is none of s, d and i")]
    Kind(String),
    /// It names a file elsewhere.
    #[error("the path '{}' is not inside the run directory", .0.display())]
    Outside(PathBuf),
    /// Its hash has odd bytes.
    #[error("its hash is no text")]
    Hash,
}

impl Manifest {
    /// Reads the bytes of a manifest. The error is about the first line that is no entry.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Manifest, BadManifest> {
        Ok(Manifest { entries: Manifest::entries_of(bytes).collect::<Result<_, _>>()? })
    }

    /// Reads the bytes of a manifest, each entry for itself.
    pub(crate) fn entries_of(bytes: &[u8]) -> impl Iterator<Item = Result<ManifestEntry, BadManifest>> {
        let mut next = 1;
        lines(bytes).filter_map(move |text| {
            let line = next;
            next += 1 + memchr::memchr_iter(b'\n', text).count();
            let words = shlex::bytes::split(text).ok_or(BadEntry::OpenQuotes);
            let entry = match words {
                Ok(words) if words.is_empty() => return None,
                words => words.and_then(ManifestEntry::of_words),
            };
            Some(entry.map_err(|why| BadManifest { line, why }))
        })
    }

    /// Returns the bytes of the file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            entry.write(&mut bytes);
        }
        bytes
    }

    /// Returns the paths of the source code, relative to the run directory.
    pub(crate) fn source_code(&self) -> impl Iterator<Item = &Path> {
        let entries = self.entries.iter().filter(|entry| entry.kind == EntryKind::SourceCode);
        entries.map(|entry| entry.path.as_path())
    }

    /// Adds entries; one for a path that is there already takes the place of the other.
    pub(crate) fn extend(&mut self, entries: Vec<ManifestEntry>) {
        let paths: BTreeSet<PathBuf> = entries.iter().map(|entry| entry.path.clone()).collect();
        self.entries.retain(|entry| !paths.contains(&entry.path));
        self.entries.extend(entries);
    }
}

/// Returns the lines, as a shell parts them: a name in quotes may hold a newline.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quote, mut is_escaped) = (None, false);
    bytes.split(move |byte| {
        match (quote, *byte) {
            _ if is_escaped => is_escaped = false,
            (None | Some(b'"'), b'\\') => is_escaped = true,
            (None, open @ (b'"' | b'\'')) => quote = Some(open),
            (Some(open), byte) if byte == open => quote = None,
            (None, b'\n') => return true,
            _ => {}
        }
        false
    })
}

impl ManifestEntry {
    fn of_words(words: Vec<Vec<u8>>) -> Result<Self, BadEntry> {
        let count = words.len();
        let mut words = words.into_iter();
        let (Some(kind), Some(path), Some(hash), Some(origin)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(BadEntry::Words(count));
        };
        let kind =
            EntryKind::of_word(&kind).ok_or_else(|| BadEntry::Kind(String::from_utf8_lossy(&kind).into_owned()))?;
        let path = PathBuf::from(OsString::from_vec(path));
        // Who restores a run's files by its manifest must not be led out of it.
        if !is_inside(&path) {
            return Err(BadEntry::Outside(path));
        }
        let sha1 = String::from_utf8(hash).map_err(|_| BadEntry::Hash)?;
        Ok(ManifestEntry {
            kind,
            path,
            sha1: (sha1 != "-").then_some(sha1),
            origin: OsString::from_vec(origin),
            subpath: words.next().map(|word| PathBuf::from(OsString::from_vec(word))),
        })
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let hash = self.sha1.as_deref().unwrap_or("-");
        let words =
            [self.kind.word().as_bytes(), self.path.as_os_str().as_bytes(), hash.as_bytes(), self.origin.as_bytes()];
        let subpath = self.subpath.iter().map(|subpath| subpath.as_os_str().as_bytes());
        for (index, word) in words.into_iter().chain(subpath).enumerate() {
            if index > 0 {
                bytes.push(b' ');
            }
            // No file has a NUL in its name; a URI that holds one names nothing.
            let quoted = shlex::bytes::Quoter::new().allow_nul(true).quote(word);
            bytes.extend_from_slice(quoted.as_deref().unwrap_or(word));
        }
        bytes.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(kind: EntryKind, path: &str, sha1: Option<&str>, origin: &str, subpath: Option<&str>) -> ManifestEntry {
        let sha1 = sha1.map(str::to_owned);
        ManifestEntry { kind, path: path.into(), sha1, origin: origin.into(), subpath: subpath.map(PathBuf::from) }
    }

    #[test]
    fn the_format_is_guilds() {
        let text = "s train.py da81b142 train.py\nd data.txt c5d84736 file:data.txt\n\
                    d 'my data' - url:http://h/a.zip 'in/my data'\n";
        let manifest = Manifest {
            entries: vec![
                entry(EntryKind::SourceCode, "train.py", Some("da81b142"), "train.py", None),
                entry(EntryKind::Dependency, "data.txt", Some("c5d84736"), "file:data.txt", None),
                entry(EntryKind::Dependency, "my data", None, "url:http://h/a.zip", Some("in/my data")),
            ],
        };
        assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), text);
        assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest));
        assert_eq!(Manifest::parse(b"\n"), Ok(Manifest::default()));
    }

    #[test]
    fn what_is_no_entry_is_said_with_its_line() {
        let cases = [
            ("s a b c\ns a b\n", 2, "it has 3 words and not 4"),
            ("x a b c\n", 1, "'x' is none of s, d and i"),
            ("s a b c\n\ns 'a b c\nd e f g\n", 3, "its quotes are not closed"),
            ("s ../a b c\n", 1, "the path '../a' is not inside the run directory"),
            ("s /a b c\n", 1, "the path '/a' is not inside the run directory"),
            ("s a/../.. b c\n", 1, "the path 'a/../..' is not inside the run directory"),
        ];
        for (text, line, what) in cases {
            let bad = Manifest::parse(text.as_bytes()).unwrap_err();
            assert_eq!((bad.line, bad.why.to_string().as_str()), (line, what), "{text:?}");
        }
    }

    #[test]
    fn an_entry_for_the_same_path_takes_the_place_of_the_other() {
        let mut manifest = Manifest::parse(b"s a 1 a\nd b 2 file:b\nd c 3 file:c\n").unwrap();
        manifest.extend(vec![entry(EntryKind::Dependency, "b", Some("4"), "file:b", None)]);
        assert_eq!(manifest.to_bytes(), b"s a 1 a\nd c 3 file:c\nd b 4 file:b\n");
    }

    proptest! {
        #[test]
        fn every_name_comes_back(names in prop::collection::vec(prop::collection::vec(1_u8..=255, 1..12), 1..6)) {
            let name = |bytes: &[u8]| OsString::from_vec(bytes.iter().map(|b| if *b == b'/' { b'_' } else { *b }).collect());
            let entries: Vec<ManifestEntry> = names.iter().map(|bytes| ManifestEntry {
                kind: EntryKind::SourceCode,
                path: Path::new("x").join(name(bytes)).join("y"),
                sha1: Some("00".to_owned()),
                origin: name(bytes),
                subpath: None,
            }).collect();
            let inside: Vec<_> = entries.into_iter().filter(|entry| is_inside(&entry.path)).collect();
            let manifest = Manifest { entries: inside };
            prop_assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
        }
    }
}
