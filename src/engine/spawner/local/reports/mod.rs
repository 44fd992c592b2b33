//! The status server: where runners report how their tasks go, in Avocado's protocol.
//!
//! Each task that a runner runs has a socket of its own, in a folder that only this user may enter, while it runs. A
//! connection to it counts if the process that opened it is a descendant of the task and was there when it was let in; what
//! others say is counted and dropped. On request there is a listener by TCP as well, where a connection counts that tells the
//! token of a task. What the messages mean is the supervisor's business.

pub(in crate::engine) mod argv;
pub(in crate::engine) mod connection;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use uuid::Uuid;

use self::connection::Connection;
use crate::engine::private_folder::PrivateFolder;
use crate::model::{Dropped, TaskNumber};

/// The number of a connection in its run.
pub(super) type CallerId = u64;

/// The folder of the sockets in a run directory.
const FOLDER: &str = "status";

/// The longest name of a socket: the number of a task.
const LONGEST_NAME: usize = 10;

/// How long nobody is let in when there is no descriptor left.
const PAUSE: Duration = Duration::from_millis(20);

/// The descriptors that connections leave to the engine, however few there are.
const RESERVED: u64 = 64;

/// All that listens and is connected.
#[derive(Default)]
pub(super) struct Reports {
    folder: Option<PrivateFolder>,
    callers: HashMap<CallerId, Caller>,
    next: CallerId,
    /// What listens for runners that report by TCP.
    tcp: Option<Tcp>,
    /// Tasks at whose sockets nobody is let in until this moment.
    paused: BTreeMap<TaskNumber, Instant>,
    /// What counts for nothing, and for no task that is alive.
    pub(super) dropped: Dropped,
}

/// Somebody who is connected.
pub(super) struct Caller {
    pub(super) connection: Connection,
    /// The task whose socket it came to; [`NO_TASK`] for one that came by TCP and has not told its token.
    pub(super) task: TaskNumber,
    /// Of what it may speak.
    pub(super) standing: Standing,
}

/// Of what a caller may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Of its task.
    Counts,
    /// Of nothing: it is no process of the task.
    Stranger,
    /// Of nothing before it has told a token.
    Unknown,
}

/// The number that no task has.
pub(super) const NO_TASK: TaskNumber = 0;

/// What listens by TCP. A caller says first which task it is of, by the token that only that task's runner was given.
struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
    tokens: HashMap<String, TaskNumber>,
}

/// One task's line to its runner.
pub(super) struct RunnerLine {
    listener: OwnedFd,
    socket: PathBuf,
    /// Where the runner reports to.
    pub(super) uri: String,
    /// By what it is known, where that is by TCP.
    pub(super) token: Option<String>,
    /// Who is connected.
    pub(super) callers: Vec<CallerId>,
    /// Bytes of lines without an end that are held of all callers.
    pub(super) held: usize,
    /// The process that was let in last, when, and whether it may speak of the task.
    pub(super) last_peer: Option<(i32, Duration, bool)>,
    /// It has said something that is too long: nothing it says counts any more.
    pub(super) is_broken: bool,
    /// Connections are being read before an end is taken in.
    pub(super) is_draining: bool,
    pub(super) dropped: Dropped,
}

/// Who was let in, by the process at the other end.
pub(super) struct Admitted {
    pub(super) socket: OwnedFd,
    /// Its number.
    pub(super) pid: i32,
    /// It runs for the same user.
    pub(super) is_ours: bool,
}

impl Reports {
    /// Listens at this address as well, for runners that can tell a token.
    pub(super) fn listen(&mut self, address: SocketAddr) -> io::Result<()> {
        let told = |error: io::Error| {
            io::Error::new(error.kind(), format!("the status server cannot listen at {address}: {error}"))
        };
        let listener = TcpListener::bind(address).map_err(told)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        self.tcp = Some(Tcp { listener, address, tokens: HashMap::new() });
        Ok(())
    }

    /// Returns what listens by TCP.
    pub(super) fn listener(&self) -> Option<&TcpListener> {
        self.tcp.as_ref().map(|tcp| &tcp.listener)
    }

    /// Returns the task whose runner has this token.
    pub(super) fn task_of(&self, token: &str) -> Option<TaskNumber> {
        self.tcp.as_ref()?.tokens.get(token).copied()
    }

    /// Forgets the token of a task that has ended.
    pub(super) fn forget_token(&mut self, line: &RunnerLine) {
        if let (Some(tcp), Some(token)) = (&mut self.tcp, &line.token) {
            tcp.tokens.remove(token);
        }
    }

    /// Makes the line of an attempt. Its runner can tell a token if `takes_token` is set.
    pub(super) fn open(&mut self, run: &Path, number: TaskNumber, takes_token: bool) -> io::Result<RunnerLine> {
        let sockets = match &self.folder {
            Some(sockets) => sockets,
            None => self.folder.insert(PrivateFolder::make(run, FOLDER, LONGEST_NAME)?),
        };
        let (socket, listener) = sockets.listen(&number.to_string())?;
        let (mut uri, mut token) = (socket.to_string_lossy().into_owned(), None);
        if let Some(tcp) = self.tcp.as_mut().filter(|_| takes_token) {
            let new = Uuid::new_v4().simple().to_string();
            tcp.tokens.insert(new.clone(), number);
            (uri, token) = (tcp.address.to_string(), Some(new));
        }
        Ok(RunnerLine {
            listener,
            socket,
            uri,
            token,
            callers: Vec::new(),
            held: 0,
            last_peer: None,
            is_broken: false,
            is_draining: false,
            dropped: Dropped::default(),
        })
    }

    /// Takes a caller in and returns its number.
    pub(super) fn add(&mut self, caller: Caller) -> CallerId {
        self.next += 1;
        self.callers.insert(self.next, caller);
        self.next
    }

    /// Returns a caller.
    pub(super) fn get(&mut self, id: CallerId) -> Option<&mut Caller> {
        self.callers.get_mut(&id)
    }

    /// Takes a caller out.
    pub(super) fn remove(&mut self, id: CallerId) -> Option<Caller> {
        self.callers.remove(&id)
    }

    /// Returns those who have not told yet who they are.
    pub(super) fn unknown(&self) -> Vec<CallerId> {
        let unknown = self.callers.iter().filter(|(_, caller)| caller.standing == Standing::Unknown);
        unknown.map(|(id, _)| *id).collect()
    }

    /// Returns how many are connected.
    pub(super) fn len(&self) -> usize {
        self.callers.len()
    }

    /// Returns whether one more connection leaves the engine the descriptors that it needs. Raises the limit when that is
    /// what it takes.
    pub(super) fn has_room(&self) -> bool {
        let connections = self.callers.len() as u64;
        let fits = |limit: Option<u64>| limit.is_none_or(|limit| connections < limit.saturating_sub(RESERVED) / 2);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // One is always let in.
        connections == 0
            || fits(current)
            || fits(maximum) && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok()
    }

    /// Lets nobody in at a task's socket for a while.
    pub(super) fn pause(&mut self, task: TaskNumber) {
        self.paused.insert(task, Instant::now() + PAUSE);
    }

    /// Takes the tasks at whose sockets somebody may be let in again.
    pub(super) fn resumed(&mut self) -> Vec<TaskNumber> {
        let now = Instant::now();
        let due: Vec<TaskNumber> = self.paused.iter().filter(|(_, at)| **at <= now).map(|(task, _)| *task).collect();
        self.paused.retain(|task, _| !due.contains(task));
        due
    }

    /// Returns for how long nobody is let in somewhere.
    pub(super) fn pause_left(&self) -> Option<Duration> {
        (!self.paused.is_empty()).then_some(PAUSE)
    }
}

impl RunnerLine {
    /// Lets the next one in. `None` when nobody waits; the error is that of a lack of descriptors or memory.
    pub(super) fn accept(&self) -> io::Result<Option<Admitted>> {
        loop {
            let socket = match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => socket,
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let Ok(peer) = sockopt::socket_peercred(&socket) else { continue };
            let pid = peer.pid.as_raw_nonzero().get();
            return Ok(Some(Admitted { socket, pid, is_ours: peer.uid == geteuid() }));
        }
    }
}

impl AsFd for RunnerLine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for RunnerLine {
    fn drop(&mut self) {
        // It goes with its folder at the latest.
        let _ = std::fs::remove_file(&self.socket);
    }
}
