//! The machine and the user of a run, for the attributes `platform`, `host` and `user`. No process is started to learn
//! them.

use std::ffi::CStr;
use std::fs::File;
use std::io::{BufRead, BufReader};

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
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Returns the name of the user as the environment gives it, else the one in the user database, else the number.
pub(crate) fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok()).find(|v| !v.is_empty());
    let id = nix::unistd::getuid();
    named.or_else(|| Some(nix::unistd::User::from_uid(id).ok()??.name)).unwrap_or_else(|| id.to_string())
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
    }
}
