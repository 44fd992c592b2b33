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
    /// What has no effect.
    pub(super) odd: Vec<Odd>,
}

/// Something in the attribute that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Odd {
    /// The key that it is about.
    pub(crate) key: String,
    /// What is to be said of it.
    pub(crate) message: String,
}

impl Odd {
    fn new(key: &str, message: String) -> Odd {
        Odd { key: key.to_owned(), message }
    }
}

const KEYS: [&str; 4] = ["select", "root", "dest", "digest"];

impl Config {
    /// Reads the attribute of the model and of the operation, in this order.
    pub(super) fn read(values: &[Value]) -> Result<Config, Error> {
        let mut config = Config::default();
        for value in values {
            match value {
                Value::Object(map) if is_settings(map) => {
                    let unknown = map.keys().filter(|key| !KEYS.contains(&key.as_str()));
                    config.odd.extend(unknown.map(|key| unknown_key(key)));
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
            Value::Object(map) => vec![spec(map, &mut self.odd)?],
            Value::Array(list) => {
                let strings: Option<Vec<String>> = list.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                match strings {
                    Some(patterns) => only_these(patterns),
                    None => list.iter().map(|value| item(value, &mut self.odd)).collect::<Result<_, _>>()?,
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

/// Returns whether a mapping says more than one rule would. A rule beside them is one too many.
fn is_settings(map: &Map<String, Value>) -> bool {
    let is_rule = map.contains_key("include") || map.contains_key("exclude");
    !is_rule || KEYS.iter().any(|key| map.contains_key(*key))
}

fn item(value: &Value, odd: &mut Vec<Odd>) -> Result<Spec, Error> {
    match value {
        Value::String(pattern) => Ok(Spec { include: true, only: None, patterns: vec![pattern.clone()] }),
        Value::Object(map) => spec(map, odd),
        other => Err(Error::bad(format!("a rule of sourcecode is {other}, and neither a pattern nor a mapping"))),
    }
}

fn spec(map: &Map<String, Value>, odd: &mut Vec<Odd>) -> Result<Spec, Error> {
    if map.contains_key("include") && map.contains_key("exclude") {
        return Err(Error::bad(
            "a rule of sourcecode has both include and exclude; write two rules, in the order they apply".to_owned(),
        ));
    }
    let is_rule = |key: &str| ["include", "exclude"].contains(&key);
    let stranger = |key: &String| {
        let near = nearest(key, ["include", "exclude"]).map(|near| format!("; did you mean '{near}'?"));
        format!("a rule of sourcecode has the key '{key}', and not include or exclude{}", near.unwrap_or_default())
    };
    let Some((key, value)) = map.iter().find(|(key, _)| is_rule(key)) else {
        let neither = || "a rule of sourcecode has neither include nor exclude".to_owned();
        return Err(Error::bad(map.keys().next().map_or_else(neither, stranger)));
    };
    odd.extend(map.keys().filter(|key| !is_rule(key)).map(|key| Odd::new(key, stranger(key))));
    let include = key == "include";
    match value {
        Value::Object(typed) => {
            let known = [Only::Dir, Only::Text, Only::Binary];
            let stranger =
                |name: &String| format!("{key} of sourcecode has the key '{name}', and not dir, text or binary");
            let given = known.into_iter().find_map(|only| Some((only, typed.get(only.word())?)));
            let Some((only, value)) = given else {
                let empty = || format!("{key} of sourcecode is an empty mapping");
                return Err(Error::bad(typed.keys().next().map_or_else(empty, stranger)));
            };
            // Of several Guild takes the first, in this order.
            for other in typed.keys().filter(|name| *name != only.word()) {
                let is_known = known.iter().any(|known| known.word() == other);
                let message = match is_known {
                    true => format!("{key} of sourcecode has '{other}' beside '{}', which has no effect", only.word()),
                    false => stranger(other),
                };
                odd.push(Odd::new(other, message));
            }
            Ok(Spec { include, only: Some(only), patterns: patterns(key, value)? })
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
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Error::bad(format!("{key} of sourcecode is {other}, and not a path"))),
    }
}

fn unknown_key(key: &str) -> Odd {
    let hint = match nearest(key, KEYS) {
        Some(near) => format!("did you mean '{near}'?"),
        None if ["include", "exclude"].contains(&key) => {
            "beside others it has no effect; make it a rule of the list 'select'".to_owned()
        }
        None => "it has no effect".to_owned(),
    };
    Odd::new(key, format!("sourcecode has no attribute '{key}'; {hint}"))
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
    fn what_is_odd_is_told_and_left_out() {
        // What is written, what is read, and what is said of which key.
        let cases = [
            (json!({"selct": "a"}), "", "selct: sourcecode has no attribute 'selct'; did you mean 'select'?"),
            (
                json!({"select": ["a"], "exclude": "b"}),
                "-* +a",
                "exclude: sourcecode has no attribute 'exclude'; beside others it has no effect; make it a rule of the \
                 list 'select'",
            ),
            (json!({"root": false, "xyzzy": 1}), "", "xyzzy: sourcecode has no attribute 'xyzzy'; it has no effect"),
            (
                json!([{"include": "a", "inclde": "b"}]),
                "+a",
                "inclde: a rule of sourcecode has the key 'inclde', and not include or exclude; did you mean 'include'?",
            ),
            (
                json!([{"include": {"text": "b", "dir": "a"}}]),
                "+dir:a",
                "text: include of sourcecode has 'text' beside 'dir', which has no effect",
            ),
            (
                json!([{"exclude": {"binary": "b", "dirs": "a"}}]),
                "-binary:b",
                "dirs: exclude of sourcecode has the key 'dirs', and not dir, text or binary",
            ),
        ];
        for (value, read, told) in cases {
            let odd = Config::read(std::slice::from_ref(&value)).unwrap().odd;
            let odd: Vec<String> = odd.iter().map(|odd| format!("{}: {}", odd.key, odd.message)).collect();
            assert_eq!((check(&[value]).as_str(), odd.join("\n").as_str()), (read, told));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (json!(3), "sourcecode is 3, and not a pattern, a list, a mapping or 'no'"),
            (json!([3, {}]), "a rule of sourcecode is 3, and neither a pattern nor a mapping"),
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
            (json!([{"include": 3}]), "include of sourcecode is 3, and not a pattern or a list of patterns"),
        ];
        for (value, expected) in cases {
            assert_eq!(check(&[value]), expected);
        }
    }
}
