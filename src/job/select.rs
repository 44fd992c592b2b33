//! Which tasks of a job are run: patterns over their ids and tags, from the command line.

use globset::{Glob, GlobMatcher};

use crate::model::Task;

/// A choice of tasks. Alternatives stand in one list, conditions in several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    ids: Vec<Alternatives>,
    tags: Vec<Alternatives>,
}

#[derive(Clone, Debug)]
struct Alternatives {
    text: String,
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    matcher: GlobMatcher,
    is_negated: bool,
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("{option} '{pattern}': {problem}")]
pub(crate) struct BadPattern {
    option: &'static str,
    pattern: String,
    problem: String,
}

impl Selection {
    /// Makes a selection from the values of `--taskid` and `--tags`. Each value holds alternatives, parted by commas; `!`
    /// before a pattern negates it. A task is chosen if every value has an alternative that fits.
    pub(crate) fn new(ids: &[String], tags: &[String]) -> Result<Self, BadPattern> {
        Ok(Self { ids: parse("--taskid", ids)?, tags: parse("--tags", tags)? })
    }

    /// Returns why the task is left out, if it is.
    pub(crate) fn leaves_out(&self, task: &Task) -> Option<String> {
        let by_id = self.ids.iter().find(|wish| !wish.fits(&[&task.id]));
        if let Some(wish) = by_id {
            return Some(format!("not selected by --taskid '{}'", wish.text));
        }
        let tags: Vec<&str> = task.tags.iter().map(String::as_str).collect();
        let by_tag = self.tags.iter().find(|wish| !wish.fits(&tags));
        by_tag.map(|wish| format!("not selected by --tags '{}'", wish.text))
    }
}

impl Alternatives {
    fn fits(&self, words: &[&str]) -> bool {
        let one = |pattern: &Pattern| words.iter().any(|word| pattern.matcher.is_match(word)) != pattern.is_negated;
        self.patterns.iter().any(one)
    }
}

fn parse(option: &'static str, values: &[String]) -> Result<Vec<Alternatives>, BadPattern> {
    values.iter().map(|text| Ok(Alternatives { text: text.clone(), patterns: patterns(option, text)? })).collect()
}

fn patterns(option: &'static str, text: &str) -> Result<Vec<Pattern>, BadPattern> {
    let bad = |problem: String| BadPattern { option, pattern: text.to_owned(), problem };
    let words = text.split(',').map(str::trim);
    words
        .map(|word| {
            let (is_negated, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
            if word.is_empty() {
                return Err(bad("an alternative is empty".to_owned()));
            }
            // Ids hold no slashes: the job has replaced them.
            let glob = Glob::new(&word.replace('/', "_")).map_err(|error| bad(error.kind().to_string()))?;
            Ok(Pattern { matcher: glob.compile_matcher(), is_negated })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_chosen(ids: &[&str], tags: &[&str], id: &str, task_tags: &[&str]) -> bool {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
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
        assert!(is_chosen(&["soak/*"], &[], "soak_a", &[]));
        assert!(!is_chosen(&["!s*"], &[], "s1", &[]));
        assert!(is_chosen(&[], &["fast"], "a", &["fast", "net"]));
        assert!(!is_chosen(&[], &["fast", "disk"], "a", &["fast", "net"]));
        assert!(is_chosen(&[], &["!slow"], "a", &[]));
        assert!(!is_chosen(&[], &["fast"], "a", &[]));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Selection::new(&["a[".to_owned()], &[]).unwrap_err().to_string();
        assert!(error.starts_with("--taskid 'a[': "), "{error}");
        assert!(Selection::new(&[], &["a,,b".to_owned()]).is_err());
    }
}
