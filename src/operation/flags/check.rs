//! What a definition says of the values of its flags: type, choices, range, whether there must be one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::super::encode::{as_argument, as_shown, join, split};
use super::super::scalar::{as_number, is_number};
use super::super::{Choice, Flag, FlagType, FlagValues};
use super::decode::{coerce, type_name};
use super::spread::{Spread, SpreadError};
use super::{Context, FlagError};
use crate::model::nearest;

/// Makes every value one of its flag's type, and checks it. Returns the names of flags that a choice of the user set.
pub(super) fn check(
    context: Context<'_>,
    values: &mut FlagValues,
    user: &FlagValues,
    spread: &BTreeMap<String, Spread>,
) -> Result<BTreeSet<String>, FlagError> {
    check_values(context, values, user, spread)?;
    let chosen = apply_choices(&context.operation.flags, values, user);
    if !context.force {
        check_required(context, values)?;
    }
    Ok(chosen)
}

/// Does so with values that are not all of a run's.
pub(super) fn check_given(
    context: Context<'_>,
    values: &mut FlagValues,
    spread: &BTreeMap<String, Spread>,
) -> Result<(), FlagError> {
    let given = values.clone();
    check_values(context, values, &given, spread)
}

/// Does so with each of the values that flags stand for, and keeps them in place of those that were written.
pub(super) fn check_spread(
    context: Context<'_>,
    values: &mut FlagValues,
    spread: &mut BTreeMap<String, Spread>,
    user: &FlagValues,
) -> Result<(), FlagError> {
    for (name, many) in spread {
        let Spread::List(list) = many else { continue };
        if list.is_empty() {
            return Err(FlagError::Spread { flag: name.clone(), what: SpreadError::Empty("[]".to_owned()) });
        }
        if let Some(flag) = context.operation.flags.get(name) {
            let is_user = user.contains_key(name);
            for value in list.iter_mut() {
                match checked(name, flag, value, is_user, context) {
                    Ok(checked) => *value = checked,
                    Err(_) if context.force => {}
                    Err(error) => return Err(error),
                }
            }
        }
        values.insert(name.clone(), many.as_value());
    }
    Ok(())
}

fn check_values(
    context: Context<'_>,
    values: &mut FlagValues,
    user: &FlagValues,
    spread: &BTreeMap<String, Spread>,
) -> Result<(), FlagError> {
    for (name, flag) in context.operation.flags.iter().filter(|(name, _)| !spread.contains_key(*name)) {
        let is_user = user.contains_key(name);
        let Some(value) = values.get(name).cloned() else { continue };
        match checked(name, flag, &value, is_user, context) {
            Ok(value) => values.insert(name.clone(), value),
            // Forced, it stays as it is.
            Err(_) if context.force => None,
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

/// Returns a value as its flag has it.
fn checked(name: &str, flag: &Flag, value: &Value, is_user: bool, context: Context<'_>) -> Result<Value, FlagError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let base = if is_user { context.cwd } else { &context.operation.project };
    let one = |value: &Value| checked_one(name, flag, value, base, context);
    match flag.arg_split.as_ref().filter(|split| **split != Value::Bool(false)) {
        None => one(value),
        Some(by) => {
            let text = value.as_str().map_or_else(|| as_shown(value), str::to_owned);
            let invalid = |reason: &str| FlagError::Invalid {
                name: name.to_owned(),
                value: text.clone(),
                reason: reason.to_owned(),
            };
            let parts = split_parts(&text, by).map_err(invalid)?;
            let kind = flag.kind.unwrap_or(FlagType::Auto);
            let parts: Vec<Value> = parts
                .iter()
                .map(|part| match super::decode(part, kind, context.home) {
                    super::Decoded::One(value) => one(&value),
                    _ => one(&Value::from(part.as_str())),
                })
                .collect::<Result<_, _>>()?;
            // Nothing was read out of the parts that would be lost by joining them.
            if matches!(kind, FlagType::Auto) {
                return Ok(value.clone());
            }
            let texts: Vec<String> = parts.iter().map(as_argument).collect();
            Ok(Value::from(match by.as_str().filter(|by| *by != "shlex") {
                Some(by) => texts.join(by),
                None => join(&texts),
            }))
        }
    }
}

/// Returns the parts of a value that is passed as several arguments.
pub(in super::super) fn split_parts(text: &str, by: &Value) -> Result<Vec<String>, &'static str> {
    match by.as_str().filter(|by| *by != "shlex" && !by.is_empty()) {
        Some(by) => Ok(text.split(by).filter(|part| !part.is_empty()).map(str::to_owned).collect()),
        None => match by {
            Value::Bool(_) | Value::String(_) => split(text),
            // `arg-split: 1` splits at the digit.
            other => Ok(text.split(&as_argument(other)).filter(|part| !part.is_empty()).map(str::to_owned).collect()),
        },
    }
}

fn checked_one(name: &str, flag: &Flag, value: &Value, base: &Path, context: Context<'_>) -> Result<Value, FlagError> {
    let kind = flag.kind.unwrap_or(FlagType::Auto);
    let invalid = |reason: String| {
        let value = value.as_str().map_or_else(|| as_shown(value), str::to_owned);
        FlagError::Invalid { name: name.to_owned(), value, reason }
    };
    // An alias is a text of its own, whatever the type.
    if let Some(choice) = flag.choices.iter().find(|choice| is_alias(choice, value)) {
        return coerce(&choice.value, kind, base, context.home).map_err(invalid);
    }
    let value = coerce(value, kind, base, context.home).map_err(invalid)?;
    check_choice(name, flag, &value, kind, base, context)?;
    if kind == FlagType::ExistingPath
        && let Some(path) = value.as_str().filter(|path| !path.is_empty())
        && !Path::new(path).exists()
    {
        return Err(invalid(format!("{path} does not exist")));
    }
    check_range(flag, &value, kind).map_err(invalid)?;
    Ok(value)
}

fn is_alias(choice: &Choice, value: &Value) -> bool {
    choice
        .alias
        .as_ref()
        .is_some_and(|alias| value.as_str() == Some(alias) || (!value.is_string() && as_shown(value) == *alias))
}

fn check_choice(
    name: &str,
    flag: &Flag,
    value: &Value,
    kind: FlagType,
    base: &Path,
    context: Context<'_>,
) -> Result<(), FlagError> {
    if flag.choices.is_empty() || flag.allow_other || value.as_str() == Some("") {
        return Ok(());
    }
    let is_same = |choice: &Choice| {
        let other = coerce(&choice.value, kind, base, context.home);
        is_equal(value, &choice.value) || other.is_ok_and(|other| is_equal(value, &other))
    };
    if flag.choices.iter().any(is_same) {
        return Ok(());
    }
    let shown = as_argument(value);
    let choices: Vec<(String, String)> =
        flag.choices.iter().map(|choice| (as_shown(&choice.value), choice.description.clone())).collect();
    let aliases = flag.choices.iter().filter_map(|choice| choice.alias.as_deref());
    let meant = nearest(&shown, choices.iter().map(|(value, _)| value.as_str()).chain(aliases)).map(str::to_owned);
    Err(FlagError::Choice { name: name.to_owned(), value: shown, choices, meant })
}

/// Returns whether two values are the same to Python: 1 is 1.0.
pub(in super::super) fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        _ if one == other => true,
        _ if is_number(one) && is_number(other) => as_number(one) == as_number(other),
        _ => false,
    }
}

fn check_range(flag: &Flag, value: &Value, kind: FlagType) -> Result<(), String> {
    if flag.min.is_none() && flag.max.is_none() {
        return Ok(());
    }
    let number = as_number(value).or_else(|| super::super::scalar::python_float(value.as_str()?));
    let Some(number) = number else {
        let limit = if flag.min.is_some() { "min" } else { "max" };
        return Err(match kind {
            FlagType::Auto => format!("not a number, and the flag has a {limit}"),
            _ => format!("a flag of type '{}' cannot have a {limit}", type_name(kind)),
        });
    };
    // Not a number is in no range.
    if let Some(min) = flag.min.filter(|min| number < *min || number.is_nan()) {
        return Err(format!("out of range (less than min {min})"));
    }
    match flag.max.filter(|max| number > *max) {
        Some(max) => Err(format!("out of range (greater than max {max})")),
        None => Ok(()),
    }
}

/// Sets the flags that go with the values chosen, unless the user set them. Returns those that go with a choice of the
/// user.
pub(super) fn apply_choices(
    flags: &BTreeMap<String, Flag>,
    values: &mut FlagValues,
    user: &FlagValues,
) -> BTreeSet<String> {
    let mut chosen = BTreeSet::new();
    for (name, flag) in flags {
        let Some(value) = values.get(name).filter(|value| !value.is_null()).cloned() else { continue };
        let Some(choice) = flag.choices.iter().find(|choice| is_equal(&choice.value, &value)) else { continue };
        for (other, setting) in &choice.flags {
            if user.get(other).is_none_or(Value::is_null) {
                values.insert(other.clone(), setting.clone());
                if user.contains_key(name) {
                    chosen.insert(other.clone());
                }
            }
        }
    }
    chosen
}

fn check_required(context: Context<'_>, values: &FlagValues) -> Result<(), FlagError> {
    let stored = |name: &str| context.stored.and_then(|stored| stored.get(name));
    let is_missing = |value: Option<&Value>| value.is_none_or(|value| value.is_null() || value.as_str() == Some(""));
    let missing = context
        .operation
        .flags
        .iter()
        .filter(|(name, flag)| flag.required && is_missing(values.get(*name)) && is_missing(stored(name)));
    let flags: Vec<(String, String)> = missing.map(|(name, flag)| (name.clone(), flag.description.clone())).collect();
    if flags.is_empty() { Ok(()) } else { Err(FlagError::Missing { flags }) }
}
