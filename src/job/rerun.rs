//! What of an earlier run is run again: tasks, and testcases within them, by how they ended.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::model::{Event, EventKind, Outcome, SectionKind, SectionNumber, SectionPlan, TaskNumber, nearest};

/// The word for what has no end: a task whose host was killed, a testcase that was never reached.
const UNFINISHED: &str = "unfinished";

/// Which ends are a reason to run something again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    outcomes: Vec<Outcome>,
    unfinished: bool,
}

impl Default for Condition {
    /// Everything that is no pass, as in the original.
    fn default() -> Self {
        let outcomes = Outcome::BY_STRENGTH.into_iter().filter(|outcome| !outcome.is_pass()).collect();
        Self { outcomes, unfinished: true }
    }
}

impl std::str::FromStr for Condition {
    type Err = NoCondition;

    /// Reads words parted by commas.
    fn from_str(text: &str) -> Result<Self, NoCondition> {
        let mut condition = Self { outcomes: Vec::new(), unfinished: false };
        for word in text.split(',').map(|word| word.trim().to_lowercase()) {
            if word == UNFINISHED {
                condition.unfinished = true;
                continue;
            }
            match word.parse() {
                Ok(outcome) => condition.outcomes.push(outcome),
                Err(_) => return Err(NoCondition(word)),
            }
        }
        Ok(condition)
    }
}

/// A word that is no way to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", unknown_word(.0))]
pub(crate) struct NoCondition(String);

fn unknown_word(word: &str) -> String {
    let words: Vec<&str> = Outcome::BY_STRENGTH.map(Outcome::name).into_iter().chain([UNFINISHED]).collect();
    match nearest(word, words.iter().copied()) {
        Some(near) => format!("'{word}' is no condition; did you mean '{near}'?"),
        None => format!("'{word}' is no condition; the conditions are {}", words.join(", ")),
    }
}

impl Condition {
    fn holds(&self, outcome: Option<Outcome>) -> bool {
        outcome.map_or(self.unfinished, |outcome| self.outcomes.contains(&outcome))
    }
}

/// The tasks of an earlier run that are to run, and which of their testcases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rerun {
    /// The id of that run.
    pub(crate) of: String,
    /// The testcases by task id; `None` for all of them.
    pub(crate) tasks: BTreeMap<String, Option<Vec<String>>>,
    /// The secret variables that it had.
    #[serde(skip)]
    pub(crate) secrets: Vec<String>,
}

/// A task while the log is read.
struct Past {
    id: String,
    sections: BTreeMap<SectionNumber, Section>,
    next_section: SectionNumber,
    ended: Option<(Outcome, bool)>,
}

/// A top-level section.
struct Section {
    kind: SectionKind,
    uid: String,
    started: bool,
    outcome: Option<Outcome>,
}

impl Rerun {
    /// Chooses by the events of the earlier run.
    pub(crate) fn choose<E>(events: impl Iterator<Item = Result<Event, E>>, condition: &Condition) -> Result<Rerun, E> {
        let mut rerun = Rerun::default();
        let mut tasks: HashMap<TaskNumber, Past> = HashMap::new();
        for event in events {
            match event?.kind {
                EventKind::RunStarted(header) => {
                    rerun.of = header.run_id;
                    rerun.secrets = header.secrets;
                    tasks.clear();
                    rerun.tasks.clear();
                }
                EventKind::TaskQueued(queued) => {
                    tasks.insert(queued.task, Past::new(queued.id));
                }
                EventKind::TaskFinished(finished) if !finished.will_retry => {
                    // One that ended is done with, so that memory holds those that run and no more.
                    if let Some(mut task) = tasks.remove(&finished.task) {
                        task.ended = Some((finished.outcome, finished.attempt > 0));
                        rerun.add(task, condition);
                    }
                }
                kind => {
                    if let Some(task) = task_of(&kind).and_then(|number| tasks.get_mut(&number)) {
                        task.take(kind);
                    }
                }
            }
        }
        for task in tasks.into_values() {
            rerun.add(task, condition);
        }
        Ok(rerun)
    }

    /// Returns whether nothing is to run.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns which testcases of a task are to run, `None` for all of them; fails if the task is left out.
    pub(super) fn choice(&self, task: &str) -> Result<Option<Vec<String>>, NotRerun> {
        match self.tasks.get(task) {
            Some(testcases) => Ok(testcases.clone()),
            None => Err(NotRerun { of: self.of.clone() }),
        }
    }

    fn add(&mut self, task: Past, condition: &Condition) {
        if let Some(testcases) = task.testcases(condition) {
            self.tasks.insert(task.id, Some(testcases).filter(|testcases| !testcases.is_empty()));
        }
    }
}

/// A task that is not run again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not in the rerun of {}", of.get(..8).unwrap_or(of))]
pub(super) struct NotRerun {
    /// The id of the run that is repeated.
    of: String,
}

fn task_of(kind: &EventKind) -> Option<TaskNumber> {
    match kind {
        EventKind::TaskStarted { task, .. } => Some(*task),
        EventKind::TaskPlanned(planned) => Some(planned.task),
        EventKind::SectionStarted(section) => Some(section.task),
        EventKind::SectionFinished(section) => Some(section.task),
        _ => None,
    }
}

impl Past {
    fn new(id: String) -> Self {
        Self { id, sections: BTreeMap::new(), next_section: 1, ended: None }
    }

    fn take(&mut self, kind: EventKind) {
        match kind {
            // Another attempt numbers its sections anew.
            EventKind::TaskStarted { .. } => {
                self.sections.clear();
                self.next_section = 1;
            }
            EventKind::TaskPlanned(planned) => planned.sections.into_iter().for_each(|plan| self.plan(plan)),
            EventKind::SectionStarted(started) => {
                if let Some(plan) = started.plan {
                    self.plan(plan);
                }
                if let Some(section) = self.sections.get_mut(&started.section) {
                    section.started = true;
                    section.uid = started.uid.unwrap_or_else(|| std::mem::take(&mut section.uid));
                }
            }
            EventKind::SectionFinished(finished) => {
                if let Some(section) = self.sections.get_mut(&finished.section) {
                    section.outcome = Some(finished.outcome);
                }
            }
            _ => {}
        }
    }

    fn plan(&mut self, plan: SectionPlan) {
        if let Some(before) = plan.retry_of {
            self.sections.remove(&before);
        }
        if plan.parent == 0 {
            let section = Section { kind: plan.kind, uid: plan.uid, started: false, outcome: None };
            self.sections.insert(self.next_section, section);
        }
        self.next_section += 1;
    }

    /// Returns which testcases are to run again, an empty list for all of them; `None` if the task is not to run at all.
    fn testcases(&self, condition: &Condition) -> Option<Vec<String>> {
        // Nobody wanted it: --taskid, --tags or an earlier rerun left it out.
        if self.ended == Some((Outcome::Skipped, false)) {
            return None;
        }
        let end = |section: &Section| match (section.outcome, self.ended) {
            (Some(outcome), _) => Some(outcome),
            // It was in it when its task ended.
            (None, Some(_)) if section.started => Some(Outcome::Errored),
            (None, _) => None,
        };
        let found = || self.sections.values().filter(|section| condition.holds(end(section)));
        if found().any(|section| section.kind == SectionKind::CommonSetup) {
            return Some(Vec::new());
        }
        let testcases: Vec<String> = found()
            .filter(|section| section.kind == SectionKind::Testcase)
            .map(|section| section.uid.clone())
            .collect();
        if !testcases.is_empty() {
            return Some(testcases);
        }
        condition.holds(self.ended.map(|(outcome, _)| outcome)).then(Vec::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_words_and_a_slip_is_named() {
        let condition: Condition = "failed, Errored".parse().unwrap();
        assert!(condition.holds(Some(Outcome::Failed)) && condition.holds(Some(Outcome::Errored)));
        assert!(!condition.holds(Some(Outcome::Skipped)) && !condition.holds(None));
        assert!("unfinished".parse::<Condition>().unwrap().holds(None));
        let default = Condition::default();
        for outcome in Outcome::BY_STRENGTH {
            assert_eq!(default.holds(Some(outcome)), !outcome.is_pass(), "{outcome}");
        }
        assert_eq!(
            "faild".parse::<Condition>().unwrap_err().to_string(),
            "'faild' is no condition; did you mean 'failed'?"
        );
        assert_eq!("".parse::<Condition>().unwrap_err().to_string().split(';').next(), Some("'' is no condition"));
    }

    /// Chooses from a log of these lines, each the rest of an event behind its number and time.
    fn chosen(lines: &[&str], condition: &str) -> BTreeMap<String, Option<Vec<String>>> {
        let events = lines.iter().map(|line| {
            let text = format!(r#"{{"seq":1,"time":"2026-11-21T09:00:00Z",{line}}}"#);
            serde_json::from_str::<Event>(&text)
        });
        let condition = if condition.is_empty() { Condition::default() } else { condition.parse().unwrap() };
        Rerun::choose(events, &condition).unwrap().tasks
    }

    const QUEUED: &str = r#""event":"task-queued","task":1,"id":"a","kind":"lua","uri":"/a.lua","folder":"tasks/1-a""#;
    const STARTED: &str = r#""event":"task-started","task":1,"attempt":1,"pid":7"#;
    const PLANNED: &str = r#""event":"task-planned","task":1,"sections":[{"kind":"common_setup","uid":"common_setup"},
        {"kind":"subsection","uid":"connect","parent":1},{"kind":"testcase","uid":"A"},{"kind":"test","uid":"t","parent":3},
        {"kind":"testcase","uid":"B"},{"kind":"testcase","uid":"C"}]"#;

    fn section(number: u32, outcome: &str) -> String {
        format!(
            r#""event":"section-finished","task":1,"section":{number},"outcome":"{outcome}","seconds":0,"log":{{"begin":0,"size":0}}"#
        )
    }

    fn ended(outcome: &str, attempt: u32) -> String {
        format!(r#""event":"task-finished","task":1,"attempt":{attempt},"outcome":"{outcome}","seconds":0.1"#)
    }

    #[test]
    fn testcases_are_chosen_by_their_own_end() {
        let log = |ends: &[(u32, &str)], outcome: &str, condition: &str| {
            let ends: Vec<String> = ends.iter().map(|(number, outcome)| section(*number, outcome)).collect();
            let end = ended(outcome, 1);
            let mut lines = vec![QUEUED, STARTED, PLANNED];
            lines.extend(ends.iter().map(String::as_str));
            lines.push(&end);
            chosen(&lines, condition).remove("a")
        };
        let some = |uids: &[&str]| Some(Some(uids.iter().map(|&uid| uid.to_owned()).collect::<Vec<_>>()));
        let mixed = [(1, "passed"), (3, "failed"), (5, "errored"), (6, "skipped")];
        assert_eq!(log(&mixed, "errored", ""), some(&["A", "B", "C"]));
        assert_eq!(log(&mixed, "errored", "failed"), some(&["A"]));
        assert_eq!(log(&mixed, "errored", "passx"), None);
        let setup = [(1, "failed"), (3, "blocked"), (5, "blocked"), (6, "blocked")];
        assert_eq!(log(&setup, "failed", ""), Some(None), "common setup means everything");
        assert_eq!(log(&setup, "failed", "blocked"), some(&["A", "B", "C"]));
        let unreached = [(1, "passed"), (3, "passed")];
        assert_eq!(log(&unreached, "errored", ""), some(&["B", "C"]));
        assert_eq!(log(&unreached, "errored", "errored"), Some(None), "no testcase tells why");
        let passed = [(1, "passed"), (3, "passed"), (5, "passed"), (6, "passed")];
        assert_eq!(log(&passed, "passed", ""), None);
    }

    #[test]
    fn tasks_without_sections_are_chosen_whole() {
        let (failed, left_out, blocked) = (ended("failed", 1), ended("skipped", 0), ended("blocked", 0));
        assert_eq!(chosen(&[QUEUED, STARTED, &failed], "")["a"], None);
        assert_eq!(chosen(&[QUEUED, STARTED, &failed], "errored").len(), 0);
        assert_eq!(chosen(&[QUEUED, &left_out], "").len(), 0, "filtered out is not skipped");
        assert_eq!(chosen(&[QUEUED, STARTED, &ended("skipped", 1)], "").len(), 1);
        assert_eq!(chosen(&[QUEUED, &blocked], "").len(), 1);
        assert_eq!(chosen(&[QUEUED, STARTED], "").len(), 1, "lost");
        assert_eq!(chosen(&[QUEUED, STARTED], "failed").len(), 0);
    }
}
