//! Which event files belong to a run, and under which prefix their scalars are.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How deep folders are looked into.
const DEPTH: usize = 64;

/// A file of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// The folder that it is in, relative to the run directory and without `.guild`.
    pub(crate) prefix: String,
}

/// Returns the event files of a run, in the order of their folders and names. A folder that is a symbolic link belongs to
/// the run if it is another run.
pub(crate) fn event_files(run: &Path) -> Vec<EventFile> {
    let mut walk = Walk { found: Vec::new(), seen: HashSet::new() };
    walk.folder(run, &mut Vec::new());
    walk.found.sort_by(|one, other| (&one.prefix, &one.path).cmp(&(&other.prefix, &other.path)));
    walk.found
}

struct Walk {
    found: Vec<EventFile>,
    /// Folders by device and number: runs may link to each other in a circle.
    seen: HashSet<(u64, u64)>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, names: &mut Vec<String>) {
        let Ok(meta) = folder.metadata() else { return };
        if names.len() > DEPTH || !self.seen.insert((meta.dev(), meta.ino())) {
            return;
        }
        // What cannot be read holds nothing that could be shown.
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut inner = Vec::new();
        for entry in entries.flatten() {
            let (Ok(kind), name) = (entry.file_type(), entry.file_name().to_string_lossy().into_owned()) else {
                continue;
            };
            let path = entry.path();
            if kind.is_dir() || (kind.is_symlink() && path.join(".guild/opref").exists()) {
                inner.push((name, path));
            } else if name.contains(".tfevents.") && path.is_file() {
                let shown: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != ".guild").collect();
                self.found.push(EventFile { path, prefix: shown.join("/") });
            }
        }
        // What a circle leaves out must not depend on the order in which the system lists names.
        inner.sort();
        for (name, path) in inner {
            names.push(name);
            self.folder(&path, names);
            names.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn linked_runs_belong_to_a_run_and_other_links_do_not() {
        let home = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for file in [
            "a/.guild/opref",
            "a/.guild/events.out.tfevents.1.h.1.0",
            "a/logs/train/events.out.tfevents.1.h.1.0",
            "a/logs/train/events.txt",
            "a/x.tfevents.y",
            "b/.guild/opref",
            "b/.guild/events.out.tfevents.2.h.2.0",
            "b/val/events.out.tfevents.2.h.2.0",
            "other/events.out.tfevents.3.h.3.0",
        ] {
            put(file);
        }
        symlink("../b", home.path().join("a/upstream")).unwrap();
        symlink("../a", home.path().join("b/back")).unwrap();
        symlink("../other", home.path().join("a/other")).unwrap();
        symlink("../missing", home.path().join("a/missing")).unwrap();
        let found: Vec<(String, String)> = event_files(&home.path().join("a"))
            .into_iter()
            .map(|file| (file.prefix, file.path.strip_prefix(home.path()).unwrap().display().to_string()))
            .collect();
        let expected = [
            ("", "a/.guild/events.out.tfevents.1.h.1.0"),
            ("", "a/x.tfevents.y"),
            ("logs/train", "a/logs/train/events.out.tfevents.1.h.1.0"),
            ("upstream", "a/upstream/.guild/events.out.tfevents.2.h.2.0"),
            ("upstream/val", "a/upstream/val/events.out.tfevents.2.h.2.0"),
        ];
        assert_eq!(found, expected.map(|(prefix, path)| (prefix.to_owned(), path.to_owned())));
    }
}
