//! Settings in sections, as Python's `configparser` reads and writes them.

use ini::{Ini, ParseOption};
use serde_json::{Map, Value};

/// The section whose settings hold for all others, and stand at the top level here.
const DEFAULT: &str = "DEFAULT";

/// Stands behind a backslash at the end of a line while the line is read. It is no character that a text can have.
const MARK: char = '\u{fdd0}';

/// Returns a mapping by section; what the section `DEFAULT` holds stands beside them.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let options = ParseOption {
        // Python takes quotes and backslashes for what they are.
        enabled_quote: false,
        enabled_escape: false,
        enabled_indented_mutiline_value: true,
        ..ParseOption::default()
    };
    // To the reader a line that ends with a backslash goes on, to Python it does not.
    let text = text.replace("\\\n", &format!("\\{MARK}\n"));
    let ini = Ini::load_from_str_opt(&text, options).map_err(|error| error.to_string())?;
    let mut config = Map::new();
    for (section, settings) in &ini {
        let without_mark = |value: &str| Value::from(value.replace(MARK, ""));
        let values = settings.iter().map(|(name, value)| (name.to_lowercase(), without_mark(value)));
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
    // Behind the last line of the section that says something.
    let mut end = None;
    for (index, line) in lines.iter().enumerate() {
        let header = line.strip_prefix('[').and_then(|line| line.rsplit_once(']')).map(|(header, _)| header);
        section = header.or(section);
        if section == Some(wanted) && !line.trim().is_empty() {
            end = Some(index + 1);
        }
        if header.is_none()
            && section == Some(wanted)
            && !line.starts_with(['#', ';', ' ', '\t'])
            && line.split(['=', ':']).next().is_some_and(|key| key.trim_end().to_lowercase() == name.to_lowercase())
        {
            at = Some(index);
        }
    }
    let new = line(name, value).ok()?;
    let Some(at) = at else { return added(&lines, wanted, end, &new) };
    let old = lines[at];
    let equals = old.find(['=', ':'])?;
    let value_at = equals + 1 + (old[equals + 1..].len() - old[equals + 1..].trim_start_matches([' ', '\t']).len());
    // What is indented below belongs to the value.
    let more =
        lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty()).count();
    let word = new.split_once(" = ")?.1;
    let kept = &old[..value_at.min(old.trim_end_matches(['\r', '\n']).len())];
    Some([&lines[..at].concat(), kept, word, &lines[at + 1 + more..].concat()].concat())
}

/// Returns the text with a line more at the end of its section, which is there if `end` is.
fn added(lines: &[&str], section: &str, end: Option<usize>, line: &str) -> Option<String> {
    let with_end = |text: String| if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" };
    match end {
        Some(end) => Some(with_end(lines[..end].concat()) + line + &lines[end..].concat()),
        None if section.contains([']', '\n']) => None,
        None => {
            let text = with_end(lines.concat());
            let space = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
            Some(format!("{text}{space}[{section}]\n{line}"))
        }
    }
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
        let text = "[DEFAULT]\nx = 1\n\n[train]\nlr = 0.1\nPath: C:\\tmp\\\nname = 'a b'\n\n[empty]\n";
        let config = read(text).unwrap();
        let expected = json!({"x": "1", "train": {"lr": "0.1", "path": "C:\\tmp\\", "name": "'a b'"}, "empty": {}});
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
        let added = |name: &str| edited(text, &[(name.to_owned(), json!(1))]).unwrap();
        assert_eq!(added("train.new"), format!("{text}new = 1\n"));
        assert_eq!(added("y"), text.replacen("x=1\n", "x=1\ny = 1\n", 1));
        assert_eq!(added("more.z"), format!("{text}\n[more]\nz = 1\n"));
    }

    #[test]
    fn what_has_no_place_is_refused() {
        assert_eq!(read("x = 1\n[a]\n").unwrap_err(), "the setting 'x' stands before the first section");
        assert!(write(&json!({"a": {"b": {"c": 1}}})).unwrap_err().contains("no sections in sections"));
        assert!(write(&json!({"a": {"b=c": 1}})).unwrap_err().contains("cannot be named 'b=c'"));
        assert!(write(&json!({"a]": {}})).unwrap_err().contains("cannot be named 'a]'"));
    }
}
