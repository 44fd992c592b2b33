//! The label of a run, from a template and the flags.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::encode::as_shown;
use super::scalar::as_number;
use super::{FlagValues, Notice};
use crate::model::float_text;

/// Digits after the point that a label shows.
const DECIMALS: usize = 5;

/// Characters of a path that a label shows.
const PATH_LENGTH: usize = 20;

/// Digits of the id of a run, and those of them that a label shows.
const ID_LENGTH: usize = 32;
const SHORT_ID: usize = 8;

/// Returns the label of a run. Without a template it is every flag that has a value, as `NAME=VALUE`.
/// `upstreams` are the flags whose values are ids of runs: of these a label shows the eight digits that lists show.
pub(crate) fn label(template: Option<&str>, flags: &FlagValues, upstreams: &BTreeSet<String>) -> (String, Vec<Notice>) {
    let mut notices = Vec::new();
    let short = |(name, value): (&String, &Value)| {
        let value = if upstreams.contains(name) { short_ids(value) } else { value.clone() };
        (name.clone(), value)
    };
    let flags = &flags.iter().map(short).collect::<FlagValues>();
    let Some(template) = template else { return (default_label(flags, upstreams), notices) };
    let mut label = String::new();
    let mut rest = template;
    while let Some(start) = rest.find("${") {
        // At least one character stands between.
        let Some(end) = rest[start + 2..].char_indices().skip(1).find(|(_, c)| *c == '}').map(|(at, _)| start + 2 + at)
        else {
            break;
        };
        label.push_str(&rest[..start]);
        label.push_str(&reference(&rest[start + 2..end], flags, upstreams, &mut notices));
        rest = &rest[end + 1..];
    }
    label.push_str(rest);
    (label, notices)
}

/// Returns the label that a run has of its flags alone.
fn default_label(flags: &FlagValues, upstreams: &BTreeSet<String>) -> String {
    let given = flags.iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| format!("{name}={}", shown(name, value, upstreams))).collect::<Vec<_>>().join(" ")
}

/// Returns the value of a flag as a label shows it. The digits of an id may all be decimal, or look like `12e45678`: that makes
/// it no number, and it has no quotes.
fn shown(name: &str, value: &Value, upstreams: &BTreeSet<String>) -> String {
    match value {
        Value::String(text) if upstreams.contains(name) && is_id(text, SHORT_ID) => text.clone(),
        _ => formatted(value),
    }
}

fn is_id(word: &str, length: usize) -> bool {
    word.len() == length && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns a value with each id of a run in it as its first digits; the names of runs and paths stay.
fn short_ids(value: &Value) -> Value {
    let short = |word: &str| if is_id(word, ID_LENGTH) { word[..SHORT_ID].to_owned() } else { word.to_owned() };
    match value {
        Value::String(text) => Value::from(text.split(' ').map(short).collect::<Vec<_>>().join(" ")),
        Value::Array(items) => items.iter().map(short_ids).collect(),
        other => other.clone(),
    }
}

/// What a reference stands for on its way through the filters.
enum Part {
    /// A flag as it is shown; a filter sees its value.
    Flag(Value),
    /// What a filter made of it.
    Made(Value),
}

fn reference(text: &str, flags: &FlagValues, upstreams: &BTreeSet<String>, notices: &mut Vec<Notice>) -> String {
    let mut parts = text.split('|');
    let name = parts.next().unwrap_or_default();
    let mut part = match (name, flags.get(name)) {
        ("default_label", None) => Part::Made(Value::from(default_label(flags, upstreams))),
        (_, value) => Part::Flag(value.cloned().unwrap_or_default()),
    };
    for filter in parts {
        let value = match part {
            Part::Flag(value) | Part::Made(value) => value,
        };
        part = apply(filter, value, notices);
    }
    match part {
        Part::Flag(Value::Null) | Part::Made(Value::Null) => String::new(),
        Part::Flag(value) => shown(name, &value, upstreams),
        Part::Made(value) => raw(&value),
    }
}

/// Returns a value after a filter.
fn apply(filter: &str, value: Value, notices: &mut Vec<Notice>) -> Part {
    let (name, argument) = filter.split_once(':').map_or((filter, None), |(name, argument)| (name, Some(argument)));
    if name.starts_with('%') {
        return Part::Made(match format_number(name, &value) {
            Ok(text) => Value::from(text),
            Err(Some(problem)) => {
                notices.push(Notice::Warning(format!(
                    "cannot format {} with '{name}' in a label: {problem}",
                    raw(&value)
                )));
                value
            }
            // A value of another type goes through as it is.
            Err(None) => value,
        });
    }
    match name {
        "default" if value.is_null() => Part::Made(Value::from(argument.unwrap_or_default())),
        "default" | "unquote" if !value.is_string() => Part::Made(value),
        "default" => Part::Made(value),
        "basename" if value.is_null() => Part::Made(value),
        "basename" => {
            let text = raw(&value);
            let base = Path::new(&text).file_name().map(|base| base.to_string_lossy().into_owned());
            Part::Made(Value::from(base.unwrap_or_default()))
        }
        "unquote" => {
            let text = raw(&value);
            let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            Part::Made(Value::from(inner.unwrap_or(&text)))
        }
        _ => {
            notices.push(Notice::Warning(format!(
                "unsupported filter '{filter}' in a label: expected default, basename, unquote or a format like %.2f"
            )));
            Part::Made(Value::from("#error#"))
        }
    }
}

/// Returns a number by a format of Python's `%`, for one value; `Err(None)` for a value that is no number.
fn format_number(format: &str, value: &Value) -> Result<String, Option<&'static str>> {
    let rest = format.strip_prefix('%').unwrap_or(format);
    let flags_end = rest.find(|c: char| !"-+ 0#".contains(c)).unwrap_or(rest.len());
    let (marks, rest) = rest.split_at(flags_end);
    let width_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (width, rest) = rest.split_at(width_end);
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            (Some(rest[..end].parse().unwrap_or(0_usize)), &rest[end..])
        }
        None => (None, rest),
    };
    let mut chars = rest.chars();
    let kind = chars.next().ok_or(Some("the format has no type"))?;
    let tail = chars.as_str();
    if tail.contains('%') {
        return Err(Some("only one value can be formatted"));
    }
    let width: usize = width.parse().unwrap_or(0);
    if width > 1000 || precision.is_some_and(|precision| precision > 1000) {
        return Err(Some("it is too wide"));
    }
    let number = || as_number(value).ok_or(None);
    let body = match kind {
        's' | 'r' => {
            let text = raw(value);
            precision.map_or(text.clone(), |precision| text.chars().take(precision).collect())
        }
        'd' | 'i' | 'u' => match value.as_i64() {
            Some(value) => value.to_string(),
            None => format!("{:.0}", number()?.trunc()),
        },
        'f' | 'F' => format!("{:.*}", precision.unwrap_or(6), number()?),
        'e' | 'E' => scientific(number()?, precision.unwrap_or(6)),
        'g' | 'G' => general(number()?, precision.unwrap_or(6).max(1)),
        _ => return Err(Some("its type is none of d, f, e, g, s")),
    };
    let body = if kind.is_ascii_uppercase() { body.to_ascii_uppercase() } else { body };
    let is_number = !matches!(kind, 's' | 'r');
    let sign = if !is_number || body.starts_with('-') {
        ""
    } else if marks.contains('+') {
        "+"
    } else if marks.contains(' ') {
        " "
    } else {
        ""
    };
    let body = format!("{sign}{body}");
    let padded = if marks.contains('-') {
        format!("{body:<width$}")
    } else if marks.contains('0') && is_number {
        let signs = usize::from(body.starts_with(['-', '+', ' ']));
        format!("{}{:0>pad$}", &body[..signs], &body[signs..], pad = width.saturating_sub(signs))
    } else {
        format!("{body:>width$}")
    };
    Ok(padded + tail)
}

fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let exponent: i32 = exponent.parse().unwrap_or(0);
            format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        None => text,
    }
}

fn general(value: f64, precision: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let rounded = scientific(value, precision - 1);
    let exponent: i32 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let most = i32::try_from(precision).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= most {
        let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "+00"));
        return format!("{}e{exponent}", trim(mantissa));
    }
    let decimals = usize::try_from(most - 1 - exponent).unwrap_or(0);
    trim(&format!("{value:.decimals$}"))
}

/// Returns a value as Python's `str` has it.
fn raw(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => float_text(number.as_f64().unwrap_or_default()),
        _ => as_shown(value),
    }
}

/// Returns a value as a label has it.
pub(crate) fn formatted(value: &Value) -> String {
    let shown = as_shown(value);
    match value {
        Value::Number(number) if number.is_f64() => cut_decimals(&shown),
        Value::String(text) => {
            let shown = match text.contains('/') && Path::new(text).exists() {
                true => shorten_path(text),
                false => shown,
            };
            if shown.contains(' ') && !shown.starts_with(['\'', '"']) { python_quoted(&shown) } else { shown }
        }
        _ => shown,
    }
}

/// Returns a number with no more than so many digits after its point.
fn cut_decimals(text: &str) -> String {
    let Some((whole, rest)) = text.split_once('.') else { return text.to_owned() };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (fraction, tail) = rest.split_at(end);
    format!("{whole}.{}{tail}", &fraction[..fraction.len().min(DECIMALS)])
}

/// Returns a text in quotes as Python's `repr` chooses them.
fn python_quoted(text: &str) -> String {
    match text.contains('\'') && !text.contains('"') {
        true => format!("\"{}\"", text.replace('\\', "\\\\")),
        false => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

/// Returns a path with an ellipsis for what stands in its middle.
pub(crate) fn shorten_path(path: &str) -> String {
    if path.chars().count() <= PATH_LENGTH {
        return path.to_owned();
    }
    let mut parts = path_parts(path);
    let Some(last) = parts.pop_back() else { return path.to_owned() };
    if parts.is_empty() {
        return last;
    }
    let is_absolute = parts[0].starts_with('/');
    let mut left: Vec<String> = Vec::new();
    let mut right = vec![last];
    let mut from_right = false;
    if !is_absolute {
        left.extend(parts.pop_front());
        from_right = true;
    }
    let length = |parts: &[String]| parts.iter().map(|part| part.chars().count() + 1).sum::<usize>();
    while let Some(part) = if from_right { parts.pop_back() } else { parts.pop_front() } {
        // One for the ellipsis.
        if length(&left) + length(&right) + part.chars().count() + 1 >= PATH_LENGTH {
            break;
        }
        if from_right {
            right.push(part);
        } else {
            left.push(part);
        }
        from_right = !from_right;
    }
    right.reverse();
    let shortened = format!("{}/\u{2026}/{}", left.join("/"), right.join("/"));
    if shortened.chars().count() >= path.chars().count() { path.to_owned() } else { shortened }
}

/// Returns the parts of a path; a separator at the front, or one too many, belongs to the part that follows.
fn path_parts(path: &str) -> std::collections::VecDeque<String> {
    let mut parts = std::collections::VecDeque::new();
    let mut blanks = String::new();
    for part in path.split('/') {
        if part.is_empty() {
            blanks.push('/');
        } else {
            parts.push_back(std::mem::take(&mut blanks) + part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flags() -> FlagValues {
        let flags = json!({
            "lr": 0.123_456_789, "tiny": 1.234_567_8e-7, "n": 10, "b": true, "name": "a b", "none": null, "p": "x/y/z.txt",
            "q": "'in quotes'", "yes": "yes", "e": "",
        });
        flags.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn a_label_has_its_flags() {
        let default =
            "b=yes e='' lr=0.12345 n=10 name='a b' p=x/y/z.txt q=\"'''in quotes'''\" tiny=1.23456e-07 yes='yes'";
        // Quotes within the quotes of YAML.
        let default = default.replace("\"'''in quotes'''\"", "'''in quotes'''");
        assert_eq!(default_label(&flags(), &BTreeSet::new()), default);
        let cases = [
            ("plain", "plain"),
            ("lr ${lr} n ${n}", "lr 0.12345 n 10"),
            ("${none}|${missing}", "|"),
            ("${none|default:x}-${n|default:x}-${missing|default}", "x-10-"),
            ("${p|basename} ${none|basename}", "z.txt "),
            ("${name} ${name|unquote}", "'a b' a b"),
            ("${lr|%.2f} ${n|%.2f} ${n|%05d} ${lr|%.3e} ${lr|%g}", "0.12 10.00 00010 1.235e-01 0.123457"),
            ("${name|%.2f}", "a b"),
            ("${n|%5s|} ${n|%-5d}|", "#error# 10   |"),
            ("${b} ${b|default:x}", "yes True"),
            ("${n|foo}", "#error#"),
            ("${", "${"),
            ("${}x", "${}x"),
            ("é${n}é", "é10é"),
        ];
        for (template, expected) in cases {
            assert_eq!(label(Some(template), &flags(), &BTreeSet::new()).0, expected, "{template}");
        }
        assert_eq!(label(Some("[${default_label}]"), &flags(), &BTreeSet::new()).0, format!("[{default}]"));
        assert_eq!(label(None, &flags(), &BTreeSet::new()).0, default);
        assert_eq!(label(Some("${n|foo}"), &flags(), &BTreeSet::new()).1.len(), 1);
        assert_eq!(label(Some("${n|%.2q}"), &flags(), &BTreeSet::new()).1.len(), 1);
    }

    #[test]
    fn ids_of_runs_are_shown_as_lists_show_them_whatever_their_digits() {
        let upstreams = BTreeSet::from(["up".to_owned()]);
        for start in ["0123abcd", "12345678", "12e45678", "1234567e", "00000000", "zz345678"] {
            let is_id = !start.contains('z');
            let id = format!("{start}{}", "7".repeat(24));
            let flags: FlagValues = [("up".to_owned(), json!(id)), ("n".to_owned(), json!("12"))].into_iter().collect();
            let shown = if is_id { start } else { &id };
            assert_eq!(label(None, &flags, &upstreams).0, format!("n='12' up={shown}"));
            assert_eq!(label(Some("from ${up}"), &flags, &upstreams).0, format!("from {shown}"));
            assert_eq!(label(Some("${default_label}"), &flags, &upstreams).0, format!("n='12' up={shown}"));
        }
    }

    #[test]
    fn long_paths_are_shortened() {
        let cases = [
            ("/short/path", "/short/path"),
            ("/a/very/long/path/to/some/file.txt", "/a/…/some/file.txt"),
            ("relative/path/to/some/file.txt", "relative/…/file.txt"),
            ("a-single-name-that-is-long.txt", "a-single-name-that-is-long.txt"),
        ];
        for (path, expected) in cases {
            assert_eq!(shorten_path(path), expected);
        }
    }
}
