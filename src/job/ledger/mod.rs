//! The ledger of a run: what its command line asks for, and whether anybody had a use for it. What nobody had a use for is
//! told at the end, and a slip in an option before the first task.

mod arguments;

use std::collections::HashSet;

use self::arguments::Unread;
pub(crate) use self::arguments::slip_text;
use super::{Job, SectionFilter, Settings};
use crate::model::{EventKind, Kind, LuaText, SectionTally, Tally, Task, TaskNumber, Used};

/// The option by whose name a jobfile reads the parameters of the command line.
const PARAMETERS: &str = "param";

/// See the module.
pub(super) struct Ledger {
    unread: Unread,
    /// The parameters of the command line.
    parameters: Tally,
    /// The patterns of the command line over sections.
    sections: SectionTally,
    /// Scripts that may have a use for both and have not told yet.
    awaited: HashSet<TaskNumber>,
}

impl Ledger {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut parameters = Tally::new(settings.parameters.keys().map(String::as_str));
        let source = String::from_utf8_lossy(&settings.source);
        let text = LuaText::new(&source);
        if text.defines_main() && text.has_name(PARAMETERS) {
            parameters.meet_all();
        }
        // The command line was checked.
        let sections = SectionFilter::new(&settings.choice).map(|filter| filter.blank()).unwrap_or_default();
        Self { unread: Unread::new(&settings.argv), parameters, sections, awaited: HashSet::new() }
    }

    fn is_idle(&self) -> bool {
        self.parameters.is_empty() && self.sections.is_empty()
    }

    /// Takes note that everything that tasks could have a use for was used: nobody can tell any more.
    fn give_up(&mut self) {
        self.parameters.meet_all();
        self.sections.meet_all();
    }

    fn remarks(&self) -> Vec<String> {
        let parameter = |(name, near): (&str, Option<&str>)| {
            let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            format!("nobody read the parameter '{name}' of --param{near}")
        };
        let mut remarks = self.sections.uids.remarks("no testcase fits --uids", "uids");
        remarks.extend(self.sections.groups.remarks("no testcase fits --groups", "groups"));
        remarks.extend(self.sections.retry.remarks("no testcase fits --retry", "uids"));
        remarks.extend(self.parameters.unmet().into_iter().map(parameter));
        remarks
    }
}

impl Job {
    /// Notes that the jobfile, or a task, has read these arguments; all if there is no list.
    pub(crate) fn arguments_read(&self, words: Option<&[String]>) {
        self.ledger.lock().unread.note(words);
    }

    /// Sets what tasks that start from now on get of the arguments.
    pub(crate) fn hand_on(&self, argv: Vec<String>) {
        self.runtime.write().argv = argv;
    }

    /// Returns what to say of an argument that nobody has read and that looks like a slip in an option of the launcher.
    pub(crate) fn slip(&self) -> Option<String> {
        let ledger = self.ledger.lock();
        ledger.unread.slip(&self.settings.slips).map(|(word, near)| slip_text(word, near))
    }

    /// Waits for what a script that is to run will tell.
    pub(super) fn await_use(&self, number: TaskNumber, task: &Task) {
        let mut ledger = self.ledger.lock();
        if task.runnable.is(Kind::Lua) && !ledger.is_idle() {
            ledger.awaited.insert(number);
        }
    }

    /// Takes note that a task stands as it ended in an earlier part of the run: what it used then nobody knows.
    pub(super) fn reuse_unknown(&self) {
        self.ledger.lock().give_up();
    }

    /// Takes note of what a script had a use for.
    pub(super) fn take_use(&self, number: TaskNumber, used: &Used) {
        let mut ledger = self.ledger.lock();
        ledger.parameters.merge(&used.parameters);
        let own = used.sections.as_ref().map(|sections| self.own_remarks(sections)).unwrap_or_default();
        match &used.sections {
            Some(sections) => {
                // Of patterns that are the task's own the words differ.
                ledger.sections.uids.merge(&sections.uids);
                ledger.sections.groups.merge(&sections.groups);
                ledger.sections.retry.merge(&sections.retry);
            }
            None => ledger.sections.meet_all(),
        }
        ledger.awaited.remove(&number);
        drop(ledger);
        for text in own {
            self.task_remarks(number, &text);
        }
    }

    /// Returns what to say of the patterns over sections that the jobfile has given to a task.
    fn own_remarks(&self, found: &SectionTally) -> Vec<String> {
        let choice = &self.settings.choice;
        let mut remarks = Vec::new();
        if choice.uids.is_empty() {
            remarks.extend(found.uids.remarks("no testcase fits uids", "uids"));
        }
        if choice.groups.is_empty() {
            remarks.extend(found.groups.remarks("no testcase fits groups", "groups"));
        }
        remarks
    }

    /// Returns warnings for what nobody had a use for. In a run that was interrupted nobody can tell.
    pub(super) fn ledger_warnings(&self) -> Vec<EventKind> {
        let is_whole = self.with_summary(|summary| summary.interrupt.is_none());
        let mut ledger = self.ledger.lock();
        let has_started =
            |number: &TaskNumber| self.roster.lock().get(*number).is_some_and(|entry| entry.pid.is_some());
        if ledger.awaited.iter().any(has_started) {
            ledger.give_up();
        }
        let mut warnings = ledger.unread.warnings(&self.settings.slips);
        if is_whole {
            warnings.extend(self.settings.selection.remarks());
            warnings.extend(ledger.remarks());
        }
        warnings.into_iter().map(|text| EventKind::Warning { text, place: None }).collect()
    }
}
