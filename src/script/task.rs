//! A Lua script as a task: a fresh VM, its parameters, and how it ended.

use std::cell::Cell;
use std::fs;
use std::io;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use mlua::state::{GcIncParams, GcMode};
use mlua::{Lua, MultiValue, Value};

use super::api::args::Arguments;
use super::api::log::{Emit, Logging};
use super::error::{plain_text, raise};
use super::kept;
use super::leave::leave;
use super::modules::{Face, Given};
use super::shown::{shown, text_of};
use super::stop::{STOPPED, Stop};
use super::vm::{Exit, Setup, Vm};
use super::voice::Voice;
use super::{api, modules, source, table, used};
use crate::model::{Message, Order, Outcome, RaisedError, Reply, Value as Data, os_text};

/// How a script ended, in its own words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScriptEnd {
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// Why, unless it simply passed.
    pub(crate) reason: Option<String>,
    /// A traceback, or what the script returned as its third value.
    pub(crate) data: Option<Data>,
    /// What the user is to know of the end beside that: what of the data could not be kept.
    pub(crate) remarks: Vec<String>,
}

impl ScriptEnd {
    pub(super) fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: Some(reason.into()), data: None, remarks: Vec::new() }
    }

    pub(super) fn passed() -> Self {
        Self { outcome: Outcome::Passed, reason: None, data: None, remarks: Vec::new() }
    }
}

/// The line from a task to its host.
pub(crate) trait HostLine {
    /// Sends a message.
    fn tell(&self, message: &Message) -> io::Result<()>;
    /// Sends a message together with the next one, which follows at once: a write for each is dear.
    fn tell_with_next(&self, message: &Message) -> io::Result<()>;
    /// Sends what waits for the next message.
    fn flush(&self) -> io::Result<()>;
    /// Sends a message that asks, and waits for the answer.
    fn ask(&self, message: &Message) -> io::Result<Reply>;
    /// Takes in what the host says without being asked; waits at most so long for it.
    fn listen(&self, limit: Duration);
}

/// How much the memory of a script grows before it is looked through again, in percent of what was in use.
const GC_PAUSE: i32 = 400;

/// The names a task's script has beside the standard ones.
pub(super) const DECLARED: [&str; 3] = ["parameters", "runtime", "arg"];

/// A script that has come to its end, in a VM that still holds what it has left.
pub(crate) struct Script {
    /// How it ended.
    pub(crate) end: ScriptEnd,
    vm: Option<Vm>,
}

impl Script {
    /// Gives up what the script has left: files are closed, finalisers run.
    pub(crate) fn close(self) {
        drop(self.vm);
    }
}

/// Runs the script of an order to its end.
pub(crate) fn run_script(order: &Order, host: &Rc<dyn HostLine>, stop: &Rc<Stop>) -> Script {
    let without_vm = |reason: String| Script { end: ScriptEnd::new(Outcome::Errored, reason), vm: None };
    let text = match fs::read(&order.script) {
        Ok(text) => text,
        Err(error) => return without_vm(format!("cannot read {}: {}", order.script.display(), os_text(&error))),
    };
    let (vm, parameters) = match prepare(order, host, stop) {
        Ok(prepared) => prepared,
        Err(error) => return without_vm(format!("cannot set Lua up: {}", plain_text(&error))),
    };
    used::note_script(vm.lua(), &text);
    let end = match source::compile(vm.lua(), &order.script, &text, &DECLARED) {
        Ok(chunk) => match vm.call(&chunk, vec![parameters]) {
            Ok(returned) => {
                run_sections(&vm, stop).unwrap_or_else(|| without_sections(order, from_returned(&returned)))
            }
            Err(error) => from_error(error, stop),
        },
        Err(error) => from_error(error, stop),
    };
    if let Some(used) = used::told(vm.lua(), !end.outcome.is_good()) {
        // A host that is gone tells nobody.
        let _ = host.tell(&Message::Used(used));
    }
    stop.detach();
    Script { end, vm: Some(vm) }
}

/// Adds to the end of a script that has no sections what it was given for them.
fn without_sections(order: &Order, mut end: ScriptEnd) -> ScriptEnd {
    if order.choice.has_own_datafile {
        end.remarks.push("'datafile' sets what sections have; the script has none, so it has no effect".to_owned());
    }
    end
}

/// Runs the sections that the script has defined; `None` if there are none, so that it is one itself.
fn run_sections(vm: &Vm, stop: &Stop) -> Option<ScriptEnd> {
    let run = match api::testscript::runner(vm.lua()) {
        Ok(run) => run?,
        Err(error) => {
            return Some(ScriptEnd::new(Outcome::Errored, format!("cannot run the sections: {}", plain_text(&error))));
        }
    };
    match vm.call(&run, Vec::new()) {
        Ok(returned) if returned.front().is_none_or(Value::is_nil) => None,
        Ok(returned) => Some(from_returned(&returned)),
        Err(error) => Some(ScriptEnd { outcome: Outcome::Errored, ..from_error(error, stop) }),
    }
}

fn prepare(order: &Order, host: &Rc<dyn HostLine>, stop: &Rc<Stop>) -> mlua::Result<(Vm, Value)> {
    let exiting = Rc::clone(host);
    let exit: Exit = Box::new(move |lua, code| {
        if let Some(used) = used::told(lua, code != 0) {
            let _ = exiting.tell(&Message::Used(used));
        }
        if let Some(reason) = api::testscript::close_sections(lua, code)
            && code == 0
        {
            // The exit code says nothing of it. A host that is gone needs no word.
            let end = Message::Finished { result: Outcome::Errored, reason: Some(reason), data: None };
            let _ = exiting.tell(&end);
        }
        let _ = exiting.flush();
        leave(code, || ())
    });
    let voice = Rc::new(Voice::new(Rc::clone(host)));
    let logs = Rc::clone(&voice);
    let hand_over: Emit = Rc::new(move |level, logger, text| logs.log(level, logger, text));
    // What a task sets holds for itself alone.
    let log = Logging::fixed(hand_over, order.runtime.log_levels.clone());
    let given = Given { log: Some(log), ..Given::to(Face::Task) };
    let prepared = prepare_with(order, host, &voice, stop, exit, given)?;
    stop.attach(prepared.0.lua(), host)?;
    Ok(prepared)
}

/// Makes the VM of a task, and its parameters. `given` says what kind of file it is, and where its log goes; the rest is
/// filled in.
pub(super) fn prepare_with(
    order: &Order,
    host: &Rc<dyn HostLine>,
    voice: &Rc<Voice>,
    stop: &Rc<Stop>,
    exit: Exit,
    given: Given,
) -> mlua::Result<(Vm, Value)> {
    let (prints, programs) = (Rc::clone(voice), Rc::clone(voice));
    let (listening, dying) = (Rc::clone(host), Rc::clone(stop));
    let setup = Setup {
        module_folders: modules::folders(&order.script, &order.started_in),
        write: Some(Box::new(move |stream, bytes| prints.print(stream, bytes))),
        before_program: Some(Box::new(move || programs.settle())),
        execute: stop.is_told().then(|| {
            let (running, host) = (Rc::clone(stop), Rc::clone(host));
            let run = move |_: &Lua, command: &[u8]| running.run_shell(command, &*host);
            Box::new(run) as Box<dyn Fn(&Lua, &[u8]) -> mlua::Result<ExitStatus>>
        }),
        after_program: Some(Box::new(move |is_interrupted| {
            listening.listen(Duration::ZERO);
            if is_interrupted {
                dying.die_with_program();
            }
        })),
        exit,
    };
    let vm = Vm::new(setup)?;
    let lua = vm.lua();
    // A script is short-lived; what it keeps is looked through less often than a server would want.
    lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(GC_PAUSE)));
    used::begin(lua, order);
    let synchro = super::api::synchro::for_task(lua, order.synchro.as_ref(), host, stop)?;
    let parameters = parameters(lua, order)?;
    let sections = api::testscript::Sections::new(lua, order, voice, stop, &parameters)?;
    let globals = lua.globals();
    globals.set("parameters", &parameters)?;
    globals.set("arg", api::args::strings(lua, &order.args)?)?;
    let runtime = runtime(lua, order, synchro)?;
    let arguments = Rc::new(arguments(order, host));
    super::api::args::watch_argv(&runtime, lua, &arguments)?;
    globals.set("runtime", runtime)?;
    let run = Some(order.runtime.directory.clone());
    modules::preload(&vm, Given { arguments: Some(arguments), sections: Some(sections), run, ..given })?;
    Ok((vm, parameters))
}

fn parameters(lua: &Lua, order: &Order) -> mlua::Result<Value> {
    let parameters = lua.create_table()?;
    for (name, value) in &order.parameters {
        parameters.raw_set(name.as_str(), table::from_json(lua, value)?)?;
    }
    used::watch(lua, &parameters)?;
    Ok(Value::Table(parameters))
}

/// The kind of the error by which a script ends that was asked for its help.
const HELP_KIND: &str = "help";

/// Returns the arguments of a script: those of its task, then those of the command line, which win.
fn arguments(order: &Order, host: &Rc<dyn HostLine>) -> Arguments {
    let (host, argv) = (Rc::clone(host), order.runtime.argv.clone());
    Arguments {
        program: order.script.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        own: order.args.clone(),
        handed_on: order.runtime.argv.clone(),
        slips: Vec::new(),
        read: Box::new(move |places| {
            let words = places.map(|places| places.iter().filter_map(|place| argv.get(*place).cloned()).collect());
            // A host that is gone warns of nothing.
            let _ = host.tell(&Message::ArgumentsRead { words });
        }),
        help: Box::new(|lua| raise(lua, HELP_KIND, "showed its help, and ran nothing")),
        refused: Box::new(|_| {}),
        settles: false,
        is_pending: Cell::new(false),
    }
}

fn runtime(lua: &Lua, order: &Order, synchro: mlua::Table) -> mlua::Result<mlua::Table> {
    let info = &order.runtime;
    let job = lua.create_table()?;
    job.set("name", info.job.name.as_str())?;
    job.set("uid", info.job.uid.as_str())?;
    job.set("file", info.job.file.to_string_lossy().as_ref())?;
    job.set("file_hash", info.job.file_hash.as_str())?;
    job.set("starttime", info.job.starttime.as_str())?;
    let task = lua.create_table()?;
    task.set("taskid", order.task_id.as_str())?;
    let runtime = lua.create_table()?;
    runtime.set("job", api::read_only(lua, "runtime.job", &job)?)?;
    runtime.set("task", api::read_only(lua, "runtime.task", &task)?)?;
    runtime.set("directory", info.directory.to_string_lossy().as_ref())?;
    runtime.set("argv", info.argv.clone())?;
    runtime.set("synchro", synchro)?;
    runtime.set("meta", lua.create_table_from(info.meta.iter().map(|(key, value)| (key.as_str(), value.as_str())))?)?;
    if let Some(testbed) = &info.testbed {
        runtime.set("testbed", table::from_json(lua, testbed)?)?;
    }
    api::read_only(lua, "runtime", &runtime)
}

/// Reads what a script returned: nothing or true, or an outcome with its reason and data.
fn from_returned(returned: &MultiValue) -> ScriptEnd {
    let mut values = returned.iter();
    let outcome = match values.next() {
        None | Some(Value::Nil | Value::Boolean(true)) => Outcome::Passed,
        Some(Value::Boolean(false)) => Outcome::Failed,
        Some(Value::String(word)) => match word.to_string_lossy().parse() {
            Ok(outcome) => outcome,
            Err(error) => {
                return ScriptEnd::new(Outcome::Errored, format!("the script returned {error}"));
            }
        },
        Some(other) => {
            let text = "the script returned {}; it may return nothing, a boolean, or an outcome and a reason";
            return ScriptEnd::new(Outcome::Errored, text.replace("{}", &shown(other)));
        }
    };
    let reason = values.next().filter(|value| !value.is_nil()).map(text_of);
    let (data, lost) = values.next().map(|value| kept::data(value, "the returned data")).unwrap_or_default();
    kept::end(outcome, reason, data, lost)
}

fn from_error(error: RaisedError, stop: &Stop) -> ScriptEnd {
    let outcome = match error.kind.as_str() {
        HELP_KIND => return ScriptEnd::new(Outcome::Skipped, "showed its help, and ran nothing"),
        "assertion" => Outcome::Failed,
        STOPPED if stop.is_pending() => Outcome::Aborted,
        _ => Outcome::Errored,
    };
    let data = error.data();
    kept::end(outcome, Some(error.message), Some(data), Vec::new())
}
