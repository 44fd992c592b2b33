//! The inside of the process of an operation that is Lua: its `main`, or its script, in the run directory.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};
use serde_json::{Map, Value as Json};

use super::api::{self, op};
use super::error::{plain_text, raise};
use super::lua_file::OF_OPERATIONS;
use super::modules::{Face, Given};
use super::operation::{PROJECT_FILE, load, of_operations};
use super::shown::shown;
use super::vm::{Setup, Vm};
use super::{modules, source, table};
use crate::model::{RaisedError, nearest, os_text};

/// What an operation in Lua knows of its run.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunFacts {
    /// The id.
    pub(crate) id: String,
    /// The run directory.
    pub(crate) directory: String,
    /// The operation's full name.
    pub(crate) operation: String,
    /// The label.
    pub(crate) label: Option<String>,
    /// The tags.
    pub(crate) tags: Vec<String>,
    /// The flags.
    pub(crate) flags: Map<String, Json>,
}

/// Runs an operation of a project file, whose name is the first argument, or a script with its arguments. Returns the exit
/// status.
pub(crate) fn run_operation(file: &Path, arguments: &[String], facts: &RunFacts) -> i32 {
    let ended = match (file.file_name().is_some_and(|name| name == PROJECT_FILE), arguments) {
        (true, [name]) => run_main(file, name, facts),
        (true, _) => Err(plain(format!("{} needs the name of one operation", file.display()))),
        (false, arguments) => run_script(file, arguments, facts),
    };
    let status = ended.unwrap_or_else(|error| {
        let mut text = format!("error: {}\n", error.message);
        if let Some(traceback) = error.traceback {
            text += "stack traceback:\n";
            text.extend(traceback.lines().flat_map(|line| ["  ", line, "\n"]));
        }
        flush();
        // With a closed terminal there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        1
    });
    flush();
    status
}

fn plain(message: String) -> RaisedError {
    RaisedError { kind: "error".to_owned(), message, traceback: None }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` has")]
fn internal(error: mlua::Error) -> RaisedError {
    plain(format!("cannot set Lua up: {}", plain_text(&error)))
}

fn run_main(file: &Path, name: &str, facts: &RunFacts) -> Result<i32, RaisedError> {
    let output = Rc::new(Output::default());
    let vm = machine(file, &output).map_err(internal)?;
    let definitions = Rc::new(RefCell::new(op::Definitions::default()));
    let given = Given { definitions: Some(Rc::clone(&definitions)), ..given(Face::Project, facts) };
    load(&vm, file, file, given).map_err(|mistake| plain(mistake.to_string()))?;
    let main = definitions.borrow().main_of(name);
    let Some(main) = main else {
        let names = definitions.borrow().names();
        let near = nearest(name, names.iter().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        return Err(plain(format!("{}: operation '{name}' has no function 'main'{hint}", file.display())));
    };
    let lua = vm.lua();
    let flags = flags(lua, facts).map_err(internal)?;
    op::strict(lua, "flags", &flags, facts.flags.keys().cloned().collect()).map_err(internal)?;
    let run = run_table(lua, facts, &output).map_err(internal)?;
    Ok(status(&vm.call(&main, vec![Value::Table(run), Value::Table(flags)])?))
}

fn run_script(file: &Path, arguments: &[String], facts: &RunFacts) -> Result<i32, RaisedError> {
    let text = fs::read(file).map_err(|error| plain(format!("cannot read {}: {}", file.display(), os_text(&error))))?;
    let output = Rc::new(Output::default());
    let vm = machine(file, &output).map_err(internal)?;
    let lua = vm.lua();
    let prepare = || {
        modules::preload(&vm, given(Face::Operation, facts))?;
        let globals = lua.globals();
        globals.set("flags", flags(lua, facts)?)?;
        globals.set("run", run_table(lua, facts, &output)?)?;
        let arg = lua.create_sequence_from(arguments.iter().map(String::as_str))?;
        arg.set(0, file.to_string_lossy().as_ref())?;
        globals.set("arg", arg)
    };
    prepare().map_err(internal)?;
    let chunk = source::compile(lua, file, &text, &OF_OPERATIONS)?;
    Ok(status(&vm.call(&chunk, Vec::new())?))
}

/// Returns what a running operation has for its modules: it may look at the other runs of its home.
fn given(face: Face, facts: &RunFacts) -> Given {
    Given { run: Some(facts.directory.clone().into()), ..of_operations(face) }
}

fn machine(file: &Path, output: &Rc<Output>) -> mlua::Result<Vm> {
    let output = Rc::clone(output);
    let here = std::env::current_dir().unwrap_or_default();
    let setup = Setup {
        module_folders: modules::folders(file, &here),
        write: Some(Box::new(move |stream, bytes| output.print(stream, bytes))),
        before_program: Some(Box::new(flush)),
        // It has the signals of any other program.
        execute: None,
        after_program: Some(Box::new(|is_interrupted| {
            if is_interrupted {
                // SAFETY: the default action ends the process; nothing of it runs any more.
                unsafe { libc::raise(libc::SIGINT) };
            }
        })),
        exit: Box::new(|_, code| {
            flush();
            std::process::exit(code)
        }),
    };
    Vm::new(setup)
}

/// The standard streams of the operation.
#[derive(Default)]
struct Output {
    /// What was printed last ended no line.
    is_inside_line: Cell<bool>,
}

impl Output {
    /// Writes what is printed. The standard output keeps what is no whole line yet.
    fn print(&self, stream: &str, bytes: &[u8]) {
        if stream != "stderr"
            && let Some(last) = bytes.last()
        {
            self.is_inside_line.set(*last != b'\n');
        }
        let written = match stream {
            "stderr" => io::stderr().write_all(bytes),
            _ => io::stdout().write_all(bytes),
        };
        if let Err(error) = written {
            let _ = writeln!(io::stderr(), "error: cannot write to {stream}: {}", os_text(&error));
            std::process::exit(1);
        }
    }

    /// Writes a line, which others find only at the beginning of one.
    fn print_line(&self, line: &str) {
        if self.is_inside_line.get() {
            self.print("stdout", b"\n");
        }
        self.print("stdout", line.as_bytes());
    }
}

fn flush() {
    // What cannot be written was told of, or has no reader.
    let _ = io::stdout().flush();
}

/// Returns the exit status of what was returned: a number is one, false is a failure.
fn status(returned: &MultiValue) -> i32 {
    match returned.front() {
        Some(Value::Boolean(false)) => 1,
        // A number that does not fit into a status must not become success.
        Some(Value::Integer(status)) => {
            i32::try_from(*status & 0xff).map_or(1, |low| if low == 0 && *status != 0 { 1 } else { low })
        }
        Some(Value::Number(status)) if *status != 0.0 => 1,
        _ => 0,
    }
}

fn flags(lua: &Lua, facts: &RunFacts) -> mlua::Result<Table> {
    let flags = lua.create_table()?;
    for (name, value) in &facts.flags {
        flags.raw_set(name.as_str(), table::from_json(lua, value)?)?;
    }
    Ok(flags)
}

fn run_table(lua: &Lua, facts: &RunFacts, output: &Rc<Output>) -> mlua::Result<Table> {
    let run = lua.create_table()?;
    run.set("id", facts.id.as_str())?;
    for name in ["directory", "dir", "path"] {
        run.set(name, facts.directory.as_str())?;
    }
    run.set("op", facts.operation.as_str())?;
    run.set("label", facts.label.as_deref().unwrap_or_default())?;
    run.set("tags", facts.tags.clone())?;
    let output = Rc::clone(output);
    let scalar = lua.create_function(move |lua, (this, name, value, step): (Value, Value, Value, Value)| {
        scalar_line(&this, &name, &value, &step)
            .map(|line| output.print_line(&line))
            .map_err(|bad| raise(lua, "usage", bad.to_string()))
    })?;
    run.set("scalar", scalar)?;
    api::read_only(lua, "run", &run)
}

/// How a scalar is recorded.
const SCALAR: &str = "run:scalar(name, value[, step])";

/// What is no scalar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BadScalar {
    /// It was called without the run.
    #[error("write {SCALAR}, with a colon")]
    NoColon,
    /// It begins with this.
    #[error("{SCALAR} begins with a name, got {0}")]
    NoName(String),
    /// Its name cannot be found again in what is printed.
    #[error("'{}' is no name of a scalar: it has no spaces and no ':'", .0.escape_debug())]
    Name(String),
    /// Its value is this.
    #[error("the scalar '{name}' must be a finite number, got {got}")]
    Value {
        /// Its name.
        name: String,
        /// What came.
        got: String,
    },
    /// Its step is this.
    #[error("the step of '{name}' must be a whole number from 0, got {got}")]
    Step {
        /// Its name.
        name: String,
        /// What came.
        got: String,
    },
}

/// Returns the line by which a scalar is recorded.
fn scalar_line(this: &Value, name: &Value, value: &Value, step: &Value) -> Result<String, BadScalar> {
    if !matches!(this, Value::Table(_)) {
        return Err(BadScalar::NoColon);
    }
    let Value::String(name) = name else {
        return Err(BadScalar::NoName(shown(name)));
    };
    let name = name.to_string_lossy();
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') {
        return Err(BadScalar::Name(name));
    }
    let value = match value {
        Value::Integer(number) => number.to_string(),
        Value::Number(number) if number.is_finite() => format!("{number:?}"),
        other => return Err(BadScalar::Value { name, got: shown(other) }),
    };
    match step {
        Value::Nil => Ok(format!("{name}: {value}\n")),
        Value::Integer(step) if *step >= 0 => Ok(format!("{name}: {value} (step {step})\n")),
        other => Err(BadScalar::Step { name, got: shown(other) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_lines_that_the_default_patterns_find() {
        let lua = Lua::new();
        let this = Value::Table(lua.create_table().unwrap());
        let name = |text: &str| Value::String(lua.create_string(text).unwrap());
        let cases = [
            (name("loss"), Value::Number(0.5), Value::Nil, "loss: 0.5\n"),
            (name("loss"), Value::Number(1e-9), Value::Integer(3), "loss: 1e-9 (step 3)\n"),
            (name("n"), Value::Integer(-3), Value::Integer(0), "n: -3 (step 0)\n"),
            (name("a b"), Value::Integer(1), Value::Nil, "'a b' is no name of a scalar: it has no spaces and no ':'"),
            (
                name("x"),
                Value::Number(f64::NAN),
                Value::Nil,
                "the scalar 'x' must be a finite number, got the number NaN",
            ),
            (
                name("x"),
                Value::Integer(1),
                Value::Integer(-1),
                "the step of 'x' must be a whole number from 0, got the number -1",
            ),
        ];
        for (name, value, step, expected) in cases {
            let line = scalar_line(&this, &name, &value, &step).unwrap_or_else(|bad| bad.to_string());
            assert_eq!(line, expected);
        }
    }
}
