//! The ledger of a run: what its command line asks for, and whether anybody had a use for it. What nobody had a use for is
//! told at the end, and a slip in an option before the first task.

mod arguments;

use std::collections::HashSet;

use parking_lot::Mutex;

use self::arguments::Unread;
pub(crate) use self::arguments::slip_text;
use super::{SectionFilter, Selection, Settings};
use crate::model::{EventKind, Kind, LuaText, SectionTally, Tally, Task, TaskNumber, Used};

/// The option by whose name a jobfile reads the parameters of the command line.
const PARAMETERS: &str = "param";

/// See the module.
pub(crate) struct Ledger {
    books: Mutex<Books>,
    /// What looks like a slip in an option of the launcher, and the option that may be meant.
    slips: Vec<(String, String)>,
    /// The command line has patterns over uids, and over groups; those of the jobfile do not count then.
    has_uids: bool,
    has_groups: bool,
}

struct Books {
    unread: Unread,
    /// The parameters of the command line.
    parameters: Tally,
    /// The patterns of the command line over sections.
    sections: SectionTally,
    /// Scripts that may have a use for both and have not told yet.
    awaited: HashSet<TaskNumber>,
}

impl Books {
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
        let unread = Unread::new(&settings.argv);
        Self {
            books: Mutex::new(Books { unread, parameters, sections, awaited: HashSet::new() }),
            slips: settings.slips.clone(),
            has_uids: !settings.choice.uids.is_empty(),
            has_groups: !settings.choice.groups.is_empty(),
        }
    }

    /// Notes that the jobfile, or a task, has read these arguments; all if there is no list.
    pub(crate) fn arguments_read(&self, words: Option<&[String]>) {
        self.books.lock().unread.note(words);
    }

    /// Returns what to say of an argument that nobody has read and that looks like a slip in an option of the launcher.
    pub(crate) fn slip(&self) -> Option<String> {
        let books = self.books.lock();
        books.unread.slip(&self.slips).map(|(word, near)| slip_text(word, near))
    }

    /// Waits for what a script that is to run will tell.
    pub(super) fn await_use(&self, number: TaskNumber, task: &Task) {
        let mut books = self.books.lock();
        if task.runnable.is(Kind::Lua) && !books.is_idle() {
            books.awaited.insert(number);
        }
    }

    /// Takes note that a task stands as it ended in an earlier part of the run: what it used then nobody knows.
    pub(super) fn reuse_unknown(&self) {
        self.books.lock().give_up();
    }

    /// Takes note of what a script had a use for. Returns what to say of the patterns over sections that are its own.
    pub(super) fn take_use(&self, number: TaskNumber, used: &Used) -> Vec<String> {
        let mut books = self.books.lock();
        books.parameters.merge(&used.parameters);
        match &used.sections {
            Some(sections) => {
                // Of patterns that are the task's own the words differ.
                books.sections.uids.merge(&sections.uids);
                books.sections.groups.merge(&sections.groups);
                books.sections.retry.merge(&sections.retry);
            }
            None => books.sections.meet_all(),
        }
        books.awaited.remove(&number);
        used.sections.as_ref().map(|sections| self.own_remarks(sections)).unwrap_or_default()
    }

    /// Returns what to say of the patterns over sections that the jobfile has given to a task.
    fn own_remarks(&self, found: &SectionTally) -> Vec<String> {
        let mut remarks = Vec::new();
        if !self.has_uids {
            remarks.extend(found.uids.remarks("no testcase fits uids", "uids"));
        }
        if !self.has_groups {
            remarks.extend(found.groups.remarks("no testcase fits groups", "groups"));
        }
        remarks
    }

    /// Returns warnings for what nobody had a use for. In a run that is not `whole`, since it was interrupted, nobody can
    /// tell. `had_process` says of a task whether it was started.
    pub(super) fn warnings(
        &self,
        is_whole: bool,
        selection: &Selection,
        had_process: impl Fn(TaskNumber) -> bool,
    ) -> Vec<EventKind> {
        let mut books = self.books.lock();
        if books.awaited.iter().any(|number| had_process(*number)) {
            books.give_up();
        }
        let mut warnings = books.unread.warnings(&self.slips);
        if is_whole {
            warnings.extend(selection.remarks());
            warnings.extend(books.remarks());
        }
        warnings.into_iter().map(|text| EventKind::Warning { text, place: None }).collect()
    }
}
