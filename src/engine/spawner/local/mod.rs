//! The spawner of this machine: each attempt is a process group below an owner of its own.

mod callers;
mod channel;
mod descriptors;
mod environment;
mod image;
mod lineage;
mod owner;
mod owner_process;
mod pipe;
mod process;
mod refused;
pub(in crate::engine) mod reports;
mod source;
mod start;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};

use self::descriptors::Descriptors;
use self::environment::Environment;
use self::lineage::{Roots, Strays};
use self::owner::{Owners, ask};
use self::process::Process;
use self::reports::Reports;
use self::source::Source;
use super::{Ask, AttemptId, Listener, News, NotStarted, Spawner, Start};
use crate::engine::children::ProcView;
use crate::engine::guardian;
use crate::engine::reactor::{BATCH, Reactor};
use crate::engine::surroundings::Surroundings;
use crate::engine::synchro::Synchro;
use crate::model::{Dropped, Reply, Stream, TaskNumber};

pub(crate) use self::start::TASK_ROLE;

/// Bytes that are read of a task at once.
const READ: usize = 64 << 10;

/// Bytes that are read at once where attempts may write very much.
const LARGE_READ: usize = 256 << 10;

/// How often it is looked whether what a killed owner has left is gone.
const STRAY_INTERVAL: Duration = Duration::from_millis(2);

/// How often it is looked after what nobody tells of: orphans of the host, and owners that were made to stand still.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Local {
    around: Surroundings,
    environment: Environment,
    noticed: OwnedFd,
    nothing: OwnedFd,
    view: ProcView,
    reactor: Reactor<Source>,
    descriptors: Descriptors,
    reports: Reports,
    live: BTreeMap<TaskNumber, Process>,
    roots: Roots,
    strays: Strays,
    /// Strays that were killed, for each once.
    killed_strays: HashSet<i32>,
    buffer: Vec<u8>,
    now: Duration,
    housekeeping_at: Duration,
    /// The last to go, after the groups of attempts.
    owners: Owners,
}

impl Local {
    /// Makes a spawner for a run. `listen` is where its runners may report to by TCP.
    pub(crate) fn new(
        around: Surroundings,
        view: ProcView,
        listen: Option<SocketAddr>,
        reads_much: bool,
    ) -> io::Result<Self> {
        let (owners, noticed) = Owners::new(view)?;
        let reactor = Reactor::new()?;
        reactor.watch(&noticed, &Source::Notices)?;
        let mut reports = Reports::default();
        if let Some(address) = listen {
            reports.listen(address)?;
        }
        if let Some(listener) = reports.listener() {
            reactor.watch(listener, &Source::Strangers)?;
        }
        let strays = Strays::new(&around.run_id, view);
        Ok(Self {
            around,
            environment: Environment::of_this_process(),
            owners,
            noticed,
            nothing: File::options().read(true).write(true).open("/dev/null")?.into(),
            view,
            reactor,
            descriptors: Descriptors::new(),
            reports,
            live: BTreeMap::new(),
            roots: Roots::default(),
            strays,
            killed_strays: HashSet::new(),
            buffer: vec![0; if reads_much { LARGE_READ } else { READ }],
            now: Duration::ZERO,
            housekeeping_at: HOUSEKEEPING_INTERVAL,
        })
    }

    fn attend(&mut self, source: Source, tell: &mut Listener<'_>) {
        match source {
            Source::Owner(task) => self.owner_ended(task, tell),
            Source::Notices => self.take_notices(tell),
            Source::Stream(task, stream) => {
                self.read_stream(task, stream, 1, tell);
            }
            Source::Channel(task) => self.talk(task, tell),
            Source::Listener(task) => self.callers_came(task, tell),
            Source::Strangers => self.strangers_came(),
            Source::Caller(caller) => self.caller_speaks(caller, tell),
        }
    }

    /// Takes in which tasks have ended that have left something.
    fn take_notices(&mut self, tell: &mut Listener<'_>) {
        let mut numbers = [0; 256];
        while let Ok(count) = rustix::io::read(&self.noticed, &mut numbers) {
            for number in numbers[..count].as_chunks().0 {
                self.tell_exit(TaskNumber::from_ne_bytes(*number), tell);
            }
            if count < numbers.len() {
                break;
            }
        }
    }

    fn keep_house(&mut self, tell: &mut Listener<'_>) {
        let orphaned: Vec<TaskNumber> =
            self.live.iter().filter(|(_, live)| live.is_orphaned).map(|(task, _)| *task).collect();
        if !orphaned.is_empty() {
            self.end_orphaned(&orphaned, tell);
        }
        if self.now < self.housekeeping_at {
            return;
        }
        self.housekeeping_at = self.now + HOUSEKEEPING_INTERVAL;
        if self.live.is_empty() {
            return;
        }
        self.strays.note(&self.roots);
        // Nobody is told when an owner was stopped by its task, nor if its end could not be waited for.
        for task in self.live.keys().copied().collect::<Vec<_>>() {
            if let Some(live) = self.live.get(&task).filter(|live| !live.is_orphaned) {
                live.owned.wake();
                self.owner_ended(task, tell);
            }
        }
    }
}

impl Spawner for Local {
    fn start(&mut self, start: Start, tell: &mut Listener<'_>) {
        let id = start.id;
        // A connection to the shared objects is a descriptor too, an eighth of what a task holds.
        let connections = self.around.synchro.get().map_or(0, Synchro::connections) + self.reports.len();
        if !self.descriptors.allow_another(self.live.len() + connections.div_ceil(8)) {
            let reason = "the limit on open files (ulimit -n) does not allow a task to run".to_owned();
            return tell(id, News::NotStarted(NotStarted::Exhausted(reason)));
        }
        match self.launch(&start) {
            Ok(process) => {
                let pid = process.owned.pid;
                self.roots.insert(pid, id.task);
                self.roots.insert(process.owned.owner, id.task);
                // One whose end cannot be waited for is looked after each second.
                let _ = self.reactor.watch(&process.owned.pidfd, &Source::Owner(id.task));
                self.live.insert(id.task, process);
                tell(id, News::Started { pid: pid.as_raw_nonzero().get() });
            }
            Err(why) => tell(id, News::NotStarted(why)),
        }
    }

    fn ask(&mut self, id: AttemptId, wanted: Ask) {
        let Some(live) = self.live.get_mut(&id.task).filter(|live| live.id == id) else { return };
        match wanted {
            // Its process has not been reaped, so the number is still that of its group.
            Ask::Signal(signal) if live.exit.is_none() => {
                if let Some(signal) = Signal::from_named_raw(signal) {
                    let _ = kill_process_group(live.owned.pid, signal);
                }
                // A task that stands still could not heed it.
                let _ = kill_process_group(live.owned.pid, Signal::CONT);
            }
            Ask::Signal(_) => {}
            Ask::Kill => live.owned.ask(ask::KILL),
            Ask::Stop => live.owned.ask(ask::STOP),
            Ask::Continue => live.owned.ask(ask::CONTINUE),
        }
    }

    fn answer(&mut self, id: AttemptId, reply: &Reply) {
        let Some(live) = self.live.get_mut(&id.task).filter(|live| live.id == id) else { return };
        let Some(channel) = &mut live.channel else { return };
        channel.post(reply);
        if channel.flush() {
            let _ = self.reactor.rewatch(&*channel, &Source::Channel(id.task), true);
        }
    }

    fn hold(&mut self, id: AttemptId, stream: Stream, is_held: bool) {
        let Some(live) = self.live.get_mut(&id.task).filter(|live| live.id == id) else { return };
        let Some(pipe) = live.pipe(stream) else { return };
        if pipe.is_closed() || std::mem::replace(&mut pipe.is_held, is_held) == is_held {
            return;
        }
        match is_held {
            true => self.reactor.forget(&*pipe),
            // One that cannot be watched is read to its end when the task ends.
            false => drop(self.reactor.watch(&*pipe, &Source::Stream(id.task, stream))),
        }
    }

    fn wakes(&self) -> Option<BorrowedFd<'_>> {
        Some(self.reactor.as_fd())
    }

    fn due(&self, now: Duration) -> Option<Duration> {
        if self.live.is_empty() {
            return None;
        }
        let orphaned = self.live.values().any(|live| live.is_orphaned).then(|| now + STRAY_INTERVAL);
        let pause = self.reports.pause_left().map(|left| now + left);
        orphaned.into_iter().chain(pause).chain([self.housekeeping_at]).min()
    }

    fn hear(&mut self, now: Duration, tell: &mut Listener<'_>) -> bool {
        self.now = now;
        // A failure tells of a descriptor that is none, and so of a mistake in here: what nobody tells of is looked after.
        let ready = self.reactor.wait(Some(Duration::ZERO)).unwrap_or_default();
        let has_more = ready.len() >= BATCH;
        for source in ready {
            self.attend(source, tell);
        }
        self.keep_house(tell);
        self.resume_callers();
        has_more
    }

    fn abandon(&mut self) {
        for live in self.live.values() {
            live.owned.ask(ask::KILL);
        }
        guardian::end_all_children();
    }

    fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.reports.dropped)
    }
}
