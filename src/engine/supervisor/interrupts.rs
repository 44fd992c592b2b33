//! What the supervisor does when the run is asked to stop, to stand still, or loses its guardian.

use std::time::Duration;

use super::Supervisor;
use crate::engine::guardian;
use crate::engine::spawner::Ask;
use crate::model::EventKind;

/// How much longer `main` has to return than tasks have to end.
const AFTER_TASKS: Duration = Duration::from_millis(100);

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
        self.parts.control.stop_ourselves();
        // Here somebody has sent SIGCONT.
        let dispatcher = &mut self.parts.dispatcher;
        dispatcher.books.ask_all(Ask::Continue);
        dispatcher.settle_inputs();
        dispatcher.books.clock.resume();
        dispatcher.books.records.push(EventKind::Resumed {});
    }
}
