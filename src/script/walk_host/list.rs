//! Listing walks without running them: no run, no worker, no memory for walks that have been told.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::constraints::Constraints;
use super::options;
use super::planned::planned;
use crate::job::{WalkSettings, steps_in_words, steps_of};
use crate::model::{RaisedError, WalkEnded};
use crate::script::api::log::Logging;
use crate::script::api::walk::{WalkCall, WalkHost, WalkReplay};
use crate::script::error::{plain_text, raise};
use crate::script::modules::{Face, Given};
use crate::script::vm::{Setup, Vm};
use crate::script::{modules, source};
use crate::walk::ShardTable;

/// Takes lines, and an empty one at the end; an error ends the list.
pub(crate) type Write = Box<dyn FnMut(&str) -> io::Result<()>>;

/// What lists the walks of a call.
struct Lister {
    settings: WalkSettings,
    is_loading: std::cell::Cell<bool>,
    out: RefCell<Write>,
}

/// The kind of the error by which a list that nobody reads any more ends the file.
const CLOSED: &str = "closed";

impl WalkHost for Lister {
    fn is_loading(&self) -> bool {
        self.is_loading.get()
    }

    fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()> {
        match self.is_loading.get() {
            true => Err(raise(lua, "usage", format!("{what} while the file is loading; move it into main()"))),
            false => Ok(()),
        }
    }

    fn run_tests(&self, lua: &Lua, call: WalkCall) -> mlua::Result<Table> {
        let WalkCall { suite, options, marks, instances, refused } = call;
        if suite.machine.is_some() {
            return Err(raise(lua, "usage", "the random walks of a machine are known only when they run"));
        }
        let mut asked = options::read(lua, &options, &self.settings)?;
        let given = std::mem::take(&mut asked.constraints);
        let constraints = Constraints::new(lua, &suite, given, instances, refused)?;
        let planned = planned(lua, &suite, &asked, &marks, constraints.as_ref())?;
        for remark in &planned.remarks {
            eprintln!("warning: {remark}");
        }
        let rules = constraints.as_ref().filter(|_| !planned.is_allowed);
        let shard = planned.shard.map(|shard| ShardTable::new(shard, &suite.order));
        let mut out = self.out.borrow_mut();
        for id in planned.selection.ids() {
            if let Some(rules) = rules {
                let options: Vec<Option<u32>> = planned.plan.options(id).into_iter().map(Some).collect();
                if !rules.allow(lua, &options, Some(id))? {
                    continue;
                }
            }
            if shard.as_ref().is_some_and(|shard| !shard.holds(&planned.plan.options(id))) {
                continue;
            }
            let line = format!("{id}\t{}\n", steps_in_words(&suite, &steps_of(&planned.plan, id)));
            out(&line).map_err(|error| raise(lua, CLOSED, error.to_string()))?;
        }
        out("").map_err(|error| raise(lua, CLOSED, error.to_string()))?;
        let results = lua.create_table()?;
        for name in ["walk_count", "error_count", "segment_count", "elapsed"] {
            results.set(name, 0)?;
        }
        for name in ["failed_tests", "cancelled_tests", "excluded_tests", "states", "logs", "coverage"] {
            results.set(name, lua.create_table()?)?;
        }
        Ok(results)
    }

    fn replay(&self, lua: &Lua, _: WalkReplay) -> mlua::Result<WalkEnded> {
        Err(raise(lua, "usage", "walks are listed and not run"))
    }
}

/// Lists the walks of a suite's file, a line each: the id, and the walk in words.
pub(crate) fn list_walks(
    path: &Path,
    name: &Path,
    text: &[u8],
    settings: &WalkSettings,
    out: Write,
) -> Result<(), RaisedError> {
    let internal = |error: mlua::Error| RaisedError {
        kind: "error".to_owned(),
        message: format!("cannot set Lua up: {}", plain_text(&error)),
        traceback: None,
    };
    let setup = Setup {
        module_folders: modules::folders(path, Path::new(".")),
        write: None,
        before_program: None,
        execute: None,
        after_program: None,
        exit: Box::new(|lua, code| raise(lua, "exit", format!("os.exit({code}) was called"))),
    };
    let vm = Vm::new(setup).map_err(internal)?;
    let lister = Rc::new(Lister { settings: settings.clone(), is_loading: true.into(), out: RefCell::new(out) });
    let given = Given {
        log: Some(Logging::to_stderr()),
        walks: Some(Rc::clone(&lister) as Rc<dyn WalkHost>),
        ..Given::to(Face::WalkList)
    };
    modules::preload(&vm, given).map_err(internal)?;
    let chunk = source::compile(vm.lua(), name, text, &["main", "arg"])?;
    let returned = vm.call(&chunk, Vec::new())?;
    lister.is_loading.set(false);
    let main: Value = vm.lua().globals().get("main").map_err(internal)?;
    let ended = match (main, returned.front()) {
        (Value::Function(main), _) => {
            let runtime = vm.lua().create_table().map_err(internal)?;
            vm.call(&main, vec![Value::Table(runtime)]).map(|_| ())
        }
        (_, Some(Value::Table(suite))) => run_suite(&vm, suite),
        _ => Err(RaisedError { kind: "definition".to_owned(), message: no_suite(name), traceback: None }),
    };
    match ended {
        Err(error) if error.kind == CLOSED => Ok(()),
        ended => ended,
    }
}

/// Calls `run_tests` with the table that a file has returned.
pub(in crate::script) fn run_suite(vm: &Vm, suite: &Table) -> Result<(), RaisedError> {
    let run = "local suite = ... require('rille.walk').run_tests(suite)";
    let chunk = vm.lua().load(run).set_name("=[rille suite]").into_function();
    let chunk = chunk.map_err(|error| RaisedError {
        kind: "error".to_owned(),
        message: plain_text(&error),
        traceback: None,
    })?;
    vm.call(&chunk, vec![Value::Table(suite.clone())]).map(|_| ())
}

/// Says what a file of walks has to be.
pub(in crate::script) fn no_suite(name: &Path) -> String {
    format!(
        "{}: the file holds no suite; end it with return {{ order = {{ A, B }}, state = {{ }} }}, or define function main() that calls run_tests",
        name.display()
    )
}
