//! Settings in TOML. What is changed is changed in the text, so that comments and the order of things stay.

use serde_json::{Map, Number, Value};
use toml_edit::{DocumentMut, Item, Table, TableLike};

use crate::model;
use crate::operation::scalar::any_float;

/// Reads a document. A date is a text.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..text.floor_char_boundary(span.start)].matches('\n').count() + 1);
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("{line}{}", error.message())
    })?;
    Ok(as_json(toml::Value::Table(table)))
}

fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => any_float(number),
        toml::Value::Boolean(boolean) => Value::Bool(boolean),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(as_json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(name, value)| (name, as_json(value))).collect::<Map<_, _>>())
        }
    }
}

/// Returns the text with settings of other values, by their dotted names, and otherwise as it is; `None` where one of them
/// has no place in it, or no word in TOML.
pub(super) fn edited(text: &str, settings: &[(String, Value)]) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    for (name, value) in settings {
        set(document.as_table_mut(), name, of_json(value)?)?;
    }
    Some(document.to_string())
}

fn set(table: &mut dyn TableLike, name: &str, mut value: toml_edit::Value) -> Option<()> {
    if let Some((first, rest)) = name.split_once('.') {
        let inner = table.entry(first).or_insert_with(|| Item::Table(Table::new()));
        return set(inner.as_table_like_mut()?, rest, value);
    }
    match table.get_mut(name) {
        Some(Item::Value(present)) => {
            // What stands around the old value, a comment behind it too, stands around the new one.
            *value.decor_mut() = present.decor().clone();
            *present = value;
        }
        Some(_) => return None,
        None => drop(table.insert(name, Item::Value(value))),
    }
    Some(())
}

fn of_json(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(boolean) => (*boolean).into(),
        Value::Number(number) => of_number(number)?,
        Value::String(text) => text.into(),
        Value::Array(items) => items.iter().map(of_json).collect::<Option<toml_edit::Array>>()?.into(),
        Value::Object(items) => match model::Value::beyond_json(value) {
            Some(model::Value::Float(number)) => number.into(),
            Some(_) => return None,
            None => {
                let items = items.iter().map(|(name, value)| Some((name.as_str(), of_json(value)?)));
                items.collect::<Option<toml_edit::InlineTable>>()?.into()
            }
        },
    })
}

fn of_number(number: &Number) -> Option<toml_edit::Value> {
    match number.as_i64() {
        Some(whole) => Some(whole.into()),
        None if number.is_u64() => None,
        None => number.as_f64().map(Into::into),
    }
}

/// Returns the text of a mapping. What is null is left out, since TOML has no word for it.
pub(super) fn write(value: &Value) -> Result<String, String> {
    toml::to_string(&without_nulls(value)).map_err(|error| error.to_string())
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(without_nulls).collect(),
        Value::Object(items) => {
            let items = items.iter().filter(|(_, item)| !item.is_null());
            Value::Object(items.map(|(name, item)| (name.clone(), without_nulls(item))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_changed_is_changed_in_its_place() {
        let text = "# all\nlr = 0.1 # the rate\nname = 'x'\n\n[opt] # inner\nbeta = [1, 2]\nwhen = 2024-01-01\n[opt.in]\nx = true\n";
        let settings =
            [("lr", json!(1e-5)), ("opt.beta", json!([3, 4.5])), ("opt.in.x", json!(false)), ("new.a", json!("b"))]
                .map(|(name, value)| (name.to_owned(), value));
        let changed = edited(text, &settings).unwrap();
        let expected = "# all\nlr = 0.00001 # the rate\nname = 'x'\n\n[opt] # inner\nbeta = [3, 4.5]\nwhen = 2024-01-01\n[opt.in]\nx = false\n\n[new]\na = \"b\"\n";
        assert_eq!(changed.replace("1e-5", "0.00001"), expected);
        let read = read(&changed).unwrap();
        assert_eq!(read["opt"], json!({"beta": [3, 4.5], "when": "2024-01-01", "in": {"x": false}}));
    }

    #[test]
    fn what_has_no_place_or_no_word_is_not_written() {
        let with = |name: &str, value: Value| edited("a = 1\n[b]\nc = 2\n", &[(name.to_owned(), value)]);
        assert_eq!(with("a.b", json!(1)), None);
        assert_eq!(with("b", json!(1)), None);
        assert_eq!(with("a", json!(null)), None);
        assert_eq!(with("a", json!(u64::MAX)), None);
        assert_eq!(with("a", any_float(f64::INFINITY)).as_deref(), Some("a = inf\n[b]\nc = 2\n"));
    }

    #[test]
    fn values_come_back_as_they_were() {
        let value = json!({"a": 1, "b": [1, 2.5, "x"], "c": {"d": true, "e": null}});
        let text = write(&value).unwrap();
        assert_eq!(read(&text).unwrap(), json!({"a": 1, "b": [1, 2.5, "x"], "c": {"d": true}}));
    }
}
