//! Processes that outlived their parent: whose they are, and their end.
//!
//! The host is a subreaper, so every process below a task whose parent ends becomes a child of the host: of its main
//! thread, while tasks themselves are children of the supervisor's thread. One read of the main thread's `children`
//! therefore tells what tasks have left behind, whatever sessions and groups it moved to.
//!
//! Only children of the host are ever killed here. They cannot vanish before the host has reaped them, so their pids
//! cannot belong to anybody else; killing one makes its own children the host's, for the next scan.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgrp, getpid, kill_process, waitid};

use crate::model::TaskNumber;

/// The environment variable that tells of which task a process is a descendant: `<run id>:<task number>`.
pub(crate) const MARK: &str = "RILLE_TASK_MARK";

/// The task number in the mark of the host itself, and so of what a jobfile starts by `os.execute`.
const HOST_MARK: TaskNumber = 0;

/// Marks this process as the host of a run, so that what a jobfile starts by itself is told from what tasks leave behind.
/// Must be called before the process has a second thread.
pub(crate) fn mark_host(run_id: &str) {
    // SAFETY: there is no other thread that could read the environment meanwhile.
    unsafe { std::env::set_var(MARK, format!("{run_id}:{HOST_MARK}")) }
}

/// Whose descendant an orphan is.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    /// The jobfile's own; it ends with the host.
    Host,
    /// A task's.
    Task(TaskNumber),
    /// It hides: one of the tasks that were there when it was first seen.
    OneOf(Vec<TaskNumber>),
}

/// How far a process is followed to its ancestors.
const MOST_ANCESTORS: usize = 256;

/// To which task a process belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This one.
    Of(TaskNumber),
    /// None of this run.
    Nobodys,
    /// It has ended and was reaped, so that nobody can tell any more.
    Gone,
}

/// The orphans that tasks have left so far.
pub(super) struct Descendants {
    children: Option<File>,
    /// What the mark begins with.
    mark: Vec<u8>,
    own_group: i32,
    known: HashMap<i32, Owner>,
}

impl Descendants {
    /// Makes an empty register for the run with this id.
    pub(super) fn new(run_id: &str) -> Self {
        let pid = getpid().as_raw_nonzero();
        Self {
            children: File::open(format!("/proc/{pid}/task/{pid}/children")).ok(),
            mark: format!("{MARK}={run_id}:").into_bytes(),
            own_group: getpgrp().as_raw_nonzero().get(),
            known: HashMap::new(),
        }
    }

    /// Looks what orphans there are now, and reaps the dead. `tasks` maps the process groups of the tasks that have not
    /// ended to their numbers.
    pub(super) fn scan(&mut self, tasks: &HashMap<i32, TaskNumber>) {
        let pids = self.orphans(tasks);
        if pids.is_empty() {
            self.known.clear();
            return;
        }
        self.known.retain(|pid, _| pids.contains(pid));
        for pid in pids {
            let Some(stat) = Stat::read(pid) else { continue };
            if stat.group == self.own_group {
                // os.execute and io.popen wait for these themselves.
                continue;
            }
            if stat.is_dead {
                // A task whose shelter has ended is reaped with the task: until then no other process gets its number.
                if !tasks.contains_key(&pid) {
                    reap(pid);
                }
                self.known.remove(&pid);
            } else if !self.known.contains_key(&pid) {
                let owner = self.owner(pid, stat.group, tasks);
                self.known.insert(pid, owner);
            }
        }
    }

    /// Returns the living orphans of `task`. `is_open` tells which tasks have not ended: an orphan that hides belongs
    /// to the last of those it can come from.
    pub(super) fn of(&self, task: TaskNumber, is_open: impl Fn(TaskNumber) -> bool) -> Vec<i32> {
        let belongs = |owner: &Owner| match owner {
            Owner::Host => false,
            Owner::Task(number) => *number == task,
            Owner::OneOf(numbers) => {
                numbers.contains(&task) && numbers.iter().all(|number| *number == task || !is_open(*number))
            }
        };
        self.known.iter().filter(|(_, owner)| belongs(owner)).map(|(pid, _)| *pid).collect()
    }

    /// Returns whose descendant the process with this number is. `asked` is the task in question where it hides.
    pub(super) fn whose(&self, pid: i32, asked: TaskNumber, tasks: &HashMap<i32, TaskNumber>) -> Whose {
        let own = getpid().as_raw_nonzero().get();
        let mut at = pid;
        for _ in 0..MOST_ANCESTORS {
            if let Some(task) = tasks.get(&at) {
                return Whose::Of(*task);
            }
            let Some(stat) = Stat::read(at) else {
                return if at == pid { Whose::Gone } else { Whose::Nobodys };
            };
            match (self.marked(at), tasks.get(&stat.group), self.known.get(&at)) {
                (Some(HOST_MARK), ..) | (None, None, Some(Owner::Host)) => return Whose::Nobodys,
                (Some(task), ..) => return Whose::Of(task),
                (None, Some(task), _) | (None, None, Some(Owner::Task(task))) => return Whose::Of(*task),
                (None, None, Some(Owner::OneOf(tasks))) if tasks.contains(&asked) => return Whose::Of(asked),
                _ => {}
            }
            if stat.parent <= 1 || stat.parent == own {
                return Whose::Nobodys;
            }
            at = stat.parent;
        }
        Whose::Nobodys
    }

    fn owner(&self, pid: i32, group: i32, tasks: &HashMap<i32, TaskNumber>) -> Owner {
        if let Some(task) = tasks.get(&group) {
            return Owner::Task(*task);
        }
        match self.marked(pid) {
            Some(HOST_MARK) => Owner::Host,
            Some(task) => Owner::Task(task),
            None => Owner::OneOf(tasks.values().copied().collect()),
        }
    }

    /// Returns the task number in the environment with which a process was started.
    fn marked(&self, pid: i32) -> Option<TaskNumber> {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let number = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(self.mark.as_slice()))?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    fn orphans(&self, tasks: &HashMap<i32, TaskNumber>) -> Vec<i32> {
        let Some(children) = &self.children else { return children_by_proc(tasks) };
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match children.read_at(&mut chunk, text.len() as u64) {
                Ok(0) => break,
                Ok(count) => text.extend_from_slice(&chunk[..count]),
                Err(_) => return children_by_proc(tasks),
            }
        }
        let words = text.split(u8::is_ascii_whitespace);
        words.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok()).collect()
    }
}

/// The same as the `children` file, for kernels without it: every child that is no task's first process.
fn children_by_proc(tasks: &HashMap<i32, TaskNumber>) -> Vec<i32> {
    let own = getpid().as_raw_nonzero().get();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| !tasks.contains_key(pid) && Stat::read(*pid).is_some_and(|stat| stat.parent == own)).collect()
}

/// Kills a child of this process. The caller has its pid from the list of children and has not reaped it since.
pub(super) fn kill_child(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may be dead and waiting to be reaped, which is what was wanted.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Sends a signal to a child of this process that is to be paused or resumed.
pub(super) fn signal_child(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Reaps a child of this process if it is dead; returns what is known of its end.
pub(super) fn reap(pid: i32) -> Option<WaitIdStatus> {
    let pid = Pid::from_raw(pid)?;
    // A child that another thread reaped first is gone as well.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok().flatten()
}

struct Stat {
    is_dead: bool,
    parent: i32,
    group: i32,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, parentheses too: the last one ends it.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(&text[end + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some(Self { is_dead: matches!(state, "Z" | "X"), parent, group })
    }
}
