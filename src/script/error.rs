//! Errors between Lua and Rust: raised as objects with a kind, caught with the stack they were raised on.

use mlua::{Lua, MultiValue, Value};

use crate::model::{Place, RaisedError};

/// An error as a script sees it: `err.kind`, `err.message`, `tostring(err)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub(crate) struct ScriptError {
    /// The kind in one word.
    pub(crate) kind: &'static str,
    /// What, and what to do.
    pub(crate) message: String,
    /// The line of the script that called.
    pub(crate) place: Option<Place>,
}

/// Makes an error that is raised in the script line which called the running function.
pub(crate) fn raise(lua: &Lua, kind: &'static str, message: impl Into<String>) -> mlua::Error {
    mlua::Error::external(ScriptError { kind, message: message.into(), place: calling_line(lua) })
}

/// Returns the line of the user's file that called the running function: the innermost that is not Rille's own.
pub(crate) fn calling_line(lua: &Lua) -> Option<Place> {
    for level in 0..64 {
        let place = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let file = source.source.as_deref()?.strip_prefix('@')?.into();
            let line = u32::try_from(frame.current_line()?).ok()?;
            Some(Place { file, line })
        });
        match place {
            None => return None,
            Some(Some(place)) => return Some(place),
            Some(None) => {}
        }
    }
    None
}

/// Returns the line of this file that called the running function, however indirectly.
pub(crate) fn line_in(lua: &Lua, file: &str) -> Option<u32> {
    for level in 1..64 {
        let line = lua.inspect_stack(level, |frame| {
            let is_here = frame.source().source.as_deref().and_then(|source| source.strip_prefix('@')) == Some(file);
            is_here.then(|| frame.current_line().and_then(|line| u32::try_from(line).ok())).flatten()
        });
        match line {
            None => return None,
            Some(Some(line)) => return Some(line),
            Some(None) => {}
        }
    }
    None
}

/// Returns the script error inside an error that may have gone through several calls.
pub(crate) fn script_error(error: &mlua::Error) -> Option<&ScriptError> {
    match error {
        mlua::Error::CallbackError { cause, .. }
        | mlua::Error::BadArgument { cause, .. }
        | mlua::Error::WithContext { cause, .. } => script_error(cause),
        mlua::Error::ExternalError(inner) => inner.downcast_ref(),
        _ => None,
    }
}

/// Returns the text of an error without the tracebacks that mlua appends.
pub(crate) fn plain_text(error: &mlua::Error) -> String {
    if let Some(error) = script_error(error) {
        return error.to_string();
    }
    match error {
        mlua::Error::CallbackError { cause, .. } => plain_text(cause),
        mlua::Error::RuntimeError(text) => without_traceback(text).to_owned(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => without_traceback(&other.to_string()).to_owned(),
    }
}

fn without_traceback(text: &str) -> &str {
    text.split("\nstack traceback:").next().unwrap_or(text).trim_end()
}

/// Returns a field of an error value, as a script reads it.
pub(crate) fn field(error: &Value, name: &str) -> Option<String> {
    let Value::Error(error) = error else { return None };
    let script = script_error(error);
    match name {
        "kind" => Some(script.map_or("error", |script| script.kind).to_owned()),
        "message" => Some(script.map_or_else(|| plain_text(error), |script| script.message.clone())),
        "file" => script?.place.as_ref().map(|place| place.file.to_string()),
        "line" => script?.place.as_ref().map(|place| place.line.to_string()),
        _ => None,
    }
}

/// Makes the record of an error that nobody caught, from what the protected call returned.
pub(crate) fn uncaught(returned: MultiValue) -> RaisedError {
    let kept = returned.into_iter().next();
    let (value, traceback) = match kept {
        Some(Value::Table(kept)) => {
            (kept.get::<Value>("value").unwrap_or(Value::Nil), kept.get::<String>("traceback").ok())
        }
        other => (other.unwrap_or(Value::Nil), None),
    };
    let (kind, message) = describe(&value);
    let traceback = traceback.map(|text| tidy_traceback(&text)).filter(|text| !text.is_empty());
    RaisedError { kind, message, traceback }
}

/// Returns the kind and the text of a value that was raised.
fn describe(value: &Value) -> (String, String) {
    match value {
        Value::Error(error) => {
            let kind = match (script_error(error), &**error) {
                (Some(script), _) => script.kind,
                (None, mlua::Error::SyntaxError { .. }) => "syntax",
                _ => "error",
            };
            (kind.to_owned(), plain_text(error))
        }
        Value::Table(table) => {
            let text = |key: &str| table.get::<Option<String>>(key).ok().flatten();
            let shown = value.to_string().unwrap_or_else(|_| "an error object".to_owned());
            (text("kind").unwrap_or_else(|| "error".to_owned()), text("message").unwrap_or(shown))
        }
        Value::Nil => ("error".to_owned(), "error(nil) was raised".to_owned()),
        // Bytes that are not UTF-8 included.
        Value::String(text) => ("error".to_owned(), text.to_string_lossy()),
        other => ("error".to_owned(), other.to_string().unwrap_or_else(|_| "an error object".to_owned())),
    }
}

/// Leaves out of a traceback what is not the user's: Rille's own chunks and the calls into them.
fn tidy_traceback(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "stack traceback:");
    let own = |line: &&str| !["[rille", "[C]:", "__mlua"].iter().any(|start| line.starts_with(start));
    let mut kept: Vec<&str> = lines.filter(own).collect();
    // Rille's own calls leave this one.
    while kept.last() == Some(&"(...tail calls...)") {
        kept.pop();
    }
    kept.join("\n")
}
