//! The tasks of a run in their one list, which all reports have.

use super::row::Row;
use super::summary::Summary;
use super::test_names::has_tests;

/// Returns every task of a run in the order in which they were queued. Tests are in that of their numbers: those that share
/// a process are recorded as they end.
pub(super) fn tasks(summary: &Summary) -> impl Iterator<Item = &Row> {
    let mut rows: Vec<&Row> = summary.rows().iter().collect();
    if has_tests(summary) {
        rows.sort_by_key(|row| row.number);
    }
    rows.into_iter()
}

/// Returns the tests of a run: its tasks, less what only prepares others.
pub(super) fn tests(summary: &Summary) -> impl Iterator<Item = &Row> {
    tasks(summary).filter(|row| !row.prepares())
}

/// Returns what prepares the tests of a run.
pub(super) fn preparations(summary: &Summary) -> impl Iterator<Item = &Row> {
    tasks(summary).filter(|row| row.prepares())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{end, finished, fold, queued, run_finished, run_started, started};
    use super::super::lines::{Look, Verbosity};
    use super::super::style::Paint;
    use super::super::{closing, html, junit, results_json, tap};
    use crate::model::{EventKind, Outcome};

    #[test]
    fn every_report_has_the_same_list() {
        check("job", ["gamma", "alpha", "beta"]);
        check("test", ["alpha", "beta", "gamma"]);
    }

    fn check(door: &str, order: [&str; 3]) {
        let mut begin = run_started();
        if let EventKind::RunStarted(header) = &mut begin {
            door.clone_into(&mut header.door);
        }
        let mut kinds = vec![begin];
        // Tests that share a process are recorded as they end.
        for (task, id) in [(3, "gamma"), (1, "alpha"), (2, "beta")] {
            kinds.extend([queued(task, id, 0), started(task, 1), end(finished(task, Outcome::Passed, None))]);
        }
        kinds.push(run_finished(Some(Outcome::Passed), 0));
        let summary = fold(kinds);
        let look = Look { verbosity: Verbosity::Normal, paint: Paint::default() };
        let console = closing::Closing { look, run_dir: None, still_running: false, tail: &|_| None };
        let mut reports = vec![("console", closing::render(&summary, &console))];
        let mut written = |name, write: &dyn Fn(&mut Vec<u8>) -> std::io::Result<()>| {
            let mut bytes = Vec::new();
            write(&mut bytes).unwrap();
            reports.push((name, String::from_utf8(bytes).unwrap()));
        };
        written("json", &|to| results_json::write(&summary, to));
        written("junit", &|to| junit::write(&summary, false, &|_, _, _| None, to));
        written("tap", &|to| tap::write(&summary, false, to));
        written("html", &|to| html::write(&summary, false, None, &|_, _, _| None, to));
        for (name, text) in reports {
            let places = order.map(|id| text.find(id).unwrap_or_else(|| panic!("{name} lacks {id}")));
            assert!(places.is_sorted(), "{door} {name}:\n{text}");
        }
    }
}
