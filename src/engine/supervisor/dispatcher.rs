//! The part of the supervisor that has no descriptor: books and spawners, and the order in which they are heard.
//!
//! What is known of ends is taken in before any time limit is looked at, however long nobody looked.

use std::time::Duration;

use crossbeam::channel::Sender;

use super::books::{Books, Wish};
use crate::engine::request::{Failure, Request};
use crate::engine::scheduler::Input;
use crate::engine::spawner::{AttemptId, Spawner};
use crate::engine::stop::Abandoned;
use crate::model::{Dropped, EventKind};

/// How often the log is brought to the disk while tasks run.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How often spawners are heard before limits are judged, while they have more to tell: after a stall a great deal has
/// happened.
const MOST_HEARINGS: usize = 64;

/// See the module.
pub(in crate::engine) struct Dispatcher {
    pub(super) books: Books,
    pub(super) spawner: Box<dyn Spawner>,
    sync_at: Duration,
}

/// Whether the engine has come to its end.
pub(in crate::engine) enum Over {
    /// Something is under way, or may come.
    No,
    /// It was closed, and nothing is left; this one waits for the word.
    Closed(Sender<Result<(), Failure>>),
    /// Nothing is left, and whoever should close it has not come, although the run is to end.
    Abandoned(Abandoned),
}

impl Dispatcher {
    /// Makes a dispatcher.
    pub(in crate::engine) fn new(books: Books, spawner: Box<dyn Spawner>) -> Self {
        Self { books, spawner, sync_at: SYNC_INTERVAL }
    }

    /// Takes in what somebody asks of the engine.
    pub(in crate::engine) fn take(&mut self, request: Request) {
        self.books.take(request);
        self.settle_inputs();
    }

    /// Comes to rest: nothing is left to decide or to start, and all is written.
    pub(in crate::engine) fn settle(&mut self) {
        self.settle_inputs();
        self.books.write_logs();
        self.books.flush();
        self.settle_inputs();
    }

    /// Takes in all that has happened by now, and then looks at what is due.
    pub(in crate::engine) fn judge(&mut self) {
        for _ in 0..MOST_HEARINGS {
            if !self.hear() {
                break;
            }
        }
        let books = &mut self.books;
        books.end_silent_runners();
        books.give_up_hooks();
        books.inputs.push(Input::Tick);
        let now = books.clock.now();
        if now >= self.sync_at && !books.live.is_empty() {
            self.sync_at = now + SYNC_INTERVAL;
            books.sync();
        }
    }

    /// Returns for how long nothing has to be done, unless somebody asks for something or has news.
    pub(in crate::engine) fn rest(&self) -> Option<Duration> {
        let now = self.books.clock.now();
        let sync = (!self.books.live.is_empty()).then_some(self.sync_at);
        let next = self.books.due().into_iter().chain(self.spawner.due(now)).chain(sync).min();
        next.map(|next| next.saturating_sub(now))
    }

    /// Takes in that the run is asked to stop by a signal; two of weight 1 kill at once. `main` has `patience` to return.
    pub(in crate::engine) fn interrupt(&mut self, signal: i32, weight: u32, patience: Duration) {
        self.books.interrupt(signal, weight, patience);
    }

    /// Returns why the run could not be recorded, if so.
    pub(in crate::engine) fn outcome(&self) -> Result<(), Failure> {
        self.books.outcome()
    }

    /// Looks whether the engine has come to its end.
    pub(in crate::engine) fn is_over(&mut self) -> Over {
        if !self.books.is_idle() {
            return Over::No;
        }
        if let Some(reply) = self.books.take_closing() {
            let dropped = self.spawner.take_dropped();
            if dropped != Dropped::default() {
                self.books.records.push(EventKind::MessagesDropped { task: None, dropped });
            }
            self.settle();
            return Over::Closed(reply);
        }
        // Main is busy with something that is not ours; what is recorded must not depend on it.
        self.books.given_up_after().map_or(Over::No, Over::Abandoned)
    }

    /// Hears the spawners. Returns whether they may have more to tell.
    fn hear(&mut self) -> bool {
        let Self { books, spawner, .. } = self;
        let now = books.clock.now();
        let has_more = spawner.hear(now, &mut |id, news| books.hear(id, news));
        books.write_logs();
        has_more
    }

    /// Feeds the scheduler, and the spawners with what it wants, until neither has anything more to do.
    pub(super) fn settle_inputs(&mut self) {
        loop {
            self.books.settle_inputs();
            if self.books.wishes.is_empty() {
                return;
            }
            // What a task depends on is on record before it starts.
            if self.books.wishes.iter().any(|(_, wish)| matches!(wish, Wish::Start(_))) && !self.books.write_records() {
                continue;
            }
            for (id, wish) in std::mem::take(&mut self.books.wishes) {
                self.fulfil(id, wish);
            }
        }
    }

    fn fulfil(&mut self, id: AttemptId, wish: Wish) {
        let Self { books, spawner, .. } = self;
        match wish {
            Wish::Start(slots) => {
                if let Some(start) = books.prepare(id, slots) {
                    spawner.start(start, &mut |id, news| books.hear(id, news));
                }
            }
            Wish::Ask(ask) => spawner.ask(id, ask),
            Wish::Answer(reply) => spawner.answer(id, &reply),
            Wish::Hold(stream, is_held) => spawner.hold(id, stream, is_held),
        }
    }
}
