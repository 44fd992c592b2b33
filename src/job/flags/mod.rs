//! The flags that an operation has from what it runs, added to those of its definition.
//!
//! What can be read is read: the globals of a module by its syntax, the settings of a file. A parser of arguments is asked by
//! running the script, once for as long as its files stay as they are. Whatever fails is a warning: an operation can be run
//! with the flags that are written down.

mod ask;
mod cache;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::ask::{Question, Told, Way};
use self::cache::Place;
use super::interpreter::Interpreter;
use super::operation::python_of;
use crate::operation::import::{self, Flags, FlagsImport, Module, RunModule, Wanted};
use crate::operation::{Notice, Operation, python};
use crate::store::Home;

/// The variable by which Guild does not look at what was cached.
const NO_CACHE: &str = "NO_IMPORT_FLAGS_CACHE";

/// Adds to an operation the flags that its definition wants from its code. What was found out by running scripts is kept in
/// the home, where there is one. What fails is told.
pub(crate) fn import(operation: &mut Operation, home: Option<&Home>, notify: &mut dyn FnMut(Notice)) {
    let wanted = Wanted::new(&operation.flags_import, &operation.flags_import_skip, operation.flags.keys());
    let settings = operation.flags_dest.as_deref().and_then(|dest| dest.strip_prefix("config:")).map(str::to_owned);
    match settings {
        Some(file) if !wanted.is_nothing() => import_settings(operation, &file, &wanted, notify),
        Some(_) => {}
        None => import_module(operation, &wanted, home, notify),
    }
}

fn cannot(notify: &mut dyn FnMut(Notice), from: impl Display, why: impl Display) {
    notify(Notice::Warning(format!("cannot import flags from {from}: {why}")));
}

fn import_settings(operation: &mut Operation, file: &str, wanted: &Wanted, notify: &mut dyn FnMut(Notice)) {
    let path = operation.project.join(file);
    match std::fs::read(&path) {
        Err(error) => cannot(notify, file, error),
        Ok(bytes) => match import::of_settings(&path, &String::from_utf8_lossy(&bytes)) {
            Err(error) => cannot(notify, file, error),
            Ok(found) => {
                import::add(&mut operation.flags, &found, wanted);
                tell_missing(operation, &found, file, None, notify);
            }
        },
    }
}

fn import_module(operation: &mut Operation, wanted: &Wanted, home: Option<&Home>, notify: &mut dyn FnMut(Notice)) {
    if operation.flags_import == FlagsImport::Off {
        return;
    }
    let Some(module) = operation.module() else { return };
    let Some(file) = module.file.clone() else {
        // What is installed with Python is not the project's, and Guild's own modules are nobody's.
        if operation.flags_import != FlagsImport::Defined && !module.name.starts_with("guild.") {
            let project = operation.project.display();
            cannot(notify, &module.name, format!("there is no module of this name in {project}"));
        }
        return;
    };
    let shown = file.strip_prefix(&operation.project).unwrap_or(&file).display().to_string();
    let Some(text) = python::source(&file) else {
        cannot(notify, &shown, "it cannot be read");
        return;
    };
    let read = Module::read(&text);
    let known = read.as_ref().ok().cloned().unwrap_or_else(|| Module::guess(&text));
    let dest = operation.flags_dest.clone().unwrap_or_else(|| known.destination(operation.flags.keys()).to_owned());
    let is_given = operation.flags_dest.replace(dest.clone()).is_some();
    if wanted.is_nothing() {
        return;
    }
    let asked = |way: Way, operation: &Operation, notify: &mut dyn FnMut(Notice)| {
        asked(operation, &Script { module: &module, file: &file, shown: &shown }, &way, home, notify)
    };
    let items = ["global:", "dict:", "namespace:"].iter().find_map(|start| dest.strip_prefix(start));
    let found = match (dest.as_str(), items, read) {
        ("args", ..) if known.parser.is_none() && !is_given => return,
        ("args", ..) => asked(Way::Argparse, operation, notify),
        ("args:click", ..) => asked(Way::Click, operation, notify),
        ("globals", _, Ok(read)) => Some(read.globals()),
        ("globals", _, Err(_)) => asked(Way::Written(String::new()), operation, notify),
        (_, Some(name), Ok(read)) => match read.items_of(name) {
            Ok(found) => Some(found),
            Err(error) => {
                cannot(notify, &shown, error);
                None
            }
        },
        (_, Some(name), Err(_)) => asked(Way::Written(name.to_owned()), operation, notify),
        _ => return,
    };
    let Some(mut found) = found else { return };
    find_files(&mut found, file.parent().unwrap_or(&operation.project));
    import::add(&mut operation.flags, &found, wanted);
    tell_missing(operation, &found, &shown, Some(&known), notify);
}

/// Makes the paths of files that are beside the script absolute: the operation runs elsewhere.
fn find_files(found: &mut Flags, folder: &Path) {
    for flag in found.values_mut() {
        if let Value::String(text) = &flag.default
            && text.contains('/')
            && folder.join(text).exists()
        {
            flag.default = Value::from(folder.join(text).to_string_lossy().into_owned());
        }
    }
}

/// Tells of flags that are to be imported by their names, and are not there.
fn tell_missing(
    operation: &Operation,
    found: &Flags,
    from: &str,
    module: Option<&Module>,
    notify: &mut dyn FnMut(Notice),
) {
    let FlagsImport::Named(names) = &operation.flags_import else { return };
    for name in names.iter().filter(|name| !found.contains_key(*name)) {
        let hint = match module.is_some_and(|module| module.is_annotated(name)) {
            true => " but a variable with a type behind its name".to_owned(),
            false => crate::model::nearest(name, found.keys().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean '{near}'?")),
        };
        notify(Notice::Warning(format!("flags-import has '{name}', which is no flag of {from}{hint}")));
    }
}

/// A script that is asked.
struct Script<'a> {
    module: &'a RunModule,
    file: &'a Path,
    /// Its path as the user knows it.
    shown: &'a str,
}

/// Returns what a script has told before, or tells now.
fn asked(
    operation: &Operation,
    script: &Script<'_>,
    way: &Way,
    home: Option<&Home>,
    notify: &mut dyn FnMut(Notice),
) -> Option<Flags> {
    let shown = script.shown;
    let interpreter = match python_of(Some(&operation.project), operation.python_requires.as_deref()) {
        Ok(Some(interpreter)) => interpreter,
        Ok(None) => {
            let looked = "looked for .venv and venv in the project, conda, uv, pyenv, and python3 on the PATH";
            cannot(notify, shown, format!("there is no Python to ask it by: {looked}"));
            return None;
        }
        Err(error) => {
            cannot(notify, shown, error);
            return None;
        }
    };
    let question = Question {
        way,
        module: script.module,
        file: script.file,
        project: &operation.project,
        interpreter: &interpreter,
    };
    let place = home.and_then(|home| Place::of(&question, home));
    let is_cached = std::env::var_os(NO_CACHE).is_none_or(|value| value != "1");
    if let Some(declared) = place.as_ref().filter(|_| is_cached).and_then(Place::read) {
        return Some(declared.flags);
    }
    let mut slow = || notify(Notice::Info(format!("{shown} is run with --help to learn its flags…")));
    let Told { declared, failure } = question.ask(&mut slow);
    let has_failed = failure.is_some();
    if let Some(failure) = failure {
        cannot(notify, shown, with_interpreter(&failure, &interpreter));
    }
    let (declared, text) = declared?;
    if let Some(place) = place.filter(|_| !has_failed) {
        let own = [script.file.to_owned()].into_iter();
        place.keep(&text, own.chain(declared.files.iter().map(PathBuf::from)));
    }
    Some(declared.flags)
}

/// Returns which interpreter would run a module of Python, and where it was found; `None` for what is none.
pub(crate) fn shown_interpreter(operation: &Operation) -> Option<String> {
    operation.module()?;
    match python_of(Some(&operation.project), operation.python_requires.as_deref()) {
        Ok(Some(found)) => Some(format!("{}, from {}", found.program.display(), found.origin)),
        Ok(None) => Some("there is none".to_owned()),
        Err(error) => Some(error),
    }
}

fn with_interpreter(failure: &dyn Display, interpreter: &Interpreter) -> String {
    format!("{failure} (run by {}, from {})", interpreter.program.display(), interpreter.origin)
}
