//! A jobfile in the host: compiled, its top level run, `main` called, and its end turned into data.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use mlua::{Function, Lua, MultiValue, Value};

use super::api::args::Arguments;
use super::api::plugin::{self, Plugins, Stage};
use super::api::{self, Selections};
use super::error::{ScriptError, calling_line, plain_text, raise};
use super::shown::shown;
use super::time_limit::{Measures, TimeLimit};
use super::vm::{self, Setup, Vm};
use super::{modules, source, standalone};
use crate::engine::{self, OnLimit};
use crate::job::{Door, HostCall, Job, MainEnd, WaitError, WalkError, WalkOutcome, WalkRun};
use crate::model::{Answer, LuaText, Place, RaisedError, Request, Stream, TaskNumber, WalkEnded, WalkOrder, WalkSuite};

/// What the functions of a jobfile's modules share.
pub(super) struct Context {
    pub(super) job: Arc<Job>,
    this: Weak<Context>,
    /// The plugins.
    pub(super) plugins: Plugins,
    time_limit: RefCell<TimeLimit>,
    /// The functions by which tasks choose their sections.
    pub(super) selections: Selections,
    /// The file, or a module of it, wants to define sections.
    pub(super) asked_for_sections: Cell<bool>,
    /// The top level runs: it declares and does not act.
    is_loading: Cell<bool>,
    /// `os.exit` was called with this code.
    exit: Cell<Option<i32>>,
    /// The arguments that were handed on.
    pub(super) arguments: Rc<Arguments>,
    /// It showed its help.
    gave_help: Cell<bool>,
    /// A task was asked for, and nothing spoke against it.
    has_begun: Cell<bool>,
    /// What was said of a slip in an option of the command line; nothing runs then.
    slip: RefCell<Option<String>>,
    /// Why the parser of the jobfile refused the arguments.
    refused: RefCell<Option<String>>,
}

impl Context {
    /// Returns whether the top level runs.
    pub(super) fn is_loading(&self) -> bool {
        self.is_loading.get()
    }

    /// Fails if `what` may not be done now: while the file loads, after `os.exit`, after an interrupt.
    pub(super) fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()> {
        if self.is_loading.get() {
            return Err(raise(lua, "usage", format!("{what} while the file is loading; move it into main()")));
        }
        if self.plugins.is_busy() {
            return Err(raise(lua, "usage", format!("{what} in a plugin; a plugin cannot run tasks")));
        }
        self.check_running(lua)?;
        self.check_slips(lua)?;
        plugin::begin_job(lua, self)
    }

    /// Fails before the first task if a word of the command line, by now read by nobody, looks like a slip in one of rille's
    /// own options: whoever mistypes what chooses tasks does not want all of them.
    fn check_slips(&self, lua: &Lua) -> mlua::Result<()> {
        if self.has_begun.get() {
            return Ok(());
        }
        // Who has asked for the whole list reads it himself.
        let known = self.slip.borrow().clone();
        let slip = known.or_else(|| self.job.slip().filter(|_| !self.arguments.is_pending.get()));
        let Some(text) = slip else {
            self.has_begun.set(true);
            return Ok(());
        };
        // One complaint is enough.
        self.job.arguments_read(None);
        *self.slip.borrow_mut() = Some(text.clone());
        Err(raise(lua, "usage", text))
    }

    /// Returns whether main ended by what its parser said of the arguments, before anything ran.
    fn is_refusal(&self, error: &RaisedError) -> bool {
        let refused = self.refused.borrow();
        self.job.task_count() == 0 && refused.as_ref().is_some_and(|text| error.message.ends_with(text.as_str()))
    }

    /// Returns the context as those who share it hold it.
    pub(super) fn this(&self) -> Option<Rc<Context>> {
        self.this.upgrade()
    }

    /// Calls a function of a plugin under the time limit for plugins.
    pub(super) fn call_limited(
        &self,
        lua: &Lua,
        what: &Stage<'_>,
        function: &Function,
        arguments: Vec<Value>,
    ) -> Result<MultiValue, RaisedError> {
        let Some(limit) = self.job.settings().plugin_timeout else { return vm::call(lua, function, arguments) };
        let set = self.time_limit.borrow_mut().set(lua, limit, &what.to_string(), self.measures(what, limit));
        if let Err(error) = set {
            let message = format!("cannot set a time limit: {}", plain_text(&error));
            return Err(RaisedError { kind: "error".to_owned(), message, traceback: None });
        }
        let called = vm::call(lua, function, arguments);
        let is_over = self.time_limit.borrow().lift(lua);
        // What was ended for its time counts as failed, also where it has caught the error.
        called.and_then(|returned| match is_over {
            false => Ok(returned),
            true => {
                let message = format!("{what} has exceeded its time limit of {} s", limit.as_secs_f64());
                Err(RaisedError { kind: "timeout".to_owned(), message, traceback: None })
            }
        })
    }

    fn measures(&self, what: &Stage<'_>, limit: Duration) -> Measures {
        let run = self.job.runtime().job.uid;
        let job = Arc::clone(&self.job);
        let (plugin, stage, task) = (what.plugin.to_owned(), what.name, what.task);
        let message = format!("{what} has exceeded its time limit of {} s and does not end", limit.as_secs_f64());
        Measures {
            kill_programs: Box::new(move || engine::kill_own_programs(&run)),
            give_up: Box::new(move || {
                let error = RaisedError { kind: "timeout".to_owned(), message: message.clone(), traceback: None };
                job.plugin_failed(&plugin, stage, task, error);
                job.end_given_up(&message);
            }),
        }
    }

    /// Waits for tasks, and meanwhile answers what the run asks of the jobfile.
    pub(super) fn wait(
        &self,
        lua: &Lua,
        numbers: Vec<TaskNumber>,
        limit: Option<(Duration, OnLimit)>,
    ) -> Result<bool, WaitError> {
        self.job.wait(numbers, limit, &mut |call| self.serve(lua, call))
    }

    /// Does what the jobfile asks of the shared objects, and meanwhile answers what the run asks of it.
    pub(super) fn shared(&self, lua: &Lua, request: Request) -> mlua::Result<Answer> {
        self.check_running(lua)?;
        Ok(self.job.shared(request, &mut |call| self.serve(lua, call)))
    }

    /// Runs walks, and meanwhile answers what the run asks of the jobfile.
    pub(super) fn run_walks(&self, lua: &Lua, run: WalkRun) -> Result<WalkOutcome, WalkError> {
        self.job.run_walks(run, &mut |call| self.serve(lua, call))
    }

    /// Runs one walk, and meanwhile answers what the run asks of the jobfile.
    pub(super) fn replay_walk(
        &self,
        lua: &Lua,
        file: PathBuf,
        suite: WalkSuite,
        order: &WalkOrder,
        place: Option<Place>,
    ) -> Result<WalkEnded, WalkError> {
        self.job.replay_walk(file, suite, order, place, &mut |call| self.serve(lua, call))
    }

    /// Answers what the run asks of the jobfile.
    fn serve(&self, lua: &Lua, call: HostCall) {
        match call {
            HostCall::Comes(task) => plugin::task_comes(lua, self, task),
            HostCall::Leaves(task, end, _) => plugin::task_leaves(lua, self, task, &end),
            HostCall::Select { task, sections } => self.job.reply(task, self.selections.answer(lua, task, &sections)),
        }
    }

    /// Fails if the run is on its way to its end. What is asked of the jobfile by now is answered first: a jobfile that
    /// looks at its tasks in a loop never waits.
    pub(super) fn check_running(&self, lua: &Lua) -> mlua::Result<()> {
        self.job.serve_calls(&mut |call| self.serve(lua, call));
        if let Some(code) = self.exit.get() {
            return Err(exit_error(lua, code));
        }
        if self.job.interrupted() {
            return Err(raise(lua, "cancelled", "the run was asked to stop"));
        }
        Ok(())
    }
}

/// The kind of the error by which `os.exit` ends a jobfile.
const EXIT_KIND: &str = "exit";

fn exit_error(lua: &Lua, code: i32) -> mlua::Error {
    let message = format!("the jobfile called os.exit({code})");
    mlua::Error::external(ScriptError { kind: EXIT_KIND, message, bytes: None, place: calling_line(lua) })
}

/// Runs a jobfile to its end. `name` is its path as the user gave it.
pub(crate) fn run_jobfile(job: &Arc<Job>, name: &std::path::Path) -> MainEnd {
    let context = Rc::new_cyclic(|this| Context {
        job: Arc::clone(job),
        this: Weak::clone(this),
        plugins: Plugins::default(),
        time_limit: RefCell::default(),
        selections: Selections::default(),
        asked_for_sections: Cell::new(false),
        is_loading: Cell::new(true),
        exit: Cell::new(None),
        arguments: Rc::new(arguments(job, this)),
        gave_help: Cell::new(false),
        has_begun: Cell::new(false),
        slip: RefCell::default(),
        refused: RefCell::default(),
    });
    let internal = |error: mlua::Error| {
        let message = format!("cannot set Lua up: {}", plain_text(&error));
        let error = Some(RaisedError { kind: "error".to_owned(), message, traceback: None });
        MainEnd { error, is_unusable: true, gave_help: false }
    };
    let vm = match prepare(&context) {
        Ok(vm) => vm,
        Err(error) => {
            job.close(&mut |_| {});
            return internal(error);
        }
    };
    let end = run(&context, &vm, name);
    context.arguments.settle();
    // Tasks that main has left alive may still ask something of it.
    job.close(&mut |call| context.serve(vm.lua(), call));
    plugin::end_job(vm.lua(), &context);
    let slip = context.slip.borrow().clone();
    if let Some(message) = slip {
        // Also where the jobfile has caught the error, or left by os.exit.
        let error = end.err().and_then(|end| end.error).filter(|error| error.kind == "usage");
        let error = error.unwrap_or(RaisedError { kind: "usage".to_owned(), message, traceback: None });
        return MainEnd { error: Some(error), is_unusable: true, gave_help: false };
    }
    match end {
        Ok(()) => MainEnd { gave_help: context.gave_help.get(), ..MainEnd::default() },
        Err(end) => after_exit(&context, end),
    }
}

/// A jobfile that left by `os.exit(0)` ended early, but as it wanted.
fn after_exit(context: &Context, end: MainEnd) -> MainEnd {
    match context.exit.get() {
        Some(0) => MainEnd { gave_help: context.gave_help.get(), ..MainEnd::default() },
        _ => end,
    }
}

fn run(context: &Rc<Context>, vm: &Vm, name: &std::path::Path) -> Result<(), MainEnd> {
    let settings = context.job.settings();
    let broken = |error: RaisedError| MainEnd { error: Some(error), is_unusable: true, gave_help: false };
    let internal = |error: mlua::Error| {
        let message = format!("cannot set Lua up: {}", plain_text(&error));
        broken(RaisedError { kind: "error".to_owned(), message, traceback: None })
    };
    if standalone::is_testscript(&settings.source)
        || standalone::is_task_script(&settings.source, names(&settings.source))
    {
        return run_alone(context, vm);
    }
    let chunk = source::compile(vm.lua(), name, &settings.source, names(&settings.source)).map_err(broken)?;
    let returned = vm.call(&chunk, Vec::new());
    if let Err(error) = returned {
        // A module that the file requires may be the one that defines its sections.
        let is_alone = context.asked_for_sections.get() && !standalone::defines_main(&settings.source);
        return if is_alone { run_alone(context, vm) } else { Err(broken(error)) };
    }
    let main: Value = vm.lua().globals().get("main").map_err(internal)?;
    let suite = returned.ok().and_then(|returned| returned.front().and_then(Value::as_table).cloned());
    if let (Value::Nil, Some(suite), Door::Walk) = (&main, suite, settings.door) {
        context.is_loading.set(false);
        plugin::load(vm, context).map_err(broken)?;
        // What is wrong is on record, and nothing must run.
        if plugin::begin(vm.lua(), context).is_err() {
            return Ok(());
        }
        return super::walk_host::run_suite(vm, &suite).map_err(|error| MainEnd {
            is_unusable: error.kind == "definition",
            error: Some(error),
            gave_help: false,
        });
    }
    let Value::Function(main) = main else {
        return Err(broken(RaisedError {
            kind: "definition".to_owned(),
            message: match settings.door {
                Door::Walk => super::walk_host::no_suite(name),
                _ => no_main(name, &settings.source, &main),
            },
            traceback: None,
        }));
    };
    context.is_loading.set(false);
    plugin::load(vm, context).map_err(broken)?;
    // What is wrong is on record, and main must not run.
    if plugin::begin(vm.lua(), context).is_err() {
        return Ok(());
    }
    let runtime = api::runtime(vm.lua(), context).map_err(internal)?;
    let ended = call_main(vm, &main, runtime);
    if ended.is_ok() && context.check_running(vm.lua()).is_ok() {
        // A job that ran nothing has its plugins too; what is wrong is on record.
        let _ = plugin::begin_job(vm.lua(), context);
    }
    // A left-over value of os.exit counts even where the jobfile caught its error.
    match (ended, context.exit.get()) {
        (Ok(()), Some(code)) if code != 0 => Err(MainEnd {
            error: Some(RaisedError {
                kind: EXIT_KIND.to_owned(),
                message: format!("the jobfile called os.exit({code})"),
                traceback: None,
            }),
            ..MainEnd::default()
        }),
        (Ok(()), _) => Ok(()),
        (Err(error), _) => {
            let is_unusable = context.is_refusal(&error);
            Err(MainEnd { error: Some(error), is_unusable, gave_help: false })
        }
    }
}

/// Returns the arguments as the jobfile has them. What it takes of them its tasks do not get.
fn arguments(job: &Arc<Job>, context: &Weak<Context>) -> Arguments {
    let argv = job.settings().argv.clone();
    let is_taken = RefCell::new(vec![false; argv.len()]);
    let (reading, words) = (Arc::clone(job), argv.clone());
    let (helping, refusing) = (Weak::clone(context), Weak::clone(context));
    Arguments {
        program: job.settings().jobfile.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        own: Vec::new(),
        handed_on: argv,
        slips: job.settings().slips.clone(),
        read: Box::new(move |places| {
            let Some(places) = places else { return reading.arguments_read(None) };
            let mut is_taken = is_taken.borrow_mut();
            let mut read = Vec::with_capacity(places.len());
            for place in places.iter().filter(|place| **place < words.len()) {
                is_taken[*place] = true;
                read.push(words[*place].clone());
            }
            reading.arguments_read(Some(&read));
            let rest = words.iter().zip(&*is_taken).filter(|(_, is_taken)| !**is_taken);
            reading.hand_on(rest.map(|(word, _)| word.clone()).collect());
        }),
        help: Box::new(move |lua| {
            if let Some(context) = helping.upgrade() {
                context.gave_help.set(true);
                context.exit.set(Some(0));
            }
            exit_error(lua, 0)
        }),
        refused: Box::new(move |text| {
            if let Some(context) = refusing.upgrade() {
                *context.refused.borrow_mut() = Some(text.to_owned());
            }
        }),
        settles: true,
        is_pending: Cell::new(false),
    }
}

/// Runs a testscript without a jobfile.
fn run_alone(context: &Rc<Context>, vm: &Vm) -> Result<(), MainEnd> {
    let broken = |error: RaisedError| MainEnd { error: Some(error), is_unusable: true, gave_help: false };
    context.is_loading.set(false);
    plugin::load(vm, context).map_err(broken)?;
    // What is wrong is on record, and so is how the task ends and a signal that ended it.
    if plugin::begin(vm.lua(), context).is_ok() {
        let _ = standalone::run(vm.lua(), context);
    }
    Ok(())
}

fn call_main(vm: &Vm, main: &Function, runtime: Value) -> Result<(), RaisedError> {
    vm.call(main, vec![runtime]).map(|_| ())
}

fn no_main(name: &std::path::Path, source: &[u8], found: &Value) -> String {
    let name = name.display();
    let remedy = "write function main(runtime) … end; it is called once and runs the tasks, or run the file as an operation by --op";
    if source.iter().all(u8::is_ascii_whitespace) {
        return format!("{name}:1: the jobfile is empty and so has no main; {remedy}");
    }
    if String::from_utf8_lossy(source).contains("local function main") {
        return format!("{name}: main is local, so that nobody can call it; write function main(runtime) … end");
    }
    match found {
        Value::Nil => format!("{name}: the jobfile does not define main; {remedy}"),
        other => format!("{name}: main is {}, not a function; {remedy}", shown(other)),
    }
}

/// What a jobfile logs is shown and stands in the job's log; the levels it sets hold in its tasks.
fn preload_log(vm: &Vm, job: &Arc<Job>) -> mlua::Result<()> {
    let (logs, levels) = (Arc::clone(job), Arc::clone(job));
    let emit: api::log::Emit = Rc::new(move |level, logger, text| logs.log(level, logger, text));
    let set: api::log::LevelSet = Rc::new(move |logger, level| levels.set_level(logger, level));
    let job = Arc::clone(job);
    vm.preload("rille.log", move |lua| api::log::module(lua, &emit, &set, &job.runtime().log_levels))
}

fn prepare(context: &Rc<Context>) -> mlua::Result<Vm> {
    let settings = context.job.settings();
    let printer = Arc::clone(&context.job);
    let exiting = Rc::clone(context);
    let vm = Vm::new(Setup {
        module_folders: modules::folders(&settings.jobfile, &settings.started_in),
        write: Some(Box::new(move |stream, bytes| {
            let stream = if stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
            printer.print(stream, bytes.to_vec());
        })),
        before_program: None,
        execute: None,
        after_program: None,
        exit: Box::new(move |lua, code| {
            exiting.exit.set(Some(code));
            exit_error(lua, code)
        }),
    })?;
    modules::preload_elsewhere(&vm)?;
    standalone::preload(&vm, context)?;
    preload_log(&vm, &context.job)?;
    api::runs::preload(&vm, Some(settings.home.clone()))?;
    let sharing = Rc::clone(context);
    vm.preload("rille.job", move |lua| api::job_module(lua, &sharing).map(Value::Table))?;
    api::walk::preload(&vm, super::walk_host::of(context))?;
    api::args::preload(&vm, &context.arguments)?;
    api::args::set_arg(vm.lua(), &context.arguments)?;
    Ok(vm)
}

/// Returns the names a jobfile has beside the standard ones. A file that defines actions of walks is also the script of their
/// workers, and its functions may name what those have.
fn names(source: &[u8]) -> &'static [&'static str] {
    let is_of_walks = LuaText::new(&String::from_utf8_lossy(source)).requires("rille.walk");
    if is_of_walks { &super::walk::DECLARED } else { &super::lua_file::OF_JOBFILES }
}
