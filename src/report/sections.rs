//! The sections of one task, folded from their events: as they were numbered, with what is known of each.
//!
//! The order in which reports show them, and what counts for a section without an end, is in `section_tree`.

use chrono::{DateTime, Utc};

use crate::model::{
    LogRange, Outcome, SectionFinished, SectionKind, SectionNumber, SectionPlan, SectionStarted, Value,
};

/// The sections of the latest attempt at a task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sections {
    list: Vec<Section>,
    touched: u32,
}

/// A section as far as the events that came tell it.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// What kind.
    pub(crate) kind: SectionKind,
    /// How it ended; `None` as long as it has not.
    pub(crate) outcome: Option<Outcome>,
    /// The section it is a part of; 0 for the testscript.
    pub(crate) parent: SectionNumber,
    /// Its place among those that were started or ended, from 1; 0 for one that was never reached.
    pub(crate) order: u32,
    /// The line of the script it is defined on; 0 if that is not known.
    line: u32,
    /// When it started; `None` for one that was passed over or not reached.
    pub(crate) started: Option<DateTime<Utc>>,
    /// Seconds it took.
    pub(crate) seconds: f64,
    /// Its bytes in the task's log, as they were written.
    pub(crate) log: LogRange,
    /// Another attempt followed it, so that it does not count.
    is_past: bool,
    uid: Box<str>,
    rare: Option<Box<Rare>>,
}

/// What few sections have.
#[derive(Clone, Debug, Default)]
struct Rare {
    description: Option<Box<str>>,
    groups: Vec<String>,
    reason: Option<Box<str>>,
    data: Option<Value>,
    /// Attempts that may follow the first.
    retries: u32,
    /// Which attempt it is, less one.
    attempts_before: u32,
    /// The attempt before it; 0 for none.
    retry_of: SectionNumber,
}

impl Sections {
    /// Takes sections in that were announced.
    pub(super) fn plan(&mut self, plans: &[SectionPlan]) {
        self.list.reserve(plans.len());
        for plan in plans {
            self.push(plan);
        }
    }

    /// Takes the beginning of a section in.
    pub(super) fn start(&mut self, started: &SectionStarted, time: DateTime<Utc>) {
        if let Some(plan) = &started.plan
            && started.section as usize == self.list.len() + 1
        {
            self.push(plan);
        }
        let order = self.touched + 1;
        let Some(section) = self.get_mut(started.section) else { return };
        if let Some(uid) = &started.uid {
            section.uid = uid.as_str().into();
        }
        section.started.get_or_insert(time);
        self.touch(started.section, order);
    }

    /// Takes the end of a section in.
    pub(super) fn finish(&mut self, finished: &SectionFinished) {
        let order = self.touched + 1;
        let Some(section) = self.get_mut(finished.section) else { return };
        // A log in which a section ends twice is damaged; the worse end stands.
        section.outcome = Some(section.outcome.map_or(finished.outcome, |known| known.and(finished.outcome)));
        section.seconds = if finished.seconds.is_finite() { finished.seconds.max(0.0) } else { 0.0 };
        section.log = finished.log;
        if finished.reason.is_some() || finished.data.is_some() || section.rare.is_some() {
            let rare = section.rare.get_or_insert_default();
            rare.reason = finished.reason.as_deref().map(Into::into);
            rare.data.clone_from(&finished.data);
        }
        self.touch(finished.section, order);
    }

    /// Returns a section.
    pub(crate) fn get(&self, number: SectionNumber) -> Option<&Section> {
        self.list.get((number as usize).wrapping_sub(1))
    }

    /// Returns all sections with their numbers, in the order of these.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SectionNumber, &Section)> {
        (1..).zip(&self.list)
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the names from the top-level section down, parted by dots.
    pub(crate) fn full_id(&self, number: SectionNumber) -> String {
        let mut names = Vec::new();
        let mut at = number;
        // Parents have lower numbers, so this comes to an end.
        while let Some(section) = self.get(at) {
            names.push(section.uid());
            at = section.parent;
        }
        names.reverse();
        names.join(".")
    }

    fn get_mut(&mut self, number: SectionNumber) -> Option<&mut Section> {
        self.list.get_mut((number as usize).wrapping_sub(1))
    }

    fn touch(&mut self, number: SectionNumber, order: u32) {
        if let Some(section) = self.get_mut(number)
            && section.order == 0
        {
            section.order = order;
            self.touched = order;
        }
    }

    /// Returns the attempt before the one that is planned, and how many attempts that makes. It has the same place, and no
    /// attempt behind it; a log that says otherwise is damaged.
    fn before(&self, plan: &SectionPlan) -> Option<(SectionNumber, u32)> {
        let number = plan.retry_of?;
        let past = self.get(number)?;
        let is_one = past.kind == plan.kind && past.parent == plan.parent && !past.is_past;
        is_one.then(|| (number, past.attempt()))
    }

    /// Returns the attempts before a section, the first one first.
    pub(crate) fn earlier(&self, number: SectionNumber) -> Vec<SectionNumber> {
        let before = |at: &SectionNumber| self.get(*at).and_then(Section::retry_of);
        let mut earlier: Vec<SectionNumber> = std::iter::successors(before(&number), before).collect();
        earlier.reverse();
        earlier
    }

    /// Returns whether another attempt followed a section, or one that it is a part of: it does not count.
    pub(crate) fn is_past(&self, number: SectionNumber) -> bool {
        // Parents have lower numbers, so this comes to an end.
        let above = |section: &&Section| self.get(section.parent);
        std::iter::successors(self.get(number), above).any(|section| section.is_past)
    }

    /// Returns how many sections passed, but not at the first attempt.
    pub(crate) fn flaky(&self) -> usize {
        self.iter().filter(|(number, section)| section.is_flaky() && !self.is_past(*number)).count()
    }

    fn push(&mut self, plan: &SectionPlan) {
        // Parents come before their parts; a log that says otherwise is damaged.
        let is_known = plan.parent as usize <= self.list.len();
        let before = self.before(plan);
        let is_rare = plan.description.is_some() || !plan.groups.is_empty() || plan.retries > 0 || before.is_some();
        let rare = || Rare {
            description: plan.description.as_deref().map(Into::into),
            groups: plan.groups.clone(),
            retries: plan.retries,
            attempts_before: before.map_or(0, |(_, attempts)| attempts),
            retry_of: before.map_or(0, |(number, _)| number),
            ..Rare::default()
        };
        if let Some(past) = before.and_then(|(number, _)| self.get_mut(number)) {
            past.is_past = true;
        }
        self.list.push(Section {
            kind: plan.kind,
            outcome: None,
            parent: if is_known { plan.parent } else { 0 },
            order: 0,
            line: plan.line.unwrap_or(0),
            started: None,
            seconds: 0.0,
            log: LogRange::default(),
            is_past: false,
            uid: plan.uid.as_str().into(),
            rare: is_rare.then(|| Box::new(rare())),
        });
    }
}

impl Section {
    /// Returns its name, unique among its siblings.
    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// Returns the line of the script it is defined on.
    pub(crate) fn line(&self) -> Option<u32> {
        (self.line > 0).then_some(self.line)
    }

    /// Returns which attempt it is, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        1 + self.rare.as_ref().map_or(0, |rare| rare.attempts_before)
    }

    /// Returns how many attempts it may have.
    pub(crate) fn max_attempts(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.retries).saturating_add(1).max(self.attempt())
    }

    fn retry_of(&self) -> Option<SectionNumber> {
        self.rare.as_ref().map(|rare| rare.retry_of).filter(|number| *number > 0)
    }

    /// Returns whether another attempt followed it.
    pub(crate) fn is_followed(&self) -> bool {
        self.is_past
    }

    /// Returns whether it passed, but not at the first attempt.
    pub(crate) fn is_flaky(&self) -> bool {
        self.attempt() > 1 && self.outcome.is_some_and(Outcome::is_pass)
    }

    /// Returns what it is about.
    pub(crate) fn description(&self) -> Option<&str> {
        self.rare.as_ref()?.description.as_deref()
    }

    /// Returns the groups it is in.
    pub(crate) fn groups(&self) -> &[String] {
        self.rare.as_ref().map_or(&[], |rare| &rare.groups)
    }

    /// Returns why it ended as it did, in its own words.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.rare.as_ref()?.reason.as_deref()
    }

    /// Returns what else was kept.
    pub(crate) fn data(&self) -> Option<&Value> {
        self.rare.as_ref()?.data.as_ref()
    }

    /// Returns its call stack, if it raised an error.
    pub(crate) fn traceback(&self) -> Option<&str> {
        self.data()?.get("traceback")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{section_end, section_start};
    use super::*;

    #[test]
    fn a_damaged_log_costs_nothing() {
        let mut sections = Sections::default();
        sections
            .plan(&[SectionPlan::new(SectionKind::Testcase, "a", 0), SectionPlan::new(SectionKind::Test, "b", 900)]);
        let started = SectionStarted {
            plan: Some(SectionPlan::new(SectionKind::Step, "far", 1)),
            ..section_start(1, 4_000_000_000)
        };
        sections.start(&started, DateTime::default());
        sections.finish(&section_end(1, 0, Outcome::Passed));
        sections.finish(&section_end(1, 77, Outcome::Passed));
        sections.finish(&section_end(1, 1, Outcome::Failed));
        sections.finish(&section_end(1, 1, Outcome::Passed));
        assert_eq!(sections.len(), 2);
        assert_eq!(sections.get(2).unwrap().parent, 0);
        assert_eq!(sections.get(1).unwrap().outcome, Some(Outcome::Failed));
    }

    #[test]
    fn ten_thousand_sections_stay_small() {
        assert!(size_of::<Section>() <= 96, "a section has {} bytes", size_of::<Section>());
    }
}
