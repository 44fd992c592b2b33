//! What a testscript says of its sections while it runs: announced, begun, ended.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::kind;
use crate::model::{Message, Outcome, SectionKind, SectionNumber, SectionPlan};
use crate::script::error::ScriptError;
use crate::script::kept;
use crate::script::task::HostLine;
use crate::script::voice::now;

/// So many bytes of announced sections make a message; the host takes a few MiB.
const PLAN_SIZE: usize = 256 << 10;
/// The longest reason, in bytes.
const REASON_SIZE: usize = 64 << 10;
/// The longest name or description, in bytes.
const NAME_SIZE: usize = 1 << 10;
/// The most data a section can leave, in bytes of JSON.
const DATA_SIZE: usize = 1 << 20;

/// Counts the sections of a script and tells the host of them.
pub(super) struct Reporter {
    line: Rc<dyn HostLine>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The number of the last section.
    last: SectionNumber,
    /// Sections that were counted and not yet told.
    announced: Vec<SectionPlan>,
    /// About how many bytes they are.
    size: usize,
}

/// A section as Lua describes it: kind, name, parent, line, description, groups, retries, the attempt before.
type Described = (
    String,
    mlua::LuaString,
    SectionNumber,
    Option<u32>,
    Option<mlua::LuaString>,
    Option<Vec<String>>,
    Option<u32>,
    Option<SectionNumber>,
);

/// Makes the error for a host that cannot be reached, or that was not waited for because the task is to end.
pub(super) fn lost(error: io::Error) -> mlua::Error {
    let text = format!("the host cannot be told: {error}");
    match error.downcast::<ScriptError>() {
        Ok(stop) => mlua::Error::external(stop),
        Err(_) => mlua::Error::runtime(text),
    }
}

impl Reporter {
    pub(super) fn new(line: Rc<dyn HostLine>) -> Self {
        Self { line, state: RefCell::default() }
    }

    fn announce(&self, plan: SectionPlan) -> mlua::Result<SectionNumber> {
        let (number, is_full) = {
            let mut state = self.state.borrow_mut();
            state.last += 1;
            state.size += plan.uid.len() + plan.description.as_ref().map_or(0, String::len) + 64;
            state.size += plan.groups.iter().map(|group| group.len() + 4).sum::<usize>();
            state.announced.push(plan);
            (state.last, state.size >= PLAN_SIZE)
        };
        if is_full {
            self.commit()?;
        }
        Ok(number)
    }

    /// Tells of the sections that were announced.
    fn commit(&self) -> mlua::Result<()> {
        let sections = {
            let mut state = self.state.borrow_mut();
            state.size = 0;
            std::mem::take(&mut state.announced)
        };
        if sections.is_empty() { Ok(()) } else { self.tell(&Message::Plan { sections }) }
    }

    fn begin(&self, section: SectionNumber, uid: Option<String>) -> mlua::Result<()> {
        self.commit()?;
        self.tell(&Message::SectionStarted { time: now(), section, plan: None, uid })
    }

    fn begin_unplanned(&self, plan: SectionPlan) -> mlua::Result<SectionNumber> {
        self.commit()?;
        let section = {
            let mut state = self.state.borrow_mut();
            state.last += 1;
            state.last
        };
        self.tell(&Message::SectionStarted { time: now(), section, plan: Some(plan), uid: None })?;
        Ok(section)
    }

    /// Makes the message that a section has ended.
    fn finished(&self, (section, result, reason, data, seconds, will_retry): Finished) -> mlua::Result<Message> {
        self.commit()?;
        let result: Outcome = result.to_string_lossy().parse().map_err(mlua::Error::external)?;
        let reason = reason.map(|reason| cut(&reason, REASON_SIZE));
        let (data, mut remarks) = kept::data(&data, "the data of a section");
        let (data, too_large) = kept::fitting(data, "the data of a section", DATA_SIZE);
        remarks.extend(too_large);
        for text in remarks {
            self.tell(&Message::Remark { text })?;
        }
        let will_retry = will_retry.unwrap_or(false);
        Ok(Message::SectionFinished { time: now(), section, result, reason, data, seconds, will_retry })
    }

    fn tell(&self, message: &Message) -> mlua::Result<()> {
        self.line.tell(message).map_err(lost)
    }
}

/// Adds to the table of primitives what tells of sections.
pub(super) fn add(lua: &Lua, host: &Table, reporter: &Rc<Reporter>) -> mlua::Result<()> {
    let shared = Rc::clone(reporter);
    host.set("plan", lua.create_function(move |_, described: Described| shared.announce(section(described)?))?)?;
    let shared = Rc::clone(reporter);
    host.set("commit", lua.create_function(move |_, ()| shared.commit())?)?;
    let shared = Rc::clone(reporter);
    let started = move |_: &Lua, (number, uid): (SectionNumber, Option<mlua::LuaString>)| {
        shared.begin(number, uid.map(|uid| cut(&uid, NAME_SIZE)))
    };
    host.set("started", lua.create_function(started)?)?;
    let shared = Rc::clone(reporter);
    let step = move |_: &Lua, (uid, parent, line, description): (_, SectionNumber, Option<u32>, Option<_>)| {
        let (uid, description): (mlua::LuaString, Option<mlua::LuaString>) = (uid, description);
        let description = description.map(|text| cut(&text, NAME_SIZE));
        let step = SectionPlan::new(SectionKind::Step, cut(&uid, NAME_SIZE), parent);
        shared.begin_unplanned(SectionPlan { line, description, ..step })
    };
    host.set("step", lua.create_function(step)?)?;
    let shared = Rc::clone(reporter);
    let finished = move |_: &Lua, end: Finished| {
        let message = shared.finished(end)?;
        // What follows is the start of the next section, or the end.
        shared.line.tell_with_next(&message).map_err(lost)
    };
    host.set("finished", lua.create_function(finished)?)?;
    let shared = Rc::clone(reporter);
    let step_finished = move |_: &Lua, end: Finished| shared.tell(&shared.finished(end)?);
    host.set("step_finished", lua.create_function(step_finished)?)?;
    let shared = Rc::clone(reporter);
    host.set("flush", lua.create_function(move |_, ()| shared.line.flush().map_err(lost))?)
}

/// The end of a section as Lua tells it: number, result, reason, data, seconds, whether it is run again.
type Finished = (SectionNumber, mlua::LuaString, Option<mlua::LuaString>, Value, f64, Option<bool>);

fn section((word, uid, parent, line, description, groups, retries, retry_of): Described) -> mlua::Result<SectionPlan> {
    Ok(SectionPlan {
        kind: kind(&word)?,
        uid: cut(&uid, NAME_SIZE),
        parent,
        line,
        description: description.map(|text| cut(&text, NAME_SIZE)),
        groups: groups.unwrap_or_default(),
        retries: retries.unwrap_or(0),
        retry_of,
    })
}

/// Returns a text of at most about so many bytes.
fn cut(text: &mlua::LuaString, size: usize) -> String {
    kept::shortened(text.to_string_lossy(), size)
}
