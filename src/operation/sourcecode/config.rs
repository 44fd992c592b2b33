//! The attribute `sourcecode` in all its forms.

use serde_json::{Map, Value};

use super::Error;
use crate::model::nearest;

/// The kind of file that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    /// Folders: they are entered, or not.
    Dir,
    /// Files that hold text.
    Text,
    /// Files that do not.
    Binary,
}

impl Only {
    /// The word in a definition and in a list of rules.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Only::Dir => "dir",
            Only::Text => "text",
            Only::Binary => "binary",
        }
    }
}

/// A rule as a user writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    /// Whether it takes files, or leaves them out.
    pub(super) include: bool,
    /// What it is about; `None` for any file.
    pub(super) only: Option<Only>,
    /// The patterns.
    pub(super) patterns: Vec<String>,
}

/// What the model and the operation say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// Whether there is no source code.
    pub(super) disabled: bool,
    /// The rules, in order.
    pub(super) specs: Vec<Spec>,
    /// The folder, relative to the project, that the files are in.
    pub(super) root: Option<String>,
    /// The folder in the run directory.
    pub(super) dest: Option<String>,
    /// Whether no digest is recorded.
    pub(super) no_digest: bool,
}

const KEYS: [&str; 4] = ["select", "root", "dest", "digest"];

impl Config {
    /// Reads the attribute of the model and of the operation, in this order.
    pub(super) fn read(values: &[Value]) -> Result<Config, Error> {
        let mut config = Config::default();
        for value in values {
            match value {
                Value::Object(map) if !map.contains_key("include") && !map.contains_key("exclude") => {
                    for key in map.keys() {
                        if !KEYS.contains(&key.as_str()) {
                            return Err(unknown_key(key));
                        }
                    }
                    config.add_select(map.get("select").unwrap_or(&Value::Null))?;
                    config.root = text(map, "root")?.or(config.root);
                    config.dest = text(map, "dest")?.or(config.dest);
                    config.no_digest =
                        map.get("digest").map_or(config.no_digest, |digest| *digest == Value::Bool(false));
                }
                other => config.add_select(other)?,
            }
        }
        Ok(config)
    }

    /// Adds what is to be selected: nothing said, nothing at all, one pattern, or a list.
    fn add_select(&mut self, value: &Value) -> Result<(), Error> {
        let specs = match value {
            Value::Null => return Ok(()),
            Value::Bool(false) => Vec::new(),
            Value::Array(list) if list.is_empty() => Vec::new(),
            Value::String(pattern) => only_these(vec![pattern.clone()]),
            Value::Object(map) => vec![spec(map)?],
            Value::Array(list) => {
                let strings: Option<Vec<String>> = list.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                match strings {
                    Some(patterns) => only_these(patterns),
                    None => list.iter().map(item).collect::<Result<_, _>>()?,
                }
            }
            other => {
                return Err(Error::bad(format!("sourcecode is {other}, and not a pattern, a list, a mapping or 'no'")));
            }
        };
        // An operation that has rules of its own has source code even where its model has none.
        self.disabled = specs.is_empty();
        self.specs.extend(specs);
        Ok(())
    }
}

/// Patterns alone mean: these files and no other.
fn only_these(patterns: Vec<String>) -> Vec<Spec> {
    let none = Spec { include: false, only: None, patterns: vec!["*".to_owned()] };
    let one = |pattern| Spec { include: true, only: None, patterns: vec![pattern] };
    std::iter::once(none).chain(patterns.into_iter().map(one)).collect()
}

fn item(value: &Value) -> Result<Spec, Error> {
    match value {
        Value::String(pattern) => Ok(Spec { include: true, only: None, patterns: vec![pattern.clone()] }),
        Value::Object(map) => spec(map),
        other => Err(Error::bad(format!("a rule of sourcecode is {other}, and neither a pattern nor a mapping"))),
    }
}

fn spec(map: &Map<String, Value>) -> Result<Spec, Error> {
    if map.contains_key("include") && map.contains_key("exclude") {
        return Err(Error::bad(
            "a rule of sourcecode has both include and exclude; write two rules, in the order they apply".to_owned(),
        ));
    }
    if let Some(key) = map.keys().find(|key| !["include", "exclude"].contains(&key.as_str())) {
        let near = nearest(key, ["include", "exclude"]).map(|near| format!("; did you mean '{near}'?"));
        return Err(Error::bad(format!(
            "a rule of sourcecode has the key '{key}', and not include or exclude{}",
            near.unwrap_or_default()
        )));
    }
    let Some((key, value)) = map.iter().next() else {
        return Err(Error::bad("a rule of sourcecode has neither include nor exclude".to_owned()));
    };
    let include = key == "include";
    match value {
        Value::Object(typed) => {
            let known = [Only::Dir, Only::Text, Only::Binary];
            if let Some(stranger) = typed.keys().find(|key| known.iter().all(|only| only.word() != key.as_str())) {
                return Err(Error::bad(format!(
                    "{key} of sourcecode has the key '{stranger}', and not dir, text or binary"
                )));
            }
            let mut given = known.into_iter().filter_map(|only| Some((only, typed.get(only.word())?)));
            match (given.next(), given.next()) {
                (Some((only, value)), None) => Ok(Spec { include, only: Some(only), patterns: patterns(key, value)? }),
                (None, _) => Err(Error::bad(format!("{key} of sourcecode is an empty mapping"))),
                _ => Err(Error::bad(format!("{key} of sourcecode has more than one of dir, text and binary"))),
            }
        }
        value => Ok(Spec { include, only: None, patterns: patterns(key, value)? }),
    }
}

fn patterns(key: &str, value: &Value) -> Result<Vec<String>, Error> {
    let bad = || Error::bad(format!("{key} of sourcecode is {value}, and not a pattern or a list of patterns"));
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(pattern) => Ok(vec![pattern.clone()]),
        Value::Array(list) => {
            list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(bad)
        }
        _ => Err(bad()),
    }
}

fn text(map: &Map<String, Value>, key: &str) -> Result<Option<String>, Error> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Error::bad(format!("{key} of sourcecode is {other}, and not a path"))),
    }
}

fn unknown_key(key: &str) -> Error {
    let near = nearest(key, KEYS).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
    Error::bad(format!("sourcecode has no attribute '{key}'{near}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns what is read as lines: `no` or the rules.
    fn check(values: &[Value]) -> String {
        let config = match Config::read(values) {
            Ok(config) => config,
            Err(error) => return error.to_string(),
        };
        if config.disabled {
            return "no".to_owned();
        }
        let rule = |spec: &Spec| {
            let sign = if spec.include { '+' } else { '-' };
            let only = spec.only.map(|only| format!("{}:", only.word())).unwrap_or_default();
            format!("{sign}{only}{}", spec.patterns.join(","))
        };
        config.specs.iter().map(rule).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_form_is_read() {
        let cases = [
            (vec![], ""),
            (vec![json!(null)], ""),
            (vec![json!(false)], "no"),
            (vec![json!([])], "no"),
            (vec![json!("*.py")], "-* +*.py"),
            (vec![json!(["*.py", "a.txt"])], "-* +*.py +a.txt"),
            (vec![json!([{"exclude": "*.csv"}])], "-*.csv"),
            (vec![json!({"exclude": "*.csv"})], "-*.csv"),
            (vec![json!([{"include": ["a", "b"]}, "c"])], "+a,b +c"),
            (
                vec![json!([{"exclude": {"dir": "data"}}, {"include": {"binary": ["*.png"]}}])],
                "-dir:data +binary:*.png",
            ),
            (vec![json!({"select": ["*.py"], "root": "src"})], "-* +*.py"),
            (vec![json!({"dest": "code"})], ""),
            (vec![json!({"select": false, "dest": "code"})], "no"),
            (vec![json!([{"exclude": "a"}]), json!([{"include": "b"}])], "-a +b"),
            (vec![json!(false), json!([{"include": "b"}])], "+b"),
            (vec![json!("a"), json!(false)], "no"),
            (vec![json!(false), json!(null)], "no"),
        ];
        for (values, expected) in cases {
            assert_eq!(check(&values), expected, "{values:?}");
        }
        let config = Config::read(&[json!({"root": "a", "dest": "b"}), json!({"root": "c", "digest": false})]).unwrap();
        assert_eq!((config.root.as_deref(), config.dest.as_deref(), config.no_digest), (Some("c"), Some("b"), true));
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (json!(3), "sourcecode is 3, and not a pattern, a list, a mapping or 'no'"),
            (json!([3, {}]), "a rule of sourcecode is 3, and neither a pattern nor a mapping"),
            (json!({"selct": "a"}), "sourcecode has no attribute 'selct'; did you mean 'select'?"),
            (json!({"root": 3}), "root of sourcecode is 3, and not a path"),
            (
                json!([{"include": "a", "exclude": "b"}]),
                "a rule of sourcecode has both include and exclude; write two rules, in the order they apply",
            ),
            (
                json!([{"inclde": "a"}]),
                "a rule of sourcecode has the key 'inclde', and not include or exclude; did you mean 'include'?",
            ),
            (
                json!([{"include": {"dirs": "a"}}]),
                "include of sourcecode has the key 'dirs', and not dir, text or binary",
            ),
            (
                json!([{"include": {"dir": "a", "text": "b"}}]),
                "include of sourcecode has more than one of dir, text and binary",
            ),
            (json!([{"include": 3}]), "include of sourcecode is 3, and not a pattern or a list of patterns"),
        ];
        for (value, expected) in cases {
            assert_eq!(check(&[value]), expected);
        }
    }
}
