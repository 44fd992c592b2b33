//! The flags of a run: what the user typed, what the definition says, and what an earlier run had, put together.
//!
//! [`assignments`] reads the words of a command line, [`resolve`] gives every flag its value.

mod check;
mod decode;
mod error;
mod sequence;
mod spread;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

pub(crate) use error::FlagError;
pub(crate) use spread::{Range, Search, Spread};
pub(crate) use text::{edit_text, read_edited, test_text, word_of};

pub(super) use check::{is_equal, split_parts};

use super::{Flag, FlagType, FlagValues, Notice, Operation, Origin, Resource};
use crate::model::nearest;
use decode::{Decoded, decode};

/// What flags are resolved from, beside the user's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The definition.
    pub(crate) operation: &'a Operation,
    /// The flags of the run that is started again.
    pub(crate) stored: Option<&'a FlagValues>,
    /// Whether whatever the user gives is taken.
    pub(crate) force: bool,
    /// The absolute folder that a user's paths are relative to.
    pub(crate) cwd: &'a Path,
    /// What `~` is.
    pub(crate) home: Option<&'a Path>,
}

/// The flags of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// All of them.
    pub(crate) values: FlagValues,
    /// Those that the user gave.
    pub(crate) user: FlagValues,
    /// Names that the definition does not have, taken by force: each is passed as an argument too.
    pub(crate) forced: Vec<String>,
    /// The flags that have more than one value: those of a batch. In `values` they are as they were written.
    pub(crate) spread: BTreeMap<String, Spread>,
    /// What the user should know.
    pub(crate) notices: Vec<Notice>,
}

/// Words of a command line as flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignments {
    /// Names and the texts of their values, in the order in which they were given.
    pub(crate) flags: Vec<(String, String)>,
    /// Files of trials: `@trials.csv`.
    pub(crate) files: Vec<String>,
}

/// Reads words as flags, `NAME=VALUE`, and as files of trials, `@FILE`. A flag may be named like an option.
pub(crate) fn assignments<S: AsRef<str>>(words: &[S]) -> Result<Assignments, FlagError> {
    let mut found = Assignments::default();
    let mut wrong = Vec::new();
    for word in words.iter().map(AsRef::as_ref) {
        match word.split_once('=') {
            _ if word.len() > 1 && word.starts_with('@') => found.files.push(word[1..].to_owned()),
            Some((name, value)) if !name.trim().is_empty() => found.flags.push((name.to_owned(), value.to_owned())),
            _ => wrong.push(word.to_owned()),
        }
    }
    if wrong.is_empty() {
        return Ok(found);
    }
    // `lr 0.1`
    let hint = match words {
        [.., name, _] if wrong.len() == 2 && words.len() == 2 => {
            let (name, value) = (name.as_ref(), wrong[1].as_str());
            Some(format!("Write '{name}={value}' to set a flag."))
        }
        _ => None,
    };
    Err(FlagError::NoAssignment { words: wrong, hint })
}

/// Returns the names by which a user chooses other sources of these resources.
pub(crate) fn resource_flags(resources: &[Resource]) -> BTreeSet<String> {
    resources.iter().flat_map(Resource::flag_names).collect()
}

/// Gives every flag its value: the user's, else the stored one, else the default; each checked and of its type.
pub(crate) fn resolve(context: Context<'_>, user: &[(String, String)]) -> Result<Resolved, FlagError> {
    let flags = &context.operation.flags;
    let resources = resource_flags(&context.operation.requires);
    let given = by_name(context, user)?;
    let mut decoded = FlagValues::new();
    let mut spread = BTreeMap::new();
    for (name, text) in &given {
        let (value, many) = decode_flag(name, text, flags.get(name), &resources, context)?;
        decoded.insert(name.clone(), value);
        spread.extend(many.map(|many| (name.clone(), many)));
    }
    let forced = unknown(context, given.keys(), &resources)?;
    let mut values = decoded.clone();
    for (name, flag) in flags {
        if values.contains_key(name) {
            continue;
        }
        values.insert(name.clone(), flag.default.clone());
        // A list that a run was started with is its value, and none of a batch.
        let is_stored = context.stored.is_some_and(|stored| stored.contains_key(name));
        if let Some(many) = decode::spread_of_default(&flag.default, context.home).filter(|_| !is_stored) {
            spread.insert(name.clone(), many);
        }
    }
    check::check_spread(context, &mut values, &mut spread, &decoded)?;
    let chosen = check::check(context, &mut values, &decoded, &spread)?;
    let user: FlagValues = decoded.keys().filter_map(|name| Some((name.clone(), values.get(name)?.clone()))).collect();
    if let Some(stored) = context.stored {
        for (name, value) in stored {
            // What the user's choice sets is the user's wish.
            if !user.contains_key(name) && !chosen.contains(name) {
                values.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(Resolved { values, user, forced, spread, notices: Vec::new() })
}

/// What a file of trials says of one of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// Values by the names of flags.
    pub(crate) values: FlagValues,
    /// Those that have more than one value.
    pub(crate) spread: BTreeMap<String, Spread>,
    /// Names that the definition does not have, taken by force.
    pub(crate) forced: Vec<String>,
}

/// A value in a file of trials.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Text, to be read as on the command line.
    Text(String),
    /// A value.
    Value(Value),
}

/// Reads what a file says of one trial, each value checked and of its type.
pub(crate) fn row(context: Context<'_>, cells: Vec<(String, Cell)>) -> Result<Row, FlagError> {
    let flags = &context.operation.flags;
    let resources = resource_flags(&context.operation.requires);
    let mut row = Row::default();
    for (name, cell) in cells {
        let aliased = |flag: &Flag| flag.alias.as_ref() == Some(&name);
        let name = match flags.iter().find(|(_, flag)| aliased(flag)).filter(|_| !flags.contains_key(&name)) {
            Some((known, _)) => known.clone(),
            None => name,
        };
        let (value, many) = match cell {
            Cell::Text(text) => decode_flag(&name, &text, flags.get(&name), &resources, context)?,
            Cell::Value(value) => {
                let many = decode::spread_of_default(&value, context.home);
                (value, many)
            }
        };
        row.spread.extend(many.map(|many| (name.clone(), many)));
        row.values.insert(name, value);
    }
    row.forced = unknown(context, row.values.keys(), &resources)?;
    let given = row.values.clone();
    check::check_spread(context, &mut row.values, &mut row.spread, &given)?;
    check::check_given(context, &mut row.values, &row.spread)?;
    Ok(row)
}

/// Returns what the kept value of a flag of a batch stands for, where that is more than one.
pub(crate) fn spread_of(value: &Value) -> Option<Spread> {
    decode::spread_of_default(value, None)
}

/// Returns the values of one trial: those that are common to all, and its own, with what goes with its choices.
pub(crate) fn trial(operation: Option<&Operation>, resolved: &Resolved, own: &FlagValues) -> FlagValues {
    let mut values = resolved.values.clone();
    values.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut given = resolved.user.clone();
    given.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    if let Some(operation) = operation {
        check::apply_choices(&operation.flags, &mut values, &given);
    }
    values
}

/// Returns the user's texts by the names of the flags: aliases replaced, the last one counts.
fn by_name(context: Context<'_>, user: &[(String, String)]) -> Result<BTreeMap<String, String>, FlagError> {
    let mut given: BTreeMap<String, String> = user.iter().cloned().collect();
    for (name, flag) in &context.operation.flags {
        let Some(alias) = flag.alias.as_ref().filter(|alias| *alias != name) else { continue };
        // A flag of its own may have that name.
        if !given.contains_key(alias) || context.operation.flags.contains_key(alias) {
            continue;
        }
        if given.contains_key(name) {
            if context.force {
                continue;
            }
            return Err(FlagError::AliasAndName { alias: alias.clone(), name: name.clone() });
        }
        if let Some(text) = given.remove(alias) {
            given.insert(name.clone(), text);
        }
    }
    Ok(given)
}

/// Returns the value of a flag as it is kept, and the values that it stands for where they are several.
fn decode_flag(
    name: &str,
    text: &str,
    flag: Option<&Flag>,
    resources: &BTreeSet<String>,
    context: Context<'_>,
) -> Result<(Value, Option<Spread>), FlagError> {
    let kind = match flag {
        Some(flag) => flag.kind.unwrap_or(FlagType::Auto),
        // The id of a run is no number, whatever it looks like.
        None if resources.contains(name) => FlagType::Text,
        None => FlagType::Auto,
    };
    match decode(text, kind, context.home) {
        Decoded::One(value) => Ok((value, None)),
        Decoded::Many(many) => Ok((many.as_value(), Some(many))),
        Decoded::Wrong(what) => Err(FlagError::Spread { flag: name.to_owned(), what }),
    }
}

/// Returns the names that nothing defines, or an error for the first of them.
fn unknown<'a>(
    context: Context<'_>,
    given: impl Iterator<Item = &'a String>,
    resources: &BTreeSet<String>,
) -> Result<Vec<String>, FlagError> {
    let operation = context.operation;
    let is_known = |name: &String| operation.flags.contains_key(name) || resources.contains(name);
    let names: Vec<String> = given.filter(|name| !is_known(name)).cloned().collect();
    match names.first().filter(|_| !context.force) {
        None => Ok(names),
        Some(name) => {
            let aliases = operation.flags.values().filter_map(|flag| flag.alias.as_deref());
            let known = operation.flags.keys().chain(resources).map(String::as_str).chain(aliases);
            Err(FlagError::Unsupported {
                name: name.clone(),
                operation: operation.full_name(),
                meant: nearest(name, known).map(str::to_owned),
                is_script: matches!(operation.origin, Origin::Script(_)),
            })
        }
    }
}

#[cfg(test)]
mod tests;
