//! `require "rille.walk"`: actions and what is made of them. Its Lua half, `lua/rille/walk.lua`, reads definitions; here
//! are the suite that comes of them, and the way of values between processes.

mod read;
mod replay;
pub(crate) mod value;

use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MultiValue, Table, Value};
use serde_json::Value as Json;

pub(crate) use self::replay::{NoWalk, find_in_files};
pub(crate) use self::value::{decode, encode};
use crate::model::{WalkEnded, WalkSuite, nearest};
use crate::script::error::{self, raise};
use crate::script::vm::PROTECTED;

/// The kind of the error by which `walk.cancel` ends a walk.
pub(crate) const CANCEL_KIND: &str = "walk-cancelled";

/// What a VM has to do with walks beside defining them.
pub(crate) trait WalkHost {
    /// Returns whether the top level of the file runs, so that what is defined now is found by workers.
    fn is_loading(&self) -> bool;

    /// Fails if `what` ("`run_tests` was called") may not be done here and now.
    fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()>;

    /// Runs the walks of a suite. Returns the results as the user sees them.
    fn run_tests(&self, lua: &Lua, call: WalkCall) -> mlua::Result<Table>;

    /// Runs one walk again, in a worker.
    fn replay(&self, lua: &Lua, replay: WalkReplay) -> mlua::Result<WalkEnded>;
}

/// A call of `run_tests`, its definitions read and checked.
pub(crate) struct WalkCall {
    /// The order, the state and the machine. What the other options ask for is to be added.
    pub(crate) suite: WalkSuite,
    /// What else the call was given, unread: `workers`, `seed`, `cover`, …
    pub(crate) options: Table,
    /// What covering arrays want to know of the options, one for each slot of the order.
    pub(crate) marks: Vec<SlotMarks>,
    /// Makes the list of a walk's actions (`action`, `name`, `param`) from a list of the numbers of their options, from 0;
    /// for `constraints`. There is none for a machine.
    pub(crate) instances: Option<Function>,
    /// Takes such a list of numbers and returns the place in the order, from 1, of the action whose `should_cancel` refuses
    /// the walk, else nil. `None` if no action has one.
    pub(crate) refused: Option<Function>,
}

/// What an action says of its options beside their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SlotMarks {
    /// How much each is to be preferred; 1 is the usual.
    pub(crate) weights: Vec<f64>,
    /// Which are invalid values, of which a walk holds one at most.
    pub(crate) invalid: Vec<bool>,
}

/// A walk to be run again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WalkReplay {
    /// Its id, if it comes from a trace.
    pub(crate) id: Option<u64>,
    /// Its actions as they stand in a trace: `{"NAME": OPTION}`.
    pub(crate) walk: Vec<Json>,
    /// The state it begins with, encoded.
    pub(crate) state: Json,
    /// Wait for the user after each action.
    pub(crate) step: bool,
}

/// Where the module leaves what was defined, once it was required.
const DEFINED: &str = "rille.walk.defined";

/// Makes the module.
pub(crate) fn module(lua: &Lua, host: &Rc<dyn WalkHost>) -> mlua::Result<Value> {
    let source = include_str!("../../../../lua/rille/walk.lua");
    let chunk = lua.load(source).set_name("=[rille walk]").set_mode(ChunkMode::Text);
    let (module, defined): (Value, Table) = chunk.call(primitives(lua, host)?)?;
    value::set_classes(lua, defined.get("classes")?)?;
    lua.set_named_registry_value(DEFINED, defined)?;
    Ok(module)
}

/// Returns what was defined by the file: the tables `actions` and `machines` by name; `None` if it did not require the
/// module.
pub(crate) fn defined(lua: &Lua) -> mlua::Result<Option<Table>> {
    lua.named_registry_value(DEFINED)
}

/// Makes the table of functions that the Lua half calls.
fn primitives(lua: &Lua, walk_host: &Rc<dyn WalkHost>) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    let definition = |lua: &Lua, text: String| -> mlua::Result<()> { Err(raise(lua, "definition", text)) };
    host.set("definition_error", lua.create_function(definition)?)?;
    let usage = |lua: &Lua, text: String| -> mlua::Result<()> { Err(raise(lua, "usage", text)) };
    host.set("usage_error", lua.create_function(usage)?)?;
    let generator = |lua: &Lua, (what, caught): (String, Value)| -> mlua::Result<()> {
        let raised = error::uncaught(MultiValue::from_vec(vec![caught]));
        Err(raise(lua, "definition", format!("{what}: the generator of its options raised: {}", raised.message)))
    };
    host.set("generator_error", lua.create_function(generator)?)?;
    host.set("protected", lua.named_registry_value::<Function>(PROTECTED)?)?;
    let near = |_: &Lua, (word, names): (mlua::LuaString, Vec<String>)| {
        Ok(nearest(&word.to_string_lossy(), names.iter().map(String::as_str)).map(str::to_owned))
    };
    host.set("nearest", lua.create_function(near)?)?;
    let place = |lua: &Lua, ()| Ok(error::calling_line(lua).map_or_else(|| "?".to_owned(), |place| place.to_string()));
    host.set("place", lua.create_function(place)?)?;
    super::object::add_primitives(lua, &host)?;
    let shared = Rc::clone(walk_host);
    host.set("is_loading", lua.create_function(move |_, ()| Ok(shared.is_loading()))?)?;
    let shared = Rc::clone(walk_host);
    host.set("check", lua.create_function(move |lua, what: String| shared.check(lua, &what))?)?;
    let shared = Rc::clone(walk_host);
    let run_tests = move |lua: &Lua, call: Table| shared.run_tests(lua, read::call(lua, &call)?);
    host.set("run_tests", lua.create_function(run_tests)?)?;
    replay::add(lua, &host, walk_host)?;
    Ok(host)
}

/// A VM in which walks may be defined, for others to run them.
pub(crate) struct Elsewhere;

impl WalkHost for Elsewhere {
    fn is_loading(&self) -> bool {
        true
    }

    fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()> {
        Err(raise(lua, "usage", format!("{what} outside of a jobfile; walks are run by main() of a jobfile")))
    }

    fn run_tests(&self, lua: &Lua, _: WalkCall) -> mlua::Result<Table> {
        Err(self.check(lua, "run_tests was called").expect_err("it always fails"))
    }

    fn replay(&self, lua: &Lua, _: WalkReplay) -> mlua::Result<WalkEnded> {
        Err(self.check(lua, "replay was called").expect_err("it always fails"))
    }
}
