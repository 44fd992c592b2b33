//! What of the command line a script has a use for: the parameters that it names, the sections that it has.
//!
//! A parameter is an ordinary value of an ordinary table, and nothing sees who reads it. So what counts is whether the code
//! of the script, or of a module that it has loaded, has the name at all; where it goes through all parameters, or loads code
//! that nobody can look at, it has read every one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use mlua::{Lua, Table};

use crate::job::SectionFilter;
use crate::model::{LuaText, LuaWord, Order, Tally, Used};

/// Functions that load code from elsewhere.
const LOADERS: [&str; 3] = ["dofile", "load", "loadfile"];

/// What is known of the use that a script makes of the command line.
pub(super) struct Use {
    /// The parameters of the command line.
    given: Vec<String>,
    /// The texts of the script and its modules.
    texts: RefCell<Vec<Vec<u8>>>,
    /// It has gone through all parameters, or may have.
    has_read_all: Cell<bool>,
    /// Is asked about the sections, once the script defines some.
    filter: RefCell<Option<Rc<SectionFilter>>>,
    /// The patterns over sections, of which nothing is found.
    blank: Used,
    is_told: Cell<bool>,
}

/// Begins to look at the use that the script of this VM makes of the command line.
pub(super) fn begin(lua: &Lua, order: &Order) {
    let sections = SectionFilter::new(&order.choice).ok().map(|filter| filter.blank());
    let given = order.runtime.given.clone();
    let parameters = Tally::new(given.iter().map(String::as_str));
    lua.set_app_data(Rc::new(Use {
        given,
        texts: RefCell::default(),
        has_read_all: Cell::new(false),
        filter: RefCell::default(),
        blank: Used { parameters, sections },
        is_told: Cell::new(false),
    }));
}

fn of(lua: &Lua) -> Option<Rc<Use>> {
    lua.app_data_ref::<Rc<Use>>().map(|own| Rc::clone(&own))
}

/// Takes note of the text of the script.
pub(super) fn note_script(lua: &Lua, text: &[u8]) {
    let Some(own) = of(lua).filter(|own| !own.given.is_empty()) else { return };
    own.texts.borrow_mut().push(text.to_vec());
}

/// Takes note of a module that the script has loaded; `None` for one whose text nobody can read.
pub(super) fn note_module(lua: &Lua, path: Option<&Path>) {
    let Some(own) = of(lua).filter(|own| !own.given.is_empty()) else { return };
    match path.map(fs::read) {
        Some(Ok(text)) => own.texts.borrow_mut().push(text),
        Some(Err(_)) | None => own.has_read_all.set(true),
    }
}

/// Takes note that the script goes through all its parameters.
pub(super) fn note_all(lua: &Lua) {
    if let Some(own) = of(lua) {
        own.has_read_all.set(true);
    }
}

/// Keeps what is asked about the sections of the script.
pub(super) fn keep_filter(lua: &Lua, filter: &Rc<SectionFilter>) {
    if let Some(own) = of(lua) {
        *own.filter.borrow_mut() = Some(Rc::clone(filter));
    }
}

/// Has it noted when the script goes through the table of its parameters.
pub(super) fn watch(lua: &Lua, parameters: &Table) -> mlua::Result<()> {
    if of(lua).is_none_or(|own| own.given.is_empty()) {
        return Ok(());
    }
    let next: mlua::Function = lua.globals().get("next")?;
    let pairs = move |lua: &Lua, table: Table| {
        note_all(lua);
        Ok((next.clone(), table))
    };
    let metatable = lua.create_table()?;
    metatable.set("__pairs", lua.create_function(pairs)?)?;
    parameters.set_metatable(Some(metatable))
}

/// Returns what the script has had a use for, once; `None` if nothing was asked for. `is_broken` says that it did not come to
/// its sections, if it has none so far.
pub(super) fn told(lua: &Lua, is_broken: bool) -> Option<Used> {
    let own = of(lua)?;
    let is_asked = !own.given.is_empty() || own.blank.sections.as_ref().is_some_and(|sections| !sections.is_empty());
    if !is_asked || own.is_told.replace(true) {
        return None;
    }
    let found = own.filter.borrow().as_ref().and_then(|filter| filter.tally());
    let sections = match found {
        Some(found) => Some(found.brief()),
        None if is_broken => None,
        None => own.blank.sections.clone(),
    };
    Some(Used { parameters: own.parameters().nears(), sections })
}

impl Use {
    fn parameters(&self) -> Tally {
        let mut tally = self.blank.parameters.clone();
        if self.has_read_all.get() {
            tally.meet_all();
        }
        for text in &*self.texts.borrow() {
            let text = String::from_utf8_lossy(text);
            let words: BTreeSet<&str> = LuaText::new(&text).words().map(LuaWord::text).collect();
            if LOADERS.iter().any(|loader| words.contains(loader)) {
                tally.meet_all();
            }
            tally.note(words.iter().copied(), |place| words.contains(self.given[place].as_str()));
        }
        tally
    }
}
