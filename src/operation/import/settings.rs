//! Flags that are the settings of a file: `flags-dest: config:FILE`.

use std::path::Path;

use serde_json::{Map, Value};

use super::super::dependency::config::Format;
use super::super::scalar::{any_float, any_int, python_float};
use super::{Flags, of_value};

/// Why a file has no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSettings {
    /// Its name tells no format.
    #[error("its format is not supported; settings are read from {}, also with .in at the end", Format::NAMES)]
    Format,
    /// Its text is not of its format.
    #[error("{0}")]
    Unreadable(String),
    /// It holds something else.
    #[error("it holds no mapping")]
    NoMapping,
}

/// Returns the flags that the settings of a file are, those of inner mappings behind a dot.
pub(crate) fn of_settings(path: &Path, text: &str) -> Result<Flags, NoSettings> {
    let format = Format::of(path).ok_or(NoSettings::Format)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match format.read(text, &name).map_err(NoSettings::Unreadable)? {
        Value::Object(settings) => {
            let settings = if format == Format::Cfg { typed(&settings) } else { settings };
            let mut found = Flags::new();
            add("", &settings, &mut found);
            Ok(found)
        }
        Value::Null => Ok(Flags::new()),
        _ => Err(NoSettings::NoMapping),
    }
}

fn add(above: &str, settings: &Map<String, Value>, found: &mut Flags) {
    for (name, value) in settings {
        let name = format!("{above}{name}");
        match value {
            Value::Object(inner) if crate::model::Value::beyond_json(value).is_none() => {
                add(&format!("{name}."), inner, found);
            }
            value => {
                found.insert(name, of_value(value));
            }
        }
    }
}

/// Returns settings in sections with values that are of the type that they look like. What holds for all sections is in each.
fn typed(settings: &Map<String, Value>) -> Map<String, Value> {
    let type_all = |settings: &Map<String, Value>| -> Map<String, Value> {
        let plain = settings.iter().filter(|(_, value)| !value.is_object());
        plain.map(|(name, value)| (name.clone(), value.as_str().map_or(Value::Null, typed_word))).collect()
    };
    let common = type_all(settings);
    let sections = settings.iter().filter_map(|(name, value)| {
        let mut all = common.clone();
        all.extend(type_all(value.as_object()?));
        Some((name.clone(), Value::Object(all)))
    });
    common.clone().into_iter().chain(sections).collect()
}

/// Returns a value as Python's `getint`, `getfloat` and `getboolean` would, the first that can.
fn typed_word(text: &str) -> Value {
    let truth = match text.to_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    };
    let number = || any_int(text).or_else(|| python_float(text).map(any_float));
    number().or(truth.map(Value::Bool)).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defaults(name: &str, text: &str) -> Value {
        let flags = of_settings(Path::new(name), text).unwrap();
        flags.into_iter().map(|(name, flag)| (name, flag.default)).collect::<Map<_, _>>().into()
    }

    #[test]
    fn every_format_has_its_settings() {
        let expected = json!({"a": 1, "b.c": 0.5, "b.d.e": "x y", "f": true, "g": "1 'x y'"});
        let yaml = "a: 1\nb:\n  c: 0.5\n  d: {e: x y}\nf: yes\ng: [1, x y]\nempty: {}\n";
        let json = r#"{"a": 1, "b": {"c": 0.5, "d": {"e": "x y"}}, "f": true, "g": [1, "x y"], "empty": {}}"#;
        let toml = "a = 1\nf = true\ng = [1, 'x y']\n[b]\nc = 0.5\nd = {e = 'x y'}\n[empty]\n";
        for (name, text) in [("s.yml", yaml), ("s.yaml.in", yaml), ("s.json", json), ("s.toml", toml)] {
            assert_eq!(defaults(name, text), expected, "{name}");
        }
        let cfg = "[DEFAULT]\nall = 1\n\n[One]\nLR = 0.1\non = Yes\ntext = a b\nn = 010\nm = 1e3\n[two]\nall = 2\n";
        let expected = json!({"all": 1, "One.all": 1, "One.lr": 0.1, "One.on": true, "One.text": "a b", "One.n": 10,
                              "One.m": 1000.0, "two.all": 2});
        assert_eq!(defaults("s.ini", cfg), expected);
        assert_eq!(defaults("s.CFG.in", cfg), expected);
        assert_eq!(defaults("s.yml", ""), json!({}));
    }

    #[test]
    fn what_holds_no_settings_says_why() {
        let why = |name: &str, text: &str| of_settings(Path::new(name), text).unwrap_err().to_string();
        assert!(why("s.txt", "a: 1").starts_with("its format is not supported; settings are read from .yml"));
        assert_eq!(why("s.yml", "- 1\n"), "it holds no mapping");
        assert_eq!(why("s.json", "[1]"), "it holds no mapping");
        assert!(why("s.json", "{").contains("line 1"));
        assert!(why("s.toml", "a = \n").contains("line 1"));
    }
}
