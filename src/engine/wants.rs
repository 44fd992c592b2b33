//! What a machine may run short of, and which limit it is that an error tells of.

use std::io;

use rustix::io::Errno;
use rustix::process::Resource;

use crate::model::{limit, os_text};

/// Returns whether an error tells of a want that may pass: of processes, threads, descriptors or memory.
pub(crate) fn is_want(error: &io::Error) -> bool {
    matches!(errno(error), Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE))
}

/// Returns the text of an error that came when a process, a thread or a descriptor was to be made; where it tells of a
/// limit, with its name and what it is.
pub(crate) fn explain(error: &io::Error) -> String {
    let text = os_text(error);
    match errno(error) {
        Some(Errno::AGAIN) => format!(
            "{text}: the limit on processes and threads is reached ({}, or what a container or the system allows)",
            limit("ulimit -u", Resource::Nproc)
        ),
        Some(Errno::NOMEM) => format!(
            "{text}: the limit on memory is reached ({}, or what a container or the system has)",
            limit("ulimit -v", Resource::As)
        ),
        _ => text,
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_want_names_its_limit_and_nothing_else_does() {
        let named = [
            (libc::EAGAIN, "ulimit -u"),
            (libc::ENOMEM, "ulimit -v"),
            (libc::EMFILE, "ulimit -n"),
            (libc::ENFILE, "fs.file-max"),
        ];
        for (number, name) in named {
            let error = io::Error::from_raw_os_error(number);
            assert!(is_want(&error), "{error}");
            assert!(explain(&error).contains(name), "{}", explain(&error));
        }
        for number in [libc::ENOENT, libc::EACCES, libc::ENOSPC, libc::EPERM] {
            let error = io::Error::from_raw_os_error(number);
            assert!(!is_want(&error) && explain(&error) == os_text(&error), "{}", explain(&error));
        }
    }
}
