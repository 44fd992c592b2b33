//! Relative paths that must not lead out of where they begin, as they are written; nothing is looked up on disk.

use std::path::{Component, Path, PathBuf};

/// Returns a relative path without `.` and `..`; `None` if it is absolute or leads out of where it starts.
pub(crate) fn clean_path(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Returns whether a relative path leads to somewhere below where it begins.
pub(crate) fn is_inside(path: &Path) -> bool {
    clean_path(path).is_some_and(|path| !path.as_os_str().is_empty())
}

/// Returns whether a link at `path`, whose parents are no links, leads to inside of where that path begins, told from its
/// text alone. It may go up only at its beginning, where it is known from what: behind a name, which may be a link itself,
/// nobody knows what `..` means. Links that are all such lead inside whatever they go through.
pub(crate) fn link_stays(path: &Path, leads_to: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    let mut is_down = false;
    for component in leads_to.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if depth > 0 && !is_down => depth -= 1,
            Component::Normal(_) => is_down = true,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_up_only_at_their_beginning() {
        let cases = [
            ("a", "b", true),
            ("d/a", "../b", true),
            ("d/a", "..", true),
            ("d/e/a", "../../b/c", true),
            ("d/e/a", "./.././x", true),
            ("a", "..", false),
            ("d/a", "../../b", false),
            ("d/a", "b/..", false),
            ("d/e/a", "b/../c", false),
            ("a", "/b", false),
        ];
        for (path, leads_to, expected) in cases {
            assert_eq!(link_stays(Path::new(path), Path::new(leads_to)), expected, "{path} -> {leads_to}");
        }
    }

    #[test]
    fn paths_stay_inside() {
        let cases = [
            ("a/../b", Some("b")),
            ("./a", Some("a")),
            ("..", None),
            ("a/../../b", None),
            ("/a", None),
            ("a/..", Some("")),
        ];
        for (path, expected) in cases {
            assert_eq!(clean_path(Path::new(path)), expected.map(PathBuf::from), "{path}");
            assert_eq!(is_inside(Path::new(path)), expected.is_some_and(|path| !path.is_empty()), "{path}");
        }
    }
}
