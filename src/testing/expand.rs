//! From what the user gives to single references: folders and globs become the files in them.

use std::fs;
use std::path::Path;

use globset::GlobBuilder;

/// One reference, with what it was given as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// What the user gave.
    pub(super) given: String,
    /// The path.
    pub(super) path: String,
    /// What picks tests in the file: `path.py:pattern`.
    pub(super) pattern: Option<String>,
    /// The user named a folder or a glob, not this file.
    pub(super) is_expanded: bool,
}

impl Reference {
    /// Returns whether it is a Python file by its name.
    pub(super) fn is_python(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "py")
    }

    /// Returns the node of pytest's that it names: `path.py::Class::test`.
    pub(super) fn node(&self) -> Option<&str> {
        self.pattern.as_ref()?.strip_prefix(':')
    }
}

/// Folders with what others made, and no tests.
const PASSED_OVER: [&str; 2] = ["__pycache__", "node_modules"];

/// Returns the references that one is, sorted within each folder.
pub(super) fn expand(given: &str, folder: &Path) -> Vec<Reference> {
    let reference = |path: String, pattern: Option<&str>, is_expanded: bool| Reference {
        given: given.to_owned(),
        path,
        pattern: pattern.map(str::to_owned),
        is_expanded,
    };
    let is_there = |path: &str| !path.is_empty() && folder.join(path).exists();
    let (path, pattern) = match is_there(given) {
        true => (given, None),
        false => split(given, &is_there),
    };
    let mut found = Vec::new();
    if is_there(path) {
        return match folder.join(path).is_dir() {
            true => {
                walk(folder, path, 0, &mut found);
                found.into_iter().map(|path| reference(path, pattern, true)).collect()
            }
            false => vec![reference(path.to_owned(), pattern, false)],
        };
    }
    for path in glob(path, folder) {
        match folder.join(&path).is_dir() {
            true => walk(folder, &path, 0, &mut found),
            false => found.push(path),
        }
    }
    match found.is_empty() {
        true => vec![reference(path.to_owned(), pattern, false)],
        false => found.into_iter().map(|path| reference(path, pattern, true)).collect(),
    }
}

/// Parts `path.py:pattern`. The pattern may hold colons, and the path, too: the shortest path that is there is taken.
fn split<'a>(given: &'a str, is_there: &dyn Fn(&str) -> bool) -> (&'a str, Option<&'a str>) {
    let colons = given.match_indices(':').map(|(at, _)| (&given[..at], &given[at + 1..]));
    let mut parted = colons.filter(|(_, pattern)| !pattern.is_empty());
    if let Some((path, pattern)) = parted.clone().find(|(path, _)| is_there(path)) {
        return (path, Some(pattern));
    }
    match parted.find(|(path, _)| Path::new(path).extension().is_some_and(|extension| extension == "py")) {
        Some((path, pattern)) => (path, Some(pattern)),
        None => (given, None),
    }
}

/// How deep folders are walked; a link to a folder above would have no end.
const MAX_DEPTH: usize = 64;

/// Adds the files below a folder: those in it first, then those of its folders. Hidden ones are left out, and the data
/// of tests, `FILE.data` beside `FILE`.
fn walk(root: &Path, path: &str, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(path)) else { return };
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    let inside = |name: &String| if path.ends_with('/') { format!("{path}{name}") } else { format!("{path}/{name}") };
    let is_data =
        |name: &String| name.strip_suffix(".data").is_some_and(|owner| names.iter().any(|name| name == owner));
    let (folders, files): (Vec<&String>, Vec<&String>) =
        names.iter().partition(|name| root.join(inside(name)).is_dir());
    found.extend(files.into_iter().map(inside));
    if depth == MAX_DEPTH {
        return;
    }
    for name in folders {
        let is_link = root.join(inside(name)).is_symlink();
        if !is_link && !PASSED_OVER.contains(&name.as_str()) && !is_data(name) {
            walk(root, &inside(name), depth + 1, found);
        }
    }
}

/// Returns the paths that a glob stands for, sorted. What is no glob stands for nothing.
pub(super) fn glob(pattern: &str, folder: &Path) -> Vec<String> {
    let is_meta = |part: &str| part.contains(['*', '?', '[', '{']);
    if !is_meta(pattern) {
        return Vec::new();
    }
    let Ok(matcher) = GlobBuilder::new(pattern).literal_separator(true).build().map(|glob| glob.compile_matcher())
    else {
        return Vec::new();
    };
    let fixed: Vec<&str> = pattern.split('/').take_while(|part| !is_meta(part)).collect();
    let base = fixed.join("/");
    let base = if base.is_empty() && pattern.starts_with('/') { "/".to_owned() } else { base };
    let depth = if pattern.contains("**") { MAX_DEPTH } else { pattern.split('/').count() - fixed.len() - 1 };
    let shows_hidden = pattern.split('/').any(|part| part.starts_with('.') && is_meta(part));
    let mut found = Vec::new();
    list(folder, &base, depth, shows_hidden, &mut |path| {
        if matcher.is_match(path) {
            found.push(path.to_owned());
        }
    });
    found.sort();
    found
}

/// Calls `take` with every path below a folder, so many folders deep.
fn list(root: &Path, path: &str, depth: usize, shows_hidden: bool, take: &mut dyn FnMut(&str)) {
    let Ok(entries) = fs::read_dir(root.join(path)) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') && !shows_hidden {
            continue;
        }
        let inside = match path {
            "" => name,
            path if path.ends_with('/') => format!("{path}{name}"),
            path => format!("{path}/{name}"),
        };
        take(&inside);
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(root, &inside, depth - 1, shows_hidden, take);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::expand;

    #[test]
    fn folders_globs_and_patterns_become_references() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "b.sh",
            "a.py",
            "a.py.data/x.sh",
            ".hidden/x.sh",
            ".dot.sh",
            "sub/c.sh",
            "sub/deep/d.sh",
            "sub/.x",
            "odd:name.py",
            "__pycache__/a.py",
            "alone.data/y.sh",
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("..", folder.path().join("sub/up")).unwrap();
        let shown = |given: &str| {
            let one = |found: super::Reference| {
                let pattern = found.pattern.map_or_else(String::new, |pattern| format!("~{pattern}"));
                let mark = if found.is_expanded { "" } else { "!" };
                format!("{mark}{}{pattern}", found.path)
            };
            expand(given, folder.path()).into_iter().map(one).collect::<Vec<_>>().join(" ")
        };
        let cases = [
            ("a.py", "!a.py"),
            ("./a.py", "!./a.py"),
            ("none", "!none"),
            ("", "!"),
            (".", "./a.py ./b.sh ./odd:name.py ./alone.data/y.sh ./sub/c.sh ./sub/deep/d.sh"),
            ("sub", "sub/c.sh sub/deep/d.sh"),
            ("sub/", "sub/c.sh sub/deep/d.sh"),
            ("*.sh", "b.sh"),
            ("**/*.sh", "a.py.data/x.sh alone.data/y.sh b.sh sub/c.sh sub/deep/d.sh"),
            ("s?b", "sub/c.sh sub/deep/d.sh"),
            ("sub/{c,e}.sh", "sub/c.sh"),
            ("*.none", "!*.none"),
            ("a.py:T.test", "!a.py~T.test"),
            ("a.py:T.(?:a|b)", "!a.py~T.(?:a|b)"),
            ("odd:name.py", "!odd:name.py"),
            ("odd:name.py:T", "!odd:name.py~T"),
            ("*.py:T", "a.py~T odd:name.py~T"),
            ("none.py:T", "!none.py~T"),
            ("a.py:", "!a.py:"),
        ];
        for (given, expected) in cases {
            assert_eq!(shown(given), expected, "{given}");
        }
        let absolute = format!("{}/sub", folder.path().display());
        assert_eq!(expand(&absolute, std::path::Path::new("/")).len(), 2);
        assert_eq!(expand(&format!("{absolute}/*.sh"), std::path::Path::new("/")).len(), 1);
    }
}
