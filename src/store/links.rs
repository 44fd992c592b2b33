//! Which links a run may bring along that comes from elsewhere: those that lead to something in the folder of runs, which
//! holds wherever it is. They are judged by what they say, which other links cannot change, and by what is there.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::confined::is_outside;
use super::list::is_hidden;
use crate::model::{clean_path, link_stays};

/// Places of a run directory, it and below it, that Rille and Guild write to: a link there would have them write elsewhere.
const NEVER_LINKS: [&str; 6] = ["", ".guild", ".guild/*", ".guild/attrs/*", "tasks", "job.log"];

/// Why a link is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkRefused {
    /// It leads nowhere.
    #[error("is a link to nothing")]
    ToNothing,
    /// What is written there would be written elsewhere.
    #[error("is a link in the place of metadata")]
    InMetadata,
    /// It leads out of the folder of runs, to this.
    #[error("is a link that leads out of it, to {}", .0.display())]
    LeadsOut(PathBuf),
}

/// The folder of runs that links are to stay in.
pub(super) struct Links {
    runs: File,
}

impl Links {
    /// Judges links that are to be in this folder of runs.
    pub(super) fn among(runs: &Path) -> io::Result<Links> {
        Ok(Links { runs: File::open(runs)? })
    }

    /// Fails if a link at `path`, which begins with the id of its run, is refused.
    pub(super) fn judge(&self, path: &Path, leads_to: &Path) -> Result<(), LinkRefused> {
        Links::check(path, leads_to)?;
        let target = target(path, leads_to).unwrap_or_default();
        let is_other = target.components().next() != path.components().next();
        // What the run itself brings along is not there yet, and was judged.
        if is_other && is_outside(self.runs.as_fd(), &target).unwrap_or(true) {
            return Err(LinkRefused::LeadsOut(leads_to.to_owned()));
        }
        Ok(())
    }

    /// The same without a look at what is there.
    pub(super) fn check(path: &Path, leads_to: &Path) -> Result<(), LinkRefused> {
        if leads_to.as_os_str().is_empty() {
            return Err(LinkRefused::ToNothing);
        }
        let below: PathBuf = path.components().skip(1).collect();
        if is_never_link(&below) {
            return Err(LinkRefused::InMetadata);
        }
        if !link_stays(path, leads_to) || target(path, leads_to).is_none() {
            return Err(LinkRefused::LeadsOut(leads_to.to_owned()));
        }
        Ok(())
    }
}

/// Returns whether a link at `path`, which begins with the id of its run, leads to something in the folder of runs.
pub(super) fn stays_among_runs(path: &Path, leads_to: &Path) -> bool {
    Links::check(path, leads_to).is_ok()
}

/// Returns where a link leads, seen from the folder of runs; `None` for that itself, and what is hidden in it.
fn target(path: &Path, leads_to: &Path) -> Option<PathBuf> {
    let from = path.parent().unwrap_or(Path::new(""));
    let target = clean_path(&from.join(leads_to))?;
    let first = target.components().next()?;
    (!is_hidden(&first.as_os_str().to_string_lossy())).then_some(target)
}

fn is_never_link(below: &Path) -> bool {
    NEVER_LINKS.iter().any(|place| match place.strip_suffix("/*") {
        Some(folder) => below.parent() == Some(Path::new(folder)),
        None => below == Path::new(place),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_between_runs_stay_and_others_do_not() {
        let cases = [
            ("ab/x", "../cd/x", true),
            ("ab/sub/x", "../../cd", true),
            ("ab/sub/x", "..", true),
            ("ab/x", "y", true),
            ("ab/.guild/sourcecode/x", "y", true),
            ("ab/x", "../../cache/x", false),
            ("ab/x", "/etc/passwd", false),
            ("ab/x", "..", false),
            ("ab/x", "../.new/cd", false),
            ("ab/x", "y/../../cd", false),
            ("ab/x", "", false),
            ("ab", "cd", false),
            ("ab/.guild", "x", false),
            ("ab/.guild/attrs", "../x", false),
            ("ab/.guild/attrs/label", "../../x", false),
            ("ab/.guild/output", "../x", false),
            ("ab/tasks", "../cd/tasks", false),
        ];
        for (path, leads_to, expected) in cases {
            assert_eq!(stays_among_runs(Path::new(path), Path::new(leads_to)), expected, "{path} -> {leads_to}");
        }
    }

    #[test]
    fn a_link_through_a_run_that_is_there_is_followed() {
        let runs = tempfile::tempdir().unwrap();
        fs::create_dir(runs.path().join("cd")).unwrap();
        symlink("/etc", runs.path().join("cd/data")).unwrap();
        symlink("sub", runs.path().join("cd/in")).unwrap();
        let links = Links::among(runs.path()).unwrap();
        let judge = |leads_to: &str| links.judge(Path::new("ab/x"), Path::new(leads_to)).is_ok();
        assert!(judge("../cd/in/x") && judge("../ef") && judge("y"));
        assert!(!judge("../cd/data") && !judge("../cd/data/passwd"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Whatever links are made beside one another, none that is let through leads out.
        #[test]
        fn no_chain_of_links_leads_out(
            entries in prop::collection::vec(("(ab|cd)(/[abl]){1,4}", "((\\.\\.|\\.|[abcdl]{1,2})/){0,5}(\\.\\.|[abl])"), 1..14),
        ) {
            let top = tempfile::tempdir().unwrap();
            let runs = top.path().join("up/runs");
            fs::create_dir_all(&runs).unwrap();
            for (path, leads_to) in &entries {
                let (path, leads_to) = (Path::new(path), Path::new(leads_to));
                if !stays_among_runs(path, leads_to) {
                    continue;
                }
                let mut confined = super::super::confined::Confined::open(&runs).unwrap();
                let _ = confined.link(path, leads_to);
            }
            let root = runs.canonicalize().unwrap();
            let mut open = vec![runs];
            while let Some(path) = open.pop() {
                if let Ok(real) = path.canonicalize() {
                    prop_assert!(real.starts_with(&root), "{} leads to {}", path.display(), real.display());
                }
                if path.symlink_metadata().unwrap().is_dir() {
                    open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
            }
        }
    }
}
