//! Errors between Lua and Rust: raised as objects with a kind, caught with the stack they were raised on.

use std::borrow::Cow;
use std::str::Utf8Error;

use mlua::{Lua, MultiValue, Value};

use super::hints::with_hint;
use super::shown::text_of;
use crate::model::{Place, RaisedError};

/// An error as a script sees it: `err.kind`, `err.message`, `tostring(err)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub(crate) struct ScriptError {
    /// The kind in one word.
    pub(crate) kind: &'static str,
    /// What, and what to do.
    pub(crate) message: String,
    /// The same as it was raised, where that is not UTF-8.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The line of the script that called.
    pub(crate) place: Option<Place>,
}

/// Makes an error that is raised in the script line which called the running function.
pub(crate) fn raise(lua: &Lua, kind: &'static str, message: impl Into<String>) -> mlua::Error {
    mlua::Error::external(ScriptError { kind, message: message.into(), bytes: None, place: calling_line(lua) })
}

/// The same with the message of a script, of any bytes.
pub(crate) fn raise_bytes(lua: &Lua, kind: &'static str, message: &[u8]) -> mlua::Error {
    let (message, bytes) = match String::from_utf8_lossy(message) {
        Cow::Borrowed(text) => (text.to_owned(), None),
        Cow::Owned(text) => (text, Some(message.to_vec())),
    };
    mlua::Error::external(ScriptError { kind, message, bytes, place: calling_line(lua) })
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

/// Returns the text of an error in words of a script: without tracebacks, and without the names that things have in Rust.
pub(crate) fn plain_text(error: &mlua::Error) -> String {
    if let Some(error) = script_error(error) {
        return error.to_string();
    }
    match error {
        mlua::Error::CallbackError { cause, .. } => plain_text(cause),
        mlua::Error::WithContext { context, cause } => format!("{context}: {}", plain_text(cause)),
        mlua::Error::RuntimeError(text) => without_traceback(text).to_owned(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::MemoryError(_) => "there is not enough memory".to_owned(),
        mlua::Error::BadArgument { to, name: Some(name), .. } if name == "self" => {
            let method = to.as_deref().and_then(|to| to.rsplit('.').next()).unwrap_or("it");
            format!("'{method}' is a method; call it with a colon, as in object:{method}(…)")
        }
        mlua::Error::BadArgument { pos, cause, .. } => format!("argument {pos} {}", plain_text(cause)),
        mlua::Error::FromLuaConversionError { from, to, message } => wrong_type(from, to, message.as_deref()),
        mlua::Error::UserDataTypeMismatch => "must be an object of another kind".to_owned(),
        mlua::Error::CoroutineUnresumable => "cannot resume a coroutine that is dead or runs".to_owned(),
        mlua::Error::StackError => "there are too many values".to_owned(),
        mlua::Error::ExternalError(error) if error.is::<Utf8Error>() => NOT_UTF8.to_owned(),
        mlua::Error::ExternalError(error) => without_traceback(&error.to_string()).to_owned(),
        _ => "something went wrong inside of rille's Lua".to_owned(),
    }
}

const NOT_UTF8: &str = "holds bytes that are not UTF-8";

/// Says that a value is not of the type that is wanted; types come by the names that they have in Rust.
fn wrong_type(from: &str, to: &str, message: Option<&str>) -> String {
    if message.is_some_and(|message| message.contains("utf-8")) {
        return NOT_UTF8.to_owned();
    }
    let name = to.rsplit("::").next().unwrap_or(to).trim_start_matches('&');
    let wanted = match name {
        "String" | "str" | "string" | "LuaString" | "BorrowedStr" => "a string",
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" | "integer" => "a whole number",
        "f32" | "f64" | "number" => "a number",
        "bool" | "boolean" => "true or false",
        "function" | "Function" => "a function",
        "table" | "Table" => "a table",
        name if name.starts_with("Vec") || name.starts_with("HashMap") => "a table",
        _ => "something else",
    };
    let got = match from {
        "missing argument" | "no value" => "nothing".to_owned(),
        "nil" => "nil".to_owned(),
        other => format!("a {other}"),
    };
    format!("must be {wanted}, got {got}")
}

fn without_traceback(text: &str) -> &str {
    text.split("\nstack traceback:").next().unwrap_or(text).trim_end()
}

/// Returns a field of an error value, as a script reads it.
pub(crate) fn field(error: &Value, name: &str) -> Option<Vec<u8>> {
    let Value::Error(error) = error else { return None };
    let script = script_error(error);
    match name {
        "kind" => Some(script.map_or("error", |script| script.kind).into()),
        "message" => Some(script.map_or_else(|| plain_text(error).into(), |script| message_of(script).to_vec())),
        "file" => Some(script?.place.as_ref()?.file.as_bytes().to_vec()),
        "line" => Some(script?.place.as_ref()?.line.to_string().into()),
        _ => None,
    }
}

fn message_of(error: &ScriptError) -> &[u8] {
    error.bytes.as_deref().unwrap_or(error.message.as_bytes())
}

/// Returns an error value as `tostring` has it: the bytes that it was raised with.
pub(crate) fn text_bytes(error: &mlua::Error) -> Vec<u8> {
    match script_error(error) {
        Some(script) => {
            let place = script.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
            [place.as_bytes(), message_of(script)].concat()
        }
        None => plain_text(error).into_bytes(),
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
    let place = match &value {
        // What Rust says of itself does not know where it was called.
        Value::Error(error) if script_error(error).is_none() && !begins_with_place(&message) => {
            traceback.as_deref().and_then(|text| text.lines().next()?.split_once(": in ")).map(|(place, _)| place)
        }
        _ => None,
    };
    let message = match place {
        Some(place) => format!("{place}: {message}"),
        None => message,
    };
    RaisedError { kind, message: with_hint(message), traceback }
}

/// Returns whether a text begins with a file and a line.
fn begins_with_place(text: &str) -> bool {
    let Some((start, _)) = text.split_once(": ") else { return false };
    start.rsplit_once(':').is_some_and(|(_, line)| line.parse::<u32>().is_ok())
}

/// Returns the kind and the text of a value that was raised.
fn describe(value: &Value) -> (String, String) {
    let plain = |text: String| ("error".to_owned(), text);
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
            let field = |key: &str| table.get::<Value>(key).ok().filter(|field| !field.is_nil());
            let kind = match field("kind") {
                Some(Value::String(kind)) => kind.to_string_lossy(),
                _ => "error".to_owned(),
            };
            (kind, field("message").map_or_else(|| text_of(value), |message| text_of(&message)))
        }
        Value::Nil => plain("error(nil) was raised".to_owned()),
        other => plain(text_of(other)),
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
