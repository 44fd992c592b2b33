//! Who may speak at the status server: callers are let in, known by their process or their token, and read.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::Supervisor;
use crate::engine::descendants::Whose;
use crate::engine::reactor::Source;
use crate::engine::request::Failure;
use crate::engine::status::connection::{Connection, LINE_LIMIT, Read, TooLong};
use crate::engine::status::{Admitted, Caller, CallerId, NO_TASK, Standing};
use crate::model::{StatusMessage, TaskNumber};

/// How many callers are let in at one task's socket before others have their turn.
const ADMITTED_AT_ONCE: usize = 16;

/// How many may wait at one task's socket, as the kernel was told.
const MOST_WAITING: usize = 4096;

/// How long what is known of a process is not looked up again.
const PEER_KNOWN_FOR: Duration = Duration::from_millis(100);

/// How often a connection is read before an end that came by another one is taken in. What a socket holds is less.
const READS_BEFORE_END: usize = 16;

/// What a line with a token may have, in bytes.
const LONGEST_GREETING: usize = 4 << 10;

/// By which a caller says whose runner it is.
#[derive(Deserialize)]
struct Greeting {
    token: String,
}

impl Supervisor {
    /// Lets in who waits at a task's socket, and hears what they have to say so far.
    pub(super) fn callers_came(&mut self, task: TaskNumber) {
        for _ in 0..ADMITTED_AT_ONCE {
            if !self.let_in(task) {
                return;
            }
        }
    }

    /// Lets one in. Returns whether another one may be waiting.
    pub(super) fn let_in(&mut self, task: TaskNumber) -> bool {
        let has_room = self.status.has_room();
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return false };
        let admitted = if has_room { line.accept() } else { Err(io::Error::other("no descriptors")) };
        let Admitted { socket, pid, is_ours } = match admitted {
            Ok(Some(admitted)) => admitted,
            Ok(None) => return false,
            // Those who wait stay in the line.
            Err(_) => {
                self.reactor.forget(&*line);
                self.status.pause(task);
                return false;
            }
        };
        let counts = is_ours && self.may_speak(task, pid);
        let standing = if counts { Standing::Counts } else { Standing::Stranger };
        let caller = self.status.add(Caller { connection: Connection::new(socket), task, standing });
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return false };
        if counts {
            line.callers.push(caller);
        }
        self.watch_caller(caller);
        // Messages that each come by a connection of their own are heard in their order.
        self.read_caller(caller, READS_BEFORE_END);
        true
    }

    fn watch_caller(&mut self, id: CallerId) {
        let Some(caller) = self.status.get(id) else { return };
        if let Err(error) = self.reactor.watch(&caller.connection, Source::Caller(id)) {
            self.fail(Failure::new("watching a connection to the status server", &error));
        }
    }

    /// Lets in who comes by TCP. Nobody knows yet who that is.
    pub(super) fn strangers_came(&mut self) {
        for _ in 0..ADMITTED_AT_ONCE {
            let has_room = self.status.has_room();
            let Some(listener) = self.status.listener() else { return };
            let accepted = if has_room { listener.accept() } else { Err(io::Error::other("no descriptors")) };
            let socket = match accepted {
                Ok((socket, _)) if socket.set_nonblocking(true).is_ok() => socket,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => continue,
                Err(_) => {
                    self.reactor.forget(listener);
                    self.status.pause(NO_TASK);
                    return;
                }
            };
            let connection = Connection::new(socket.into());
            let caller = self.status.add(Caller { connection, task: NO_TASK, standing: Standing::Unknown });
            self.watch_caller(caller);
        }
    }

    /// Looks whose runner it is that came by TCP: the first line tells a token.
    fn make_known(&mut self, id: CallerId, count: usize) {
        let Some(caller) = self.status.get(id) else { return };
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let parted = caller.connection.part(&self.buffer[..count], |line| lines.push(line.to_vec()));
        let is_too_long = parted.is_err() || caller.connection.held() > LONGEST_GREETING;
        let mut lines = lines.into_iter();
        let first = lines.next();
        if first.is_none() && !is_too_long {
            return;
        }
        let greeting: Option<Greeting> = first.and_then(|first| serde_json::from_slice(&first).ok());
        let task = greeting.and_then(|greeting| self.status.task_of(&greeting.token));
        let line = task.and_then(|task| self.live.get_mut(&task)?.line.as_deref_mut());
        let Some(caller) = self.status.get(id) else { return };
        let (Some(task), Some(line)) = (task, line) else {
            caller.standing = Standing::Stranger;
            caller.connection.take_rest();
            self.drop_messages(NO_TASK, 1 + lines.len() as u64);
            return;
        };
        (caller.task, caller.standing) = (task, Standing::Counts);
        line.callers.push(id);
        line.heard_at = self.clock.elapsed();
        line.held += caller.connection.held();
        for text in lines {
            self.take_report(task, id, StatusMessage::parse(&text));
        }
        self.write_log(task);
    }

    /// Returns whether the process with this number may speak of a task.
    fn may_speak(&mut self, task: TaskNumber, pid: i32) -> bool {
        let now = self.clock.elapsed();
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return false };
        // Many connections of one process come one after the other.
        if let Some((known, at, counts)) = line.last_peer
            && known == pid
            && now < at + PEER_KNOWN_FOR
        {
            return counts;
        }
        let whose = self.descendants.whose(pid, task, &self.groups);
        // Who is gone already came by this task's own socket; nobody can tell more of him.
        let counts = whose == Whose::Of(task) || whose == Whose::Gone;
        line.last_peer = Some((pid, now, counts));
        counts
    }

    /// Hears somebody who is connected.
    pub(super) fn caller_speaks(&mut self, caller: CallerId) {
        self.read_caller(caller, 1);
    }

    /// Reads a connection at most `times` times; returns whether it may still bring something.
    pub(super) fn read_caller(&mut self, id: CallerId, times: usize) -> bool {
        for _ in 0..times {
            let Some(caller) = self.status.get(id) else { return false };
            let (task, standing) = (caller.task, caller.standing);
            match caller.connection.read(&mut self.buffer) {
                Read::Dry => return false,
                Read::Closed => {
                    self.hang_up(id);
                    return false;
                }
                Read::Bytes(count) => match standing {
                    Standing::Counts => self.hear_bytes(id, task, count),
                    Standing::Unknown => self.make_known(id, count),
                    Standing::Stranger => {
                        let lines = caller.connection.count(&self.buffer[..count]);
                        self.drop_messages(task, lines);
                    }
                },
            }
        }
        true
    }

    fn hear_bytes(&mut self, id: CallerId, task: TaskNumber, count: usize) {
        let Some(caller) = self.status.get(id) else { return };
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        line.heard_at = self.clock.elapsed();
        if line.is_broken {
            return;
        }
        let before = caller.connection.held();
        let mut messages = Vec::new();
        let parted = caller.connection.part(&self.buffer[..count], |text| messages.push(StatusMessage::parse(text)));
        line.held = line.held + caller.connection.held() - before;
        let is_too_long = parted == Err(TooLong) || line.held > LINE_LIMIT;
        for message in messages {
            self.take_report(task, id, message);
        }
        if is_too_long {
            self.broken(task, format!("a message is longer than {} MiB", LINE_LIMIT >> 20));
        }
        self.write_log(task);
    }

    /// Hears what came before an end by the task's other connections: they are not read in the order of what is written.
    pub(super) fn drain_others(&mut self, task: TaskNumber, from: CallerId) {
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        if std::mem::replace(&mut line.is_draining, true) {
            return;
        }
        // Whoever waits by now may have come before the end; the line is never longer.
        for _ in 0..MOST_WAITING {
            if !self.let_in(task) {
                break;
            }
        }
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        let others: Vec<CallerId> = line.callers.iter().copied().filter(|caller| *caller != from).collect();
        for caller in others {
            self.read_caller(caller, READS_BEFORE_END);
        }
        if let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) {
            line.is_draining = false;
        }
    }

    /// Takes leave of somebody who has closed the connection. A last line without an end is heard if it is whole.
    pub(super) fn hang_up(&mut self, id: CallerId) {
        let Some(mut caller) = self.status.remove(id) else { return };
        self.reactor.forget(&caller.connection);
        let (task, rest) = (caller.task, caller.connection.take_rest());
        if caller.standing != Standing::Counts {
            self.drop_messages(task, u64::from(!rest.is_empty()));
            return;
        }
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        line.callers.retain(|caller| *caller != id);
        line.held = line.held.saturating_sub(rest.len());
        let rest = rest.trim_ascii();
        if line.is_broken || rest.is_empty() {
            return;
        }
        // Who was killed while he spoke is judged by his end, not by half a word.
        match StatusMessage::parse(rest) {
            Ok(message) => {
                self.take_report(task, id, Ok(message));
                self.write_log(task);
            }
            Err(_) => line.dropped.torn += 1,
        }
    }

    /// Counts messages that count for nothing.
    fn drop_messages(&mut self, task: TaskNumber, count: u64) {
        match self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) {
            Some(line) => line.dropped.foreign += count,
            None if task == NO_TASK => self.status.dropped.foreign += count,
            None => self.status.dropped.late += count,
        }
    }
}

/// Returns whether an error is over when the call is made again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}
