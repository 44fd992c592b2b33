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

#[cfg(test)]
mod tests {
    use super::*;

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
