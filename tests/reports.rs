//! The reports of a run: that each is sound by itself, that they agree, and that none is better than what happened.

use std::fs;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Ended, Project, Run, check_results, needs};

/// The files of a run and the options that write them again.
const FORMS: [(&str, &str); 4] =
    [("--json", "results.json"), ("--junit", "results.xml"), ("--tap", "results.tap"), ("--html", "report.html")];

/// A script that tells that it runs and stays.
const STAY: &str = "#!/bin/sh\necho ready > \"$RILLE_RUN_DIR/ready\"\nexec sleep 1000\n";

fn junit(text: &str) -> Report {
    Report::deserialize_from_str(text).unwrap_or_else(|error| panic!("this is no JUnit: {error}\n{text}"))
}

/// Returns the testcase of this class and name.
#[track_caller]
fn case<'a>(report: &'a Report, class: &str, name: &str) -> &'a TestCase {
    let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
    let is_it = |case: &&TestCase| case.classname.as_deref() == Some(class) && case.name.as_str() == name;
    cases.clone().find(is_it).unwrap_or_else(|| panic!("there is no {class} {name} in {report:#?}"))
}

/// Returns kind, message, type and text of a testcase that is not good.
#[track_caller]
fn fault(case: &TestCase) -> (NonSuccessKind, String, String, String) {
    let TestCaseStatus::NonSuccess { kind, message, ty, description, .. } = &case.status else {
        panic!("it should be no success: {case:#?}");
    };
    let text = |text: &Option<quick_junit::XmlString>| text.as_deref().unwrap_or_default().to_owned();
    (*kind, text(message), text(ty), text(description))
}

/// Checks that every report of a run says of it what its exit code says, and is what the event log gives again.
#[track_caller]
fn check_agreement(project: &Project, ended: &Ended) {
    let run = project.the_run();
    let results = run.results();
    check_results(project, &results);
    let code = ended.exit_code().expect("it was not killed");
    assert_eq!(results["run"]["exit_code"], code, "{results:#}");
    let good = ["passed", "passx", "skipped"].map(Value::from).contains(&results["run"]["result"]["value"]);
    assert_eq!(good, code == 0, "{results:#}");
    let report = junit(&run.text("results.xml"));
    assert_eq!(report.failures + report.errors > 0, code != 0 && code != 4, "{report:#?}");
    let tap = run.text("results.tap");
    let is_bad = |line: &str| line.starts_with("not ok") || line.starts_with("Bail out!");
    assert_eq!(tap.lines().any(is_bad), code != 0 && code != 4, "{tap}");
    let shown = run.text("report.html");
    let word = results["run"]["result"]["value"].as_str().unwrap_or("nothing ran");
    assert!(shown.contains(&format!(": <b class={}>{word}</b></h1>", word.replace("nothing ran", "none"))), "{shown}");
    assert!(shown.contains(&format!("<dt>Exit code<dd>{code}\n")), "{shown}");
    assert!(ended.err().contains(&format!("Result: {}", word.to_uppercase())), "{ended}");
    for (option, file) in FORMS {
        let again = project.run(&["runs", "report", "latest", option, "-"]);
        assert!(again.code(0).out() == run.text(file), "{file} differs from what the log gives:\n{again}");
    }
}

#[test]
fn reports_agree_on_a_job_in_which_everything_went_differently() {
    let body = "runtime.job.name = 'nightly'\n\
                job.run { testscript = 'good.lua', taskid = 'good' }\n\
                job.run { testscript = 'bad.lua', taskid = 'bad' }\n\
                job.run { testscript = 'crash.sh', taskid = 'crash' }\n\
                job.run { testscript = 'flaky.sh', taskid = 'flaky', retries = 2 }\n\
                job.run { testscript = 'good.lua', taskid = 'after', needs = 'bad' }\n\
                job.run { testscript = 'good.lua', taskid = 'left' }";
    let project = Project::new()
        .main(body)
        .file("good.lua", "print('fine')")
        .file("bad.lua", "print('before')\nlocal function check(n) assert(n == 4, n .. ' is not 4') end\ncheck(3)")
        .executable("crash.sh", "#!/bin/sh\necho out; echo err >&2\nkill -SEGV $$\n")
        .executable("flaky.sh", "#!/bin/sh\necho attempt $RILLE_ATTEMPT\ntest $RILLE_ATTEMPT = 2\n");
    let ended = project.job(&["--taskid", "!left"]);
    ended.code(1).outcomes("good=passed bad=failed crash=errored flaky=passx after=blocked left=skipped");
    check_agreement(&project, &ended);

    let report = junit(&project.the_run().text("results.xml"));
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (6, 1, 1, 2));
    let bad = case(&report, "nightly.bad", "bad");
    let (kind, message, _, text) = fault(bad);
    assert_eq!(kind, NonSuccessKind::Failure);
    assert!(message.ends_with("bad.lua:2: 3 is not 4"), "{message}");
    assert!(text.contains("3 is not 4") && text.contains("bad.lua:3"), "no traceback in {text}");
    assert!(bad.time.is_some());
    assert!(bad.system_out.as_deref().is_some_and(|text| text.contains("before")), "{bad:#?}");
    let crash = case(&report, "nightly.crash", "crash");
    assert!(fault(crash).1.contains("SIGSEGV"), "{crash:#?}");
    assert_eq!((crash.system_out.as_deref(), crash.system_err.as_deref()), (Some("out"), Some("err")));
    let TestCaseStatus::Success { flaky_runs } = &case(&report, "nightly.flaky", "flaky").status else {
        panic!("{report:#?}");
    };
    assert_eq!(flaky_runs.len(), 1);
    let page = project.the_run().text("report.html");
    assert!(page.contains("<i>flaky</i>") && page.contains("bad.lua:3"), "{page}");
    assert_eq!(project.the_run().task("flaky")["flaky"], true);
}

#[test]
fn what_is_wrong_beside_the_tasks_is_in_every_report() {
    let raised = Project::new().main("job.run { testscript = '/bin/true' }\nerror('no more')");
    let ended = raised.job(&[]);
    ended.code(1);
    check_agreement(&raised, &ended);
    let report = junit(&raised.the_run().text("results.xml"));
    assert!(fault(case(&report, "job", "main")).3.contains("in function 'main'"), "{report:#?}");
    assert!(raised.the_run().text("results.tap").contains("not ok 2 - main\n"));

    let plugin = Project::new().main(
        "runtime.plugin { name = 'p', post_job = function() error('late') end }\njob.run { testscript = '/bin/true' }",
    );
    let ended = plugin.job(&[]);
    ended.code(3).stderr_has("Plugin errors:\n    plugin 'p' failed in post_job: ").stderr_has("Result: ERRORED");
    check_agreement(&plugin, &ended);

    let broken = Project::new().file("job.lua", "function main(");
    let ended = broken.job(&[]);
    ended.code(2);
    check_agreement(&broken, &ended);
}

#[test]
fn an_empty_job_is_neither_good_nor_bad() {
    let project = Project::new().main("");
    let ended = project.job(&[]);
    ended.code(4);
    let run = project.the_run();
    check_results(&project, &run.results());
    assert_eq!(run.text("results.tap"), "TAP version 14\n1..0 # SKIP nothing ran: no task was queued\n");
    let report = junit(&run.text("results.xml"));
    assert_eq!((report.tests, report.skipped), (1, 1));
    assert!(run.text("report.html").contains("Nothing ran: no task was queued."));
}

#[test]
fn an_interrupted_run_has_its_reports() {
    let project = Project::new().main("job.run { testscript = 'stay.sh', taskid = 'a' }").executable("stay.sh", STAY);
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_event(|event| event["event"] == "task-started");
    let now = project.start_command(project.rille(&["runs", "report", "latest", "--tap", "-", "--json", "now.json"]));
    now.wait_only(DEADLINE).code(0).stdout_has("Bail out! the run has not ended yet");
    assert_eq!(serde_json::from_str::<Value>(&project.read("now.json")).unwrap()["run"]["complete"], false);
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.code(130);
    check_agreement(&project, &ended);
    assert!(project.the_run().text("results.tap").ends_with("Bail out! stopped by SIGINT\n"));
}

#[test]
fn a_lost_run_can_be_reported() {
    let project = Project::new()
        .main("job.run { testscript = '/bin/true', taskid = 'done' }\njob.run { testscript = 'stay.sh', taskid = 'a' }")
        .executable("stay.sh", "#!/bin/sh\necho last words\necho ready > \"$RILLE_RUN_DIR/ready\"\nexec sleep 1000\n");
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_event(|event| event["event"] == "task-started" && event["task"] == 2);
    running.signal(Signal::KILL);
    running.wait();
    let out: Vec<&str> = FORMS.iter().flat_map(|(option, file)| [*option, *file]).collect();
    project.run(&[&["runs", "report", "latest"][..], &out].concat()).code(0);
    let results: Value = serde_json::from_str(&project.read("results.json")).unwrap();
    check_results(&project, &results);
    assert_eq!(results["run"]["result"]["value"], "errored");
    let report = junit(&project.read("results.xml"));
    assert!(fault(case(&report, "job", "run")).1.contains("the run was lost"));
    assert_eq!(fault(case(&report, "job.a", "a")).1, "the task has no end");
    assert!(matches!(case(&report, "job.done", "done").status, TestCaseStatus::Success { .. }));
    assert!(project.read("results.tap").contains("not ok 2 - a\n"));
    assert!(project.read("results.tap").contains("Bail out! the run was lost"));
    assert!(project.read("report.html").contains("<b class=none>lost</b>"));
}

/// Puts events of sections into the log of the only run, behind the start of its task.
fn put_sections(run: &Run, sections: &[Value]) {
    let mut events = run.events();
    let at = events.iter().position(|event| event["event"] == "task-started").expect("it was started");
    let time = events[at]["time"].clone();
    let new = sections.iter().map(|section| {
        let mut section = section.clone();
        section["time"] = time.clone();
        section
    });
    events.splice(at + 1..=at, new);
    let lines = (1..).zip(events).map(|(seq, mut event): (u64, Value)| {
        event["seq"] = seq.into();
        event.to_string() + "\n"
    });
    fs::write(run.path().join(".guild/events.jsonl"), lines.collect::<String>()).expect("it can be written");
}

#[test]
fn sections_are_in_every_report() {
    let script = "print('common')\nprint('ping goes out')\nprint('no answer')\nerror('stop')";
    let project = Project::new().main("job.run { testscript = 's.lua', taskid = 'a' }").file("s.lua", script);
    project.job(&[]).code(1);
    let run = project.the_run();
    let log = run.text("tasks/1-a/task.log");
    let begin = log.split_inclusive('\n').next().unwrap().len();
    let size = log[begin..].split_inclusive('\n').take(2).map(str::len).sum::<usize>();
    put_sections(
        &run,
        &[
            json!({ "event": "task-planned", "task": 1, "sections": [
                { "kind": "common_setup", "uid": "common_setup", "line": 3 },
                { "kind": "testcase", "uid": "Ping", "groups": ["sanity"] },
                { "kind": "test", "uid": "icmp", "parent": 2 },
                { "kind": "testcase", "uid": "Trace" } ] }),
            json!({ "event": "section-started", "task": 1, "section": 1 }),
            json!({ "event": "section-finished", "task": 1, "section": 1, "outcome": "passed", "seconds": 0.1,
                    "log": { "begin": 0, "size": begin } }),
            json!({ "event": "section-started", "task": 1, "section": 2 }),
            json!({ "event": "section-started", "task": 1, "section": 3, "uid": "icmp[size=64]" }),
            json!({ "event": "section-finished", "task": 1, "section": 3, "outcome": "failed", "seconds": 0.2,
                    "reason": "s.lua:9: no answer", "data": { "traceback": "s.lua:9: in test 'icmp'" },
                    "log": { "begin": begin, "size": size } }),
        ],
    );

    let results = project.run(&["runs", "show", "latest", "--json"]).code(0).json();
    check_results(&project, &results);
    let task = &results["tasks"][0];
    let sections = &task["sections"];
    let icmp = &sections[1]["sections"][0];
    assert_eq!(icmp["fullid"], "Ping.icmp[size=64]", "{sections:#}");
    assert_eq!(icmp["result"]["code"], 0);
    let found = |logs: &Value| {
        let at = |key: &str| usize::try_from(logs[key].as_u64().unwrap()).unwrap();
        run.text(logs["file"].as_str().unwrap())[at("begin")..at("begin") + at("size")].to_owned()
    };
    let slice = found(&icmp["logs"]);
    assert!(slice.contains("ping goes out") && slice.contains("no answer") && !slice.contains("common"), "{slice}");
    let states = |key: &str| [0, 1, 2].map(|at: usize| sections[at][key].clone());
    assert_eq!(states("uid"), ["common_setup", "Ping", "Trace"]);
    assert_eq!(states("reached"), [true, true, false]);
    assert_eq!((&sections[1]["result"]["value"], &sections[2]["result"]), (&json!("errored"), &Value::Null));
    assert_eq!(sections[1]["result"]["reason"], task["result"]["reason"]);
    assert_eq!(results["section_counts"]["testcases"]["not_reached"], 1);
    assert_eq!(task["log"]["file"], "tasks/1-a/task.log");

    let shown = project.run(&["runs", "show", "latest"]);
    shown.code(0).stdout_has("├── common_setup").stdout_has("└── Trace").stdout_has("NOT REACHED");
    shown.stdout_has("a.Ping.icmp[size=64]: traceback\n    s.lua:9: in test 'icmp'\n");
    shown.stdout_has("2 testcases: 1 errored, 1 not reached; 1 test: 1 failed\n");

    let report = junit(&project.run(&["runs", "report", "latest", "--junit", "-"]).code(0).out());
    let ping = case(&report, "job.a", "Ping");
    let (kind, _, _, text) = fault(ping);
    assert_eq!(kind, NonSuccessKind::Error);
    assert!(text.contains("Ping.icmp[size=64]: s.lua:9: no answer\ns.lua:9: in test 'icmp'"), "{text}");
    assert!(matches!(case(&report, "job.a", "Trace").status, TestCaseStatus::Skipped { .. }));
    assert!(case(&report, "job.a", "common_setup").system_out.as_deref().is_some_and(|out| out.contains("common")));

    let tap = project.run(&["runs", "report", "latest", "--tap", "-"]).code(0).out();
    assert!(
        tap.contains("# Subtest: a\n    1..3\n    ok 1 - common_setup\n    # Subtest: Ping\n        1..1\n"),
        "{tap}"
    );
    assert!(tap.contains("        not ok 1 - icmp[size=64]\n          ---\n"), "{tap}");

    let page = project.run(&["runs", "report", "latest", "--html", "-"]).code(0).out();
    assert!(page.contains("icmp[size=64]") && page.contains("ping goes out") && page.contains("not reached"), "{page}");
}

#[test]
fn whatever_a_task_writes_the_reports_can_be_read() {
    let bytes: Vec<u8> =
        (0..=255).chain(*b"]]> </script> <!-- \xef\xbf\xbe\xef\xbf\xbf\xed\xa0\x80 &#0; &bogus;\n").collect();
    let project = Project::new()
        .main("job.run { testscript = 'odd.sh', taskid = 'a < b & \"c\" ]]> # \\\\ \\n \\27[31m' }")
        .file("odd", &bytes);
    let odd = project.path("odd");
    let project = project.executable("odd.sh", format!("#!/bin/sh\ncat '{0}'; cat '{0}' >&2\nexit 1\n", odd.display()));
    let ended = project.job(&[]);
    ended.code(1);
    let run = project.the_run();
    let report = junit(&run.text("results.xml"));
    assert!(
        report.test_suites[0].test_cases[0].system_err.as_deref().is_some_and(|text| text.contains("]]> </script>"))
    );
    let page = run.text("report.html");
    assert_eq!((page.matches("</script>").count(), page.matches("<!--").count()), (1, 0));
    assert_eq!(run.text("results.tap").lines().filter(|line| line.starts_with("not ok")).count(), 1);
    if !needs("python3") {
        return;
    }
    let program = "import sys, xml.etree.ElementTree as e\n\
                   root = e.parse(sys.argv[1]).getroot()\nprint(root.tag, len(root.findall('.//testcase')))";
    let path = run.path().join("results.xml");
    let mut python = project.command("python3");
    python.args(["-c", program]).arg(path);
    project.start_command(python).wait().code(0).stdout("testsuites 1\n");
}

#[test]
fn long_output_is_shown_by_its_ends() {
    let project = Project::new().main("job.run { testscript = 'long.sh', taskid = 'a' }").executable(
        "long.sh",
        "#!/bin/sh\necho first\nhead -c 3000000 /dev/zero | tr '\\0' x\necho; echo last\nexit 1\n",
    );
    project.job(&[]).code(1);
    let run = project.the_run();
    let xml = run.text("results.xml");
    assert!(xml.len() < 200_000, "{} bytes", xml.len());
    let out = junit(&xml).test_suites[0].test_cases[0].system_out.clone().unwrap().into_string();
    assert!(out.starts_with("first\n") && out.ends_with("last") && out.contains(" bytes are not shown here]\n"));
    assert!(run.text("report.html").len() < 60_000);
}

#[test]
fn reports_go_where_they_are_asked_for() {
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    let copies = ["--junit", "out.xml", "--html", "out.html", "--tap", "out.tap"];
    project.job(&copies).code(0);
    let run = project.the_run();
    for (copy, file) in [("out.xml", "results.xml"), ("out.html", "report.html"), ("out.tap", "results.tap")] {
        // A page elsewhere says from where its links lead on.
        let base = format!("<base href=\"../home/runs/{}/\">\n", run.id());
        let text = project.read(copy);
        assert_eq!(text.replacen(&base, "", 1), run.text(file), "{copy}");
        assert_eq!(text.contains("<base"), copy == "out.html");
    }
    assert_eq!(run.attr("run_params")["junit"], "out.xml");
    for args in [["--junit", "no/such/out.xml"], ["--html", "/proc/out.html"], ["--tap", "."]] {
        project.job(&args).code(2).stderr_has(args[0]).stderr_has("error: ");
    }
    assert_eq!(project.runs().len(), 1, "what is wrong is told before a run begins");

    project.run(&["runs", "report", "latest"]).code(2).stderr_has("--html");
    project.run(&["runs", "report", "latest", "--xunit", "again.xml"]).code(0);
    assert_eq!(project.read("again.xml"), run.text("results.xml"));
    project
        .run(&["runs", "report", "latest", "--html", "no/such.html"])
        .code(1)
        .stderr_has("cannot write no/such.html");
    project.run(&["runs", "report", "latest", "--html", "/dev/null"]).code(0);
    assert!(!Path::new("/dev/null").is_file(), "a device is written to, not replaced");
}

#[test]
fn the_script_of_the_page_sorts_and_filters() {
    if !needs("node") {
        return;
    }
    let project = Project::new().main("job.run { testscript = '/bin/true' }");
    project.job(&[]).code(0);
    let page = project.the_run().text("report.html");
    let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let checks = r#"
const row = (n, r, t, s, w, flaky) => ({ n, r, t, s, w, flaky, text: () => `${t} ${w}`.toLowerCase() });
const rows = [row(1, "passed", "Task-10", 3, "", true), row(2, "errored", "Task-9", 1, "Boom"), row(3, "passed", "a", 2, "")];
const by = (column) => rows.slice().sort((a, b) => compare(column, a, b)).map((row) => row.n).join("");
console.log(by("n"), by("r"), by("t"), by("s"));
const shown = (filter, ...words) => rows.filter((row) => isShown(row, filter, words)).map((row) => row.n).join("");
console.log(shown(""), shown("bad"), shown("passed"), shown("flaky"), shown("", "task", "boom"));
"#;
    let project = project.file("page.js", format!("{script}{checks}"));
    let mut node = project.command("node");
    node.arg(project.path("page.js"));
    project.start_command(node).wait().code(0).stdout("123 213 321 231\n123 2 13 1 2\n");
}

#[test]
fn a_testscript_is_told_from_end_to_end() {
    let script = r#"
local ts = require "rille.testscript"
ts.common_setup():subsection("connect", function(self) print("connecting") end)
local ping = ts.testcase("Ping", { groups = { "sanity" } })
ping:test("icmp", function(self, p, steps)
  steps:start("send", function(step) print("it is sent") end)
  steps:start("receive", function(step) assert(false, "no answer") end)
end)
ping:test("sweep", { loop = { size = { 64, 1500 } } }, function(self, p) print("sweep") end)
ts.testcase("Trace"):test("hops", function(self) self:skipped("not now") end)
"#;
    let project = Project::new().main("job.run { testscript = 's.lua', taskid = 'lab' }").file("s.lua", script);
    let ended = project.job(&[]);
    ended.code(1).outcomes("lab=failed");
    check_agreement(&project, &ended);
    let report = junit(&project.the_run().text("results.xml"));
    let names: Vec<&str> = report.test_suites[0].test_cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["common_setup", "Ping", "Trace"]);
    let ping = case(&report, "job.lab", "Ping");
    let (kind, _, _, text) = fault(ping);
    assert!(kind == NonSuccessKind::Failure && text.matches("s.lua:7: no answer").count() == 1, "{text}");
    let log = ping.system_out.as_deref().unwrap_or_default();
    assert!(log.contains("it is sent") && !log.contains("connecting"), "{log}");
    let task = project.the_run().task("lab");
    let tests: Vec<&Value> =
        task["sections"][1]["sections"].as_array().unwrap().iter().map(|test| &test["fullid"]).collect();
    assert_eq!(tests, ["Ping.icmp", "Ping.sweep[size=64]", "Ping.sweep[size=1500]"]);
    ended.stderr_has("2 testcases: 1 failed, 1 skipped; 4 tests: 2 passed, 1 failed, 1 skipped\n");
}

#[test]
fn links_of_the_page_lead_to_files_that_are_there() {
    let ids = ["plain", "a b", "c#d?e=f", "100%25", "\\\"quoted\\\" <b>", "gr\u{f6}\u{df}e", "it's"];
    let task = |id: &&str| format!("job.run {{ testscript = 'bad.sh', taskid = \"{id}\", retries = 1 }}\n");
    let project = Project::new()
        .executable("bad.sh", "#!/bin/sh\necho said\necho why >&2\nexit 1\n")
        .main(&ids.iter().map(task).collect::<String>());
    project.job(&["--html", "copy.html"]).code(1);
    let run = project.the_run();
    let (page, copy) = (run.text("report.html"), project.read("copy.html"));
    let base = copy.split_once("<base href=\"").unwrap().1.split_once('"').unwrap().0;
    let links: Vec<String> =
        page.split("<a href=\"").skip(1).map(|rest| decoded(rest.split_once('"').unwrap().0)).collect();
    // Of each task three files, its folder, and that of its first attempt.
    assert_eq!(links.len(), 5 * ids.len(), "{links:?}");
    for link in &links {
        assert!(run.path().join(link).exists(), "{link} is not there");
        assert!(project.path(decoded(base)).join(link).exists(), "{base}{link} is not there");
    }
    assert!(links.iter().any(|link| link.ends_with("stderr")) && links.iter().any(|link| link.ends_with("task.log")));
}

/// Returns a relative reference as the path that it is for.
fn decoded(reference: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = reference.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first == b'%' {
            let (digits, others) = others.split_at(2);
            let digits = std::str::from_utf8(digits).expect("they are ASCII");
            bytes.push(u8::from_str_radix(digits, 16).expect("two digits follow a %"));
            rest = others;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("paths of the test are UTF-8")
}

#[test]
fn names_in_junit_stay_when_a_task_comes_before() {
    let script =
        "local ts = require 'rille.testscript'\nts.testcase('Tc'):test('t', function() assert(false, 'no') end)\n";
    let names = |before: &str| -> Vec<(String, String)> {
        let body = format!("{before}\njob.run {{ testscript = 'ping.lua' }}\njob.run {{ testscript = '/bin/true' }}");
        let project = Project::new().file("ping.lua", script).main(&body);
        project.job(&[]).code(1);
        let xml = project.the_run().text("results.xml");
        assert!(xml.contains("file=\"ping.lua\" line=\"2\""), "{xml}");
        let report = junit(&xml);
        let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        cases.map(|case| (case.classname.clone().unwrap().into_string(), case.name.clone().into_string())).collect()
    };
    let known = names("");
    let case_of = |class: &str, name: &str| (class.to_owned(), name.to_owned());
    assert_eq!(known, [case_of("job.ping", "Tc"), case_of("job.true", "true")]);
    assert_eq!(names("job.run { testscript = '/bin/echo' }")[1..], known);
    assert_eq!(names("job.run { testscript = '/bin/echo', taskid = 'first' }")[1..], known);
}

#[test]
fn the_reason_of_a_program_that_gave_none_is_the_last_it_said() {
    let cases = [
        ("echo out; echo one >&2; echo two >&2; exit 1", "failed", "exit code 1: two"),
        ("echo out; exit 1", "failed", "exit code 1"),
        ("printf 'no line end' >&2; exit 7", "errored", "exit code 7: no line end"),
        ("printf '\\033[31mred\\033[0m\\n\\n\\033[0m' >&2; exit 1", "failed", "exit code 1: red"),
        ("printf '10%%\\r100%%\\r\\n' >&2; exit 1", "failed", "exit code 1: 100%"),
        ("printf 'a\\377b\\n' >&2; exit 1", "failed", "exit code 1: a\u{fffd}b"),
        ("echo why >&2; kill -ABRT $$", "errored", "killed by SIGABRT (signal 6): why"),
        ("seq 100000 >&2; exit 3", "errored", "exit code 3: 100000"),
        ("echo fine >&2; exit 0", "passed", ""),
    ];
    let task = |(number, (script, _, _)): (usize, &(&str, &str, &str))| {
        format!("job.run {{ testscript = 'sh', args = {{ '-c', [==[{script}]==] }}, taskid = 't{number}' }}\n")
    };
    let project = Project::new().main(&cases.iter().enumerate().map(task).collect::<String>());
    project.job(&[]).code(1);
    let run = project.the_run();
    for (number, (script, outcome, reason)) in cases.iter().enumerate() {
        let result = &run.task(&format!("t{number}"))["result"];
        assert_eq!(result["value"], *outcome, "{script}");
        assert_eq!(result["reason"].as_str().unwrap_or_default(), *reason, "{script}");
    }
}

#[test]
fn junit_names_stay_when_a_task_is_added_before() {
    let tasks = r#"
  job.run { testscript = "ping.lua", host = "a" }
  job.run { testscript = "ping.lua", host = "b", args = { "-v" } }
  job.run { testscript = "lib/ping.lua" }
  job.run { testscript = "ping.lua", taskid = "last" }"#;
    let names = |main: &str| -> Vec<String> {
        let project = Project::new().main(main).file("ping.lua", "return true").file("lib/ping.lua", "return true");
        let xml = project.job(&["-q"]).code(0).the_run().text("results.xml");
        let report = junit(&xml);
        report.test_suites.iter().map(|suite| suite.name.to_string()).collect()
    };
    let known = names(tasks);
    assert_eq!(known, ["ping[host=a]", "ping[-v, host=b]", "lib/ping", "last"]);
    for before in ["host = 'c'", "", "taskid = 'first'", "env = { A = '1' }", "tags = 'x', args = { 'a' }"] {
        let added = format!("  job.run {{ testscript = 'ping.lua', {before} }}\n{tasks}");
        assert_eq!(names(&added)[1..], known, "{before}");
    }
}
