//! Tasks that need others: when they may start, and when they never will.

use std::collections::HashSet;

use super::{Phase, Scheduler};
use crate::model::{Outcome, TaskNumber, nearest};

impl Scheduler {
    /// Connects a new task with those that it needs and those that wait for it.
    pub(super) fn link(&mut self, number: TaskNumber) {
        let Some(task) = self.task(number) else { return };
        let (id, needs) = (task.id.clone(), task.needs.clone());
        if let Some(reason) = self.ready.impossible(&task.resources) {
            self.settle_unstarted(number, Outcome::Errored, reason, None);
            return;
        }
        let mut unmet = 0;
        for need in needs {
            match self.by_id.get(&need) {
                Some(&needed) => match self.tasks[&needed].phase {
                    Phase::Done(outcome) if outcome.is_pass() => {}
                    Phase::Done(outcome) => {
                        self.settle_unstarted(number, Outcome::Blocked, blocked_by(&need, outcome), None);
                        return;
                    }
                    _ => {
                        unmet += 1;
                        self.tasks.entry(needed).and_modify(|entry| entry.dependants.push(number));
                    }
                },
                None => {
                    unmet += 1;
                    self.wanted.entry(need).or_default().push(number);
                }
            }
        }
        if let Some(waiting) = self.wanted.remove(&id) {
            self.tasks.entry(number).and_modify(|entry| entry.dependants.extend(waiting));
        }
        if unmet == 0 {
            self.make_ready(number);
        } else if let Some(entry) = self.tasks.get_mut(&number) {
            entry.phase = Phase::Waiting { unmet };
        }
    }

    /// Returns the circles of needs among `numbers`, each as its members.
    pub(super) fn find_cycles(&self, numbers: &[TaskNumber]) -> Vec<Vec<TaskNumber>> {
        let is_waiting = |number: TaskNumber| matches!(self.tasks[&number].phase, Phase::Waiting { .. });
        let mut cycles = Vec::new();
        let mut seen = HashSet::new();
        for &start in numbers {
            if !is_waiting(start) || !seen.insert(start) {
                continue;
            }
            let mut path: Vec<(TaskNumber, usize)> = vec![(start, 0)];
            let mut on_path = HashSet::from([start]);
            while let Some((number, next)) = path.last_mut() {
                let Some(need) = self.task(*number).and_then(|task| task.needs.get(*next)) else {
                    on_path.remove(number);
                    path.pop();
                    continue;
                };
                *next += 1;
                let Some(&needed) = self.by_id.get(need) else { continue };
                if on_path.contains(&needed) {
                    let members = path.iter().map(|(number, _)| *number).skip_while(|number| *number != needed);
                    cycles.push(members.collect());
                } else if is_waiting(needed) && seen.insert(needed) {
                    on_path.insert(needed);
                    path.push((needed, 0));
                }
            }
        }
        cycles
    }

    /// Settles the tasks, among these and what they need, whose need nobody has submitted. While somebody waits for them
    /// nobody will, so that the wait would never end.
    pub(super) fn give_up_unmeetable(&mut self, tasks: &[TaskNumber]) {
        let mut seen = HashSet::new();
        let mut look_at = tasks.to_vec();
        let mut unmeetable = Vec::new();
        while let Some(number) = look_at.pop().filter(|_| !self.wanted.is_empty()) {
            let is_waiting = self.tasks.get(&number).is_some_and(|e| matches!(e.phase, Phase::Waiting { .. }));
            if !is_waiting || !seen.insert(number) {
                continue;
            }
            for need in self.task(number).into_iter().flat_map(|task| &task.needs) {
                match self.by_id.get(need) {
                    Some(needed) => look_at.push(*needed),
                    None => unmeetable.push((number, need.clone())),
                }
            }
        }
        for (number, need) in unmeetable {
            let hint = nearest(&need, self.by_id.keys().map(String::as_str));
            let hint = hint.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            let reason = format!("needs '{need}', but no task of that id was started{hint}");
            self.settle_unstarted(number, Outcome::Errored, reason, None);
        }
        self.tell_dependants();
    }

    pub(super) fn tell_dependants(&mut self) {
        while let Some((id, outcome, dependants)) = self.settled.pop_front() {
            for dependant in dependants {
                self.need_settled(dependant, &id, outcome);
            }
        }
    }

    pub(super) fn need_settled(&mut self, dependant: TaskNumber, need: &str, outcome: Outcome) {
        let Some(entry) = self.tasks.get_mut(&dependant) else { return };
        let Phase::Waiting { unmet } = &mut entry.phase else { return };
        if !outcome.is_pass() {
            self.settle_unstarted(dependant, Outcome::Blocked, blocked_by(need, outcome), None);
            return;
        }
        *unmet -= 1;
        if *unmet == 0 {
            self.make_ready(dependant);
        }
    }
}

fn blocked_by(need: &str, outcome: Outcome) -> String {
    format!("needs '{need}', which did not pass: {outcome}")
}
