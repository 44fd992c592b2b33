//! A jobfile in the host: compiled, its top level run, `main` called, and its end turned into data.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use mlua::{Function, Value};

use super::api::args::Arguments;
use super::api::log::Logging;
use super::api::{self, plugin};
use super::context::{Context, EXIT_KIND, exit_error};
use super::error::plain_text;
use super::modules::{Face, Given};
use super::shown::shown;
use super::vm::{Setup, Vm};
use super::{modules, source, standalone};
use crate::job::{Door, Job, MainEnd};
use crate::model::{LuaText, RaisedError, Stream};

/// Runs a jobfile to its end. `name` is its path as the user gave it.
pub(crate) fn run_jobfile(job: &Arc<Job>, name: &std::path::Path) -> MainEnd {
    let context = Context::new(job, |this| arguments(job, this));
    let internal = |error: mlua::Error| {
        let message = format!("cannot set Lua up: {}", plain_text(&error));
        let error = Some(RaisedError { kind: "error".to_owned(), message, traceback: None });
        MainEnd { error, is_unusable: true, ..MainEnd::default() }
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
    if let Some(message) = context.slip() {
        // Also where the jobfile has caught the error, or left by os.exit.
        let error = end.err().and_then(|end| end.error).filter(|error| error.kind == "usage");
        let error = error.unwrap_or(RaisedError { kind: "usage".to_owned(), message, traceback: None });
        return MainEnd { error: Some(error), is_unusable: true, ..MainEnd::default() };
    }
    match end {
        Ok(()) => MainEnd { gave_help: context.gave_help(), ..MainEnd::default() },
        Err(end) => after_exit(&context, end),
    }
}

/// A jobfile that left by `os.exit(0)` ended early, but as it wanted.
fn after_exit(context: &Context, end: MainEnd) -> MainEnd {
    match context.exit() {
        Some(0) => MainEnd { gave_help: context.gave_help(), ..MainEnd::default() },
        _ => end,
    }
}

fn run(context: &Rc<Context>, vm: &Vm, name: &std::path::Path) -> Result<(), MainEnd> {
    let settings = context.job.settings();
    let broken = |error: RaisedError| MainEnd { error: Some(error), is_unusable: true, ..MainEnd::default() };
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
        let is_alone = context.has_asked_for_sections() && !standalone::defines_main(&settings.source);
        return if is_alone { run_alone(context, vm) } else { Err(broken(error)) };
    }
    let main: Value = vm.lua().globals().get("main").map_err(internal)?;
    let suite = returned.ok().and_then(|returned| returned.front().and_then(Value::as_table).cloned());
    if let (Value::Nil, Some(suite), Door::Walk) = (&main, suite, settings.door) {
        context.loaded();
        plugin::load(vm, context).map_err(broken)?;
        // What is wrong is on record, and nothing must run.
        if plugin::begin(vm.lua(), context).is_err() {
            return Ok(());
        }
        return super::walk_host::run_suite(vm, &suite).map_err(|error| MainEnd {
            is_unusable: error.kind == "definition",
            error: Some(error),
            ..MainEnd::default()
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
    context.loaded();
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
    match (ended, context.exit()) {
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
            Err(MainEnd { error: Some(error), is_unusable, ..MainEnd::default() })
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
            let Some(places) = places else { return reading.ledger().arguments_read(None) };
            let mut is_taken = is_taken.borrow_mut();
            let mut read = Vec::with_capacity(places.len());
            for place in places.iter().filter(|place| **place < words.len()) {
                is_taken[*place] = true;
                read.push(words[*place].clone());
            }
            reading.ledger().arguments_read(Some(&read));
            let rest = words.iter().zip(&*is_taken).filter(|(_, is_taken)| !**is_taken);
            reading.run().hand_on(rest.map(|(word, _)| word.clone()).collect());
        }),
        help: Box::new(move |lua| match helping.upgrade() {
            Some(context) => context.leave_after_help(lua),
            None => exit_error(lua, 0),
        }),
        refused: Box::new(move |text| {
            if let Some(context) = refusing.upgrade() {
                context.refuse(text);
            }
        }),
        settles: true,
        is_pending: Cell::new(false),
    }
}

/// Runs a testscript without a jobfile.
fn run_alone(context: &Rc<Context>, vm: &Vm) -> Result<(), MainEnd> {
    let broken = |error: RaisedError| MainEnd { error: Some(error), is_unusable: true, ..MainEnd::default() };
    context.loaded();
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
fn logging(job: &Arc<Job>) -> Logging {
    let (logs, sets, levels) = (Arc::clone(job), Arc::clone(job), Arc::clone(job));
    Logging {
        emit: Rc::new(move |level, logger, text| logs.run().log(level, logger, text)),
        set: Rc::new(move |logger, level| sets.run().set_level(logger, level)),
        levels: Box::new(move || levels.run().runtime().log_levels),
    }
}

fn prepare(context: &Rc<Context>) -> mlua::Result<Vm> {
    let settings = context.job.settings();
    let printer = Arc::clone(&context.job);
    let exiting = Rc::clone(context);
    let vm = Vm::new(Setup {
        module_folders: modules::folders(&settings.jobfile, &settings.started_in),
        write: Some(Box::new(move |stream, bytes| {
            let stream = if stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
            printer.run().print(stream, bytes.to_vec());
        })),
        before_program: None,
        execute: None,
        after_program: None,
        exit: Box::new(move |lua, code| exiting.leave(lua, code)),
    })?;
    let given = Given {
        context: Some(Rc::clone(context)),
        arguments: Some(Rc::clone(&context.arguments)),
        log: Some(logging(&context.job)),
        walks: Some(super::walk_host::of(context)),
        ..Given::to(Face::Jobfile)
    };
    modules::preload(&vm, given)?;
    api::args::set_arg(vm.lua(), &context.arguments)?;
    Ok(vm)
}

/// Returns the names a jobfile has beside the standard ones. A file that defines actions of walks is also the script of their
/// workers, and its functions may name what those have.
fn names(source: &[u8]) -> &'static [&'static str] {
    let is_of_walks = LuaText::new(&String::from_utf8_lossy(source)).requires("rille.walk");
    if is_of_walks { &super::walk::DECLARED } else { &super::lua_file::OF_JOBFILES }
}
