//! What git knows of a project: its files, and the commit that it is at. Where there is no repository git is not started.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::{Asked, Query, QueryError};
use crate::operation::Notice;
use crate::operation::sourcecode::GitFiles;

/// How long git may take. It takes milliseconds, and minutes in a repository that nobody wants to wait for.
const LIMIT: Duration = Duration::from_mins(1);

/// Questions that git is working on.
pub(super) struct Asking {
    root: PathBuf,
    /// `None` where nobody needs the files.
    listed: Option<Asked>,
    status: Asked,
}

/// Asks git about the folder that source code is in, for its files where they are wanted; `None` outside of a repository.
pub(super) fn ask(root: &Path, for_files: bool) -> Option<Asking> {
    root.ancestors().find(|folder| folder.join(".git").exists())?;
    // Both at once: each takes a few milliseconds.
    let listed = for_files.then(|| query(root, &LIST));
    let status = query(root, &["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"]);
    Some(Asking { root: root.to_owned(), listed, status })
}

/// Asks for what git tracks or would track.
const LIST: [&str; 5] = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];

fn query(folder: &Path, args: &[&str]) -> Asked {
    let mut query = Query::new("git", args, folder);
    query.limit = LIMIT;
    // What is asked must not wait for others, nor write to the repository.
    query.env = vec![("GIT_OPTIONAL_LOCKS".into(), "0".into()), ("LC_ALL".into(), "C".into())];
    query.start()
}

impl Asking {
    /// Waits for the files that git tracks, or would track; they are told once.
    pub(super) fn files(
        &mut self,
        is_interrupted: &dyn Fn() -> bool,
        notify: &mut dyn FnMut(Notice),
    ) -> Option<GitFiles> {
        Some(files(&self.root, self.listed.take()?, is_interrupted, notify))
    }

    /// Waits for the commit: `git:` and its name, with a `*` where anything differs from it.
    pub(super) fn commit(self, is_interrupted: &dyn Fn() -> bool) -> Option<String> {
        let status = self.status.answer(is_interrupted).ok().filter(|answer| answer.failure().is_none());
        status.and_then(|answer| commit(&answer.stdout))
    }
}

fn files(root: &Path, listed: Asked, is_interrupted: &dyn Fn() -> bool, notify: &mut dyn FnMut(Notice)) -> GitFiles {
    let listed = match listed.answer(is_interrupted) {
        Ok(answer) => match answer.failure() {
            None => Ok(names(&answer.stdout)),
            Some(failure) => Err(failure),
        },
        Err(QueryError::NotFound) => Err("git is not installed".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match listed {
        Ok(files) => GitFiles { files: with_submodules(root, files, is_interrupted, notify) },
        Err(why) => {
            notify(Notice::Warning(format!(
                "git does not tell which files {} has ({why}): source code is chosen by .gitignore alone",
                root.display()
            )));
            GitFiles::by_rules(root)
        }
    }
}

/// Returns files with those of submodules, which git lists by the name of their folder alone. A repository that is only
/// beside the files of this one is listed with a slash, and stays what it is.
fn with_submodules(
    root: &Path,
    files: Vec<PathBuf>,
    is_interrupted: &dyn Fn() -> bool,
    notify: &mut dyn FnMut(Notice),
) -> Vec<PathBuf> {
    let is_submodule = |path: &PathBuf| {
        !path.as_os_str().as_bytes().ends_with(b"/") && root.join(path).join(".git").symlink_metadata().is_ok()
    };
    let mut all = Vec::with_capacity(files.len());
    for path in files {
        if !is_submodule(&path) || root.join(&path).is_symlink() {
            all.push(path);
            continue;
        }
        let folder = root.join(&path);
        let inner = self::files(&folder, query(&folder, &LIST), is_interrupted, notify).files;
        all.extend(inner.into_iter().map(|file| path.join(file)));
    }
    all
}

fn names(output: &[u8]) -> Vec<PathBuf> {
    let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut files: Vec<PathBuf> = names.map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name))).collect();
    // A file in a conflict is listed once for each side.
    files.dedup();
    files
}

/// Returns the commit that the second format of `git status` tells, with a `*` if it tells anything else.
fn commit(output: &[u8]) -> Option<String> {
    let mut commit = None;
    let mut is_dirty = false;
    for line in output.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        if let Some(header) = line.strip_prefix(b"# ") {
            if let Some(oid) = header.strip_prefix(b"branch.oid ").filter(|oid| *oid != b"(initial)") {
                commit = Some(String::from_utf8_lossy(oid).into_owned());
            }
        } else {
            is_dirty = true;
        }
    }
    commit.map(|commit| format!("git:{commit}{}", if is_dirty { "*" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_read() {
        let cases: [(&[u8], Option<&str>); 5] = [
            (b"# branch.oid 12ab\0# branch.head main\0", Some("git:12ab")),
            (b"# branch.oid 12ab\0# branch.head main\x001 .M N... 100644 100644 100644 a a x\0", Some("git:12ab*")),
            (b"# branch.oid 12ab\0? new\0", Some("git:12ab*")),
            (b"# branch.oid (initial)\0# branch.head main\0? new\0", None),
            (b"", None),
        ];
        for (output, expected) in cases {
            assert_eq!(commit(output).as_deref(), expected);
        }
        assert_eq!(names(b"a\0b c\0b c\0"), [PathBuf::from("a"), PathBuf::from("b c")]);
    }
}
