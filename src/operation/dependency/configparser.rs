//! Settings in sections, as Python's `configparser` reads and writes them.

use ini::{Ini, ParseOption};
use serde_json::{Map, Value};

/// The section whose settings hold for all others, and stand at the top level here.
const DEFAULT: &str = "DEFAULT";

/// Returns a mapping by section; what the section `DEFAULT` holds stands beside them.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let options = ParseOption {
        // Python takes quotes and backslashes for what they are.
        enabled_quote: false,
        enabled_escape: false,
        enabled_indented_mutiline_value: true,
        ..ParseOption::default()
    };
    let ini = Ini::load_from_str_opt(text, options).map_err(|error| error.to_string())?;
    let mut config = Map::new();
    for (section, settings) in &ini {
        let values = settings.iter().map(|(name, value)| (name.to_lowercase(), Value::from(value)));
        match section {
            Some(name) if name != DEFAULT => {
                let section = config.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
                if let Some(section) = section.as_object_mut() {
                    section.extend(values);
                }
            }
            Some(_) => config.extend(values),
            None => {
                if let Some((name, _)) = settings.iter().next() {
                    return Err(format!("the setting '{name}' stands before the first section"));
                }
            }
        }
    }
    Ok(Value::Object(config))
}

/// Returns the text of a mapping: what is no mapping itself goes to the section `DEFAULT`.
pub(super) fn write(config: &Value) -> Result<String, String> {
    let mut default = String::new();
    let mut sections = String::new();
    for (name, value) in config.as_object().into_iter().flatten() {
        match value {
            Value::Object(settings) => {
                if name.contains([']', '\n']) {
                    return Err(format!("a section cannot be named '{name}'"));
                }
                sections.extend(["[", name, "]\n"]);
                for (name, value) in settings {
                    if value.is_object() {
                        return Err(format!(
                            "the setting '{name}' is a mapping, and there are no sections in sections"
                        ));
                    }
                    sections.push_str(&line(name, value)?);
                }
                sections.push('\n');
            }
            value => default.push_str(&line(name, value)?),
        }
    }
    let default = if default.is_empty() { default } else { format!("[{DEFAULT}]\n{default}\n") };
    Ok(default + &sections)
}

/// Returns the text with other values of settings that it has, and otherwise as it is; `None` where it has to be written anew.
pub(super) fn edited(text: &str, settings: &[(String, Value)]) -> Option<String> {
    settings.iter().try_fold(text.to_owned(), |text, (name, value)| set(&text, name, value))
}

fn set(text: &str, name: &str, value: &Value) -> Option<String> {
    let (wanted, name) = name.split_once('.').unwrap_or((DEFAULT, name));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut section = None;
    let mut at = None;
    for (index, line) in lines.iter().enumerate() {
        if let Some(header) = line.trim_end().strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = Some(header);
        } else if section == Some(wanted)
            && !line.starts_with(['#', ';', ' ', '\t'])
            && line.split(['=', ':']).next().is_some_and(|key| key.trim_end().to_lowercase() == name)
        {
            at = Some(index);
        }
    }
    let at = at?;
    let old = lines[at];
    let equals = old.find(['=', ':'])?;
    let value_at = equals + 1 + (old[equals + 1..].len() - old[equals + 1..].trim_start_matches([' ', '\t']).len());
    // What is indented below belongs to the value.
    let more =
        lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty()).count();
    let word = line(name, value).ok()?;
    let word = word.split_once(" = ")?.1;
    Some(
        [
            &lines[..at].concat(),
            &old[..value_at.min(old.trim_end_matches('\n').len())],
            word,
            &lines[at + 1 + more..].concat(),
        ]
        .concat(),
    )
}

fn line(name: &str, value: &Value) -> Result<String, String> {
    let is_bad = name.is_empty() || name.contains(['=', ':', '\n']) || name.starts_with(['[', '#', ';', ' ']);
    if is_bad {
        return Err(format!("a setting cannot be named '{name}'"));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => crate::operation::scalar::beyond_text(other).unwrap_or_else(|| other.to_string()),
    };
    // What is indented belongs to the value.
    Ok(format!("{name} = {}\n", text.replace('\n', "\n\t")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_are_read_and_written() {
        let text = "[DEFAULT]\nx = 1\n\n[train]\nlr = 0.1\nPath: C:\\tmp\nname = 'a b'\n\n[empty]\n";
        let config = read(text).unwrap();
        let expected = json!({"x": "1", "train": {"lr": "0.1", "path": "C:\\tmp", "name": "'a b'"}, "empty": {}});
        assert_eq!(config, expected);
        let written = write(&json!({"train": {"lr": 0.2, "on": true, "s": "a\nb"}, "x": 3})).unwrap();
        assert_eq!(written, "[DEFAULT]\nx = 3\n\n[train]\nlr = 0.2\non = True\ns = a\n\tb\n\n");
        assert_eq!(read(&written).unwrap()["train"]["lr"], "0.2");
    }

    #[test]
    fn only_the_settings_that_are_named_change() {
        let text = "; Settings.\n[DEFAULT]\nx=1\n\n[train]\n# The rate.\nLR : 0.1\nname = a\n\tb\nlast = z\n";
        let settings = [("train.lr", json!(0.5)), ("x", json!({"$float": "inf"})), ("train.name", json!("c"))];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        let expected = "; Settings.\n[DEFAULT]\nx=inf\n\n[train]\n# The rate.\nLR : 0.5\nname = c\nlast = z\n";
        assert_eq!(edited(text, &settings).unwrap(), expected);
        assert_eq!(edited(text, &[("train.new".to_owned(), json!(1))]), None);
    }

    #[test]
    fn what_has_no_place_is_refused() {
        assert_eq!(read("x = 1\n[a]\n").unwrap_err(), "the setting 'x' stands before the first section");
        assert!(write(&json!({"a": {"b": {"c": 1}}})).unwrap_err().contains("no sections in sections"));
        assert!(write(&json!({"a": {"b=c": 1}})).unwrap_err().contains("cannot be named 'b=c'"));
        assert!(write(&json!({"a]": {}})).unwrap_err().contains("cannot be named 'a]'"));
    }
}
