//! The kinds that a runner runs by itself, each through its whole command line.

use std::fs;
use std::os::unix::process::CommandExt;

use crate::harness::{Ended, Project, has_program, needs, skipped};

fn run(project: &Project, kind: &str, args: &[&str]) -> Ended {
    let mut command = project.rille(&[&["runnable-run"], args].concat());
    command.arg0(format!("avocado-runner-{kind}"));
    project.start_command(command).wait()
}

#[test]
fn programs_find_the_environment_of_the_originals() {
    let script = "#!/bin/sh\ntest -d \"$AVOCADO_TEST_WORKDIR\" && echo workdir\necho $AVOCADO_TEST_BASEDIR $FOO $HOME $ENV1 \
                  $AVOCADO_VERSION end\necho $AVOCADO_TEST_WORKDIR > workdir.txt\n";
    let project = Project::new().executable("t.sh", script).env("OUTER", "x");
    let variant = "variant=json:{\"paths\": [\"/run/*\"], \"variant_id\": \"v1\", \"variant\": \
                   [[\"/run/a\", [[\"/run/a\", \"ENV1\", true]]]]}";
    let out = run(&project, "exec-test", &["-u", "t.sh", "FOO=bar", "HOME=json:null", variant]);
    let here = project.path("").canonicalize().unwrap().display().to_string();
    let here = here.trim_end_matches('/');
    out.code(0).stdout_has(&format!("b'workdir\\n{here} bar True 113.0 end\\n'"));
    assert!(!fs::exists(project.read("workdir.txt").trim()).unwrap());
    let all =
        run(&project, "exec-test", &["-u", "/usr/bin/env", "-c", "{\"runner.exectest.clear_env\": \"all\"}", "A=b"]);
    let out = all.code(0).out();
    assert!(
        out.contains("A=b") && out.contains("PATH=") && !out.contains("OUTER") && !out.contains("AVOCADO"),
        "{out}"
    );
    run(&project, "exec-test", &["-u", "/bin/true", "-c", "{\"runner.exectest.clear_env\": \"some\"}"])
        .stdout_has("runner.exectest.clear_env is \"some\"");
}

#[test]
fn tap_is_read_from_what_the_program_writes() {
    let project = Project::new();
    let tap = |text: &str, code: u8, args: &[&str]| {
        let script = format!("printf '%b' '{text}'; exit {code}");
        run(&project, "tap", &[&["-u", "/bin/sh", "-a", "base64:LWM=", "-a", &script], args].concat())
    };
    let honour: &[&str] = &["-c", "{\"runner.tap.honour_exitcode\": true}"];
    tap("1..2\\nok 1\\n", 0, &[]).code(0).stdout_has(
        "{'result': 'error', 'fail_reason': 'Tap format error: Too few tests run (expected 2, got 1)', 'returncode': 0, ",
    );
    tap("1..1\\nok 1\\n", 5, &[]).stdout_has("{'result': 'pass', 'returncode': 5, ");
    tap("1..1\\nok 1\\n", 5, honour)
        .stdout_has("{'result': 'error', 'fail_reason': 'exit code 5, although its tests passed', 'returncode': 5, ");
    tap("1..1\\nok 1 # TODO x\\n", 0, &[]).stdout_has("'warn', 'fail_reason': 'TODO test 1 unexpectedly passed.'");
    tap("1..0 # SKIP no\\n", 0, &[]).stdout_has("{'result': 'skip', 'fail_reason': 'no', ");
    tap("hello\\n", 0, &[]).stdout_has("{'result': 'error', 'fail_reason': 'there is no test in its output");
    tap("1..1\\nnot ok 1 - bad\\n", 0, &[]).stdout_has("{'result': 'fail', 'fail_reason': 'test 1 (bad) failed', ");
}

const UNITTEST: &str = r#"
import os
import unittest

class T(unittest.TestCase):
    def test_ok(self):
        print("printed")

    def test_fail(self):
        self.fail("bad")

    def test_error(self):
        raise ValueError("boom")

    @unittest.skip("why not")
    def test_skip(self):
        pass

    @unittest.expectedFailure
    def test_expected(self):
        self.fail("x")

    @unittest.expectedFailure
    def test_surprise(self):
        pass

    def test_exit(self):
        os._exit(0)

    def test_kill(self):
        os.kill(os.getppid(), 9)
        import time
        time.sleep(1000)
"#;

#[test]
fn methods_of_unittest_classes_are_run() {
    if !needs("python3") {
        return;
    }
    let project = Project::new().file("folder/my_test.py", UNITTEST);
    let test = |name: &str| run(&project, "python-unittest", &["-u", &format!("./folder/my_test.py:{name}")]);
    let cases = [
        ("T.test_ok", "{'result': 'pass', 'status': 'finished'"),
        ("T.test_fail", "{'result': 'fail', 'fail_reason': 'AssertionError: bad', 'status': 'finished'"),
        ("T.test_error", "{'result': 'error', 'fail_reason': 'ValueError: boom', 'status': 'finished'"),
        ("T.test_skip", "{'result': 'skip', 'fail_reason': 'why not', 'status': 'finished'"),
        ("T.test_expected", "{'result': 'pass', 'status': 'finished'"),
        ("T.test_surprise", "{'result': 'fail', 'fail_reason': 'unexpected success of test_surprise"),
        ("T.test_exit", "{'result': 'error', 'fail_reason': 'Python ended with exit code 0 before its test had'"),
        ("T.test_kill", "{'result': 'error', 'fail_reason': 'the runner process was killed by SIGKILL (signal 9)'"),
        ("T.nosuch", "'fail_reason': \"AttributeError: type object 'T' has no attribute 'nosuch'\""),
        ("T", "'fail_reason': 'Invalid URI: could not be converted to an unittest dotted name.'"),
    ];
    for (name, end) in cases {
        let ended = test(name);
        let out = ended.code(0).out();
        let last = out.lines().last().unwrap_or_default();
        assert!(last.contains(end), "{name}: {out}");
    }
    test("T.test_ok").stdout_has("{'type': 'stdout', 'log': b'printed\\n', ").stdout_has(
        "{'type': 'stdout', 'log': b'----------------------------------------------------------------------\\nRan 1 test in ",
    );
}

#[test]
fn facts_of_the_machine_become_files() {
    let project = Project::new().file("a file", "content\n");
    let wanted = "sysinfo=json:{\"commands\": [\"echo a/b | cat\", \"nosuchcmd\", \"sleep 1000\"], \"files\": [\"a file\", \
                  \"none\"], \"fail_commands\": [\"echo failed\"]}";
    let settings = "{\"sysinfo.collect.commands_timeout\": 1}";
    let ended = run(&project, "sysinfo", &["-u", "post", wanted, "test_fail=json:true", "-c", settings]);
    ended
        .code(0)
        .stdout_has("{'path': 'sysinfo/post/echo a_b _ cat', 'type': 'file', 'log': b'a/b\\n', 'status': 'running'")
        .stdout_has("{'path': 'sysinfo/post/nosuchcmd', 'type': 'file', 'log': b'', ")
        .stdout_has("exit code 127")
        .stdout_has("sleep 1000' took too long and was ended")
        .stdout_has("{'path': 'sysinfo/post/a file', 'type': 'file', 'log': b'content\\n', ")
        .stdout_has("the file none is left out: No such file or directory")
        .stdout_has("{'path': 'sysinfo/post/echo failed', ")
        .stdout_has("{'result': 'pass', 'status': 'finished'");
    let before = run(&project, "sysinfo", &["-u", "pre", wanted, "test_fail=json:true", "-c", settings]).code(0).out();
    assert!(!before.contains("echo failed"), "{before}");
    let bad = run(&project, "sysinfo", &["-u", "bogus"]).code(0).out();
    assert!(
        bad.contains("'log': b\"Unsupported uri bogus. Possible values, 'pre', 'post'\", 'encoding': 'utf-8'"),
        "{bad}"
    );
    assert_eq!(bad.matches("'finished'").count(), 1, "{bad}");
}

#[test]
fn tasks_that_prepare_others_say_what_they_miss() {
    let project = Project::new();
    let cases: [(&str, &[&str], &str); 6] = [
        ("package", &[], "Package name should be passed as kwargs using name=\"package_name\"."),
        ("package", &["action=foo", "name=x"], "Invalid action foo."),
        ("package", &["name=-y"], "is no name of a package"),
        ("pip", &["action=foo"], "Invalid action foo."),
        ("pip", &[], "Package name is required"),
        ("asset", &[], "At least name should be passed as kwargs using name=\"uri\"."),
    ];
    for (kind, args, text) in cases {
        run(&project, kind, args).code(0).stdout_has(text).stdout_has("{'result': 'error', ");
    }
    if has_program("dpkg-query") && has_program("apt-get") {
        run(&project, "package", &["action=check", "name=dpkg"]).stdout_has("'log': b'Package dpkg already installed'");
        run(&project, "package", &["action=check", "name=no-such-package"])
            .stdout_has("'log': b'Package no-such-package not installed'")
            .stdout_has("{'result': 'error', ");
    }
}

#[test]
fn assets_are_fetched_once_and_checked() {
    let project = Project::new().file("f.txt", "hi\n");
    let url = format!("name=file://{}", project.path("f.txt").display());
    let cache = project.path("cache");
    let settings = serde_json::json!({ "datadir.paths.cache_dirs": [cache] }).to_string();
    let asset = |args: &[&str]| run(&project, "asset", &[args, &["-c", &settings]].concat());
    asset(&[&url])
        .code(0)
        .stdout_has("b'File fetched at ")
        .stdout_has("by_location/")
        .stdout_has("{'result': 'pass', ");
    fs::remove_file(project.path("f.txt")).unwrap();
    asset(&[&url]).stdout_has("{'result': 'pass', ");
    asset(&[&url, "expire=0s"]).stdout_has("Failed to fetch f.txt").stdout_has("{'result': 'error', ");
    let project_file = project.path("f.txt");
    fs::write(project_file, "hi\n").unwrap();
    let wrong = asset(&[&url, "asset_hash=abc", "algorithm=md5"]).code(0).out();
    assert!(wrong.contains("its hash is 764efa883dda1e11db47671c4a3bbd9e, and not abc"), "{wrong}");
    asset(&[&url, "asset_hash=764EFA883DDA1E11DB47671C4A3BBD9E", "algorithm=md5"]).stdout_has("by_name/f.txt");
    asset(&["name=f.txt"]).stdout_has("{'result': 'pass', ");
    asset(&["name=other.txt"]).stdout_has("other.txt is not in the cache");
}

/// A manager of packages, as far as it is used: what is installed is a file in `installed`.
const FAKE_APT: &str = r#"#!/bin/sh
echo "$0 $*" >> "$LOG"
case "$1 $3" in
  "install stubborn") echo "E: no way" >&2; exit 100;;
  "install "*) : > "installed/$3";;
  "remove "*) /bin/rm "installed/$3";;
esac
"#;

#[test]
fn packages_are_installed_and_removed_by_the_manager_of_the_system() {
    let query =
        "#!/bin/sh\nfor last; do :; done\ntest -e \"installed/$last\" || exit 1\nprintf 'install ok installed'\n";
    let project = Project::new()
        .executable("bin/apt-get", FAKE_APT)
        .executable("bin/dpkg-query", query)
        .file("installed/there", "")
        .file(
            "list.json",
            r#"[{"kind": "exec-test", "uri": "/bin/ls", "args": ["installed/tool"],
            "dependencies": [{"type": "package", "name": "tool"}]}]"#,
        );
    let call = |args: &[&str], name: &str| {
        let mut command = project.rille(args);
        // Nothing else is on the path: no sudo, and no manager that is real.
        command.env("PATH", project.path("bin")).env("LOG", project.path("log"));
        if !name.is_empty() {
            command.arg0(name);
        }
        project.start_command(command).wait()
    };
    let package = |args: &[&str]| call(&[&["runnable-run"], args].concat(), "avocado-runner-package").code(0).out();
    let cases: [(&[&str], &str, &str); 8] = [
        (&["name=there"], "Package there already installed", "pass"),
        (&["name=new"], "Package new installed", "pass"),
        (&["action=check", "name=new"], "Package new already installed", "pass"),
        (&["action=remove", "name=new"], "Package new removed", "pass"),
        (&["action=remove", "name=new"], "Package new not installed", "pass"),
        (&["action=check", "name=new"], "Package new not installed", "error"),
        (
            &["name=stubborn"],
            "Package stubborn could not be installed: apt-get install -y stubborn: exit code 100",
            "error",
        ),
        (&["name=stubborn"], "E: no way", "error"),
    ];
    for (args, text, result) in cases {
        let out = package(args);
        assert!(out.contains(text) && out.contains(&format!("{{'result': '{result}'")), "{args:?}: {out}");
    }
    // As what a test depends on.
    call(&["test", "list.json", "--disable-sysinfo"], "").code(0);
    let log = project.read("log").replace(&project.path("bin").display().to_string(), "");
    assert_eq!(
        log,
        "/apt-get install -y new\n/apt-get remove -y new\n/apt-get install -y stubborn\n/apt-get install -y stubborn\n\
         /apt-get install -y tool\n"
    );
}

#[test]
fn packages_of_python_are_installed_and_uninstalled() {
    let wheel = "import zipfile\n\
        with zipfile.ZipFile('thing-1.0-py3-none-any.whl', 'w') as wheel:\n\
        \x20   info = 'thing-1.0.dist-info/'\n\
        \x20   wheel.writestr('thing.py', 'print(\"the thing\")\\n')\n\
        \x20   wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0\\n')\n\
        \x20   wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        \x20   wheel.writestr(info + 'RECORD', 'thing.py,,\\n' + ''.join(info + name + ',,\\n' for name in ('METADATA', 'WHEEL', 'RECORD')))\n";
    let project = Project::new().file("wheel.py", wheel).file(
        "list.json",
        r#"[{"kind": "exec-test", "uri": "python3", "args": ["-m", "thing"],
             "dependencies": [{"type": "pip", "name": "./thing-1.0-py3-none-any.whl"}]}]"#,
    );
    let path = std::env::join_paths(
        std::iter::once(project.path("venv/bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .expect("folders are named without a colon");
    let start = |mut command: std::process::Command| {
        // Nothing is fetched: the package is in the working folder.
        command.env("PATH", &path).env("PIP_NO_INDEX", "1").env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        project.start_command(command).wait()
    };
    let python = |args: &[&str]| {
        let mut command = project.command("python3");
        command.args(args);
        start(command)
    };
    if python(&["-m", "pip", "--version"]).exit_code() != Some(0) {
        skipped("python3 has no pip");
        return;
    }
    python(&["wheel.py"]).code(0);
    python(&["-m", "venv", "--system-site-packages", "--without-pip", "venv"]).code(0);
    let pip = |args: &[&str]| {
        let mut command = project.rille(&[&["runnable-run"], args].concat());
        command.arg0("avocado-runner-pip");
        start(command).code(0).out()
    };
    start(project.rille(&["test", "list.json", "--disable-sysinfo"])).code(0);
    python(&["-m", "thing"]).code(0).stdout("the thing\n");
    let out = pip(&["action=uninstall", "name=thing"]);
    assert!(out.contains("{'result': 'pass'"), "{out}");
    python(&["-m", "thing"]).code(1);
    let out = pip(&["name=no-such-thing"]);
    assert!(out.contains("{'result': 'error'") && out.contains("pip install no-such-thing: exit code 1"), "{out}");
}

const TESTSCRIPT: &str = r#"
local ts = require "rille.testscript"
local log = require "rille.log"
local ping = ts.testcase("Ping")
ping:test("icmp", function(self, p)
  print("hello " .. p.mode)
  log.root:warning("take care")
  os.execute("echo from a program")
  assert(p.n == 5, "n is " .. tostring(p.n))
end)
"#;

#[test]
fn testscripts_are_run_as_in_a_job() {
    let project = Project::new()
        .file("t.lua", TESTSCRIPT)
        .file("plain.lua", "if parameters.exit then os.exit(3) end\nreturn 'skipped', 'no need'\n");
    let good = run(&project, "lua", &["-u", "t.lua", "mode=ok", "n=json:5"]);
    good.code(0)
        .stdout_has("{'type': 'stdout', 'log': b'hello ok\\n")
        .stdout_has("from a program")
        .stdout_has("{'log_name': 'root', 'log_level': 30, 'log_levelname': 'WARNING', 'type': 'log', 'log': b'")
        .stdout_has("test icmp passed")
        .stdout_has("{'result': 'pass', 'status': 'finished'");
    run(&project, "lua", &["-u", "t.lua", "mode=ok"]).code(0).stdout_has("n is nil").stdout_has("{'result': 'fail', ");
    run(&project, "lua", &["-u", "plain.lua"]).stdout_has("{'result': 'skip', 'fail_reason': 'no need', ");
    run(&project, "lua", &["-u", "plain.lua", "exit=1"])
        .stdout_has("{'result': 'error', 'fail_reason': 'exit code 3', ");
    run(&project, "lua", &["-u", "none.lua"]).stdout_has("{'result': 'error', ").stdout_has("none.lua");
    run(&project, "lua", &[]).stdout_has("needs a uri");
}

const KIND: &str = r#"
local runner = require "rille.runner"
print("the file is loaded")
runner.kind("foo", function(runnable, emit)
  print("printed by " .. runnable.kind)
  emit { type = "log", log = "uri is " .. tostring(runnable.uri) }
  emit { status = "running", type = "stdout", log = "\xff\n" }
  emit { type = "whiteboard", log = runnable.kwargs.note or "-" }
  if runnable.kwargs.crash then error("went wrong") end
  if runnable.kwargs.slip then emit { type = "smell", log = "x" } end
  if runnable.kwargs.exit then os.exit(0) end
  return { result = runnable.args[1] or "pass", fail_reason = runnable.args[2] }
end)
"#;

#[test]
fn kinds_are_written_in_lua() {
    let project = Project::new().file("avocado-runner-foo.lua", KIND).file("kinds/avocado-runner-bar.lua", "x = 1");
    let good = run(&project, "foo", &["-u", "there", "note=kept"]);
    good.code(0)
        .stdout_has("{'type': 'log', 'log': b'uri is there', 'encoding': 'utf-8', 'status': 'running'")
        .stdout_has("printed by foo\\n")
        .stdout_has("\\xff\\n")
        .stdout_has("{'type': 'whiteboard', 'log': b'kept', 'encoding': 'utf-8', ")
        .stdout_has("{'result': 'pass', 'status': 'finished'");
    run(&project, "noop", &["-k", "foo", "-a", "warn", "-a", "careful"])
        .stdout_has("{'result': 'warn', 'fail_reason': 'careful', 'status': 'finished'");
    run(&project, "foo", &["-a", "bogus"]).stdout_has("{'result': 'error', ").stdout_has("bogus");
    run(&project, "foo", &["crash=1"]).stdout_has("went wrong").stdout_has("avocado-runner-foo.lua:9");
    run(&project, "foo", &["slip=1"]).stdout_has("nobody knows messages of the type");
    run(&project, "foo", &["exit=1"]).stdout_has("exit code 0 before the runner had told its result");
    run(&project, "bar", &[]).code(1).stderr_has("Unsupported kind of runnable: bar");
    project.run(&["runner", "install", "bin", "-k", "foo"]).code(0).stdout_has("bin/avocado-runner-foo\n");
    let mut command = project.command(project.path("bin/avocado-runner-foo"));
    command.arg("capabilities");
    project.start_command(command).wait().code(0).stdout_has("{\"runnables\": [\"foo\"], ");
    let mut command = project.rille(&["runnable-run"]);
    command.arg0("avocado-runner-bar").env("RILLE_PATH", "kinds");
    project.start_command(command).wait().stdout_has("{'result': 'error', ").stdout_has("'x'");
}
