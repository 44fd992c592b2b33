//! From references to tests: what a user names is resolved to runnables, filtered, and multiplied by variants.
//!
//! Nothing here starts a process: an executable that prints recipes is run by a closure that the caller hands in.

mod expand;
mod expression;
mod hint;
mod lua_file;
mod mux;
mod pytest;
mod python;
mod quarantine;
mod resolution;
mod resolvers;
mod suite;
mod tags;
mod tap;
mod test_id;
mod variants;

use std::fs;
use std::path::Path;

use self::expand::{Reference, expand, glob};
use self::pytest::Pytest;
use self::python::Finder;
use self::resolvers::{Answer, Question, RESOLVERS};
use crate::model::nearest;

pub(crate) use self::expression::{Candidate, TestFilter};
pub(crate) use self::hint::Hint;
pub(crate) use self::mux::Tree as VariantTree;
pub(crate) use self::pytest::{Collected, PytestItem};
pub(crate) use self::quarantine::{Quarantine, Standing};
pub(crate) use self::resolution::{Found, Options, Resolution, Surroundings, Tried, Unresolved};
pub(crate) use self::resolvers::{JOBFILE_KIND, PYTEST as PYTEST_KIND};
pub(crate) use self::suite::{ExecutionOrder, FoundTest, Test, found_tests, suite};
pub(crate) use self::tags::TagFilter;
pub(crate) use self::tap::{
    HONOUR_EXIT as TAP_HONOUR_EXIT, READING as TAP_READING, Reading, Rules as TapRules, TapScan, TapVerdict,
};
pub(crate) use self::test_id::TestId;
pub(crate) use self::variants::{
    Choose, Parameters, Variant, VariantError, VariantFile, combined, every_combination, read_variants,
};

/// Resolves references in the order in which they are given. Folders and globs become the files in them; a reference of
/// which nothing was found is in the list as well, with what was tried. Without references those of the hint are taken.
pub(crate) fn resolve(references: &[String], options: &Options, surroundings: &Surroundings<'_>) -> Vec<Resolution> {
    let folder = surroundings.folder;
    let expanded: Vec<Reference> = match (&options.hint, references.is_empty()) {
        (Some(hint), true) => hint.patterns().flat_map(|pattern| hinted(pattern, folder)).collect(),
        _ => references.iter().flat_map(|given| expand_or_empty(given, folder)).collect(),
    };
    let mut folders = vec![folder.to_owned()];
    folders.extend(surroundings.python_path.iter().cloned());
    let finder = Finder::new(folders, surroundings.ask_python);
    let pytest = Pytest::new(pytest_roots(&expanded, folder, &finder), surroundings.ask_pytest);
    let known = Known { finder: &finder, pytest: &pytest };
    expanded.iter().flat_map(|reference| resolve_one(reference, options, surroundings, &known)).collect()
}

/// What is found out once for all references.
struct Known<'a> {
    finder: &'a Finder<'a>,
    pytest: &'a Pytest<'a>,
}

/// Returns the files and folders in which pytest is to look: as they were given, so that it chooses in a folder as its
/// settings say.
fn pytest_roots(expanded: &[Reference], folder: &Path, finder: &Finder<'_>) -> Vec<String> {
    let mut roots: Vec<String> = Vec::new();
    for reference in expanded {
        let is_meant = reference.is_python()
            && (reference.node().is_some()
                || finder.suits_pytest(&folder.join(&reference.path))
                || finder.is_named_for_pytest(&folder.join(&reference.path)));
        if !is_meant {
            continue;
        }
        let is_folder = reference.is_expanded && folder.join(&reference.given).is_dir();
        let root = if is_folder { &reference.given } else { &reference.path };
        if !roots.contains(root) {
            roots.push(root.clone());
        }
    }
    roots
}

/// Returns the references that one is. A folder without files is itself one, of which nothing will be found.
fn expand_or_empty(given: &str, folder: &Path) -> Vec<Reference> {
    let found = expand(given, folder);
    if !found.is_empty() {
        return found;
    }
    vec![Reference { given: given.to_owned(), path: given.to_owned(), pattern: None, is_expanded: false }]
}

/// Returns the files that a pattern of the hint stands for.
fn hinted(pattern: &str, folder: &Path) -> Vec<Reference> {
    let mut paths = glob(pattern, folder);
    if paths.is_empty() && folder.join(pattern).exists() {
        paths.push(pattern.to_owned());
    }
    let reference = |path: String| Reference { given: path.clone(), path, pattern: None, is_expanded: false };
    paths.into_iter().map(reference).collect()
}

fn resolve_one(
    reference: &Reference,
    options: &Options,
    surroundings: &Surroundings<'_>,
    known: &Known<'_>,
) -> Vec<Resolution> {
    let shown =
        reference.pattern.as_ref().map_or_else(|| reference.path.clone(), |p| format!("{}:{p}", reference.path));
    let resolution =
        |found: Found| Resolution { given: reference.given.clone(), reference: shown.clone(), found, remark: None };
    let path = surroundings.folder.join(&reference.path);
    let nothing =
        |tried: Vec<Tried>, near: Option<String>| vec![resolution(Found::Nothing(Unresolved { tried, near }))];
    let only = |reason: String| vec![Tried { resolver: "file", reason }];
    match fs::metadata(&path) {
        _ if reference.path.is_empty() => return nothing(only("it is empty".to_owned()), None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return nothing(only("there is no such file or folder".to_owned()), near(reference, surroundings.folder));
        }
        Err(error) => return nothing(only(format!("it cannot be looked at: {error}")), None),
        Ok(about) if about.is_dir() => return nothing(only("there are no files in it".to_owned()), None),
        Ok(about) if !about.is_file() => return nothing(only("it is no regular file".to_owned()), None),
        Ok(_) => {}
    }
    if let Some(runnable) = options.hint.as_ref().and_then(|hint| hint.runnable(&reference.path)) {
        return vec![resolution(Found::Tests { resolver: "hint", runnables: vec![runnable] })];
    }
    let Known { finder, pytest } = *known;
    let question = Question { reference, options, surroundings, finder, pytest };
    let mut tried = Vec::new();
    let mut found = Vec::new();
    for resolver in &RESOLVERS {
        if !found.is_empty() && !resolver.shares {
            continue;
        }
        match (resolver.ask)(&question) {
            Answer::Tests(runnables) => {
                found.push(resolution(Found::Tests { resolver: resolver.name, runnables }));
                if !resolver.shares {
                    break;
                }
            }
            Answer::Corrupt(reason) => {
                found.push(resolution(Found::Corrupt { resolver: resolver.name, reason }));
                break;
            }
            Answer::Not(reason) => tried.push(Tried { resolver: resolver.name, reason }),
        }
    }
    if found.is_empty() {
        found = nothing(tried, None);
    }
    // Pytest has looked.
    if reference.is_python() && found.iter().all(|resolution| resolution.resolver() != Some(resolvers::PYTEST)) {
        let remark = finder.unseen(&path);
        for resolution in &mut found {
            resolution.remark.clone_from(&remark);
        }
    }
    found
}

/// Returns the path that may have been meant by one that is not there.
fn near(reference: &Reference, folder: &Path) -> Option<String> {
    let path = Path::new(&reference.path);
    let parent = path.parent().unwrap_or(Path::new(""));
    let entries = fs::read_dir(folder.join(parent)).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let name = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    let near = path.with_file_name(name).display().to_string();
    Some(reference.pattern.as_ref().map_or_else(|| near.clone(), |pattern| format!("{near}:{pattern}")))
}
