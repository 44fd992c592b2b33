//! The engine in one process, without processes: scheduler, books, dispatcher and journal under a clock, a disk, a spawner
//! and a jobfile that are made of one seed, with whatever goes wrong.
//!
//! A seed draws a plan (tasks, limits, needs), a life for every attempt (what it writes, says and leaves by, and when), what
//! the jobfile does meanwhile, and faults: a stall of the host, a full disk, a lost message, a refused start, a lost machine, a
//! killed host. After the run the invariants of [`check`] must hold. A seed that fails is printed, and
//! `RILLE_SEED=N cargo test simulator` runs it again and shows what happened.

mod check;
mod disk;
mod jobfile;
mod plan;
mod random;
mod spawner;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use self::disk::{SimKeeper, SimLog};
use self::jobfile::Jobfile;
use self::plan::Plan;
use self::random::Random;
use self::spawner::SimSpawner;
use self::world::{SimClock, World};
use super::journal::Journal;
use super::scheduler::{Scheduler, Timing};
use super::supervisor::{BookParts, Books, Dispatcher, Hooks, Over};
use super::surroundings::Surroundings;
use crate::model::RuntimeInfo;

/// How many seeds are run.
const SEEDS: u64 = 10_000;

/// How many steps a run may take: one that takes more goes round in circles.
const MOST_STEPS: usize = 20_000;

/// Runs what this seed makes. The error is the invariant that did not hold.
fn run(seed: u64) -> Result<Arc<World>, (String, Arc<World>)> {
    let mut random = Random::new(seed);
    let plan = Plan::draw(&mut random);
    let world = Arc::new(World::new(&plan, random.fork()));
    let failed = |what: String| (what, Arc::clone(&world));
    let mut simulation = Simulation::new(&plan, &world, &mut random);
    simulation.play().map_err(failed)?;
    check::after(&plan, &world).map_err(failed)?;
    Ok(world)
}

struct Simulation<'a> {
    plan: &'a Plan,
    world: &'a Arc<World>,
    dispatcher: Dispatcher,
    jobfile: Jobfile,
}

impl<'a> Simulation<'a> {
    fn new(plan: &'a Plan, world: &'a Arc<World>, random: &mut Random) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (started, settled, called) = (Arc::clone(world), Arc::clone(world), Arc::clone(&calls));
        let timing = Timing { grace: plan.grace, leftover_grace: Duration::from_millis(200), silence: plan.silence };
        let books = Books::new(BookParts {
            clock: Box::new(SimClock(Arc::clone(world))),
            scheduler: Scheduler::new(plan.limits.clone(), timing),
            journal: Journal::new(SimLog::new(world), Box::new(|_| ())),
            keeper: Box::new(SimKeeper(Arc::clone(world))),
            surroundings: Surroundings {
                run_id: "run".to_owned(),
                directory: "/run".into(),
                started_in: "/".into(),
                testbed_file: None,
                output_limit: 1 << 20,
                visible_gpus: None,
                synchro: Arc::default(),
                masks: crate::model::Masks::default(),
            },
            runtime: Arc::new(RwLock::new(RuntimeInfo::default())),
            interrupts: Arc::new(AtomicU32::new(0)),
            first_signal: Arc::new(AtomicI32::new(0)),
            hooks: Hooks {
                tap: None,
                on_started: Box::new(move |task, pid| started.note(&format!("started {task} as {pid}"))),
                on_settled: Box::new(move |task, end| settled.settled(task, end)),
                on_call: Box::new(move |task, call| called.lock().push((task, call))),
            },
        });
        let spawner = SimSpawner::new(Arc::clone(world), plan.clone(), random.fork());
        let dispatcher = Dispatcher::new(books, Box::new(spawner));
        let jobfile = Jobfile::new(plan, calls, random.fork());
        Self { plan, world, dispatcher, jobfile }
    }

    /// Runs until the engine has come to its end, or until the host is killed.
    fn play(&mut self) -> Result<(), String> {
        for step in 0..MOST_STEPS {
            self.dispatcher.settle();
            match self.dispatcher.is_over() {
                Over::No => {}
                Over::Closed(reply) => {
                    let _ = reply.send(self.dispatcher.outcome());
                    return self.jobfile.was_answered();
                }
                Over::Abandoned(_) => return Ok(()),
            }
            if self.plan.faults.kill_at == Some(step) {
                self.world.kill();
                return Ok(());
            }
            self.go_on(step)?;
            self.dispatcher.judge();
            self.jobfile.act(&mut self.dispatcher, self.world)?;
        }
        Err(format!("it has not come to its end in {MOST_STEPS} steps"))
    }

    /// Lets time pass until something happens.
    fn go_on(&mut self, step: usize) -> Result<(), String> {
        let now = self.world.now();
        let rest = self.dispatcher.rest().map(|rest| now + rest);
        let next = [rest, self.world.next_event(), self.jobfile.next(now)].into_iter().flatten().min();
        let Some(next) = next else { return Err("nobody has anything to wait for, and it is not over".to_owned()) };
        let mut next = next.max(now);
        if let Some(stall) = self.plan.faults.stalls.iter().find(|stall| stall.step == step) {
            next += stall.lasts;
            self.world.stalled(stall.lasts);
        }
        self.world.set_now(next);
        Ok(())
    }
}

/// Says which seed failed and how to see it again; with `RILLE_SEED` shows what happened.
fn report(seed: u64, what: &str, world: &World, is_replay: bool) -> String {
    let shown = if is_replay { format!("\n{}", world.trace()) } else { String::new() };
    format!("seed {seed}: {what}; RILLE_SEED={seed} cargo test simulator shows what happened{shown}")
}

#[test]
fn whatever_goes_wrong_every_task_has_one_end_and_none_better_than_its_evidence() {
    if let Some(seed) = std::env::var("RILLE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        match run(seed) {
            Ok(world) => println!("{}", world.trace()),
            Err((what, world)) => panic!("{}", report(seed, &what, &world, true)),
        }
        return;
    }
    let failed = Mutex::new(Vec::new());
    let seen = Mutex::new(check::Seen::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for first in 0..threads {
            let (failed, seen) = (&failed, &seen);
            scope.spawn(move || {
                for seed in (first..SEEDS).step_by(usize::try_from(threads).unwrap_or(1)) {
                    match run(seed) {
                        Ok(world) => seen.lock().add(&world),
                        Err((what, world)) => failed.lock().push((seed, report(seed, &what, &world, false))),
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner();
    failed.sort();
    let shown: Vec<&str> = failed.iter().take(5).map(|(_, text)| text.as_str()).collect();
    assert!(failed.is_empty(), "{} of {SEEDS} seeds failed, the first:\n{}", failed.len(), shown.join("\n"));
    // A simulator in which nothing goes wrong shows nothing.
    seen.into_inner().assert_everything_was_seen();
}
