//! The children of a process, as `/proc` lists them, in the numbers that the process itself knows them by.
//!
//! In a pid namespace `/proc` may still be that of outside: then it lists other numbers, and a signal to them would reach
//! somebody else. So it is asked once whose `/proc` it is, and what it says is translated.
//!
//! The process above a task looks at its children in the memory of another process, so what it calls takes no memory and no
//! lock.

use std::ffi::CStr;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getpid;

/// The list of the calling thread's children.
pub(super) const OF_THIS_THREAD: &CStr = c"/proc/thread-self/children";

/// How `/proc` names processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcView {
    /// As this process does.
    Own,
    /// As a namespace outside of this process's own does.
    Outer {
        /// How many names of a process come before that by which this process knows it.
        index: usize,
        /// How `/proc` names this process.
        own: i32,
    },
}

/// Why nothing can be learnt of processes here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoProc {
    /// There is no `/proc`, or it is of a namespace to which this process does not belong.
    #[error("/proc is not mounted, or shows the processes of another namespace")]
    Missing,
    /// The kernel does not list children.
    #[error("/proc lists no children of processes (the kernel was built without CONFIG_PROC_CHILDREN)")]
    NoChildren,
}

impl ProcView {
    /// Looks how `/proc` names this process.
    pub(crate) fn look() -> Result<Self, NoProc> {
        let own = getpid().as_raw_nonzero().get();
        let (mut count, mut first, mut last) = (0_usize, 0, 0);
        each_name(c"/proc/self/status", |name| {
            if count == 0 {
                first = name;
            }
            count += 1;
            last = name;
        })
        .map_err(|_| NoProc::Missing)?;
        if last != own {
            return Err(NoProc::Missing);
        }
        each_number(OF_THIS_THREAD, |_| ()).map_err(|_| NoProc::NoChildren)?;
        Ok(if count == 1 { Self::Own } else { Self::Outer { index: count - 1, own: first } })
    }

    /// Returns the number by which `/proc` knows a process; `None` if it is gone.
    pub(super) fn name_of(self, pid: i32) -> Option<i32> {
        let Self::Outer { own, .. } = self else { return Some(pid) };
        if pid == getpid().as_raw_nonzero().get() {
            return Some(own);
        }
        let entries = std::fs::read_dir("/proc").ok()?;
        let mut names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
        names.find(|name| self.ours(*name) == Some(pid))
    }

    /// Calls `tell` with each child in a list such as [`OF_THIS_THREAD`]. Takes no memory and no lock.
    pub(super) fn each_child(self, list: &CStr, mut tell: impl FnMut(i32)) -> Result<(), Errno> {
        each_number(list, |number| {
            if let Some(pid) = self.ours(number) {
                tell(pid);
            }
        })
    }

    /// Returns the number by which this process knows the one that `/proc` calls `number`. Takes no memory and no lock.
    pub(super) fn ours(self, number: i32) -> Option<i32> {
        let Self::Outer { index, .. } = self else { return Some(number) };
        let mut path = Path::new();
        path.push(b"/proc/");
        path.push_number(number);
        path.push(b"/status");
        let (mut at, mut found) = (0, None);
        each_name(path.as_c_str()?, |name| {
            if at == index {
                found = Some(name);
            }
            at += 1;
        })
        .ok()?;
        found
    }
}

/// Calls `tell` with each number in a file of numbers.
fn each_number(file: &CStr, mut tell: impl FnMut(i32)) -> Result<(), Errno> {
    let mut number = Number::default();
    each_byte(file, |byte| {
        if let Some(whole) = number.take(byte) {
            tell(whole);
        }
        true
    })?;
    if let Some(whole) = number.take(b' ') {
        tell(whole);
    }
    Ok(())
}

/// Calls `tell` with each name that the line `NSpid` of a file `status` gives, from the outermost namespace inwards.
fn each_name(status: &CStr, mut tell: impl FnMut(i32)) -> Result<(), Errno> {
    const KEY: &[u8] = b"NSpid:";
    // How much of the key has been matched in this line; `None` in another line.
    let mut matched = Some(0);
    let mut number = Number::default();
    let mut is_there = false;
    each_byte(status, |byte| {
        match matched {
            Some(count) if count == KEY.len() => {
                is_there = true;
                if let Some(whole) = number.take(byte) {
                    tell(whole);
                }
                return byte != b'\n';
            }
            Some(count) if KEY[count] == byte => matched = Some(count + 1),
            _ if byte == b'\n' => matched = Some(0),
            _ => matched = None,
        }
        true
    })?;
    if is_there { Ok(()) } else { Err(Errno::NOENT) }
}

/// Reads a file byte by byte until `tell` says that it has enough.
fn each_byte(file: &CStr, mut tell: impl FnMut(u8) -> bool) -> Result<(), Errno> {
    let file = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut chunk = [0; 1024];
    loop {
        match rustix::io::read(&file, &mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                if !chunk[..count].iter().all(|byte| tell(*byte)) {
                    return Ok(());
                }
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A number that comes digit by digit.
#[derive(Default)]
struct Number(Option<i32>);

impl Number {
    /// Takes a byte in; returns the number that it ends.
    fn take(&mut self, byte: u8) -> Option<i32> {
        if byte.is_ascii_digit() {
            let digit = i32::from(byte - b'0');
            self.0 = Some(self.0.unwrap_or(0).saturating_mul(10).saturating_add(digit));
            return None;
        }
        self.0.take()
    }
}

/// A short path that is put together in place.
struct Path {
    bytes: [u8; 40],
    length: usize,
}

impl Path {
    const fn new() -> Self {
        Self { bytes: [0; 40], length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        // The last byte stays 0.
        let room = self.bytes.len() - 1 - self.length;
        let fits = bytes.len().min(room);
        self.bytes[self.length..self.length + fits].copy_from_slice(&bytes[..fits]);
        self.length += fits;
    }

    fn push_number(&mut self, number: i32) {
        let mut digits = [0; 10];
        let (mut rest, mut at) = (number.unsigned_abs(), digits.len());
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[at..]);
    }

    fn as_c_str(&self) -> Option<&CStr> {
        CStr::from_bytes_until_nul(&self.bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::process::{Command, Stdio};

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, CString) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, text).unwrap();
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        (folder, path)
    }

    #[test]
    fn numbers_are_read_across_the_ends_of_chunks() {
        for count in [0, 1, 7, 300, 2000] {
            let numbers: Vec<i32> = (0..count).map(|n| n * 977 + 1).collect();
            let text: Vec<String> = numbers.iter().map(i32::to_string).collect();
            let text = text.join(" ");
            let (_folder, path) = file(&text);
            let mut read = Vec::new();
            each_number(&path, |number| read.push(number)).unwrap();
            assert_eq!(read, numbers);
        }
    }

    #[test]
    fn names_stand_in_one_line_wherever_that_is() {
        let groups = "1000 ".repeat(1000);
        let text = format!("Name:\tNSpid:\nGroups:\t{groups}\nNStgid:\t7\t8\nNSpid:\t4711\t12\t1\nNSpgid:\t9\n");
        let (_folder, path) = file(&text);
        let mut names = Vec::new();
        each_name(&path, |name| names.push(name)).unwrap();
        assert_eq!(names, [4711, 12, 1]);
        assert_eq!(each_name(&file("Name:\tx\n").1, |_| ()), Err(Errno::NOENT));
    }

    #[test]
    fn children_are_known_by_their_numbers() {
        let view = ProcView::look().unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut children = Vec::new();
        view.each_child(OF_THIS_THREAD, |child| children.push(child)).unwrap();
        assert!(children.contains(&pid), "{children:?}");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(view.ours(pid), if view == ProcView::Own { Some(pid) } else { None });
    }

    #[test]
    fn paths_are_put_together_in_place() {
        for number in [0, 7, 4711, i32::MAX] {
            let mut path = Path::new();
            path.push(b"/proc/");
            path.push_number(number);
            path.push(b"/status");
            assert_eq!(path.as_c_str().unwrap().to_str().unwrap(), format!("/proc/{number}/status"));
        }
    }
}
