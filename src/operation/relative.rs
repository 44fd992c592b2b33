//! Paths seen from somewhere else, and paths without dots.

use std::path::{Component, Path, PathBuf};

/// Returns `path` as seen from the folder `from`; both absolute. Nothing is looked up on disk.
pub(super) fn relative_to(path: &Path, from: &Path) -> PathBuf {
    let (path, from) = (normal(path), normal(from));
    let common = path.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    let down = path.components().skip(common);
    let relative: PathBuf = up.chain(down).collect();
    if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative }
}

/// Returns the path without `.` and with `..` taken back, as it is written and not as links would have it.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                let last = normal.components().next_back();
                match last {
                    Some(Component::Normal(_)) => {
                        normal.pop();
                    }
                    Some(Component::RootDir) => {}
                    _ => normal.push(component),
                }
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_seen_from_a_folder() {
        let cases = [
            ("/a/b/c", "/a/b", "c"),
            ("/a/b", "/a/b", "."),
            ("/a/x/y", "/a/b/c", "../../x/y"),
            ("/x", "/a", "../x"),
            ("/a/./b/../c", "/a/", "c"),
            ("/../a", "/", "a"),
        ];
        for (path, from, expected) in cases {
            assert_eq!(relative_to(Path::new(path), Path::new(from)), Path::new(expected), "{path} from {from}");
        }
        assert_eq!(normal(Path::new("../a/../../b")), Path::new("../../b"));
    }

    proptest! {
        #[test]
        fn the_way_leads_back(path in "(/[ab.]{1,2}){0,4}", from in "(/[ab.]{1,2}){0,4}") {
            let (path, from) = (Path::new("/").join(path.trim_start_matches('/')), Path::new("/").join(from.trim_start_matches('/')));
            prop_assert_eq!(normal(&normal(&from).join(relative_to(&path, &from))), normal(&path));
        }
    }
}
