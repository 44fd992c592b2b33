//! What the supervisor does when the run is asked to stop, to stand still, or loses its guardian.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use super::{Interrupted, Supervisor, kill_group};
use crate::engine::descendants;
use crate::engine::guardian;
use crate::engine::scheduler::{Answer, Input};
use crate::engine::stop::StopReason;
use crate::model::{EventKind, TaskNumber};

impl Supervisor {
    pub(super) fn signal(&self, task: TaskNumber, signal: Signal) {
        let Some(live) = self.live.get(&task) else { return };
        if live.exit.is_none() {
            kill_group(live.launched.pid, signal);
            // A task that stands still could not heed it.
            kill_group(live.launched.pid, Signal::CONT);
        }
    }

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
        for live in self.live.values() {
            let _ = pidfd_send_signal(&live.launched.pidfd, Signal::KILL);
        }
        guardian::end_all_children();
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
        let times = self.parts.interrupts.fetch_add(weight, Ordering::SeqCst) + weight;
        // What is asked later is the same stop.
        let _ = self.parts.first_signal.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        self.records.push(EventKind::Interrupted { signal, times });
        let now = self.clock.elapsed();
        let signal = self.interrupted.as_ref().map_or(signal, |first| first.signal);
        let patience = if times >= 2 { Duration::ZERO } else { self.parts.patience + Duration::from_millis(100) };
        let give_up_at = now + patience;
        self.interrupted = Some(Interrupted { signal, give_up_at });
        self.inputs.push(Input::StopAll(StopReason::Interrupted(signal)));
        if times >= 2 {
            self.inputs.push(Input::KillAll);
        }
        // A wait on a task is over at once, so that main can put its things in order while tasks end.
        self.replies.extend(self.waiting.keys().map(|wait| (*wait, Answer::StillRunning)));
    }

    fn pause(&mut self) {
        self.settle_inputs();
        self.records.push(EventKind::Paused {});
        self.flush();
        self.clock.pause();
        self.signal_everything(Signal::STOP);
        (self.parts.before_pause)();
        self.parts.control.stop_ourselves();
        // Here somebody has sent SIGCONT.
        self.signal_everything(Signal::CONT);
        self.clock.resume();
        self.records.push(EventKind::Resumed {});
    }

    fn signal_everything(&mut self, signal: Signal) {
        self.descendants.scan(&self.groups);
        for (task, live) in &self.live {
            if live.exit.is_none() {
                kill_group(live.launched.pid, signal);
            }
            for pid in self.descendants.of(*task, |_| false) {
                descendants::signal_child(pid, signal);
            }
        }
    }
}
