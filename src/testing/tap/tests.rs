//! Documents and what they come to.

use super::*;

fn scan(text: &str) -> TapVerdict {
    let mut scan = TapScan::new();
    scan.feed(text.as_bytes());
    scan.finish()
}

/// A document, its status, and the beginning of the reason. `[todo]` stands for the directive in capitals.
const CASES: &[(&str, TestStatus, &str)] = &[
    ("1..1\nok 1\n", TestStatus::Pass, ""),
    ("1..1\nok", TestStatus::Pass, ""),
    ("ok 1 - no plan\n", TestStatus::Pass, ""),
    ("ok 1\r\nok 2\r\n1..2\r\n", TestStatus::Pass, ""),
    ("TAP version 13\n1..1\nok 1\n  ---\n  not ok: nothing\n      deep: 1\n    ok 7\n  ...\n", TestStatus::Pass, ""),
    ("TAP version 14\npragma +strict\n1..1\nok 1\n", TestStatus::Pass, ""),
    ("# comment\n1..1\nhello\nokay\nok1\nnot okay\nok 1\n", TestStatus::Pass, ""),
    ("1..2\nok 1 a \\# [todo] b\nok 2 # no directive\n", TestStatus::Pass, ""),
    ("1..2\nok 1\nnot ok 2 - name\n", TestStatus::Fail, "test 2 (name) failed"),
    ("1..1\nnot ok\n", TestStatus::Fail, "test 1 failed"),
    ("1..2\nnot ok 1\nBail out!\n", TestStatus::Fail, "test 1 failed"),
    ("1..5\nnot ok 1\n", TestStatus::Fail, "test 1 failed"),
    ("1..2\nok 1 # SKIP no\nnot ok 2\n", TestStatus::Fail, "test 2 failed"),
    ("1..2\nok 1 # [todo] later\nnot ok 2\n", TestStatus::Fail, "test 2 failed"),
    ("1..1\nnot ok 1 # SKIP broken\n", TestStatus::Fail, "broken"),
    ("1..1\nok 1 - old # [todo] later\n", TestStatus::Warn, "[todo] test 1 (old) unexpectedly passed."),
    ("1..1\nok 1 # todo\n", TestStatus::Warn, "[todo] test 1 unexpectedly passed."),
    ("1..1\nnot ok 1 # [todo] later\n", TestStatus::Pass, ""),
    ("1..1\nnot ok 1 # todos\n", TestStatus::Fail, "test 1 failed"),
    ("1..1\nok 1 # skip why not\n", TestStatus::Skip, "why not"),
    ("1..1\nok 1 # Skipped: why\n", TestStatus::Skip, "why"),
    ("1..2\nok 1 # skip\nok 2\n", TestStatus::Pass, ""),
    ("1..0 # SKIP nothing here\n", TestStatus::Skip, "nothing here"),
    ("1..0\n", TestStatus::Skip, ""),
    ("1..2\nok 1\n", TestStatus::Error, "Tap format error: Too few tests run (expected 2, got 1)"),
    ("1..1\nok\nok\n", TestStatus::Error, "Tap format error: Too many tests run (expected 1, got 2)"),
    ("1..1\nok 1\nBail out! on fire\n", TestStatus::Error, "Bail out! on fire"),
    ("1..9\nBail out!", TestStatus::Error, "Bail out!"),
    ("1..1\n1..1\nok\n", TestStatus::Error, "Tap format error: more than one plan found"),
    ("1..1 # SKIP x\nok\n", TestStatus::Error, "Tap format error: invalid SKIP directive for plan"),
    ("1..1 # [todo] x\nok\n", TestStatus::Error, "Tap format error: invalid directive for plan"),
    ("ok\n1..2\nok\n", TestStatus::Error, "Tap format error: unexpected test after late plan"),
    ("1..2\nok 2\nok 1\n", TestStatus::Error, "Tap format error: out of order test numbers"),
    ("ok 99999999999999999999999\n", TestStatus::Error, "Tap format error: out of order test numbers"),
    ("hi\nTAP version 13\nok 1\n", TestStatus::Error, "Tap format error: version number must be on the first line"),
    ("TAP version 12\nok 1\n", TestStatus::Error, "Tap format error: version number should be at least 13"),
    (
        "TAP version 13\n1..1\nok 1\n  ---\n  a: 1\n",
        TestStatus::Error,
        "Tap format error: YAML block not terminated (started on line 4)",
    ),
    (
        "TAP version 13\n1..2\nok 1\n  ---\nok 2\n",
        TestStatus::Error,
        "Tap format error: YAML block not terminated (started on line 4)",
    ),
    ("", TestStatus::Error, "there is no test in its output"),
    ("hello\nworld\n", TestStatus::Error, "there is no test in its output"),
    ("1..1\n# Subtest: a\n    1..2\n    ok 1\n    ok 2\nok 1 - a\n", TestStatus::Pass, ""),
    ("1..1\n    1..2\n    ok 1\n    not ok 2 - deep\nok 1 - a\n", TestStatus::Fail, "test 2 (deep) failed"),
    (
        "1..1\n    1..2\n    ok 1\nok 1 - a\n",
        TestStatus::Error,
        "Tap format error: Too few tests run (expected 2, got 1)",
    ),
    ("1..1\n    1..1\n        1..1\n        ok 1\n    ok 1\nok 1\n", TestStatus::Pass, ""),
    ("TAP version 14\n1..1\n    1..1\n    ok 1\n      ---\n      not: it\n      ...\nok 1\n", TestStatus::Pass, ""),
    ("1..1\n    said in passing\n        and deeper\nok 1\n", TestStatus::Pass, ""),
];

#[test]
fn documents_come_to_what_the_table_says() {
    for (text, status, reason) in CASES {
        let reason = reason.replace("[todo]", TO_DO);
        let verdict = scan(&text.replace("[todo]", TO_DO));
        let said = verdict.reason.clone().unwrap_or_default();
        assert_eq!(verdict.status, *status, "{text:?}: {said}");
        assert!(said.starts_with(&reason) && (said.is_empty() == reason.is_empty()), "{text:?}: {said}");
    }
}

#[test]
fn it_does_not_matter_in_which_pieces_a_document_comes() {
    for (text, ..) in CASES {
        let text = &text.replace("[todo]", TO_DO);
        let whole = scan(text);
        for size in [1, 2, 3, 7] {
            let mut scan = TapScan::new();
            text.as_bytes().chunks(size).for_each(|piece| scan.feed(piece));
            assert_eq!(scan.finish(), whole, "{text:?} in pieces of {size}");
        }
    }
}

#[test]
fn the_end_of_the_program_counts_where_the_document_does_not_tell_all() {
    let cases = [
        ("1..1\nok\n", Exit::Code(0), false, TestStatus::Pass, ""),
        ("1..1\nok\n", Exit::Code(5), false, TestStatus::Pass, ""),
        ("1..1\nok\n", Exit::Code(5), true, TestStatus::Error, "exit code 5"),
        ("ok\n", Exit::Code(0), false, TestStatus::Pass, ""),
        ("ok\n", Exit::Code(5), false, TestStatus::Error, "exit code 5, and no plan tells whether its output is whole"),
        ("1..1\nok\n", Exit::Signal(9), false, TestStatus::Error, "killed by SIGKILL (signal 9)"),
        ("1..1\nnot ok\n", Exit::Code(1), true, TestStatus::Fail, "test 1 failed"),
        ("1..0\n", Exit::Signal(6), false, TestStatus::Error, "killed by SIGABRT (signal 6)"),
    ];
    for (text, exit, honours_code, status, reason) in cases {
        let verdict = scan(text).and_exit(exit, honours_code);
        assert_eq!(
            (verdict.status, verdict.reason.as_deref().unwrap_or_default()),
            (status, reason),
            "{text:?} {exit:?}"
        );
    }
}

#[test]
fn any_bytes_are_read_in_bounded_memory() {
    let mut scan = TapScan::new();
    scan.feed(b"1..1\nok 1 \xff\xfe\0\n");
    for _ in 0..100 {
        scan.feed(&vec![b'x'; 1 << 20]);
    }
    assert!(scan.rest.capacity() <= 4 * LONGEST);
    scan.feed(b"\n");
    scan.feed(" ".repeat(100_000).as_bytes());
    scan.feed(b"ok\n");
    assert!(scan.levels.len() <= DEEPEST + 1);
    assert_eq!(scan.finish().status, TestStatus::Pass);
}

proptest::proptest! {
    #[test]
    fn no_text_brings_it_down(text in "(ok|not ok|1\\.\\.|[0-9]|#| |    |\n|---|\\.\\.\\.|TAP version 13\n|SKIP|todo|é|\\PC)*") {
        scan(&text);
    }
}
