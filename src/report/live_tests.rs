//! The console as a whole: what reaches its two streams.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;

use super::announcement::Announcement;
use super::console::Console;
use super::fixture::{end, events, finished, job, queued, run_started, started};
use super::lines::Look;
use super::live::{Live, Settings};
use crate::model::{EventKind, Masks, Outcome, Stream};

/// A stream that can be looked at.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that takes nothing until it is let go, and tells when it is first asked to.
struct Stuck(Sender<()>, Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(());
        let _ = self.1.recv();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that is stuck at first and can be looked at afterwards.
struct Slow(Stuck, Screen);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream whose reader is gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(stdout: impl Write + Send + 'static, stderr: impl Write + Send + 'static, bar: bool) -> Settings {
    let console = Console::new(Box::new(stdout), Box::new(stderr));
    let (look, masks) = (Look::default(), Masks::default());
    Settings { look, bar, stdout_is_terminal: bar, size: || (80, 24), console, log: None, masks }
}

fn announce(live: &Live, kinds: Vec<EventKind>) {
    for event in events(kinds) {
        live.handle().event(event);
    }
}

fn print(live: &Live, stream: Stream, text: &str) {
    let (done, written) = bounded(1);
    live.handle().announce(Announcement::Print { stream, bytes: text.into(), done });
    written.recv().unwrap();
}

fn output(live: &Live, bytes: &[u8]) {
    let announcement = Announcement::Output { task: 1, stream: Stream::Stdout, bytes: bytes.to_vec() };
    live.handle().announce(announcement);
}

fn flush(live: &Live) {
    let (done, written) = bounded(1);
    live.handle().announce(Announcement::Flush(done));
    written.recv().unwrap();
}

#[test]
fn without_a_terminal_there_is_a_line_a_task_and_the_last_word() {
    let (out, err) = (Screen::default(), Screen::default());
    let live = Live::start(settings(out.clone(), err.clone(), false)).unwrap();
    announce(&live, job());
    assert_eq!(live.with_summary(super::summary::Summary::outcome), Some(Outcome::Errored));
    let summary = live.finish(&|| false, |summary| format!("{} tasks\n", summary.counts.total));
    assert_eq!((summary.counts.total, out.text().as_str()), (5, ""));
    let err = err.text();
    assert!(err.contains("   PASSED [   0.012s] connect\n") && err.ends_with("5 tasks\n"), "{err}");
    assert!(!err.contains('\x1b'), "{err}");
}

#[test]
fn prints_are_raw_acknowledged_and_in_order_and_output_is_whole_lines() {
    let (out, err) = (Screen::default(), Screen::default());
    let live = Live::start(settings(out.clone(), err.clone(), false)).unwrap();
    announce(&live, vec![queued(1, "a", 0), started(1, 1)]);
    print(&live, Stream::Stdout, "data\x1b[0m without end");
    assert_eq!(out.text(), "data\x1b[0m without end");
    output(&live, b"one\nhalf ");
    print(&live, Stream::Stderr, "said\n");
    output(&live, b"whole\nrest");
    announce(&live, vec![end(finished(1, Outcome::Passed, None))]);
    flush(&live);
    assert_eq!(err.text(), "a | one\nsaid\na | half whole\na | rest\n   PASSED [   0.012s] a\n");
    let _ = live.finish(&|| false, |_| String::new());
}

#[test]
fn secrets_are_masked_and_a_question_is_not_kept_from_who_waits_for_it() {
    let (out, err) = (Screen::default(), Screen::default());
    let masks = Masks::new(["hunter2hunter2"]);
    let live = Live::start(Settings { masks, ..settings(out.clone(), err.clone(), false) }).unwrap();
    announce(&live, vec![queued(1, "a", 0), started(1, 1)]);
    print(&live, Stream::Stdout, "it is hunter2");
    print(&live, Stream::Stdout, "hunter2.\n");
    assert_eq!(out.text(), "it is ***.\n");
    print(&live, Stream::Stdout, "hunt");
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while out.text() != "it is ***.\nhunt" && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(out.text(), "it is ***.\nhunt");
    print(&live, Stream::Stdout, "er2hunter2 and hunter");
    output(&live, b"hunter2hun");
    output(&live, b"ter2\n");
    let (level, text) = (crate::model::Level::Info, b"x hunter2hunter2".to_vec());
    live.handle().announce(Announcement::Log { level, logger: String::new(), text });
    let _ = live.finish(&|| false, |_| String::new());
    assert_eq!(out.text(), "it is ***.\nhunt*** and hunter");
    assert!(err.text().contains("a | ***\n") && err.text().contains("root: x ***\n"), "{}", err.text());
}

#[test]
fn nobody_waits_for_a_stuck_terminal_and_results_are_had_all_the_same() {
    let ((asked, is_asked), (let_go, hold)) = (unbounded(), bounded::<()>(0));
    let live = Live::start(settings(io::sink(), Stuck(asked, hold), false)).unwrap();
    announce(&live, vec![run_started(), queued(1, "a", 0), started(1, 1)]);
    is_asked.recv().unwrap();
    for _ in 0..10 {
        output(&live, &vec![b'x'; 1024 * 1024]);
    }
    announce(&live, vec![end(finished(1, Outcome::Passed, None))]);
    assert_eq!(live.with_summary(|summary| summary.counts.ended()), 1);
    let summary = live.finish(&|| true, |_| "never seen".to_owned());
    assert_eq!((summary.counts.ended(), summary.counts.total), (1, 1));
    drop(let_go);
}

#[test]
fn output_that_a_slow_terminal_cannot_take_is_counted() {
    let ((asked, is_asked), (let_go, hold)) = (unbounded(), bounded::<()>(0));
    let seen = Screen::default();
    let live = Live::start(settings(io::sink(), Slow(Stuck(asked, hold), seen.clone()), false)).unwrap();
    announce(&live, vec![run_started(), queued(1, "a", 0), started(1, 1)]);
    is_asked.recv().unwrap();
    let text_line = "x".repeat(63) + "\n";
    for _ in 0..5 {
        output(&live, text_line.repeat(16 * 1024).as_bytes());
    }
    drop(let_go);
    let _ = live.finish(&|| false, |_| "end\n".to_owned());
    let text = seen.text();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("a | x")).collect();
    assert_eq!(
        lines[lines.len() - 2..],
        ["… 1048576 bytes of output of a not shown: the terminal was too slow", "end"]
    );
    assert_eq!(text.matches(&format!("a | {text_line}")).count(), 4 * 16 * 1024);
    assert!(text.ends_with("end\n"));
}

#[test]
fn a_run_goes_on_when_its_reader_is_gone() {
    let out = Screen::default();
    let live = Live::start(settings(out.clone(), Gone, false)).unwrap();
    announce(&live, job());
    print(&live, Stream::Stderr, "lost");
    print(&live, Stream::Stdout, "kept");
    let summary = live.finish(&|| false, |_| "lost".to_owned());
    assert_eq!((summary.counts.total, out.text().as_str()), (5, "kept"));
}

#[test]
fn the_bar_shows_who_runs_and_is_gone_at_the_end() {
    let err = Screen::default();
    let live = Live::start(settings(io::sink(), err.clone(), true)).unwrap();
    announce(&live, vec![run_started(), queued(1, "first", 0), queued(2, "second", 0), started(1, 1)]);
    while !err.text().contains("first") {
        flush(&live);
    }
    assert!(err.text().contains("0/2"), "{:?}", err.text());
    print(&live, Stream::Stdout, "no line end");
    flush(&live);
    let before = err.text().len();
    flush(&live);
    assert_eq!(err.text().len(), before, "no bar on an unfinished line");
    announce(&live, vec![end(finished(1, Outcome::Passed, None))]);
    let _ = live.finish(&|| false, |_| "the end\n".to_owned());
    let text = err.text();
    let last = text.rsplit("the end").nth(1).unwrap();
    assert!(last.contains("\n   PASSED [   0.012s] first\n") && text.ends_with("the end\n"), "{text:?}");
    let after_line = last.rsplit("first\n").next().unwrap();
    assert!(!after_line.contains("/2"), "the bar is gone: {after_line:?}");
}
