//! Who may speak at the status server: callers are let in, known by their process or their token, and read.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::Local;
use super::lineage::Whose;
use super::reports::connection::{Connection, LINE_LIMIT};
use super::reports::{Admitted, Caller, CallerId, NO_TASK, RunnerLine, Standing};
use super::source::Source;
use crate::engine::flow::Flow;
use crate::engine::protocol::Breach;
use crate::engine::spawner::{Listener, News};
use crate::model::{StatusKind, StatusMessage, TaskNumber};

/// How many callers are let in at one task's socket before others have their turn.
const ADMITTED_AT_ONCE: usize = 16;

/// How many may wait at one task's socket, as the kernel was told.
const MOST_WAITING: usize = 4096;

/// How long what is known of a process is not looked up again.
const PEER_KNOWN_FOR: Duration = Duration::from_millis(100);

/// How often a connection is read before an end that came by another one is taken in. What a socket holds is less.
const READS_BEFORE_END: usize = 16;

/// How often a connection is read when everybody who could write to it is gone.
const LAST_READS: usize = 1024;

/// What a line with a token may have, in bytes.
const LONGEST_GREETING: usize = 4 << 10;

/// By which a caller says whose runner it is.
#[derive(Deserialize)]
struct Greeting {
    token: String,
}

impl Local {
    /// Lets in who waits at a task's socket, and hears what they have to say so far.
    pub(super) fn callers_came(&mut self, task: TaskNumber, tell: &mut Listener<'_>) {
        for _ in 0..ADMITTED_AT_ONCE {
            if !self.let_in(task, tell) {
                return;
            }
        }
    }

    /// Lets one in. Returns whether another one may be waiting.
    fn let_in(&mut self, task: TaskNumber, tell: &mut Listener<'_>) -> bool {
        let has_room = self.reports.has_room();
        let Some(line) = self.live.get(&task).and_then(|live| live.line.as_deref()) else { return false };
        let admitted = if has_room { line.accept() } else { Err(io::Error::other("no descriptors")) };
        let Admitted { socket, pid, is_ours } = match admitted {
            Ok(Some(admitted)) => admitted,
            Ok(None) => return false,
            // Those who wait stay in the line.
            Err(_) => {
                self.reactor.forget(line);
                self.reports.pause(task);
                return false;
            }
        };
        let counts = is_ours && self.may_speak(task, pid);
        let standing = if counts { Standing::Counts } else { Standing::Stranger };
        let caller = self.reports.add(Caller { connection: Connection::new(socket), task, standing });
        let Some(line) = self.line(task) else { return false };
        if counts {
            line.callers.push(caller);
        }
        self.watch_caller(caller);
        // Messages that each come by a connection of their own are heard in their order.
        self.read_caller(caller, READS_BEFORE_END, tell);
        true
    }

    fn watch_caller(&mut self, id: CallerId) {
        let Some(caller) = self.reports.get(id) else { return };
        // One that cannot be watched is read when the task ends.
        let _ = self.reactor.watch(&caller.connection, &Source::Caller(id));
    }

    /// Lets in who comes by TCP. Nobody knows yet who that is.
    pub(super) fn strangers_came(&mut self) {
        for _ in 0..MOST_WAITING {
            let has_room = self.reports.has_room();
            let Some(listener) = self.reports.listener() else { return };
            let accepted = if has_room { listener.accept() } else { Err(io::Error::other("no descriptors")) };
            let socket = match accepted {
                Ok((socket, _)) if socket.set_nonblocking(true).is_ok() => socket,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => continue,
                Err(_) => {
                    self.reactor.forget(listener);
                    self.reports.pause(NO_TASK);
                    return;
                }
            };
            let connection = Connection::new(socket.into());
            let caller = self.reports.add(Caller { connection, task: NO_TASK, standing: Standing::Unknown });
            self.watch_caller(caller);
        }
    }

    /// Looks whose runner it is that came by TCP: the first line tells a token.
    fn make_known(&mut self, id: CallerId, count: usize, tell: &mut Listener<'_>) {
        let Some(caller) = self.reports.get(id) else { return };
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let parted = caller.connection.part(&self.buffer[..count], |line| lines.push(line.to_vec()));
        let is_too_long = parted.is_err() || caller.connection.held() > LONGEST_GREETING;
        let mut lines = lines.into_iter();
        let first = lines.next();
        if first.is_none() && !is_too_long {
            return;
        }
        let greeting: Option<Greeting> = first.and_then(|first| serde_json::from_slice(&first).ok());
        let task = greeting.and_then(|greeting| self.reports.task_of(&greeting.token));
        let line = task.and_then(|task| self.live.get_mut(&task)?.line.as_deref_mut());
        let Some(caller) = self.reports.get(id) else { return };
        let (Some(task), Some(line)) = (task, line) else {
            caller.standing = Standing::Stranger;
            caller.connection.take_rest();
            self.drop_messages(NO_TASK, 1 + lines.len() as u64);
            return;
        };
        (caller.task, caller.standing) = (task, Standing::Counts);
        line.callers.push(id);
        line.held += caller.connection.held();
        self.heard(task, tell);
        for text in lines {
            self.report(task, id, StatusMessage::parse(&text).map_err(Breach::from), tell);
        }
    }

    /// Returns whether the process with this number may speak of a task.
    fn may_speak(&mut self, task: TaskNumber, pid: i32) -> bool {
        let now = self.now;
        let Some(line) = self.line(task) else { return false };
        // Many connections of one process come one after the other.
        if let Some((known, at, counts)) = line.last_peer
            && known == pid
            && now < at + PEER_KNOWN_FOR
        {
            return counts;
        }
        // Of who is gone already nobody can tell whose it was.
        let counts = self.roots.whose(pid, self.view) == Whose::Of(task);
        if let Some(line) = self.line(task) {
            line.last_peer = Some((pid, now, counts));
        }
        counts
    }

    /// Hears somebody who is connected.
    pub(super) fn caller_speaks(&mut self, caller: CallerId, tell: &mut Listener<'_>) {
        self.read_caller(caller, 1, tell);
    }

    /// Reads a connection at most `times` times; returns whether it may still bring something.
    fn read_caller(&mut self, id: CallerId, times: usize, tell: &mut Listener<'_>) -> bool {
        for _ in 0..times {
            let Some(caller) = self.reports.get(id) else { return false };
            let (task, standing) = (caller.task, caller.standing);
            match caller.connection.read(&mut self.buffer) {
                Flow::Dry => return false,
                Flow::Closed => {
                    self.hang_up(id, tell);
                    return false;
                }
                Flow::Bytes(count) => match standing {
                    Standing::Counts => self.hear_bytes(id, task, count, tell),
                    Standing::Unknown => self.make_known(id, count, tell),
                    Standing::Stranger => {
                        let lines = caller.connection.count(&self.buffer[..count]);
                        self.drop_messages(task, lines);
                    }
                },
            }
        }
        true
    }

    fn hear_bytes(&mut self, id: CallerId, task: TaskNumber, count: usize, tell: &mut Listener<'_>) {
        self.heard(task, tell);
        let Some(caller) = self.reports.get(id) else { return };
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        if line.is_broken {
            return;
        }
        let before = caller.connection.held();
        let mut messages = Vec::new();
        let parted = caller.connection.part(&self.buffer[..count], |text| messages.push(StatusMessage::parse(text)));
        line.held = line.held + caller.connection.held() - before;
        let is_too_long = parted.is_err() || line.held > LINE_LIMIT;
        for message in messages {
            self.report(task, id, message.map_err(Breach::from), tell);
        }
        if is_too_long {
            self.give_up(task);
            self.report(task, id, Err(Breach::TooLongReport(LINE_LIMIT >> 20)), tell);
        }
    }

    /// Hears nothing more that a task's runner says, and keeps nothing of it.
    fn give_up(&mut self, task: TaskNumber) {
        let Some(line) = self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) else { return };
        line.is_broken = true;
        for caller in &line.callers {
            drop(self.reports.get(*caller).map(|caller| caller.connection.take_rest()));
        }
    }

    /// Tells what a runner reported. Before an end what came by the task's other connections is told: they are not read in
    /// the order of what is written.
    fn report(
        &mut self,
        task: TaskNumber,
        from: CallerId,
        message: Result<StatusMessage, Breach>,
        tell: &mut Listener<'_>,
    ) {
        if message.as_ref().is_ok_and(|message| matches!(message.kind, StatusKind::Finished(_))) {
            self.drain_others(task, from, tell);
        }
        if let Some(live) = self.live.get(&task) {
            tell(live.id, News::Reported(Box::new(message)));
        }
    }

    fn heard(&self, task: TaskNumber, tell: &mut Listener<'_>) {
        if let Some(live) = self.live.get(&task) {
            tell(live.id, News::Heard);
        }
    }

    fn drain_others(&mut self, task: TaskNumber, from: CallerId, tell: &mut Listener<'_>) {
        let Some(line) = self.line(task) else { return };
        if std::mem::replace(&mut line.is_draining, true) {
            return;
        }
        // Whoever waits by now may have come before the end; the line is never longer.
        for _ in 0..MOST_WAITING {
            if !self.let_in(task, tell) {
                break;
            }
        }
        let Some(line) = self.line(task) else { return };
        let others: Vec<CallerId> = line.callers.iter().copied().filter(|caller| *caller != from).collect();
        for caller in others {
            self.read_caller(caller, READS_BEFORE_END, tell);
        }
        if let Some(line) = self.line(task) {
            line.is_draining = false;
        }
    }

    /// Hears the last of a task of which no process is left.
    pub(super) fn drain_line(&mut self, task: TaskNumber, tell: &mut Listener<'_>) {
        if self.line(task).is_none() {
            return;
        }
        if self.line(task).is_some_and(|line| line.token.is_some()) {
            // It may have come by TCP, and not have told yet who it is.
            self.strangers_came();
            for caller in self.reports.unknown() {
                self.read_caller(caller, READS_BEFORE_END, tell);
            }
        }
        // Somebody outside may go on connecting.
        let _ = (0..MOST_WAITING).all(|_| self.let_in(task, tell));
        let Some(line) = self.line(task) else { return };
        for caller in line.callers.clone() {
            self.read_caller(caller, LAST_READS, tell);
            self.hang_up(caller, tell);
        }
    }

    /// Takes leave of somebody who has closed the connection. A last line without an end is heard if it is whole.
    fn hang_up(&mut self, id: CallerId, tell: &mut Listener<'_>) {
        let Some(mut caller) = self.reports.remove(id) else { return };
        self.reactor.forget(&caller.connection);
        let (task, rest) = (caller.task, caller.connection.take_rest());
        if caller.standing != Standing::Counts {
            self.drop_messages(task, u64::from(!rest.is_empty()));
            return;
        }
        let Some(line) = self.line(task) else { return };
        line.callers.retain(|caller| *caller != id);
        line.held = line.held.saturating_sub(rest.len());
        let rest = rest.trim_ascii();
        if line.is_broken || rest.is_empty() {
            return;
        }
        // Who was killed while he spoke is judged by his end, not by half a word.
        match StatusMessage::parse(rest) {
            Ok(message) => self.report(task, id, Ok(message), tell),
            Err(_) => line.dropped.torn += 1,
        }
    }

    /// Lets those in again who had to wait for a descriptor.
    pub(super) fn resume_callers(&mut self) {
        for task in self.reports.resumed() {
            // A listener that is watched already is as good.
            let _ = match self.live.get(&task).and_then(|live| live.line.as_deref()) {
                Some(line) => self.reactor.watch(line, &Source::Listener(task)),
                None => self.reports.listener().map_or(Ok(()), |tcp| self.reactor.watch(tcp, &Source::Strangers)),
            };
        }
    }

    fn line(&mut self, task: TaskNumber) -> Option<&mut RunnerLine> {
        self.live.get_mut(&task)?.line.as_deref_mut()
    }

    /// Counts messages that count for nothing.
    fn drop_messages(&mut self, task: TaskNumber, count: u64) {
        match self.live.get_mut(&task).and_then(|live| live.line.as_deref_mut()) {
            Some(line) => line.dropped.foreign += count,
            None if task == NO_TASK => self.reports.dropped.foreign += count,
            None => self.reports.dropped.late += count,
        }
    }
}

/// Returns whether an error is over when the call is made again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted)
}
