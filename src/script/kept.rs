//! What is kept of an end that a script has told: outcome and reason always, of the data what can be carried.
//!
//! An outcome is never changed because something beside it is too large, or is nothing but a thing of its process.

use mlua::Value as LuaValue;

use super::shown::cut;
use super::table::{NotCarried, to_value_as_far_as_it_goes};
use super::task::ScriptEnd;
use crate::model::{Outcome, Value};

/// The most bytes of a reason. In JSON each can become six.
const LONGEST_REASON: usize = 256 << 10;

/// The most bytes of JSON that the data of an end may be: with its reason it has a place in a message.
const MOST_DATA: usize = 2 << 20;

/// Reads the data that came with an end, named `what`. Returns what is kept of it, and what is to be told of the rest.
pub(crate) fn data(value: &LuaValue, what: &str) -> (Option<Value>, Vec<String>) {
    let (value, lost) = to_value_as_far_as_it_goes(value, what);
    let mut lost: Vec<String> = lost.iter().map(told).collect();
    let (value, too_large) = fitting(Some(value).filter(|value| !value.is_null()), what, MOST_DATA);
    lost.extend(too_large);
    (value, lost)
}

/// Returns what to say of what could not be kept as it was.
fn told(problem: &NotCarried) -> String {
    match problem {
        NotCarried::Hole { path, item } => {
            format!("{path} is a list with a hole: item {item} is missing (nil); the others are kept by their numbers")
        }
        other => format!("{other}; a word stands in its place"),
    }
}

/// Returns the data if it is not too large, else what is to be told of that.
pub(crate) fn fitting(value: Option<Value>, what: &str, most: usize) -> (Option<Value>, Option<String>) {
    let size = value.as_ref().map_or(0, |value| value.to_json().to_string().len());
    match size > most {
        true => (None, Some(format!("{what} is {size} bytes as JSON and is left out; at most {most} are kept"))),
        false => (value, None),
    }
}

/// Returns at most the first `most` bytes of a text, and how many there are more.
pub(crate) fn shortened(text: String, most: usize) -> String {
    match text.len() > most {
        true => {
            let short = cut(&text, most);
            format!("{short} … ({} bytes more)", text.len() - short.len())
        }
        false => text,
    }
}

/// Makes the end of a script.
pub(super) fn end(outcome: Outcome, reason: Option<String>, data: Option<Value>, remarks: Vec<String>) -> ScriptEnd {
    let reason = reason.map(|reason| shortened(reason, LONGEST_REASON));
    ScriptEnd { outcome, reason, data, remarks }
}

#[cfg(test)]
mod tests;
