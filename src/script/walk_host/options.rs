//! The options of `run_tests` beside order and state, checked.

use std::path::{Path, PathBuf};

use mlua::{Function, Lua, Table, Value};

use super::constraints::Constraints;
use super::cover::Cover;
use super::forms;
use super::planned::Planned;
use crate::job::{Measured, WalkOptions, WalkSettings};
use crate::model::{WalkSuite, nearest};
use crate::script::api::walk::SlotMarks;
use crate::script::error::raise;
use crate::script::shown::shown;
use crate::walk::cover;

/// The options that there are, in the order in which they are named.
const KNOWN: [&str; 19] = [
    "order",
    "state",
    "workers",
    "verbose",
    "log_dir",
    "max_walk_runtime",
    "max_failures",
    "gather_states",
    "seed",
    "sample",
    "shard",
    "should_cancel",
    "constraints",
    "cover",
    "coverage",
    "shrink",
    "share",
    "machine",
    "max_steps",
];

/// The most combinations of which the coverage is told where nobody asks.
const TOLD_UNASKED: u128 = 2_000_000;

/// What a call asks for.
pub(super) struct Asked {
    /// What the call, the command line and the settings say together.
    pub(super) options: WalkOptions,
    /// What `cover` says beside its strength.
    pub(super) cover: Cover,
    /// Which walks are allowed.
    pub(super) constraints: Vec<Constraint>,
    /// Of the combinations of how many actions the coverage is told.
    pub(super) coverage: Option<Vec<usize>>,
}

/// A function that says which walks are allowed.
pub(super) enum Constraint {
    /// Over the actions of a walk and its id, and what it returns for one that is left out.
    Walk(Function, bool),
    /// Over the options of the actions of these names.
    Of(Vec<String>, Function),
    /// One that says what it is, as `walk.when` and the like make it.
    Form(Table),
}

/// Reads the options of a call.
pub(super) fn read(lua: &Lua, options: &Table, settings: &WalkSettings) -> mlua::Result<Asked> {
    let mut asked = WalkOptions::default();
    let mut constraints = Vec::new();
    let mut cover = Cover::default();
    let mut coverage = None;
    let wrong = |key: &str, wanted: &str, value: &Value| {
        raise(lua, "definition", format!("run_tests: {key} is {wanted}, not {}", shown(value)))
    };
    for pair in options.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let key = match &key {
            Value::String(key) => key.to_string_lossy(),
            other => shown(other),
        };
        let number = |from: i64, to: i64, wanted: &str| match value {
            Value::Integer(number) if (from..=to).contains(&number) => Ok(number),
            _ => Err(wrong(&key, wanted, &value)),
        };
        let text = |wanted: &str| match &value {
            Value::String(text) => Ok(text.to_string_lossy()),
            _ => Err(wrong(&key, wanted, &value)),
        };
        let truth = || value.as_boolean().ok_or_else(|| wrong(&key, "true or false", &value));
        match key.as_str() {
            "workers" => asked.workers = u32::try_from(number(1, 4096, "a whole number from 1 to 4096")?).ok(),
            "verbose" => asked.verbose = u8::try_from(number(0, 2, "0, 1 or 2")?).ok(),
            "log_dir" => asked.log_dir = Some(PathBuf::from(text("the path of a folder")?)),
            "max_walk_runtime" => {
                let seconds = value.as_number().or_else(|| i32::try_from(value.as_integer()?).ok().map(f64::from));
                let seconds = seconds.filter(|seconds| *seconds > 0.0 && seconds.is_finite());
                asked.max_walk_runtime =
                    Some(seconds.ok_or_else(|| wrong(&key, "a number of seconds above 0", &value))?);
            }
            "max_failures" => {
                asked.max_failures = u64::try_from(number(1, i64::MAX, "a whole number from 1")?).ok();
            }
            "gather_states" => asked.gather_states = Some(truth()?),
            "seed" => asked.seed = Some(number(i64::MIN, i64::MAX, "a whole number")?),
            "sample" => asked.sample = u64::try_from(number(1, i64::MAX, "a whole number from 1")?).ok(),
            "shard" => asked.shard = Some(text("I/N with I from 1 to N, such as \"1/3\"")?),
            "shrink" => asked.shrink = Some(truth()?),
            "cover" => {
                let (strength, read) = Cover::read(lua, &value)?;
                (asked.cover, cover) = (Some(strength), read);
            }
            "coverage" => {
                let wanted = "a number of actions from 1 to 16, such as 2, or a list of such";
                let list = match &value {
                    Value::Table(list) => list.sequence_values::<Value>().collect::<mlua::Result<_>>()?,
                    one => vec![one.clone()],
                };
                let strength = |one: &Value| {
                    one.as_integer().filter(|t| (1..=16).contains(t)).and_then(|t| usize::try_from(t).ok())
                };
                let read: Option<Vec<usize>> = list.iter().map(strength).collect();
                coverage = Some(read.filter(|read| !read.is_empty()).ok_or_else(|| wrong(&key, wanted, &value))?);
            }
            "share" => asked.share = Some(truth()?),
            "should_cancel" => match value {
                Value::Function(function) => constraints.push(Constraint::Walk(function, true)),
                other => {
                    return Err(wrong(&key, "a function(walk, id) that returns true for a walk to leave out", &other));
                }
            },
            "constraints" => {
                let wanted = "a function(walk), or a list of such, of { \"ACTION\", …, function(option, …) … end }, and of what walk.when, walk.forbid, walk.same and walk.not_applicable make";
                let list = match &value {
                    Value::Table(form) if forms::is_form(form) => vec![value.clone()],
                    Value::Function(function) => vec![Value::Function(function.clone())],
                    Value::Table(list) => list.sequence_values::<Value>().collect::<mlua::Result<_>>()?,
                    other => return Err(wrong(&key, wanted, other)),
                };
                for item in list {
                    constraints.push(constraint(&item).ok_or_else(|| wrong(&key, wanted, &item))?);
                }
            }
            unknown => {
                let near = nearest(unknown, KNOWN).map(|near| format!("did you mean '{near}'?"));
                let hint = near.unwrap_or_else(|| format!("it has: {}", KNOWN.join(", ")));
                return Err(raise(lua, "definition", format!("run_tests has no option '{unknown}'; {hint}")));
            }
        }
    }
    let options = settings.forced.clone().or(&asked).or(&settings.usual);
    Ok(Asked { options, cover, constraints, coverage })
}

/// Reads one constraint: a function over whole walks, or names of actions and a function over their options.
fn constraint(item: &Value) -> Option<Constraint> {
    match item {
        Value::Function(function) => Some(Constraint::Walk(function.clone(), false)),
        Value::Table(form) if forms::is_form(form) => Some(Constraint::Form(form.clone())),
        Value::Table(list) => {
            let mut items: Vec<Value> = list.sequence_values::<Value>().collect::<mlua::Result<_>>().ok()?;
            let function = items.pop()?.as_function()?.clone();
            let names: Option<Vec<String>> =
                items.iter().map(|name| Some(name.as_string()?.to_string_lossy())).collect();
            names.filter(|names| !names.is_empty()).map(|names| Constraint::Of(names, function))
        }
        _ => None,
    }
}

impl Asked {
    /// Returns what is to be told of the coverage: of what was asked for, of what the walks cover, else of pairs.
    pub(super) fn measured(
        &self,
        lua: &Lua,
        suite: &WalkSuite,
        marks: &[SlotMarks],
        planned: &Planned,
        constraints: Option<&Constraints>,
    ) -> mlua::Result<Measured> {
        if suite.machine.is_some() {
            return Ok(Measured::default());
        }
        let clauses = constraints.map(|constraints| constraints.clauses().to_vec()).unwrap_or_default();
        let is_complete = planned.is_complete && self.coverage.is_none() && self.options.sample.is_none();
        let is_complete = is_complete && self.options.shard.is_none();
        let strengths = match (&self.coverage, &planned.cover) {
            (Some(strengths), _) => strengths.clone(),
            (None, Some(factors)) => {
                return Ok(Measured { factors: vec![factors.clone()], clauses, is_complete });
            }
            (None, None) => vec![2],
        };
        let mut factors = Vec::new();
        for strength in strengths {
            let made = Cover::default().factors(lua, suite, marks, strength, 0)?;
            let is_asked = self.coverage.is_some();
            match cover::combinations(&made) {
                Ok(count) if is_asked || count <= TOLD_UNASKED => factors.push(made),
                Err(error) if is_asked => {
                    return Err(raise(lua, "definition", format!("run_tests: coverage: {error}")));
                }
                _ => {}
            }
        }
        Ok(Measured { factors, clauses, is_complete: false })
    }

    /// Returns the folder for traces, which is made if its parent is there.
    pub(super) fn log_dir(&self, lua: &Lua, started_in: &Path) -> mlua::Result<Option<PathBuf>> {
        let Some(folder) = &self.options.log_dir else { return Ok(None) };
        let folder = started_in.join(folder);
        match std::fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => {
                let text = format!("run_tests: the traces cannot go into log_dir {}: {error}", folder.display());
                return Err(raise(lua, "usage", text));
            }
        }
        Ok(Some(folder))
    }
}
