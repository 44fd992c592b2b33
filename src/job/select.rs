//! Which tasks of a job are run: filters over their ids and tags, from the command line.

use parking_lot::Mutex;

use super::sections::{BadExpression, read};
use crate::model::{NameFilter, NamePattern, Tally, Task};

/// A choice of tasks, and what was found of it.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    ids: Filters,
    tags: Filters,
}

/// The filters of one option. All must hold.
#[derive(Debug, Default)]
struct Filters {
    /// As they were written, and read.
    filters: Vec<(String, NameFilter)>,
    tally: Mutex<Tally>,
}

impl Selection {
    /// Makes a selection from the values of `--taskid` and `--tags`. A task is chosen if every value holds for it.
    pub(crate) fn new(ids: &[String], tags: &[String]) -> Result<Self, BadExpression> {
        // Ids hold no slashes: the job has replaced them.
        let as_id = |pattern: &str| pattern.replace('/', "_");
        Ok(Self { ids: Filters::new("--taskid", ids, &as_id)?, tags: Filters::new("--tags", tags, &str::to_owned)? })
    }

    /// Returns why the task is left out, if it is. Takes note of it.
    pub(crate) fn leaves_out(&self, task: &Task) -> Option<String> {
        let tags: Vec<&str> = task.tags.iter().map(String::as_str).collect();
        self.ids.note(&[&task.id]);
        self.tags.note(&tags);
        let by_id = self.ids.filters.iter().find(|(_, filter)| !filter.fits(&[&task.id]));
        if let Some((text, _)) = by_id {
            return Some(format!("not selected by --taskid '{text}'"));
        }
        let by_tag = self.tags.filters.iter().find(|(_, filter)| !filter.fits(&tags));
        by_tag.map(|(text, _)| format!("not selected by --tags '{text}'"))
    }

    /// Returns what to say of the patterns that no task fitted.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.ids.tally.lock().remarks("no task fits --taskid", "ids");
        remarks.extend(self.tags.tally.lock().remarks("no task fits --tags", "tags"));
        remarks
    }
}

impl Filters {
    fn new(option: &str, texts: &[String], change: &dyn Fn(&str) -> String) -> Result<Self, BadExpression> {
        let filters = read(option, texts, change)?;
        let patterns = filters.iter().flat_map(NameFilter::patterns);
        let tally = Mutex::new(Tally::new(patterns.map(NamePattern::text)));
        Ok(Self { filters: texts.iter().cloned().zip(filters).collect(), tally })
    }

    fn note(&self, names: &[&str]) {
        if self.filters.is_empty() {
            return;
        }
        let patterns: Vec<_> = self.filters.iter().flat_map(|(_, filter)| filter.patterns()).collect();
        self.tally.lock().note(names.iter().copied(), |place| patterns[place].fits(names));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn is_chosen(ids: &[&str], tags: &[&str], id: &str, task_tags: &[&str]) -> bool {
        let selection = Selection::new(&owned(ids), &owned(tags)).unwrap();
        let task = Task { id: id.to_owned(), tags: owned(task_tags), ..Task::default() };
        selection.leaves_out(&task).is_none()
    }

    #[test]
    fn tasks_are_chosen_by_id_and_tag() {
        assert!(is_chosen(&[], &[], "a", &[]));
        assert!(is_chosen(&["a,b"], &[], "b", &[]));
        assert!(!is_chosen(&["a,b"], &[], "c", &[]));
        assert!(is_chosen(&["s[12]"], &[], "s2", &[]));
        assert!(is_chosen(&["s[12]"], &[], "s[12]", &[]));
        assert!(is_chosen(&["soak/*"], &[], "soak_a", &[]));
        assert!(!is_chosen(&["!s*"], &[], "s1", &[]));
        assert!(is_chosen(&["Or('s1', 'a b')"], &[], "a b", &[]));
        assert!(!is_chosen(&["s* and not s1", "s1 or s2"], &[], "s1", &[]));
        assert!(is_chosen(&[], &["fast"], "a", &["fast", "net"]));
        assert!(is_chosen(&[], &["fast and not disk"], "a", &["fast", "net"]));
        assert!(!is_chosen(&[], &["fast", "disk"], "a", &["fast", "net"]));
        assert!(is_chosen(&[], &["!slow"], "a", &[]));
        assert!(!is_chosen(&[], &["fast"], "a", &[]));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Selection::new(&owned(&["a["]), &[]).unwrap_err().to_string();
        assert_eq!(error, "--taskid 'a[': at character 1: it is no pattern: unclosed character class; missing ']'");
        assert!(Selection::new(&[], &owned(&["a,,b"])).is_err());
    }

    #[test]
    fn patterns_that_no_task_fits_are_told_also_those_that_are_negated() {
        let selection = Selection::new(&owned(&["conect or send"]), &owned(&["not slwo"])).unwrap();
        for (id, tags) in [("connect", &["slow"][..]), ("send", &["net"])] {
            selection.leaves_out(&Task { id: id.to_owned(), tags: owned(tags), ..Task::default() });
        }
        let expected = [
            "no task fits --taskid 'conect'; did you mean 'connect'? the ids are connect, send",
            "no task fits --tags 'slwo'; did you mean 'slow'? the tags are net, slow",
        ];
        assert_eq!(selection.remarks(), expected);
    }
}
