//! The console of a run under way: the thread that renders, in batches, and writes each batch at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Select, Sender};

use super::announcement::Announcement;
use super::canvas::Canvas;
use super::console::Console;
use super::job_log::JobLog;
use super::lines::{Look, Verbosity, line};
use super::live::{Message, Settings, Shared, ended_task};
use super::outlines::OutputLines;
use super::progress::{Progress, TICK};
use super::style::clean;
use super::summary::Summary;
use crate::model::{Level, MaskStream, Masks, Stream, TaskNumber};

/// Bytes after which a batch is written, whatever waits.
pub(super) const BATCH: usize = 256 * 1024;

/// The time between two writes that nobody waits for: each redraws the bar, and each wakes this thread, which costs short
/// tasks more than the text does.
const PACE: Duration = Duration::from_millis(50);

/// How long what may be the beginning of a secret is kept from the console if nothing follows: whoever prints a question
/// waits for an answer.
const STALL: Duration = Duration::from_millis(100);

/// The renderer's state.
pub(super) struct Renderer {
    shared: Arc<Shared>,
    inbox: Receiver<Message>,
    /// Brings something when what is in the inbox is not to wait for the pace.
    hurry: Receiver<()>,
    console: Console,
    look: Look,
    stdout_is_terminal: bool,
    progress: Option<Progress>,
    lines: OutputLines,
    /// What masks the prints of the jobfile: to standard output, and to standard error.
    prints: [MaskStream; 2],
    /// Since when something of them is kept.
    kept: Option<Instant>,
    log: Option<JobLog>,
    masks: Masks,
    batch: Batch,
    /// Whether the terminal's last line will be unfinished after this batch, so that no bar can stand there.
    open_line: bool,
    /// Whether it was after the batch before.
    line_was_open: bool,
    written: Option<Instant>,
}

/// What is to be written next.
#[derive(Default)]
struct Batch {
    /// Text in order, neighbours for the same stream joined.
    texts: Vec<(Stream, Vec<u8>)>,
    length: usize,
    /// Bytes of tasks' output that are in it, as the senders counted them.
    output: usize,
    /// Who waits for it to be written.
    waiting: Vec<Sender<()>>,
    /// The bar is to go, because the run stands still.
    clear_bar: bool,
    last: bool,
}

impl Batch {
    fn text(&mut self, stream: Stream) -> &mut Vec<u8> {
        if self.texts.last().is_none_or(|(last, _)| *last != stream) {
            self.texts.push((stream, Vec::new()));
        }
        let end = self.texts.len() - 1;
        &mut self.texts[end].1
    }

    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.text(stream).extend_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn is_urgent(&self) -> bool {
        self.last || self.clear_bar || !self.waiting.is_empty() || self.length >= BATCH
    }
}

impl Renderer {
    /// Makes a renderer that has shown nothing yet.
    pub(super) fn new(settings: Settings, shared: Arc<Shared>, inbox: Receiver<Message>, hurry: Receiver<()>) -> Self {
        let Settings { look, bar, stdout_is_terminal, size, console, log, masks } = settings;
        let progress = bar.then(|| Progress::new(Canvas::new(size), look.paint, Instant::now()));
        Renderer {
            shared,
            inbox,
            hurry,
            console,
            look,
            stdout_is_terminal,
            progress,
            prints: [masks.stream(), masks.stream()],
            kept: None,
            lines: OutputLines::new(masks.clone()),
            log,
            masks,
            batch: Batch::default(),
            open_line: false,
            line_was_open: false,
            written: None,
        }
    }

    /// Renders until the last words, or until nobody is left who could announce anything.
    pub(super) fn run(mut self) {
        loop {
            let more = self.digest();
            let now = Instant::now();
            if self.left_of_stall(now).is_some_and(|left| left.is_zero()) {
                self.let_go();
            }
            if (self.batch.is_urgent() || self.left_of_pace(now).is_zero()) && self.write(now) {
                return;
            }
            if more {
                continue;
            }
            let left = self.left_of_pace(now);
            if left.is_zero() {
                let tick = self.progress.is_some().then_some(TICK);
                self.wait(tick.into_iter().chain(self.left_of_stall(now)).min());
            } else {
                // What comes meanwhile does not wake this thread, unless it is urgent.
                let _ = self.hurry.recv_timeout(left);
            }
        }
    }

    /// Returns how long the next write has to wait if nobody waits for it.
    fn left_of_pace(&self, now: Instant) -> Duration {
        self.written.map_or(Duration::ZERO, |written| PACE.saturating_sub(now.duration_since(written)))
    }

    /// Returns how long what is kept of a print may be kept still.
    fn left_of_stall(&self, now: Instant) -> Option<Duration> {
        self.kept.map(|since| STALL.saturating_sub(now.duration_since(since)))
    }

    /// Shows what is kept of a print: nothing followed.
    fn let_go(&mut self) {
        self.kept = None;
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut text = Vec::new();
            self.prints[index(stream)].let_go(&mut |bytes| text.extend_from_slice(bytes));
            self.put(stream, &text);
        }
    }

    /// Waits until something comes, or so long.
    fn wait(&self, at_most: Option<Duration>) {
        let mut select = Select::new();
        select.recv(&self.inbox);
        match at_most {
            None => {
                select.ready();
            }
            // Both ends of the wait are followed by a look at what has come.
            Some(time) => drop(select.ready_timeout(time)),
        }
    }

    /// Moves what has come into the batch. Returns whether there is more than a batch of it.
    fn digest(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let mut fold = shared.fold.lock();
        let open = fold.drain();
        let now = Instant::now();
        let came = !fold.backlog.is_empty();
        while !self.batch.last && self.batch.length < BATCH {
            match fold.backlog.pop_front() {
                Some(Message::Announce(announcement)) => self.announcement(announcement, &fold.summary, now),
                Some(Message::Stop(text)) => self.stop(&text, &fold.summary),
                Some(Message::Gap(key, gap)) => {
                    let (bytes, ended_line) = shared.close(key, &gap);
                    self.lines.leave_out(key, bytes, ended_line);
                }
                Some(Message::Wake) => {}
                None => {
                    if !open {
                        self.stop("", &fold.summary);
                    }
                    break;
                }
            }
        }
        if came && self.batch.texts.is_empty() {
            // What leaves nothing to be shown counts as shown: the next event is not to wake this thread either.
            self.written = Some(now);
        }
        !fold.backlog.is_empty()
    }

    fn announcement(&mut self, announcement: Announcement, summary: &Summary, now: Instant) {
        if let Some(log) = &mut self.log {
            log.take(&announcement, summary);
        }
        match announcement {
            Announcement::Event(event) => {
                if let Some(task) = ended_task(&event.kind) {
                    self.end_output(task, summary);
                }
                if let Some(progress) = &mut self.progress {
                    progress.note(&event.kind, now);
                    self.batch.clear_bar |= progress.is_paused();
                }
                if let Some(text) = line(&event, summary, self.look) {
                    self.say(text.as_bytes());
                }
            }
            Announcement::Output { task, stream, bytes } => {
                self.batch.output += bytes.len();
                let id = id(task, summary);
                let mut text = Vec::new();
                self.lines.take((task, stream), &bytes, &id, self.look.paint, &mut text);
                self.say(&text);
            }
            Announcement::Print { stream, bytes, done } => {
                let mut text = Vec::new();
                let print = &mut self.prints[index(stream)];
                print.write(&bytes, &mut |bytes| text.extend_from_slice(bytes));
                self.kept = self.prints.iter().any(MaskStream::is_holding).then_some(now);
                self.put(stream, &text);
                self.batch.waiting.push(done);
            }
            Announcement::Log { level, logger, text } => self.logged(level, &logger, &text),
            Announcement::Flush(done) => self.batch.waiting.push(done),
        }
    }

    /// Shows a log record of the jobfile, its further lines indented.
    fn logged(&mut self, level: Level, logger: &str, text: &[u8]) {
        if self.look.verbosity < Verbosity::Normal && level < Level::Warning {
            return;
        }
        let paint = self.look.paint;
        let text = self.masks.mask(text.strip_suffix(b"\n").unwrap_or(text));
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<_> = text.split('\n').map(|line| clean(line, paint)).collect();
        let name = if logger.is_empty() { "root" } else { logger };
        let level = match level {
            Level::Debug | Level::Info => paint.dim(level).to_string(),
            Level::Warning | Level::Error | Level::Critical => paint.warning(level).to_string(),
        };
        self.say(
            format!("{level} {}: {}\n", clean(&self.masks.mask_text(name), paint), lines.join("\n    ")).as_bytes(),
        );
    }

    fn end_output(&mut self, task: TaskNumber, summary: &Summary) {
        let mut text = Vec::new();
        self.lines.end(task, &id(task, summary), self.look.paint, &mut text);
        self.say(&text);
    }

    fn stop(&mut self, text: &str, summary: &Summary) {
        for task in self.lines.tasks() {
            self.end_output(task, summary);
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut text = Vec::new();
            self.prints[index(stream)].finish(&mut |bytes| text.extend_from_slice(bytes));
            self.put(stream, &text);
        }
        self.say(text.as_bytes());
        self.batch.last = true;
    }

    /// Writes the batch and brings the bar up to date. Returns whether it was the last.
    fn write(&mut self, now: Instant) -> bool {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        let batch = std::mem::take(&mut self.batch);
        let was_open = std::mem::replace(&mut self.line_was_open, self.open_line);
        if !batch.texts.is_empty() {
            self.written = Some(now);
        }
        let mut console = Writer { console: &mut self.console, pending: Vec::new() };
        match &mut self.progress {
            _ if batch.texts.is_empty() && !batch.clear_bar && !batch.last => {}
            None => batch.texts.iter().for_each(|(stream, text)| console.put(*stream, text)),
            Some(progress) => {
                let stays = !(batch.last || batch.clear_bar || self.open_line || was_open);
                let redraw = progress.around(stays, |clear| {
                    console.put(Stream::Stderr, &clear);
                    batch.texts.iter().for_each(|(stream, text)| console.put(*stream, text));
                });
                console.put(Stream::Stderr, &redraw);
                self.written = Some(now);
            }
        }
        if let Some(progress) = self.progress.as_mut().filter(|_| !batch.last && !self.open_line) {
            let drawn = progress.refresh(&self.shared.fold.lock().summary, now);
            console.put(Stream::Stderr, &drawn);
        }
        console.flush();
        self.shared.waiting.fetch_sub(batch.output, Ordering::Relaxed);
        for done in batch.waiting {
            // Who has stopped waiting need not be told.
            let _ = done.try_send(());
        }
        batch.last
    }

    /// Adds text of ours, which begins on a line of its own.
    fn say(&mut self, text: &[u8]) {
        if self.open_line && !text.is_empty() {
            self.put(Stream::Stderr, b"\n");
        }
        self.put(Stream::Stderr, text);
    }

    /// Adds text, and keeps track of whether the terminal's last line is finished.
    fn put(&mut self, stream: Stream, text: &[u8]) {
        self.batch.put(stream, text);
        if stream == Stream::Stderr || self.stdout_is_terminal {
            self.open_line = text.last().map_or(self.open_line, |byte| *byte != b'\n');
        }
    }
}

/// Joins what goes to one stream to one write.
struct Writer<'a> {
    console: &'a mut Console,
    pending: Vec<(Stream, Vec<u8>)>,
}

impl Writer<'_> {
    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        match self.pending.last_mut() {
            _ if bytes.is_empty() => {}
            Some((last, text)) if *last == stream => text.extend_from_slice(bytes),
            _ => self.pending.push((stream, bytes.to_vec())),
        }
    }

    fn flush(self) {
        for (stream, text) in &self.pending {
            self.console.write(*stream, text);
        }
    }
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

fn id(task: TaskNumber, summary: &Summary) -> String {
    summary
        .row(task)
        .map_or_else(|| format!("task {task}"), |row| clean(row.id(), super::Paint::default()).into_owned())
}
