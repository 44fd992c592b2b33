//! `require "rille.log"`: loggers, written in Lua on the one function that hands a record over.

use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaString, Value};

use crate::model::Level;

/// Takes a record: level, logger and text.
pub(crate) type Emit = Rc<dyn Fn(Level, &str, &[u8])>;

/// Hears that the level of a logger was set, or taken away.
pub(crate) type LevelSet = Rc<dyn Fn(&str, Option<Level>)>;

/// Makes the module. `levels` hold from the start.
pub(crate) fn module(lua: &Lua, emit: &Emit, set: &LevelSet, levels: &BTreeMap<String, Level>) -> mlua::Result<Value> {
    let emit = Rc::clone(emit);
    let emit = lua.create_function(move |_, (level, logger, text): (String, String, LuaString)| {
        emit(level.parse().unwrap_or_default(), &logger, &text.as_bytes());
        Ok(())
    })?;
    let set = Rc::clone(set);
    let set = lua.create_function(move |_, (logger, level): (String, Option<String>)| {
        set(&logger, level.and_then(|level| level.parse().ok()));
        Ok(())
    })?;
    let known = lua.create_table()?;
    for (logger, level) in levels {
        known.set(logger.as_str(), level.name())?;
    }
    let source = include_str!("../../../lua/rille/log.lua");
    lua.load(source).set_name("=[rille log]").set_mode(ChunkMode::Text).call((emit, set, known))
}
