//! Pipelines: an operation whose steps are runs of other operations.
//!
//! A step is read into the command line that runs it. Steps run one after the other, as with Guild, unless they say what they
//! need: `needs` names the steps that must have passed, and what needs none of each other may run at the same time.

mod check;
mod graph;
mod order;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::FlagValues;
use super::command::references;
use super::encode::{as_argument, split};
use super::flags::word_of;
use crate::model::nearest;

pub(crate) use self::check::{Check, CheckError};
pub(crate) use self::graph::{GraphForm, picture};

/// The keys that a step may have.
const KEYS: [&str; 26] = [
    "additional-deps",
    "batch-label",
    "batch-tags",
    "expect",
    "fail-on-trial-error",
    "flags",
    "for-each",
    "force-flags",
    "gpus",
    "isolate-runs",
    "jobs",
    "label",
    "max-trials",
    "maximize",
    "minimize",
    "name",
    "needed",
    "needs",
    "no-gpus",
    "opt-flags",
    "optimize",
    "optimizer",
    "random-seed",
    "run",
    "stop-after",
    "tags",
];

/// Keys whose value is an option of the command line by the same name.
const OPTIONS: [&str; 9] =
    ["batch-label", "gpus", "jobs", "label", "max-trials", "maximize", "minimize", "optimizer", "stop-after"];

/// Keys that are options without a value.
const SWITCHES: [&str; 5] = ["fail-on-trial-error", "force-flags", "needed", "no-gpus", "optimize"];

/// Keys whose values are options of another name, given once for each.
const LISTS: [(&str, &str); 4] =
    [("tags", "--tag"), ("batch-tags", "--batch-tag"), ("opt-flags", "--opt-flag"), ("additional-deps", "--dep")];

/// What is wrong with the steps of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StepError {
    /// It is no pipeline.
    #[error("it has no steps")]
    None,
    /// A step that is no text and no map, or a value of it that cannot be used.
    #[error("step {0}: {1}")]
    Invalid(usize, String),
    /// A step that does not say what it runs.
    #[error("step {0} must define run")]
    NoRun(usize),
    /// It needs a step that there is not.
    #[error("step '{step}' needs '{need}', which is no step of this pipeline{}", .meant.as_ref().map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default())]
    Unknown {
        /// The step.
        step: String,
        /// What it needs.
        need: String,
        /// What may be meant.
        meant: Option<String>,
    },
    /// Steps need each other.
    #[error("steps need each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// What is expected of a step cannot be understood.
    #[error("step '{0}': {1}")]
    Check(String, CheckError),
}

/// What a step inherits of its pipeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent<'a> {
    /// The model of the pipeline.
    pub(crate) model: &'a str,
    /// The values of its flags.
    pub(crate) flags: &'a FlagValues,
    /// Flags that its user gave for a step, by `STEP:FLAG`, which the pipeline does not define.
    pub(crate) given: &'a BTreeMap<String, String>,
    /// The label that its user gave it.
    pub(crate) label: Option<&'a str>,
    /// The tags that its user gave it.
    pub(crate) tags: &'a [String],
}

/// A step that can be run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Its name.
    pub(crate) name: String,
    /// The name of its link in the run of the pipeline: no other step has it.
    pub(crate) link: String,
    /// The operation that it runs.
    pub(crate) operation: String,
    /// The command line behind `rille run`: options, the operation, flags.
    pub(crate) words: Vec<String>,
    /// Which steps must have passed, by their links.
    pub(crate) needs: Vec<String>,
    /// The step for each of whose trials it runs, by its link.
    pub(crate) for_each: Option<String>,
    /// What is expected of its run.
    pub(crate) checks: Vec<Check>,
    /// Its dependencies are other steps and nothing else.
    pub(crate) isolates: bool,
}

/// The steps of a pipeline, each behind those that it needs, and what is worth saying of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pipeline {
    /// The steps.
    pub(crate) steps: Vec<Step>,
    /// Whether a step says what it needs, so that others may run beside it.
    pub(crate) is_graph: bool,
    /// What the user should know.
    pub(crate) remarks: Vec<String>,
}

/// Reads the steps of a pipeline as they were written.
pub(crate) fn plan(steps: &[Value], parent: Parent<'_>) -> Result<Pipeline, StepError> {
    let mut pipeline = Pipeline::default();
    let mut links: BTreeMap<String, usize> = BTreeMap::new();
    let mut wanted: Vec<Option<Vec<String>>> = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let (mut step, needs) = read(at + 1, step, parent, &mut pipeline.remarks)?;
        let count = links.entry(step.link.clone()).or_default();
        *count += 1;
        if *count > 1 {
            step.link = format!("{}_{count}", step.link);
        }
        wanted.push(needs);
        pipeline.steps.push(step);
    }
    pipeline.is_graph = wanted.iter().any(Option::is_some);
    order::resolve(&mut pipeline.steps, wanted)?;
    Ok(pipeline)
}

/// Reads one step; returns with it the names of the steps that it says it needs.
fn read(
    number: usize,
    step: &Value,
    parent: Parent<'_>,
    remarks: &mut Vec<String>,
) -> Result<(Step, Option<Vec<String>>), StepError> {
    let wrong = |what: String| StepError::Invalid(number, what);
    let map: Map<String, Value> = match step {
        Value::String(run) => [("run".to_owned(), Value::from(run.as_str()))].into_iter().collect(),
        // Lua names are written with underscores.
        Value::Object(map) => map.iter().map(|(name, value)| (name.replace('_', "-"), value.clone())).collect(),
        other => return Err(wrong(format!("expected the name of an operation or a map, found {other}"))),
    };
    for name in map.keys().filter(|name| !KEYS.contains(&name.as_str())) {
        let meant = nearest(name, KEYS).map(|meant| format!("; did you mean '{meant}'?")).unwrap_or_default();
        remarks.push(format!("step {number}: unknown key '{name}' is ignored{meant}"));
    }
    let run = map.get("run").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if run.is_empty() {
        return Err(StepError::NoRun(number));
    }
    let spec = split(run).map_err(|what| wrong(format!("run '{run}': {what}")))?;
    // Options may stand before the operation; those of them with a value are rare enough to be refused by who reads them.
    let at = spec.iter().position(|word| !word.starts_with('-')).unwrap_or_default();
    let mut words: Vec<String> =
        spec.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, word)| word.clone()).collect();
    let given_operation = spec.get(at).cloned().unwrap_or_default();
    let operation = match given_operation.contains([':', '/']) || parent.model.is_empty() {
        true => given_operation.clone(),
        false => format!("{}:{given_operation}", parent.model),
    };
    let name =
        map.get("name").map(as_argument).filter(|name| !name.is_empty()).unwrap_or_else(|| given_operation.clone());

    let text = |value: &Value| resolved(value, parent.flags).map(|value| as_argument(&value));
    for key in OPTIONS {
        let inherited = (key == "label" && !words.iter().any(|word| word == "--label" || word == "-l"))
            .then_some(parent.label)
            .flatten()
            .map(str::to_owned);
        let value = map.get(key).filter(|value| !value.is_null()).and_then(text).or(inherited);
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            words.extend([format!("--{key}"), value]);
        }
    }
    if let Some(seed) = map.get("random-seed").filter(|seed| !seed.is_null()) {
        words.extend(["--random-seed".to_owned(), as_argument(seed)]);
    }
    words.extend(SWITCHES.iter().filter(|key| is_on(map.get(**key))).map(|key| format!("--{key}")));
    for (key, option) in LISTS {
        let items = match map.get(key) {
            Some(Value::Array(items)) => items.clone(),
            Some(one) if !one.is_null() => vec![one.clone()],
            _ if key == "tags" => parent.tags.iter().map(|tag| Value::from(tag.as_str())).collect(),
            _ => Vec::new(),
        };
        for value in items.iter().filter_map(text) {
            words.extend([option.to_owned(), value]);
        }
    }
    let flags = flags_of(number, &map, &mut words, parent)?;
    let flags = with_parents(flags, [&operation, &given_operation, &name], parent);
    let checks = checks(&name, map.get("expect"))?;
    words.push(operation.clone());
    words.extend(flags);
    let names = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().map(as_argument).collect(),
            Value::Null | Value::Bool(false) => Vec::new(),
            one => vec![as_argument(one)],
        }
    };
    let for_each = map.get("for-each").map(as_argument).filter(|name| !name.is_empty());
    let needs = map.get("needs").map(names);
    let needs = match (&for_each, needs) {
        (Some(each), Some(needs)) => Some(needs.into_iter().chain([each.clone()]).collect()),
        (Some(each), None) => Some(vec![each.clone()]),
        (None, needs) => needs,
    };
    let link: String = name.chars().map(|c| if matches!(c, ' ' | ':' | '/' | '\\') { '-' } else { c }).collect();
    let isolates = map.get("isolate-runs").is_none_or(|value| is_on(Some(value)));
    Ok((Step { name, link, operation, words, needs: Vec::new(), for_each, checks, isolates }, needs))
}

fn is_on(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("no"))
}

/// Takes the flags of a step out of its command line, unless its `flags` say others; returns them as words, by name.
fn flags_of(
    number: usize,
    map: &Map<String, Value>,
    words: &mut Vec<String>,
    parent: Parent<'_>,
) -> Result<Vec<(String, String)>, StepError> {
    let is_flag = |word: &String| !word.starts_with('-') && word.contains('=') || word.starts_with('@');
    // What follows an option may be its value.
    let mut taken = Vec::new();
    let mut rest: Vec<String> = Vec::new();
    for word in std::mem::take(words) {
        let is_value = rest.last().is_some_and(|last| last.starts_with('-') && !last.contains('='));
        if is_flag(&word) && !is_value { taken.push(word) } else { rest.push(word) }
    }
    *words = rest;
    let wrong = |what: String| StepError::Invalid(number, what);
    let assigned = match map.get("flags") {
        None | Some(Value::Null) => taken,
        Some(Value::Array(items)) => items.iter().map(as_argument).collect(),
        Some(Value::Object(flags)) => {
            let pair = |(name, value): (&String, &Value)| {
                Some((name.clone(), word_of(&resolved(value, parent.flags).filter(|value| !value.is_null())?)))
            };
            return Ok(flags.iter().filter_map(pair).collect());
        }
        Some(other) => return Err(wrong(format!("flags: expected a map or a list of NAME=VALUE, found {other}"))),
    };
    let mut flags = Vec::new();
    for word in assigned {
        match word.split_once('=') {
            _ if word.starts_with('@') => flags.push((word, String::new())),
            Some((name, value)) => {
                let value = resolved(&Value::from(value), parent.flags);
                // A reference alone stands for the very value.
                let text = value.map(|value| value.as_str().map_or_else(|| word_of(&value), str::to_owned));
                flags.extend(text.map(|text| (name.to_owned(), text)));
            }
            // A name alone hands the flag of the pipeline on.
            None => match parent.flags.get(&word) {
                Some(value) => flags.push((word, word_of(value))),
                None => return Err(wrong(format!("flags: the pipeline has no flag '{word}' to hand on"))),
            },
        }
    }
    Ok(flags)
}

/// Puts the flags that the pipeline has for a step, `STEP:FLAG`, in place of its own.
fn with_parents(flags: Vec<(String, String)>, prefixes: [&String; 3], parent: Parent<'_>) -> Vec<String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut files = Vec::new();
    for (name, value) in flags {
        match name.starts_with('@') {
            true => files.push(name),
            false => drop(all.insert(name, value)),
        }
    }
    // The first prefix wins, and what the user gives over what the pipeline defines.
    for prefix in prefixes.into_iter().rev() {
        let own = |name: &String| name.strip_prefix(&format!("{prefix}:")).map(str::to_owned);
        all.extend(
            parent
                .flags
                .iter()
                .filter(|(_, value)| !value.is_null())
                .filter_map(|(name, value)| Some((own(name)?, word_of(value)))),
        );
        all.extend(parent.given.iter().filter_map(|(name, text)| Some((own(name)?, text.clone()))));
    }
    files.into_iter().chain(all.into_iter().map(|(name, value)| format!("{name}={value}"))).collect()
}

/// Returns a value with the flags that it refers to; a reference alone keeps the type of what it stands for. `None` for one
/// that stands for null.
fn resolved(value: &Value, flags: &FlagValues) -> Option<Value> {
    let Value::String(text) = value else { return Some(value.clone()) };
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && let Some(value) = flags.get(name)
    {
        return Some(value.clone()).filter(|value| !value.is_null());
    }
    let lookup = |name: &str| Ok(flags.get(name).map(as_argument).or_else(|| Some(format!("\\${{{name}}}"))));
    Some(Value::from(references::resolve(text, &lookup).unwrap_or_else(|_| text.clone())))
}

fn checks(name: &str, expect: Option<&Value>) -> Result<Vec<Check>, StepError> {
    let items = match expect {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    items.iter().map(|item| Check::read(item).map_err(|error| StepError::Check(name.to_owned(), error))).collect()
}

#[cfg(test)]
mod tests;
