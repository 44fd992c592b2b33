//! The scheduler as a state machine: no processes, and a clock that is a number.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::Runnable;

/// A scheduler with a fake clock and a spawner that only takes notes.
struct Sim {
    scheduler: Scheduler,
    now: Duration,
    log: Vec<String>,
    running: HashSet<TaskNumber>,
    ends: HashMap<TaskNumber, End>,
    answers: HashMap<WaitId, Answer>,
    spawns: bool,
}

impl Sim {
    fn new(limits: Limits) -> Self {
        Self {
            scheduler: Scheduler::new(limits, Timing::default()),
            now: Duration::ZERO,
            log: Vec::new(),
            running: HashSet::new(),
            ends: HashMap::new(),
            answers: HashMap::new(),
            spawns: true,
        }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.scheduler.handle(input, self.now) {
                match effect {
                    Effect::Comes { task } => self.log.push(format!("comes {task}")),
                    Effect::Leaves { task, end, .. } => self.log.push(format!("leaves {task} {}", end.outcome)),
                    Effect::Spawn { task, attempt, .. } => {
                        self.log.push(format!("spawn {task}.{attempt}"));
                        assert!(self.running.insert(task), "task {task} runs twice");
                        if self.spawns {
                            inputs.insert(0, Input::Spawned { task, pid: 1000 });
                        }
                    }
                    Effect::Signal { task, reason } => {
                        self.log.push(format!("signal {task} {}", reason.signal().as_raw()));
                    }
                    Effect::Kill { task } => self.log.push(format!("kill {task}")),
                    Effect::Starve { want } => {
                        self.log.push(format!("starve {want}"));
                        inputs.insert(0, Input::StopAll(StopReason::Starved));
                    }
                    Effect::Overdue { limit, .. } => self.log.push(format!("overdue {}", limit.as_secs_f64())),
                    Effect::Settled { task, end } => {
                        self.log.push(format!("settled {task} {}", end.outcome));
                        assert!(self.ends.insert(task, end).is_none(), "task {task} settled twice");
                    }
                    Effect::Answer { wait, answer } => {
                        assert!(self.answers.insert(wait, answer).is_none(), "wait {wait} answered twice");
                    }
                    Effect::Record(_) => {}
                }
            }
        }
    }

    fn submit(&mut self, tasks: Vec<Task>) {
        self.submit_group(tasks, None);
    }

    fn submit_group(&mut self, tasks: Vec<Task>, group: Option<Group>) {
        let submission = |task: Task| {
            let number = task.id.trim_start_matches('t').parse().unwrap();
            Submission { number, folder: String::new(), task: Box::new(task), decided: None, reused: None }
        };
        self.feed(Input::Submit { tasks: tasks.into_iter().map(submission).collect(), group });
    }

    fn exit(&mut self, task: TaskNumber, exit: Exit) {
        self.feed(Input::Exited { task, exit });
        self.running.remove(&task);
        self.feed(Input::Gone { task, written: Written::default(), killed_leftovers: 0 });
    }

    fn advance(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
        self.feed(Input::Tick);
    }

    fn taken(&mut self) -> String {
        std::mem::take(&mut self.log).join(", ")
    }

    fn reason(&self, task: TaskNumber) -> &str {
        self.ends[&task].reason.as_deref().unwrap_or_default()
    }
}

fn task(number: TaskNumber) -> Task {
    let runnable = Runnable { kind: "exec-test".into(), ..Runnable::default() };
    Task { id: format!("t{number}"), runnable, ..Task::default() }
}

fn needing(number: TaskNumber, needs: &[&str]) -> Task {
    Task { needs: needs.iter().map(|need| (*need).to_owned()).collect(), ..task(number) }
}

fn holding(number: TaskNumber, name: &str, amount: u64) -> Task {
    Task { resources: BTreeMap::from([(name.to_owned(), amount)]), ..task(number) }
}

fn sim() -> Sim {
    Sim::new(Limits::default())
}

#[test]
fn tasks_start_at_once_and_settle_by_their_exit() {
    let mut sim = sim();
    sim.submit(vec![task(1), task(2)]);
    assert_eq!(sim.taken(), "spawn 1.1, spawn 2.1");
    sim.exit(2, Exit::Code(1));
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 2 failed, settled 1 passed");
    assert!(sim.scheduler.is_idle());
}

#[test]
fn a_limit_for_all_and_a_limit_for_a_list_both_hold() {
    let mut sim = Sim::new(Limits { at_once: Some(3), capacity: Capacity::new(), ..Limits::default() });
    sim.submit_group((1..=4).map(task).collect(), Some(Group { id: 1, limit: 2 }));
    sim.submit(vec![task(5), task(6)]);
    assert_eq!(sim.taken(), "spawn 1.1, spawn 2.1, spawn 5.1");
    sim.exit(5, Exit::Code(0));
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 5 passed, spawn 6.1, settled 1 passed, spawn 3.1");
}

#[test]
fn a_task_waits_for_what_it_needs_and_is_blocked_when_that_does_not_pass() {
    let mut sim = sim();
    sim.submit(vec![needing(1, &["t2"]), task(2), task(3), needing(4, &["t3", "t2"]), needing(5, &["t4"])]);
    assert_eq!(sim.taken(), "spawn 2.1, spawn 3.1");
    sim.exit(2, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 2 passed, spawn 1.1");
    sim.exit(3, Exit::Code(1));
    assert_eq!(sim.taken(), "settled 3 failed, settled 4 blocked, settled 5 blocked");
    assert_eq!(sim.reason(4), "needs 't3', which did not pass: failed");
}

#[test]
fn after_so_many_failures_nothing_else_starts_and_what_runs_goes_on() {
    let mut sim = Sim::new(Limits { at_once: Some(2), max_failures: Some(1), ..Limits::default() });
    sim.submit((1..=4).map(|number| Task { prepares: number == 1, ..task(number) }).collect());
    assert_eq!(sim.taken(), "spawn 1.1, spawn 2.1");
    sim.exit(1, Exit::Code(1));
    assert_eq!(sim.taken(), "settled 1 failed, spawn 3.1");
    sim.exit(2, Exit::Code(1));
    assert_eq!(sim.taken(), "settled 2 failed, settled 4 skipped");
    assert_eq!(sim.reason(4), "not run: a test had not passed");
    sim.submit(vec![task(5)]);
    sim.exit(3, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 5 skipped, settled 3 passed");
    assert!(sim.scheduler.is_idle());
}

#[test]
fn circles_of_needs_are_told_and_long_chains_are_not_one() {
    let mut sim = sim();
    sim.submit(vec![needing(1, &["t3"]), needing(2, &["t1"]), needing(3, &["t2"]), needing(4, &["t4"]), task(5)]);
    assert_eq!(sim.taken().matches("errored").count(), 4);
    assert_eq!(sim.reason(4), "needs itself: t4 needs t4");
    assert_eq!(sim.reason(1), "needs itself: t1 needs t3 needs t2 needs t1");

    let mut sim = self::sim();
    let chain = (2..=50_000).rev().map(|number| needing(number, &[&format!("t{}", number - 1)]));
    sim.submit(chain.chain([task(1)]).collect());
    sim.exit(1, Exit::Code(7));
    assert_eq!(sim.ends.len(), 50_000);
    assert_eq!(sim.ends[&50_000].outcome, Outcome::Blocked);
}

#[test]
fn a_need_that_nobody_started_costs_the_task_only_when_somebody_waits_for_it() {
    let mut sim = sim();
    sim.submit(vec![needing(1, &["t12345"]), needing(2, &["t12435"]), needing(3, &["t2"]), task(4)]);
    sim.submit(vec![task(12345)]);
    sim.feed(Input::Wait(Wait { id: 7, tasks: vec![1, 3, 4], limit: None }));
    assert_eq!(sim.taken(), "spawn 4.1, spawn 12345.1, settled 2 errored, settled 3 blocked");
    assert_eq!(sim.reason(2), "needs 't12435', but no task of that id was started; did you mean 't12345'?");
    sim.exit(12345, Exit::Code(0));
    sim.exit(4, Exit::Code(0));
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.answers[&7], Answer::Settled);
}

#[test]
fn past_its_limit_a_task_is_asked_then_killed() {
    let mut sim = sim();
    sim.submit(vec![Task { max_runtime: Some(Duration::from_secs(5)), ..task(1) }]);
    sim.taken();
    sim.advance(4.9);
    assert_eq!(sim.taken(), "");
    sim.advance(0.1);
    assert_eq!(sim.taken(), "signal 1 15");
    sim.advance(1.9);
    assert_eq!(sim.taken(), "");
    sim.advance(0.1);
    assert_eq!(sim.taken(), "kill 1");
    sim.exit(1, Exit::Signal(9));
    assert_eq!(sim.taken(), "settled 1 errored");
    assert_eq!(sim.reason(1), "exceeded its max_runtime of 5 s and was ended");
}

#[test]
fn while_a_task_waits_for_the_user_its_limit_stands_still() {
    let mut sim = sim();
    sim.submit(vec![Task { max_runtime: Some(Duration::from_secs(5)), ..task(1) }]);
    sim.taken();
    sim.advance(4.0);
    sim.feed(Input::Held { task: 1 });
    sim.advance(100.0);
    assert_eq!(sim.taken(), "");
    sim.feed(Input::Released { task: 1 });
    sim.advance(0.9);
    assert_eq!(sim.taken(), "");
    sim.advance(0.2);
    assert_eq!(sim.taken(), "signal 1 15");
    // Once it is asked to end, nothing holds that up.
    sim.feed(Input::Held { task: 1 });
    sim.advance(2.0);
    assert_eq!(sim.taken(), "kill 1");
    sim.feed(Input::Released { task: 1 });
    sim.advance(100.0);
    assert_eq!(sim.taken(), "");
}

#[test]
fn an_exit_in_time_is_not_undone_by_what_it_left_behind() {
    let mut sim = sim();
    sim.submit(vec![Task { max_runtime: Some(Duration::from_secs(1)), ..task(1) }]);
    sim.advance(0.9);
    sim.feed(Input::Exited { task: 1, exit: Exit::Code(0) });
    sim.taken();
    sim.advance(0.15);
    assert_eq!(sim.taken(), "");
    sim.advance(0.1);
    assert_eq!(sim.taken(), "kill 1");
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 1 passed");
}

#[test]
fn a_stop_between_the_word_to_start_and_the_start_is_not_lost() {
    let mut sim = sim();
    sim.spawns = false;
    sim.submit(vec![task(1)]);
    sim.feed(Input::Stop { tasks: vec![1], reason: StopReason::Terminated });
    assert_eq!(sim.taken(), "spawn 1.1");
    sim.feed(Input::Spawned { task: 1, pid: 5 });
    assert_eq!(sim.taken(), "signal 1 15");
    sim.advance(2.0);
    assert_eq!(sim.taken(), "kill 1");
}

#[test]
fn a_stronger_reason_overrides_a_weaker_one_only() {
    let mut sim = sim();
    sim.submit(vec![task(1), task(2)]);
    sim.feed(Input::Stop { tasks: vec![1], reason: StopReason::Terminated });
    sim.feed(Input::StopAll(StopReason::Interrupted(2)));
    sim.feed(Input::StopAll(StopReason::Dangling));
    for task in [1, 2] {
        sim.exit(task, Exit::Code(0));
        assert_eq!(sim.reason(task), "the run was interrupted by SIGINT");
        assert_eq!(sim.ends[&task].outcome, Outcome::Aborted);
    }
}

#[test]
fn after_an_interrupt_nothing_starts() {
    let mut sim = Sim::new(Limits { at_once: Some(1), capacity: Capacity::new(), ..Limits::default() });
    sim.submit(vec![Task { retries: 3, ..task(1) }, task(2), needing(3, &["t1"])]);
    sim.feed(Input::StopAll(StopReason::Interrupted(15)));
    assert_eq!(sim.taken(), "spawn 1.1, signal 1 15, settled 2 aborted, settled 3 aborted");
    sim.submit(vec![task(4)]);
    assert_eq!(sim.taken(), "settled 4 aborted");
    sim.feed(Input::KillAll);
    sim.exit(1, Exit::Signal(9));
    assert_eq!(sim.taken(), "kill 1, settled 1 aborted");
}

#[test]
fn a_failure_is_tried_again_and_a_late_pass_is_marked() {
    let mut sim = sim();
    sim.submit(vec![Task { retries: 2, ..task(1) }, Task { retries: 1, ..task(2) }]);
    sim.exit(1, Exit::Code(1));
    sim.exit(2, Exit::Signal(11));
    sim.exit(2, Exit::Code(1));
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.taken(), "spawn 1.1, spawn 2.1, spawn 1.2, spawn 2.2, settled 2 failed, settled 1 passx");
    assert_eq!(sim.reason(1), "passed on attempt 2 of 3");
}

#[test]
fn one_who_waits_with_a_limit_ends_the_task_or_leaves_it() {
    let mut sim = sim();
    sim.submit(vec![Task { retries: 5, ..task(1) }, task(2)]);
    let limit = Duration::from_secs(1);
    sim.feed(Input::Wait(Wait { id: 1, tasks: vec![1], limit: Some((limit, OnLimit::End)) }));
    sim.feed(Input::Wait(Wait { id: 2, tasks: vec![2], limit: Some((limit, OnLimit::Leave)) }));
    sim.taken();
    sim.advance(1.0);
    assert_eq!(sim.taken(), "signal 1 15");
    assert_eq!(sim.answers.get(&2), Some(&Answer::StillRunning));
    sim.exit(1, Exit::Signal(15));
    assert_eq!(sim.taken(), "settled 1 errored");
    assert_eq!(sim.answers.get(&1), Some(&Answer::Settled));
    assert_eq!(sim.ends[&1].stopped, Some(StopReason::WaitLimit(limit)));
}

/// Says that there is no room for a task that was to start.
fn refuse(sim: &mut Sim, task: TaskNumber) {
    sim.running.remove(&task);
    sim.feed(Input::SpawnDeferred { task, reason: "no more".into() });
}

#[test]
fn want_of_processes_defers_a_start_until_another_task_ends_or_a_while_has_passed() {
    let mut sim = sim();
    sim.spawns = false;
    sim.submit(vec![task(1), task(2)]);
    sim.feed(Input::Spawned { task: 1, pid: 1 });
    refuse(&mut sim, 2);
    assert_eq!(sim.taken(), "spawn 1.1, spawn 2.1");
    // Whoever runs may wait for the one that does not.
    sim.advance(1.0);
    assert_eq!(sim.taken(), "spawn 2.1");
    refuse(&mut sim, 2);
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 1 passed, spawn 2.1");
    refuse(&mut sim, 2);
    assert_eq!(sim.scheduler.next_deadline(), Some(sim.now + Duration::from_millis(100)), "nothing runs: soon");
    sim.advance(0.1);
    assert_eq!(sim.taken(), "spawn 2.1");
    sim.feed(Input::Spawned { task: 2, pid: 2 });
    sim.exit(2, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 2 passed");
}

#[test]
fn a_run_in_which_nothing_can_start_for_five_seconds_is_over() {
    let mut sim = sim();
    sim.spawns = false;
    sim.submit(vec![task(1), task(2)]);
    refuse(&mut sim, 1);
    refuse(&mut sim, 2);
    let mut tries = 0;
    while sim.ends.is_empty() {
        let next = sim.scheduler.next_deadline().expect("it is tried again");
        assert!(next > sim.now, "without a busy wait");
        sim.now = next;
        sim.feed(Input::Tick);
        let wanting: Vec<TaskNumber> = sim.running.iter().copied().collect();
        for task in wanting {
            tries += 1;
            refuse(&mut sim, task);
        }
        assert!(sim.now < Duration::from_secs(6));
    }
    assert!(sim.now >= Duration::from_secs(5) && tries >= 50, "{tries} tries in {:?}", sim.now);
    assert!(sim.taken().contains("starve no more"));
    for number in [1, 2] {
        assert_eq!(sim.ends[&number].outcome, Outcome::Aborted);
        assert_eq!(sim.reason(number), "did not start: there was no room for any process");
    }
    assert!(sim.scheduler.is_idle());
}

#[test]
fn resources_are_counted_numbered_and_not_starved() {
    let mut sim =
        Sim::new(Limits { at_once: None, capacity: Capacity::from([("gpus".into(), 2)]), ..Limits::default() });
    sim.submit(vec![holding(1, "gpus", 1), holding(2, "gpus", 2), holding(3, "gpus", 1), holding(4, "port", 1)]);
    assert_eq!(sim.taken(), "spawn 1.1, spawn 3.1, spawn 4.1");
    sim.submit(vec![holding(5, "gpus", 3), holding(6, "port", 1)]);
    assert_eq!(sim.reason(5), "needs 3 of resource 'gpus', of which there are 2; --resource gpus=N sets it");
    sim.taken();
    sim.exit(4, Exit::Code(0));
    assert_eq!(sim.taken(), "settled 4 passed, spawn 6.1");

    // Small tasks keep coming; the large one gets its turn all the same.
    let mut next = 10;
    while !sim.log.iter().any(|line| line == "spawn 2.1") {
        assert!(next < 200, "task 2 is starved");
        sim.submit(vec![holding(next, "gpus", 1)]);
        next += 1;
        let oldest = sim.running.iter().copied().filter(|task| *task != 6).min().unwrap();
        sim.exit(oldest, Exit::Code(0));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Submit { needs: Vec<u32>, retries: u32, limit: Option<u8>, group: bool },
    Exit { which: usize, code: i32 },
    Stop { which: u32 },
    Advance(u8),
    Interrupt,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::collection::vec(1_u32..30, 0..3), 0_u32..3, prop::option::of(1_u8..9), any::<bool>())
            .prop_map(|(needs, retries, limit, group)| Step::Submit { needs, retries, limit, group }),
        6 => (any::<usize>(), 0_i32..3).prop_map(|(which, code)| Step::Exit { which, code }),
        1 => (1_u32..30).prop_map(|which| Step::Stop { which }),
        2 => (1_u8..5).prop_map(Step::Advance),
        1 => Just(Step::Interrupt),
    ]
}

#[test]
fn announced_tasks_wait_at_both_doors() {
    let mut sim = Sim::new(Limits { at_once: None, capacity: Capacity::new(), ..Limits::default() });
    sim.feed(Input::UseHooks);
    sim.submit(vec![Task { retries: 1, ..task(1) }, task(2)]);
    assert_eq!(sim.taken(), "comes 1, comes 2");
    sim.feed(Input::Admitted { task: 1, refused: None });
    sim.feed(Input::Admitted { task: 2, refused: Some("no".into()) });
    assert_eq!(sim.taken(), "spawn 1.1, leaves 2 blocked");
    // Once for a task, not for an attempt.
    sim.exit(1, Exit::Code(1));
    assert_eq!(sim.taken(), "spawn 1.2");
    sim.exit(1, Exit::Code(0));
    assert_eq!(sim.taken(), "leaves 1 passx");
    assert!(!sim.scheduler.is_idle());
    sim.feed(Input::Dismissed { task: 1, failed: Some("plugin".into()) });
    sim.feed(Input::Dismissed { task: 1, failed: None });
    sim.feed(Input::Dismissed { task: 2, failed: None });
    assert_eq!(sim.taken(), "settled 1 errored, settled 2 blocked");
    assert_eq!(sim.ends[&1].reason.as_deref(), Some("plugin"));
    assert!(sim.scheduler.is_idle());
}

#[test]
fn an_interrupt_ends_the_wait_at_the_doors_when_nobody_answers() {
    let mut sim = Sim::new(Limits { at_once: None, capacity: Capacity::new(), ..Limits::default() });
    sim.feed(Input::UseHooks);
    sim.submit(vec![task(1), task(2)]);
    sim.feed(Input::Admitted { task: 1, refused: None });
    sim.exit(1, Exit::Code(0));
    sim.taken();
    sim.feed(Input::StopAll(StopReason::Interrupted(2)));
    assert_eq!(sim.taken(), "");
    sim.feed(Input::DismissAll);
    assert_eq!(sim.taken(), "settled 1 passed, settled 2 aborted");
    sim.feed(Input::Admitted { task: 2, refused: None });
    assert_eq!(sim.taken(), "");
    assert!(sim.scheduler.is_idle());
}

proptest! {
    /// Whatever happens in whatever order: limits hold, a task settles once, an interrupted run starts nothing, and when
    /// all processes have ended every task has an outcome that is not better than its exit.
    #[test]
    fn invariants_hold(steps in prop::collection::vec(step(), 1..60)) {
        let mut sim = Sim::new(Limits { at_once: Some(3), capacity: Capacity::new(), ..Limits::default() });
        let mut number = 0;
        let mut interrupted = false;
        let mut last_exit = HashMap::new();
        for step in steps {
            match step {
                Step::Submit { needs, retries, limit, group } => {
                    number += 1;
                    let needs = needs.iter().map(|need| format!("t{need}")).collect();
                    let max_runtime = limit.map(|limit| Duration::from_secs(limit.into()));
                    let task = Task { max_runtime, retries, needs, ..task(number) };
                    sim.submit_group(vec![task], group.then_some(Group { id: 1, limit: 1 }));
                }
                Step::Exit { which, code } => {
                    let mut running: Vec<_> = sim.running.iter().copied().collect();
                    running.sort_unstable();
                    if !running.is_empty() {
                        let task = running[which % running.len()];
                        last_exit.insert(task, code);
                        sim.exit(task, Exit::Code(code));
                    }
                }
                Step::Stop { which } => sim.feed(Input::Stop { tasks: vec![which], reason: StopReason::Terminated }),
                Step::Advance(seconds) => sim.advance(seconds.into()),
                Step::Interrupt => {
                    interrupted = true;
                    sim.feed(Input::StopAll(StopReason::Interrupted(2)));
                    sim.taken();
                }
            }
            prop_assert!(sim.running.len() <= 3);
            prop_assert!(!interrupted || !sim.log.iter().any(|line| line.starts_with("spawn")));
        }
        sim.feed(Input::StopAll(StopReason::Dangling));
        sim.advance(10.0);
        for task in sim.running.clone() {
            let kill = format!("kill {task}");
            prop_assert!(interrupted || sim.log.contains(&kill));
            last_exit.insert(task, -9);
            sim.exit(task, Exit::Signal(9));
        }
        prop_assert!(sim.scheduler.is_idle());
        prop_assert_eq!(sim.ends.len(), usize::try_from(number).unwrap());
        for (task, end) in &sim.ends {
            let exit = last_exit.get(task);
            prop_assert!(!end.outcome.is_pass() || exit == Some(&0), "{} {:?}", task, end);
        }
    }
}
