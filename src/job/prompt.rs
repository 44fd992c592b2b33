//! Asking the user at the terminal what a task wants to know, on a thread of its own: the run goes on meanwhile.

use std::io::IsTerminal;
use std::sync::Arc;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Job;
use crate::model::{Reply, Stream, TaskNumber};

/// How often it is looked whether anybody still wants the answer, in nanoseconds.
const LOOK: i64 = 100_000_000;

/// Shows a text and answers the task with the line the user types; without a terminal with no line at once.
pub(super) fn ask(job: &Arc<Job>, task: TaskNumber, text: Vec<u8>) {
    let nobody = |job: &Job| job.reply(task, Reply::Line { text: None });
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        nobody(job);
        return;
    }
    let asked = Arc::clone(job);
    let asking = move || {
        // One question at a time: there is one terminal.
        let line = {
            let _terminal = asked.terminal.lock();
            asked.run.print(Stream::Stderr, text);
            read_line(&asked, task)
        };
        asked.reply(task, Reply::Line { text: line });
    };
    // Where no thread can be had nobody can be asked.
    if thread::Builder::new().name("prompt".to_owned()).spawn(asking).is_err() {
        nobody(job);
    }
}

/// Reads a line of the terminal; `None` at its end, when the run is to stop, and when the task has ended.
fn read_line(job: &Job, task: TaskNumber) -> Option<String> {
    let stdin = rustix::stdio::stdin();
    let mut line = Vec::new();
    loop {
        let is_over = || job.roster.view(task).is_none_or(|view| view.end.is_some());
        if job.interrupted() || is_over() {
            return None;
        }
        let mut wanted = [PollFd::new(&stdin, PollFlags::IN)];
        let limit = Timespec { tv_sec: 0, tv_nsec: LOOK };
        match poll(&mut wanted, Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return None,
        }
        // A byte at a time: what follows the line is for whoever reads next.
        let mut byte = [0];
        match rustix::io::read(stdin, &mut byte) {
            Ok(1) if byte == *b"\n" => return Some(String::from_utf8_lossy(&line).into_owned()),
            Ok(1) => line.extend(byte),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(_) | Err(_) => return None,
        }
    }
}
