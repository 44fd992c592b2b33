//! A status server of a test: it takes every connection, and keeps every line.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::DEADLINE;

/// Hears runners.
pub(crate) struct StatusServer {
    lines: Receiver<String>,
    /// The URI for a runner.
    pub(crate) uri: String,
}

impl StatusServer {
    /// Listens at a Unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket can be made");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || hear(stream, &sender));
            }
        });
        Self { lines, uri: path.display().to_string() }
    }

    /// Listens at an address for TCP.
    pub(crate) fn tcp(address: &str) -> Self {
        let listener = Arc::new(TcpListener::bind(address).expect("a port can be had"));
        let uri = listener.local_addr().expect("it has an address").to_string();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || hear(stream, &sender));
            }
        });
        Self { lines, uri }
    }

    /// Returns the next line.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a message comes")
    }

    /// Returns the lines up to the last message of a task.
    #[track_caller]
    pub(crate) fn task(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.next());
            let message: Value = serde_json::from_str(&lines[lines.len() - 1]).expect("a message is JSON");
            if message["status"] == "finished" {
                return lines;
            }
        }
    }

    /// Returns whether nothing more has come.
    pub(crate) fn is_silent(&self) -> bool {
        self.lines.recv_timeout(Duration::from_millis(1)).is_err()
    }
}

fn hear(stream: impl Read, sender: &std::sync::mpsc::Sender<String>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if sender.send(line).is_err() {
            break;
        }
    }
}
