//! The flags of a run: what the user typed, what the definition says, and what an earlier run had, put together.
//!
//! [`assignments`] reads the words of a command line, [`resolve`] gives every flag its value.

mod check;
mod decode;
mod error;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

pub(crate) use error::FlagError;
pub(crate) use text::{edit_text, read_edited, test_text};

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
    /// What the user should know.
    pub(crate) notices: Vec<Notice>,
}

/// Reads words as flags, `NAME=VALUE`. A flag may be named like an option.
pub(crate) fn assignments<S: AsRef<str>>(words: &[S]) -> Result<Vec<(String, String)>, FlagError> {
    let mut pairs = Vec::new();
    let mut wrong = Vec::new();
    for word in words.iter().map(AsRef::as_ref) {
        match word.split_once('=') {
            _ if word.starts_with('@') => return Err(FlagError::BatchFile(word[1..].to_owned())),
            Some((name, value)) if !name.trim().is_empty() => pairs.push((name.to_owned(), value.to_owned())),
            _ => wrong.push(word.to_owned()),
        }
    }
    if wrong.is_empty() {
        return Ok(pairs);
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
    for (name, text) in &given {
        decoded.insert(name.clone(), decode_flag(name, text, flags.get(name), &resources, context)?);
    }
    let forced = unknown(context, &given, &resources)?;
    let mut values = decoded.clone();
    for (name, flag) in flags {
        values.entry(name.clone()).or_insert_with(|| flag.default.clone());
    }
    let chosen = check::check(context, &mut values, &decoded)?;
    let user: FlagValues = decoded.keys().filter_map(|name| Some((name.clone(), values.get(name)?.clone()))).collect();
    if let Some(stored) = context.stored {
        for (name, value) in stored {
            // What the user's choice sets is the user's wish.
            if !user.contains_key(name) && !chosen.contains(name) {
                values.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(Resolved { values, user, forced, notices: Vec::new() })
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

fn decode_flag(
    name: &str,
    text: &str,
    flag: Option<&Flag>,
    resources: &BTreeSet<String>,
    context: Context<'_>,
) -> Result<Value, FlagError> {
    let kind = match flag {
        Some(flag) => flag.kind.unwrap_or(FlagType::Auto),
        // The id of a run is no number, whatever it looks like.
        None if resources.contains(name) => FlagType::Text,
        None => FlagType::Auto,
    };
    match decode(text, kind, context.home) {
        Decoded::One(value) => Ok(value),
        Decoded::Many => Err(FlagError::Batch(name.to_owned())),
        Decoded::Unknown(function, meant) => Err(FlagError::UnknownFunction { flag: name.to_owned(), function, meant }),
    }
}

/// Returns the names that nothing defines, or an error for the first of them.
fn unknown(
    context: Context<'_>,
    given: &BTreeMap<String, String>,
    resources: &BTreeSet<String>,
) -> Result<Vec<String>, FlagError> {
    let operation = context.operation;
    let is_known = |name: &String| operation.flags.contains_key(name) || resources.contains(name);
    let names: Vec<String> = given.keys().filter(|name| !is_known(name)).cloned().collect();
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
