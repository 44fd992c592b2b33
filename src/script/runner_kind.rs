//! Kinds of runnables that are written in Lua: the process in which such a kind runs one.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlua::{Function, Lua, MultiValue, Table, Value};
use serde_json::{Map, Value as Json};

use super::api::runner::Kinds;
use super::error::{plain_text, raise};
use super::modules::{Face, Given};
use super::plain::{NotPlain, to_plain_json};
use super::shown::shown;
use super::vm::{Setup, Vm, Write};
use super::{modules, source, table};
use crate::model::{BadMessage, Blob, RaisedError, StatusMessage, nearest, os_text};

/// Takes one message as a line of JSON.
pub(crate) type Say = Rc<dyn Fn(&str)>;

/// Runs a runnable by the function that a file gives its kind. Returns its last message.
pub(crate) fn run_kind(file: &Path, runnable: &Json, output_dir: &Json, say: &Say) -> Json {
    let ended = run(file, runnable, output_dir, say);
    ended.unwrap_or_else(|error| {
        let status = if error.kind == "assertion" { "fail" } else { "error" };
        serde_json::json!({
            "result": status,
            "fail_reason": error.message,
            "fail_class": error.kind,
            "traceback": error.traceback,
            "status": "finished",
        })
    })
}

fn run(file: &Path, runnable: &Json, output_dir: &Json, say: &Say) -> Result<Json, RaisedError> {
    let kind = runnable.get("kind").and_then(Json::as_str).unwrap_or_default();
    let kinds: Kinds = Rc::default();
    let vm = load(file, &kinds, None)?;
    let function = {
        let kinds = kinds.borrow();
        let found = kinds.iter().find(|(name, _)| name == kind).map(|(_, function)| function.clone());
        found.ok_or_else(|| {
            let names: Vec<&str> = kinds.iter().map(|(name, _)| name.as_str()).collect();
            let hint = nearest(kind, names.iter().copied()).map(|near| format!("; did you mean '{near}'?"));
            plain(format!("{} defines no kind '{kind}'{}", file.display(), hint.unwrap_or_default()))
        })?
    };
    let lua = vm.lua();
    let mut shown = runnable.clone();
    if let Some(fields) = shown.as_object_mut() {
        // A function finds the tables there, also where nothing was given.
        for (key, empty) in [("args", Json::Array(Vec::new())), ("kwargs", Json::Object(Map::new()))] {
            fields.entry(key).or_insert(empty);
        }
        fields.entry("config").or_insert_with(|| Json::Object(Map::new()));
        fields.insert("output_dir".to_owned(), output_dir.clone());
    }
    let runnable = table::from_json(lua, &shown).map_err(|error| internal(&error))?;
    let emit = emit_function(lua, say).map_err(|error| internal(&error))?;
    let returned = vm.call(&function, vec![runnable, Value::Function(emit)])?;
    end(&returned).map_err(|problem| plain(format!("{}: {problem}", file.display())))
}

/// Returns the names of the kinds that a file defines. What it prints meanwhile goes to standard error: the output is for
/// the answer.
pub(crate) fn kinds_of(file: &Path) -> Result<Vec<String>, RaisedError> {
    let kinds: Kinds = Rc::default();
    let write: Write = Box::new(|_, bytes| {
        // With a closed terminal there is nobody to tell.
        let _ = std::io::stderr().write_all(bytes);
    });
    load(file, &kinds, Some(write))?;
    let names = kinds.borrow().iter().map(|(name, _)| name.clone()).collect();
    Ok(names)
}

fn load(file: &Path, kinds: &Kinds, write: Option<Write>) -> Result<Vm, RaisedError> {
    let text = fs::read(file).map_err(|error| plain(format!("cannot read {}: {}", file.display(), os_text(&error))))?;
    let setup = Setup {
        module_folders: modules::folders(file, &std::env::current_dir().unwrap_or_default()),
        write,
        before_program: None,
        execute: None,
        after_program: None,
        exit: Box::new(|_, code| {
            // What was printed is with the standard library, which is ended by the process.
            let _ = std::io::stdout().flush();
            std::process::exit(code)
        }),
    };
    let vm = Vm::new(setup).map_err(|error| internal(&error))?;
    let given = Given { kinds: Some(Rc::clone(kinds)), ..Given::to(Face::RunnerKind) };
    modules::preload(&vm, given).map_err(|error| internal(&error))?;
    let chunk = source::compile(vm.lua(), file, &text, &[])?;
    vm.call(&chunk, Vec::new())?;
    Ok(vm)
}

/// The keys of a message whose values are any bytes.
const BYTES: &str = "log";

/// Returns the function by which a kind says what happens.
fn emit_function(lua: &Lua, say: &Say) -> mlua::Result<Function> {
    let say = Rc::clone(say);
    lua.create_function(move |lua, message: Value| {
        let usage = "emit { status = \"running\", type = \"log\", log = \"…\" }";
        let Value::Table(message) = message else {
            return Err(raise(lua, "usage", format!("write {usage}; got {}", shown(&message))));
        };
        let mut json = message_of(&message).map_err(|bad| raise(lua, "usage", bad.to_string()))?;
        let status = json.entry("status").or_insert_with(|| "running".into()).as_str().unwrap_or_default().to_owned();
        match status.as_str() {
            "running" => {}
            // It is said by the runner.
            "started" => return Ok(()),
            "finished" => {
                return Err(raise(lua, "usage", "the end is what the function returns: return { result = \"pass\" }"));
            }
            other => {
                return Err(raise(lua, "usage", format!("the status is '{other}', and only 'running' can be emitted")));
            }
        }
        let line = Json::Object(json).to_string();
        StatusMessage::parse(line.as_bytes()).map_err(|bad| raise(lua, "usage", bad.to_string()))?;
        say(&line);
        Ok(())
    })
}

/// What is no message of a runner.
#[derive(Debug, thiserror::Error)]
enum NoMessage {
    /// A key is no name.
    #[error("a message has names as keys, got {0}")]
    Key(String),
    /// A value has no place in one.
    #[error(transparent)]
    Value(#[from] NotPlain),
    /// Lua would not give it.
    #[error("{}", plain_text(.0))]
    Lua(#[from] mlua::Error),
    /// It is to be the last one, and is this.
    #[error("a kind returns a table such as {{ result = \"pass\" }}, got {0}")]
    NoEnd(String),
    /// It is to be the last one, and is not as such are.
    #[error("a kind's end: {0}")]
    End(#[from] BadMessage),
}

/// Returns a message as JSON: `log` as bytes, everything else as it is.
fn message_of(message: &Table) -> Result<Map<String, Json>, NoMessage> {
    let mut json = Map::new();
    for pair in message.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Value::String(key) = &key else {
            return Err(NoMessage::Key(shown(&key)));
        };
        let key = key.to_string_lossy();
        let value = match &value {
            Value::String(bytes) if key == BYTES => {
                let bytes = bytes.as_bytes();
                if std::str::from_utf8(&bytes).is_ok() {
                    json.entry("encoding").or_insert_with(|| "utf-8".into());
                }
                serde_json::json!({ Blob::ENCODED: STANDARD.encode(bytes) })
            }
            other => to_plain_json(other, &key)?,
        };
        json.insert(key, value);
    }
    Ok(json)
}

/// Returns the last message, of what a function returned: a table with the result, a status, or nothing for a pass.
fn end(returned: &MultiValue) -> Result<Json, NoMessage> {
    let mut json = match returned.front() {
        None | Some(Value::Nil | Value::Boolean(true)) => Map::from_iter([("result".to_owned(), "pass".into())]),
        Some(Value::Boolean(false)) => Map::from_iter([("result".to_owned(), "fail".into())]),
        Some(Value::String(word)) => Map::from_iter([("result".to_owned(), word.to_string_lossy().into())]),
        Some(Value::Table(table)) => message_of(table)?,
        Some(other) => return Err(NoMessage::NoEnd(shown(other))),
    };
    json.insert("status".to_owned(), "finished".into());
    let json = Json::Object(json);
    StatusMessage::parse(json.to_string().as_bytes())?;
    Ok(json)
}

fn plain(message: String) -> RaisedError {
    RaisedError { kind: "error".to_owned(), message, traceback: None }
}

fn internal(error: &mlua::Error) -> RaisedError {
    plain(format!("cannot set Lua up: {}", plain_text(error)))
}
