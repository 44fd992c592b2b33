//! Keeps what is written for a run inside its run directory: links on the way are refused.

use std::fs;
use std::io;
use std::path::Path;

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

    use std::path::Path;

    use crate::model::is_inside;
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
