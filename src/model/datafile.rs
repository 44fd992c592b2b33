//! A datafile of a testscript, as aetest has them: parameters, uids, groups and more of the sections that a script defines,
//! from YAML. Here is what it may hold; where it is read from is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Key, Place, Value, nearest};

/// The keys of a datafile.
const KEYS: [&str; 5] = ["parameters", "processors", "common_setup", "common_cleanup", "testcases"];

/// The keys of common setup and cleanup that mean something.
const COMMON: [&str; 2] = ["parameters", "processors"];

/// Those of a testcase.
const TESTCASE: [&str; 8] =
    ["uid", "groups", "description", "must_pass", "retry", "retry_wait", "parameters", "processors"];

/// What every `self` has, so that no field of a datafile can be called so.
const OF_SELF: [&str; 11] =
    ["parent", "attempt", "passed", "failed", "errored", "skipped", "blocked", "aborted", "passx", "uid", "groups"];

/// The stages of processors.
const STAGES: [&str; 3] = ["pre", "post", "exception"];

/// What parts the names of a path to a value.
const PARTED_BY: char = '/';

/// A datafile that was read, with those that it extends below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Datafile {
    /// What it holds: mappings of texts down to where parameters begin.
    pub(crate) content: Value,
    /// Where its keys stand, by their paths, such as `testcases/Ping/uid`.
    #[serde(default)]
    places: BTreeMap<String, Place>,
}

/// What is wrong with a datafile, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", .place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub(crate) struct DatafileMistake {
    /// Where it stands.
    pub(crate) place: Option<Place>,
    /// What is wrong, and what is right.
    pub(crate) problem: String,
}

impl Datafile {
    /// Makes a datafile of a value; `lines` are the lines of its keys in the file of that name.
    pub(crate) fn new(content: Value, lines: &BTreeMap<Vec<String>, usize>, file: &str) -> Self {
        let file: std::sync::Arc<str> = file.into();
        let place = |line: usize| Place { file: file.clone(), line: u32::try_from(line).unwrap_or(u32::MAX) };
        let places = lines.iter().map(|(path, line)| (path.join(&PARTED_BY.to_string()), place(*line))).collect();
        Self { content, places }
    }

    /// Returns where a value stands, or else what it is in.
    pub(crate) fn place(&self, path: &[&str]) -> Option<&Place> {
        let texts = (1..=path.len()).rev().map(|length| path[..length].join(&PARTED_BY.to_string()));
        texts.into_iter().find_map(|path| self.places.get(&path))
    }

    fn mistake(&self, path: &[&str], problem: impl Into<String>) -> DatafileMistake {
        DatafileMistake { place: self.place(path).cloned(), problem: problem.into() }
    }

    /// Takes out the names of the files that it extends, the nearest first.
    pub(crate) fn take_extends(&mut self) -> Result<Vec<String>, DatafileMistake> {
        let wrong = |own: &Self| own.mistake(&["extends"], "extends must be the name of a file, or a list of them");
        let Value::Map(fields) = &mut self.content else { return Ok(Vec::new()) };
        match fields.remove(&Key::Text("extends".to_owned())) {
            None => Ok(Vec::new()),
            Some(Value::Text(file)) if !file.is_empty() => Ok(vec![file]),
            Some(Value::List(files)) => {
                let text = |file: &Value| file.as_str().filter(|file| !file.is_empty()).map(str::to_owned);
                files.iter().map(text).collect::<Option<_>>().ok_or_else(|| wrong(self))
            }
            Some(_) => Err(wrong(self)),
        }
    }

    /// Puts this one over another: mappings are merged, everything else takes the place of what is there.
    pub(crate) fn over(self, mut below: Datafile) -> Datafile {
        below.content = merged(below.content, self.content);
        below.places.extend(self.places);
        below
    }

    /// Checks what it holds. Returns what is to be said of it although it can be used.
    pub(crate) fn check(&self) -> Result<Vec<DatafileMistake>, DatafileMistake> {
        let mut remarks = Vec::new();
        let fields = self.mapping(&[], &self.content, "a datafile")?;
        for (name, value) in &fields {
            let path = [*name];
            match *name {
                "parameters" => self.parameters(&path, value)?,
                "processors" => self.processors(&path, value)?,
                "common_setup" | "common_cleanup" => self.section(&path, value, &COMMON, &mut remarks)?,
                "testcases" => {
                    for (name, value) in self.mapping(&path, value, "testcases")? {
                        self.section(&["testcases", name], value, &TESTCASE, &mut remarks)?;
                    }
                }
                _ => {
                    let hint = match nearest(name, KEYS) {
                        Some(near) => format!("did you mean '{near}'?"),
                        None => format!(
                            "it has: extends, {}; what a script is to read stands in parameters",
                            KEYS.join(", ")
                        ),
                    };
                    return Err(self.mistake(&path, format!("a datafile has no key '{name}'; {hint}")));
                }
            }
        }
        Ok(remarks)
    }

    /// Returns the fields of a mapping of texts.
    fn mapping<'a>(
        &self,
        path: &[&str],
        value: &'a Value,
        what: &str,
    ) -> Result<Vec<(&'a str, &'a Value)>, DatafileMistake> {
        let Value::Map(fields) = value else {
            let got = if value.is_null() { "nothing".to_owned() } else { value.to_string() };
            return Err(self.mistake(path, format!("{what} must be a mapping of names and values, not {got}")));
        };
        let name = |key: &'a Key| match key {
            Key::Text(name) => Ok(name.as_str()),
            other => Err(self.mistake(path, format!("{what} has the key {other}, which is no text; put it in quotes"))),
        };
        fields.iter().map(|(key, value)| Ok((name(key)?, value))).collect()
    }

    fn parameters(&self, path: &[&str], value: &Value) -> Result<(), DatafileMistake> {
        for (name, value) in self.mapping(path, value, &shown(path))? {
            self.set(&[path, &[name]].concat(), value)?;
        }
        Ok(())
    }

    /// Checks a value that a script is to read.
    fn set(&self, path: &[&str], value: &Value) -> Result<(), DatafileMistake> {
        if value.is_null() {
            let problem = format!("{} is nothing; write a value, or leave it out", shown(path));
            return Err(self.mistake(path, problem));
        }
        match markup(value) {
            Some(text) => {
                let problem = format!(
                    "{} has the markup {text:?}, which datafiles do not know here; write the value, or set it as a parameter",
                    shown(path)
                );
                Err(self.mistake(path, problem))
            }
            None => Ok(()),
        }
    }

    fn section(
        &self,
        path: &[&str],
        value: &Value,
        known: &[&'static str],
        remarks: &mut Vec<DatafileMistake>,
    ) -> Result<(), DatafileMistake> {
        for (name, value) in self.mapping(path, value, &shown(path))? {
            let path = &[path, &[name]].concat()[..];
            let wrong = |wanted: &str| {
                let got = if value.is_null() { "nothing".to_owned() } else { value.to_string() };
                self.mistake(path, format!("{} must be {wanted}, not {got}", shown(path)))
            };
            let is_texts = |value: &Value| match value {
                Value::List(items) => items.iter().all(|item| item.as_str().is_some()),
                // An empty table of Lua.
                other => is_empty_map(other),
            };
            let is_right = match name {
                "parameters" => {
                    self.parameters(path, value)?;
                    continue;
                }
                "processors" => {
                    self.processors(path, value)?;
                    continue;
                }
                name if !known.contains(&name) => {
                    self.field(path, name, value, known, remarks)?;
                    continue;
                }
                "uid" => (value.as_str().is_some_and(|uid| !uid.is_empty()), "a text in quotes"),
                "description" => (value.as_str().is_some(), "a text"),
                "groups" => (value.as_str().is_some() || is_texts(value), "a list of texts"),
                "must_pass" => (matches!(value, Value::Bool(_)), "true or false"),
                "retry" => (matches!(value, Value::Integer(0..=1000)), "a whole number from 0 to 1000"),
                _ => (is_seconds(value), "a number of seconds from 0"),
            };
            if !is_right.0 {
                return Err(wrong(is_right.1));
            }
        }
        Ok(())
    }

    /// Checks a key that means nothing to Rille: a field of `self`.
    fn field(
        &self,
        path: &[&str],
        name: &str,
        value: &Value,
        known: &[&'static str],
        remarks: &mut Vec<DatafileMistake>,
    ) -> Result<(), DatafileMistake> {
        if OF_SELF.contains(&name) {
            let problem = format!("{} cannot be set: every self has its own '{name}'", shown(path));
            return Err(self.mistake(path, problem));
        }
        self.set(path, value)?;
        if let Some(near) = nearest(name, known.iter().copied()) {
            let problem = format!("{} becomes a field of self; did you mean '{near}'?", shown(path));
            remarks.push(self.mistake(path, problem));
        }
        Ok(())
    }

    fn processors(&self, path: &[&str], value: &Value) -> Result<(), DatafileMistake> {
        for (stage, value) in self.mapping(path, value, &shown(path))? {
            let path = &[path, &[stage]].concat()[..];
            if !STAGES.contains(&stage) {
                let hint = nearest(stage, STAGES)
                    .map_or_else(|| format!("it has: {}", STAGES.join(", ")), |near| format!("did you mean '{near}'?"));
                return Err(self.mistake(path, format!("processors have no stage '{stage}'; {hint}")));
            }
            if is_empty_map(value) {
                continue;
            }
            let Value::List(items) = value else {
                return Err(self.mistake(path, format!("{} must be a list, not {value}", shown(path))));
            };
            for item in items {
                self.processor(path, item)?;
            }
        }
        Ok(())
    }

    fn processor(&self, path: &[&str], item: &Value) -> Result<(), DatafileMistake> {
        let names_function = |name: &Value| {
            name.as_str()
                .and_then(|name| name.rsplit_once('.'))
                .is_some_and(|(module, name)| !module.is_empty() && !name.is_empty())
        };
        let wrong = || {
            let problem = format!(
                "{} has {item}; write MODULE.FUNCTION, or a mapping of processor, args and kwargs",
                shown(path)
            );
            self.mistake(path, problem)
        };
        let Value::Map(fields) = item else {
            return if names_function(item) { Ok(()) } else { Err(wrong()) };
        };
        for (key, value) in fields {
            let is_right = match key {
                Key::Text(key) if key == "processor" => names_function(value),
                Key::Text(key) if key == "args" => matches!(value, Value::List(_)),
                Key::Text(key) if key == "kwargs" => matches!(value, Value::Map(_)),
                _ => false,
            };
            if !is_right {
                return Err(wrong());
            }
        }
        if item.get("processor").is_some() { Ok(()) } else { Err(wrong()) }
    }
}

fn is_empty_map(value: &Value) -> bool {
    matches!(value, Value::Map(fields) if fields.is_empty())
}

fn is_seconds(value: &Value) -> bool {
    match value {
        Value::Integer(seconds) => *seconds >= 0,
        Value::Float(seconds) => *seconds >= 0.0 && seconds.is_finite(),
        _ => false,
    }
}

/// Returns the path as one would write it: `testcases.Ping.uid`.
fn shown(path: &[&str]) -> String {
    path.join(".")
}

/// Returns the first text in a value that is written in the markup of pyATS, such as `%{testbed.name}` and `%ENV{HOME}`.
fn markup(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => {
            let is_markup =
                |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_').starts_with('{');
            text.match_indices('%').any(|(at, _)| is_markup(&text[at + 1..])).then_some(text)
        }
        Value::List(items) => items.iter().find_map(markup),
        Value::Map(fields) => fields.values().find_map(markup),
        _ => None,
    }
}

fn merged(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Map(mut below), Value::Map(above)) => {
            for (key, value) in above {
                let value = match below.remove(&key) {
                    Some(under) => merged(under, value),
                    None => value,
                };
                below.insert(key, value);
            }
            Value::Map(below)
        }
        (_, above) => above,
    }
}
