//! From a program to messages: its output in pieces, a sign of life twice a second.
//!
//! A short test has one message for each stream, as the originals send it; a long one is heard while it runs. Pieces end
//! with a line where they can: the original joins the lines of different tests that do not.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::status::Reporter;
use crate::engine::Listener;
use crate::model::{Running, Stream};
use crate::testing::{TapRules, TapScan};

/// Time between two signs of life.
const BEAT: Duration = Duration::from_millis(506);

/// How long output waits for more.
const DELAY: Duration = Duration::from_millis(100);

/// The largest piece of output, in bytes.
const PIECE: usize = 1 << 20;

/// Takes a line of a program's channel; returns the answer.
pub(super) type OnLine<'a> = Box<dyn FnMut(&mut Streams<'_>, &[u8]) -> Option<Vec<u8>> + 'a>;

/// Hears a program and says what it heard.
pub(super) struct Relay<'a> {
    streams: Streams<'a>,
    on_line: Option<OnLine<'a>>,
    beat_at: Instant,
    tap: Option<TapScan>,
}

/// The output of a program on its way.
pub(super) struct Streams<'a> {
    pub(super) reporter: &'a mut Reporter,
    stdout: Pending,
    stderr: Pending,
    since: Option<Instant>,
    /// Why the files of output are not whole.
    pub(super) problem: Option<io::Error>,
}

/// What of a stream is not said yet.
struct Pending {
    stream: Stream,
    bytes: Vec<u8>,
    /// The file that gets a copy; who hears the messages need not write it then.
    file: Option<File>,
    /// Nothing was said of it yet, and even an empty stream is to be.
    is_due: bool,
}

impl Pending {
    /// Says the first bytes of it.
    fn say(&mut self, reporter: &mut Reporter, count: usize) {
        self.is_due = false;
        let rest = self.bytes.split_off(count);
        let log = std::mem::replace(&mut self.bytes, rest);
        let log_only = self.file.is_some();
        reporter.running(match self.stream {
            Stream::Stdout => Running::Stdout { log, log_only },
            Stream::Stderr => Running::Stderr { log, log_only },
        });
    }
}

impl<'a> Streams<'a> {
    /// Makes streams that keep copies in these files, if they are given, and that say of each even that it is empty if that
    /// is `due`.
    pub(super) fn new(reporter: &'a mut Reporter, files: Option<[File; 2]>, due: bool) -> Self {
        let [out, err] = files.map_or([None, None], |files| files.map(Some));
        let pending = |stream, file| Pending { stream, bytes: Vec::new(), file, is_due: due };
        let (stdout, stderr) = (pending(Stream::Stdout, out), pending(Stream::Stderr, err));
        Self { reporter, stdout, stderr, since: None, problem: None }
    }

    /// Takes what was written.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let pending = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if let Some(file) = &mut pending.file
            && self.problem.is_none()
            && let Err(error) = file.write_all(bytes)
        {
            self.problem = Some(error);
        }
        pending.bytes.extend_from_slice(bytes);
        while pending.bytes.len() >= PIECE {
            let end = memchr::memrchr(b'\n', &pending.bytes[..PIECE]).map_or(PIECE, |at| at + 1);
            pending.say(self.reporter, end);
        }
        if self.since.is_none() {
            self.since = Some(Instant::now());
        }
    }

    /// Says what there is in whole lines.
    pub(super) fn flush_lines(&mut self) {
        self.since = None;
        for pending in [&mut self.stdout, &mut self.stderr] {
            if let Some(at) = memchr::memrchr(b'\n', &pending.bytes) {
                pending.say(self.reporter, at + 1);
            }
        }
    }

    /// Says everything.
    pub(super) fn flush(&mut self) {
        self.since = None;
        for pending in [&mut self.stdout, &mut self.stderr] {
            if pending.is_due || !pending.bytes.is_empty() {
                let count = pending.bytes.len();
                pending.say(self.reporter, count);
            }
        }
    }
}

impl<'a> Relay<'a> {
    pub(super) fn new(streams: Streams<'a>) -> Self {
        Self { streams, on_line: None, beat_at: Instant::now(), tap: None }
    }

    /// Has standard output read as TAP.
    pub(super) fn with_tap(mut self, rules: TapRules) -> Self {
        self.tap = Some(TapScan::new(rules));
        self
    }

    /// Has lines of the channel taken.
    pub(super) fn with_lines(mut self, on_line: OnLine<'a>) -> Self {
        self.on_line = Some(on_line);
        self
    }

    /// Returns the streams, and what was read as TAP.
    pub(super) fn into_parts(self) -> (Streams<'a>, Option<TapScan>) {
        (self.streams, self.tap)
    }
}

impl Listener for Relay<'_> {
    fn stdout(&mut self, bytes: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.feed(bytes);
        }
        self.streams.take(Stream::Stdout, bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.streams.take(Stream::Stderr, bytes);
    }

    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        self.on_line.as_mut()?(&mut self.streams, line)
    }

    fn wakes(&mut self) {
        let now = Instant::now();
        if self.beat_at <= now {
            self.streams.reporter.running(Running::Heartbeat);
            self.beat_at = now + BEAT;
        }
        if self.streams.since.is_some_and(|since| since + DELAY <= now) {
            self.streams.flush_lines();
        }
    }

    fn wakes_at(&self) -> Instant {
        self.streams.since.map_or(self.beat_at, |since| self.beat_at.min(since + DELAY))
    }
}
