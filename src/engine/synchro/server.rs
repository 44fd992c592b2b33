//! The thread that serves shared objects to other processes. It never waits for one of them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use super::Shared;
use super::connection::{Connection, Frame};
use super::holder::HolderId;
use super::state::{State, Step};
use crate::model::{Answer, Fault, FaultKind, Key, Op, PROTOCOL, Request, Value};

const WAKER: u64 = 0;
const LISTENER: u64 = 1;
const FIRST_CONNECTION: HolderId = 2;

/// How many events are taken at once, and how many connections.
const BATCH: usize = 256;

/// How long a server that has no descriptor left waits before it looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// The descriptors that connections leave to the engine, however few there are.
const RESERVED: u64 = 64;

/// See the module.
pub(super) struct Server {
    shared: Arc<Shared>,
    listener: OwnedFd,
    epoll: OwnedFd,
    connections: HashMap<HolderId, Connection>,
    next: HolderId,
    buffer: Vec<u8>,
    /// Connections with something to look at.
    ready: VecDeque<HolderId>,
    /// Set while nobody is let in.
    paused_until: Option<Instant>,
}

impl Server {
    /// Makes a server that listens.
    pub(super) fn new(shared: Arc<Shared>, listener: OwnedFd) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &shared.waker, EventData::new_u64(WAKER), EventFlags::IN)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            shared,
            listener,
            epoll,
            connections: HashMap::new(),
            next: FIRST_CONNECTION,
            buffer: vec![0; 64 << 10],
            ready: VecDeque::new(),
            paused_until: None,
        })
    }

    /// Serves until the shared objects are closed.
    pub(super) fn run(mut self) {
        let mut room = [MaybeUninit::uninit(); BATCH];
        loop {
            let timeout = self.settle();
            if self.shared.state.lock().is_closed {
                return;
            }
            let Ok((events, _)) = epoll::wait(&self.epoll, &mut room, timeout.as_ref()) else { continue };
            for event in events {
                match event.data.u64() {
                    WAKER => {
                        // Whatever the count, it is looked at everything.
                        let _ = rustix::io::read(&self.shared.waker, &mut [0; 8]);
                    }
                    LISTENER => self.let_in(),
                    holder => self.attend(holder, event.flags),
                }
            }
        }
    }

    /// Does everything that is due, and returns for how long there is nothing to do.
    fn settle(&mut self) -> Option<Timespec> {
        loop {
            while let Some(holder) = self.ready.pop_front() {
                self.serve(holder);
            }
            let now = Instant::now();
            let (woken, dismissed, due) = self.look(now);
            let is_quiet = woken.is_empty() && dismissed.is_empty();
            self.deliver(woken);
            for holder in dismissed {
                self.close(holder);
            }
            if is_quiet {
                return self.pause_over(now).into_iter().chain(due).min().map(|due| timespec(due, now));
            }
        }
    }

    /// Looks who is to be answered without having asked just now.
    fn look(&self, now: Instant) -> (Vec<(HolderId, Answer)>, Vec<HolderId>, Option<Instant>) {
        let mut state = self.shared.state.lock();
        state.expire(now);
        if state.next_due().is_some_and(|due| due <= now) && state.judge(&HashSet::new()) {
            let generation = state.generation;
            (self.shared.ask_held_back)(generation);
        }
        let due = state.next_due();
        state.sleeps_until = due;
        let (woken, dismissed) = (std::mem::take(&mut state.woken), std::mem::take(&mut state.dismissed));
        self.shared.tell_main(&state);
        (woken, dismissed, due)
    }

    /// Lets in again after a pause; returns when the pause is over.
    fn pause_over(&mut self, now: Instant) -> Option<Instant> {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.listen_again();
        }
        self.paused_until
    }

    fn listen_again(&mut self) {
        if self.paused_until.take().is_some() {
            // A listener that is watched already is as good.
            let _ = epoll::add(&self.epoll, &self.listener, EventData::new_u64(LISTENER), EventFlags::IN);
        }
    }

    fn let_in(&mut self) {
        for _ in 0..BATCH {
            if !has_room(self.connections.len()) {
                return self.pause();
            }
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.admit(socket),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                // No descriptor or no memory is left: those who wait stay in the line.
                Err(_) => return self.pause(),
            }
        }
    }

    fn pause(&mut self) {
        let _ = epoll::delete(&self.epoll, &self.listener);
        self.paused_until = Some(Instant::now() + PAUSE);
    }

    fn admit(&mut self, socket: OwnedFd) {
        // The folder and the socket keep others out as well; this holds wherever the socket had to be put.
        let is_ours = sockopt::socket_peercred(&socket).is_ok_and(|peer| peer.uid == geteuid());
        let holder = self.next;
        if !is_ours || epoll::add(&self.epoll, &socket, EventData::new_u64(holder), EventFlags::IN).is_err() {
            return;
        }
        self.next += 1;
        self.connections.insert(holder, Connection::new(socket));
        self.shared.connections.store(self.connections.len(), Ordering::Relaxed);
    }

    fn attend(&mut self, holder: HolderId, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(&holder) else { return };
        let is_broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        let read = match connection.is_heard() {
            true => connection.read(&mut self.buffer),
            // Both directions are closed, and there is nobody for whom to wait.
            false if is_broken => return self.close(holder),
            false => Ok(()),
        };
        match read {
            Ok(()) => self.serve(holder),
            Err(_) => self.close(holder),
        }
    }

    /// Answers what a connection has asked, as far as that is its turn.
    fn serve(&mut self, holder: HolderId) {
        let Some(connection) = self.connections.get_mut(&holder) else { return };
        let mut others = Vec::new();
        let mut flushed = connection.flush();
        while flushed.is_ok() {
            // It may have come in one piece with the request that it gives up.
            if connection.take_cancel() {
                let mut state = self.shared.state.lock();
                state.cancel(holder, Instant::now());
                others.append(&mut state.woken);
                break;
            }
            let Some(frame) = connection.next_frame() else { break };
            match frame {
                // What it was to give up has been answered meanwhile.
                Frame::Request(request) if request.op == Op::Cancel => {}
                Frame::Request(request) => match answer(&self.shared, connection, holder, *request, &mut others) {
                    Step::Done(answer) => connection.answer(&answer),
                    Step::Waits => connection.waits = true,
                },
                Frame::Wrong(fault) => connection.answer(&Answer::Error(fault)),
                Frame::Garbage(fault) => {
                    connection.answer(&Answer::Error(fault));
                    connection.stop_reading();
                }
            }
            flushed = connection.flush();
        }
        if flushed.is_err() || connection.is_over() {
            self.close(holder);
        } else if let Some(interest) = connection.new_interest() {
            // It was added when it was let in, and the change of an entry needs nothing that could be short.
            let _ = epoll::modify(&self.epoll, &*connection, EventData::new_u64(holder), interest);
        }
        self.deliver(others);
    }

    /// Hands answers to those who have waited for them.
    fn deliver(&mut self, woken: Vec<(HolderId, Answer)>) {
        for (holder, answer) in woken {
            if let Some(connection) = self.connections.get_mut(&holder) {
                connection.waits = false;
                connection.answer(&answer);
                self.ready.push_back(holder);
            }
        }
    }

    fn close(&mut self, holder: HolderId) {
        let Some(connection) = self.connections.remove(&holder) else { return };
        let _ = epoll::delete(&self.epoll, connection.as_fd());
        drop(connection);
        self.shared.connections.store(self.connections.len(), Ordering::Relaxed);
        self.shared.state.lock().leave(holder, Instant::now());
        self.listen_again();
    }
}

/// Does what a connection asks, and adds the answers that others have waited for.
fn answer(
    shared: &Shared,
    connection: &mut Connection,
    holder: HolderId,
    request: Request,
    others: &mut Vec<(HolderId, Answer)>,
) -> Step {
    let mut state = shared.state.lock();
    if !connection.is_greeted {
        let greeted = greet(&mut state, holder, &request);
        connection.is_greeted = greeted.is_ok();
        if greeted.is_err() {
            connection.stop_reading();
        }
        return Step::Done(greeted.map_or_else(Answer::Error, |()| Answer::Ok(greeting())));
    }
    let step = state.request(holder, request, Instant::now());
    others.append(&mut state.woken);
    shared.tell_main(&state);
    step
}

fn greeting() -> Value {
    Value::Map([(Key::Text("protocol".to_owned()), Value::Integer(PROTOCOL.into()))].into())
}

fn greet(state: &mut State, holder: HolderId, request: &Request) -> Result<(), Fault> {
    if state.is_closed {
        return Err(Fault::closed());
    }
    match (request.op, request.task, request.attempt) {
        (Op::Hello, Some(task), Some(attempt)) => state.join(holder, task, attempt),
        _ => {
            let text = "a connection begins with {\"op\":\"hello\",\"task\":N,\"attempt\":M}: RILLE_TASK_NUMBER and \
                        RILLE_ATTEMPT of the environment";
            Err(Fault::new(FaultKind::Protocol, text))
        }
    }
}

/// Returns whether one more connection leaves the engine the descriptors that it needs. Raises the limit when that is what
/// it takes.
fn has_room(connections: usize) -> bool {
    let fits = |limit: Option<u64>| limit.is_none_or(|limit| (connections as u64) < limit.saturating_sub(RESERVED) / 2);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // One is always let in.
    connections == 0
        || fits(current)
        || fits(maximum) && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok()
}

fn timespec(due: Instant, now: Instant) -> Timespec {
    // One that is just over is due; one microsecond more saves a second look.
    let left = due.saturating_duration_since(now) + Duration::from_micros(1);
    Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() }
}
