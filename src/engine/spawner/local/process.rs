//! One attempt on this machine: its start, what it writes and says, its end, and the end of what it leaves.

use std::os::fd::AsFd;

use rustix::process::{Signal, kill_process_group};

use super::Local;
use super::channel::Channel;
use super::owner::Owned;
use super::pipe::Pipe;
use super::refused::refused;
use super::reports::RunnerLine;
use super::source::Source;
use super::start::{self, lacking};
use crate::engine::flow::Flow;
use crate::engine::spawner::{AttemptId, Left, Listener, News, NotStarted, Start, What};
use crate::model::{Exit, Stream, TaskNumber};

/// How many reads are made of what a task has left in its pipes. They hold a mebibyte at most, so more comes from somebody
/// outside the task who was handed a pipe and writes for ever.
const LAST_READS: usize = 256;

/// How often what waits in a task's pipes is read before a message is taken in. More comes from somebody who writes
/// without an end, and has no place before or after.
const READS_BEFORE_MESSAGE: usize = 16;

/// The standard streams that are read.
const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// See the module.
pub(super) struct Process {
    pub(super) id: AttemptId,
    pub(super) owned: Owned,
    /// `None` for a runner, whose standard output says once more what it reports.
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
    pub(super) channel: Option<Channel>,
    /// Where its runner reports, if it has one.
    pub(super) line: Option<Box<RunnerLine>>,
    /// How its process ended, once that was told.
    pub(super) exit: Option<Exit>,
    /// Its owner was killed: what is left of it is looked for among the children of the host.
    pub(super) is_orphaned: bool,
    /// How many of these were killed.
    killed: u32,
    /// Its own process was reaped: the number is nobody's any more.
    is_reaped: bool,
}

impl Process {
    /// Returns where a stream is read.
    pub(super) fn pipe(&mut self, stream: Stream) -> Option<&mut Pipe> {
        match stream {
            Stream::Stdout => self.stdout.as_mut(),
            Stream::Stderr => self.stderr.as_mut(),
        }
    }
}

impl Local {
    /// Starts the process of an attempt. Whatever may fail is done before there is one.
    pub(super) fn launch(&mut self, start: &Start) -> Result<Process, NotStarted> {
        let task = start.id.task;
        let no_watch = |error| lacking("room for one more to wait for", &error);
        let line = match &start.what {
            What::Runner { runner, .. } => {
                let opened = self.reports.open(&self.around.directory, task, runner.takes_token);
                Some(Box::new(opened.map_err(|error| lacking("a socket for its runner", &error))?))
            }
            What::Speaker(..) | What::Program { .. } => None,
        };
        let (channel, stdin) = match &start.what {
            What::Speaker(order, _) => {
                let (channel, task_end) = Channel::new(order).map_err(|error| lacking("a socket", &error))?;
                (Some(channel), Some(task_end))
            }
            What::Program { .. } | What::Runner { .. } => (None, start::stdin(start)?),
        };
        let pipe = || Pipe::new(start.has_large_pipes).map_err(|error| lacking("a pipe", &error));
        let (stdout, stdout_end) = if line.is_none() { Some(pipe()?) } else { None }.unzip();
        let (stderr, stderr_end) = pipe()?;
        let image = start::image(start, &self.around, &self.environment, line.as_deref())?;
        if let Some(stdout) = &stdout {
            self.reactor.watch(stdout, &Source::Stream(task, Stream::Stdout)).map_err(no_watch)?;
        }
        self.reactor.watch(&stderr, &Source::Stream(task, Stream::Stderr)).map_err(no_watch)?;
        if let Some(channel) = &channel {
            self.reactor.watch(channel, &Source::Channel(task)).map_err(no_watch)?;
        }
        if let Some(line) = &line {
            self.reactor.watch(&**line, &Source::Listener(task)).map_err(no_watch)?;
        }
        let nothing = self.nothing.as_fd();
        let stdin = stdin.as_ref().map_or(nothing, AsFd::as_fd);
        let stdout_end = stdout_end.as_ref().map_or(nothing, AsFd::as_fd);
        let owned = self
            .owners
            .start(task, &image, [stdin, stdout_end, stderr_end.as_fd()])
            .map_err(|error| refused(&image, start, &error))?;
        let mut process = Process {
            id: start.id,
            owned,
            stdout,
            stderr: Some(stderr),
            channel,
            line,
            exit: None,
            is_orphaned: false,
            killed: 0,
            is_reaped: false,
        };
        if let Some(channel) = &mut process.channel
            && channel.flush()
        {
            let _ = self.reactor.rewatch(&*channel, &Source::Channel(task), true);
        }
        Ok(process)
    }

    /// Reads one stream of a task at most `times` times; returns whether it may still bring something.
    pub(super) fn read_stream(
        &mut self,
        task: TaskNumber,
        stream: Stream,
        times: usize,
        tell: &mut Listener<'_>,
    ) -> bool {
        let Some(live) = self.live.get_mut(&task) else { return false };
        let id = live.id;
        let Some(pipe) = live.pipe(stream) else { return false };
        for _ in 0..times {
            if pipe.is_closed() {
                return false;
            }
            match pipe.read(&mut self.buffer) {
                Flow::Bytes(count) => tell(id, News::Output { stream, bytes: &self.buffer[..count] }),
                Flow::Dry => return true,
                Flow::Closed => {
                    self.reactor.forget(&*pipe);
                    return false;
                }
            }
        }
        true
    }

    /// Takes in what has come on a task's channel.
    pub(super) fn talk(&mut self, task: TaskNumber, tell: &mut Listener<'_>) {
        let Some(live) = self.live.get_mut(&task) else { return };
        let id = live.id;
        let Some(channel) = &mut live.channel else { return };
        let unsent = channel.flush();
        let received = channel.receive(&mut self.buffer);
        if received.closed {
            self.reactor.forget(&*channel);
            live.channel = None;
        } else if !unsent {
            let _ = self.reactor.rewatch(&*channel, &Source::Channel(task), false);
        }
        if received.messages.is_empty() {
            return;
        }
        // What the task's programs wrote before it said this comes before it: a task has its messages taken in before it
        // starts a program, so nothing that is in a pipe now was written after them.
        for stream in STREAMS {
            if self.live.get_mut(&task).and_then(|live| live.pipe(stream)).is_some_and(|pipe| !pipe.is_dry()) {
                self.read_stream(task, stream, READS_BEFORE_MESSAGE, tell);
            }
        }
        for message in received.messages {
            tell(id, News::Said(message));
        }
    }

    /// Tells how a task's process has ended, once.
    pub(super) fn tell_exit(&mut self, task: TaskNumber, tell: &mut Listener<'_>) {
        let Some(live) = self.live.get(&task) else { return };
        let known = live.owned.ended_by().map(Exit::Signal).or_else(|| live.owned.exit());
        if let Some(exit) = known {
            self.tell_this_exit(task, exit, tell);
        }
    }

    fn tell_this_exit(&mut self, task: TaskNumber, exit: Exit, tell: &mut Listener<'_>) {
        if self.live.get(&task).is_none_or(|live| live.exit.is_some()) {
            return;
        }
        self.talk(task, tell);
        let Some(live) = self.live.get_mut(&task) else { return };
        live.exit = Some(exit);
        tell(live.id, News::Exited(exit));
    }

    /// Looks whether the owner of a task has ended: nothing of the task is left then, unless the owner was killed.
    pub(super) fn owner_ended(&mut self, task: TaskNumber, tell: &mut Listener<'_>) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.is_orphaned {
            return;
        }
        match live.owned.reap_owner() {
            Err(_) => {}
            Ok(None) => {
                self.roots.remove(live.owned.owner);
                self.tell_exit(task, tell);
                self.gone(task, tell);
            }
            Ok(Some(signal)) => {
                // It is the task that has done this: it ends as it wanted its parent to.
                live.is_orphaned = true;
                self.reactor.forget(&live.owned.pidfd);
                self.roots.remove(live.owned.owner);
                self.tell_exit(task, tell);
                self.tell_this_exit(task, Exit::Signal(signal), tell);
                self.end_orphaned(&[task], tell);
            }
        }
    }

    /// Ends what owners have left that were killed.
    pub(super) fn end_orphaned(&mut self, tasks: &[TaskNumber], tell: &mut Listener<'_>) {
        let mut over = Vec::new();
        for task in tasks {
            let Some(live) = self.live.get_mut(task) else { continue };
            live.owned.kill_group();
            if !live.is_reaped {
                let _ = kill_process_group(live.owned.pid, Signal::KILL);
                live.is_reaped = live.owned.reap().is_some();
            }
            if live.is_reaped {
                over.push(*task);
            }
        }
        let (left, killed) = self.strays.end(&self.roots, &mut self.killed_strays);
        // Whose they are cannot be told where several owners were killed at once; all of them are to end.
        if let Some(live) = tasks.first().and_then(|task| self.live.get_mut(task)) {
            live.killed += killed;
        }
        if left == 0 {
            self.killed_strays.clear();
            for task in over {
                self.gone(task, tell);
            }
        }
    }

    /// Tells that nothing of a task is left.
    fn gone(&mut self, task: TaskNumber, tell: &mut Listener<'_>) {
        // Nobody is left to write: what the pipes still hold is all there is.
        for stream in STREAMS {
            self.read_stream(task, stream, LAST_READS, tell);
        }
        self.drain_line(task, tell);
        let Some(live) = self.live.remove(&task) else { return };
        if !live.is_reaped {
            live.owned.reap();
        }
        self.roots.remove(live.owned.pid);
        let (killed, unkillable) = live.owned.left();
        let mut left = Left { killed: killed + live.killed, unkillable, ..Left::default() };
        if let Some(line) = live.line {
            self.reactor.forget(&*line);
            self.reports.forget_token(&line);
            left.dropped = line.dropped;
        }
        match live.exit {
            Some(_) => tell(live.id, News::Gone(left)),
            None => tell(live.id, News::Lost("its process vanished".to_owned())),
        }
    }
}
