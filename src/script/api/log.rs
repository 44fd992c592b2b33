//! `require "rille.log"`: loggers, written in Lua on the one function that hands a record over.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaString, Value};

use crate::model::Level;
use crate::script::shown::text_of;

/// Takes a record: level, logger and text.
pub(crate) type Emit = Rc<dyn Fn(Level, &str, &[u8])>;

/// Hears that the level of a logger was set, or taken away.
pub(crate) type LevelSet = Rc<dyn Fn(&str, Option<Level>)>;

/// Where records go, and from which level on.
pub(crate) struct Logging {
    /// Takes the records.
    pub(crate) emit: Emit,
    /// Hears of levels that are set.
    pub(crate) set: LevelSet,
    /// Returns the levels that hold when the module is required, by logger.
    pub(crate) levels: Box<dyn Fn() -> BTreeMap<String, Level>>,
}

impl Logging {
    /// Begins with these levels. What is set holds for this process alone.
    pub(crate) fn fixed(emit: Emit, levels: BTreeMap<String, Level>) -> Self {
        Self { emit, set: Rc::new(|_, _| {}), levels: Box::new(move || levels.clone()) }
    }

    /// For a program that nobody keeps a log of: records go to its standard error, from the level on that `LOG_LEVEL`
    /// names, as Guild has it for operations.
    pub(crate) fn to_stderr() -> Self {
        let level = std::env::var("LOG_LEVEL").ok().and_then(|text| level_of(&text));
        let emit: Emit = Rc::new(|level, logger, text| {
            // With a closed standard error there is nobody to tell.
            let _ = io::stderr().write_all(&line(level, logger, text));
        });
        Self::fixed(emit, level.map(|level| (String::new(), level)).into_iter().collect())
    }
}

/// Reads a level by its name or by the number that Python has for it; numbers between mean the next one.
fn level_of(text: &str) -> Option<Level> {
    let number = text.trim().parse::<u32>().ok();
    let index =
        number.map(|number| usize::try_from(number.div_ceil(10)).unwrap_or(usize::MAX).clamp(1, Level::ALL.len()) - 1);
    index.map(|index| Level::ALL[index]).or_else(|| text.trim().parse().ok())
}

/// Returns a record as it is shown, its further lines indented.
fn line(level: Level, logger: &str, text: &[u8]) -> Vec<u8> {
    let logger = if logger.is_empty() { "root" } else { logger };
    let mut line = format!("{level} {logger}: ").into_bytes();
    for byte in text.strip_suffix(b"\n").unwrap_or(text) {
        line.push(*byte);
        if *byte == b'\n' {
            line.extend_from_slice(b"    ");
        }
    }
    line.push(b'\n');
    line
}

/// Makes the module.
pub(crate) fn module(lua: &Lua, logging: &Logging) -> mlua::Result<Value> {
    let emit = Rc::clone(&logging.emit);
    let emit = lua.create_function(move |_, (level, logger, text): (String, String, LuaString)| {
        emit(level.parse().unwrap_or_default(), &logger, &text.as_bytes());
        Ok(())
    })?;
    let set = Rc::clone(&logging.set);
    let set = lua.create_function(move |_, (logger, level): (String, Option<String>)| {
        set(&logger, level.and_then(|level| level.parse().ok()));
        Ok(())
    })?;
    let known = lua.create_table()?;
    for (logger, level) in (logging.levels)() {
        known.set(logger.as_str(), level.name())?;
    }
    let text = lua.create_function(|lua, value: Value| lua.create_string(text_of(&value)))?;
    let source = include_str!("../../../lua/rille/log.lua");
    lua.load(source).set_name("=[rille log]").set_mode(ChunkMode::Text).call((emit, set, known, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_names_or_the_numbers_of_python() {
        let cases = [
            ("20", Some(Level::Info)),
            ("0", Some(Level::Debug)),
            ("25", Some(Level::Warning)),
            ("99", Some(Level::Critical)),
            ("error", Some(Level::Error)),
            ("", None),
            ("loud", None),
        ];
        for (text, expected) in cases {
            assert_eq!(level_of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_record_is_a_line_with_what_follows_indented() {
        assert_eq!(line(Level::Info, "", b"a\nb\n"), b"INFO root: a\n    b\n");
        assert_eq!(line(Level::Error, "lib.part", b"\xff"), b"ERROR lib.part: \xff\n");
    }
}
