//! Which worker runs which walks when: a state machine without processes, clocks or files.
//!
//! [`Coordinator::handle`] takes what happened and returns what is to be done. The tree of the options of serial actions is gone
//! through depth first: the portions of all walks of a branch end before the serial action behind them runs, and everything
//! below one of its options ends before the next option's turn. Nothing is kept of a walk that simply passes, so that 10^7 of
//! them take no memory here; walks that failed or were cancelled are kept by their ids.

mod death;
mod orders;
mod owners;
mod pool;
mod resume;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use serde_json::Value;

use self::owners::{Home, Owners};
use self::pool::Pool;
pub(crate) use self::resume::Earlier;
use super::{Plan, Selection, ShardTable};
use crate::model::{NoState, RaisedError, WalkEnd, WalkEnded, WalkOrder, WalkReport, WalkStep};

/// What a coordinator is made with.
#[derive(Debug)]
pub(crate) struct Setup {
    /// All walks.
    pub(crate) plan: Plan,
    /// Those that are run.
    pub(crate) selection: Selection,
    /// Of which the workers run those of a shard alone.
    pub(crate) shard: Option<ShardTable>,
    /// Ids of walks that are not run, ascending.
    pub(crate) excluded: Vec<u64>,
    /// How many workers there are, at least 1.
    pub(crate) workers: u32,
    /// The state with which walks begin, encoded.
    pub(crate) state: Value,
    /// The state of each walk is wanted at the end.
    pub(crate) gathers: bool,
    /// After how many failing walks no more are started.
    pub(crate) max_failures: Option<u64>,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// A worker is there and waits for the suite.
    Connected {
        /// Its number.
        worker: u32,
    },
    /// A worker has said something.
    Report {
        /// Its number.
        worker: u32,
        /// What.
        report: WalkReport,
    },
    /// A worker is gone.
    Died {
        /// Its number.
        worker: u32,
        /// What became of it, as in "its worker …".
        how: String,
        /// The page it left.
        page: Page,
    },
    /// The walks are to stop; nothing more is started.
    Stop,
}

/// What stands in the page that a worker shares with the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The id of the walk that runs.
    pub(crate) current: Option<u64>,
    /// How many portions of the present order have ended.
    pub(crate) ended: u64,
    /// How many actions have been run in all.
    pub(crate) actions: u64,
    /// When the walk that runs was begun, in nanoseconds of the monotonic clock.
    pub(crate) begun: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Start a worker; answered by `Connected`, or by `Died`.
    Start {
        /// Its number.
        worker: u32,
    },
    /// Hand a worker the suite.
    Load {
        /// Its number.
        worker: u32,
    },
    /// Hand a worker an order.
    Send {
        /// Its number.
        worker: u32,
        /// The order.
        order: WalkOrder,
    },
    /// Hand a worker the order to take over states from the spool of another one.
    Adopt {
        /// Its number.
        worker: u32,
        /// The other's.
        spool: u32,
        /// Walks of which, as they were after which stage.
        states: Vec<(crate::model::Walks, u32)>,
    },
    /// A stage of a branch begins.
    Stage {
        /// The stage, from 0.
        stage: u32,
        /// The serial action that is run before it.
        serial: Option<WalkStep>,
        /// How many walks are in the branch, those that ended before included.
        walks: u64,
    },
    /// These walks have come through a stage; to be recorded before anything that follows.
    Ran(Ran),
    /// A serial action has ended; to be recorded before anything that follows.
    SerialEnded(SerialEnded),
    /// Some of the states that are wanted.
    States(Vec<(u64, Result<Value, NoState>)>),
    /// There is nothing more to do: the workers may go.
    End,
}

/// Walks that have come through a stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ran {
    /// The options of the serial actions that they have in common.
    pub(crate) path: Vec<u32>,
    /// The stage, from 0.
    pub(crate) stage: u32,
    /// The worker.
    pub(crate) worker: u32,
    /// Their places in the selection.
    pub(crate) places: Range<u64>,
    /// How many portions were run.
    pub(crate) portions: u64,
    /// Those that did not simply pass, or all if all are reported.
    pub(crate) ended: Vec<WalkEnded>,
}

/// A serial action that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SerialEnded {
    /// The options of the serial actions up to it.
    pub(crate) path: Vec<u32>,
    /// Which, and with which option.
    pub(crate) step: WalkStep,
    /// The stage that follows.
    pub(crate) stage: u32,
    /// What it returned.
    pub(crate) returned: Option<Value>,
    /// What it raised.
    pub(crate) error: Option<RaisedError>,
    /// Seconds it took.
    pub(crate) seconds: f64,
}

/// What made the walks stop before all had run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// They were asked to.
    Asked,
    /// A worker could not load the suite.
    Refused(RaisedError),
    /// Workers died before they had run anything.
    Deaths(String),
    /// A serial action failed.
    Serial(WalkStep, RaisedError),
    /// So many walks failed that no more were to be started.
    Failures(u64),
}

/// How many there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Walks that were begun.
    pub(crate) walks: u64,
    /// Portions that were begun, those of no action included.
    pub(crate) segments: u64,
    /// Walks that came through their last stage.
    pub(crate) passed: u64,
    /// Walks that failed.
    pub(crate) failed: u64,
    /// Those of them whose worker died.
    pub(crate) crashed: u64,
    /// Walks that were cancelled.
    pub(crate) cancelled: u64,
    /// Actions that were run.
    pub(crate) actions: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Coordinator {
    setup: Setup,
    workers: BTreeMap<u32, Worker>,
    last_worker: u32,
    phase: Phase,
    /// The stage at work.
    stage: usize,
    /// The options of the serial actions of the branch at work.
    path: Vec<u32>,
    /// What each of them returned.
    returned: Vec<Option<Value>>,
    /// Walks that ended otherwise than by passing, by id.
    ended: BTreeMap<u64, WalkEnd>,
    owners: Owners,
    /// Places of walks that came through the last stage, or ended in it.
    through: Owners,
    counts: Counts,
    /// How many workers in a row died without having done anything.
    vain_deaths: u32,
    stopped: Option<Stopped>,
    earlier: Earlier,
    effects: Vec<Effect>,
}

#[derive(Debug)]
enum Phase {
    /// A serial action waits for a worker.
    SerialDue(WalkStep),
    /// It runs.
    Serial(WalkStep),
    /// Portions run.
    Portions(Pool),
    /// States are gathered; of these places they are still to come, by worker.
    Gather(BTreeMap<u32, VecDeque<Range<u64>>>),
    /// It is over.
    Over,
}

#[derive(Debug, Default)]
struct Worker {
    activity: Activity,
    /// How many walks it is given next, by stage.
    paces: Vec<u64>,
    /// States it has to take over before anything else: from whose spool, of which places, and as they were after which
    /// stage.
    adopts: VecDeque<(u32, owners::Written)>,
}

#[derive(Debug, Default)]
enum Activity {
    /// It was started and has not loaded the suite.
    #[default]
    Loading,
    Idle,
    Run {
        places: Range<u64>,
        ended: Vec<WalkEnded>,
    },
    Adopt,
    Serial,
    States {
        places: Range<u64>,
    },
}

impl Coordinator {
    /// Makes a coordinator, and returns what is to be done first. `earlier` is what was done of the same suite before its
    /// host died.
    pub(crate) fn new(setup: Setup, earlier: Earlier) -> (Self, Vec<Effect>) {
        let mut coordinator = Self {
            setup,
            workers: BTreeMap::new(),
            last_worker: earlier.last_worker(),
            phase: Phase::Over,
            stage: 0,
            path: Vec::new(),
            returned: Vec::new(),
            ended: BTreeMap::new(),
            owners: Owners::default(),
            through: Owners::default(),
            counts: Counts::default(),
            vain_deaths: 0,
            stopped: None,
            earlier,
            effects: Vec::new(),
        };
        coordinator.take_earlier();
        coordinator.begin();
        let wanted = u64::from(coordinator.setup.workers).min(coordinator.setup.selection.len());
        if !matches!(coordinator.phase, Phase::Over) {
            for _ in 0..wanted {
                coordinator.start_worker();
            }
            coordinator.inherit_earlier();
            if matches!(coordinator.phase, Phase::Gather(_)) {
                coordinator.gather();
            }
        }
        coordinator.advance();
        let effects = std::mem::take(&mut coordinator.effects);
        (coordinator, effects)
    }

    /// Takes in what happened, and returns what is to be done.
    pub(crate) fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Connected { worker } if self.workers.contains_key(&worker) => {
                self.effects.push(Effect::Load { worker });
            }
            Input::Connected { .. } => {}
            Input::Report { worker, report } => self.take_report(worker, report),
            Input::Died { worker, how, page } => self.take_death(worker, &how, page),
            Input::Stop => {
                self.stopped.get_or_insert(Stopped::Asked);
                self.end();
            }
        }
        self.advance();
        std::mem::take(&mut self.effects)
    }

    /// Returns whether it is over.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Returns the counts.
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the walks that ended otherwise than by passing.
    pub(crate) const fn ended(&self) -> &BTreeMap<u64, WalkEnd> {
        &self.ended
    }

    /// Returns the places of the walks that came through the last stage, or ended in it.
    pub(crate) fn through(&self) -> Vec<Range<u64>> {
        self.through.of(0)
    }

    /// Returns what made the walks stop before all had run.
    pub(crate) const fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// Returns what it was made with.
    pub(crate) const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Returns whether a worker runs portions of walks now, or a serial action, which are limited in time.
    pub(crate) fn is_walking(&self, worker: u32) -> bool {
        let is_limited = |worker: &Worker| matches!(worker.activity, Activity::Run { .. } | Activity::Serial);
        self.workers.get(&worker).is_some_and(is_limited)
    }

    /// Returns whether the walk at a place is still to come to its end.
    fn is_live(&self, place: u64) -> bool {
        let id = self.setup.selection.id(place);
        if self.ended.contains_key(&id) || self.setup.excluded.binary_search(&id).is_ok() {
            return false;
        }
        self.setup.shard.as_ref().is_none_or(|shard| shard.holds(&self.setup.plan.options(id)))
    }

    /// Returns whether states outlive the portion that made them.
    fn keeps_states(&self) -> bool {
        self.setup.gathers || self.setup.plan.stages().len() > 1
    }

    fn start_worker(&mut self) -> u32 {
        self.last_worker += 1;
        let worker = self.last_worker;
        // Small at first: nobody knows how long a walk takes.
        let paces = vec![pool::FIRST; self.setup.plan.stages().len()];
        self.workers.insert(worker, Worker { paces, ..Worker::default() });
        self.effects.push(Effect::Start { worker });
        worker
    }

    /// Notes that the states of walks that came through the stage at work are with a worker, and in its spool. That of a
    /// walk that ended at an earlier stage stays where it is, and so does that of one which has crashed now: nobody has written
    /// down what became of it. Those are wanted only if states are gathered.
    fn note_states(&mut self, places: &Range<u64>, worker: u32, ended: &[WalkEnded]) {
        if !self.keeps_states() || places.is_empty() {
            return;
        }
        let home = Home { owner: worker, spool: worker, stage: u32::try_from(self.stage).unwrap_or(u32::MAX) };
        let mut start = places.start;
        if self.setup.gathers && self.stage > 0 {
            let selection = &self.setup.selection;
            let ids = selection.id(places.start)..=selection.id(places.end - 1);
            let crashed = ended.iter().filter(|walk| death::is_crash(walk)).map(|walk| walk.id);
            let mut stay: Vec<u64> = self.ended.range(ids).map(|(id, _)| *id).chain(crashed).collect();
            stay.sort_unstable();
            for place in stay.into_iter().filter_map(|id| selection.place(id)) {
                self.owners.set(start..place, home);
                start = place + 1;
            }
        }
        self.owners.set(start..places.end, home);
    }

    /// Has a worker take over what another one had: of each state what was recorded last.
    fn adopt(&mut self, heir: u32) {
        let last = u32::try_from(self.setup.plan.stages().len() - 1).unwrap_or(u32::MAX);
        let gathers = self.setup.gathers;
        for (spool, mut states) in self.owners.written(heir) {
            // Behind the last stage only those that are gathered are wanted.
            states.retain(|(_, stage)| gathers || *stage < last);
            if let Some(entry) = self.workers.get_mut(&heir)
                && !states.is_empty()
                && spool != heir
            {
                entry.adopts.push_back((spool, states));
            }
        }
    }

    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
    }

    fn end(&mut self) {
        if !self.is_over() {
            self.phase = Phase::Over;
            self.effects.push(Effect::End);
        }
    }
}
