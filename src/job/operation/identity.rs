//! What makes a run the same as another, and in what two runs differ.
//!
//! Two runs are the same if their operation (its command, environment, dependencies, scalars), the values of their flags,
//! their source code and what their dependencies were resolved to are. Where a definition stands, and what else stands in
//! its file, does not matter, and neither do labels and tags.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::model::EntryKind;
use crate::operation::python;
use crate::store::{self, RunDetails};

/// Keys of the attribute `op` that change nothing of what is run. Which runs its dependencies were told to take is seen by
/// what they took.
const IMMATERIAL: [&str; 4] = ["label-template", "delete-on-success", "output-attrs", "deps"];

/// The SHA-1 of no bytes. `rille run … | tee log.txt` has the shell make such a file in the project just before the run; it
/// says nothing of what is run, unless it makes a folder a package of Python.
const EMPTY: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// What makes a run the same as another: by what it is about, and by name, what it is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Identity {
    parts: BTreeMap<Part, String>,
}

/// A part of what a run is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The command, before flags are put in.
    Command,
    /// Something else that the definition says.
    Definition(String),
    /// The value of a flag.
    Flag(String),
    /// A file of the source code.
    Source(String),
    /// What a dependency was resolved to.
    Dependency(String),
    /// A variable of the environment that the definition sets.
    Environment(String),
}

/// In what a run differs from an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    part: Part,
    /// What it was; `None` where there was nothing.
    old: Option<String>,
    /// What it is; `None` where there is nothing.
    new: Option<String>,
}

impl Identity {
    /// Returns what makes the run in `directory` what it is. `definitions` are files of the project by which operations are
    /// defined: of these the definition is seen, and what else stands in them is not looked at.
    pub(super) fn of(directory: &Path, run: &RunDetails, definitions: &[PathBuf]) -> Identity {
        let mut parts = BTreeMap::new();
        let operation = run.attrs.get("op").and_then(Value::as_object);
        for (name, value) in operation.into_iter().flatten() {
            match (name.as_str(), value) {
                ("op-cmd", Value::Object(command)) => of_command(command, &mut parts),
                ("deps", Value::Array(deps)) => {
                    for dep in deps {
                        let name = dep.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                        let mut dep = dep.clone();
                        if let Some(fields) = dep.as_object_mut() {
                            fields.remove("config");
                        }
                        parts.insert(Part::Definition(format!("requires {name}")), dep.to_string());
                    }
                }
                (name, value) if !IMMATERIAL.contains(&name) && !is_empty(value) => {
                    parts.insert(Part::Definition(name.to_owned()), value.to_string());
                }
                _ => {}
            }
        }
        for (name, value) in &run.flags {
            parts.insert(Part::Flag(name.clone()), value.to_string());
        }
        of_files(directory, run, definitions, &mut parts);
        let deps = run.attrs.get("deps").and_then(Value::as_object).into_iter().flatten();
        for (resource, sources) in deps {
            for (name, source) in sources.as_object().into_iter().flatten() {
                let config = source.get("config").unwrap_or(&Value::Null);
                parts.insert(Part::Dependency(format!("{resource} {name}")), config.to_string());
            }
        }
        Identity { parts }
    }

    /// Returns in what this run differs from an earlier one, in the order of [`Part`].
    pub(super) fn differences(&self, earlier: &Identity) -> Vec<Difference> {
        let parts: BTreeSet<&Part> = self.parts.keys().chain(earlier.parts.keys()).collect();
        let differences = parts.into_iter().map(|part| Difference {
            part: part.clone(),
            old: earlier.parts.get(part).cloned(),
            new: self.parts.get(part).cloned(),
        });
        differences.filter(|difference| difference.old != difference.new).collect()
    }
}

/// Returns whether a value is as if nothing were said.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn of_command(command: &Map<String, Value>, parts: &mut BTreeMap<Part, String>) {
    for (name, value) in command {
        match (name.as_str(), value) {
            ("cmd-args", Value::Array(words)) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                parts.insert(Part::Command, crate::operation::join(&words));
            }
            ("cmd-env", Value::Object(variables)) => {
                for (name, value) in variables {
                    let value = match (name.as_str(), value.as_str()) {
                        ("PYTHONPATH", Some(paths)) => own_paths(paths),
                        (_, Some(text)) => text.to_owned(),
                        (_, None) => value.to_string(),
                    };
                    if name != "PYTHONPATH" || !value.is_empty() {
                        parts.insert(Part::Environment(name.clone()), value);
                    }
                }
            }
            (name, value) if !is_empty(value) => {
                parts.insert(Part::Definition(name.to_owned()), value.to_string());
            }
            _ => {}
        }
    }
}

/// Returns the folders of a recorded `PYTHONPATH` that are not of every run: those of the run, and the one of what runs
/// modules, which has another name with another version of this program.
fn own_paths(paths: &str) -> String {
    let is_own = |path: &&str| Path::new(path).is_absolute() && !path.contains("/cache/python/");
    python::paths(paths).filter(is_own).collect::<Vec<_>>().join(":")
}

/// Takes the files of a run: source code, where a definition has it count, and what dependencies brought. Where a
/// dependency came from does not matter: it may be a generated file.
fn of_files(directory: &Path, run: &RunDetails, definitions: &[PathBuf], parts: &mut BTreeMap<Part, String>) {
    let counts = run.attrs.get("sourcecode_digest").is_some_and(|digest| !digest.is_null());
    for entry in store::manifest(directory) {
        let path = entry.path.display().to_string();
        let sha1 = entry.sha1.unwrap_or_default();
        match entry.kind {
            EntryKind::SourceCode if sha1 == EMPTY && !is_python(&entry.path) => {}
            EntryKind::SourceCode if !counts || definitions.iter().any(|file| file.as_os_str() == entry.origin) => {}
            EntryKind::SourceCode => {
                parts.insert(Part::Source(Path::new(&entry.origin).display().to_string()), sha1);
            }
            EntryKind::Internal => {}
            EntryKind::Dependency => {
                parts.insert(Part::Dependency(format!("file {path}")), sha1);
            }
        }
    }
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// How much of a value is shown.
const MOST: usize = 200;

fn shown(value: &str) -> String {
    let text = value.escape_debug().to_string();
    let text = if text.contains('\\') && !value.contains(['\n', '\r']) { value.to_owned() } else { text };
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match &self.part {
            Part::Command => ("command", ""),
            Part::Definition(name) => ("definition", name.as_str()),
            Part::Flag(name) => ("flag", name.as_str()),
            Part::Source(name) => ("source file", name.as_str()),
            Part::Dependency(name) => ("dependency", name.as_str()),
            Part::Environment(name) => ("environment", name.as_str()),
        };
        write!(f, "{what}{}{name}: ", if name.is_empty() { "" } else { " " })?;
        let is_file = matches!(&self.part, Part::Source(_))
            || matches!(&self.part, Part::Dependency(name) if name.starts_with("file "));
        match (&self.old, &self.new) {
            (_, None) => f.write_str("it is gone"),
            (None, Some(_)) if is_file => f.write_str("it is new"),
            (Some(_), Some(_)) if is_file => f.write_str("it has changed"),
            (None, Some(new)) => write!(f, "{}, and was not there", shown(new)),
            (Some(old), Some(new)) => write!(f, "{}, was {}", shown(new), shown(old)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(parts: &[(Part, &str)]) -> Identity {
        Identity { parts: parts.iter().map(|(part, value)| (part.clone(), (*value).to_owned())).collect() }
    }

    #[test]
    fn each_difference_says_what_it_is_about() {
        let named = |make: fn(String) -> Part, name: &str| make(name.to_owned());
        let old = [
            (Part::Command, "sh a.sh"),
            (named(Part::Flag, "lr"), "0.1"),
            (named(Part::Flag, "gone"), "1"),
            (named(Part::Source, "a.py"), "12ab"),
            (named(Part::Source, "b.py"), "12ab"),
            (named(Part::Dependency, "data operation:up"), "\"1234\""),
            (named(Part::Dependency, "file x.csv"), "12ab"),
            (named(Part::Environment, "MODE"), "fast"),
        ];
        let new = [
            (Part::Command, "sh b.sh"),
            (named(Part::Definition, "output-scalars"), "\"x\""),
            (named(Part::Flag, "lr"), "0.2"),
            (named(Part::Source, "a.py"), "34cd"),
            (named(Part::Source, "c.py"), "12ab"),
            (named(Part::Dependency, "data operation:up"), "\"5678\""),
            (named(Part::Dependency, "file x.csv"), "34cd"),
            (named(Part::Environment, "MODE"), "slow"),
        ];
        let (old, new) = (identity(&old), identity(&new));
        let told: Vec<String> = new.differences(&old).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        command: sh b.sh, was sh a.sh
        definition output-scalars: "x", and was not there
        flag gone: it is gone
        flag lr: 0.2, was 0.1
        source file a.py: it has changed
        source file b.py: it is gone
        source file c.py: it is new
        dependency data operation:up: "5678", was "1234"
        dependency file x.csv: it has changed
        environment MODE: slow, was fast
        "#);
        assert_eq!(old.differences(&old), []);
    }

    #[test]
    fn the_path_of_modules_differs_by_what_a_user_adds() {
        let cases = [
            (".:.guild/sourcecode:.guild/python:/home/me/.rille/cache/python/0.1.0", ""),
            (".:src:/opt/lib:/h/cache/python/9", "/opt/lib"),
        ];
        for (paths, expected) in cases {
            assert_eq!(own_paths(paths), expected);
        }
    }
}
