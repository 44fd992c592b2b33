//! The socket of a suite's workers: who they are, what they say, and that they are gone.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::engine::{IncomingLines, OutgoingLines, PrivateFolder};
use crate::model::{WalkOrder, WalkReport};

/// The name of the socket in its folder.
const SOCKET: &str = "socket";

/// Reports that may wait to be taken in; more hold their workers up.
const WAITING: usize = 1024;

/// The longest report. It bounds what a worker gone wild costs the host.
const LONGEST: usize = 1 << 28;

/// How long a worker may take to take an order: it waits for one when it is sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What comes over the socket.
#[derive(Debug)]
pub(super) enum Heard {
    /// A worker is there.
    Came(u32, UnixStream),
    /// A worker has said something.
    Said(u32, Box<WalkReport>),
    /// A worker said something that is no report, and is not heard any more.
    Broke(u32, String),
    /// A worker has closed its end.
    Left(u32),
}

/// See the module. Nobody is heard any more when this is dropped.
pub(super) struct WorkerLines {
    folder: PrivateFolder,
    socket: PathBuf,
    heard: Receiver<Heard>,
    streams: HashMap<u32, UnixStream>,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl WorkerLines {
    /// Makes the socket for a suite of the run with this directory. `name` is that of its folder.
    pub(super) fn start(run: &Path, name: &str) -> io::Result<Self> {
        let folder = PrivateFolder::make(run, name, "page-4294967295".len())?;
        let (socket, listener) = folder.listen(SOCKET)?;
        let (sender, heard) = bounded(WAITING);
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let stopped = stop.try_clone()?;
        let listener = UnixListener::from(listener);
        let thread =
            thread::Builder::new().name("walks".to_owned()).spawn(move || listen(&listener, &stopped, &sender))?;
        Ok(Self { folder, socket, heard, streams: HashMap::new(), stop, thread: Some(thread) })
    }

    /// Returns the path of the socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the folder of the socket, which only its owner may enter.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns where it is heard what workers say.
    pub(super) const fn heard(&self) -> &Receiver<Heard> {
        &self.heard
    }

    /// Takes in who is there.
    pub(super) fn note(&mut self, worker: u32, stream: UnixStream) {
        self.streams.insert(worker, stream);
    }

    /// Forgets a worker.
    pub(super) fn forget(&mut self, worker: u32) {
        self.streams.remove(&worker);
    }

    /// Sends a worker an order. One that is gone is not told; that it is gone is heard by itself.
    pub(super) fn send(&mut self, worker: u32, order: &WalkOrder) {
        let Some(stream) = self.streams.get(&worker) else { return };
        let mut outgoing = OutgoingLines::default();
        if outgoing.post(order).is_ok() && !outgoing.flush(stream).unwrap_or(false) {
            // What it has half of makes no sense to it.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for WorkerLines {
    fn drop(&mut self) {
        // The only failure is a full counter, and then it is told.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        for stream in self.streams.values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &UnixListener, stop: &OwnedFd, sender: &Sender<Heard>) {
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN)];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if !fds[1].revents().is_empty() {
            return;
        }
        let Ok((stream, _)) = listener.accept() else { continue };
        let sender = sender.clone();
        // A worker for which there is no thread is not heard, and counts as one that does not load.
        let _ = thread::Builder::new().name("walk worker".to_owned()).spawn(move || hear(stream, &sender));
    }
}

/// Hears one worker until it is gone.
fn hear(stream: UnixStream, sender: &Sender<Heard>) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let Ok(writer) = stream.try_clone() else { return };
    let mut incoming = IncomingLines::with_limit(LONGEST);
    // One that dies in the middle of a word, or says too much, has left.
    let mut next = move || -> io::Result<Option<WalkReport>> {
        let line = incoming.wait_for_next(&stream)?;
        line.map(serde_json::from_slice).transpose().map_err(io::Error::from)
    };
    let Ok(Some(WalkReport::Hello { worker })) = next() else { return };
    // Nobody hears any more once the suite is over.
    if sender.send(Heard::Came(worker, writer)).is_err() {
        return;
    }
    let last = loop {
        match next() {
            Ok(Some(report)) => {
                if sender.send(Heard::Said(worker, Box::new(report))).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => break Heard::Broke(worker, error.to_string()),
            Ok(None) | Err(_) => break Heard::Left(worker),
        }
    };
    let _ = sender.send(last);
}
