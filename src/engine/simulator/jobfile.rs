//! What a jobfile and its plugins do while the engine works, as it was drawn.

use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, TryRecvError, bounded};
use parking_lot::Mutex;

use super::check;
use super::plan::Plan;
use super::random::Random;
use super::world::World;
use crate::engine::request::{Call, Failure, Request, Waited};
use crate::engine::scheduler::{Group, OnLimit, Submission, Wait};
use crate::engine::stop::StopReason;
use crate::engine::supervisor::Dispatcher;
use crate::model::TaskNumber;

/// What is done at some time.
enum Deed {
    Submit(Vec<TaskNumber>, Option<Group>),
    Wait(Vec<TaskNumber>, Option<(Duration, OnLimit)>),
    Stop(TaskNumber),
    Interrupt,
    HasRoom,
    Admit(TaskNumber, Option<String>),
    Dismiss(TaskNumber, Option<String>),
    GiveUpHooks,
    Close,
}

struct Waiting {
    tasks: Vec<TaskNumber>,
    answer: Receiver<Result<Waited, Failure>>,
}

/// See the module.
pub(super) struct Jobfile {
    plan: Plan,
    random: Random,
    calls: Arc<Mutex<Vec<(TaskNumber, Call)>>>,
    deeds: Vec<(Duration, Deed)>,
    waiting: Vec<Waiting>,
    closed: Option<Receiver<Result<(), Failure>>>,
    next_wait: u64,
    uses_hooks: bool,
}

/// How long `main` has to return when the run was asked to stop.
const PATIENCE: Duration = Duration::from_secs(3);

impl Jobfile {
    /// Draws what is done.
    pub(super) fn new(plan: &Plan, calls: Arc<Mutex<Vec<(TaskNumber, Call)>>>, mut random: Random) -> Self {
        let numbers: Vec<TaskNumber> = (1..).take(plan.tasks.len()).collect();
        let mut deeds = Vec::new();
        let mut time = Duration::ZERO;
        for (group, part) in (1..).zip(numbers.chunks(1 + usize::try_from(random.below(5)).unwrap_or(0))) {
            let limit = 1 + usize::try_from(random.below(3)).unwrap_or(0);
            let group = random.percent(30).then_some(Group { id: group, limit });
            deeds.push((time, Deed::Submit(part.to_vec(), group)));
            let limit = random.percent(40).then(|| random.time(Duration::from_secs(4)));
            let on_limit = random.of(&[OnLimit::End, OnLimit::Leave]);
            deeds.push((time, Deed::Wait(part.to_vec(), limit.map(|limit| (limit, on_limit)))));
            time += random.time(Duration::from_secs(1));
        }
        let last = Duration::from_secs(20);
        for _ in 0..random.below(3) {
            deeds.push((random.time(last / 4), Deed::Stop(random.of(&numbers))));
        }
        for _ in 0..random.below(2) {
            deeds.push((random.time(last / 2), Deed::HasRoom));
        }
        if random.percent(15) {
            deeds.push((random.time(last / 4), Deed::Interrupt));
            if random.percent(30) {
                deeds.push((random.time(last / 4), Deed::Interrupt));
            }
        }
        // `main` returns, perhaps before its tasks have ended; a plugin that hangs is given up.
        let closes = if random.percent(30) { random.time(last / 2) } else { last };
        deeds.push((closes.max(time), Deed::Close));
        deeds.push((last * 2, Deed::GiveUpHooks));
        // A sink that is full has room some time.
        deeds.extend((1..60).map(|n| (Duration::from_millis(1000 * n), Deed::HasRoom)));
        deeds.sort_by_key(|(at, _)| *at);
        let waiting = Vec::new();
        Self { plan: plan.clone(), random, calls, deeds, waiting, closed: None, next_wait: 0, uses_hooks: false }
    }

    /// Returns when something is to be done.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let called = (!self.calls.lock().is_empty()).then_some(now);
        self.deeds.first().map(|(at, _)| *at).into_iter().chain(called).min()
    }

    /// Does what is to be done now.
    pub(super) fn act(&mut self, dispatcher: &mut Dispatcher, world: &World) -> Result<(), String> {
        let now = world.now();
        if self.plan.has_hooks && !std::mem::replace(&mut self.uses_hooks, true) {
            dispatcher.take(Request::UseHooks);
        }
        let calls = std::mem::take(&mut *self.calls.lock());
        for (task, call) in calls {
            self.answer_later(task, &call, now);
        }
        while self.deeds.first().is_some_and(|(at, _)| *at <= now) {
            let (_, deed) = self.deeds.remove(0);
            self.perform(deed, dispatcher, world);
        }
        self.hear_answers(world)
    }

    fn answer_later(&mut self, task: TaskNumber, call: &Call, now: Duration) {
        // Some plugins hang.
        if self.random.percent(3) {
            return;
        }
        let at = now + self.random.time(Duration::from_millis(500));
        let failed = self.random.percent(8).then(|| "a plugin failed".to_owned());
        let deed = match call {
            Call::Comes => Deed::Admit(task, failed),
            Call::Leaves(..) => Deed::Dismiss(task, failed),
            Call::ArgumentsRead(_) | Call::Used(_) | Call::Remark(_) | Call::Select(_) | Call::Prompt(_) => return,
        };
        self.deeds.push((at, deed));
        self.deeds.sort_by_key(|(at, _)| *at);
    }

    fn perform(&mut self, deed: Deed, dispatcher: &mut Dispatcher, world: &World) {
        let request = match deed {
            Deed::Submit(numbers, group) => {
                let tasks = numbers.into_iter().map(|number| Submission {
                    number,
                    folder: format!("tasks/{number}"),
                    task: Box::new(self.plan.task(number).clone()),
                    decided: None,
                    reused: None,
                });
                Request::Submit { tasks: tasks.collect(), group }
            }
            Deed::Wait(tasks, limit) => {
                let (reply, answer) = bounded(1);
                self.next_wait += 1;
                self.waiting.push(Waiting { tasks: tasks.clone(), answer });
                Request::Wait { wait: Wait { id: self.next_wait, tasks, limit }, reply }
            }
            Deed::Stop(task) => Request::Stop { tasks: vec![task], reason: StopReason::Terminated },
            Deed::HasRoom => Request::SinkHasRoom,
            Deed::Admit(task, refused) => Request::Admit { task, refused },
            Deed::Dismiss(task, failed) => Request::Dismiss { task, failed },
            Deed::GiveUpHooks => Request::GiveUpHooks,
            Deed::Interrupt => {
                world.note("SIGINT");
                return dispatcher.interrupt(2, 1, PATIENCE);
            }
            Deed::Close => {
                world.note("main returns");
                let (reply, answer) = bounded(1);
                self.closed = Some(answer);
                Request::Close { reply }
            }
        };
        dispatcher.take(request);
    }

    fn hear_answers(&mut self, world: &World) -> Result<(), String> {
        let mut open = Vec::new();
        for wait in std::mem::take(&mut self.waiting) {
            match wait.answer.try_recv() {
                Ok(answer) => check::answer(&wait.tasks, &answer, world)?,
                Err(TryRecvError::Empty) => open.push(wait),
                Err(TryRecvError::Disconnected) => return Err("a wait was forgotten".to_owned()),
            }
        }
        self.waiting = open;
        Ok(())
    }

    /// Looks whether everybody was answered who waited.
    pub(super) fn was_answered(&mut self) -> Result<(), String> {
        for wait in &self.waiting {
            if wait.answer.try_recv().is_err() {
                return Err(format!("a wait for {:?} was never answered", wait.tasks));
            }
        }
        let answer = self.closed.as_ref().and_then(|closed| closed.try_recv().ok());
        answer.map(|_| ()).ok_or_else(|| "nobody was told of the end".to_owned())
    }
}
