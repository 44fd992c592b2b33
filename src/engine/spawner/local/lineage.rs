//! Whose descendant a process is, and what was left to the host itself.
//!
//! Every process of a task stands below the task's owner, so its ancestors tell whose it is. What hangs below the host itself
//! is an owner, a program that the jobfile started, or what an owner left that was killed by its own task.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::fs;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgid, getpgrp, getpid, kill_process, waitid};

use crate::engine::children::ProcView;
use crate::engine::mark::{self, HOST_MARK, MARK};
use crate::model::TaskNumber;

/// How far a process is followed to its ancestors.
const MOST_ANCESTORS: usize = 256;

/// To which task a process belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This one.
    Of(TaskNumber),
    /// None of this run, or nobody can tell: it has ended and was reaped.
    Nobodys,
}

/// The processes below which everything of a task stands: its owner, and its own first process.
#[derive(Debug, Default)]
pub(super) struct Roots {
    tasks: HashMap<i32, TaskNumber>,
}

impl Roots {
    /// Adds a process of a task.
    pub(super) fn insert(&mut self, pid: Pid, task: TaskNumber) {
        self.tasks.insert(pid.as_raw_nonzero().get(), task);
    }

    /// Forgets a process that is about to be reaped, or was.
    pub(super) fn remove(&mut self, pid: Pid) {
        self.tasks.remove(&pid.as_raw_nonzero().get());
    }

    fn contains(&self, pid: i32) -> bool {
        self.tasks.contains_key(&pid)
    }

    /// Returns whose descendant the process with this number is.
    pub(super) fn whose(&self, pid: i32, view: ProcView) -> Whose {
        let own = getpid().as_raw_nonzero().get();
        let Some(mut at) = view.name_of(pid) else { return Whose::Nobodys };
        for _ in 0..MOST_ANCESTORS {
            match view.ours(at) {
                // It stands outside of this namespace.
                None => return Whose::Nobodys,
                Some(pid) => {
                    if let Some(task) = self.tasks.get(&pid) {
                        return Whose::Of(*task);
                    }
                    if pid == own {
                        return Whose::Nobodys;
                    }
                }
            }
            match parent_of(at) {
                Some(parent) if parent > 1 => at = parent,
                _ => return Whose::Nobodys,
            }
        }
        Whose::Nobodys
    }
}

/// Returns the parent of a process, both by the numbers of `/proc`.
fn parent_of(pid: i32) -> Option<i32> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too: the last one ends it.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&text[end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The orphans that are children of the host itself.
pub(super) struct Strays {
    view: ProcView,
    own_group: Pid,
    /// The mark of what the jobfile has started itself.
    host_mark: Vec<u8>,
    /// Those that were there before an owner was killed: they are no task's.
    others: HashSet<i32>,
}

impl Strays {
    /// Makes an empty register for the run with this id.
    pub(super) fn new(run_id: &str, view: ProcView) -> Self {
        let host_mark = format!("{MARK}={}", mark::of(run_id, HOST_MARK)).into_bytes();
        Self { view, own_group: getpgrp(), host_mark, others: HashSet::new() }
    }

    /// Reaps the dead among the orphans, and takes note of the others: they are the jobfile's own, and end with the host.
    pub(super) fn note(&mut self, roots: &Roots) {
        self.others = self.living(roots).into_iter().collect();
    }

    /// Kills what owners have left that were killed; returns how many there are still, and how many were killed that had not
    /// been before.
    pub(super) fn end(&mut self, roots: &Roots, killed: &mut HashSet<i32>) -> (usize, u32) {
        let mut left = 0;
        let mut new = 0;
        for pid in self.living(roots) {
            if self.others.contains(&pid) || self.is_the_hosts(pid) {
                self.others.insert(pid);
                continue;
            }
            left += 1;
            new += u32::from(killed.insert(pid));
            if let Some(pid) = Pid::from_raw(pid) {
                // It is a child that has not been reaped, so the number is its own.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        (left, new)
    }

    /// Returns the living children of the main thread that are no owner's or task's, and no program that the jobfile waits for.
    fn living(&self, roots: &Roots) -> Vec<i32> {
        let mut living = Vec::new();
        let main = getpid().as_raw_nonzero();
        let list = format!("/proc/self/task/{}/children", self.view.name_of(main.get()).unwrap_or(main.get()));
        let Ok(list) = CString::new(list) else { return living };
        let _ = self.view.each_child(&list, |pid| {
            if !roots.contains(pid) {
                living.push(pid);
            }
        });
        living.retain(|pid| {
            let Some(pid) = Pid::from_raw(*pid) else { return false };
            // os.execute and io.popen wait for these themselves.
            if getpgid(Some(pid)) == Ok(self.own_group) {
                return false;
            }
            matches!(waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(None))
        });
        living
    }

    fn is_the_hosts(&self, pid: i32) -> bool {
        let name = self.view.name_of(pid).unwrap_or(pid);
        let environment = fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == self.host_mark)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    #[test]
    fn a_process_is_whose_ancestor_it_has_whatever_its_name_and_session() {
        let view = ProcView::look().unwrap();
        // The name of a process may look like the rest of the line in which it stands.
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a) S 1 (b");
        std::fs::copy("/bin/sleep", &odd).unwrap();
        let script = format!("setsid sh -c '\"{0}\" 1000 & echo $!; wait' & echo $!; wait", odd.display());
        let mut shell = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(shell.stdout.take().unwrap()).lines().take(2);
        let mut below: Vec<i32> = lines.map(|line| line.unwrap().parse().unwrap()).collect();
        below.sort_unstable();
        let root = i32::try_from(shell.id()).unwrap();
        let mut roots = Roots::default();
        for number in &below {
            assert_eq!(roots.whose(*number, view), Whose::Nobodys, "no root is known");
        }
        roots.insert(pid(root), 7);
        for number in below.iter().chain([&root]) {
            assert_eq!(roots.whose(*number, view), Whose::Of(7), "{number} of {below:?}");
        }
        // The nearest root counts.
        let inner = *below.last().unwrap();
        roots.insert(pid(inner), 8);
        assert_eq!(roots.whose(inner, view), Whose::Of(8));
        for stranger in [1, getpid().as_raw_nonzero().get(), i32::MAX] {
            assert_eq!(roots.whose(stranger, view), Whose::Nobodys);
        }
        for number in &below {
            kill_process(pid(*number), Signal::KILL).unwrap();
        }
        let _ = shell.kill();
        shell.wait().unwrap();
        // The numbers may be others' by now.
        roots.remove(pid(root));
        assert_eq!(roots.whose(root, view), Whose::Nobodys);
    }
}
