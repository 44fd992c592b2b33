//! The end of a Lua task: what it has left open does not hold it, and who asks it to end gives it time to clean up.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Ended, Project};

/// A testscript that connects, does what its parameter `how` says, and cleans up.
const LAB: &str = r#"local ts = require "rille.testscript"
ts.common_setup():subsection("connect", function() print("connected") end)
local case = ts.testcase("Case")
case:test("work", function(self, p, steps)
  io.open("at-work", "w"):write("yes\n"):close()
  local ways = {
    loop = function() while true do end end,
    caught = function() while true do pcall(function() for _ = 1, 1000 do end end) end end,
    step = function() steps:start("endless", { continue = true }, function() while true do end end) end,
    program = function() os.execute("sleep 1000") end,
    stubborn = function() os.execute("trap '' INT TERM; sleep 0.3") while true do end end,
    reader = function() io.popen("sleep 1000"):read("a") end,
    lock = function() p.lock:acquire() end,
    get = function() p.queue:get() end,
    coroutine = function() local turn = coroutine.wrap(function() while true do coroutine.yield() end end) while true do turn() end end,
  }
  ways[p.how]()
  print("went on")
end)
case:test("next", function() print("went on") end)
case:cleanup(function()
  os.execute("sleep 0.1")
  print("cleaned")
end)
ts.testcase("Other"):test("t", function() print("went on") end)
ts.common_cleanup():subsection("disconnect", function() print("disconnected") end)
"#;

const WAYS: [&str; 9] = ["loop", "caught", "step", "program", "stubborn", "reader", "lock", "get", "coroutine"];

fn lab(body: &str) -> Project {
    let shared = "local lock, queue = runtime.synchro.lock(), runtime.synchro.queue()\nlock:acquire()\n";
    Project::new().file("lab.lua", LAB).main(&format!("{shared}{body}"))
}

/// Checks what a task that was asked to end has left in its sections.
#[track_caller]
fn cleaned_up(ended: &Ended, task: &str, word: &str, reason: &str) {
    let run = ended.the_run();
    let output = String::from_utf8_lossy(&run.output(task, "stdout")).into_owned();
    assert_eq!(output, "connected\ncleaned\ndisconnected\n", "{task}\n{ended}");
    let sections = run.sections(task);
    let expected = [
        ("Case.work", word),
        ("Case.next", "blocked"),
        ("Case.cleanup", "passed"),
        ("Other.t", "blocked"),
        ("common_cleanup.disconnect", "passed"),
    ];
    for (section, result) in expected {
        let found = sections.iter().find(|(id, ..)| id == section);
        let (_, outcome, why) = found.unwrap_or_else(|| panic!("{task} has no section {section}: {sections:?}"));
        assert_eq!(outcome, result, "{task}, {section}: {sections:?}");
        if *outcome == word || *outcome == "blocked" {
            assert!(why.contains(reason), "{task}, {section}: {why}");
        }
    }
}

#[test]
fn a_time_limit_ends_the_section_by_name_and_what_cleans_up_runs() {
    let task = |way: &&str| {
        format!(
            "{{ testscript = 'lab.lua', taskid = '{way}', how = '{way}', lock = lock, queue = queue, max_runtime = 1 }}"
        )
    };
    let tasks = WAYS.iter().map(task).collect::<Vec<_>>().join(", ");
    // main can be waited for: it gives the lock back when all have ended.
    let body = format!(
        "local tasks = {{ {tasks} }}\nlocal started = {{}}\nfor i, t in ipairs(tasks) do started[i] = job.Task(t) started[i]:start() end\nfor _, t in ipairs(started) do while t:is_alive() do t:join(0.05) end end"
    );
    let ended = lab(&body).job(&["--grace", "20"]);
    ended.code(1);
    for way in WAYS {
        cleaned_up(&ended, way, "errored", "exceeded its max_runtime of 1 s");
        ended.reason_has(way, "exceeded its max_runtime of 1 s and was ended");
    }
}

#[test]
fn terminate_aborts_the_section_and_what_cleans_up_runs() {
    for way in ["loop", "program", "lock"] {
        let body = format!(
            "local t = job.Task {{ testscript = 'lab.lua', taskid = '{way}', how = '{way}', lock = lock, queue = queue, cwd = '.' }}\n\
             t:start()\nwhile not io.open('at-work') do t:join(0.01) end\nt:terminate()\n\
             while t:is_alive() do t:join(0.01) end"
        );
        let ended = lab(&body).job(&["--grace", "20"]);
        ended.code(1).outcomes(&format!("{way}=aborted"));
        cleaned_up(&ended, way, "aborted", "terminated by the jobfile");
    }
}

#[test]
fn an_interrupt_aborts_the_section_and_what_cleans_up_runs_once_only() {
    let start = |grace: &str| {
        let body =
            "job.run { testscript = 'lab.lua', taskid = 't', how = 'loop', lock = lock, queue = queue, cwd = '.' }";
        let running = lab(body).start(&["run", "job.lua", "--grace", grace]);
        running.wait_for_file("at-work");
        running
    };
    for (signal, code, name) in
        [(Signal::INT, 130, "SIGINT"), (Signal::TERM, 143, "SIGTERM"), (Signal::HUP, 129, "SIGHUP")]
    {
        let running = start("20");
        running.signal(signal);
        let ended = running.wait();
        ended.code(code).outcomes("t=aborted");
        cleaned_up(&ended, "t", "aborted", &format!("the run was interrupted by {name}"));
    }
    // Asked twice, nothing runs any more.
    let running = start("20");
    running.signal(Signal::INT);
    running.wait_for_line("stopping: SIGINT");
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.code(130).outcomes("t=aborted");
}

#[test]
fn what_cleans_up_has_the_grace_and_no_more() {
    let script = "local ts = require 'rille.testscript'\nlocal case = ts.testcase('Case')\n\
                  case:test('work', function() while true do end end)\n\
                  case:cleanup(function() print('begun') os.execute('sleep 1') print('done') end)";
    let run = |grace: &str| {
        let body = "pcall(job.run, { testscript = 'slow.lua', taskid = 't', max_runtime = 0.5 })";
        Project::new().file("slow.lua", script).main(body).job(&["--grace", grace])
    };
    let ended = run("30");
    assert_eq!(ended.the_run().output("t", "stdout"), b"begun\ndone\n");
    let ended = run("0.4");
    assert_eq!(ended.the_run().output("t", "stdout"), b"begun\n");
    ended.stderr_has("cleanup");
    let sections = ended.the_run().sections("t");
    assert!(sections.iter().any(|(id, outcome, _)| id == "Case.cleanup" && outcome != "passed"), "{sections:?}");
}

#[test]
fn a_cleanup_that_runs_already_is_not_broken_off() {
    let script = "local ts = require 'rille.testscript'\nlocal case = ts.testcase('Case')\n\
                  case:test('work', function() end)\n\
                  case:cleanup(function() io.open('at-work', 'w'):write('yes\\n'):close() os.execute('sleep 1; :') local n = 0 \
                  for i = 1, 1000000 do n = n + i end print('done') end)\n\
                  ts.testcase('Other'):test('t', function() print('went on') end)\n\
                  ts.common_cleanup():subsection('last', function() print('last') end)";
    let body = "local t = job.Task { testscript = 'clean.lua', taskid = 't', cwd = '.' }\nt:start()\n\
                while not io.open('at-work') do t:join(0.01) end\nt:terminate()\nt:wait()";
    let ended = Project::new().file("clean.lua", script).main(body).job(&["--grace", "30"]);
    assert_eq!(ended.code(1).the_run().output("t", "stdout"), b"done\nlast\n");
}

#[test]
fn a_script_without_sections_ends_by_what_asked_it() {
    let script =
        "if parameters.catch then while true do pcall(function() while true do end end) end end\nwhile true do end";
    let body = "pcall(job.run, { testscript = 'plain.lua', taskid = 'limit', max_runtime = 0.3 })\n\
                pcall(job.run, { testscript = 'plain.lua', taskid = 'caught', catch = true, max_runtime = 0.3 })\n\
                local t = job.Task { testscript = 'plain.lua', taskid = 'terminated' }\nt:start()\nt:join(0.3)\nt:terminate()\nt:wait()";
    let ended = Project::new().file("plain.lua", script).main(body).job(&["--grace", "30"]);
    ended.code(1).outcomes("limit=errored caught=errored terminated=aborted");
    for task in ["limit", "caught", "terminated"] {
        let finished = ended.the_run().events_of("task-finished");
        let seconds = finished.iter().map(|event| event["seconds"].as_f64().expect("it is there")).fold(0.0, f64::max);
        assert!(seconds < 20.0, "{task}: {seconds}");
    }
}

/// Scripts that leave something open, their outcome, and what they leave behind to be killed.
const HELD: [(&str, &str, &str, u64); 7] = [
    ("reader", "local server = io.popen('exec sleep 1000')", "passed", 1),
    ("failed", "local server = io.popen('exec sleep 1000') assert(false, 'setup failed')", "failed", 1),
    (
        "writer",
        "local sink = io.popen('exec sleep 1000', 'w') sink:setvbuf('full') sink:write(('x'):rep(65536)) sink:flush() sink:write('more')",
        "passed",
        1,
    ),
    ("finaliser", "local g = setmetatable({}, { __gc = function() while true do end end })", "passed", 0),
    ("sleeper", "local g = setmetatable({}, { __gc = function() os.execute('exec sleep 1000') end })", "passed", 1),
    ("exits", "local server = io.popen('exec sleep 1000') os.exit(3)", "errored", 1),
    ("returns", "local server = io.popen('exec sleep 1000') return 'skipped', 'no device'", "skipped", 1),
];

#[test]
fn what_a_script_has_left_open_does_not_hold_it() {
    let mut project = Project::new();
    for (name, script, ..) in HELD {
        project = project.file(format!("{name}.lua"), script);
    }
    let task = |name| format!("{{ testscript = '{name}.lua', taskid = '{name}' }}");
    let tasks = HELD.map(|(name, ..)| task(name)).join(", ");
    let begun = Instant::now();
    let ended = project.main(&format!("job.parallel {{ limit = 7, {tasks} }}")).job(&[]);
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
    let expected: Vec<String> = HELD.iter().map(|(name, _, outcome, _)| format!("{name}={outcome}")).collect();
    ended.outcomes(&expected.join(" "));
    ended.reason_has("failed", "setup failed").reason_has("returns", "no device");
    let finished = ended.the_run().events_of("task-finished");
    for (number, (name, .., left)) in (1..).zip(HELD) {
        let event = finished.iter().find(|event| event["task"] == number).expect("it is there");
        assert_eq!(event["killed_leftovers"].as_u64().unwrap_or(0), left, "{name}");
    }
}

#[test]
fn files_are_flushed_and_finalisers_run_at_the_end() {
    let script = "local file = io.open('kept', 'w') file:write('all of it\\n')\n\
                  local g = setmetatable({}, { __gc = function() local f = io.open('final', 'w') f:write('ran\\n') f:close() print('said') end })";
    let ended = Project::new().file("a.lua", script).main("job.run { testscript = 'a.lua', taskid = 'a' }").job(&[]);
    let run = ended.code(0).the_run();
    assert_eq!(run.bytes("tasks/1-a/kept"), b"all of it\n");
    assert_eq!(run.bytes("tasks/1-a/final"), b"ran\n");
    assert_eq!(run.output("a", "stdout"), b"said\n");
}
