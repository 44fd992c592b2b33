//! Reading the table of a `run {}` or `Task {}`.
//!
//! What is wrong with one task must not cost the others, so it is not raised: it becomes the problem of the draft, and the
//! task is errored for it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use mlua::{Function, Lua, Table, Value};

use super::runnable::LuaRunnable;
use crate::job::{BadExpression, Draft, DraftDatafile, DraftSections, SectionFilter, Testscript};
use crate::model::{Blob, Place, RecipeError, Runnable, SectionChoice, nearest, parse_size, quoted_name};
use crate::script::error::plain_text;
use crate::script::list::{self, NoList};
use crate::script::plain::{NotPlain, to_recipe};
use crate::script::shown::shown;
use crate::script::table::{NotCarried, to_value};

/// The keys that mean something to Rille; every other one is a parameter of the script.
const RESERVED: [&str; 16] = [
    "testscript",
    "taskid",
    "runtime",
    "max_runtime",
    "kind",
    "args",
    "env",
    "cwd",
    "stdin",
    "retries",
    "needs",
    "resources",
    "tags",
    "uids",
    "groups",
    "datafile",
];

/// What is wrong with one key of a task table.
#[derive(Debug, thiserror::Error)]
enum BadTask {
    /// It has another value than it can have.
    #[error("{key} must be {wanted}, got {got}")]
    Value {
        /// The key, with the place in its value.
        key: String,
        /// What it can have.
        wanted: &'static str,
        /// What it has.
        got: String,
    },
    /// It has bytes where a text is wanted.
    #[error("{0} holds bytes that are not UTF-8")]
    Bytes(String),
    /// It names no file.
    #[error("{0} is empty; write {0} = \"FILE\"")]
    Empty(&'static str),
    /// A key in its table is no name.
    #[error("{key} has names as keys, got {got}")]
    Key {
        /// The key.
        key: String,
        /// What is there for a name.
        got: String,
    },
    /// Its value cannot be handed to a task.
    #[error(transparent)]
    NotCarried(#[from] NotCarried),
    /// Its value has no place in a recipe.
    #[error(transparent)]
    NotPlain(#[from] NotPlain),
    /// Its value is no recipe.
    #[error("testscript is no recipe: {0}")]
    Recipe(#[from] RecipeError),
    /// Its value is no list.
    #[error(transparent)]
    NoList(#[from] NoList),
    /// Its value chooses no sections.
    #[error(transparent)]
    Sections(#[from] BadExpression),
    /// Lua would not give it.
    #[error("{}", plain_text(.0))]
    Lua(#[from] mlua::Error),
}

/// Reads a task table that stands at `place`.
pub(super) fn read(table: &Table, place: Option<Place>) -> mlua::Result<Box<Draft>> {
    let mut draft = Box::new(Draft { place, ..Draft::default() });
    let mut fields: Vec<(String, Value)> = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        match key {
            Value::String(key) if key.to_str().is_ok() => fields.push((key.to_string_lossy(), value)),
            Value::String(key) => {
                let text = format!("the key {} holds bytes that are not UTF-8", shown(&Value::String(key)));
                draft.problem.get_or_insert(text);
            }
            other => {
                let text = format!("a task table has names as keys, got {}", shown(&other));
                draft.problem.get_or_insert(text);
            }
        }
    }
    // Lua's order of keys changes from run to run, and with it which problem would be told first.
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, value) in fields {
        if let Err(problem) = set(&mut draft, &key, &value) {
            draft.problem.get_or_insert(problem.to_string());
        }
    }
    Ok(draft)
}

/// Returns the parameters in a task table as a new table.
pub(super) fn kwargs(lua: &Lua, table: &Table) -> mlua::Result<Table> {
    let kwargs = lua.create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let is_reserved = matches!(&key, Value::String(key) if RESERVED.contains(&key.to_string_lossy().as_str()));
        if !is_reserved {
            kwargs.raw_set(key, value)?;
        }
    }
    Ok(kwargs)
}

fn set(draft: &mut Draft, key: &str, value: &Value) -> Result<(), BadTask> {
    match key {
        "testscript" => draft.testscript = Some(testscript(value)?),
        "taskid" => draft.taskid = Some(text(key, value)?),
        "runtime" => {}
        "max_runtime" => draft.max_runtime = Some(max_runtime(value)?),
        "kind" => draft.kind = Some(text(key, value)?),
        "args" => draft.args = bytes(key, value)?,
        "env" => draft.env = environment(value)?,
        "cwd" => draft.cwd = Some(path(key, value)?),
        "stdin" => draft.stdin = Some(path(key, value)?),
        "retries" => draft.retries = Some(count(key, value)?),
        "needs" => draft.needs = words(key, value)?,
        "resources" => draft.resources = resources(value)?,
        "tags" => draft.tags = words(key, value)?,
        "datafile" => draft.datafile = Some(datafile(value)?),
        "uids" | "groups" => sections(&mut draft.sections, key, value)?,
        _ => {
            if let Some(near) = nearest(key, RESERVED) {
                draft.remarks.push(format!("'{key}' is handed on as a parameter; did you mean '{near}'?"));
            }
            let read = to_value(value, &format!("parameter '{key}'"))?;
            draft.parameters.insert(key.to_owned(), read);
        }
    }
    Ok(())
}

/// Reads which sections run: an expression, a list of patterns, or a function.
fn sections(sections: &mut DraftSections, key: &str, value: &Value) -> Result<(), BadTask> {
    let expressions = match value {
        Value::Function(_) => Vec::new(),
        Value::String(_) => vec![text(key, value)?],
        // The items of a list are patterns, not expressions: a name may hold spaces.
        Value::Table(_) => words(key, value)?.iter().map(|pattern| quoted_name(pattern)).collect(),
        other => return Err(wrong(key, "a pattern, a list of patterns or a function", other)),
    };
    let is_function = matches!(value, Value::Function(_));
    let choice = match key {
        "uids" => {
            sections.asks_uids = is_function;
            sections.uids = expressions;
            SectionChoice { uids: sections.uids.clone(), ..SectionChoice::default() }
        }
        _ => {
            sections.asks_groups = is_function;
            sections.groups = expressions;
            SectionChoice { groups: sections.groups.clone(), ..SectionChoice::default() }
        }
    };
    SectionFilter::new(&choice)?;
    Ok(())
}

/// Reads a datafile: the name of a file, or what one would hold.
fn datafile(value: &Value) -> Result<DraftDatafile, BadTask> {
    match value {
        Value::String(_) => match path("datafile", value)? {
            path if path.as_os_str().is_empty() => Err(BadTask::Empty("datafile")),
            path => Ok(DraftDatafile::Path(path)),
        },
        Value::Table(_) => Ok(DraftDatafile::Content(to_value(value, "datafile")?)),
        other => Err(wrong("datafile", "the name of a file or a table", other)),
    }
}

/// Returns the function by which a task chooses its sections, if `uids` or `groups` is one that the command line leaves.
pub(super) fn selector(lua: &Lua, table: &Table, command_line: &SectionChoice) -> mlua::Result<Option<Function>> {
    let function = |key: &str, is_free: bool| match table.raw_get::<Value>(key)? {
        Value::Function(function) if is_free => Ok(Some(function)),
        _ => mlua::Result::Ok(None),
    };
    let uids = function("uids", command_line.uids.is_empty())?;
    let groups = function("groups", command_line.groups.is_empty())?;
    match (uids, groups) {
        (Some(uids), Some(groups)) => {
            let both = "local a, b = ... return function(u, g) return a(u, g) and b(u, g) end";
            lua.load(both).set_name("=[rille selector]").call((uids, groups)).map(Some)
        }
        (uids, groups) => Ok(uids.or(groups)),
    }
}

fn testscript(value: &Value) -> Result<Testscript, BadTask> {
    match value {
        Value::String(path) => {
            let path = path.to_str().map_err(|_| BadTask::Bytes("testscript".to_owned()))?;
            match path.is_empty() {
                true => Err(BadTask::Empty("testscript")),
                false => Ok(Testscript::Path(path.to_owned())),
            }
        }
        Value::Table(_) => {
            let recipe = to_recipe(value, "testscript")?;
            let recipe = Runnable::try_from(recipe)?;
            Ok(Testscript::Recipe(Box::new(recipe)))
        }
        Value::UserData(object) if object.is::<LuaRunnable>() => {
            let runnable = object.borrow::<LuaRunnable>()?;
            Ok(Testscript::Recipe(Box::new(runnable.0.clone())))
        }
        other => Err(wrong("testscript", "a path, a recipe table or a runnable", other)),
    }
}

fn text(key: &str, value: &Value) -> Result<String, BadTask> {
    match value {
        Value::String(text) => text.to_str().map(|text| text.to_owned()).map_err(|_| BadTask::Bytes(key.to_owned())),
        other => Err(wrong(key, "a string", other)),
    }
}

fn max_runtime(value: &Value) -> Result<Duration, BadTask> {
    let wanted = "a number of seconds above 0";
    let seconds = match value {
        Value::Integer(seconds) => i32::try_from(*seconds).ok().map(f64::from),
        Value::Number(seconds) => Some(*seconds),
        _ => None,
    };
    let limit = seconds.filter(|seconds| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.ok_or_else(|| wrong("max_runtime", wanted, value))
}

fn count(key: &str, value: &Value) -> Result<u32, BadTask> {
    match value {
        Value::Integer(number) => u32::try_from(*number).map_err(|_| wrong(key, "a whole number from 0", value)),
        other => Err(wrong(key, "a whole number from 0", other)),
    }
}

fn path(key: &str, value: &Value) -> Result<PathBuf, BadTask> {
    match value {
        Value::String(path) => Ok(PathBuf::from(OsStr::from_bytes(&path.as_bytes()))),
        other => Err(wrong(key, "a path", other)),
    }
}

/// Reads a list of strings and numbers; one alone is a list of one.
fn bytes(key: &str, value: &Value) -> Result<Vec<Blob>, BadTask> {
    let item = |name: &str, item: &Value| match scalar(item) {
        Some(text) => Ok(text),
        None => Err(wrong(name, "a string", item)),
    };
    match value {
        Value::String(_) => Ok(vec![item(key, value)?]),
        Value::Table(_) => {
            let items = list::items(value, key)?;
            (1..).zip(&items).map(|(index, value)| item(&format!("{key}[{index}]"), value)).collect()
        }
        _ => Err(wrong(key, "a list of strings", value)),
    }
}

/// The same where bytes that are not UTF-8 have no meaning.
fn words(key: &str, value: &Value) -> Result<Vec<String>, BadTask> {
    let word = |word: Blob| String::from_utf8(word.0).map_err(|_| BadTask::Bytes(key.to_owned()));
    bytes(key, value)?.into_iter().map(word).collect()
}

/// Returns a string or a number as it is an argument of a program.
fn scalar(value: &Value) -> Option<Blob> {
    match value {
        Value::String(text) => Some(Blob(text.as_bytes().to_vec())),
        Value::Integer(_) | Value::Number(_) => to_value(value, "").ok().map(|number| number.to_text().into()),
        _ => None,
    }
}

/// Returns the fields of a table whose keys are names, sorted by them.
fn named(key: &str, wanted: &'static str, value: &Value) -> Result<Vec<(String, Value)>, BadTask> {
    let Value::Table(table) = value else { return Err(wrong(key, wanted, value)) };
    let mut fields = Vec::new();
    for pair in table.pairs::<Value, Value>() {
        let (name, value) = pair?;
        match name.as_string().and_then(|name| name.to_str().ok().map(|name| name.to_owned())) {
            Some(name) => fields.push((name, value)),
            None => return Err(BadTask::Key { key: key.to_owned(), got: shown(&name) }),
        }
    }
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(fields)
}

fn environment(value: &Value) -> Result<BTreeMap<String, Option<Blob>>, BadTask> {
    let entry = |(name, value): (String, Value)| match &value {
        Value::Boolean(false) => Ok((name, None)),
        other => match scalar(other) {
            Some(text) => Ok((name, Some(text))),
            None => Err(wrong(&format!("env.{name}"), "a string, a number, or false to remove it", other)),
        },
    };
    named("env", "a table of names and texts", value)?.into_iter().map(entry).collect()
}

fn resources(value: &Value) -> Result<BTreeMap<String, u64>, BadTask> {
    let entry = |(name, value): (String, Value)| {
        let amount = match &value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::String(text) => parse_size(&text.to_string_lossy()),
            _ => None,
        };
        let wanted = "a whole number from 0 or a size such as \"4G\"";
        let amount = amount.ok_or_else(|| wrong(&format!("resources.{name}"), wanted, &value))?;
        Ok((name, amount))
    };
    let wanted = "a table such as { cpus = 2 }";
    let fields = named("resources", wanted, value)?;
    fields.into_iter().map(entry).filter(|entry| !matches!(entry, Ok((_, 0)))).collect()
}

fn wrong(key: &str, wanted: &'static str, value: &Value) -> BadTask {
    BadTask::Value { key: key.to_owned(), wanted, got: shown(value) }
}
