//! A run that is asked to stop, and one that is paused.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Project, Running, until};

/// Beside what is promised, so that a machine that is busy with other tests does not fail one.
const SLACK: Duration = Duration::from_secs(2);

/// A task that says which signal it got, and goes.
const LISTENER: &str = "#!/bin/bash
for name in INT TERM HUP; do trap \"echo got $name; exit 3\" $name; done
echo READY
while :; do sleep 0.01; done
";

/// A task that heeds nothing.
const DEAF: &str = "#!/bin/bash
trap '' INT TERM HUP
echo READY
while :; do sleep 1; done
";

fn project() -> Project {
    Project::new().executable("listener.sh", LISTENER).executable("deaf.sh", DEAF)
}

/// Starts the job and waits until each of its tasks has said READY.
fn started(project: &Project, args: &[&str], tasks: usize) -> Running {
    let running = project.start(&[&["run", "job.lua"], args].concat());
    let ready = || {
        let tasks_folder = project.runs().first()?.path().join("tasks");
        let folders = fs::read_dir(tasks_folder).ok()?.flatten();
        let ready = folders.filter(|folder| {
            fs::read_to_string(folder.path().join("stdout")).is_ok_and(|text| text.contains("READY\n"))
        });
        (ready.count() >= tasks).then_some(())
    };
    until("all tasks to be ready", Duration::from_secs(30), ready);
    running
}

#[test]
fn one_signal_is_passed_on_and_every_result_is_written() {
    for (signal, name, code) in [(Signal::INT, "INT", 130), (Signal::TERM, "TERM", 143), (Signal::HUP, "HUP", 129)] {
        let project = project().main(
            "local a = job.Task { testscript = 'listener.sh', taskid = 'a' }
             job.run { testscript = '/bin/true', taskid = 'before' }
             a:start()
             print(pcall(a.wait, a))
             print(select(2, pcall(job.run, { testscript = '/bin/true', taskid = 'after' })).kind)",
        );
        let running = started(&project, &[], 1);
        running.signal(signal);
        let ended = running.wait();
        ended.code(code).outcomes("before=passed a=aborted").stdout_has("cancelled");
        ended.reason_has("a", &format!("the run was interrupted by SIG{name}"));
        let run = ended.the_run();
        assert_eq!(run.output("a", "stdout"), format!("READY\ngot {name}\n").as_bytes());
        assert_eq!(run.results()["run"]["interrupted_by"], format!("SIG{name}"));
        assert_eq!(run.results()["run"]["exit_code"], code);
        assert_eq!(run.attr("exit_status"), -signal.as_raw());
        assert_eq!(project.run(&["runs", "--json"]).json()[0]["status"], "terminated");
        assert_eq!(run.events().last().map(|event| event["event"].clone()), Some("run-finished".into()));
    }
}

#[test]
fn deaf_tasks_are_killed_after_the_grace_and_waiting_ones_never_start() {
    let project = project().main(
        "local list = { limit = 2 }
         for i = 1, 5 do list[i] = { testscript = 'deaf.sh', taskid = 't' .. i } end
         job.parallel(list)",
    );
    let running = started(&project, &["--grace", "1"], 2);
    let asked = Instant::now();
    running.signal(Signal::INT);
    let ended = running.wait_only(Duration::from_millis(1500) + SLACK);
    assert!(asked.elapsed() >= Duration::from_secs(1), "the grace was not kept");
    ended.code(130).outcomes("t1=aborted t2=aborted t3=aborted t4=aborted t5=aborted");
    ended.reason_has("t3", "did not start: the run was interrupted by SIGINT");
    project.survivors().assert_none_within(Duration::ZERO);
}

#[test]
fn a_second_signal_kills_at_once_and_the_records_are_written() {
    let project = project().main("job.run { testscript = 'deaf.sh', taskid = 'deaf' }");
    let running = started(&project, &["--grace", "30"], 1);
    running.signal(Signal::TERM);
    running.wait_for_event(|event| event["event"] == "interrupted");
    running.signal(Signal::TERM);
    let ended = running.wait_only(Duration::from_millis(300) + SLACK);
    ended.code(143).outcomes("deaf=aborted");
    assert_eq!(ended.the_run().events_of("task-finished")[0]["exit"]["signal"], 9);
    project.survivors().assert_none_within(Duration::ZERO);
}

#[test]
fn a_main_that_does_not_return_cannot_hold_the_records_up() {
    let project = project().main("job.run { testscript = '/bin/true', taskid = 'a' } print 'BUSY' while true do end");
    let running = project.start(&["run", "job.lua", "--grace", "0.5"]);
    running.wait_for_line("BUSY");
    running.signal(Signal::TERM);
    let ended = running.wait_only(Duration::from_secs(1) + SLACK);
    ended.code(143).outcomes("a=passed").stderr_has("main did not return after SIGTERM");
    assert_eq!(ended.the_run().attr("exit_status"), -15);
}

#[test]
fn main_may_put_its_things_in_order() {
    let project = project().main(
        "local ok, err = pcall(job.run, { testscript = 'listener.sh' })
         print(ok, err.kind)
         local file = io.open('tidy', 'w') file:write('done') file:close()",
    );
    let running = started(&project, &[], 1);
    running.signal(Signal::INT);
    running.wait().code(130).stdout("false\tcancelled\n");
    assert_eq!(project.read("tidy"), "done");
}

#[test]
fn a_signal_to_the_inner_process_counts_as_well() {
    let project = project().main("job.run { testscript = 'listener.sh', taskid = 'a' }");
    let running = started(&project, &[], 1);
    let pid = running.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it has children");
    let inner: i32 = children.trim().parse().expect("it has one child");
    kill_process(Pid::from_raw(inner).expect("a pid"), Signal::TERM).expect("it is there");
    running.wait().code(143).outcomes("a=aborted");
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let project = project()
        .executable("wait.sh", "#!/bin/sh\necho READY\nuntil [ -s go ]; do sleep 0.01; done\n")
        .main("job.run { testscript = 'wait.sh', cwd = '.', taskid = 'a' }");
    let mut command = project.command("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" run job.lua", env!("CARGO_BIN_EXE_rille")]);
    let running = project.start_command(command);
    running.wait_for_event(|event| event["event"] == "task-started");
    running.signal(Signal::HUP);
    fs::write(project.path("go"), "now\n").expect("a file can be written");
    running.wait().code(0).outcomes("a=passed");
}

/// Returns the state letter of a process.
fn state(pid: i64) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn a_pause_stops_tasks_and_their_time_limits() {
    let project = project()
        .executable("deaf.sh", "#!/bin/bash\necho READY\nwhile :; do read -t 5 < <(:); done\n")
        .main("print(pcall(job.run, { testscript = 'deaf.sh', taskid = 'a', max_runtime = 2 }))");
    let running = started(&project, &[], 1);
    let task = running.wait_for_event(|event| event["event"] == "task-started")["pid"].as_i64().expect("it has a pid");
    running.signal(Signal::TSTP);
    let host = i64::from(running.pid());
    let all_stopped = || (state(task) == Some('T') && state(host) == Some('T')).then_some(());
    until("host and task to stop", Duration::from_secs(10), all_stopped);
    // The limit passes by the clock on the wall, and nothing may come of it.
    let paused = Instant::now();
    until("the limit to pass", Duration::from_secs(10), || (paused.elapsed() > Duration::from_secs(3)).then_some(()));
    assert_eq!(state(task), Some('T'), "the pause did not hold");
    running.signal(Signal::CONT);
    let ended = running.wait();
    ended.code(1).outcomes("a=errored").stdout_has("exceeded its max_runtime of 2 seconds");
    let run = ended.the_run();
    let kinds: Vec<_> = run.events().iter().map(|event| event["event"].as_str().map(str::to_owned)).collect();
    let position = |kind: &str| kinds.iter().position(|found| found.as_deref() == Some(kind)).expect("it happened");
    assert!(position("paused") < position("resumed") && position("resumed") < position("task-finished"));
    let seconds = run.task("a")["seconds"].as_f64().expect("a number");
    assert!((2.0..3.0).contains(&seconds), "the pause counted: {seconds} s");
}

#[test]
fn an_interrupt_reaches_a_script_that_waits_for_a_program() {
    let text = "local ts = require 'rille.testscript'\n\
                ts.testcase('A'):test('waits', function() os.execute('echo ready > ' .. parameters.ready .. '; exec sleep 600') end)\n\
                ts.testcase('B'):test('never', function() print('went on') end)";
    let body = "job.run { testscript = 's.lua', taskid = 'a', ready = runtime.env.PWD .. '/ready' }";
    let project = Project::new().main(body).file("s.lua", text);
    let pwd = project.path("").display().to_string();
    let running = project.env("PWD", pwd).start(&["run", "job.lua"]);
    running.wait_for_file("ready");
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.code(130).outcomes("a=aborted");
    let sections = ended.the_run().task("a")["sections"].clone();
    assert_eq!(sections[0]["result"]["value"], "aborted", "{sections:#}");
    assert_eq!(sections[1]["result"]["value"], "blocked", "{sections:#}");
    assert!(!ended.err().contains("went on"), "{ended}");
    // A script whose program dies of the signal by itself is left alone.
    let calm = Project::new().main("job.run { testscript = 's.lua', taskid = 'a' }").file(
        "s.lua",
        "local ok, how, code = os.execute('kill -INT $$')\nassert(not ok and how == 'signal' and code == 2)",
    );
    calm.job(&[]).code(0).outcomes("a=passed");
}

#[test]
fn a_host_that_stood_still_says_so_and_what_was_late() {
    let project = Project::new().main(
        "job.parallel { { testscript = 'sh', args = { '-c', 'echo READY; sleep 1' }, taskid = 'ends' },
          { testscript = 'sh', args = { '-c', 'echo READY; exec sleep 1000' }, taskid = 'late', max_runtime = 3 } }",
    );
    let running = started(&project, &[], 2);
    let path = format!("/proc/{0}/task/{0}/children", running.pid());
    let host = fs::read_to_string(path).expect("it has a child");
    let host = Pid::from_raw(host.trim().parse().expect("one number")).expect("a process has a number");
    kill_process(host, Signal::STOP).expect("it is there");
    std::thread::sleep(Duration::from_secs(7));
    kill_process(host, Signal::CONT).expect("it is there");
    let ended = running.wait();
    ended.code(1).outcomes("ends=passed late=errored");
    let warnings = ended.the_run().events_of("warning");
    let text = warnings[0]["text"].as_str().expect("a text").to_owned();
    assert!(
        text.starts_with("the engine stood still for ") && text.ends_with("late is the end of a time of 'late'"),
        "{text}"
    );
    assert!(ended.the_run().text("job.log").contains("the engine stood still for"), "{ended}");
}
