//! `walk.replay_walk` and `walk.replay`: one walk again, as it is written down or as a trace has it.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};
use serde_json::{Map, Value as Json};

use super::value::{decode, encode};
use super::{WalkHost, WalkReplay};
use crate::model::{WalkEnd, WalkEnded, os_text};
use crate::script::error::raise;
use crate::script::shown::shown;
use crate::walk::trace;

/// Adds the functions to those that the Lua half calls.
pub(super) fn add(lua: &Lua, host: &Table, walk_host: &Rc<dyn WalkHost>) -> mlua::Result<()> {
    let shared = Rc::clone(walk_host);
    let replay_walk = move |lua: &Lua, (steps, state, step): (Table, Value, bool)| {
        let mut walk = Vec::new();
        for (number, action) in (1..).zip(steps.sequence_values::<Table>()) {
            let action = action?;
            let name: String = action.get("name")?;
            let param = encode(lua, &action.get::<Value>("param")?, &format!("the option of item {number}, '{name}',"))
                .map_err(|lost| raise(lua, "usage", lost.to_string()))?;
            walk.push(Json::Object(Map::from_iter([(name, param)])));
        }
        let state = encode(lua, &state, "the state").map_err(|lost| raise(lua, "usage", lost.to_string()))?;
        answer(lua, shared.replay(lua, WalkReplay { id: None, walk, state, step })?)
    };
    host.set("replay_walk", lua.create_function(replay_walk)?)?;
    let shared = Rc::clone(walk_host);
    let replay = move |lua: &Lua, (logs, id, state, step): (Value, u64, Value, bool)| {
        let found = find(lua, &logs, id)?;
        let state = match state {
            Value::Nil => found.state.unwrap_or(Json::Null),
            given => encode(lua, &given, "the state").map_err(|lost| raise(lua, "usage", lost.to_string()))?,
        };
        answer(lua, shared.replay(lua, WalkReplay { id: Some(id), walk: found.walk, state, step })?)
    };
    host.set("replay", lua.create_function(replay)?)
}

/// Finds a walk in what `run_tests` returned as its logs, or in the trace or master file with this path.
fn find(lua: &Lua, logs: &Value, id: u64) -> mlua::Result<trace::Found> {
    let usage = |problem: String| raise(lua, "usage", problem);
    let paths = match logs {
        Value::String(path) => vec![PathBuf::from(path.to_string_lossy())],
        Value::Table(logs) => match logs.get::<Value>("master")? {
            Value::String(path) if !path.as_bytes().is_empty() => vec![PathBuf::from(path.to_string_lossy())],
            _ => {
                return Err(usage("replay: these logs name no trace; run_tests writes traces into log_dir".to_owned()));
            }
        },
        other => {
            let given = shown(other);
            return Err(usage(format!("replay takes the logs of run_tests or the path of a trace, not {given}")));
        }
    };
    find_in_files(&paths, id).map_err(|error| usage(error.to_string()))
}

/// Why there is no walk to run again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWalk {
    /// A trace cannot be read.
    #[error("cannot read the trace {}: {}", path.display(), os_text(source))]
    Unreadable {
        /// The trace.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The traces do not have it.
    #[error(transparent)]
    Trace(#[from] trace::TraceError),
}

/// Finds a walk in traces; a master file stands for those that it lists.
pub(crate) fn find_in_files(paths: &[PathBuf], id: u64) -> Result<trace::Found, NoWalk> {
    let read = |path: &Path| std::fs::read(path).map_err(|source| NoWalk::Unreadable { path: path.to_owned(), source });
    let mut texts = Vec::new();
    for path in paths {
        let text = read(path)?;
        for listed in trace::listed(&text) {
            // A folder of traces may be moved as a whole.
            let beside = path.parent().unwrap_or(Path::new("")).join(listed.file_name().unwrap_or_default());
            let listed = if listed.exists() || !beside.exists() { listed } else { beside };
            match read(&listed) {
                Ok(text) => texts.push((listed, text)),
                // A worker that got no walk has written none.
                Err(NoWalk::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        texts.push((path.clone(), text));
    }
    let files = texts.iter().map(|(path, text)| (path.as_path(), text.as_slice()));
    Ok(trace::find(files, id)?)
}

/// Returns the state of a walk that ran through, with how it ended; raises what it raised.
fn answer(lua: &Lua, ended: WalkEnded) -> mlua::Result<MultiValue> {
    match (ended.end, ended.error) {
        (WalkEnd::Failed, error) => {
            let message = error.map_or_else(|| "it failed".to_owned(), |error| error.message);
            Err(raise(lua, "walk", format!("the walk failed: {message}")))
        }
        (end, _) => {
            let state = ended.state.as_ref().map_or(Ok(Value::Nil), |state| decode(lua, state))?;
            let word = if end == WalkEnd::Cancelled { "cancelled" } else { "passed" };
            Ok(MultiValue::from_vec(vec![state, Value::String(lua.create_string(word)?)]))
        }
    }
}
