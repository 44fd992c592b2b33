//! Objects that `main` and the tasks of a run share.
//!
//! [`State`] is all there is, behind a lock: `main` uses it directly, other processes by the [`server`], which has a thread
//! of its own that starts with the first object. What the protocol looks like stands in [`crate::model::Request`]'s
//! module, and when a wait is given up in [`broken`].

mod broken;
mod client;
mod connection;
mod holder;
mod parties;
mod server;
mod state;
mod types;
mod waiting;

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::event::{EventfdFlags, eventfd};

use self::holder::MAIN_HOLDER;
use self::server::Server;
use self::state::{State, Step};
use super::private_folder::PrivateFolder;
use crate::model::{Answer, Fault, FaultKind, ObjectId, Request, TaskNumber};

pub(crate) use self::client::SynchroClient;

/// How often a waiting `main` looks whether the run was asked to stop.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The name of the socket in its folder.
const SOCKET: &str = "socket";

/// Asks the engine which tasks start only when others have ended; the answer comes with the number it was asked with.
type AskHeldBack = Box<dyn Fn(u64) + Send + Sync>;

/// The shared objects of a run.
pub(crate) struct Synchro {
    shared: Arc<Shared>,
    socket: PathBuf,
    /// What there is until it is closed.
    serving: Mutex<Option<(JoinHandle<()>, PrivateFolder)>>,
}

/// What `main`, the engine and the server have in common.
struct Shared {
    state: Mutex<State>,
    /// There is an answer for `main`.
    answered: Condvar,
    waker: OwnedFd,
    connections: AtomicUsize,
    ask_held_back: AskHeldBack,
}

impl Shared {
    fn tell_main(&self, state: &State) {
        if state.main_answer.is_some() {
            self.answered.notify_one();
        }
    }

    /// Has done with the state what was to be done, and wakes whom that concerns.
    fn release(&self, state: MutexGuard<'_, State>) {
        self.tell_main(&state);
        let wants_server = state.wants_server();
        drop(state);
        if wants_server {
            // The only failure of a write is a full counter, and then it is awake.
            let _ = rustix::io::write(&self.waker, &1_u64.to_ne_bytes());
        }
    }
}

impl Synchro {
    /// Starts the server for the run with this directory.
    pub(crate) fn start(run: &Path, ask_held_back: AskHeldBack) -> io::Result<Self> {
        let folder = PrivateFolder::make(run, "synchro", SOCKET.len())?;
        let (socket, listener) = folder.listen(SOCKET)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new()),
            answered: Condvar::new(),
            waker: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            connections: AtomicUsize::new(0),
            ask_held_back,
        });
        let server = Server::new(Arc::clone(&shared), listener)?;
        let thread = thread::Builder::new().name("synchro".to_owned()).spawn(move || server.run())?;
        Ok(Self { shared, socket, serving: Mutex::new(Some((thread, folder))) })
    }

    /// Returns the path of the socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns how many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Does what `main` asks, and waits as long as that takes. While it waits, `goes_on` is called again and again; when
    /// that returns false the wait is given up.
    pub(crate) fn call(&self, request: Request, mut goes_on: impl FnMut() -> bool) -> Answer {
        let mut state = self.shared.state.lock();
        let step = state.request(MAIN_HOLDER, request, Instant::now());
        if let Step::Done(answer) = step {
            self.shared.release(state);
            return answer;
        }
        self.shared.release(state);
        let mut state = self.shared.state.lock();
        loop {
            if let Some(answer) = state.main_answer.take() {
                // The tasks that could have helped may be gone because the run was asked to stop: then that is why.
                let is_broken = matches!(&answer, Answer::Error(fault) if fault.kind == FaultKind::Broken);
                let is_cancelled = is_broken && !MutexGuard::unlocked(&mut state, &mut goes_on);
                return if is_cancelled { cancelled() } else { answer };
            }
            if !MutexGuard::unlocked(&mut state, &mut goes_on) {
                state.unblock(MAIN_HOLDER);
                // It may have come meanwhile, and then something was given.
                if let Some(answer) = state.main_answer.take() {
                    return answer;
                }
                return cancelled();
            }
            if state.main_answer.is_none() {
                self.shared.answered.wait_for(&mut state, LOOK_INTERVAL);
            }
        }
    }

    /// Takes a task in that is handed to the engine with references to these objects.
    pub(crate) fn task_queued(&self, task: TaskNumber, known: HashSet<ObjectId>) {
        self.change(|state| state.task_queued(task, known));
    }

    /// Notes that an attempt at a task has begun.
    pub(crate) fn task_started(&self, task: TaskNumber) {
        self.change(|state| state.task_started(task));
    }

    /// Releases what a task that has ended still held.
    pub(crate) fn task_ended(&self, task: TaskNumber) {
        self.change(|state| state.task_ended(task, Instant::now()));
    }

    /// Notes for which tasks `main` waits without a limit, or that it does not any more.
    pub(crate) fn follow(&self, tasks: Option<Vec<TaskNumber>>) {
        self.change(|state| state.follow(tasks, Instant::now()));
    }

    /// Hears which tasks start only when others have ended, as it was when this was asked.
    pub(crate) fn held_back(&self, generation: u64, tasks: Vec<TaskNumber>) {
        self.change(|state| {
            if state.generation == generation {
                state.judge(&tasks.into_iter().collect());
            }
        });
    }

    /// Tells everybody that the run is ending, ends the thread and removes the socket.
    pub(crate) fn close(&self) {
        self.change(State::close);
        if let Some((thread, folder)) = self.serving.lock().take() {
            // A panic of that thread has ended the process already.
            let _ = thread.join();
            drop(folder);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.state.lock();
        change(&mut state);
        self.shared.release(state);
    }
}

/// Returns what `main` is told when the run was asked to stop.
fn cancelled() -> Answer {
    Answer::Error(Fault::new(FaultKind::Cancelled, "the run was asked to stop"))
}
