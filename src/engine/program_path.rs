//! Programs on the `PATH`: whether one is there, and which one somebody may have meant.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use crate::model::nearest;

/// So many bytes of a `PATH` are shown.
const SHOWN: usize = 300;

/// Returns the first program of this name in the folders of `path`.
pub(crate) fn on_path(program: &str, path: &OsStr) -> Option<PathBuf> {
    folders(path).map(|folder| folder.join(program)).find(|program| program.is_file())
}

/// Says that there is no such program on this `path`, and which one is like it.
pub(crate) fn not_on_path(program: &str, path: Option<&OsStr>) -> String {
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return "no program of that name, since PATH is not set".to_owned();
    };
    let text = path.to_string_lossy();
    let short = &text[..text.floor_char_boundary(SHOWN)];
    let more = if short.len() < text.len() { "…" } else { "" };
    let mut names: Vec<String> = folders(path)
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten())
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let near = nearest(program, names.iter().map(String::as_str));
    let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    format!("no program of that name on the PATH ({short}{more}){hint}")
}

fn folders(path: &OsStr) -> impl Iterator<Item = PathBuf> + '_ {
    std::env::split_paths(path).filter(|folder| !folder.as_os_str().is_empty())
}
