//! The sections that one attempt at a testscript has told of: what it says of them must make sense.

use crate::model::{LogRange, SectionKind, SectionNumber, SectionPlan};

/// Sections that one attempt may have. It bounds what a script gone wild costs the host.
const MOST: usize = 1_000_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sections {
    known: Vec<Known>,
    open: usize,
}

/// A section.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) kind: SectionKind,
    pub(super) uid: String,
    pub(super) parent: SectionNumber,
    state: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Planned,
    /// Began where the log had this many bytes.
    Open(u64),
    Ended,
}

/// What makes no sense of what was said of a section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSection {
    /// A new section has another number than the next.
    #[error("section {section} is new, but the next number is {next}")]
    Number {
        /// Its number.
        section: SectionNumber,
        /// The number that it should have.
        next: usize,
    },
    /// It has begun before.
    #[error("section {section} ('{uid}') began twice")]
    BeganTwice {
        /// Its number.
        section: SectionNumber,
        /// Its uid.
        uid: String,
    },
    /// It has ended before.
    #[error("section {section} ('{uid}') ended twice")]
    EndedTwice {
        /// Its number.
        section: SectionNumber,
        /// Its uid.
        uid: String,
    },
    /// There are too many.
    #[error("it has more than {MOST} sections")]
    TooMany,
    /// It is a part of one that is not there.
    #[error("section '{uid}' is said to be a part of the unknown section {parent}")]
    NoParent {
        /// Its uid.
        uid: String,
        /// The number of the other.
        parent: SectionNumber,
    },
    /// Nobody has told of it.
    #[error("there is no section {0}")]
    Unknown(SectionNumber),
}

impl Sections {
    /// Takes in sections that are to come.
    pub(super) fn plan(&mut self, plans: &[SectionPlan]) -> Result<(), BadSection> {
        for plan in plans {
            self.add(plan)?;
        }
        Ok(())
    }

    /// Takes in that a section begins, at `position` of the log.
    pub(super) fn start(
        &mut self,
        section: SectionNumber,
        plan: Option<&SectionPlan>,
        uid: Option<&str>,
        position: u64,
    ) -> Result<&Known, BadSection> {
        if let Some(plan) = plan {
            if section as usize != self.known.len() + 1 {
                return Err(BadSection::Number { section, next: self.known.len() + 1 });
            }
            self.add(plan)?;
        }
        let known = self.get_mut(section)?;
        if known.state != Progress::Planned {
            return Err(BadSection::BeganTwice { section, uid: known.uid.clone() });
        }
        known.state = Progress::Open(position);
        if let Some(uid) = uid {
            uid.clone_into(&mut known.uid);
        }
        self.open += 1;
        self.get_mut(section).map(|known| &*known)
    }

    /// Takes in that a section has ended, or was passed over, at `position` of the log. Returns what it has logged.
    pub(super) fn finish(&mut self, section: SectionNumber, position: u64) -> Result<LogRange, BadSection> {
        let known = self.get_mut(section)?;
        let begin = match known.state {
            Progress::Planned => position,
            Progress::Open(begin) => begin,
            Progress::Ended => return Err(BadSection::EndedTwice { section, uid: known.uid.clone() }),
        };
        if std::mem::replace(&mut known.state, Progress::Ended) != Progress::Planned {
            self.open -= 1;
        }
        Ok(LogRange { begin, size: position.saturating_sub(begin) })
    }

    /// Returns a section.
    pub(super) fn get(&self, section: SectionNumber) -> Option<&Known> {
        self.known.get((section as usize).checked_sub(1)?)
    }

    /// Returns how many sections have begun and not ended.
    pub(super) const fn open(&self) -> usize {
        self.open
    }

    fn add(&mut self, plan: &SectionPlan) -> Result<(), BadSection> {
        if self.known.len() >= MOST {
            return Err(BadSection::TooMany);
        }
        if plan.parent as usize > self.known.len() {
            return Err(BadSection::NoParent { uid: plan.uid.clone(), parent: plan.parent });
        }
        let known = Known { kind: plan.kind, uid: plan.uid.clone(), parent: plan.parent, state: Progress::Planned };
        self.known.push(known);
        Ok(())
    }

    fn get_mut(&mut self, section: SectionNumber) -> Result<&mut Known, BadSection> {
        let index = (section as usize).checked_sub(1);
        index.and_then(|index| self.known.get_mut(index)).ok_or(BadSection::Unknown(section))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(uid: &str, parent: SectionNumber) -> SectionPlan {
        let kind = if parent == 0 { SectionKind::Testcase } else { SectionKind::Test };
        SectionPlan::new(kind, uid, parent)
    }

    #[test]
    fn sections_begin_and_end_once_and_know_their_bytes() {
        let mut sections = Sections::default();
        sections.plan(&[plan("a", 0), plan("t", 1), plan("never", 1)]).unwrap();
        assert_eq!(sections.start(1, None, None, 10).unwrap().uid, "a");
        assert_eq!(sections.start(2, None, Some("t[n=1]"), 15).unwrap().uid, "t[n=1]");
        assert_eq!(sections.finish(2, 20), Ok(LogRange { begin: 15, size: 5 }));
        assert_eq!(sections.start(4, Some(&plan("t[n=2]", 1)), None, 20).unwrap().parent, 1);
        assert_eq!(sections.open(), 2);
        assert_eq!(sections.finish(4, 20), Ok(LogRange { begin: 20, size: 0 }));
        assert_eq!(sections.finish(3, 20), Ok(LogRange { begin: 20, size: 0 }));
        assert_eq!(sections.finish(1, 30), Ok(LogRange { begin: 10, size: 20 }));
        assert_eq!(sections.open(), 0);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let mut sections = Sections::default();
        assert_eq!(sections.plan(&[plan("a", 3)]), Err(BadSection::NoParent { uid: "a".into(), parent: 3 }));
        sections.plan(&[plan("a", 0)]).unwrap();
        assert_eq!(sections.start(2, None, None, 0).unwrap_err().to_string(), "there is no section 2");
        assert_eq!(sections.start(0, None, None, 0).unwrap_err().to_string(), "there is no section 0");
        assert_eq!(
            sections.start(5, Some(&plan("b", 0)), None, 0).unwrap_err().to_string(),
            "section 5 is new, but the next number is 2"
        );
        sections.start(1, None, None, 0).unwrap();
        assert_eq!(sections.start(1, None, None, 0).unwrap_err().to_string(), "section 1 ('a') began twice");
        sections.finish(1, 0).unwrap();
        assert_eq!(sections.finish(1, 0).unwrap_err().to_string(), "section 1 ('a') ended twice");
    }
}
