//! The thread that carries out what the scheduler decides, and tells it what happens.
//!
//! The books decide, the dispatcher hears; this waits.

mod books;
mod dispatcher;
mod hearing;
mod interrupts;
mod last_words;
mod live;
mod reports;
mod runner_files;
mod source;
mod stalls;
mod starts;
mod task_log;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, TryRecvError};

pub(super) use self::books::{BookParts, Books, Hooks};
pub(super) use self::dispatcher::{Dispatcher, Over};
use self::source::Source;
pub(crate) use self::stalls::OnStall;
use self::stalls::Stalls;
pub(crate) use self::starts::OPERATION_KIND;
use super::control::Control;
use super::reactor::Reactor;
use super::request::{Failure, Request, Waker};
use super::signals;
use super::stop::Abandoned;

/// What the supervisor needs from its makers.
pub(super) struct Parts {
    pub(super) requests: Receiver<Request>,
    pub(super) waker: Arc<Waker>,
    pub(super) control: Control,
    pub(super) dispatcher: Dispatcher,
    pub(super) before_pause: Box<dyn Fn() + Send>,
    pub(super) on_abandoned: Box<dyn Fn(Abandoned) + Send>,
    pub(super) on_stall: OnStall,
    pub(super) patience: Duration,
}

/// See the module.
pub(super) struct Supervisor {
    parts: Parts,
    reactor: Reactor<Source>,
    stalls: Stalls,
}

impl Supervisor {
    pub(super) fn new(mut parts: Parts) -> io::Result<Self> {
        let stalls = Stalls::new(std::mem::replace(&mut parts.on_stall, Box::new(|_| ())));
        let reactor = Reactor::new()?;
        reactor.watch(&*parts.waker, &Source::Waker)?;
        reactor.watch(parts.control.guardian(), &Source::Guardian)?;
        reactor.watch(parts.control.signals(), &Source::Signals)?;
        if let Some(news) = parts.dispatcher.spawner.wakes() {
            reactor.watch(news, &Source::Spawner)?;
        }
        Ok(Self { parts, reactor, stalls })
    }

    /// Runs until the engine is closed and every task has ended.
    pub(super) fn run(mut self) {
        // This thread has the mask of any other program's; only writing to a terminal from the background is held back.
        signals::for_host().unblock();
        loop {
            self.take_requests();
            self.parts.dispatcher.settle();
            match self.parts.dispatcher.is_over() {
                Over::No => {}
                Over::Closed(reply) => {
                    let _ = reply.send(self.parts.dispatcher.outcome());
                    return self.listen();
                }
                Over::Abandoned(why) => return (self.parts.on_abandoned)(why),
            }
            let may_rest = self.parts.waker.falls_asleep(&self.parts.requests);
            let timeout = if may_rest { self.parts.dispatcher.rest() } else { Some(Duration::ZERO) };
            if self.note_stall(|stalls, now| stalls.rests(now, timeout)) {
                self.parts.dispatcher.settle();
            }
            let ready = match self.reactor.wait(timeout) {
                Ok(ready) => ready,
                Err(error) => {
                    self.parts.dispatcher.books.fail(Failure::new("waiting for tasks", &error));
                    Vec::new()
                }
            };
            self.parts.waker.is_up();
            self.note_stall(Stalls::wakes);
            // What has happened comes before what is wanted now: a task that has ended is not to be stopped.
            self.parts.dispatcher.judge();
            // Before what is due is ended: then nothing would be late any more.
            self.note_stall(Stalls::works);
            for source in ready {
                self.attend(source);
            }
        }
    }

    /// Records a stall, if it was one.
    fn note_stall(&mut self, judge: impl FnOnce(&mut Stalls, Duration) -> Option<Duration>) -> bool {
        let books = &mut self.parts.dispatcher.books;
        let stall = judge(&mut self.stalls, books.clock.now());
        if let Some(length) = stall {
            books.note_stall(length);
        }
        stall.is_some()
    }

    fn take_requests(&mut self) {
        loop {
            match self.parts.requests.try_recv() {
                // One at a time, so that a wait sees the tasks that were submitted before it.
                Ok(request) => self.parts.dispatcher.take(request),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn attend(&mut self, source: Source) {
        match source {
            Source::Waker => self.parts.waker.drain(),
            Source::Guardian => self.hear_guardian(),
            Source::Signals => {
                for signal in self.parts.control.take_signals() {
                    self.take_signal(signal);
                }
            }
            // They are all heard after this.
            Source::Spawner => {}
        }
    }
}
