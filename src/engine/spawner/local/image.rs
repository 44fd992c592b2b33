//! What a program is started with, in the form in which `execve` takes it.
//!
//! It is made before the process is: between its making and its program a process must take no memory.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use super::environment::Entries;

/// Where programs are looked for if `PATH` is not set, as the C library does.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// See the module.
pub(super) struct Image {
    /// The name of the program as it was given.
    program: OsString,
    /// The files that the program may be, in the order in which they are tried.
    candidates: Vec<CString>,
    arguments: List<CString>,
    environment: List<Arc<CString>>,
    cwd: CString,
}

/// Strings with the list of pointers to them that ends with a null pointer.
struct List<S> {
    /// What is pointed to.
    _strings: Vec<S>,
    pointers: Vec<*const libc::c_char>,
}

impl Image {
    /// Makes the image of a program, which is looked for in the folders of `path` if its name has no folder. `arguments`
    /// begin with the name by which it is called. The error is a NUL byte somewhere.
    pub(super) fn new(
        program: &OsStr,
        path: Option<&OsStr>,
        arguments: impl Iterator<Item = OsString>,
        environment: Entries,
        cwd: &Path,
    ) -> io::Result<Self> {
        let arguments = arguments.map(|argument| terminated(argument.into_vec())).collect::<io::Result<_>>()?;
        Ok(Self {
            program: program.to_owned(),
            candidates: candidates(program, path)?,
            arguments: List::new(arguments, |argument: &CString| argument.as_ptr()),
            environment: List::new(environment.into_strings(), |entry| entry.as_ptr()),
            cwd: terminated(cwd.as_os_str().as_bytes())?,
        })
    }

    /// Returns the name of the program as it was given.
    pub(super) fn program(&self) -> &OsStr {
        &self.program
    }

    /// Goes to the working folder and becomes the program; returns the number of the error if that fails. Takes no memory
    /// and no lock.
    pub(super) fn become_it(&self) -> i32 {
        // SAFETY: all pointers are to strings with an end, or to lists of such that end with a null pointer.
        unsafe {
            if libc::chdir(self.cwd.as_ptr()) == -1 {
                return last_error();
            }
            let mut error = libc::ENOENT;
            for program in &self.candidates {
                libc::execve(program.as_ptr(), self.arguments.pointers.as_ptr(), self.environment.pointers.as_ptr());
                match last_error() {
                    // As the C library: one that may not be run is told only if there is no other.
                    libc::EACCES => error = libc::EACCES,
                    libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                    other => return other,
                }
            }
            error
        }
    }
}

impl<S> List<S> {
    fn new(strings: Vec<S>, pointer: impl Fn(&S) -> *const libc::c_char) -> Self {
        let pointers = strings.iter().map(pointer).chain([ptr::null()]).collect();
        Self { _strings: strings, pointers }
    }
}

/// Returns the files that a program of this name may be: itself if it names a folder, else those of that name in `PATH`.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> io::Result<Vec<CString>> {
    let name = program.as_bytes();
    if name.is_empty() || name.contains(&b'/') {
        return Ok(vec![terminated(name)?]);
    }
    let path = path.map_or(DEFAULT_PATH.as_bytes(), |path| path.as_bytes());
    let folders = path.split(|byte| *byte == b':');
    let file = |folder: &[u8]| match folder {
        // An empty entry is the working folder.
        [] => terminated(name),
        folder => terminated([folder, b"/", name].concat()),
    };
    folders.map(file).collect()
}

fn terminated(bytes: impl Into<Vec<u8>>) -> io::Result<CString> {
    CString::new(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte, which no process can be given"))
}

/// Returns the number of the error that the C library has noted last.
pub(super) fn last_error() -> i32 {
    // SAFETY: the C library's own place for it is always there.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_without_a_folder_are_looked_for_in_path() {
        let check = |program: &str, path: Option<&str>, expected: &[&str]| {
            let found = candidates(OsStr::new(program), path.map(OsStr::new)).unwrap();
            let found: Vec<&str> = found.iter().map(|file| file.to_str().unwrap()).collect();
            assert_eq!(found, expected, "{program} in {path:?}");
        };
        check("true", Some("/a:/b"), &["/a/true", "/b/true"]);
        check("true", Some(":/b"), &["true", "/b/true"]);
        check("true", None, &["/bin/true", "/usr/bin/true"]);
        check("./true", Some("/a"), &["./true"]);
        check("", Some("/a"), &[""]);
    }
}
