//! What is wrong with a definition is told with its line and the nearest name, before anything runs.

use super::run;

#[track_caller]
fn refused(body: &str, reason: &str) {
    let ended = run(body);
    ended.code(1).outcomes("t=errored").reason_has("t", reason);
    assert!(ended.the_run().events_of("section-started").is_empty(), "a section has run\n{ended}");
}

#[test]
fn slips_are_told_with_line_and_nearest_name() {
    let cases = [
        ("ts.testcase('Tc', { group = 'a' })", "t.lua:2: testcase 'Tc' has no key 'group'; did you mean 'groups'?"),
        ("ts.testcase('Tc', { zzz = 1 })", "t.lua:2: testcase 'Tc' has no key 'zzz'; it has: base, groups, must_pass"),
        (
            "\nts.testcase('Tc'):test('t', { must_pas = true }, function() end)",
            "t.lua:3: test 't' has no key 'must_pas'; did you mean 'must_pass'?",
        ),
        ("ts.testcase('Tc'):setup({ lop = 1 }, function() end)", "t.lua:2: setup 'setup' has no key 'lop'; it has:"),
        ("ts.tescase('Tc')", "t.lua:2: rille.testscript has no field 'tescase'; did you mean 'testcase'?"),
        ("ts.testcase('Tc'):tst('t', print)", "t.lua:2: a testcase has no field 'tst'; did you mean 'test'?"),
        ("ts.testcase('Tc').must_pas = true", "t.lua:2: a testcase has no field 'must_pas'; did you mean 'must_pass'?"),
        ("ts.testcase('Tc').test('t', print)", "t.lua:2: write it with a colon: …:test(…)"),
        ("ts.testcase('Tc'):test('t')", "t.lua:2: test 't' of testcase 'Tc' needs a function, not a nil"),
        ("ts.testcase('Tc'):test(function() end)", "t.lua:2: the name of a test must be a string, not a function"),
        ("ts.testcase('')", "t.lua:2: the name of a testcase must be a string, not an empty one"),
        (
            "ts.testcase('common_setup')",
            "t.lua:2: 'common_setup' cannot be the name of a testcase; write ts.common_setup()",
        ),
        ("ts.testcase('Tc', { groups = 3 })", "t.lua:2: groups must be a list of strings, not a number"),
        ("ts.testcase('Tc', { groups = { 3 } })", "t.lua:2: groups must be a list of strings"),
        ("ts.testcase('Tc', { retries = 2 })", "t.lua:2: testcase 'Tc' has no key 'retries'; did you mean 'retry'?"),
        ("ts.testcase('Tc', { retrys = 2 })", "t.lua:2: testcase 'Tc' has no key 'retrys'; did you mean 'retry'?"),
        ("ts.testcase('Tc', { must_pass = 1 })", "t.lua:2: must_pass must be a boolean, not a number"),
        ("ts.testcase('Tc', { pre = 1 })", "t.lua:2: pre must be a function or a list of functions"),
        (
            "ts.testcase('Tc', { loop = 3 })",
            "t.lua:2: loop must be a table, such as { size = { 64, 1500 } }, or a function, not a number",
        ),
        ("ts.testcase('Tc', { loop = { n = 3 } })", "t.lua:2: loop.n must be a list or a function, not a number"),
        (
            "ts.testcase('Tc', { loop = { a = { 1 }, n = print } })",
            "t.lua:2: loop.n is a function, which cannot be combined with other keys; let it return tables",
        ),
        ("ts.max_failures = 0", "t.lua:2: max_failures must be a whole number from 1, not 0"),
        ("ts.max_failure = 1", "t.lua:2: rille.testscript has no field 'max_failure'; did you mean 'max_failures'?"),
        ("ts.global_processors { prre = print }", "t.lua:2: global_processors has no key 'prre'; did you mean 'pre'?"),
        ("ts.parameters(3)", "t.lua:2: parameters takes a table, parameters { name = value }, not a number"),
    ];
    for (body, reason) in cases {
        refused(body, reason);
    }
}

#[test]
fn a_name_that_is_taken_is_told_with_both_lines() {
    let cases = [
        (
            "ts.testcase('Tc')\n\nts.testcase('Tc')",
            "t.lua:4: testcase 'Tc' is already defined at ",
            "t.lua:2; give each a name of its own",
        ),
        (
            "local c = ts.testcase('Tc')\nc:test('t', print)\nc:test('t', print)",
            "t.lua:4: test 't' of testcase 'Tc' is already defined at ",
            "t.lua:3;",
        ),
        (
            "local c = ts.testcase('Tc')\nc:setup(print)\nc:setup(print)",
            "t.lua:4: the setup of testcase 'Tc' is already defined at ",
            "t.lua:3;",
        ),
        (
            "ts.common_setup():subsection('s', print)\nts.common_setup():subsection('s', print)",
            "t.lua:3: subsection 's' of common setup is already defined at ",
            "t.lua:2;",
        ),
    ];
    for (body, second, first) in cases {
        refused(body, second);
        refused(body, first);
    }
}

#[test]
fn sections_are_not_defined_while_they_run() {
    let body = "local case = ts.testcase('Tc')
case:test('t', function() case:test('late', print) end)";
    run(body).code(1).reason_has(
        "t",
        "t.lua:3: test 'late' of testcase 'Tc' is defined while sections run; define all of them at the top level of the file",
    );
}

#[test]
fn ten_thousand_tests_are_told_in_messages_of_bounded_size() {
    let body = "local case = ts.testcase('Tc')
for i = 1, 10000 do case:test(('t%d'):format(i) .. ('x'):rep(900), function() end) end";
    let ended = run(body);
    ended.code(0);
    assert_eq!(ended.the_run().events_of("section-finished").len(), 10_001);
    assert!(ended.the_run().events_of("task-planned").len() > 20);
}

#[test]
fn a_base_that_is_none_and_lists_that_do_not_fit_are_refused() {
    let part = "ts.testcase('A'):test('t', print)\n";
    for (line, told) in [
        (
            "ts.testcase('B', { base = 5 })",
            "t.lua:3: base of testcase 'B' must be a testcase, as ts.testcase returns it, not ",
        ),
        ("ts.testcase('B', { base = 'A' })", "base of testcase 'B' must be a testcase"),
        ("ts.testcase('B', { base = {} })", "base of testcase 'B' must be a testcase"),
        (
            "ts.testcase('B', { base = ts.common_setup() })",
            "base of testcase 'B' must be a testcase, as ts.testcase returns it, not the common setup",
        ),
        ("ts.testcase('B', { bse = 5 })", "testcase 'B' has no key 'bse'; did you mean 'base'?"),
        ("ts.zip(5)", "t.lua:3: zip takes lists by name, such as zip { a = { 1, 2 }, b = { 10, 20 } }, not "),
        ("ts.zip {}", "zip takes lists by name"),
        ("ts.zip { { 1 }, { 2 } }", "the keys of a loop's values are names"),
        ("ts.zip { a = 1 }", "zip.a must be a list, not "),
        ("ts.zip { a = { 1, 2 }, b = { 1 } }", "zip.a has 2 values and zip.b 1; give them the same number"),
        ("ts.zip { a = { 1, nil, 3 } }", "zip.a"),
        ("ts:zip { a = { 1 } }", "'zip' is a function of rille.testscript; write ts.zip(…), with a dot"),
    ] {
        run(&format!("{part}{line}")).code(1).reason_has("t", told);
    }
}
