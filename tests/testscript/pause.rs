//! `--pause-on-failure`: a prompt inside the section that fails, at a terminal that the test makes.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::ptr;

use super::{checked, run_with, script, tree};
use crate::harness::{DEADLINE, Project, until};

const FAILS: &str = r#"local case = ts.testcase("Tc")
case:test("a", function(self, p, steps)
  local answer = 42
  self.seen = "field"
  steps:start("s", function() assert(answer == 0, "wrong answer") end)
end)
case:test("b", function() error("boom", 0) end)
case:cleanup(function() end)
ts.testcase("Next"):test("t", function() end)
ts.common_cleanup():subsection("e", function() end)"#;

/// The user at a terminal.
struct User {
    master: File,
    child: Child,
    seen: String,
}

impl User {
    /// Starts rille on a terminal of its own.
    fn starts(project: &Project, args: &[&str]) -> Self {
        let (mut master, mut slave) = (-1, -1);
        // SAFETY: both numbers outlive the call, and nothing else is asked for.
        let made = unsafe { libc::openpty(&raw mut master, &raw mut slave, ptr::null_mut(), ptr::null(), ptr::null()) };
        assert_eq!(made, 0, "a terminal can be made");
        // SAFETY: the two descriptors were just made and belong to nobody else.
        let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let mut command = project.rille(args);
        let copy = || Stdio::from(slave.try_clone().expect("a descriptor can be copied"));
        command.stdin(copy()).stdout(Stdio::null()).stderr(copy());
        // SAFETY: between fork and exec only these two calls are made, which need no memory.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("rille starts");
        Self { master: File::from(master), child, seen: String::new() }
    }

    /// Waits until the terminal shows this, and returns everything up to it since the last time.
    fn reads(&mut self, text: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let count =
                self.master.read(&mut buffer).unwrap_or_else(|_| panic!("'{text}' did not come: {}", self.seen));
            assert!(count > 0, "'{text}' did not come: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    /// Types a line at the prompt, and returns what is shown until the next one.
    fn asks(&mut self, line: &str) -> String {
        self.types(line);
        self.reads("rille> ")
    }

    fn types(&mut self, line: &str) {
        writeln!(self.master, "{line}").expect("it takes the line");
    }

    /// Waits for the end and returns the exit code.
    fn leaves(mut self) -> i32 {
        // Reading goes on until nobody holds the other end: a full terminal would stop the program.
        let mut rest = Vec::new();
        let _ = self.master.read_to_end(&mut rest);
        self.child.wait().expect("it ends").code().expect("it was not killed")
    }
}

#[test]
fn the_prompt_sees_the_section_and_its_commands_work() {
    let project = script(FAILS);
    let mut user = User::starts(&project, &["run", "t.lua", "--pause-on-failure"]);
    let shown = user.reads("rille> ");
    assert!(shown.contains("Tc.a is failed: ") && shown.contains("wrong answer"), "{shown}");
    let cases = [
        ("answer + 1", "43"),
        ("self.seen", "field"),
        ("p.nothing", "nil"),
        ("step.name", "s"),
        ("locals", "answer = 42"),
        ("error('mine', 0)", "mine"),
        ("x = = 1", "prompt:1:"),
        ("bt", "t.lua:6: in function"),
        ("help", "go on behind the rest of this testcase"),
        ("answer == 42, self.uid", "true\tTc"),
    ];
    for (line, expected) in cases {
        // The terminal shows the tab as it is, and its line breaks as two characters.
        let shown = user.asks(line);
        assert!(shown.contains(expected), "{line}: {shown}");
    }
    let shown = user.asks("continue");
    assert!(shown.contains("Tc.b is errored: boom"), "{shown}");
    user.types("c");
    assert_eq!(user.leaves(), 1);
    let expected = "
Tc errored: b: boom
  a failed: step 1 's' failed: t.lua:6: wrong answer
    1 s failed: t.lua:6: wrong answer
  b errored: boom
  cleanup passed
Next passed
  t passed
common_cleanup passed
  e passed";
    assert_eq!(tree(&project.the_run()).trim(), expected.trim());
}

#[test]
fn at_the_prompt_a_script_is_aborted_or_a_testcase_left() {
    let project = script(FAILS);
    let mut user = User::starts(&project, &["run", "t.lua", "--pause-on-failure"]);
    user.reads("rille> ");
    user.types("abort");
    assert_eq!(user.leaves(), 1);
    let blocked = "blocked: the script was aborted at the prompt";
    let found = tree(&project.the_run());
    for line in ["Tc aborted: a: ", &format!("b {blocked}"), "cleanup passed", &format!("Next {blocked}"), "e passed"] {
        assert!(found.contains(line), "{line} is not in\n{found}");
    }

    let project = script(
        &FAILS.replace("steps:start(\"s\", function() assert(answer == 0, \"wrong answer\") end)", "self:failed('no')"),
    );
    let mut user = User::starts(&project, &["run", "t.lua", "--pause-on-failure"]);
    user.reads("rille> ");
    user.types("skip");
    assert_eq!(user.leaves(), 1);
    let found = tree(&project.the_run());
    for line in ["a failed: no", "b blocked: jumped over on the way to cleanup", "cleanup passed", "Next passed"] {
        assert!(found.contains(line), "{line} is not in\n{found}");
    }
}

#[test]
fn a_time_limit_stands_still_at_the_prompt() {
    let body = "local t = job.Task { testscript = 't.lua', taskid = 't', max_runtime = 1 }
  local clock = job.Task { testscript = 'clock.sh', taskid = 'clock', cwd = '.' }
  t:start() clock:start() clock:wait() t:wait()";
    let project = Project::new().main(body).executable("clock.sh", "#!/bin/sh\nsleep 2\necho over > over\n").file(
        "t.lua",
        "local ts = require 'rille.testscript'\nts.testcase('Tc'):test('t', function() assert(false) end)",
    );
    let mut user = User::starts(&project, &["run", "job.lua", "--pause-on-failure"]);
    user.reads("rille> ");
    // Another task has the time.
    until("the time to be over", DEADLINE, || project.path("over").exists().then_some(()));
    user.types("c");
    assert_eq!(user.leaves(), 1);
    assert_eq!(project.the_run().outcomes(), "t=failed clock=passed");
}

#[test]
fn without_a_terminal_nothing_waits() {
    let expected = "
        Tc errored: b: boom
          a failed: step 1 's' failed: t.lua:6: wrong answer
            1 s failed: t.lua:6: wrong answer
          b errored: boom
          cleanup passed
        Next passed
          t passed
        common_cleanup passed
          e passed";
    let ended = run_with(FAILS, &["--pause-on-failure"]);
    checked(&ended, 1, expected);
    let log = ended.the_run().text("tasks/1-t/task.log");
    assert_eq!(log.matches("there is no terminal to ask at").count(), 1, "{log}");
}
