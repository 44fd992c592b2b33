//! How values of Lua look in messages, logs and reasons: by their content, and never by an address.

use std::ffi::c_void;
use std::fmt::Write as _;

use mlua::{Table, Value};

use super::error::plain_text;
use super::table::{key_of, to_value};
use crate::model::Key;

/// How many items of a table are shown.
const MOST_ITEMS: usize = 20;
/// How deep tables in tables are shown.
const MOST_DEEP: usize = 4;
/// So many bytes of a text inside a table are shown, and about so many of the whole.
const LONGEST_TEXT: usize = 200;
const LONGEST: usize = 2000;

/// Returns what a value is, with its article: "a function", "a Task".
pub(crate) fn kind_of(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Integer(_) => "a whole number".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a string".to_owned(),
        Value::Error(_) => "an error object".to_owned(),
        Value::UserData(_) | Value::Table(_) => named(value).unwrap_or_else(|| match value {
            Value::Table(_) => "a table".to_owned(),
            _ => "an object".to_owned(),
        }),
        other => format!("a {}", other.type_name()),
    }
}

/// Returns how an object with a name of its own is called, by the names that the objects of Rille have.
fn named(value: &Value) -> Option<String> {
    let name = match value {
        Value::Table(table) => match table.metatable()?.raw_get("__name").ok()? {
            Value::String(name) => name.to_string_lossy(),
            _ => return None,
        },
        Value::UserData(object) => match object.type_name() {
            Ok(name) => name.to_string_lossy(),
            // Of what is not of Rust only its text is known: a name, and an address.
            Err(_) => value.to_string().ok()?.split([':', '(']).next()?.trim().to_owned(),
        },
        _ => return None,
    };
    Some(match name.as_str() {
        "" | "userdata" => return None,
        "FILE*" => "a file".to_owned(),
        name if name.starts_with("a ") => name.to_owned(),
        "runtime" => "the runtime".to_owned(),
        name if name.starts_with("rille.") => format!("the module {name}"),
        name if name.starts_with("runtime.") => name.to_owned(),
        name if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
        name => format!("a {name}"),
    })
}

/// Returns a short text of a value for an error message: its type and what it says.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let text = text.to_string_lossy();
            let short = cut(&text, LONGEST_TEXT);
            let more = if short.len() < text.len() { "…" } else { "" };
            format!("the string '{}{more}'", short.escape_debug())
        }
        Value::Integer(number) => format!("the number {number}"),
        Value::Number(number) => format!("the number {number}"),
        other => kind_of(other),
    }
}

/// Returns a key as it stands in a path.
pub(crate) fn shown_key(key: &Value) -> String {
    key_of(key).map_or_else(|| kind_of(key), |key| key.to_string())
}

/// Returns a value as a text for people: a string as it is, a table by its content, an error by its message. What has a
/// text of its own, by `__tostring`, is that.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string_lossy(),
        Value::Error(error) => plain_text(error),
        other => content_of(other),
    }
}

/// The same where a string stands in quotes.
fn content_of(value: &Value) -> String {
    let mut writer = Writer { out: String::new(), open: Vec::new() };
    writer.value(value);
    writer.out
}

/// Returns at most the first `most` bytes of a text, which is never cut inside a character.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

struct Writer {
    out: String,
    open: Vec<*const c_void>,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Nil => self.out.push_str("nil"),
            Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => self.out.push_str(&number_text(value)),
            Value::String(text) => {
                let text = text.to_string_lossy();
                let short = cut(&text, LONGEST_TEXT);
                let more = if short.len() < text.len() { "…" } else { "" };
                // Writing to a String cannot fail.
                let _ = write!(self.out, "\"{}{more}\"", short.escape_debug());
            }
            Value::Error(error) => self.out.push_str(&plain_text(error)),
            Value::Table(table) => match own_text(value) {
                Some(text) => self.out.push_str(&text),
                None => self.table(table),
            },
            Value::UserData(_) => match own_text(value) {
                Some(text) => self.out.push_str(&text),
                None => self.bracketed(&kind_of(value)),
            },
            other => self.bracketed(&kind_of(other)),
        }
    }

    fn bracketed(&mut self, kind: &str) {
        let kind =
            kind.split_once(' ').filter(|(article, _)| matches!(*article, "a" | "an" | "the")).map_or(kind, |k| k.1);
        let _ = write!(self.out, "<{kind}>");
    }

    fn table(&mut self, table: &Table) {
        let pointer = table.to_pointer();
        if self.open.contains(&pointer) || self.open.len() == MOST_DEEP {
            self.out.push_str("{…}");
            return;
        }
        self.open.push(pointer);
        self.fields(table);
        self.open.pop();
    }

    fn fields(&mut self, table: &Table) {
        let length = table.raw_len();
        let mut fields: Vec<(Option<Key>, Value, Value)> = Vec::new();
        let mut items = 0;
        for pair in table.pairs::<Value, Value>() {
            let Ok((key, value)) = pair else { break };
            items += 1;
            if let Value::Integer(index) = &key
                && usize::try_from(*index).is_ok_and(|index| index > MOST_ITEMS && index <= length)
            {
                // A long list is not collected to be left out.
                continue;
            }
            fields.push((key_of(&key), key, value));
        }
        // Lua's order of keys changes from run to run.
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        if items == 0 {
            self.out.push_str("{}");
            return;
        }
        let mut next = 1;
        let mut written = 0;
        self.out.push_str("{ ");
        for (name, key, value) in fields.iter().take(MOST_ITEMS) {
            if self.out.len() > LONGEST {
                break;
            }
            if written > 0 {
                self.out.push_str(", ");
            }
            match (name, key) {
                (Some(Key::Integer(index)), _) if *index == next => next += 1,
                (Some(Key::Text(name)), _) if is_name(name) => {
                    let _ = write!(self.out, "{name} = ");
                }
                (_, key) => {
                    self.out.push('[');
                    self.value(key);
                    self.out.push_str("] = ");
                }
            }
            self.value(value);
            written += 1;
        }
        if written < items {
            let _ = write!(self.out, ", … ({} more)", items - written);
        }
        self.out.push_str(" }");
    }
}

/// Returns whether a text can stand before ` = ` as it is.
fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(rest)
}

/// Returns the text that an object makes of itself.
fn own_text(value: &Value) -> Option<String> {
    let has_own = match value {
        Value::Table(table) => table.metatable()?.raw_get::<Value>("__tostring").is_ok_and(|own| !own.is_nil()),
        Value::UserData(_) => true,
        _ => false,
    };
    let text = value.to_string().ok().filter(|_| has_own)?;
    // Without a text of its own an object would show its address.
    let shows_address = matches!(value, Value::UserData(_)) && (text.contains(": 0x") || text.contains("(0x"));
    (!shows_address).then_some(text)
}

/// Returns a number or a boolean as text.
fn number_text(value: &Value) -> String {
    to_value(value, "").map(|value| value.to_text()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::*;

    #[test]
    fn values_are_shown_by_their_content() {
        let lua = Lua::new();
        let cases = [
            ("'plain'", "plain"),
            ("'caf\\xe9'", "caf\u{fffd}"),
            ("nil", "nil"),
            ("1/0", "inf"),
            ("0/0", "nan"),
            ("3.0", "3.0"),
            ("{}", "{}"),
            (
                "{ code = 7, 'a', ['b c'] = 1, [true] = 2, [10] = 3 }",
                "{ \"a\", [10] = 3, [\"b c\"] = 1, code = 7, [true] = 2 }",
            ),
            (
                "{ f = print, co = coroutine.create(print), io = io.stdout }",
                "{ co = <thread>, f = <function>, io = <file> }",
            ),
            ("print", "<function>"),
            ("io.stdout", "<file>"),
            ("{ { { { { 1 } } } } }", "{ { { { {…} } } } }"),
            ("(function() local t = {} t.t = t return t end)()", "{ t = {…} }"),
            ("setmetatable({ 1 }, { __tostring = function() return 'mine' end })", "mine"),
            ("setmetatable({ 1 }, { __tostring = function() error('x') end })", "{ 1 }"),
            ("setmetatable({ 1 }, { __tostring = function() return {} end })", "{ 1 }"),
            ("setmetatable({ 1 }, { __name = 'Point' })", "{ 1 }"),
            ("{ ['\\xff'] = 1 }", "{ [\"\u{fffd}\"] = 1 }"),
        ];
        for (source, expected) in cases {
            let value: Value = lua.load(format!("return {source}")).eval().unwrap();
            assert_eq!(text_of(&value), expected, "{source}");
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let lua = Lua::new();
        let value: Value = lua.load("return { ('é'):rep(1000), 2 }").eval().unwrap();
        assert_eq!(text_of(&value), format!("{{ \"{}…\", 2 }}", "é".repeat(100)));
        let value: Value = lua.load("local t = {} for i = 1, 100000 do t[i] = i end return t").eval().unwrap();
        assert!(text_of(&value).ends_with(", 20, … (99980 more) }"), "{}", text_of(&value));
        let value: Value = lua.load("return ('é'):rep(1000)").eval().unwrap();
        assert_eq!(shown(&value), format!("the string '{}…'", "é".repeat(100)));
        for most in 0..8 {
            assert!("aéb".starts_with(cut("aéb", most)));
        }
    }

    #[test]
    fn kinds_have_their_article() {
        let lua = Lua::new();
        let cases = [
            ("print", "a function"),
            ("nil", "nil"),
            ("true", "true"),
            ("1", "a whole number"),
            ("{}", "a table"),
            ("setmetatable({}, { __name = 'rille.job' })", "the module rille.job"),
            ("setmetatable({}, { __name = 'event' })", "an event"),
            ("io.stderr", "a file"),
        ];
        for (source, expected) in cases {
            let value: Value = lua.load(format!("return {source}")).eval().unwrap();
            assert_eq!(kind_of(&value), expected, "{source}");
        }
    }
}
