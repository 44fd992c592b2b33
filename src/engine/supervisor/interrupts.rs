//! What the supervisor does when the run is asked to stop, to stand still, or loses its guardian.

use std::time::Duration;

use super::Supervisor;
use super::books::AFTER_TASKS;
use super::source::Source;
use crate::engine::guardian;
use crate::engine::request::Request;
use crate::engine::spawner::Ask;
use crate::model::EventKind;

impl Supervisor {
    pub(super) fn hear_guardian(&mut self) {
        match self.parts.control.hear_guardian() {
            Some(signals) => {
                for signal in signals {
                    self.take_signal(signal);
                }
            }
            None => self.die_with_guardian(),
        }
    }

    /// The guardian was killed. Nobody would end the tasks after us, so they end now, and the run is lost: as after a
    /// `kill -9` of the host, which to the user is the guardian.
    fn die_with_guardian(&mut self) -> ! {
        self.parts.dispatcher.spawner.abandon();
        guardian::leave(137);
    }

    pub(super) fn take_signal(&mut self, signal: i32) {
        match signal {
            libc::SIGTSTP | libc::SIGTTIN if self.parts.control.wants_terminal(signal) => {}
            libc::SIGTSTP | libc::SIGTTIN => self.pause(),
            libc::SIGCONT => {}
            libc::SIGQUIT => self.interrupt(signal, 2),
            _ => self.interrupt(signal, 1),
        }
    }

    /// Hears who wants the process to end, until it leaves: all is recorded, and somebody may still wait for a console that
    /// nobody reads.
    pub(super) fn listen(self) {
        loop {
            while let Ok(request) = self.parts.requests.try_recv() {
                if matches!(request, Request::Leave) {
                    return;
                }
            }
            let may_rest = self.parts.waker.falls_asleep(&self.parts.requests);
            let ready = self.reactor.wait(if may_rest { None } else { Some(Duration::ZERO) });
            self.parts.waker.is_up();
            let control = &self.parts.control;
            for source in ready.unwrap_or_default() {
                let signals = match source {
                    Source::Waker => {
                        self.parts.waker.drain();
                        continue;
                    }
                    Source::Signals => control.take_signals(),
                    // Without it nobody would pass on a signal.
                    Source::Guardian => match control.hear_guardian() {
                        Some(signals) => signals,
                        None => {
                            self.parts.dispatcher.books.note_interrupt(libc::SIGKILL);
                            return;
                        }
                    },
                    Source::Spawner => continue,
                };
                for signal in signals {
                    match signal {
                        libc::SIGTSTP | libc::SIGTTIN if control.wants_terminal(signal) => {}
                        libc::SIGTSTP | libc::SIGTTIN => control.stop_ourselves(),
                        libc::SIGCONT => {}
                        _ => self.parts.dispatcher.books.note_interrupt(signal),
                    }
                }
            }
        }
    }

    fn interrupt(&mut self, signal: i32, weight: u32) {
        let patience = self.parts.patience + AFTER_TASKS;
        self.parts.dispatcher.interrupt(signal, weight, patience);
    }

    fn pause(&mut self) {
        let dispatcher = &mut self.parts.dispatcher;
        dispatcher.settle_inputs();
        dispatcher.books.records.push(EventKind::Paused {});
        dispatcher.settle();
        dispatcher.books.clock.pause();
        dispatcher.books.ask_all(Ask::Stop);
        dispatcher.settle_inputs();
        (self.parts.before_pause)();
        self.stalls.pauses(true);
        self.parts.control.stop_ourselves();
        self.stalls.pauses(false);
        // Here somebody has sent SIGCONT.
        let dispatcher = &mut self.parts.dispatcher;
        dispatcher.books.ask_all(Ask::Continue);
        dispatcher.settle_inputs();
        dispatcher.books.clock.resume();
        dispatcher.books.records.push(EventKind::Resumed {});
    }
}
