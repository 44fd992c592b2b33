//! Files of settings with the values of flags put in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::config_text::{self, Words};
use super::configparser;
use super::toml_text;
use super::{Origins, Outcome, Problem, Task};
use crate::operation::guildfile::parse_yaml;
use crate::operation::scalar::beyond_text;
use crate::operation::{FlagPassing, Notice};

/// A format of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operation) enum Format {
    /// A mapping of YAML.
    Yaml,
    /// An object of JSON.
    Json,
    /// A document of TOML.
    Toml,
    /// The sections of Python's `configparser`.
    Cfg,
}

impl Format {
    /// How the names of the files end.
    pub(in crate::operation) const NAMES: &str = ".yml, .yaml, .json, .toml, .cfg and .ini";

    /// Returns the format that a file's name tells; `.in` at its end does not count.
    pub(in crate::operation) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let name = name.strip_suffix(".in").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "yml" | "yaml" => Some(Format::Yaml),
            "json" => Some(Format::Json),
            "toml" => Some(Format::Toml),
            "cfg" | "ini" => Some(Format::Cfg),
            _ => None,
        }
    }

    /// Reads a text; `name` is the file's, for mistakes.
    pub(in crate::operation) fn read(self, text: &str, name: &str) -> Result<Value, String> {
        match self {
            Format::Yaml => {
                let node = parse_yaml(text, &Arc::from(name)).map_err(|mistake| mistake.to_string())?;
                match node.first_bad() {
                    Some((place, what)) => Err(format!("{place}: {what}")),
                    None => Ok(node.to_value()),
                }
            }
            Format::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
            Format::Toml => toml_text::read(text),
            Format::Cfg => configparser::read(text),
        }
    }

    /// Returns the text with other values in it, and otherwise as it is; `None` where it has to be written anew.
    pub(super) fn edited(self, text: &str, settings: &[(String, Value)]) -> Option<String> {
        match self {
            Format::Yaml => config_text::edited(text, settings, Words::Yaml),
            Format::Json => config_text::edited(text, settings, Words::Json),
            Format::Toml => toml_text::edited(text, settings),
            Format::Cfg => configparser::edited(text, settings),
        }
    }

    fn write(self, value: &Value) -> Result<String, String> {
        match self {
            Format::Yaml => {
                let options = serde_saphyr::ser_options! {
                    // Other readers differ in what folded and literal blocks hold.
                    prefer_block_scalars: false,
                };
                serde_saphyr::to_string_with_options(value, options).map_err(|error| error.to_string())
            }
            Format::Json => {
                serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
            }
            Format::Toml => toml_text::write(value),
            Format::Cfg => configparser::write(value),
        }
    }
}

impl Task<'_> {
    /// Makes the file with the flags in the run directory, beside its metadata.
    pub(super) fn config(&self, path: &str, notify: &mut dyn FnMut(Notice)) -> Outcome<Origins> {
        let file = match self.chosen_path(notify)? {
            Some(chosen) => chosen.paths.into_iter().next().unwrap_or_default(),
            None => self.project_path(path)?.0,
        };
        let format = Format::of(&file).ok_or_else(|| Problem {
            reason: format!("unsupported file type for '{}'", file.display()),
            hint: Some(format!("Settings are read from {}, also with .in at the end.", Format::NAMES)),
            ..Problem::default()
        })?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let load = || -> Result<(Value, String), String> {
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            Ok((format.read(&text, &name)?, text))
        };
        let (mut config, original) = match load() {
            Ok((Value::Null, text)) => (Map::new(), text),
            Ok((Value::Object(config), text)) => (config, text),
            Ok(_) => return Err(format!("error loading config from {}: it holds no mapping", file.display()).into()),
            Err(error) => return Err(format!("error loading config from {}: {error}", file.display()).into()),
        };
        let mut settings: Vec<(String, Value)> =
            self.source.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        for (name, value) in self.request.flags.iter().filter(|(_, value)| !value.is_null()) {
            let passing = self.request.passing.get(name);
            let setting = passing.and_then(|passing| passing.arg_name.as_deref()).unwrap_or(name);
            settings.push((setting.to_owned(), split(value, passing)));
        }
        // What is there already stays as it was written.
        settings.retain(|(name, value)| at(&config, name) != Some(value));
        for (name, value) in &settings {
            nest(&mut config, name, value.clone())?;
        }
        let config = Value::Object(config);
        let beyond: Vec<(String, Value)> =
            settings.iter().filter(|(_, value)| beyond_text(value).is_some()).cloned().collect();
        // `Infinity` is JSON to Python alone.
        let is_right = |text: &String| match format {
            Format::Json if !beyond.is_empty() => true,
            _ => format.read(text, &name).is_ok_and(|read| read == config),
        };
        let text = match format.edited(&original, &settings).filter(is_right) {
            Some(text) => text,
            None => {
                // Nothing that writes a file has words for these.
                let mut plain = config.as_object().cloned().unwrap_or_default();
                for (name, _) in &beyond {
                    nest(&mut plain, name, Value::Null)?;
                }
                let text = format.write(&Value::Object(plain))?;
                if beyond.is_empty() { text } else { format.edited(&text, &beyond).unwrap_or(text) }
            }
        };
        let folder = self.request.run_dir.join(".guild/generated").join((self.request.surroundings.new_name)());
        let made = folder.join(file.file_name().unwrap_or_default());
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&made, text))
            .map_err(|error| Problem::io(&error, format!("cannot write {}: {error}", made.display())))?;
        Ok(Origins::of(vec![made], &folder))
    }
}

/// Returns the value of a dotted name.
fn at<'a>(config: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut parts = name.split('.');
    let first = config.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Sets a value by its dotted name, `optimizer.lr`.
pub(super) fn nest(config: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), String> {
    let mut parts: Vec<&str> = name.split('.').collect();
    let last = parts.pop().unwrap_or(name);
    let mut current = config;
    for (index, part) in parts.iter().enumerate() {
        let next = current.entry((*part).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        // A key without a value is where a mapping would be.
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        let shown = next.to_string();
        current = next.as_object_mut().ok_or_else(|| {
            format!("'{name}' cannot be nested: conflicts with {{'{}': {shown}}}", parts[..=index].join("."))
        })?;
    }
    current.insert(last.to_owned(), value);
    Ok(())
}

/// Returns a value as the list that it stands for, if the flag is split into several arguments.
fn split(value: &Value, passing: Option<&FlagPassing>) -> Value {
    let (Some(text), Some(how)) = (value.as_str(), passing.and_then(|passing| passing.arg_split.as_ref())) else {
        return value.clone();
    };
    let parts = match how {
        Value::String(separator) if separator != "shlex" && !separator.is_empty() => {
            text.split(separator.as_str()).map(str::to_owned).collect()
        }
        Value::Bool(false) | Value::Null => return value.clone(),
        _ => shlex::split(text).unwrap_or_else(|| vec![text.to_owned()]),
    };
    let scalar = |part: String| match serde_saphyr::from_str::<Value>(&part) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => json!(part),
    };
    parts.into_iter().map(scalar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_are_nested() {
        let cases = [
            (json!({}), "a", Ok(json!({"a": 1}))),
            (json!({}), "a.b.c", Ok(json!({"a": {"b": {"c": 1}}}))),
            (json!({"a": {"x": 2}}), "a.b", Ok(json!({"a": {"x": 2, "b": 1}}))),
            (json!({"a": {"b": {"c": 2}}}), "a.b", Ok(json!({"a": {"b": 1}}))),
            (json!({"a": null}), "a.b", Ok(json!({"a": {"b": 1}}))),
            (json!({"a": {"b": 3}}), "a.b.c", Err("'a.b.c' cannot be nested: conflicts with {'a.b': 3}")),
        ];
        for (before, name, expected) in cases {
            let mut config = before.as_object().unwrap().clone();
            let done = nest(&mut config, name, json!(1)).map(|()| Value::Object(config));
            assert_eq!(done, expected.map_err(str::to_owned), "{name}");
        }
    }

    #[test]
    fn formats_are_told_by_the_name() {
        let cases = [
            ("a.yml", Some(Format::Yaml)),
            ("a.YAML.in", Some(Format::Yaml)),
            ("a.in.json", Some(Format::Json)),
            ("a.toml", Some(Format::Toml)),
            ("a.cfg", Some(Format::Cfg)),
            ("a.ini.in", Some(Format::Cfg)),
            ("a.txt", None),
            ("a", None),
        ];
        for (name, format) in cases {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn values_keep_their_types() {
        let value = json!({"z": [1, 2.5, "x"], "a": {"yes": "yes", "n": null, "t": true, "s": "1e3"}});
        for format in [Format::Yaml, Format::Json] {
            let text = format.write(&value).unwrap();
            assert_eq!(format.read(&text, "a").unwrap(), value, "{text}");
        }
        // As `PyYAML` has it.
        let read = Format::Yaml.read("a: y\nb: yes\nc: 010\nd: 1e3\n", "a").unwrap();
        assert_eq!(read, json!({"a": "y", "b": true, "c": 8, "d": 1000.0}));
    }

    #[test]
    fn a_split_flag_is_a_list() {
        let passing = |how: Value| FlagPassing { arg_split: Some(how), ..FlagPassing::default() };
        let cases = [
            (json!("1 a 2.5"), json!(true), json!([1, "a", 2.5])),
            (json!("1,b"), json!(","), json!([1, "b"])),
            (json!("1,b"), json!(false), json!("1,b")),
            (json!(3), json!(true), json!(3)),
        ];
        for (value, how, expected) in cases {
            assert_eq!(split(&value, Some(&passing(how))), expected);
        }
        assert_eq!(split(&json!("1 2"), None), json!("1 2"));
    }
}
