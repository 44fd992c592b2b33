//! Documents and what they come to.

use super::*;

/// Documents with how each ends; the file says how it is written.
const CORPUS: &str = include_str!("../../../tests/tap/corpus.txt");

/// A document of the corpus.
struct Document {
    name: &'static str,
    status: TestStatus,
    by_avocado: TestStatus,
    text: String,
}

fn corpus() -> Vec<Document> {
    let entries = CORPUS.split("\n@@ ").skip(1);
    let documents = entries.map(|entry| {
        let (head, text) = entry.split_once('\n').unwrap_or((entry, ""));
        let fields: Vec<&str> = head.split(" | ").collect();
        let status = |text: &str| text.parse().unwrap();
        // The line feed before the mark of the next entry is part of this one.
        let text = if text.is_empty() { String::new() } else { format!("{}\n", text.trim_end_matches('\n')) };
        let text = [("[todo]", TO_DO), ("␍␊\n", "\r"), ("␍", "\r"), ("␉", "\t"), ("␇", "\u{feff}"), ("␃\n", "")]
            .iter()
            .fold(text, |text, (from, to)| text.replace(from, to));
        Document { name: fields[0], status: status(fields[1]), by_avocado: status(fields[4]), text }
    });
    documents.collect()
}

fn scan_in(text: &str, reading: Reading, size: usize) -> TapVerdict {
    let mut scan = TapScan::new(Rules { reading, honours_exit: true });
    text.as_bytes().chunks(size).for_each(|piece| scan.feed(piece));
    scan.finish(Exit::Code(0))
}

fn scan(text: &str, reading: Reading) -> TapVerdict {
    scan_in(text, reading, usize::MAX)
}

#[test]
fn documents_come_to_what_the_corpus_says() {
    let corpus = corpus();
    assert!(corpus.len() >= 120, "{}", corpus.len());
    for Document { name, status, text, .. } in corpus {
        let verdict = scan(&text, Reading::Tap14);
        assert_eq!(verdict.status, status, "{name}: {text:?}: {:?}", verdict.reason);
        assert_eq!(
            matches!(status, TestStatus::Pass),
            verdict.reason.is_none() && status != TestStatus::Skip,
            "{name}"
        );
    }
}

#[test]
fn avocados_reading_is_avocados() {
    for Document { name, by_avocado, text, .. } in corpus() {
        // What was decided otherwise: a failure counts although an earlier test was a surprise.
        let expected = if name == "todo that passes, and a failure" { TestStatus::Fail } else { by_avocado };
        let verdict = scan(&text, Reading::Avocado);
        assert_eq!(verdict.status, expected, "{name}: {text:?}: {:?}", verdict.reason);
    }
}

#[test]
fn it_does_not_matter_in_which_pieces_a_document_comes() {
    for Document { name, text, .. } in corpus() {
        for reading in [Reading::Tap14, Reading::Avocado] {
            let whole = scan(&text, reading);
            for size in [1, 2, 3, 7] {
                assert_eq!(scan_in(&text, reading, size), whole, "{name} in pieces of {size}");
            }
        }
    }
}

#[test]
fn reasons_say_what_was_wrong() {
    let cases = [
        ("1..2\nok 1\nnot ok 2 - name\n", "test 2 (name) failed"),
        ("1..1\nnot ok\n", "test 1 failed"),
        ("1..1\nnot ok 1 - a \\# b \\\\\n", "test 1 (a # b \\) failed"),
        ("1..1\nok 1 - old # [todo] later\n", "[todo] test 1 (old) unexpectedly passed."),
        ("1..1\nok 1 # Skipped: why \\#3\n", "why #3"),
        ("1..0 # SKIP nothing here\n", "nothing here"),
        ("1..0 # not installed\n", "not installed"),
        ("1..0 skipped: old\n", "old"),
        ("1..2\nok 1\n", "Tap format error: Too few tests run (expected 2, got 1)"),
        ("1..1\nok\nok\n", "Tap format error: Too many tests run (expected 1, got 2)"),
        ("ok\n", "Tap format error: there is no plan, which would tell whether its output is whole"),
        ("1..1\n1..1\nok\n", "Tap format error: more than one plan found"),
        ("1..2\nok 1\nok 1\n", "Tap format error: more than one test has the number 1"),
        ("1..2\nok 1\nok 3\n", "Tap format error: the test number 3 is not in the plan 1..2"),
        ("1..1\nok 1\nbail out! on fire\n", "Bail out! on fire"),
        ("1..9\nBail out!", "Bail out!"),
        ("hello\n", "there is no test in its output: is it TAP at all?"),
        ("TAP version 15\n1..1\nok 1\n", "Tap format error: version 15 is not known; the newest that is known is 14"),
        ("pragma +strict\n1..1\nhm\nok 1\n", "Tap format error: line 3 is no TAP, and the pragma strict is on"),
        ("1..1\n    1..2\n    ok 1\n    not ok 2 - deep\nok 1 - a\n", "test 2 (deep) failed"),
        (
            "1..1\n# Subtest: lost\n    1..0\nok 1 - other\n",
            "Tap format error: the subtest 'lost' of line 2 has lost its test point; there is one of 'other'",
        ),
    ];
    for (text, reason) in cases {
        let verdict = scan(&text.replace("[todo]", TO_DO), Reading::Tap14);
        assert_eq!(verdict.reason.as_deref(), Some(&*reason.replace("[todo]", TO_DO)), "{text:?}");
    }
}

#[test]
fn a_document_is_never_better_than_the_end_of_its_program() {
    use Reading::{Avocado, Tap14};
    let cases = [
        ("1..1\nok\n", Exit::Code(0), Tap14, None, TestStatus::Pass, ""),
        ("1..1\nok\n", Exit::Code(5), Tap14, None, TestStatus::Error, "exit code 5, although its tests passed"),
        ("1..1\nok\n", Exit::Code(5), Tap14, Some(false), TestStatus::Pass, ""),
        ("1..1\nok # [todo]\n", Exit::Code(5), Tap14, None, TestStatus::Error, "exit code 5"),
        (
            "1..1\nok\n",
            Exit::Signal(9),
            Tap14,
            Some(false),
            TestStatus::Error,
            "killed by SIGKILL (signal 9), although",
        ),
        ("1..1\nnot ok\n", Exit::Code(1), Tap14, None, TestStatus::Fail, "test 1 failed"),
        ("1..0\n", Exit::Code(255), Tap14, None, TestStatus::Error, "exit code 255"),
        ("1..0\n", Exit::Signal(6), Tap14, None, TestStatus::Error, "killed by SIGABRT (signal 6)"),
        ("1..1\nok\n", Exit::Code(5), Avocado, None, TestStatus::Pass, ""),
        ("1..1\nok\n", Exit::Code(5), Avocado, Some(true), TestStatus::Error, "exit code 5, although its tests passed"),
        (
            "ok\n",
            Exit::Code(5),
            Avocado,
            None,
            TestStatus::Error,
            "exit code 5, and no plan tells whether its output is",
        ),
    ];
    for (text, exit, reading, honours, status, reason) in cases {
        let mut runnable = Runnable::default();
        if let Some(honours) = honours {
            runnable.config.insert(HONOUR_EXIT.to_owned(), honours.into());
        }
        let mut scan = TapScan::new(Rules::of(&runnable, reading).unwrap());
        scan.feed(text.replace("[todo]", TO_DO).as_bytes());
        let verdict = scan.finish(exit);
        let said = verdict.reason.unwrap_or_default();
        assert_eq!(verdict.status, status, "{text:?} {exit:?}: {said}");
        assert!(said.starts_with(reason) && said.is_empty() == reason.is_empty(), "{text:?} {exit:?}: {said}");
    }
}

#[test]
fn settings_of_another_kind_are_refused() {
    let cases = [
        (READING, serde_json::json!("avocado"), None),
        (READING, serde_json::json!("tap14"), None),
        (READING, serde_json::json!(null), None),
        (READING, serde_json::json!("tap13"), Some("must be \"tap14\" or \"avocado\", not \"tap13\"")),
        (READING, serde_json::json!(14), Some("must be \"tap14\" or \"avocado\", not 14")),
        (HONOUR_EXIT, serde_json::json!("no"), Some("must be true or false, not \"no\"")),
    ];
    for (key, value, problem) in cases {
        let mut runnable = Runnable::default();
        runnable.config.insert(key.to_owned(), value);
        let read = Rules::of(&runnable, Reading::Tap14);
        assert_eq!(read.err().map(|error| error.to_string()), problem.map(|problem| format!("config {key} {problem}")));
    }
}

#[test]
fn any_bytes_are_read_in_bounded_memory() {
    let mut scan = TapScan::new(Rules { reading: Reading::Tap14, honours_exit: true });
    scan.feed(b"1..1\nok 1 \xff\xfe\0\n");
    for _ in 0..100 {
        scan.feed(&vec![b'x'; 1 << 20]);
    }
    assert!(scan.rest.capacity() <= 4 * LONGEST);
    scan.feed(b"\n");
    // Too deep to be a subtest.
    scan.feed(" ".repeat(10_000).as_bytes());
    scan.feed(b"not ok\n");
    assert_eq!(scan.finish(Exit::Code(0)).status, TestStatus::Pass);
}

/// A document of test points and subtests, and how it ends.
fn documents(depth: u32) -> impl proptest::strategy::Strategy<Value = (Vec<String>, bool)> {
    use proptest::prelude::*;
    let leaf = (any::<bool>(), any::<bool>()).prop_map(|(is_ok, is_to_do)| {
        let word = if is_ok { "ok" } else { "not ok" };
        let directive = if is_to_do { format!(" # {TO_DO}") } else { String::new() };
        (vec![format!("{word}{directive}")], is_ok || is_to_do)
    });
    let document = |points: Vec<(Vec<String>, bool)>| {
        let is_good = points.iter().all(|(_, is_good)| *is_good);
        let plan = format!("1..{}", points.len());
        (points.into_iter().flat_map(|(lines, _)| lines).chain([plan]).collect::<Vec<_>>(), is_good)
    };
    leaf.prop_recursive(depth, 32, 4, move |inner| {
        (prop::collection::vec(inner, 1..4), any::<bool>()).prop_map(move |(points, is_to_do)| {
            let (lines, is_good) = document(points);
            let lines = lines.into_iter().map(|line| format!("    {line}"));
            let word = if is_good { "ok" } else { "not ok" };
            let directive = if is_to_do { format!(" # {TO_DO}") } else { String::new() };
            (lines.chain([format!("{word}{directive}")]).collect(), is_good || is_to_do)
        })
    })
    .prop_map(move |point| document(vec![point]))
}

proptest::proptest! {
    #[test]
    fn no_text_brings_it_down(
        text in "(ok|not ok|1\\.\\.|[0-9]|#| |    |\n|\r|---|\\.\\.\\.|TAP version 13\n|SKIP|todo|# Subtest: a|\\{|\\}|é|\\PC)*"
    ) {
        scan(&text, Reading::Tap14);
        scan(&text, Reading::Avocado);
    }

    #[test]
    fn subtests_end_as_their_points_say((lines, is_good) in documents(4)) {
        let text = lines.join("\n");
        let status = scan(&text, Reading::Tap14).status;
        proptest::prop_assert_eq!(matches!(status, TestStatus::Pass | TestStatus::Warn), is_good, "{}", text);
    }
}
