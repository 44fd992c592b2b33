//! The coordinator with workers that are none: they say what real ones would, in any order, and die.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{WalkSlot, Walks};
use crate::walk::{Shard, Slot};

/// What a walk does at a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Pass,
    Fail,
    Cancel,
    /// Its worker dies.
    Crash,
}

/// Workers that are none, and what happened among them.
struct World {
    coordinator: Coordinator,
    effects: VecDeque<Effect>,
    does: Box<dyn Fn(u64, u32) -> Does>,
    /// Which workers die while loading.
    dies_loading: Box<dyn Fn(u32) -> bool>,
    /// What serial actions raise.
    serial_fails: Box<dyn Fn(WalkStep) -> bool>,
    /// What happened: `"1:0@2"` for walk 1 at stage 0 by worker 2; `"S1=0"` for a serial action.
    log: Vec<String>,
    /// How often each walk ran through each stage.
    ran: BTreeMap<(u64, u32), u32>,
    /// Which worker has the state of which walk in memory, and after which stage.
    states: BTreeMap<u64, (u32, u32)>,
    /// After which stages workers have written the states of which walks down; that outlives them, and their host.
    spools: BTreeMap<(u32, u64), BTreeSet<u32>>,
    starts: u32,
    /// How many walks failed in which worker.
    failed: BTreeMap<u32, u64>,
    /// Which of several messages is taken first.
    picks: VecDeque<usize>,
    recorded: Vec<Ran>,
    serials: Vec<SerialEnded>,
    gathered: BTreeSet<u64>,
}

fn plan(order: &str) -> Plan {
    let slot = |word: &str| Slot {
        is_serial: word.starts_with('s'),
        options: word.trim_start_matches('s').parse().expect("a number"),
    };
    Plan::new(order.split_whitespace().map(slot).collect()).expect("there is a plan")
}

fn setup(order: &str) -> Setup {
    let plan = plan(order);
    let selection = Selection::All(plan.walks());
    Setup {
        plan,
        selection,
        shard: None,
        excluded: Vec::new(),
        workers: 3,
        state: json!({}),
        gathers: false,
        max_failures: None,
    }
}

impl World {
    fn new(setup: Setup) -> Self {
        Self::resumed(setup, Earlier::default())
    }

    fn resumed(setup: Setup, earlier: Earlier) -> Self {
        let (coordinator, effects) = Coordinator::new(setup, earlier);
        World {
            coordinator,
            effects: effects.into(),
            does: Box::new(|_, _| Does::Pass),
            dies_loading: Box::new(|_| false),
            serial_fails: Box::new(|_| false),
            log: Vec::new(),
            ran: BTreeMap::new(),
            states: BTreeMap::new(),
            spools: BTreeMap::new(),
            starts: 0,
            failed: BTreeMap::new(),
            picks: VecDeque::new(),
            recorded: Vec::new(),
            serials: Vec::new(),
            gathered: BTreeSet::new(),
        }
    }

    fn does(mut self, does: impl Fn(u64, u32) -> Does + 'static) -> Self {
        self.does = Box::new(does);
        self
    }

    fn say(&mut self, worker: u32, report: WalkReport) {
        let effects = self.coordinator.handle(Input::Report { worker, report });
        self.effects.extend(effects);
    }

    fn die(&mut self, worker: u32, page: Page) {
        let how = "was killed by SIGKILL (signal 9)".to_owned();
        // What it had is in its spool, and is handed over by an order.
        let effects = self.coordinator.handle(Input::Died { worker, how, page });
        self.effects.extend(effects);
    }

    /// Carries out effects until nothing is left or so many were.
    fn run_for(&mut self, mut most: usize) {
        while !self.effects.is_empty() && most > 0 {
            most -= 1;
            // Workers are at work at the same time: any of them may be next. The order of the effects of one stays.
            let pick = self.picks.pop_front().unwrap_or(0) % self.effects.len();
            let is_order = |effect: &Effect| matches!(effect, Effect::Send { .. } | Effect::Start { .. });
            let at = if self.effects.iter().take(pick + 1).all(is_order) { pick } else { 0 };
            let Some(effect) = self.effects.remove(at) else { return };
            self.carry_out(effect);
        }
        if most > 0 {
            assert!(self.coordinator.is_over(), "it hangs: {:?}", self.coordinator);
        }
    }

    fn run(mut self) -> Self {
        self.run_for(1_000_000);
        self
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker } => {
                self.starts += 1;
                let effects = self.coordinator.handle(Input::Connected { worker });
                self.effects.extend(effects);
            }
            Effect::Load { worker } if (self.dies_loading)(worker) => self.die(worker, Page::default()),
            Effect::Load { worker } => self.say(worker, WalkReport::Ready {}),
            Effect::Send { worker, order } => self.order(worker, order),
            Effect::Adopt { worker, spool, states } => {
                assert_ne!(spool, worker);
                for (walks, stage) in states {
                    for id in ids(&walks) {
                        if self.spools.get(&(spool, id)).is_some_and(|stages| stages.contains(&stage)) {
                            self.keep(id, worker, stage);
                        }
                    }
                }
                self.say(worker, WalkReport::Done { ran: 0, actions: 0, seconds: 0.0, next: None });
            }
            Effect::Ran(ran) => self.recorded.push(ran),
            Effect::SerialEnded(ended) => self.serials.push(ended),
            Effect::States(states) => self.gathered.extend(states.into_iter().map(|(id, _)| id)),
            Effect::Stage { .. } | Effect::End => {}
        }
    }

    fn order(&mut self, worker: u32, order: WalkOrder) {
        match order {
            WalkOrder::Run { stage, walks, skip, update } => {
                let mut ended = 0;
                let mut next = None;
                for id in ids(&walks) {
                    let is_out = self
                        .coordinator
                        .setup
                        .shard
                        .as_ref()
                        .is_some_and(|shard| !shard.holds(&self.coordinator.setup.plan.options(id)));
                    if skip.contains(&id) || is_out {
                        continue;
                    }
                    let most = self.coordinator.setup.max_failures.unwrap_or(u64::MAX);
                    if self.failed.get(&worker).is_some_and(|failed| *failed >= most) {
                        next = Some(id);
                        break;
                    }
                    let update = update.as_ref().map_or_else(String::new, |update| format!("+{update}"));
                    self.log.push(format!("{id}:{stage}@{worker}{update}"));
                    *self.ran.entry((id, stage)).or_default() += 1;
                    if self.coordinator.keeps_states() {
                        if let Some(before) = stage.checked_sub(1) {
                            let state = self.states.get(&id);
                            assert_eq!(
                                state,
                                Some(&(worker, before)),
                                "walk {id} goes on with the state it ended with"
                            );
                        }
                        // One that dies of a walk has not written its state down.
                        if (self.does)(id, stage) != Does::Crash {
                            self.keep(id, worker, stage);
                        }
                    }
                    let end = match (self.does)(id, stage) {
                        Does::Pass => None,
                        Does::Fail => Some(WalkEnd::Failed),
                        Does::Cancel => Some(WalkEnd::Cancelled),
                        Does::Crash => {
                            let page = Page { current: Some(id), ended, ..Page::default() };
                            return self.die(worker, page);
                        }
                    };
                    *self.failed.entry(worker).or_default() += u64::from(end == Some(WalkEnd::Failed));
                    if let Some(end) = end {
                        self.say(worker, WalkReport::Walk(Box::new(walk(id, stage, end))));
                    }
                    ended += 1;
                }
                self.say(worker, WalkReport::Done { ran: ended, actions: ended, seconds: 0.001, next });
            }
            WalkOrder::Serial { step, state } => {
                self.log.push(format!("S{}={}{state}", step.slot, step.option));
                let error = (self.serial_fails)(step).then(|| RaisedError {
                    kind: "error".into(),
                    message: "no".into(),
                    traceback: None,
                });
                let returned = Some(json!({ format!("s{}", step.slot): step.option }));
                self.say(worker, WalkReport::Serial { returned, error, seconds: 0.0 });
            }
            WalkOrder::States { walks } => {
                let states =
                    ids(&walks).into_iter().filter(|id| self.states.get(id).is_some_and(|(owner, _)| *owner == worker));
                let states = states.map(|id| (id, Ok(json!(id)))).collect();
                self.say(worker, WalkReport::States { states, more: false });
            }
            other => panic!("{other:?}"),
        }
    }

    fn keep(&mut self, id: u64, worker: u32, stage: u32) {
        self.states.insert(id, (worker, stage));
        self.spools.entry((worker, id)).or_default().insert(stage);
    }

    /// Returns what a host finds that goes on with these walks.
    fn earlier(&self, before: &mut (Vec<Ran>, Vec<SerialEnded>)) -> Earlier {
        before.0.extend(self.recorded.iter().cloned());
        before.1.extend(self.serials.iter().cloned());
        let mut earlier = Earlier::default();
        before.0.iter().for_each(|ran| earlier.add_ran(ran.clone()));
        before.1.iter().for_each(|serial| earlier.add_serial(serial.clone()));
        self.spools.keys().for_each(|(worker, _)| earlier.note_worker(*worker));
        earlier
    }

    fn counts(&self) -> (u64, u64, u64, u64) {
        let counts = self.coordinator.counts();
        (counts.walks, counts.segments, counts.failed, counts.cancelled)
    }

    fn ended(&self, wanted: WalkEnd) -> Vec<u64> {
        let ended = self.coordinator.ended().iter().filter(|(_, end)| **end == wanted);
        ended.map(|(id, _)| *id).collect()
    }

    /// Returns where something stands in the log.
    fn at(&self, start: &str) -> Vec<usize> {
        let entries = self.log.iter().enumerate().filter(|(_, entry)| entry.starts_with(start));
        entries.map(|(index, _)| index).collect()
    }
}

fn walk(id: u64, stage: u32, end: WalkEnd) -> WalkEnded {
    WalkEnded { id, stage, end, slot: None, error: None, state: None, steps: Vec::new(), seconds: 0.0 }
}

fn ids(walks: &Walks) -> Vec<u64> {
    match walks {
        Walks::Range(from, to) => (*from..*to).collect(),
        Walks::List(list) => list.clone(),
    }
}

#[test]
fn walks_and_segments_are_those_of_the_reference() {
    let table = [
        ("3 3", 9, 9),
        ("2 s1 2", 4, 8),
        ("2 s2 3", 12, 24),
        ("2 s2 2 s2 3", 48, 144),
        ("s2 2", 4, 4),
        ("2 s2", 4, 8),
        ("s2", 2, 2),
        ("2 s2 s2 3", 24, 72),
    ];
    for (order, walks, segments) in table {
        let world = World::new(setup(order)).run();
        assert_eq!(world.counts(), (walks, segments, 0, 0), "{order}");
        assert_eq!(world.coordinator.counts().passed, walks, "{order}");
        assert!(world.ran.values().all(|times| *times == 1), "{order}");
    }
}

#[test]
fn a_branch_ends_before_the_next_option_runs() {
    let world = World::new(setup("2 s2 2 s3 2")).run();
    let (on, off) = (world.at("S1=0"), world.at("S1=1"));
    assert_eq!((on.len(), off.len(), world.at("S3=").len()), (1, 1, 6));
    // All walks have run their first portion before it, and none of its branch runs after the other option.
    assert!((0..48).filter(|id| world.ran.contains_key(&(*id, 0))).count() == 48);
    for id in 0..24 {
        let runs = world.at(&format!("{id}:"));
        assert!(runs[0] < on[0] && runs[1..].iter().all(|run| (on[0]..off[0]).contains(run)), "{id}: {runs:?}");
    }
    for id in 24..48 {
        assert!(world.at(&format!("{id}:"))[1..].iter().all(|run| *run > off[0]));
    }
    // What a serial action returned is in the state of the next, and merged into the walks of its branch alone.
    assert!(world.log.contains(&r#"S3=2{"s1":1}"#.to_owned()), "{:?}", world.log);
    assert!(world.log.iter().any(|entry| entry.starts_with("47:2") && entry.ends_with(r#"+{"s3":2}"#)));
}

#[test]
fn walks_that_ended_run_no_further() {
    let does = |id: u64, _| if id % 4 == 2 { Does::Fail } else { Does::Pass };
    let world = World::new(setup("4 s1 2")).does(does).run();
    assert_eq!(world.counts(), (8, 14, 2, 0));
    assert_eq!(world.ended(WalkEnd::Failed), [2, 6]);
    let does = |id: u64, stage| if id == 1 && stage == 0 { Does::Cancel } else { Does::Pass };
    let world = World::new(setup("3 s2 2")).does(does).run();
    assert_eq!((world.counts(), world.ended(WalkEnd::Cancelled)), ((12, 23, 0, 1), vec![1]));
    let world = World::new(setup("4 s2 2")).does(|_, _| Does::Fail).run();
    assert_eq!((world.counts(), world.at("S").len()), ((16, 16, 16, 0), 0), "nobody is left for the serial action");
}

#[test]
fn a_failed_serial_action_ends_the_suite_with_what_was_done() {
    let mut world = World::new(Setup { gathers: true, ..setup("2 s2 2") });
    world.serial_fails = Box::new(|step| step.option == 1);
    let world = world.run();
    assert_eq!(world.counts(), (8, 12, 0, 0));
    assert!(matches!(world.coordinator.stopped(), Some(Stopped::Serial(WalkStep { slot: 1, option: 1 }, _))));
    assert_eq!((world.serials.len(), world.gathered.len(), world.coordinator.counts().passed), (2, 8, 4));
}

#[test]
fn the_walk_of_a_dead_worker_has_crashed_and_the_others_run() {
    for order in ["2", "10 10", "2 s2 3", "10 s2 10 s2 2"] {
        for stage in 0..plan(order).stages().len() {
            let does = move |id, at: u32| if id == 1 && at as usize == stage { Does::Crash } else { Does::Pass };
            let world = World::new(Setup { gathers: true, ..setup(order) }).does(does).run();
            let walks = plan(order).walks();
            assert_eq!((world.counts().0, world.ended(WalkEnd::Failed)), (walks, vec![1]), "{order} {stage}");
            assert_eq!((world.coordinator.counts().crashed, world.coordinator.counts().passed), (1, walks - 1));
            assert!(world.ran.values().all(|times| *times == 1), "{order} {stage}: {:?}", world.ran);
            assert_eq!(world.gathered.len() as u64, walks - u64::from(stage == 0), "{order} {stage}");
        }
    }
}

#[test]
fn no_walk_is_started_once_enough_have_failed() {
    for workers in 1..4 {
        let setup = Setup { max_failures: Some(3), workers, gathers: true, ..setup("50 s2 4") };
        let world = World::new(setup).does(|_, _| Does::Fail).run();
        let (walks, _, failed, _) = world.counts();
        assert!((3..=3 * u64::from(workers)).contains(&failed) && walks == failed, "{failed} of {walks}");
        assert_eq!(world.coordinator.stopped(), Some(&Stopped::Failures(3)));
        // What was recorded is what ran.
        assert_eq!(world.recorded.iter().map(|ran| ran.portions).sum::<u64>(), world.ran.len() as u64);
        assert_eq!(world.gathered.len() as u64, walks);
    }
}

#[test]
fn all_walks_may_crash() {
    let world = World::new(setup("3 2")).does(|_, _| Does::Crash).run();
    assert_eq!((world.counts(), world.coordinator.counts().crashed), ((6, 6, 6, 0), 6));
}

#[test]
fn a_worker_that_dies_between_walks_costs_none() {
    let mut world = World::new(Setup { workers: 1, ..setup("10") });
    world.run_for(3);
    let Some(Effect::Send { worker: 1, order: WalkOrder::Run { walks, .. } }) = world.effects.pop_front() else {
        panic!()
    };
    assert_eq!(walks, Walks::Range(0, 2));
    world.die(1, Page { current: None, ended: 1, ..Page::default() });
    let world = world.run();
    assert_eq!((world.counts(), world.starts), ((10, 10, 0, 0), 2));
    assert!(!world.ran.contains_key(&(0, 0)) && world.ran.contains_key(&(1, 0)));
}

#[test]
fn workers_that_die_loading_end_it_but_one_does_not() {
    let mut world = World::new(Setup { workers: 1, ..setup("4") });
    world.dies_loading = Box::new(|worker| worker == 1);
    assert_eq!(world.run().counts(), (4, 4, 0, 0));
    let mut world = World::new(Setup { workers: 1, ..setup("4") });
    world.dies_loading = Box::new(|_| true);
    let world = world.run();
    assert!(matches!(world.coordinator.stopped(), Some(Stopped::Deaths(how)) if how.contains("SIGKILL")));
    assert_eq!((world.counts(), world.starts), ((0, 0, 0, 0), 2));
}

#[test]
fn a_worker_that_dies_in_a_serial_action_fails_it() {
    let mut world = World::new(setup("2 s1 2"));
    while !matches!(world.effects.front(), Some(Effect::Send { order: WalkOrder::Serial { .. }, .. })) {
        let effect = world.effects.pop_front().expect("it goes on");
        world.carry_out(effect);
    }
    let Some(Effect::Send { worker, .. }) = world.effects.pop_front() else { panic!() };
    world.die(worker, Page::default());
    let world = world.run();
    let Some(Stopped::Serial(_, error)) = world.coordinator.stopped() else { panic!() };
    assert_eq!(error.message, "its worker was killed by SIGKILL (signal 9)");
    assert_eq!(world.counts(), (4, 4, 0, 0));
}

#[test]
fn a_refused_suite_ends_it() {
    let mut world = World::new(setup("4"));
    let error = RaisedError { kind: "syntax".into(), message: "no".into(), traceback: None };
    for worker in 1..=3 {
        world.say(worker, WalkReport::Refused { error: error.clone() });
    }
    assert_eq!(world.coordinator.stopped(), Some(&Stopped::Refused(error)));
    assert!(world.coordinator.is_over());
}

#[test]
fn an_interrupt_ends_it_at_once() {
    let mut world = World::new(setup("1000 1000"));
    world.run_for(20);
    let effects = world.coordinator.handle(Input::Stop);
    assert!(effects.contains(&Effect::End) && world.coordinator.is_over());
    assert_eq!(world.coordinator.stopped(), Some(&Stopped::Asked));
}

#[test]
fn excluded_walks_and_those_of_other_shards_do_not_run() {
    let world = World::new(Setup { excluded: vec![1, 4], ..setup("3 2") }).run();
    assert_eq!((world.counts().0, world.ran.contains_key(&(1, 0)), world.ran.contains_key(&(4, 0))), (4, false, false));
    let order = [WalkSlot { action: "A".into(), is_serial: false, options: (0..50).map(|n| json!(n)).collect() }];
    let run = |index| {
        let shard = Some(ShardTable::new(Shard { index, of: 3 }, &order));
        World::new(Setup { shard, ..setup("50") }).run().ran.keys().map(|(id, _)| *id).collect::<Vec<_>>()
    };
    let mut all: Vec<u64> = (1..=3).flat_map(run).collect();
    all.sort_unstable();
    assert_eq!(all, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_sample_is_run_in_branches_as_well() {
    let selection = Selection::of(vec![0, 5, 7, 11]);
    let world = World::new(Setup { selection, ..setup("2 s2 3") }).run();
    assert_eq!((world.counts(), world.at("S1").len()), ((4, 8, 0, 0), 2));
    let selection = Selection::of(vec![7, 11]);
    let world = World::new(Setup { selection, ..setup("2 s2 3") }).run();
    assert_eq!(world.at("S1=0"), [0_usize; 0], "an option of which no walk is run does not run");
}

#[test]
fn ten_million_walks_take_no_memory() {
    let mut setup = setup("100 100 1000");
    setup.workers = 2;
    let (mut coordinator, effects) = Coordinator::new(setup, Earlier::default());
    let mut orders: VecDeque<Effect> = effects.into();
    let (mut messages, mut most) = (0, 0);
    while let Some(effect) = orders.pop_front() {
        let input = match effect {
            Effect::Start { worker } => Input::Connected { worker },
            Effect::Load { worker } => Input::Report { worker, report: WalkReport::Ready {} },
            Effect::Send { worker, order: WalkOrder::Run { walks: Walks::Range(from, to), .. } } => {
                messages += 1;
                let ran = to - from;
                #[expect(clippy::cast_precision_loss, reason = "a test")]
                let seconds = ran as f64 / 500_000.0;
                Input::Report { worker, report: WalkReport::Done { ran, actions: ran * 3, seconds, next: None } }
            }
            _ => continue,
        };
        orders.extend(coordinator.handle(input));
        most = most.max(orders.len());
    }
    assert_eq!(coordinator.counts().passed, 10_000_000);
    assert!(messages < 1000 && most < 10 && coordinator.ended().is_empty(), "{messages} {most}");
}

#[test]
fn what_was_done_before_is_not_done_again() {
    for order in ["7 9", "3 s2 4", "3 s2 2 s2 4", "s3 5", "2 s2"] {
        let whole = World::new(setup(order)).run();
        let mut steps = 0;
        loop {
            let does = |id, _| if id % 5 == 3 { Does::Fail } else { Does::Pass };
            let mut first = World::new(Setup { gathers: true, ..setup(order) }).does(does);
            steps += 1;
            first.run_for(steps);
            if first.coordinator.is_over() {
                break;
            }
            let earlier = first.earlier(&mut (Vec::new(), Vec::new()));
            let mut second = World::resumed(Setup { gathers: true, ..setup(order) }, earlier).does(does);
            second.spools = first.spools.clone();
            let second = second.run();
            let stages = plan(order).stages().len();
            for id in 0..plan(order).walks() {
                for stage in 0..stages {
                    let is_over = stage > 0 && id % 5 == 3;
                    let stage = u32::try_from(stage).unwrap();
                    let is_recorded = first.recorded.iter().any(|ran| ran.stage == stage && ran.places.contains(&id));
                    let times = second.ran.get(&(id, stage)).copied().unwrap_or(0);
                    assert_eq!(
                        times,
                        u32::from(!is_recorded && !is_over),
                        "{order} after {steps}: walk {id} at {stage}"
                    );
                }
            }
            assert_eq!(second.coordinator.counts().walks, whole.coordinator.counts().walks, "{order} after {steps}");
            assert_eq!(second.gathered.len() as u64, plan(order).walks(), "{order} after {steps}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_walk_has_one_end_whatever_happens(
        slots in prop::collection::vec((prop::bool::weighted(0.3), 1_u32..5), 1..6),
        workers in 1_u32..5,
        gathers in any::<bool>(),
        salt in any::<u64>(),
        picks in prop::collection::vec(0_usize..4, 0..200),
    ) {
        let slots: Vec<Slot> = slots.into_iter().map(|(is_serial, options)| Slot { is_serial, options }).collect();
        let plan = Plan::new(slots).expect("it is small");
        let walks = plan.walks();
        let stages = plan.stages().len();
        let does = move |id: u64, stage: u32| {
            match crate::model::SplitMix64::mix(salt ^ id ^ (u64::from(stage) << 40)) % 40 {
                0 => Does::Crash,
                1 => Does::Fail,
                2 => Does::Cancel,
                _ => Does::Pass,
            }
        };
        let selection = Selection::All(walks);
        let setup = Setup { plan, selection, shard: None, excluded: Vec::new(), workers, state: json!({}), gathers, max_failures: None };
        let mut world = World::new(setup).does(does);
        world.picks = picks.into();
        let world = world.run();
        let counts = world.coordinator.counts();
        prop_assert_eq!(counts.passed + counts.failed + counts.cancelled, walks);
        prop_assert!(world.ran.values().all(|times| *times == 1));
        for id in 0..walks {
            let end = (0..stages).find(|stage| does(id, u32::try_from(*stage).unwrap()) != Does::Pass);
            let last = (0..stages).rev().find(|stage| world.ran.contains_key(&(id, u32::try_from(*stage).unwrap())));
            prop_assert_eq!(last, Some(end.unwrap_or(stages - 1)));
        }
        prop_assert_eq!(counts.segments, world.ran.len() as u64);
    }

    #[test]
    fn hosts_that_die_at_any_moment_leave_walks_as_if_none_had(
        slots in prop::collection::vec((prop::bool::weighted(0.4), 1_u32..5), 1..6),
        workers in 1_u32..4,
        gathers in any::<bool>(),
        salt in any::<u64>(),
        kills in prop::collection::vec(1_usize..60, 1..5),
    ) {
        let slots: Vec<Slot> = slots.into_iter().map(|(is_serial, options)| Slot { is_serial, options }).collect();
        let plan = Plan::new(slots).expect("it is small");
        let does = move |id: u64, stage: u32| {
            match crate::model::SplitMix64::mix(salt ^ id ^ (u64::from(stage) << 40)) % 12 {
                0 => Does::Crash,
                1 => Does::Fail,
                2 => Does::Cancel,
                _ => Does::Pass,
            }
        };
        let setup = || Setup {
            selection: Selection::All(plan.walks()),
            plan: plan.clone(),
            shard: None,
            excluded: Vec::new(),
            workers,
            state: json!({}),
            gathers,
            max_failures: None,
        };
        let undisturbed = World::new(setup()).does(does).run();
        let mut before = (Vec::new(), Vec::new());
        let mut world = World::new(setup()).does(does);
        for kill in kills {
            world.run_for(kill);
            if world.coordinator.is_over() {
                break;
            }
            let mut next = World::resumed(setup(), world.earlier(&mut before)).does(does);
            next.spools = std::mem::take(&mut world.spools);
            world = next;
        }
        let world = world.run();
        let (ours, theirs) = (world.coordinator.counts(), undisturbed.coordinator.counts());
        prop_assert_eq!(world.coordinator.ended(), undisturbed.coordinator.ended());
        prop_assert_eq!(
            (ours.walks, ours.segments, ours.passed, ours.crashed),
            (theirs.walks, theirs.segments, theirs.passed, theirs.crashed)
        );
        prop_assert_eq!(world.gathered, undisturbed.gathered);
    }
}
