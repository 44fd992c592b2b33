//! Keeps what is written for a run inside its run directory: paths that lead out, and links on the way, are refused.

use std::fs;
use std::io;
use std::path::{Component, Path};

/// Returns whether a relative path leads to somewhere below where it begins.
pub(super) fn is_inside(path: &Path) -> bool {
    let mut depth = 0_usize;
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    depth > 0
}

/// Makes the folders above `path`, which is relative to `root` and without dots. None of them may be a link: it would lead
/// somewhere else.
pub(super) fn make_parents(root: &Path, path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let mut folder = root.to_owned();
    for component in parent.components() {
        folder.push(component);
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let kind = fs::symlink_metadata(&folder)?.file_type();
                if !kind.is_dir() {
                    let what = if kind.is_symlink() { "a link" } else { "a file" };
                    return Err(io::Error::other(format!("{} is {what}, and no folder", folder.display())));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::operation::relative::normal;

    proptest! {
        #[test]
        fn what_is_inside_stays_inside(path in "(/?[a.]{1,2}){1,5}") {
            let path = Path::new(&path);
            let joined = normal(&Path::new("/run/here").join(path));
            if is_inside(path) {
                prop_assert!(joined.starts_with("/run/here") && joined != Path::new("/run/here"));
            }
        }
    }
}
