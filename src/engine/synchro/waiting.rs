//! Calls that wait, and the end of waits.

use std::time::Instant;

use super::holder::{HolderId, MAIN_HOLDER};
use super::state::{Blocked, State, Step};
use crate::model::{Answer, Fault, FaultKind, SharedRef};

impl State {
    /// Lets a call wait, or ends it at once if its time is over already.
    pub(super) fn block(
        &mut self,
        holder: HolderId,
        object: SharedRef,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Step, Fault> {
        if self.blocked.contains_key(&holder) {
            // A plugin is called while main waits.
            return Err(Fault::usage(format!("cannot wait for {object} while main itself waits for a shared object")));
        }
        match deadline {
            Some(deadline) if deadline <= now => return Ok(Step::Done(Answer::Timeout(true))),
            Some(deadline) => {
                self.deadlines.insert((deadline, holder));
            }
            None => self.judge_soon(now),
        }
        if let Some(entry) = self.objects.get_mut(&object.id) {
            entry.waiting.push_back(holder);
        }
        self.blocked.insert(holder, Blocked { object, deadline });
        Ok(Step::Waits)
    }

    /// Ends the wait of a holder, without an answer. Returns what it waited for.
    pub(super) fn unblock(&mut self, holder: HolderId) -> Option<Blocked> {
        let blocked = self.blocked.remove(&holder)?;
        if let Some(deadline) = blocked.deadline {
            self.deadlines.remove(&(deadline, holder));
        }
        if let Some(object) = self.objects.get_mut(&blocked.object.id) {
            match object.waiting.front() {
                Some(first) if *first == holder => {
                    object.waiting.pop_front();
                }
                _ => object.waiting.retain(|waiting| *waiting != holder),
            }
        }
        Some(blocked)
    }

    /// Ends the wait of a holder with an answer.
    pub(super) fn wake(&mut self, holder: HolderId, answer: Answer) {
        match self.unblock(holder) {
            None => {}
            Some(_) if holder == MAIN_HOLDER => self.main_answer = Some(answer),
            Some(_) => self.woken.push((holder, answer)),
        }
    }

    /// Ends the wait of a holder that does not want it any more.
    pub(super) fn cancel(&mut self, holder: HolderId, now: Instant) {
        self.wake(holder, Answer::Error(Fault::new(FaultKind::Cancelled, "the wait was given up")));
        // An arrival that is withdrawn may have been the hope of others.
        self.judge_soon(now);
    }

    /// Ends the waits whose time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((deadline, holder)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.pop_first();
            self.wake(holder, Answer::Timeout(true));
            // An arrival that is withdrawn may have been the hope of others.
            self.judge_soon(now);
        }
    }
}
