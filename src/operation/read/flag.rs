//! Flags as they are written in a definition.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Checked, Data, Entry, Fields, Mistake, Node, Spelling, name_of};
use crate::model::{Place, nearest};
use crate::operation::{Choice, Flag, FlagType};

/// The types of flags by name.
pub(crate) const FLAG_TYPES: [(&str, FlagType); 8] = [
    ("string", FlagType::Text),
    ("int", FlagType::Int),
    ("float", FlagType::Float),
    ("number", FlagType::Number),
    ("boolean", FlagType::Boolean),
    ("auto", FlagType::Auto),
    ("path", FlagType::Path),
    ("existing-path", FlagType::ExistingPath),
];

/// The attributes of a flag.
pub(super) const KNOWN: &[&str] = &[
    "default",
    "description",
    "type",
    "required",
    "choices",
    "allow-other",
    "min",
    "max",
    "alias",
    "arg-name",
    "arg-skip",
    "arg-switch",
    "arg-split",
    "arg-encoding",
    "env-encoding",
    "env-name",
    "null-label",
    "distribution",
];

/// The attributes of a choice.
pub(super) const CHOICE: &[&str] = &["value", "description", "alias", "flags"];

/// Reads the flags of an operation: by name a default, or a mapping of attributes.
pub(crate) fn flags(
    fields: &Fields<'_>,
    spelling: Spelling,
    remarks: &mut Vec<Mistake>,
) -> Checked<BTreeMap<String, Flag>> {
    let entries = match fields.get("flags") {
        Some(node) => match &node.data {
            Data::Map(entries) => entries.as_slice(),
            Data::List(_) => {
                let text = "flags must be a mapping of names and defaults, got a list; write 'NAME: DEFAULT' lines";
                let text = if spelling == Spelling::Lua {
                    text.replace("'NAME: DEFAULT' lines", "NAME = DEFAULT")
                } else {
                    text.to_owned()
                };
                return Err(Mistake::at(&node.place, text));
            }
            _ => return Err(fields.wrong("flags", "a mapping of names and defaults", node)),
        },
        None => &[],
    };
    let mut flags = BTreeMap::new();
    for entry in entries {
        let name = name_of(entry, "a flag")?;
        check_name(name, &entry.place, spelling, remarks)?;
        flags.insert(name.to_owned(), flag(entry, name, spelling, remarks)?);
    }
    let names: Vec<String> = flags.keys().cloned().collect();
    for entry in entries {
        let alias = flags.get(&entry.key).and_then(|flag| flag.alias.clone());
        if let Some(alias) = alias.filter(|alias| names.contains(alias) && *alias != entry.key) {
            let text = format!("the alias '{alias}' of flag '{}' is another flag", entry.key);
            return Err(Mistake::at(&entry.place, text));
        }
    }
    Ok(flags)
}

/// Checks that a user can write `NAME=VALUE`. Guild takes any name.
fn check_name(name: &str, place: &Place, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<()> {
    let shown = name.escape_debug();
    if name.is_empty() || name.contains('\0') {
        return Err(Mistake::at(place, format!("'{shown}' is no name of a flag: a user writes NAME=VALUE")));
    }
    if !name.contains(|c: char| c == '=' || c.is_whitespace()) {
        return Ok(());
    }
    if spelling == Spelling::Lua {
        return Err(Mistake::at(place, format!("'{shown}' is no name of a flag: a user writes NAME=VALUE")));
    }
    let hint = match name.contains('=') {
        true => "no user can set it by NAME=VALUE".to_owned(),
        false => format!("a user writes it in quotes: '{shown}=VALUE'"),
    };
    remarks.push(Mistake::at(place, format!("'{shown}' is an odd name of a flag: {hint}")));
    Ok(())
}

/// What `no` takes away, as if nothing were said.
const OFF: [&str; 10] = [
    "description",
    "type",
    "alias",
    "arg-name",
    "arg-encoding",
    "env-encoding",
    "env-name",
    "choices",
    "distribution",
    "references",
];

fn flag(entry: &Entry, name: &str, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Flag> {
    let place = Some(entry.place.clone());
    // An empty mapping is a flag without attributes, an empty list a default.
    let Data::Map(_) = &entry.value.data else {
        return Ok(Flag { default: default(&entry.value, name)?, place, ..Flag::default() });
    };
    let what = format!("flag '{name}'");
    let node = match spelling {
        Spelling::Guild => &entry.value.without_off(&OFF, &what, remarks),
        Spelling::Lua => &entry.value,
    };
    let fields = Fields::of(node, &what, spelling)?;
    let extra: Map<String, Value> =
        fields.others(KNOWN, remarks)?.into_iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect();
    let min = fields.number("min")?;
    let max = fields.number("max")?;
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        return Err(Mistake::at(fields.place(), format!("flag '{name}' has min {min}, which is more than max {max}")));
    }
    Ok(Flag {
        default: fields.get("default").map_or(Ok(Value::Null), |node| default(node, name))?,
        description: fields.text("description")?.unwrap_or_default().trim().to_owned(),
        kind: kind(&fields, remarks)?,
        required: fields.boolean("required")?.unwrap_or(false),
        choices: choices(&fields, name, spelling, remarks)?,
        allow_other: fields.boolean("allow-other")?.unwrap_or(false),
        min,
        max,
        alias: fields.text("alias")?,
        arg_name: fields.text("arg-name")?,
        arg_skip: fields.boolean("arg-skip")?,
        arg_switch: fields.value("arg-switch"),
        arg_split: arg_split(&fields)?,
        arg_encoding: encoding(&fields, "arg-encoding")?,
        env_encoding: encoding(&fields, "env-encoding")?,
        env_name: fields.text("env-name")?,
        null_label: fields.value("null-label"),
        distribution: fields.text("distribution")?,
        extra,
        place,
    })
}

/// Reads a value that a flag has: a scalar, or a list of them for a batch.
fn default(node: &Node, name: &str) -> Checked<Value> {
    match &node.data {
        Data::Map(entries) if !entries.is_empty() => {
            Err(Mistake::at(&node.place, format!("flag '{name}' cannot have {} as its default", node.shown())))
        }
        _ => Ok(node.to_value()),
    }
}

fn kind(fields: &Fields<'_>, remarks: &mut Vec<Mistake>) -> Checked<Option<FlagType>> {
    let Some(name) = fields.text("type")? else { return Ok(None) };
    if let Some((_, kind)) = FLAG_TYPES.iter().find(|(known, _)| *known == name) {
        return Ok(Some(*kind));
    }
    let names: Vec<&str> = FLAG_TYPES.iter().map(|(name, _)| *name).collect();
    let near = match name.as_str() {
        "str" | "text" => Some("string"),
        "integer" => Some("int"),
        "bool" => Some("boolean"),
        "double" | "real" => Some("float"),
        "file" => Some("path"),
        other => nearest(other, names.iter().copied()),
    };
    let hint =
        near.map_or_else(|| format!("the types are {}", names.join(", ")), |near| format!("did you mean '{near}'?"));
    let place = fields.get("type").map_or(fields.place(), |node| &node.place);
    let text = format!("'{name}' is no type of a flag; {hint}");
    if fields.is_lua() {
        return Err(Mistake::at(place, text));
    }
    remarks.push(Mistake::at(place, format!("{text} It is taken for 'auto'")));
    Ok(None)
}

fn choices(fields: &Fields<'_>, name: &str, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Vec<Choice>> {
    let Some(node) = fields.get("choices") else { return Ok(Vec::new()) };
    match &node.data {
        Data::List(items) => items.iter().map(|item| choice(item, name, spelling, remarks)).collect(),
        Data::Map(entries) if entries.is_empty() => Ok(Vec::new()),
        _ => Err(fields.wrong("choices", "a list of values", node)),
    }
}

fn choice(node: &Node, name: &str, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Choice> {
    let Data::Map(_) = &node.data else { return Ok(Choice { value: node.to_value(), ..Choice::default() }) };
    let what = format!("a choice of flag '{name}'");
    let fields = Fields::of(node, &what, spelling)?;
    let before = remarks.len();
    fields.refuse_unknown(CHOICE, remarks)?;
    let Some(value) = fields.entry("value") else {
        if remarks.len() > before {
            return Err(remarks.swap_remove(before));
        }
        return Err(Mistake::at(&node.place, format!("{what} has no value; write 'value'")));
    };
    let flags = fields.mapping("flags")?;
    let flags = flags.iter().map(|entry| Ok((name_of(entry, "a flag")?.to_owned(), entry.value.to_value())));
    Ok(Choice {
        value: value.value.to_value(),
        description: fields.text("description")?.unwrap_or_default().trim().to_owned(),
        alias: fields.text("alias")?,
        flags: flags.collect::<Checked<_>>()?,
    })
}

fn arg_split(fields: &Fields<'_>) -> Checked<Option<Value>> {
    match fields.get("arg-split") {
        None => Ok(None),
        Some(node) => match &node.data {
            Data::Bool(false) => Ok(None),
            Data::Bool(true) => Ok(Some(Value::Bool(true))),
            Data::Text(text) if text == "shlex" => Ok(Some(Value::Bool(true))),
            Data::Text(text) => Ok(Some(Value::String(text.clone()))),
            _ => Err(fields.wrong("arg-split", "yes, or the text between two arguments", node)),
        },
    }
}

/// Reads the texts that stand for values. A key is the text of the value.
fn encoding(fields: &Fields<'_>, name: &str) -> Checked<Map<String, Value>> {
    Ok(fields.mapping(name)?.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
}
