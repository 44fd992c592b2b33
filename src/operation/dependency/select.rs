//! Which paths inside a folder, an archive or a run a source takes.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use regex::bytes::Regex;

use super::rename::compile;
use super::{Outcome, Problem};
use crate::operation::Source;

/// Returns whether a source takes only some paths.
pub(super) fn has_select(source: &Source) -> bool {
    !source.select.is_empty() || source.select_min.is_some() || source.select_max.is_some()
}

/// Returns the paths below `folder`, absolute and sorted, that a source selects. What Guild and Rille keep for themselves is
/// only looked at by a pattern that names it.
pub(super) fn select(source: &Source, folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut all = Vec::new();
    collect(folder, Path::new(""), &mut all).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let mut chosen: Vec<&PathBuf> = Vec::new();
    for pattern in &source.select {
        let regex = whole(pattern)?;
        chosen.extend(candidates(&all, pattern).filter(|path| regex.is_match(path.as_os_str().as_bytes())));
    }
    let bounds = [(&source.select_min, 1.0), (&source.select_max, -1.0)];
    for (pattern, sign) in bounds.into_iter().filter_map(|(pattern, sign)| Some((pattern.as_ref()?, sign))) {
        let regex = whole(pattern)?;
        if regex.captures_len() < 2 {
            return Err(format!("the pattern '{pattern}' has no group whose number could be compared").into());
        }
        let number = |path: &PathBuf| -> Option<f64> {
            let group = regex.captures(path.as_os_str().as_bytes())?.get(1)?.as_bytes().to_owned();
            let number: f64 = String::from_utf8(group).ok()?.trim().parse().ok()?;
            (!number.is_nan()).then_some(number * sign)
        };
        let numbers = candidates(&all, pattern).filter_map(|path| Some((number(path)?, path)));
        chosen.extend(numbers.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, path)| path));
    }
    chosen.sort();
    chosen.dedup();
    Ok(chosen.into_iter().map(|path| folder.join(path)).collect())
}

/// Returns the names in a folder, absolute and sorted, but not Guild's own.
pub(super) fn top_level(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_name().as_bytes().starts_with(b".guild") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    };
    list().map_err(|error| Problem::from(format!("cannot list {}: {error}", folder.display())))
}

fn candidates<'a>(all: &'a [PathBuf], pattern: &str) -> impl Iterator<Item = &'a PathBuf> {
    let names_own = pattern.contains("guild");
    all.iter().filter(move |path| names_own || !path.starts_with(".guild"))
}

fn whole(pattern: &str) -> Outcome<Regex> {
    // In a group of its own, or `a|b` would be bound to one end only.
    Ok(compile(&format!("^(?:{pattern})$")).map_err(|what| format!("the pattern '{pattern}' is wrong: {what}"))?)
}

/// Collects all paths below a folder. Links are not followed.
fn collect(root: &Path, below: &Path, all: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        all.push(path.clone());
        if entry.file_type()?.is_dir() {
            collect(root, &path, all)?;
        }
    }
    if below.as_os_str().is_empty() {
        all.sort();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(select: &str) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        for name in ["m-10.txt", "m-2.txt", "m-x.txt", "sub/m-3.txt", ".guild/attrs/id", "a\nb"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let source: Source = serde_json::from_str(&format!(r#"{{"file": "x", {select}}}"#)).unwrap();
        let paths = super::select(&source, dir.path()).map_err(|problem| problem.reason)?;
        let shown = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
        Ok(paths.iter().map(shown).collect())
    }

    #[test]
    fn paths_must_match_whole() {
        let cases: [(&str, &[&str]); 9] = [
            (r#""select": ["m-10"]"#, &[]),
            (r#""select": ["m-\\d+.txt"]"#, &["m-10.txt", "m-2.txt"]),
            (r#""select": ["m-10.txt|m-2.txt"]"#, &["m-10.txt", "m-2.txt"]),
            (r#""select": ["sub"]"#, &["sub"]),
            (r#""select": [".*/m.*", "m-2.*"]"#, &["m-2.txt", "sub/m-3.txt"]),
            (r#""select": ["\\.guild/attrs/id"]"#, &[".guild/attrs/id"]),
            (r#""select-min": "m-(.+)\\.txt""#, &["m-2.txt"]),
            (r#""select-max": "m-(.+)\\.txt""#, &["m-10.txt"]),
            (r#""select-max": "z-(.+)""#, &[]),
        ];
        for (select, expected) in cases {
            assert_eq!(check(select).unwrap(), expected, "{select}");
        }
        assert!(!check(r#""select": [".*id"]"#).unwrap().contains(&".guild/attrs/id".to_owned()));
    }

    #[test]
    fn wrong_patterns_are_named() {
        assert_eq!(check(r#""select": ["("]"#).unwrap_err(), "the pattern '(' is wrong: unclosed group");
        let no_group = "the pattern 'm.*' has no group whose number could be compared";
        assert_eq!(check(r#""select-min": "m.*""#).unwrap_err(), no_group);
    }
}
