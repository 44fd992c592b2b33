//! Looks through a project for the files that the rules take.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::rules::{Decision, RuleId, Rules};
use super::{Chosen, GitFiles, MOST_FILES};
use crate::operation::Notice;

/// What a user can do about files that are left out.
const WHAT_TO_DO: &str = "To control which files are copied, define 'sourcecode' for the operation.";

/// What to look through, and how.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Path,
    pub(super) rules: &'a Rules,
    pub(super) git: Option<&'a GitFiles>,
    /// Relative to the root, as the script.
    pub(super) dependencies: &'a [PathBuf],
    pub(super) script: Option<&'a Path>,
    pub(super) explain: bool,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) selected: Vec<Chosen>,
    pub(super) skipped: Vec<Chosen>,
    /// Links to folders of which files are taken: where they stand, and where the folder is.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    pub(super) notices: Vec<Notice>,
    /// Where folders were looked through, by device and inode.
    folders: HashMap<(u64, u64), PathBuf>,
    /// Links to folders that are still to be looked at, and whether their files are told by the version control.
    pending: VecDeque<(bool, PathBuf)>,
    /// How many files a rule has taken that takes only the first ones.
    limited: usize,
    is_over: bool,
}

/// Looks through the project. What cannot be read is told and left out.
pub(super) fn walk(walk: &Walk<'_>) -> Found {
    let mut found = Found::default();
    match walk.git {
        Some(git) if walk.rules.are_closed() && !walk.explain => walk.listed(git, &mut found),
        _ => walk.folder(Path::new(""), false, &mut found),
    }
    walk.linked(&mut found);
    // A script that was left out is a run that cannot be.
    if let Some(script) = walk.script
        && !found.selected.iter().any(|chosen| chosen.path == script)
        && walk.root.join(script).is_file()
    {
        found.skipped.retain(|chosen| chosen.path != script);
        found.selected.push(Chosen { path: script.to_owned(), is_dir: false, rule: Some(RuleId::Script) });
    }
    found
}

impl Walk<'_> {
    /// Takes what the version control lists, without looking for anything else.
    fn listed(&self, git: &GitFiles, found: &mut Found) {
        let mut barred: HashMap<PathBuf, bool> = HashMap::new();
        let files: BTreeSet<&PathBuf> = git.files.iter().collect();
        for file in files {
            if self.is_barred(file.parent().unwrap_or(Path::new("")), &mut barred) {
                continue;
            }
            let Some(metadata) = self.look(file) else { continue };
            if metadata.is_dir() {
                let path: PathBuf = file.components().collect();
                match self.rules.bars(self.root, &path, false) {
                    Some(_) => {}
                    None if is_link(&self.root.join(&path)) => found.pending.push_back((true, path)),
                    None => self.folder(&path, true, found),
                }
            } else {
                self.file(file, &metadata, false, found);
            }
        }
    }

    fn is_barred(&self, folder: &Path, known: &mut HashMap<PathBuf, bool>) -> bool {
        if folder.as_os_str().is_empty() {
            return false;
        }
        if let Some(known) = known.get(folder) {
            return *known;
        }
        let above = self.is_barred(folder.parent().unwrap_or(Path::new("")), known);
        let is_barred = above || self.rules.bars(self.root, folder, false).is_some();
        known.insert(folder.to_owned(), is_barred);
        is_barred
    }

    /// Looks through a folder: its files first, then the folders in it, each by name. `adopted` is for folders that the
    /// version control knows by their name only. Links to folders are left for later.
    fn folder(&self, folder: &Path, adopted: bool, found: &mut Found) {
        let absolute = self.root.join(folder);
        let names = match read_sorted(&absolute) {
            Ok(entries) => entries,
            Err(error) => return found.warn(&absolute, &error),
        };
        let Ok(own) = fs::metadata(&absolute) else { return };
        found.folders.entry((own.dev(), own.ino())).or_insert_with(|| folder.to_owned());
        let mut folders = Vec::new();
        for entry in names {
            let path = folder.join(entry.file_name());
            let Some(metadata) = self.look(&path) else { continue };
            if metadata.is_dir() {
                // The version control lists a link, and a repository in this one, by its name only.
                folders.push((adopted || self.rules.lists(&path), path));
            } else {
                self.file(&path, &metadata, adopted, found);
                if self.has_enough(found) {
                    return;
                }
            }
        }
        for (adopted, path) in folders {
            match self.rules.bars(self.root, &path, adopted) {
                Some(rule) => self.skip(path, true, Some(rule), found),
                None if is_link(&self.root.join(&path)) => found.pending.push_back((adopted, path)),
                None => self.folder(&path, adopted, found),
            }
            if self.has_enough(found) {
                return;
            }
        }
    }

    /// Goes through the links to folders. Each real folder is copied once, so that links make no circle and folders that link
    /// to each other are no more than they are: a link to a folder that is copied already stays a link. One to a folder of
    /// which nothing was taken where it really is, is followed once, since rules may name its files by way of the link.
    fn linked(&self, found: &mut Found) {
        let mut followed = HashSet::new();
        while let Some((adopted, path)) = found.pending.pop_front() {
            if self.has_enough(found) {
                return;
            }
            let Ok(real) = fs::metadata(self.root.join(&path)) else { continue };
            let real = (real.dev(), real.ino());
            match found.folders.get(&real).cloned().or_else(|| self.real_place(&path)) {
                // It leads to where it is itself.
                Some(place) if path.starts_with(&place) => {}
                Some(place) if found.selected.iter().any(|chosen| chosen.path.starts_with(&place)) => {
                    found.links.push((path, place));
                }
                _ if followed.insert(real) => {
                    let count = found.selected.len();
                    self.folder(&path, adopted, found);
                    if found.selected.len() > count {
                        found.folders.insert(real, path);
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns where a folder of the project really is, relative to the root; `None` for one outside of it.
    fn real_place(&self, path: &Path) -> Option<PathBuf> {
        let root = fs::canonicalize(self.root).ok()?;
        fs::canonicalize(self.root.join(path)).ok()?.strip_prefix(root).ok().map(Path::to_owned)
    }

    /// Returns whether nothing that is still to come can be taken.
    fn has_enough(&self, found: &Found) -> bool {
        found.is_over && self.git.is_none() && !self.explain && !self.rules.has_user_includes()
    }

    /// Returns what is at a path, links followed; `None` for a broken link, and for what is neither file nor folder.
    fn look(&self, path: &Path) -> Option<Metadata> {
        let metadata = fs::metadata(self.root.join(path)).ok()?;
        (metadata.is_file() || metadata.is_dir()).then_some(metadata)
    }

    fn file(&self, path: &Path, metadata: &Metadata, adopted: bool, found: &mut Found) {
        if self.dependencies.iter().any(|dependency| path.starts_with(dependency)) {
            return self.skip(path.to_owned(), false, Some(RuleId::Dependency), found);
        }
        let decision = match self.rules.decide(self.root, path, metadata.len(), adopted) {
            Ok(decision) => decision,
            Err(error) => return found.warn(&self.root.join(path), &error),
        };
        match decision {
            Decision::By(true, rule) => {
                if self.rules.rule(rule).is_some_and(|rule| rule.limited) {
                    if found.limited >= MOST_FILES {
                        found.limit_reached();
                        return self.skip(path.to_owned(), false, Some(rule), found);
                    }
                    found.limited += 1;
                }
                found.selected.push(Chosen { path: path.to_owned(), is_dir: false, rule: Some(rule) });
            }
            Decision::By(false, rule) => self.skip(path.to_owned(), false, Some(rule), found),
            Decision::TooBig(rule) => {
                found.notices.push(Notice::Warning(format!(
                    "Skipping source code file {} because it's too big. {WHAT_TO_DO}",
                    path.display()
                )));
                self.skip(path.to_owned(), false, Some(rule), found);
            }
            Decision::None => self.skip(path.to_owned(), false, None, found),
        }
    }

    fn skip(&self, path: PathBuf, is_dir: bool, rule: Option<RuleId>, found: &mut Found) {
        if self.explain {
            found.skipped.push(Chosen { path, is_dir, rule });
        }
    }
}

impl Found {
    fn limit_reached(&mut self) {
        if !self.is_over {
            self.notices.push(Notice::Warning(format!(
                "Found more than {MOST_FILES} source code files but will only copy {MOST_FILES} as a safety measure. \
                 {WHAT_TO_DO}"
            )));
        }
        self.is_over = true;
    }

    fn warn(&mut self, path: &Path, error: &io::Error) {
        self.notices.push(Notice::Warning(format!(
            "cannot read {}: {error}; it is left out of the source code",
            path.display()
        )));
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn read_sorted(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries: Vec<DirEntry> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}
