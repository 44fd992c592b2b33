//! `require "rille.testscript"`: what its Lua half, `lua/rille/testscript/`, needs of Rust.
//!
//! The Lua half knows what a section is and runs it; here is the line to the host, and what Lua does badly.

mod datafile;
mod report;

use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MultiValue, Table, Value};

use self::report::Reporter;
use crate::job::SectionFilter;
use crate::model::{Level, Message, Order, RaisedError, Reply, SectionKind, nearest, shuffled};
use crate::script::entropy;
use crate::script::error::{self, raise};
use crate::script::stop::{STOPPED, Stop};
use crate::script::task::HostLine;
use crate::script::used;
use crate::script::vm::GETLOCAL;
use crate::script::voice::Voice;

/// The parts of the Lua half in the order in which they build on each other.
const PARTS: [(&str, &str); 12] = [
    ("results", include_str!("../../../lua/rille/testscript/results.lua")),
    ("options", include_str!("../../../lua/rille/testscript/options.lua")),
    ("parameters", include_str!("../../../lua/rille/testscript/parameters.lua")),
    ("loops", include_str!("../../../lua/rille/testscript/loops.lua")),
    ("bases", include_str!("../../../lua/rille/testscript/bases.lua")),
    ("definitions", include_str!("../../../lua/rille/testscript/definitions.lua")),
    ("datafile", include_str!("../../../lua/rille/testscript/datafile.lua")),
    ("pause", include_str!("../../../lua/rille/testscript/pause.lua")),
    ("steps", include_str!("../../../lua/rille/testscript/steps.lua")),
    ("sections", include_str!("../../../lua/rille/testscript/sections.lua")),
    ("plan", include_str!("../../../lua/rille/testscript/plan.lua")),
    ("script", include_str!("../../../lua/rille/testscript/script.lua")),
];

/// The logger of what Rille itself writes into the log of a testscript.
const LOGGER: &str = "testscript";

/// Where the module leaves the function that runs the sections, once it was required.
const RUN: &str = "rille.testscript.run";
/// Where it leaves the function that closes open sections when the script leaves by `os.exit`.
const EXIT: &str = "rille.testscript.exit";

/// What a script defines sections with: its order, its line to the host, and its parameters.
pub(crate) struct Sections {
    order: Order,
    voice: Rc<Voice>,
    stop: Rc<Stop>,
    parameters: Value,
    getinfo: Function,
    traceback: Function,
}

impl Sections {
    /// Makes them before the script runs, which may put something else in the place of what is taken here.
    pub(crate) fn new(
        lua: &Lua,
        order: &Order,
        voice: &Rc<Voice>,
        stop: &Rc<Stop>,
        parameters: &Value,
    ) -> mlua::Result<Self> {
        let debug: Table = lua.globals().get("debug")?;
        Ok(Self {
            order: order.clone(),
            voice: Rc::clone(voice),
            stop: Rc::clone(stop),
            parameters: parameters.clone(),
            getinfo: debug.get("getinfo")?,
            traceback: debug.get("traceback")?,
        })
    }
}

/// Makes the module.
pub(crate) fn module(lua: &Lua, sections: &Sections) -> mlua::Result<Value> {
    let host = primitives(lua, &sections.order, &sections.voice)?;
    add_stop(lua, &host, &sections.voice, &sections.stop)?;
    host.set("parameters", &sections.parameters)?;
    host.set("getinfo", &sections.getinfo)?;
    host.set("traceback", &sections.traceback)?;
    host.set("getlocal", lua.named_registry_value::<Function>(GETLOCAL)?)?;
    let core = lua.create_table()?;
    core.set("host", host)?;
    for (name, text) in PARTS {
        let part = lua.load(text).set_name(format!("=[rille testscript {name}]")).set_mode(ChunkMode::Text);
        part.call::<()>(&core)?;
    }
    lua.set_named_registry_value(RUN, core.get::<Function>("run")?)?;
    lua.set_named_registry_value(EXIT, core.get::<Function>("exit")?)?;
    core.get::<Value>("module")
}

/// Returns the function that runs the sections the script has defined; `None` if it has not required the module. It
/// returns an outcome, a reason and data, or nothing if there are no sections.
pub(crate) fn runner(lua: &Lua) -> mlua::Result<Option<Function>> {
    lua.named_registry_value(RUN)
}

/// Ends the sections that are open when the script leaves by `os.exit`. Returns why the script is errored then.
pub(crate) fn close_sections(lua: &Lua, code: i32) -> Option<String> {
    let exit: Option<Function> = lua.named_registry_value(EXIT).ok()?;
    exit?.call(code).ok()?
}

/// Makes the table of functions that the Lua half calls.
fn primitives(lua: &Lua, order: &Order, voice: &Rc<Voice>) -> mlua::Result<Table> {
    let line: &Rc<dyn HostLine> = &(Rc::clone(voice) as Rc<dyn HostLine>);
    let host = lua.create_table()?;
    report::add(lua, &host, &Rc::new(Reporter::new(Rc::clone(line))))?;
    host.set("script", format!("@{}", order.script.display()))?;
    let source = order.script.display().to_string();
    host.set("script_line", lua.create_function(move |lua, ()| Ok(error::line_in(lua, &source)))?)?;
    host.set("stem", order.script.file_stem().map(|stem| stem.to_string_lossy().into_owned()))?;
    host.set("choice", choice(lua, order)?)?;
    let started = Instant::now();
    host.set("now", lua.create_function(move |_, ()| Ok(started.elapsed().as_secs_f64()))?)?;
    let logging = Rc::clone(voice);
    let log = move |_: &Lua, (level, text): (String, mlua::LuaString)| {
        logging.log(level.parse().unwrap_or(Level::Info), LOGGER, &text.as_bytes());
        Ok(())
    };
    host.set("log", lua.create_function(log)?)?;
    let note_all = |lua: &Lua, ()| {
        used::note_all(lua);
        Ok(())
    };
    host.set("note_all_read", lua.create_function(note_all)?)?;
    host.set("describe", lua.create_function(|_, caught: Value| Ok(describe(caught)))?)?;
    let near = |_: &Lua, (word, names): (mlua::LuaString, Vec<String>)| {
        Ok(nearest(&word.to_string_lossy(), names.iter().map(String::as_str)).map(str::to_owned))
    };
    host.set("nearest", lua.create_function(near)?)?;
    super::object::add_primitives(lua, &host)?;
    let definition = |lua: &Lua, text: String| -> mlua::Result<()> { Err(raise(lua, "definition", text)) };
    host.set("definition_error", lua.create_function(definition)?)?;
    let usage = |lua: &Lua, text: String| -> mlua::Result<()> { Err(raise(lua, "usage", text)) };
    host.set("usage_error", lua.create_function(usage)?)?;
    host.set("shuffle", lua.create_function(|_, (count, seed): (usize, i64)| Ok(shuffled(count, seed)))?)?;
    host.set("draw_seed", lua.create_function(|_, ()| Ok(entropy::draw_seed()))?)?;
    datafile::add(lua, &host, order)?;
    add_filter(lua, &host, order, line)?;
    let asking = Rc::clone(line);
    let prompt = move |lua: &Lua, text: mlua::LuaString| {
        let question = Message::Prompt { text: crate::model::Blob(text.as_bytes().to_vec()) };
        match asking.ask(&question).map_err(report::lost)? {
            Reply::Line { text: Some(text) } => Ok(Value::String(lua.create_string(text)?)),
            Reply::Line { text: None } => Ok(Value::Nil),
            other => Err(unexpected(&other)),
        }
    };
    host.set("prompt", lua.create_function(prompt)?)?;
    Ok(host)
}

/// Adds the functions by which the Lua half takes note that the task is to end.
fn add_stop(lua: &Lua, host: &Table, voice: &Rc<Voice>, stop: &Rc<Stop>) -> mlua::Result<()> {
    let (heeding, line) = (Rc::clone(stop), Rc::clone(voice));
    host.set("heed_stop", lua.create_function(move |_, ()| Ok(heeding.heed(&*line)))?)?;
    let asking = Rc::clone(stop);
    host.set("is_stopping", lua.create_function(move |_, ()| Ok(asking.is_pending()))?)?;
    let shielding = Rc::clone(stop);
    let shield = move |_: &Lua, is_on: bool| {
        shielding.shield(is_on);
        Ok(())
    };
    let (waiting, line) = (Rc::clone(stop), Rc::clone(voice));
    let wait = move |_: &Lua, seconds: f64| {
        line.flush().map_err(report::lost)?;
        waiting.wait(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        Ok(())
    };
    host.set("wait", lua.create_function(wait)?)?;
    host.set("shield", lua.create_function(shield)?)?;
    host.set("stopped", STOPPED)
}

/// Returns kind, message and traceback of an error that was kept with the stack it was raised on.
fn describe(caught: Value) -> (String, String, Option<String>) {
    let RaisedError { kind, message, traceback } = error::uncaught(MultiValue::from_vec(vec![caught]));
    (kind, message, traceback)
}

fn choice(lua: &Lua, order: &Order) -> mlua::Result<Table> {
    let choice = lua.create_table()?;
    choice.set("max_failures", order.choice.max_failures)?;
    choice.set("random", order.choice.random)?;
    choice.set("random_seed", order.choice.random_seed.map(|seed| i64::try_from(seed).unwrap_or(i64::MAX)))?;
    choice.set("retry", order.choice.retry)?;
    choice.set("pause_on_failure", order.choice.pause_on_failure)?;
    let is_limited = order.choice.ask
        || order.choice.only.is_some()
        || !order.choice.uids.is_empty()
        || !order.choice.groups.is_empty();
    choice.set("is_limited", is_limited)?;
    choice.set("ask", order.choice.ask)?;
    Ok(choice)
}

/// Adds the functions that tell which sections are chosen.
fn add_filter(lua: &Lua, host: &Table, order: &Order, line: &Rc<dyn HostLine>) -> mlua::Result<()> {
    // The host has read the expressions before; a recipe may bring others.
    let filter = SectionFilter::new(&order.choice).map_err(|error| raise(lua, "usage", error.to_string()))?;
    let filter = Rc::new(filter);
    used::keep_filter(lua, &filter);
    let shared = Rc::clone(&filter);
    let fits = move |_: &Lua, (uid, base, groups): (String, String, Vec<String>)| Ok(shared.fits(&uid, &base, &groups));
    host.set("fits", lua.create_function(fits)?)?;
    if !order.choice.retry_uids.is_empty() {
        let shared = Rc::clone(&filter);
        let retries = move |_: &Lua, (uid, base): (String, String)| Ok(shared.retries(&uid, &base));
        host.set("retries", lua.create_function(retries)?)?;
    }
    let shared = Rc::clone(&filter);
    host.set("fits_common", lua.create_function(move |_, uid: String| Ok(shared.fits_common(&uid)))?)?;
    let nothing = move |_: &Lua, names: Vec<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(filter.nothing_fits(&names))
    };
    host.set("nothing_fits", lua.create_function(nothing)?)?;
    let asking = Rc::clone(line);
    let select = move |lua: &Lua, (uids, groups): (Vec<String>, Vec<Vec<String>>)| {
        let question = Message::Select { sections: uids.into_iter().zip(groups).collect() };
        match asking.ask(&question).map_err(report::lost)? {
            Reply::Selected { error: Some(error), .. } => {
                Err(raise(lua, "usage", format!("the jobfile's choice of sections failed: {error}")))
            }
            Reply::Selected { sections, .. } => Ok(sections),
            other => Err(unexpected(&other)),
        }
    };
    host.set("select", lua.create_function(select)?)
}

fn unexpected(reply: &Reply) -> mlua::Error {
    mlua::Error::runtime(format!("the host gave an answer to another question: {reply:?}"))
}

/// Reads a kind of section as the Lua half writes it.
fn kind(word: &str) -> mlua::Result<SectionKind> {
    let kinds = [
        SectionKind::CommonSetup,
        SectionKind::CommonCleanup,
        SectionKind::Subsection,
        SectionKind::Testcase,
        SectionKind::Setup,
        SectionKind::Test,
        SectionKind::Cleanup,
        SectionKind::Step,
    ];
    let is_it = |kind: &SectionKind| kind.words() == word;
    kinds.into_iter().find(is_it).ok_or_else(|| mlua::Error::runtime(format!("'{word}' is no kind of section")))
}
