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
    let project = project(body).file("unit.py", unit).file("avocado-runner-mine.lua", kind);
    for options in [&[][..], &["--status-listen", "127.0.0.1:0"]] {
        let ended = project.job(options);
        ended.code(1);
        let run = project.runs().pop().expect("there is a run");
        assert_eq!(run.outcomes(), "test_good=passed test_bad=failed mine=passx", "{ended}");
        assert!(run.reason("test_bad").contains("1 != 2"), "{}", run.reason("test_bad"));
        assert_eq!(run.text("tasks/3-mine/whiteboard"), "word");
        assert!(fs::read_dir(run.path()).unwrap().all(|entry| entry.unwrap().file_name() != "status"));
    }
}
