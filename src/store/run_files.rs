//! The files of a run: what each of them is, by the run's manifest, and where the source code is.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Error, Result, attribute};
use crate::model::{EntryKind, Manifest, ManifestEntry, clean_path};

/// What a file of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileKind {
    /// A copy of source code.
    Sourcecode,
    /// A dependency that was resolved.
    Dependency,
    /// What the run has made.
    Generated,
    /// Metadata: everything in `.guild` but source code.
    Metadata,
}

/// A file, folder or link of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunFile {
    /// Its path, relative to the run directory.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) kind: FileKind,
    /// What the system knows of it: of a link itself, or of what it leads to where links are followed.
    pub(crate) metadata: Metadata,
    /// Where a link leads to.
    pub(crate) link: Option<PathBuf>,
}

/// Returns the source code and the dependencies in the manifest of a run; lines that are damaged are left out.
pub(crate) fn manifest(run: &Path) -> Vec<ManifestEntry> {
    let bytes = fs::read(run.join(".guild/manifest")).unwrap_or_default();
    let entries = Manifest::entries_of(&bytes).flatten().filter(|entry| entry.kind != EntryKind::Internal);
    let cleaned = |entry: ManifestEntry| Some(ManifestEntry { path: clean_path(&entry.path)?, ..entry });
    entries.filter_map(cleaned).collect()
}

/// The folder in a run directory where older releases of Guild, and scripts, have their source code.
const SOURCECODE: &str = ".guild/sourcecode";

/// Returns the folder of the source code, relative to the run directory; empty for the run directory itself.
pub(crate) fn sourcecode_folder(run: &Path) -> PathBuf {
    let op = attribute(run, "op");
    let dest = op.as_ref().and_then(|op| op.pointer("/sourcecode/dest")).and_then(serde_json::Value::as_str);
    match dest.and_then(|dest| clean_path(Path::new(dest))) {
        Some(dest) => dest,
        None if run.join(SOURCECODE).is_dir() => PathBuf::from(SOURCECODE),
        None => PathBuf::new(),
    }
}

/// How the files of a run are walked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    /// Goes into folders that links lead to.
    pub(crate) follow_links: bool,
    /// Goes into `.guild`; else only into its source code.
    pub(crate) metadata: bool,
}

/// Returns the files, folders and links of a run in the order of their names. What cannot be read is left out.
pub(crate) fn files(run: &Path, walk: Walk) -> Result<Vec<RunFile>> {
    fs::read_dir(run).map_err(Error::io("read the run directory", run))?;
    let kinds = Kinds::of(run);
    let mut found = Vec::new();
    let mut open = vec![(PathBuf::new(), Vec::<PathBuf>::new())];
    while let Some((folder, above)) = open.pop() {
        for entry in fs::read_dir(run.join(&folder)).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            let full = run.join(&path);
            let Ok(own) = full.symlink_metadata() else { continue };
            let link = own.is_symlink().then(|| fs::read_link(&full).ok()).flatten();
            // A link that leads nowhere is shown as what it is.
            let metadata = match link {
                Some(_) if walk.follow_links => fs::metadata(&full).unwrap_or(own),
                _ => own,
            };
            let kind = kinds.of_path(&path);
            let is_hidden = kind == FileKind::Metadata && !walk.metadata;
            // Source code may be below what is hidden.
            let leads_to_source = Path::new(SOURCECODE).starts_with(&path);
            if metadata.is_dir() && (!is_hidden || leads_to_source) {
                let mut above = above.clone();
                // A link to a folder above would never end.
                if let Ok(real) = full.canonicalize()
                    && !above.contains(&real)
                {
                    above.push(real);
                    open.push((path.clone(), above));
                }
            }
            if !is_hidden {
                found.push(RunFile { path, kind, metadata, link });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Tells what the files of a run are.
struct Kinds {
    named: BTreeMap<PathBuf, FileKind>,
}

impl Kinds {
    fn of(run: &Path) -> Kinds {
        let kind = |entry: &ManifestEntry| match entry.kind {
            EntryKind::SourceCode => FileKind::Sourcecode,
            _ => FileKind::Dependency,
        };
        Kinds { named: manifest(run).into_iter().map(|entry| (entry.path.clone(), kind(&entry))).collect() }
    }

    fn of_path(&self, path: &Path) -> FileKind {
        if path.starts_with(SOURCECODE) {
            return FileKind::Sourcecode;
        }
        if path.starts_with(".guild") {
            return FileKind::Metadata;
        }
        // What is in a folder that is a dependency is one, too.
        let named = path.ancestors().find_map(|ancestor| self.named.get(ancestor));
        let holds = |kind: FileKind| {
            let mut below = self.named.range(path.to_owned()..).take_while(|(name, _)| name.starts_with(path));
            below.any(|(_, other)| *other == kind)
        };
        match named {
            Some(kind) => *kind,
            // A folder that holds nothing else is what its files are.
            None if holds(FileKind::Sourcecode) => FileKind::Sourcecode,
            None if holds(FileKind::Dependency) => FileKind::Dependency,
            None => FileKind::Generated,
        }
    }
}

/// Opens a file of a run for reading, by its path relative to the run directory. It may be a link to anywhere, but the
/// path itself must not lead out of the run.
pub(crate) fn open_file(run: &Path, relative: &Path) -> Result<fs::File> {
    let path = run.join(relative);
    let failed = |error: io::Error| Error::io("read", &path)(error);
    if clean_path(relative).is_none() {
        return Err(failed(io::Error::other("it is not below the run directory")));
    }
    let metadata = fs::metadata(&path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::Error::other("it is a folder")));
    }
    fs::File::open(&path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_lines_of_a_manifest_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".guild")).unwrap();
        let text = "s ./train.py da81 src/train.py\nx a b c\ni a b c\nd 'a\n b' - file:'a b' in/it\ns /etc/passwd a b\n\
                    d ../x a b\ns\ns 'a b c";
        fs::write(dir.path().join(".guild/manifest"), text).unwrap();
        let found = manifest(dir.path());
        let found: Vec<String> = found.iter().map(|entry| format!("{:?} {:?}", entry.kind, entry.path)).collect();
        assert_eq!(found, ["SourceCode \"train.py\"", "Dependency \"a\\n b\""]);
    }

    #[test]
    fn files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path();
        for file in [".guild/attrs/id", ".guild/sourcecode/a.py", "lib/b.py", "data/x/1", "out/gen.txt", "lib/cache"] {
            fs::create_dir_all(run.join(file).parent().unwrap()).unwrap();
            fs::write(run.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(".", run.join("out/loop")).unwrap();
        fs::write(run.join(".guild/manifest"), "s lib/b.py 12 lib/b.py\nd data - file:data\n").unwrap();
        let listed = |walk| {
            let found = files(run, walk).unwrap().into_iter();
            found.map(|file| format!("{} {:?}", file.path.display(), file.kind)).collect::<Vec<_>>()
        };
        let expected = [
            ".guild/sourcecode Sourcecode",
            ".guild/sourcecode/a.py Sourcecode",
            "data Dependency",
            "data/x Dependency",
            "data/x/1 Dependency",
            "lib Sourcecode",
            "lib/b.py Sourcecode",
            "lib/cache Generated",
            "out Generated",
            "out/gen.txt Generated",
            "out/loop Generated",
        ];
        assert_eq!(listed(Walk::default()), expected);
        let all = listed(Walk { metadata: true, follow_links: true });
        assert!(all.contains(&".guild/attrs/id Metadata".to_owned()), "{all:?}");
        assert_eq!(all.len(), expected.len() + 4, "a link to where it is in ends: {all:?}");
    }
}
