//! Where an imported module is: a file `name.py`, or a folder `name` with `__init__.py`.

use std::path::{Path, PathBuf};

use super::source::Import;

/// Returns the file of a module that the file `importer` imports. Modules that are not relative are looked for beside the
/// importer and then in `folders`.
pub(super) fn locate(import: &Import, importer: &Path, folders: &[PathBuf]) -> Option<PathBuf> {
    let beside = importer.parent()?;
    match import.level {
        0 => std::iter::once(beside)
            .chain(folders.iter().map(PathBuf::as_path))
            .find_map(|folder| file(folder, &import.module)),
        level => {
            let mut folder = beside.to_owned();
            for _ in 1..level {
                folder = match folder.parent() {
                    Some(parent) if !folder.as_os_str().is_empty() => parent.to_owned(),
                    _ => folder.join(".."),
                };
            }
            file(&folder, &import.module)
        }
    }
}

/// Returns the file of a module below a folder.
fn file(folder: &Path, module: &[String]) -> Option<PathBuf> {
    let path = module.iter().fold(folder.to_owned(), |path, part| path.join(part));
    let package = path.join("__init__.py");
    if package.is_file() {
        return Some(package);
    }
    let file = path.with_extension("py");
    (!module.is_empty() && file.is_file()).then_some(file)
}
