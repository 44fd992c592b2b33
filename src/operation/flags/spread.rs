//! A flag with more than one value: a list of them, or a range that a search draws them from.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::super::guildfile::parse_yaml;
use super::super::read::{Data, Node};
use super::super::scalar::{as_number, python_float};
use super::sequence::{Length, sequence};
use crate::model::nearest;

/// Functions that stand for a list of values, with the fewest and the most arguments that they take.
const LISTS: [(&str, usize, usize); 4] = [("range", 1, 3), ("linspace", 2, 3), ("geomspace", 2, 3), ("logspace", 2, 4)];

/// Functions that stand for a range that a search draws values from.
const SEARCHES: [(&str, usize, usize); 2] = [("uniform", 2, 3), ("loguniform", 2, 3)];

/// How often a list may be repeated, and how many values a list may have.
pub(super) const MOST_VALUES: usize = 1_000_000;

/// Why a flag cannot have the values that it is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpreadError {
    /// A list without a value.
    #[error("{0} stands for no value")]
    Empty(String),
    /// A list that is too long.
    #[error("{0} stands for more than {MOST_VALUES} values")]
    Long(String),
    /// A function is given what it cannot take.
    #[error("invalid function args in '{call}': {what}")]
    Arguments {
        /// The call.
        call: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A function that does not exist.
    #[error("unknown function '{function}'")]
    Unknown {
        /// Its name.
        function: String,
        /// What may be meant.
        meant: &'static str,
    },
}

/// The values of a flag, where it has more than one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Spread {
    /// These, each for trials of its own.
    List(Vec<Value>),
    /// A range, from which a search draws.
    Search(Search),
}

/// A range of values that a search draws from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    /// What it was written as.
    pub(crate) text: String,
    /// Where values are drawn from.
    pub(crate) range: Range,
    /// The value of the first trial.
    pub(crate) initial: Option<Value>,
}

/// Where a search draws values from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Range {
    /// The whole numbers from the first to the second.
    Integers(i64, i64),
    /// Numbers from the first to the second, each as likely.
    Uniform(f64, f64),
    /// The same, where each order of magnitude is as likely.
    LogUniform(f64, f64),
    /// These values.
    Choices(Vec<Value>),
}

impl Spread {
    /// Returns the value that is kept for all of them, as Guild keeps it: the list, or the text of the range.
    pub(crate) fn as_value(&self) -> Value {
        match self {
            Spread::List(values) => Value::Array(values.clone()),
            Spread::Search(search) => Value::from(search.text.as_str()),
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns what a text is that stands for several values; `None` for one that is a value itself. `one` decodes an item.
pub(super) fn read(text: &str, one: &dyn Fn(&str) -> Value) -> Option<Result<Spread, SpreadError>> {
    if let Some(spread) = as_function(text, one) {
        return Some(spread);
    }
    let trimmed = text.trim();
    if !trimmed.starts_with('[') {
        return None;
    }
    if let Some(inner) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        && takes(inner, 2, 3)
    {
        return Some(search("uniform", trimmed, inner, one).map(Spread::Search));
    }
    // `[1, 2] * 3`
    let repeated = trimmed.rsplit_once('*').and_then(|(list, times)| {
        let times = times.trim();
        let is_number = !times.is_empty() && times.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| (list.trim_end(), times.parse().unwrap_or(usize::MAX)))
    });
    let (list, times) = repeated.unwrap_or((trimmed, 1));
    let Data::List(items) = parse_yaml(list, &Arc::from("")).ok()?.data else { return None };
    let items: Vec<Value> = items.iter().map(Node::to_value).collect();
    // YAML reads `[a:b]` as a list of one text.
    if let [Value::String(only)] = items.as_slice()
        && list == format!("[{only}]")
        && repeated.is_none()
        && (2..=3).contains(&only.split(':').count())
        && !only.split(':').any(str::is_empty)
    {
        return Some(search("uniform", trimmed, only, one).map(Spread::Search));
    }
    if items.len().saturating_mul(times) > MOST_VALUES {
        return Some(Err(SpreadError::Long(trimmed.to_owned())));
    }
    let list: Vec<Value> = std::iter::repeat_n(items, times).flatten().collect();
    Some(match list.is_empty() {
        true => Err(SpreadError::Empty(trimmed.to_owned())),
        false => Ok(Spread::List(list)),
    })
}

/// Returns what the text of a default is, if it is a range to search.
pub(super) fn of_default(text: &str, one: &dyn Fn(&str) -> Value) -> Option<Spread> {
    let (name, rest) = text.trim().split_once('[')?;
    let arguments = rest.strip_suffix(']')?;
    let known = LISTS.iter().chain(&SEARCHES).find(|(function, ..)| *function == name)?;
    takes(arguments, known.1, known.2).then(|| as_function(text, one)?.ok())?
}

/// Returns what `NAME[ARGUMENTS]` is, if it is a function.
fn as_function(text: &str, one: &dyn Fn(&str) -> Value) -> Option<Result<Spread, SpreadError>> {
    let call = text.trim();
    let (name, rest) = call.split_once('[')?;
    let arguments = rest.strip_suffix(']')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    if let Some((_, fewest, most)) = LISTS.iter().find(|(function, ..)| *function == name) {
        return takes(arguments, *fewest, *most).then(|| list(name, call, arguments, one));
    }
    if let Some((_, fewest, most)) = SEARCHES.iter().find(|(function, ..)| *function == name) {
        return takes(arguments, *fewest, *most).then(|| search(name, call, arguments, one).map(Spread::Search));
    }
    let functions = || LISTS.iter().chain(&SEARCHES);
    let meant = nearest(name, functions().map(|(function, ..)| *function))?;
    let (function, fewest, most) = functions().find(|(function, ..)| *function == meant)?;
    let unknown = SpreadError::Unknown { function: name.to_owned(), meant: function };
    takes(arguments, *fewest, *most).then_some(Err(unknown))
}

/// Returns whether these are as many numbers, with colons between.
fn takes(arguments: &str, fewest: usize, most: usize) -> bool {
    let numbers = arguments.split(':').map(|part| python_float(part).is_some());
    let numbers: Vec<bool> = numbers.collect();
    (fewest..=most).contains(&numbers.len()) && numbers.iter().all(|number| *number)
}

fn list(name: &str, call: &str, arguments: &str, one: &dyn Fn(&str) -> Value) -> Result<Spread, SpreadError> {
    let arguments: Vec<Value> = arguments.split(':').map(|part| one(part.trim())).collect();
    match sequence(name, &arguments) {
        Ok(values) if values.is_empty() => Err(SpreadError::Empty(call.to_owned())),
        Ok(values) => Ok(Spread::List(values)),
        Err(Length::TooLong) => Err(SpreadError::Long(call.to_owned())),
        Err(Length::Wrong(what)) => Err(SpreadError::Arguments { call: call.to_owned(), what }),
    }
}

fn search(name: &str, call: &str, arguments: &str, one: &dyn Fn(&str) -> Value) -> Result<Search, SpreadError> {
    let mut arguments: Vec<Value> = arguments.split(':').map(|part| one(part.trim())).collect();
    let initial = (arguments.len() == 3).then(|| arguments.pop()).flatten();
    let wrong = |what| SpreadError::Arguments { call: call.to_owned(), what };
    let numbers: Option<Vec<f64>> = arguments.iter().map(as_number).collect();
    let range = match (numbers.as_deref(), arguments.as_slice()) {
        (Some([low, high]), _) if !low.is_finite() || !high.is_finite() => {
            return Err(wrong("the ends of a range must be finite"));
        }
        (Some([low, high]), _) if low >= high => return Err(wrong("the first end must be less than the second")),
        (Some([low, high]), _) if name == "loguniform" => match *low > 0.0 {
            true => Range::LogUniform(*low, *high),
            false => return Err(wrong("the ends of a logarithmic range must be greater than 0")),
        },
        (Some([low, high]), [first, second]) => match (first.as_i64(), second.as_i64()) {
            (Some(low), Some(high)) => Range::Integers(low, high),
            _ => Range::Uniform(*low, *high),
        },
        _ => Range::Choices(arguments),
    };
    Ok(Search { text: call.to_owned(), range, initial })
}
