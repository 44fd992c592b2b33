//! The runners of Avocado itself, as they are.

use std::path::Path;

use crate::harness::{Ended, Project, avocado_programs};

use super::file;

/// Runs recipes, each of them the content of a Lua table, by Avocado's own runner of its kind.
fn run(bin: &Path, project: Project, recipes: &[(&str, &str, &str)]) -> Ended {
    let jobs: Vec<String> = recipes
        .iter()
        .map(|(id, kind, rest)| {
            let runner = bin.join(format!("avocado-runner-{kind}"));
            let runner = runner.display();
            format!(
                "job.run {{ taskid = '{id}', testscript = {{ kind = '{kind}', config = {{ ['rille.runner'] = '{runner}', \
                 ['runner.exectest.exitcodes.skip'] = {{ 2 }} }}, {rest} }} }}\n"
            )
        })
        .collect();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    project.env("PATH", path).main(&jobs.concat()).job(&[])
}

#[test]
fn noop_exec_test_and_tap_have_their_outcomes() {
    let Some(bin) = avocado_programs() else { return };
    let project = Project::new()
        .executable(
            "both.sh",
            "#!/bin/sh\nprintf 'out-line\\nno newline\\001\\377'; echo err-line >&2; echo $X; exit 3\n",
        )
        .executable("good.t", "#!/bin/sh\nprintf '1..2\\nok 1\\nok 2\\n'\n")
        .executable("bad.t", "#!/bin/sh\nprintf '1..2\\nok 1\\nnot ok 2 - broken\\n'\n")
        .executable("killer.sh", "#!/bin/sh\nkill -9 $PPID\n");
    let recipes = [
        ("t", "exec-test", "uri = 'both.sh', kwargs = { X = 'value' }"),
        ("noop", "noop", ""),
        ("dry", "dry-run", ""),
        ("true", "exec-test", "uri = '/bin/true'"),
        ("skip", "exec-test", "uri = '/bin/sh', args = { '-c', 'exit 2' }"),
        ("signal", "exec-test", "uri = '/bin/sh', args = { '-c', 'kill -9 $$' }"),
        ("tap", "tap", "uri = 'good.t'"),
        ("broken", "tap", "uri = 'bad.t'"),
        ("killer", "exec-test", "uri = 'killer.sh'"),
        ("after", "exec-test", "uri = '/bin/true'"),
    ];
    let ended = run(&bin, project, &recipes);
    ended.code(1).outcomes(
        "t=failed noop=passed dry=skipped true=passed skip=skipped signal=failed tap=passed broken=failed \
         killer=errored after=passed",
    );
    let run = ended.the_run();
    assert_eq!(run.output("t", "stdout"), b"out-line\nno newline\x01\xffvalue\n");
    assert_eq!(run.output("t", "stderr"), b"err-line\n");
    assert_eq!(run.task("t")["stdout"]["bytes"], 27);
    assert_eq!(run.task("t")["result"]["data"]["returncode"], 3);
    assert_eq!(run.task("signal")["result"]["data"]["returncode"], -9);
    assert!(file(&run, "task.log").contains("stderr ["));
    ended.reason_has("killer", "its runner was killed by SIGKILL (signal 9) before it reported how the test ended");
}

#[test]
fn python_unittests_and_instrumented_tests_have_their_outcomes() {
    let Some(bin) = avocado_programs() else { return };
    let unit = "import unittest\n\
                class T(unittest.TestCase):\n\
                \x20   def test_good(self): pass\n\
                \x20   def test_bad(self): self.assertEqual(1, 2)\n\
                \x20   @unittest.skip('why not')\n\
                \x20   def test_left_out(self): pass\n";
    let instrumented = "from avocado import Test\n\
                        class I(Test):\n\
                        \x20   def test_good(self):\n\
                        \x20       self.log.info('hello log')\n\
                        \x20       self.whiteboard = 'on the board'\n\
                        \x20   def test_bad(self): self.fail('bad thing')\n\
                        \x20   def test_cancel(self): self.cancel('not now')\n\
                        \x20   def test_warns(self): self.log.warning('careful')\n";
    let project = Project::new().file("unit.py", unit).file("inst.py", instrumented);
    let recipes = [
        ("t", "avocado-instrumented", "uri = 'inst.py:I.test_good'"),
        ("bad", "avocado-instrumented", "uri = 'inst.py:I.test_bad'"),
        ("cancel", "avocado-instrumented", "uri = 'inst.py:I.test_cancel'"),
        ("warns", "avocado-instrumented", "uri = 'inst.py:I.test_warns'"),
        ("u1", "python-unittest", "uri = 'unit.py:T.test_good'"),
        ("u2", "python-unittest", "uri = 'unit.py:T.test_bad'"),
        ("u3", "python-unittest", "uri = 'unit.py:T.test_left_out'"),
        (
            "sys",
            "sysinfo",
            "uri = 'pre', kwargs = { sysinfo = { commands = { 'uname -r' }, files = {}, fail_commands = {}, fail_files = {} }, test_fail = false }",
        ),
    ];
    let ended = run(&bin, project, &recipes);
    ended.code(1).outcomes("t=passed bad=failed cancel=skipped warns=passx u1=passed u2=failed u3=skipped sys=passed");
    let run = ended.the_run();
    assert_eq!(file(&run, "whiteboard"), "on the board");
    let log = file(&run, "task.log");
    assert!(log.contains("avocado.test [") && log.contains("hello log"), "{log}");
    ended.reason_has("bad", "bad thing").reason_has("u3", "why not").reason_has("cancel", "not now");
    assert_eq!(run.task("bad")["result"]["data"]["fail_class"], "TestFail");
    assert!(run.has("tasks/8-sys/sysinfo/pre/uname -r"));
}

#[test]
fn a_time_limit_ends_a_runner_with_all_that_it_started() {
    let Some(bin) = avocado_programs() else { return };
    let project = Project::new()
        .executable("slow.sh", "#!/bin/sh\necho begun\nsetsid sleep 1000 &\nsleep 1000\n")
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()))
        .main(&format!(
            "pcall(job.run, {{ taskid = 't', max_runtime = 3, testscript = {{ kind = 'exec-test', uri = 'slow.sh', config = \
             {{ ['rille.runner'] = '{}' }} }} }})",
            bin.join("avocado-runner-exec-test").display()
        ));
    let ended = project.job(&["--grace", "0.2"]);
    ended.code(1).outcomes("t=errored").reason_has("t", "exceeded its max_runtime of 3 s");
    assert_eq!(ended.the_run().output("t", "stdout"), b"begun\n");
}
