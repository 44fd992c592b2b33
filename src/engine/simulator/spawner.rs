//! A spawner whose attempts live as they were drawn, and of whom the truth is known.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use super::plan::{Plan, RESOURCE};
use super::random::Random;
use super::world::World;
use crate::engine::protocol::Breach;
use crate::engine::spawner::{Ask, AttemptId, Left, Listener, News, NotStarted, Spawner, Start, What};
use crate::model::{
    Dropped, Exit, Finished, Message, Outcome, Reply, Running, StatusKind, StatusMessage, Stream, TaskIdValue,
    TestStatus,
};

/// What an attempt does at some time.
#[derive(Clone, Debug)]
enum Act {
    Started,
    Output(Stream, Vec<u8>),
    Said(Message),
    Garbage,
    Reported(StatusMessage),
    Exits(Exit),
    Leaves,
    IsLost,
}

struct Attempt {
    life: BTreeMap<(Duration, u64), Act>,
    kind: String,
    has_exited: bool,
    is_dying: bool,
    held: HashSet<bool>,
}

/// See the module.
pub(super) struct SimSpawner {
    world: Arc<World>,
    plan: Plan,
    random: Random,
    live: BTreeMap<AttemptId, Attempt>,
    acts: u64,
}

impl SimSpawner {
    /// Makes a spawner for a plan.
    pub(super) fn new(world: Arc<World>, plan: Plan, random: Random) -> Self {
        Self { world, plan, random, live: BTreeMap::new(), acts: 0 }
    }

    fn plan_act(&mut self, id: AttemptId, at: Duration, act: Act) {
        self.acts += 1;
        let key = (at, self.acts);
        if let Some(attempt) = self.live.get_mut(&id) {
            attempt.life.insert(key, act);
        }
        self.tell_next();
    }

    fn tell_next(&self) {
        let next = self.live.values().filter_map(|attempt| Some(attempt.life.first_key_value()?.0.0)).min();
        self.world.set_next_event(next);
    }

    /// Draws the life of an attempt that begins now.
    fn draw_life(&mut self, id: AttemptId, start: &Start) {
        let now = self.world.now();
        let begins = if self.random.percent(80) { now } else { now + self.random.time(Duration::from_millis(500)) };
        self.plan_act(id, begins, Act::Started);
        let lasts = self.random.time(Duration::from_secs(4));
        let ends = begins + lasts;
        let within = |random: &mut Random| begins + random.time(lasts).min(lasts);
        for _ in 0..self.random.below(4) {
            let at = within(&mut self.random);
            let stream = self.random.of(&[Stream::Stdout, Stream::Stderr]);
            let stays_out = matches!(start.what, What::Runner { .. }) || self.plan.task(id.task).runnable.kind == "tap";
            if !stays_out {
                self.plan_act(id, at, Act::Output(stream, b"text\n".to_vec()));
            }
        }
        let is_good = self.random.percent(65);
        let mut exit =
            if is_good { Exit::Code(0) } else { self.random.of(&[Exit::Code(1), Exit::Code(2), Exit::Signal(11)]) };
        let mut may_pass = is_good;
        let mut exits = true;
        match self.plan.task(id.task).runnable.kind.as_str() {
            "lua" => {
                self.plan_act(id, begins, Act::Said(Message::Started {}));
                let at = within(&mut self.random);
                self.plan_act(id, at, Act::Said(Message::Sync {}));
                let result =
                    if is_good { Outcome::Passed } else { self.random.of(&[Outcome::Failed, Outcome::Skipped]) };
                let is_lost = self.random.percent(self.plan.faults.lost_messages);
                if self.random.percent(4) {
                    self.plan_act(id, at, Act::Garbage);
                    may_pass = false;
                }
                may_pass &= !is_lost;
                exit = if self.random.percent(90) { Exit::Code(0) } else { exit };
                may_pass &= exit == Exit::Code(0);
                if !is_lost {
                    self.plan_act(id, ends, Act::Said(Message::Finished { result, reason: None, data: None }));
                }
            }
            "tap" => {
                let text: &[u8] = if is_good { b"1..2\nok 1\nok 2\n" } else { b"1..2\nok 1\nnot ok 2\n" };
                self.plan_act(id, ends, Act::Output(Stream::Stdout, text.to_vec()));
            }
            "foo" => {
                let report = |kind| Act::Reported(report(id, kind));
                self.plan_act(id, begins, report(StatusKind::Started { output_dir: None }));
                let at = within(&mut self.random);
                self.plan_act(id, at, report(StatusKind::Running(Running::Heartbeat)));
                let result = if is_good { TestStatus::Pass } else { TestStatus::Fail };
                let is_lost = self.random.percent(self.plan.faults.lost_messages);
                may_pass &= !is_lost;
                if !is_lost {
                    let finished = Finished::because(result, "as drawn");
                    self.plan_act(id, ends, report(StatusKind::Finished(finished)));
                }
                // It may have said everything and stay.
                exits = self.random.percent(85) || is_lost;
                exit = if is_good { Exit::Code(0) } else { Exit::Code(1) };
            }
            _ => {}
        }
        if self.random.percent(self.plan.faults.lost_places) {
            let at = within(&mut self.random);
            self.plan_act(id, at, Act::IsLost);
        }
        if exits {
            let late = self.random.percent(20).then(|| self.random.time(Duration::from_millis(20)));
            let at = ends + late.unwrap_or_default();
            self.plan_act(id, at, Act::Exits(exit));
        }
        self.world.truth(id, |truth| truth.may_pass = may_pass);
    }

    /// Plans what comes after the end of a process.
    fn after_exit(&mut self, id: AttemptId, by_itself: bool) {
        let now = self.world.now();
        // What was written before is read after it, perhaps.
        if self.random.percent(15) && self.plan.task(id.task).runner.is_none() {
            self.plan_act(id, now, Act::Output(Stream::Stderr, b"late".to_vec()));
        }
        match self.random.below(10) {
            // It has left something that stays until it is killed.
            0 if by_itself => {}
            1 => {
                let at = now + self.random.time(Duration::from_millis(400));
                self.plan_act(id, at, Act::Leaves);
            }
            _ => self.plan_act(id, now, Act::Leaves),
        }
    }

    fn kill(&mut self, id: AttemptId) {
        let now = self.world.now();
        let slow = self.plan.faults.slow_deaths;
        let Some(attempt) = self.live.get_mut(&id) else { return };
        if std::mem::replace(&mut attempt.is_dying, true) {
            return;
        }
        // Of what it would have done nothing comes any more.
        let has_started = !attempt.life.values().any(|act| matches!(act, Act::Started));
        assert!(has_started, "{id:?} is killed before it has a process");
        let has_exited = attempt.has_exited;
        attempt.life.clear();
        let at_most = Duration::from_millis(if self.random.percent(slow) { 3000 } else { 5 });
        let dies = now + self.random.time(at_most);
        let act = if has_exited { Act::Leaves } else { Act::Exits(Exit::Signal(9)) };
        self.plan_act(id, dies, act);
    }

    /// Does what an attempt does next; returns false if that is over for good.
    fn perform(&mut self, id: AttemptId, at: Duration, act: Act, tell: &mut Listener<'_>) {
        self.world.note(&format!("{id:?} {act:?} (at {:.4})", at.as_secs_f64()));
        match act {
            Act::Started => {
                self.world.truth(id, |truth| truth.started = at);
                tell(id, News::Started { pid: 1000 });
            }
            Act::Output(stream, bytes) => {
                let is_held = self.live.get(&id).is_some_and(|live| live.held.contains(&(stream == Stream::Stderr)));
                match is_held {
                    true => self.plan_act(id, at + Duration::from_millis(20), Act::Output(stream, bytes)),
                    false => tell(id, News::Output { stream, bytes: &bytes }),
                }
            }
            Act::Said(message) => tell(id, News::Said(Ok(message))),
            Act::Garbage => tell(id, News::Said(Err(Breach::TooLong(1)))),
            Act::Reported(message) => tell(id, News::Reported(Box::new(Ok(message)))),
            Act::Exits(exit) => {
                let Some(attempt) = self.live.get_mut(&id) else { return };
                attempt.has_exited = true;
                let by_itself = !attempt.is_dying;
                self.world.truth(id, |truth| truth.ended = Some((at, by_itself)));
                tell(id, News::Exited(exit));
                self.after_exit(id, by_itself);
            }
            Act::Leaves => {
                // What is still to be read is read.
                let Some(attempt) = self.live.remove(&id) else { return };
                for act in attempt.life.into_values() {
                    if let Act::Output(stream, bytes) = act {
                        tell(id, News::Output { stream, bytes: &bytes });
                    }
                }
                self.world.truth(id, |truth| truth.is_gone = true);
                tell(id, News::Gone(Left { killed: u32::from(attempt.is_dying), ..Left::default() }));
            }
            Act::IsLost => {
                self.live.remove(&id);
                self.world.truth(id, |truth| (truth.is_lost, truth.is_gone) = (true, true));
                tell(id, News::Lost("its machine was lost".to_owned()));
            }
        }
    }

    /// Whatever a task needs is on record with its end before the task starts.
    fn check_records(&self, task: &crate::model::Task) {
        let log = self.world.log();
        let log = String::from_utf8_lossy(&log);
        for need in &task.needs {
            let number = need.trim_start_matches('t');
            let is_end = |line: &str| {
                line.contains("\"event\":\"task-finished\"") && line.contains(&format!("\"task\":{number},"))
            };
            assert!(log.lines().any(is_end), "task {} starts before the end of {need} is on record", task.id);
        }
    }

    fn check_limits(&self, id: AttemptId) {
        let task = self.plan.task(id.task);
        assert!(self.live.keys().all(|other| other.task != id.task), "two attempts of task {} at once", id.task);
        self.check_records(task);
        let running = self.live.len();
        assert!(self.plan.limits.at_once.is_none_or(|limit| running < limit), "{running} run already");
        let holds = |task: &crate::model::Task| task.resources.get(RESOURCE).copied().unwrap_or(0);
        let used: u64 = self.live.keys().map(|id| holds(self.plan.task(id.task))).sum();
        assert!(used + holds(task) <= self.plan.limits.capacity[RESOURCE], "too much of a resource is held");
    }
}

fn report(id: AttemptId, kind: StatusKind) -> StatusMessage {
    StatusMessage {
        id: Some(TaskIdValue::Text(format!("t{}", id.task))),
        job_id: Some("run".to_owned()),
        time: None,
        encoding: None,
        kind,
    }
}

impl Spawner for SimSpawner {
    fn start(&mut self, start: Start, tell: &mut Listener<'_>) {
        let id = start.id;
        self.check_limits(id);
        if self.random.percent(self.plan.faults.refused_starts) {
            self.world.note(&format!("{id:?} is refused"));
            return tell(id, News::NotStarted(NotStarted::Exhausted("no processes".to_owned())));
        }
        if self.random.percent(3) {
            return tell(id, News::NotStarted(NotStarted::Task("no such program".to_owned())));
        }
        let kind = self.plan.task(id.task).runnable.kind.clone();
        let attempt = Attempt { life: BTreeMap::new(), kind, has_exited: false, is_dying: false, held: HashSet::new() };
        assert!(self.live.insert(id, attempt).is_none(), "{id:?} is started twice");
        let now = self.world.now();
        self.world.truth(id, |truth| truth.ordered = now);
        self.draw_life(id, &start);
        // Most have a process at once.
        let first = self.live.get_mut(&id).and_then(|attempt| attempt.life.first_entry());
        if let Some(first) = first.filter(|first| first.key().0 <= self.world.now()) {
            let ((at, _), act) = first.remove_entry();
            self.perform(id, at, act, tell);
        }
        self.tell_next();
    }

    fn ask(&mut self, id: AttemptId, ask: Ask) {
        let now = self.world.now();
        if !self.live.contains_key(&id) {
            return;
        }
        self.world.note(&format!("{id:?} is asked: {ask:?}"));
        match ask {
            Ask::Kill => {
                self.world.truth(id, |truth| truth.asked = truth.asked.or(Some(now)));
                self.kill(id);
            }
            Ask::Signal(signal) => {
                self.world.truth(id, |truth| truth.asked = truth.asked.or(Some(now)));
                let Some(attempt) = self.live.get_mut(&id).filter(|live| !live.has_exited && !live.is_dying) else {
                    return;
                };
                let heeds = self.random.below(3);
                if heeds == 0 {
                    // It ignores it.
                    return;
                }
                attempt.life.retain(|_, act| matches!(act, Act::Output(..)));
                let at = now + self.random.time(Duration::from_millis(300));
                if heeds == 1 && attempt.kind == "lua" {
                    let message = Message::Finished {
                        result: Outcome::Passed,
                        reason: None,
                        data: Some(crate::model::Value::Map(BTreeMap::new())),
                    };
                    self.plan_act(id, at, Act::Said(message));
                    self.plan_act(id, at, Act::Exits(Exit::Code(0)));
                } else {
                    self.plan_act(id, at, Act::Exits(Exit::Signal(signal)));
                }
                self.world.truth(id, |truth| truth.may_pass = false);
            }
            Ask::Stop | Ask::Continue => {}
        }
    }

    fn answer(&mut self, _: AttemptId, _: &Reply) {}

    fn hold(&mut self, id: AttemptId, stream: Stream, is_held: bool) {
        let Some(attempt) = self.live.get_mut(&id) else { return };
        match is_held {
            true => attempt.held.insert(stream == Stream::Stderr),
            false => attempt.held.remove(&(stream == Stream::Stderr)),
        };
    }

    fn wakes(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn due(&self, _: Duration) -> Option<Duration> {
        None
    }

    fn hear(&mut self, now: Duration, tell: &mut Listener<'_>) -> bool {
        let batch = 1 + self.random.below(6);
        for _ in 0..batch {
            let next = self.live.iter().filter_map(|(id, live)| Some((live.life.first_key_value()?.0.to_owned(), *id)));
            let Some((key, id)) = next.min().filter(|((at, _), _)| *at <= now) else {
                self.tell_next();
                return false;
            };
            if let Some(act) = self.live.get_mut(&id).and_then(|live| live.life.remove(&key)) {
                self.perform(id, key.0, act, tell);
            }
        }
        self.tell_next();
        true
    }

    fn abandon(&mut self) {
        self.live.clear();
    }

    fn take_dropped(&mut self) -> Dropped {
        Dropped::default()
    }
}
