//! What the run that is gone on with has done of the same walks.

use super::WalkError;
use crate::model::{EventKind, WalkEnded, WalkStep, WalksRan};
use crate::walk::{Earlier, Ran, SerialEnded};

/// What was done, and what was recorded of it, to be recorded again: what came before a run was resumed no longer counts.
#[derive(Default)]
pub(super) struct EarlierWalks {
    pub(super) done: Earlier,
    pub(super) events: Vec<EventKind>,
}

impl EarlierWalks {
    /// Reads what was done of a suite of this plan from what was recorded of it. Fails if it was of another plan.
    pub(super) fn of(events: Vec<EventKind>, plan: &str) -> Result<EarlierWalks, WalkError> {
        let mut earlier = EarlierWalks::default();
        for event in events {
            match &event {
                EventKind::WalksStarted(started) if started.plan != plan => return Err(WalkError::Changed),
                EventKind::WalksRan(ran) => {
                    earlier.done.add_ran(ran_of(ran));
                    earlier.events.push(event);
                }
                EventKind::SerialRan(ran) if ran.error.is_none() => {
                    earlier.done.add_serial(SerialEnded {
                        path: ran.path.clone(),
                        step: WalkStep { slot: ran.slot, option: ran.option },
                        stage: ran.stage,
                        returned: ran.returned.clone(),
                        error: None,
                        seconds: ran.seconds,
                    });
                    earlier.events.push(event);
                }
                _ => {}
            }
        }
        Ok(earlier)
    }
}

fn ran_of(ran: &WalksRan) -> Ran {
    let ended = ran.ended.iter().map(|walk| WalkEnded {
        id: walk.id,
        stage: walk.stage,
        end: walk.end,
        slot: None,
        error: walk.error.clone(),
        state: None,
        steps: Vec::new(),
        seconds: walk.seconds,
    });
    Ran {
        path: ran.path.clone(),
        stage: ran.stage,
        worker: ran.worker,
        places: ran.from..ran.to,
        portions: ran.ran,
        ended: ended.collect(),
    }
}
