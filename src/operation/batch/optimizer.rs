//! What chooses the trials of a batch.

use std::collections::BTreeMap;

use serde_json::Value;

use super::product::{MOST_TRIALS, Product};
use super::random::Random;
use crate::model::nearest;
use crate::operation::encode::as_shown;
use crate::operation::flags::{Range, Resolved, Row, Search, Spread};
use crate::operation::{Flag, FlagValues, Operation};

/// The optimizers that there are, by the names that a user gives them.
const OPTIMIZERS: [&str; 3] = ["+", "grid", "random"];

/// Those of Guild, and of its kind, that are not there.
const LATER: [&str; 9] = ["gp", "bayesian", "gaussian", "forest", "gbrt", "tpe", "cma-es", "asha", "skopt"];

/// How many trials a search has where nobody says.
const DEFAULT_TRIALS: usize = 20;

/// See the module.
pub(crate) trait Optimizer: Send {
    /// Returns what the next trial has for its own; `None` when there is to be no other.
    fn next(&mut self) -> Option<FlagValues>;
}

/// Returns whether this names an optimizer and not an operation.
pub(crate) fn is_optimizer(name: &str) -> bool {
    OPTIMIZERS.contains(&name)
}

/// Returns what an optimizer does, and its flags: none of those that there are has any.
pub(crate) fn help(name: &str) -> String {
    let what = match name {
        "random" => "Draws values at random from ranges, lists and choices.",
        _ => "Runs a trial for each combination of values, as they are listed.",
    };
    format!(
        "Usage: rille run [OPTIONS] {name} [FLAG]...\n\n{what} It has no flags.\n\nUse 'rille run --help' for a list of options.\n"
    )
}

/// Why there are no trials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BatchError {
    /// A flag of an optimizer that nobody asked for.
    #[error("invalid optimizer flag {0}: no optimizer specified")]
    NoOptimizer(String),
    /// A flag that the optimizer does not have.
    #[error("unsupported flag '{name}'")]
    UnsupportedFlag {
        /// The flag.
        name: String,
        /// The optimizer.
        optimizer: String,
    },
    /// There is nothing to search.
    #[error("flags for batch ({0}) do not contain any search dimensions")]
    NoDimensions(String),
    /// No such optimizer.
    #[error("operation '{name}' is not defined for this project")]
    Unknown {
        /// What was given.
        name: String,
        /// The one that may be meant.
        meant: Option<String>,
    },
    /// An optimizer that is known, and is not there.
    #[error("the optimizer '{0}' is not there yet")]
    Later(String),
    /// More trials than a batch may have.
    #[error("the flags stand for {} trials; a batch may have {MOST_TRIALS}", amount(*.0))]
    TooMany(u128),
    /// A grid over something that has no steps.
    #[error("a grid cannot go through {range}, which flag {flag} has: it has no steps")]
    NoSteps {
        /// The flag.
        flag: String,
        /// The range.
        range: String,
    },
}

impl BatchError {
    /// Returns what to do about it, a line each.
    pub(crate) fn hints(&self) -> Vec<String> {
        let one = match self {
            BatchError::NoOptimizer(_) => return Vec::new(),
            BatchError::UnsupportedFlag { optimizer, .. } => format!(
                "Try 'rille run {optimizer} --help-op' for a list of flags or use --force-flags to skip this check."
            ),
            BatchError::NoDimensions(_) => "Try specifying a range for one or more flags as NAME=[MIN:MAX].".to_owned(),
            BatchError::Unknown { meant: Some(meant), .. } => format!("Did you mean '{meant}'?"),
            BatchError::Unknown { .. } => format!("The optimizers are {}.", OPTIMIZERS.join(", ")),
            BatchError::Later(_) => "'random' searches the same ranges without learning from its trials.".to_owned(),
            BatchError::TooMany(_) => "--max-trials N draws N of them by the seed.".to_owned(),
            BatchError::NoSteps { flag, range } => {
                let ends = range.trim_matches(['[', ']']);
                format!("Write {flag}=linspace[{ends}:5] for five values, or use --optimizer random.")
            }
        };
        vec![one]
    }
}

/// Returns a number of trials, as far as it can be told.
fn amount(count: u128) -> String {
    if count == u128::MAX { "more than 10^38".to_owned() } else { count.to_string() }
}

/// What a batch is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The definition of what the trials run.
    pub(crate) operation: Option<&'a Operation>,
    /// The flags.
    pub(crate) resolved: &'a Resolved,
    /// What files of trials say.
    pub(crate) rows: &'a [Row],
    /// The optimizer that was asked for by its name.
    pub(crate) optimizer: Option<&'a str>,
    /// The optimizer of the operation was asked for.
    pub(crate) optimize: bool,
    /// Flags of the optimizer.
    pub(crate) optimizer_flags: &'a [(String, String)],
    /// Whether flags are taken that the optimizer does not have.
    pub(crate) force: bool,
    /// How many trials there may be.
    pub(crate) max_trials: Option<usize>,
    /// The seed.
    pub(crate) seed: u64,
}

/// An optimizer with its name and its flags.
pub(crate) struct Choice {
    /// Its name, as the batch's run has it: `+` for a grid.
    pub(crate) name: &'static str,
    /// Its flags.
    pub(crate) flags: FlagValues,
    /// The optimizer.
    pub(crate) optimizer: Box<dyn Optimizer>,
}

/// Chooses what hands out the trials; `None` where there is only one run, and no batch.
pub(crate) fn choose(wanted: &Wanted<'_>) -> Result<Option<Choice>, BatchError> {
    let has_search = wanted.resolved.spread.values().any(|many| matches!(many, Spread::Search(_)));
    let asked = asked_for(wanted)?;
    let name = match asked {
        Some(name) => name,
        None if wanted.rows.is_empty() && has_search => "random",
        None if !wanted.resolved.spread.is_empty() || wanted.rows.len() > 1 => "+",
        None if wanted.rows.iter().any(|row| !row.spread.is_empty()) => "+",
        None => {
            return match wanted.optimizer_flags.first() {
                Some((name, value)) => Err(BatchError::NoOptimizer(format!("{name}={value}"))),
                None => Ok(None),
            };
        }
    };
    let flags = optimizer_flags(wanted, name)?;
    let most = wanted.max_trials.or_else(|| default_max(wanted.operation));
    let optimizer: Box<dyn Optimizer> = match name {
        "random" => {
            let dimensions = dimensions(wanted, asked.is_some());
            if dimensions.is_empty() {
                let flags = wanted.resolved.values.iter();
                let flags: Vec<String> = flags.map(|(name, value)| format!("{name}={}", as_shown(value))).collect();
                return Err(BatchError::NoDimensions(flags.join(", ")));
            }
            let most = most.unwrap_or(DEFAULT_TRIALS);
            if most as u128 > MOST_TRIALS {
                return Err(BatchError::TooMany(most as u128));
            }
            Box::new(Random::new(dimensions, wanted.seed, most))
        }
        _ => Box::new(Grid::new(wanted, name == "grid", most)?),
    };
    // A grid is Guild's batch as it is.
    let name = if name == "random" { "random" } else { "+" };
    Ok(Some(Choice { name, flags, optimizer }))
}

/// Returns the optimizer that was asked for, by its own name.
fn asked_for(wanted: &Wanted<'_>) -> Result<Option<&'static str>, BatchError> {
    let defined = wanted.operation.map(defined_optimizers).unwrap_or_default();
    let given = match wanted.optimizer {
        Some(name) => name,
        None if wanted.optimize => match defined.iter().find(|(_, defined)| defined.is_default || defined.is_alone) {
            Some((name, _)) => name,
            None => "random",
        },
        None => return Ok(None),
    };
    let algorithm = defined.get(given).map_or(given, |defined| &defined.algorithm);
    let plain = algorithm.strip_prefix("skopt:").unwrap_or(algorithm);
    if let Some(known) = OPTIMIZERS.iter().find(|known| **known == plain) {
        return Ok(Some(known));
    }
    if LATER.contains(&plain) || algorithm.starts_with("skopt:") {
        return Err(BatchError::Later(algorithm.to_owned()));
    }
    let names = OPTIMIZERS.iter().copied().chain(LATER).chain(defined.keys().map(String::as_str));
    let meant = nearest(algorithm, names).map(str::to_owned);
    Err(BatchError::Unknown { name: algorithm.to_owned(), meant })
}

/// An optimizer that an operation defines.
#[derive(Debug)]
struct Defined {
    algorithm: String,
    is_default: bool,
    is_alone: bool,
}

/// Returns the optimizers that an operation defines, by their names.
fn defined_optimizers(operation: &Operation) -> BTreeMap<String, Defined> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, definition: &Value, is_alone: bool| {
        let algorithm = definition.as_str().or_else(|| definition.get("algorithm")?.as_str()).unwrap_or(name);
        let is_default = definition.get("default").and_then(Value::as_bool).unwrap_or_default();
        all.insert(name.to_owned(), Defined { algorithm: algorithm.to_owned(), is_default, is_alone });
    };
    if let Some(one) = operation.later.get("optimizer") {
        let name = one.as_str().or_else(|| one.get("algorithm")?.as_str());
        add(name.unwrap_or_default(), one, true);
    }
    match operation.later.get("optimizers") {
        Some(Value::Object(map)) => map.iter().for_each(|(name, one)| add(name, one, map.len() == 1)),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).for_each(|name| add(name, &Value::Null, names.len() == 1));
        }
        _ => {}
    }
    all
}

fn default_max(operation: Option<&Operation>) -> Option<usize> {
    usize::try_from(operation?.later.get("default-max-trials")?.as_u64()?).ok()
}

/// Returns the flags of the optimizer: none of those that there are has any.
fn optimizer_flags(wanted: &Wanted<'_>, optimizer: &str) -> Result<FlagValues, BatchError> {
    match wanted.optimizer_flags.first().filter(|_| !wanted.force) {
        Some((name, _)) => Err(BatchError::UnsupportedFlag { name: name.clone(), optimizer: optimizer.to_owned() }),
        None => {
            Ok(wanted.optimizer_flags.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect())
        }
    }
}

/// Returns what a search goes over: flags with a range or a list, and, where it was asked for, those whose definition says
/// which values they may have and that the user did not set.
fn dimensions(wanted: &Wanted<'_>, is_asked: bool) -> Vec<(String, Search)> {
    let choices = |values: Vec<Value>| Search { text: String::new(), range: Range::Choices(values), initial: None };
    let mut all: BTreeMap<String, Search> = BTreeMap::new();
    for (name, many) in &wanted.resolved.spread {
        let search = match many {
            Spread::List(values) => choices(values.clone()),
            Spread::Search(search) => search.clone(),
        };
        all.insert(name.clone(), search);
    }
    if let Some(operation) = wanted.operation.filter(|_| is_asked) {
        for (name, flag) in &operation.flags {
            if all.contains_key(name) || wanted.resolved.user.contains_key(name) {
                continue;
            }
            all.extend(of_definition(flag).map(|search| (name.clone(), search)));
        }
    }
    all.into_iter().collect()
}

fn of_definition(flag: &Flag) -> Option<Search> {
    let range = if flag.choices.is_empty() {
        let (low, high) = (flag.min?, flag.max?);
        let is_whole = flag.kind == Some(crate::operation::FlagType::Int) || flag.default.is_i64();
        match is_whole && low.fract() == 0.0 && high.fract() == 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "whole numbers; beyond 64 bits they saturate")]
            true => Range::Integers(low as i64, high as i64),
            false => Range::Uniform(low, high),
        }
    } else {
        Range::Choices(flag.choices.iter().map(|choice| choice.value.clone()).collect())
    };
    let initial = Some(flag.default.clone()).filter(|default| !default.is_null());
    Some(Search { text: String::new(), range, initial })
}

/// All trials of a product, or some of them, one after the other.
struct Grid {
    product: Product,
    numbers: std::vec::IntoIter<u128>,
}

impl Grid {
    fn new(wanted: &Wanted<'_>, is_strict: bool, most: Option<usize>) -> Result<Grid, BatchError> {
        let mut resolved = wanted.resolved.clone();
        if is_strict {
            for (name, many) in &mut resolved.spread {
                *many = with_steps(name, many)?;
            }
        }
        let product = Product::new(&resolved, wanted.rows, wanted.seed);
        let count = product.count();
        let drawn = most.unwrap_or(usize::MAX).min(usize::try_from(count).unwrap_or(usize::MAX));
        if drawn as u128 > MOST_TRIALS {
            return Err(BatchError::TooMany(count));
        }
        let numbers = product.sample(drawn).into_iter();
        Ok(Grid { product, numbers })
    }
}

/// Returns a range of whole numbers as all of them.
fn with_steps(flag: &str, many: &Spread) -> Result<Spread, BatchError> {
    match many {
        Spread::List(_) => Ok(many.clone()),
        Spread::Search(search) => match &search.range {
            Range::Integers(low, high) => {
                let count = high.abs_diff(*low).saturating_add(1);
                if u128::from(count) > MOST_TRIALS {
                    return Err(BatchError::TooMany(u128::from(count)));
                }
                Ok(Spread::List((*low..=*high).map(Value::from).collect()))
            }
            Range::Choices(values) => Ok(Spread::List(values.clone())),
            Range::Uniform(..) | Range::LogUniform(..) => {
                Err(BatchError::NoSteps { flag: flag.to_owned(), range: search.text.clone() })
            }
        },
    }
}

impl Optimizer for Grid {
    fn next(&mut self) -> Option<FlagValues> {
        self.numbers.next().map(|number| self.product.at(number))
    }
}
