//! Rille's own runners under its own status server.

use std::fs;

use super::project;

#[test]
fn unittests_and_kinds_in_lua_are_run_by_rille_itself() {
    let unit = "import unittest\n\
                class T(unittest.TestCase):\n\
                \x20   def test_good(self): print('printed')\n\
                \x20   def test_bad(self): self.assertEqual(1, 2)\n";
    let kind = "local runner = require 'rille.runner'\n\
                runner.kind('mine', function(runnable, emit)\n\
                \x20 emit { status = 'running', type = 'whiteboard', log = runnable.uri }\n\
                \x20 return { result = 'warn', fail_reason = 'mine' }\n\
                end)\n";
    let body = "for _, name in ipairs { 'test_good', 'test_bad' } do\n\
                \x20 job.run { taskid = name, testscript = { kind = 'python-unittest', uri = 'unit.py:T.' .. name } }\n\
                end\n\
                job.run { taskid = 'mine', testscript = { kind = 'mine', uri = 'word' } }";
    let list = r#"[{"kind": "python-unittest", "uri": "unit.py:T.test_good", "identifier": "good"},
        {"kind": "python-unittest", "uri": "unit.py:T.test_bad", "identifier": "bad"},
        {"kind": "mine", "uri": "word", "identifier": "mine"},
        {"kind": "foo", "identifier": "tells", "kwargs": {"code": "running('whiteboard', URI.encode()); finished()"}}]"#;
    let project = project(body).file("unit.py", unit).file("avocado-runner-mine.lua", kind).file("list.json", list);
    for options in [&[][..], &["--status-listen", "127.0.0.1:0"]] {
        let ended = project.job(options);
        ended.code(1);
        let run = project.runs().pop().expect("there is a run");
        assert_eq!(run.outcomes(), "test_good=passed test_bad=failed mine=passx", "{ended}");
        assert!(run.reason("test_bad").contains("1 != 2"), "{}", run.reason("test_bad"));
        assert_eq!(run.text("tasks/3-mine/whiteboard"), "word");
        project.run(&[&["test", "list.json"], options].concat()).code(1);
        let tests = project.runs().pop().expect("there is a run");
        let told: Vec<String> = tests.results()["tests"]
            .as_array()
            .expect("tests are a list")
            .iter()
            .map(|test| {
                format!("{}={}", test["id"].as_str().unwrap_or_default(), test["status"].as_str().unwrap_or_default())
            })
            .collect();
        assert_eq!(told, ["1-good=PASS", "2-bad=FAIL", "3-mine=WARN", "4-tells=PASS"]);
        assert_eq!(tests.text("test-results/3-mine/whiteboard"), "word");
        // By TCP only where it was asked for, and at the port that the run was given.
        let uri = tests.text("test-results/4-tells/whiteboard");
        let by_tcp = uri.strip_prefix("127.0.0.1:").and_then(|port| port.parse::<u16>().ok());
        assert_eq!(by_tcp.is_some_and(|port| port > 0), !options.is_empty(), "{uri}");
        assert!(fs::read_dir(run.path()).unwrap().all(|entry| entry.unwrap().file_name() != "status"));
    }
}
