//! Why a program could not be started, in words that say what to do.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rustix::io::Errno;

use super::image::Image;
use super::start::lacking;
use crate::engine::program_path::{not_on_path, on_path};
use crate::engine::spawner::{NotStarted, Start, What};
use crate::engine::wants;
use crate::model::{nearest, os_text};

/// So much of a script is read to find the interpreter in its first line.
const FIRST_LINE: usize = 256;

/// Says why a program could not be started.
pub(super) fn refused(image: &Image, start: &Start, error: &io::Error) -> NotStarted {
    if wants::is_want(error) {
        return lacking("a process", error);
    }
    let shown = match &start.what {
        // The program is this one; what it was to run is another.
        What::Speaker(order, _) => order.script.display().to_string(),
        What::Runner { .. } | What::Program { .. } => Path::new(image.program()).display().to_string(),
    };
    let why = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::TOOBIG) => {
            "its arguments and environment together are too long; hand large parameters over in a file".to_owned()
        }
        Some(Errno::NOENT | Errno::NOTDIR) => missing(image, start, error),
        Some(Errno::ACCESS) => denied(image, start),
        Some(Errno::NOEXEC) => no_image(Path::new(image.program())),
        _ => os_text(error),
    };
    NotStarted::Task(format!("cannot start {shown}: {why}"))
}

/// Says what is not there: the working folder, the interpreter, or the program.
fn missing(image: &Image, start: &Start, error: &io::Error) -> String {
    if let Some(cwd) = start.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        if cwd.exists() {
            return format!("its working folder {} is no folder", cwd.display());
        }
        return format!("its working folder {} does not exist{}", cwd.display(), near(cwd));
    }
    let program = Path::new(image.program());
    let path = path_of(start);
    let found = match program.to_str() {
        Some(name) if !name.contains('/') => path.as_deref().and_then(|path| on_path(name, path)),
        _ => program.exists().then(|| program.to_owned()),
    };
    if let Some(found) = found {
        return interpreter(&found);
    }
    match program.to_str() {
        Some(name) if !name.contains('/') => format!("there is {}", not_on_path(name, path.as_deref())),
        _ if error.raw_os_error() == Some(Errno::NOTDIR.raw_os_error()) => os_text(error),
        _ => format!("there is no such program{}", near(program)),
    }
}

/// Returns the `PATH` that the process would have.
fn path_of(start: &Start) -> Option<OsString> {
    let own = start.env.iter().rev().find(|(name, _)| name == "PATH");
    match own {
        Some((_, path)) => path.as_ref().map(|path| AsRef::<OsStr>::as_ref(path).to_owned()),
        None => std::env::var_os("PATH"),
    }
}

/// Returns what somebody may have meant by a path.
fn near(path: &Path) -> String {
    let names = || {
        let entries = fs::read_dir(path.parent()?).ok()?;
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
    };
    names().map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}

/// Says what is wrong with what a program needs to be run by.
fn interpreter(program: &Path) -> String {
    let Some(line) = first_line(program) else {
        return "a program that it needs to run, its loader, does not exist; is it made for another system?".to_owned();
    };
    let words = String::from_utf8_lossy(&line).trim_start().to_owned();
    let name = words.split([' ', '\t']).next().unwrap_or_default();
    if let Some(name) = name.strip_suffix('\r') {
        return format!(
            "its lines end in CR LF, so that its first line names the interpreter '{name}\\r', which does not exist; write \
             the file with LF alone, as sed -i 's/\\r$//' {} does",
            program.display()
        );
    }
    let path = Path::new(name);
    match path.is_absolute() {
        true => format!("its first line names the interpreter {name}, which does not exist{}", near(path)),
        false => format!(
            "its first line names the interpreter '{name}', which is no path; write an absolute one, such as \
             #!/usr/bin/env {}",
            path.file_name().unwrap_or(path.as_os_str()).display()
        ),
    }
}

/// Returns what stands behind `#!` in the first line of a script.
fn first_line(program: &Path) -> Option<Vec<u8>> {
    let mut begin = [0; FIRST_LINE];
    let read = File::open(program).and_then(|mut file| file.read(&mut begin)).ok()?;
    let line = begin[..read].split(|byte| *byte == b'\n').next()?;
    line.strip_prefix(b"#!").map(<[u8]>::to_vec)
}

fn denied(image: &Image, start: &Start) -> String {
    if let Some(cwd) = start.cwd.as_ref().filter(|cwd| fs::read_dir(cwd).is_err()) {
        return format!("its working folder {} may not be entered", cwd.display());
    }
    let program = Path::new(image.program());
    if program.is_dir() {
        return "it is a folder; a program is a file that may be executed (chmod +x)".to_owned();
    }
    "it may not be executed; make it executable (chmod +x) or give kind = \"lua\" for a Lua script".to_owned()
}

fn no_image(program: &Path) -> String {
    let is_empty = program.metadata().is_ok_and(|file| file.len() == 0);
    let what = if is_empty { "it is empty" } else { "it is nothing that this system can run" };
    format!("{what}; does its first line name an interpreter (#!/bin/sh)?")
}
