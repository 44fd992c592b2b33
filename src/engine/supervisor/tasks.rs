//! The supervisor's hands on tasks: their start, what they write and say, their end, and the end of what they leave.

use std::os::fd::AsFd;
use std::path::Path;

use chrono::Utc;
use rustix::process::{Signal, WaitId as WaitFor, WaitIdOptions, WaitIdStatus, waitid};

use super::{HOUSEKEEPING_INTERVAL, Live, Supervisor, kill_group};
use crate::engine::capped_file::CappedFile;
use crate::engine::descendants;
use crate::engine::output::Flow;
use crate::engine::reactor::Source;
use crate::engine::request::Failure;
use crate::engine::scheduler::{Input, Slots, Written};
use crate::engine::sections::Sections;
use crate::engine::shelter::Shelter;
use crate::engine::spawn::{self, Attempt, Launched, SpawnError};
use crate::engine::status::{Line, NewLine};
use crate::engine::synchro::Synchro;
use crate::engine::task_log::TaskLog;
use crate::engine::verdict::Verdict;
use crate::engine::way::Way;
use crate::model::{Exit, OutputSize, Runnable, Stream, TaskNumber, TestStatus};
use crate::store;
use crate::testing::{TapScan, TapVerdict};

/// How many times 16 reads are made of what a task has left in its pipes. They hold a mebibyte at most, so more comes from
/// somebody outside the task who was handed a pipe and writes for ever.
const LAST_READS: usize = 16;

/// The key of a runnable's `config` by which the exit code of a program that writes TAP counts.
const HONOUR_EXIT_CODE: &str = "runner.tap.honour_exitcode";

impl Supervisor {
    pub(super) fn spawn(&mut self, number: TaskNumber, ordinal: u32, slots: &Slots) {
        // A connection to the shared objects is a descriptor too, an eighth of what a task holds.
        let connections = self.parts.surroundings.synchro.get().map_or(0, Synchro::connections);
        if !self.descriptors.allow_another(self.live.len() + (connections + self.status.len()).div_ceil(8)) {
            let reason = "the limit on open files (ulimit -n) does not allow a task to run".to_owned();
            self.inputs.push(Input::SpawnDeferred { task: number, reason });
            return;
        }
        let Some(task) = self.parts.scheduler.task(number) else { return };
        let directory = &self.parts.surroundings.directory;
        let relative = self.folders.get(&number).map(String::as_str).unwrap_or_default();
        let log_name = store::log_name(relative);
        let folder = if self.parts.sink.is_some() {
            directory.clone()
        } else {
            directory.join(store::attempt_folder(relative, ordinal))
        };
        let surroundings = &self.parts.surroundings;
        let line = match Way::of(task) {
            Way::Nothing => return self.skip_process(number, &folder),
            Way::Runner(program) => {
                let (limit, takes_token) = (surroundings.output_limit, program.takes_token);
                let new = NewLine { id: &task.id, folder: &folder, limit, takes_token };
                match self.status.open(directory, number, &new) {
                    Ok(line) => Some(Box::new(line)),
                    Err(error) => {
                        let reason = format!("cannot get a socket for its runner: {error}");
                        self.inputs.push(Input::SpawnDeferred { task: number, reason });
                        return;
                    }
                }
            }
            Way::Channel | Way::Direct | Way::Tap => None,
        };
        let is_tap = Way::of(task) == Way::Tap;
        let runtime = self.parts.runtime.read();
        let attempt = Attempt { task, number, ordinal, folder, slots, runtime: &runtime, line: line.as_deref() };
        let sink = self.parts.sink.as_ref();
        let spawned = spawn::spawn(&attempt, surroundings, sink).map(|launched| {
            let file = CappedFile::new(attempt.folder.join(log_name), surroundings.output_limit);
            let log = TaskLog::new(sink.is_none().then_some(file), launched.pid, &task.id);
            (launched, log)
        });
        drop(runtime);
        match spawned {
            Ok((launched, log)) => {
                self.watch(number, launched, log, line);
                if let Some(live) = self.live.get_mut(&number).filter(|_| is_tap) {
                    live.tap = Some(Box::new(TapScan::new()));
                }
            }
            Err(SpawnError::Task(reason)) => self.inputs.push(Input::SpawnFailed { task: number, reason }),
            Err(SpawnError::Exhausted(reason)) => self.inputs.push(Input::SpawnDeferred { task: number, reason }),
            Err(SpawnError::Storage(path, error)) => {
                let reason = format!("cannot write {}: {error}", path.display());
                self.inputs.push(Input::SpawnFailed { task: number, reason });
                self.fail(Failure::at(&path, &error));
            }
        }
    }

    /// Ends a task of a kind that has no process.
    fn skip_process(&mut self, task: TaskNumber, folder: &Path) {
        if let Err(SpawnError::Storage(path, error)) = spawn::make_empty(folder) {
            self.fail(Failure::at(&path, &error));
        }
        let is_dry = self.parts.scheduler.task(task).is_some_and(|task| task.runnable.kind == "dry-run");
        let verdict = match is_dry {
            true => Verdict::of_status(TestStatus::Cancel, Some("Test cancelled due to --dry-run".to_owned())),
            false => Verdict::of_status(TestStatus::Pass, None),
        };
        self.inputs.push(Input::Reported { task, verdict });
        self.inputs.push(Input::Gone { task, written: Written::default(), killed_leftovers: 0 });
    }

    fn watch(&mut self, number: TaskNumber, mut launched: Launched, log: TaskLog, mut listened: Option<Box<Line>>) {
        let pid = launched.pid;
        let mut watched = self
            .reactor
            .watch(&launched.pidfd, Source::Process(number))
            .and_then(|()| self.reactor.watch(&launched.stdout, Source::Stdout(number)))
            .and_then(|()| self.reactor.watch(&launched.stderr, Source::Stderr(number)));
        if let Some(channel) = &mut launched.channel {
            let unsent = channel.flush();
            watched = watched
                .and_then(|()| self.reactor.watch(&*channel, Source::Channel(number)))
                .and_then(|()| self.reactor.rewatch(&*channel, Source::Channel(number), unsent));
        }
        if let Some(listener) = &mut listened {
            listener.heard_at = self.clock.elapsed();
            watched = watched.and_then(|()| self.reactor.watch(&**listener, Source::Listener(number)));
        }
        self.groups.insert(pid, number);
        let live = Live {
            launched,
            log,
            sections: Sections::default(),
            line: listened,
            tap: None,
            exit: None,
            stdout_open: true,
            stderr_open: true,
            killing: false,
            killed: Vec::new(),
        };
        self.live.insert(number, live);
        (self.parts.on_started)(number, pid);
        self.inputs.push(Input::Spawned { task: number, pid });
        if let Err(error) = watched {
            self.fail(Failure::new("watching a task", &error));
        }
    }

    /// Reads a stream of a task that has something, unless the sink of the run is full.
    pub(super) fn output_came(&mut self, task: TaskNumber, stream: Stream) {
        if let Some(sink) = &self.parts.sink
            && !sink.lock().has_room()
            && let Some(live) = self.live.get(&task)
        {
            self.reactor.forget(live.capture(stream));
            self.held_output.push((task, stream));
            return;
        }
        self.read_output(task, stream, 1);
    }

    /// Reads again what was not read because the sink was full.
    pub(super) fn release_output(&mut self) {
        for (task, stream) in std::mem::take(&mut self.held_output) {
            let Some(live) = self.live.get(&task) else { continue };
            let (open, source) = match stream {
                Stream::Stdout => (live.stdout_open, Source::Stdout(task)),
                Stream::Stderr => (live.stderr_open, Source::Stderr(task)),
            };
            if open && let Err(error) = self.reactor.watch(live.capture(stream), source) {
                self.fail(Failure::new("watching a task", &error));
            }
        }
    }

    /// Reads one stream of a task at most `times` times; returns whether it may still bring something.
    pub(super) fn read_output(&mut self, task: TaskNumber, stream: Stream, times: usize) -> bool {
        for _ in 0..times {
            let Some(live) = self.live.get_mut(&task) else { return false };
            let (capture, open) = match stream {
                Stream::Stdout => (&mut live.launched.stdout, &mut live.stdout_open),
                Stream::Stderr => (&mut live.launched.stderr, &mut live.stderr_open),
            };
            if !*open {
                return false;
            }
            match capture.read_once(&mut self.buffer) {
                Ok((_, Flow::Closed)) => {
                    *open = false;
                    self.reactor.forget(&*capture);
                    return false;
                }
                Ok((_, Flow::Dry)) => return true,
                Ok((count, Flow::More)) => self.heard_output(task, stream, count),
                Err(error) => {
                    let path = capture.path();
                    *open = false;
                    self.reactor.forget(&*capture);
                    self.fail(Failure::at(&path, &error));
                    return false;
                }
            }
        }
        true
    }

    pub(super) fn process_ended(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.exit.is_some() {
            return;
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        // Somebody else reaped it: what it left by is not known, so it is not said to be good.
        let unknown = Exit::Code(255);
        let exit = match waitid(WaitFor::PidFd(live.launched.pidfd.as_fd()), options) {
            // A shelter that was not killed has left the test to us.
            Ok(Some(status)) if live.launched.shelter.is_some() && status.exited() => {
                descendants::reap(live.launched.pid).and_then(|status| exit_of(&status)).unwrap_or(unknown)
            }
            Ok(Some(status)) => match exit_of(&status) {
                Some(exit) => exit,
                None => return,
            },
            Ok(None) | Err(rustix::io::Errno::INTR) => return,
            Err(_) => unknown,
        };
        live.exit = Some(exit);
        self.reactor.forget(&live.launched.pidfd);
        self.talk(task);
        self.inputs.push(Input::Exited { task, exit });
        self.sweep(task);
    }

    /// Looks whether anything of a task is left, kills it if it is to be killed, and reports when nothing is.
    pub(super) fn sweep(&mut self, task: TaskNumber) {
        if self.live.get(&task).is_some_and(|live| live.exit.is_some()) {
            self.descendants.scan(&self.groups);
        }
        self.sweep_scanned(task);
    }

    fn sweep_scanned(&mut self, task: TaskNumber) {
        let Some(live) = self.live.get_mut(&task) else { return };
        if live.exit.is_none() {
            if live.killing {
                kill_group(live.launched.pid, Signal::KILL);
                if live.launched.shelter.is_some() {
                    Shelter::resume(&live.launched.pidfd);
                }
            }
            return;
        }
        let is_open = |number| self.live.contains_key(&number);
        let left = self.descendants.of(task, is_open);
        if !left.is_empty() {
            if let Some(live) = self.live.get_mut(&task)
                && live.killing
            {
                for pid in left {
                    descendants::kill_child(pid);
                    if !live.killed.contains(&pid) {
                        live.killed.push(pid);
                    }
                }
            }
            return;
        }
        // Nobody is left to write: what the pipes still hold is all there is.
        for stream in [Stream::Stdout, Stream::Stderr] {
            let more =
                |supervisor: &mut Self| supervisor.read_output(task, stream, 16) && !supervisor.is_dry(task, stream);
            let _ = (0..LAST_READS).all(|_| more(self));
        }
        self.drain_status(task);
        self.gone(task);
    }

    pub(super) fn is_dry(&mut self, task: TaskNumber, stream: Stream) -> bool {
        let Some(live) = self.live.get(&task) else { return true };
        rustix::io::ioctl_fionread(live.capture(stream)).is_ok_and(|bytes| bytes == 0)
    }

    fn gone(&mut self, task: TaskNumber) {
        let Some(live) = self.live.remove(&task) else { return };
        let Live { launched, log, killed, line, tap, exit, .. } = live;
        if launched.shelter.is_some() {
            // There is something to reap if the test has killed its shelter.
            descendants::reap(launched.pid);
        }
        if self.groups.get(&launched.pid) == Some(&task) {
            self.groups.remove(&launched.pid);
        }
        let mut sizes = [OutputSize::default(); 2];
        for (size, capture) in sizes.iter_mut().zip([launched.stdout, launched.stderr]) {
            let path = capture.path();
            match capture.finish() {
                Ok(done) => *size = done,
                Err(error) => self.fail(Failure::at(&path, &error)),
            }
        }
        let killed_leftovers = u32::try_from(killed.len()).unwrap_or(u32::MAX);
        let path = log.path().to_owned();
        let log = log.finish(Utc::now()).unwrap_or_else(|error| {
            self.fail(Failure::at(&path, &error));
            OutputSize::default()
        });
        if let Some(line) = line {
            // What the runner has put into its files itself was only told.
            for (size, name) in sizes.iter_mut().zip(["stdout", "stderr"]) {
                if size.is_empty() {
                    let file = line.folder.join(name).symlink_metadata().ok().filter(std::fs::Metadata::is_file);
                    size.bytes = file.map_or(0, |file| file.len());
                }
            }
            self.close_line(task, &line);
        }
        if let (Some(tap), Some(exit)) = (tap, exit) {
            let honours = self.parts.scheduler.task(task).is_some_and(|task| honours_exit_code(&task.runnable));
            let TapVerdict { status, reason, .. } = tap.finish().and_exit(exit, honours);
            self.inputs.push(Input::Reported { task, verdict: Verdict::of_status(status, reason) });
        }
        let written = Written { stdout: sizes[0], stderr: sizes[1], log };
        self.inputs.push(Input::Gone { task, written, killed_leftovers });
    }

    pub(super) fn keep_house(&mut self) {
        let now = self.clock.elapsed();
        let leaving: Vec<TaskNumber> =
            (self.live.iter()).filter(|(_, live)| live.killing || live.exit.is_some()).map(|(task, _)| *task).collect();
        if !leaving.is_empty() {
            // One look serves all: with many tasks and orphans a look for each would cost the product.
            self.descendants.scan(&self.groups);
        }
        for task in leaving {
            self.sweep_scanned(task);
        }
        if now >= self.housekeeping_at && !self.live.is_empty() {
            self.housekeeping_at = now + HOUSEKEEPING_INTERVAL;
            self.descendants.scan(&self.groups);
            if let Err(error) = self.parts.journal.sync_in_background() {
                self.fail(Failure::from(error));
            }
        }
    }
}

/// Returns how a process ended, unless it only stands still.
fn exit_of(status: &WaitIdStatus) -> Option<Exit> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Exit::Code(code)),
        (None, signal) => signal.map(Exit::Signal),
    }
}

/// Returns whether a program that writes TAP has to leave with exit code 0 as well, whatever its TAP says.
fn honours_exit_code(runnable: &Runnable) -> bool {
    runnable.config.get(HONOUR_EXIT_CODE).and_then(serde_json::Value::as_bool).unwrap_or_default()
}
