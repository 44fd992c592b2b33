//! The machine and the user of a run, for the attributes `platform`, `host` and `user`. No process is started to learn
//! them.

use std::ffi::CStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::mem::MaybeUninit;

use rustix::process::Uid;
use serde::Serialize;

/// The attribute `platform`, with the keys that Guild gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Platform {
    /// The width of a pointer and the format of executables, as Python's `platform.architecture` says it.
    pub(crate) architecture: String,
    /// Processors that this process may use.
    pub(crate) cpus: usize,
    /// The name of the processor, empty if the system does not say.
    pub(crate) processor: String,
    /// The version of Rille, in the place of Guild's `python_version`.
    pub(crate) rille_version: String,
    /// System, node, release, version and machine, as `uname -a` orders them.
    pub(crate) uname: String,
}

/// Returns what is known of this machine.
pub(crate) fn platform() -> Platform {
    let uname = rustix::system::uname();
    let words: [&CStr; 5] = [uname.sysname(), uname.nodename(), uname.release(), uname.version(), uname.machine()];
    Platform {
        architecture: format!("{}bit ELF", usize::BITS),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        processor: processor().unwrap_or_default(),
        rille_version: env!("CARGO_PKG_VERSION").to_owned(),
        uname: words.map(|word| word.to_string_lossy().into_owned()).join(" "),
    }
}

/// Returns the name of this machine.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns the name of the user as the environment gives it, else the one in the user database, else the number.
pub(crate) fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok()).find(|v| !v.is_empty());
    let id = rustix::process::getuid();
    named.or_else(|| name_of(id)).unwrap_or_else(|| id.to_string())
}

/// Returns the name of a user in the user database.
fn name_of(id: Uid) -> Option<String> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = std::ptr::null_mut();
    // More than any line of a database has here; one that needs more is not found.
    let mut texts = [0; 16 << 10];
    // SAFETY: all pointers are valid, and the texts are as long as is said. Where `found` is set the entry has a value,
    // whose name is a text among the texts.
    unsafe {
        let size = texts.len();
        let error = libc::getpwuid_r(id.as_raw(), entry.as_mut_ptr(), texts.as_mut_ptr(), size, &raw mut found);
        if error != 0 || found.is_null() {
            return None;
        }
        CStr::from_ptr(entry.assume_init().pw_name).to_str().ok().map(str::to_owned)
    }
}

/// Returns the model name of the first processor.
fn processor() -> Option<String> {
    // Line by line: the kernel makes this file while it is read, slowly where there are many processors.
    let lines = BufReader::with_capacity(1024, File::open("/proc/cpuinfo").ok()?).lines();
    let line = lines.map_while(Result::ok).take(32).find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        let platform = platform();
        assert!(platform.cpus >= 1);
        assert!(platform.uname.starts_with("Linux "), "{}", platform.uname);
        assert!(!host().is_empty());
        assert!(!user().is_empty());
        assert_eq!(name_of(Uid::ROOT).as_deref(), Some("root"));
        assert_eq!(name_of(Uid::from_raw(u32::MAX - 7)), None);
    }
}
