//! Which testcases run: `--uids`, `--groups`, `run {}`; and in which order.

use super::{checked, run_with, script, tree};
use crate::harness::{Ended, Project};

const SCRIPT: &str = r#"ts.common_setup():subsection("s", function() end)
ts.testcase("Ping", { groups = { "sanity", "net" } }):test("t", function() end)
ts.testcase("Trace", { groups = { "net", "slow" } }):test("t", function() end)
ts.testcase("Load", { loop = { n = { 1, 2 } } }):test("t", function() end)
ts.common_cleanup():subsection("e", function() end)"#;

/// Returns the names of the top-level sections that were reported.
fn names(ended: &Ended) -> String {
    let text = tree(&ended.the_run());
    let top = text.lines().filter(|line| !line.starts_with(' '));
    top.map(|line| line.split(' ').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_command_line_chooses_by_uid_and_group() {
    let cases: [(&[&str], &str); 12] = [
        (&[], "common_setup Ping Trace Load[n=1] Load[n=2] common_cleanup"),
        (&["--uids", "Ping"], "common_setup Ping common_cleanup"),
        (&["--uids", "Or('common_setup','Ping')"], "common_setup Ping"),
        (&["--uids", "not common_cleanup"], "common_setup Ping Trace Load[n=1] Load[n=2]"),
        (&["--uids", "common_setup"], "common_setup"),
        (&["--uids", "Load"], "common_setup Load[n=1] Load[n=2] common_cleanup"),
        (&["--uids", "Load[n=2]"], "common_setup Load[n=2] common_cleanup"),
        (&["--uids", "P* or T*"], "common_setup Ping Trace common_cleanup"),
        (&["--uids", "Ping", "--uids", "Trace"], "common_setup Ping Trace common_cleanup"),
        (&["--groups", "net and not slow"], "common_setup Ping common_cleanup"),
        (&["--groups", "not net"], "common_setup Load[n=1] Load[n=2] common_cleanup"),
        (&["--uids", "T*", "--groups", "And('net', Not('sanity'))"], "common_setup Trace common_cleanup"),
    ];
    for (options, expected) in cases {
        assert_eq!(names(run_with(SCRIPT, options).code(0)), expected, "{options:?}");
    }
}

#[test]
fn a_bad_expression_is_a_usage_error_before_anything_starts() {
    let project = script(SCRIPT);
    let ended = project.run(&["run", "t.lua", "--groups", "net and (slow"]);
    ended.code(2).stderr_has("error: --groups 'net and (slow': at character 9: this parenthesis is not closed");
    assert!(project.runs().is_empty());
}

#[test]
fn where_nothing_fits_the_task_is_skipped_and_the_nearest_name_told() {
    let ended = run_with(SCRIPT, &["--uids", "Pnig"]);
    ended.outcomes("t=skipped").reason_has("t", "no testcase fits uids Pnig; did you mean 'Ping'?");
    assert!(ended.the_run().events_of("task-planned").is_empty());
    run_with(SCRIPT, &["--groups", "santy"]).reason_has("t", "no testcase fits groups santy; did you mean 'sanity'?");
}

fn job(run: &str) -> Project {
    Project::new()
        .main(&format!("print(job.run {{ testscript = 't.lua', taskid = 't', {run} }})"))
        .file("t.lua", format!("local ts = require \"rille.testscript\"\n{SCRIPT}\n"))
}

#[test]
fn a_jobfile_chooses_by_pattern_list_or_function_and_the_command_line_wins() {
    let cases: [(&str, &[&str], &str); 9] = [
        ("uids = 'P* or Load'", &[], "common_setup Ping Load[n=1] Load[n=2] common_cleanup"),
        ("uids = { 'Ping', 'Load[n=1]' }", &[], "common_setup Ping Load[n=1] common_cleanup"),
        ("groups = { 'slow', 'sanity' }", &[], "common_setup Ping Trace common_cleanup"),
        ("uids = function(uid, groups) return groups[2] == 'slow' end", &[], "common_setup Trace common_cleanup"),
        ("groups = function(uid, groups) return uid == 'Ping' end", &[], "common_setup Ping common_cleanup"),
        (
            "uids = function(uid) return uid ~= 'Ping' end, groups = function(_, groups) return #groups > 0 end",
            &[],
            "common_setup Trace common_cleanup",
        ),
        ("uids = 'Trace'", &["--uids", "Ping"], "common_setup Ping common_cleanup"),
        ("uids = function() error('asked') end", &["--uids", "Ping"], "common_setup Ping common_cleanup"),
        ("uids = 'Trace', groups = 'nothing'", &["--groups", "slow"], "common_setup Trace common_cleanup"),
    ];
    for (run, options, expected) in cases {
        assert_eq!(names(job(run).job(options).code(0)), expected, "{run} {options:?}");
    }
}

#[test]
fn a_choice_that_is_none_makes_its_task_errored() {
    job("uids = 'a b'").job(&[]).code(1).reason_has(
        "t",
        "job.lua:3: uids 'a b': at character 3: expected 'and' or 'or', and not 'b'; a name with blanks is put in quotes",
    );
    job("uids = 3").job(&[]).code(1).reason_has("t", "uids must be a pattern, a list of patterns or a function");
    let ended = job("uids = function() error('no idea', 0) end").job(&[]);
    ended.code(1).outcomes("t=errored").reason_has("t", "the jobfile's choice of sections failed: no idea");
}

#[test]
fn a_random_order_is_the_same_for_the_same_seed_and_common_sections_stay() {
    let body = r#"ts.common_setup():subsection("s", function() end)
for i = 1, 12 do ts.testcase("T" .. i):test("t", function() end) end
ts.common_cleanup():subsection("e", function() end)"#;
    let order = |options: &[&str]| names(run_with(body, options).code(0));
    let plain = order(&[]);
    let mixed = order(&["--random", "--random-seed", "7"]);
    assert_eq!(mixed, "common_setup T11 T12 T6 T2 T8 T5 T9 T3 T10 T7 T1 T4 common_cleanup");
    assert_eq!(order(&["--random", "--random-seed", "7"]), mixed);
    assert_ne!(mixed, plain);
    let ended = run_with(&format!("ts.random = true\nts.random_seed = 7\n{body}"), &[]);
    assert_eq!(names(&ended), mixed);
    assert_eq!(ended.the_run().task("t")["result"]["data"]["random_seed"], 7);

    let drawn = run_with(body, &["--random"]);
    let seed = drawn.the_run().task("t")["result"]["data"]["random_seed"].to_string();
    let log = drawn.the_run().text("tasks/1-t/task.log");
    assert!(log.contains(&format!("testcases run in random order, with the seed {seed}")), "{log}");
    assert_eq!(order(&["--random", "--random-seed", &seed]), names(&drawn));
    run_with(body, &["--random-seed", "7"]).code(2);
}

#[test]
fn a_lazy_loop_is_chosen_by_the_name_of_its_testcase() {
    let body = r#"local n = 0
ts.testcase("Lazy", { loop = function() n = n + 1 return n < 3 and n or nil end }):test("t", function() end)
ts.testcase("Other"):test("t", function() end)"#;
    let expected = "
        Lazy[value=1] passed
          t passed
        Lazy[value=2] passed
          t passed";
    checked(&run_with(body, &["--uids", "Lazy"]), 0, expected);
    checked(&run_with(body, &["--uids", "Other"]), 0, "\n        Other passed\n          t passed");
}
