//! Who takes part: tasks come, connect, go and die, and `main` waits; and the look for calls that wait in vain.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::broken::{Call, Needs, Scene, Standing};
use super::holder::{Holder, HolderId, MAIN, MAIN_HOLDER, Party, TaskEntry};
use super::state::{Blocked, State};
use super::types::EndedBy;
use crate::model::{Answer, Fault, FaultKind, ObjectId, TaskNumber};

/// How long after a change it is looked which calls wait in vain: often enough for whoever waits, and not at each change.
const JUDGE_AFTER: Duration = Duration::from_millis(20);

impl State {
    /// Takes a task in that was handed to the engine with references to these objects.
    pub(super) fn task_queued(&mut self, task: TaskNumber, known: HashSet<ObjectId>) {
        self.generation += 1;
        self.tasks.insert(task, TaskEntry { known, ..TaskEntry::default() });
    }

    /// Notes that an attempt at a task has begun.
    pub(super) fn task_started(&mut self, task: TaskNumber) {
        self.generation += 1;
        if let Some(task) = self.tasks.get_mut(&task) {
            task.starts += 1;
        }
    }

    /// Forgets a task that has ended, and all that it held.
    pub(super) fn task_ended(&mut self, task: TaskNumber, now: Instant) {
        self.generation += 1;
        self.judge_soon(now);
        let holders = self.tasks.get(&task).map_or_else(Vec::new, |task| task.holders.clone());
        for holder in &holders {
            self.leave(*holder, now);
        }
        self.tasks.remove(&task);
        self.dismissed.extend(holders);
    }

    /// Takes a connection in that says it is of this attempt at this task.
    pub(super) fn join(&mut self, holder: HolderId, task: TaskNumber, attempt: u32) -> Result<(), Fault> {
        let Some(entry) = self.tasks.get_mut(&task) else {
            return Err(Fault::usage(format!("task {task} is no task of this run that has not ended")));
        };
        // The process may say so before the engine does.
        if attempt < entry.starts || attempt > entry.starts + 1 || attempt == 0 {
            return Err(Fault::usage(format!("attempt {attempt} of task {task} is not under way")));
        }
        entry.holders.push(holder);
        self.holders.insert(holder, Holder::of(task));
        Ok(())
    }

    /// Forgets a connection: its call waits no more, and what it held is free.
    pub(super) fn leave(&mut self, holder: HolderId, now: Instant) {
        self.unblock(holder);
        let Some(Holder { party, held }) = self.holders.remove(&holder) else { return };
        if let Some(task) = self.tasks.get_mut(&party) {
            task.holders.retain(|other| *other != holder);
        }
        for id in held {
            if let Some(object) = self.objects.get_mut(&id) {
                let woken = object.body.leave(holder, &object.waiting);
                self.wake_all(id, woken);
            }
        }
        self.judge_soon(now);
    }

    /// Notes for which tasks `main` waits without a limit.
    pub(super) fn follow(&mut self, tasks: Option<Vec<TaskNumber>>, now: Instant) {
        self.followed = tasks;
        self.judge_soon(now);
    }

    /// Has it looked soon which calls wait in vain, if any may.
    pub(super) fn judge_soon(&mut self, now: Instant) {
        self.judge_at.get_or_insert(now + JUDGE_AFTER);
    }

    /// Ends the calls that wait in vain. `held_back` are tasks that start only when others have ended. Returns whether the
    /// answer would be another if every task that has not started were held back, so that it is worth knowing.
    pub(super) fn judge(&mut self, held_back: &HashSet<TaskNumber>) -> bool {
        self.judge_at = None;
        if self.blocked.values().all(|blocked| blocked.deadline.is_some()) {
            return false;
        }
        let scene = self.scene(held_back);
        let in_vain = scene.in_vain();
        let broken: Vec<(HolderId, Fault)> =
            in_vain.iter().map(|at| (scene.calls[*at].holder, self.broken(&scene.calls[*at]))).collect();
        drop(scene);
        for (holder, fault) in broken {
            self.wake(holder, Answer::Error(fault));
        }
        let waiting: HashSet<TaskNumber> =
            self.tasks.iter().filter(|(_, task)| task.starts == 0).map(|(number, _)| *number).collect();
        !waiting.is_empty() && waiting != *held_back && !self.scene(&waiting).in_vain().is_empty()
    }

    fn scene(&self, held_back: &HashSet<TaskNumber>) -> Scene<'_> {
        let mut parties: HashMap<Party, Standing> = HashMap::with_capacity(self.tasks.len() + 1);
        let waits = |holder: &HolderId| self.blocked.get(holder).is_some_and(|blocked| blocked.deadline.is_none());
        let main = match &self.followed {
            _ if waits(&MAIN_HOLDER) => Standing::Waits,
            Some(tasks) => Standing::Follows(tasks.clone()),
            None => Standing::Goes,
        };
        parties.insert(MAIN, main);
        for (number, task) in &self.tasks {
            let standing = if !task.holders.is_empty() && task.holders.iter().all(waits) {
                Standing::Waits
            } else if held_back.contains(number) {
                Standing::HeldBack
            } else {
                Standing::Goes
            };
            parties.insert(*number, standing);
        }
        let waiting = self.blocked.iter().filter(|(_, blocked)| blocked.deadline.is_none());
        let calls = waiting.map(|(holder, blocked)| self.call(*holder, blocked)).collect();
        Scene { parties, calls, reach: Box::new(|party| self.reach(party)) }
    }

    fn call(&self, holder: HolderId, blocked: &Blocked) -> Call {
        let id = blocked.object.id;
        let parties =
            |holders: &mut dyn Iterator<Item = &HolderId>| holders.map(|holder| self.party(*holder)).collect();
        let needs = match self.objects.get(&id).map(|object| (object.body.ended_by(&object.waiting), &object.waiting)) {
            Some((EndedBy::OneOf(owners), _)) => Needs::OneOf(parties(&mut owners.iter())),
            Some((EndedBy::Arrivals(missing), waiting)) => {
                Needs::Arrivals { barrier: id, missing, there: parties(&mut waiting.iter()) }
            }
            Some((EndedBy::Anybody(state), _)) => Needs::Anybody(id, state),
            None => Needs::Anybody(id, ""),
        };
        Call { holder, party: self.party(holder), needs }
    }

    fn party(&self, holder: HolderId) -> Party {
        self.holders.get(&holder).map_or(MAIN, |holder| holder.party)
    }

    /// Returns the objects that a task can get at.
    fn reach(&self, task: TaskNumber) -> HashSet<ObjectId> {
        let mut reached = self.tasks.get(&task).map_or_else(HashSet::new, |task| task.known.clone());
        let mut open: Vec<ObjectId> = reached.iter().copied().collect();
        while let Some(id) = open.pop() {
            let links = self.objects.get(&id).into_iter().flat_map(|object| &object.links);
            open.extend(links.filter(|link| reached.insert(**link)));
        }
        reached
    }

    /// Says why a call waits in vain.
    fn broken(&self, call: &Call) -> Fault {
        let Some(name) = self.blocked.get(&call.holder).map(|blocked| blocked.object) else { return Fault::closed() };
        let text = match &call.needs {
            Needs::OneOf(owners) => {
                let who: Vec<String> = owners.iter().map(|party| name_of(*party)).collect();
                format!("{name} is held by {}, which cannot go on: each waits for another", who.join(" and "))
            }
            Needs::Arrivals { missing, there, .. } => format!(
                "{name} waits for {}, of which {} arrived, and not enough are left to come",
                missing + there.len(),
                there.len()
            ),
            Needs::Anybody(_, state) => format!("{name} {state}"),
        };
        Fault::new(FaultKind::Broken, text)
    }
}

fn name_of(party: Party) -> String {
    if party == MAIN { "main".to_owned() } else { format!("task {party}") }
}
