//! A file that somebody may have meant.

use std::fs;
use std::path::Path;

use crate::model::nearest;

/// Returns the path of the file whose name is most like the one of `given`, in the same folder.
pub(crate) fn near_file(given: &Path) -> Option<String> {
    let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let near = nearest(given.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(given.with_file_name(near).display().to_string())
}
