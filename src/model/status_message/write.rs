//! Messages as text: as JSON for a status server, as Python's `repr` for the standard output of a runner.
//!
//! Both have the same keys in the same order; only the values look different.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Finished, Running, StatusKind, StatusMessage, TaskIdValue};
use crate::model::Blob;
use crate::model::python_text::{float_text, push_python_bytes, push_python_str};

/// A value in a message.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Int(i64),
    Float(f64),
    True,
    Id(&'a TaskIdValue),
}

/// Writes the line for a status server.
pub(super) fn json(message: &StatusMessage) -> String {
    write(message, push_json)
}

/// Writes the line for the runner's own output.
pub(super) fn python(message: &StatusMessage) -> String {
    write(message, push_python)
}

fn write(message: &StatusMessage, push: fn(&mut String, Shown<'_>)) -> String {
    let mut out = String::with_capacity(160);
    let mut put = |key: &str, value: Shown<'_>| {
        out.push_str(if out.is_empty() { "{" } else { ", " });
        push(&mut out, Shown::Text(key));
        out.push_str(": ");
        push(&mut out, value);
    };
    match &message.kind {
        StatusKind::Started { .. } => {}
        StatusKind::Running(running) => put_running(running, message.encoding.as_deref(), &mut put),
        StatusKind::Finished(finished) => put_finished(finished, &mut put),
    }
    put("status", Shown::Text(message.status()));
    if let Some(time) = message.time {
        put("time", Shown::Float(time));
    }
    if let StatusKind::Started { output_dir: Some(folder) } = &message.kind {
        put("output_dir", Shown::Text(folder));
    }
    if let Some(id) = &message.id {
        put("id", Shown::Id(id));
    }
    if let Some(job) = &message.job_id {
        put("job_id", Shown::Text(job));
    }
    out.push('}');
    out
}

fn put_running(running: &Running, encoding: Option<&str>, put: &mut impl FnMut(&str, Shown<'_>)) {
    let (log, is_log_only) = match running {
        Running::Heartbeat => return,
        Running::Stdout { log, log_only } | Running::Stderr { log, log_only } => (log, *log_only),
        Running::Whiteboard { log } | Running::Output { log } => (log, false),
        Running::Log { log, logger, level, levelname } => {
            let texts = [("log_name", logger), ("log_levelname", levelname)];
            for (at, (key, value)) in texts.into_iter().enumerate() {
                if let Some(level) = level.filter(|_| at == 1) {
                    put("log_level", Shown::Int(level));
                }
                if let Some(text) = value {
                    put(key, Shown::Text(text));
                }
            }
            (log, false)
        }
        Running::File { path, log } => {
            put("path", Shown::Text(path));
            (log, false)
        }
    };
    if let Some(name) = running.name() {
        put("type", Shown::Text(name));
    }
    put("log", Shown::Bytes(log));
    if is_log_only {
        put("log_only", Shown::True);
    }
    if let Some(encoding) = encoding {
        put("encoding", Shown::Text(encoding));
    }
}

fn put_finished(finished: &Finished, put: &mut impl FnMut(&str, Shown<'_>)) {
    put("result", Shown::Text(finished.result.name()));
    if let Some(reason) = &finished.fail_reason {
        put("fail_reason", Shown::Text(reason));
    }
    if let Some(code) = finished.returncode {
        put("returncode", Shown::Int(code));
    }
    let rest = [
        ("class_name", &finished.class_name),
        ("fail_class", &finished.fail_class),
        ("traceback", &finished.traceback),
    ];
    for (key, value) in rest {
        if let Some(text) = value {
            put(key, Shown::Text(text));
        }
    }
}

fn push_json(out: &mut String, value: Shown<'_>) {
    match value {
        Shown::Text(text) => push_json_str(out, text),
        Shown::Id(TaskIdValue::Text(text)) => push_json_str(out, text),
        Shown::Bytes(bytes) => {
            out.reserve(bytes.len() / 3 * 4 + 40);
            out.extend(["{\"", Blob::ENCODED, "\": \""]);
            STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
        Shown::Int(number) => out.push_str(&number.to_string()),
        Shown::Float(number) => out.push_str(&float_text(number)),
        Shown::True => out.push_str("true"),
        Shown::Id(TaskIdValue::Number(number)) => out.push_str(&number.to_string()),
    }
}

fn push_json_str(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

fn push_python(out: &mut String, value: Shown<'_>) {
    match value {
        Shown::Text(text) => push_python_str(out, text),
        Shown::Id(TaskIdValue::Text(text)) => push_python_str(out, text),
        Shown::Bytes(bytes) => push_python_bytes(out, bytes),
        Shown::True => out.push_str("True"),
        Shown::Int(_) | Shown::Float(_) | Shown::Id(TaskIdValue::Number(_)) => push_json(out, value),
    }
}
