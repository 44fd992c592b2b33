//! The connection to one status server. It only ever sends.

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::engine::{StopRequest, send_now};
use crate::runner::error::StatusError;

/// The environment variable with what a runner tells a server of Rille's own by TCP before it tells anything else.
pub(in crate::runner) const TOKEN: &str = "RILLE_STATUS_TOKEN";

/// How often a server that refuses the first connection is tried again, and how often one that was lost.
const TRIES: (u32, u32) = (600, 30);

/// How long lies between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// How long it may take to reach a server that does not answer.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a message may still take once the runner was asked to end.
const HURRY: Duration = Duration::from_millis(250);

/// How much is kept for a server that was lost, in bytes.
const MOST_KEPT: usize = 8 << 20;

/// A status server, and what is known of the connection to it.
pub(super) struct Service {
    uri: String,
    address: Address,
    token: Option<String>,
    socket: Option<OwnedFd>,
    /// Lines for a server that was lost and may come back.
    kept: Vec<u8>,
    retry_at: Option<Instant>,
    is_given_up: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Address {
    Unix(PathBuf),
    Tcp(String, u16),
}

/// Reads the address in a URI: a path, or `HOST:PORT`, where the host may be an IPv6 address.
fn address(uri: &str) -> Result<Address, StatusError> {
    if uri.contains('/') || !uri.contains(':') {
        return Ok(Address::Unix(PathBuf::from(uri)));
    }
    let (host, port) = uri.rsplit_once(':').unwrap_or((uri, ""));
    let no_port = |source| StatusError::NoPort { uri: uri.to_owned(), port: port.to_owned(), source };
    let port = port.parse().map_err(no_port)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Address::Tcp(host.to_owned(), port))
}

impl Service {
    /// Makes a service that is not connected yet.
    pub(super) fn new(uri: &str, token: Option<String>) -> Result<Self, StatusError> {
        let address = address(uri)?;
        let token = token.filter(|_| matches!(address, Address::Tcp(..)));
        Ok(Self {
            uri: uri.to_owned(),
            address,
            token,
            socket: None,
            kept: Vec::new(),
            retry_at: None,
            is_given_up: false,
        })
    }

    /// Connects to a server of this machine that is there, as [`Service::begin`] does for all others.
    pub(super) fn begin_early(&mut self) {
        if matches!(self.address, Address::Unix(_)) {
            // What is wrong is told by who tries it later.
            let _ = self.connect();
        }
    }

    /// Forgets a connection that somebody else has used.
    pub(super) fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Connects. A TCP server that refuses may be about to start, so it is tried again for ten minutes.
    pub(super) fn begin(&mut self, stop: Option<&StopRequest>) -> Result<(), StatusError> {
        if self.socket.is_some() {
            return Ok(());
        }
        for _ in 1..TRIES.0 {
            match self.connect() {
                Ok(()) => return Ok(()),
                Err(error) if self.may_come(&error) => {
                    complain(&format!("cannot reach the status server {}: {error}; trying again", self.uri));
                    if !wait(PAUSE, stop) {
                        break;
                    }
                }
                Err(error) => return Err(self.unreached(error)),
            }
        }
        self.connect().map_err(|error| self.unreached(error))
    }

    fn unreached(&self, source: io::Error) -> StatusError {
        StatusError::Unreached { uri: self.uri.clone(), source }
    }

    /// Sends a line. A server that is gone is tried once more at once; if it does not answer, the test goes on without it.
    pub(super) fn post(&mut self, line: &[u8], stop: Option<&StopRequest>) {
        if self.is_given_up {
            return;
        }
        if !self.kept.is_empty() {
            self.keep(line);
            if self.retry_at.is_none_or(|at| at <= Instant::now()) {
                self.send_kept(stop);
            }
            return;
        }
        let sent = match &self.socket {
            Some(socket) => write(socket, line, stop),
            None => Err(io::Error::from(Errno::NOTCONN)),
        };
        if let Err(error) = sent {
            if error.kind() == io::ErrorKind::TimedOut {
                return self.give_up(&error);
            }
            self.socket = None;
            self.keep(line);
            self.send_kept(stop);
        }
    }

    /// Waits for a server that was lost, as long as there is something for it.
    pub(super) fn finish(&mut self, stop: Option<&StopRequest>) {
        for _ in 0..TRIES.1 {
            if self.kept.is_empty() || self.is_given_up {
                break;
            }
            if !wait(PAUSE, stop) {
                break;
            }
            self.send_kept(stop);
        }
        if !self.kept.is_empty() {
            self.give_up(&io::Error::other("it did not come back"));
        }
        self.socket = None;
    }

    fn keep(&mut self, line: &[u8]) {
        if self.kept.len() + line.len() <= MOST_KEPT || self.kept.is_empty() {
            self.kept.extend_from_slice(line);
        }
    }

    fn send_kept(&mut self, stop: Option<&StopRequest>) {
        let connected = match self.socket {
            Some(_) => Ok(()),
            None => self.connect(),
        };
        let sent = connected.and_then(|()| match &self.socket {
            Some(socket) => write(socket, &self.kept, stop),
            None => Err(io::Error::from(Errno::NOTCONN)),
        });
        match sent {
            Ok(()) => {
                self.kept = Vec::new();
                self.retry_at = None;
            }
            Err(error) if self.may_come(&error) => {
                self.socket = None;
                self.retry_at = Some(Instant::now() + PAUSE);
            }
            Err(error) => self.give_up(&error),
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        complain(&format!("the connection with the status server {} has been lost: {error}", self.uri));
        self.is_given_up = true;
        self.kept = Vec::new();
        self.socket = None;
    }

    /// Returns whether a server that answered by this error may be there later.
    fn may_come(&self, error: &io::Error) -> bool {
        matches!(self.address, Address::Tcp(..))
            && matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            )
    }

    fn connect(&mut self) -> io::Result<()> {
        let socket: OwnedFd = match &self.address {
            Address::Unix(path) => UnixStream::connect(path)?.into(),
            Address::Tcp(host, port) => {
                let mut refused = io::Error::other("the host has no address");
                let mut connected = None;
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT) {
                        Ok(stream) => {
                            connected = Some(stream);
                            break;
                        }
                        Err(error) => refused = error,
                    }
                }
                let stream = connected.ok_or(refused)?;
                // Without it only a delay is lost.
                let _ = stream.set_nodelay(true);
                stream.into()
            }
        };
        rustix::io::ioctl_fionbio(&socket, true)?;
        if let Some(token) = &self.token {
            let line = serde_json::json!({ "token": token }).to_string() + "\n";
            write(&socket, line.as_bytes(), None)?;
        }
        self.socket = Some(socket);
        Ok(())
    }
}

/// Writes all of it, however long the server takes to read; but not longer than a moment once the runner is to end.
fn write(socket: &OwnedFd, mut bytes: &[u8], stop: Option<&StopRequest>) -> io::Result<()> {
    let mut deadline: Option<Instant> = None;
    loop {
        bytes = &bytes[send_now(socket, bytes)?..];
        if bytes.is_empty() {
            return Ok(());
        }
        if deadline.is_none() && stop.is_some_and(|stop| stop.signal().is_some()) {
            deadline = Some(Instant::now() + HURRY);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not read what it is sent"));
        }
        let mut waited = vec![PollFd::new(socket, PollFlags::OUT)];
        waited.extend(stop.filter(|_| deadline.is_none()).map(|stop| PollFd::new(stop, PollFlags::IN)));
        let timeout = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(&mut waited, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for so long between two tries: that a server is there again, nothing tells. Returns false if the runner was asked
/// to end meanwhile.
fn wait(time: Duration, stop: Option<&StopRequest>) -> bool {
    let Some(stop) = stop else {
        std::thread::sleep(time);
        return true;
    };
    let until = Instant::now() + time;
    while stop.signal().is_none() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if let Ok(timeout) = Timespec::try_from(left) {
            // However it ends, the loop looks again.
            let _ = poll(&mut [PollFd::new(stop, PollFlags::IN)], Some(&timeout));
        }
    }
    false
}

fn complain(text: &str) {
    // With a closed terminal there is nobody to tell.
    let _ = writeln!(io::stderr(), "warning: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_paths_or_hosts_with_ports() {
        let tcp = |host: &str, port| Address::Tcp(host.to_owned(), port);
        let unix = |path: &str| Address::Unix(PathBuf::from(path));
        let cases = [
            ("127.0.0.1:8888", tcp("127.0.0.1", 8888)),
            ("localhost:1", tcp("localhost", 1)),
            ("[::1]:8888", tcp("::1", 8888)),
            ("::1:8888", tcp("::1", 8888)),
            ("st.sock", unix("st.sock")),
            ("/tmp/a:b/.status.sock", unix("/tmp/a:b/.status.sock")),
            ("./a:1", unix("./a:1")),
        ];
        for (uri, expected) in cases {
            assert_eq!(address(uri).unwrap(), expected, "{uri}");
        }
        let error = address("host:port").unwrap_err();
        assert_eq!(error.to_string(), "'host:port' is no status server: 'port' is no port");
    }
}
