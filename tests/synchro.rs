//! What `main` and the tasks of a run share: every kind of object, every kind of task, and what happens when one dies.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Ended, Project, Running, needs, until};

/// Checks that a run has left no socket behind.
#[track_caller]
fn assert_tidy(ended: &Ended) {
    assert!(!ended.the_run().has("synchro"), "the folder of the socket is left\n{ended}");
}

/// A connection to the socket of a run under way, as a task's process would make it.
struct Speaker {
    lines: BufReader<UnixStream>,
}

impl Speaker {
    fn connect(running: &Running, project: &Project) -> Self {
        running.wait_for_line("ready");
        let socket = project.the_run().path().join("synchro/socket");
        Self { lines: BufReader::new(UnixStream::connect(socket).expect("the socket takes connections")) }
    }

    fn send(&mut self, line: &str) {
        let sent = self.lines.get_mut().write_all(format!("{line}\n").as_bytes());
        sent.expect("the other side listens");
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the other side answers");
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    #[track_caller]
    fn ask(&mut self, line: &str) -> Value {
        self.send(line);
        self.answer()
    }

    /// Returns whether the other side has hung up.
    fn is_over(&mut self) -> bool {
        let mut rest = Vec::new();
        self.lines.read_to_end(&mut rest).is_err() || rest.is_empty()
    }
}

#[test]
fn four_tasks_share_a_dict_a_list_a_queue_and_a_lock_and_main_sees_it_all() {
    let body = r#"local s = runtime.synchro
  local d, l, q, lock = s.dict(), s.list(), s.queue(), s.lock()
  local tasks = { limit = 4 }
  for i = 1, 4 do tasks[i] = { testscript = "share.lua", d = d, l = l, deep = { in_a = { q, lock } }, n = i } end
  for _, result in ipairs(job.parallel(tasks)) do assert(result.value == "passed", result.reason) end
  print(d.total, d.t1, d.t2, d.t3, d.t4, #l, #q)
  local seen = {}
  for i, n in ipairs(l) do seen[n] = i end
  print(#seen, l:pop() ~= nil, #l)
  local sum = 0
  for _ = 1, 4 do sum = sum + q:get().n end
  print(sum, q:get(0), q:try_get())"#;
    let script = r#"local q, lock = parameters.deep.in_a[1], parameters.deep.in_a[2]
parameters.d["t" .. parameters.n] = true
parameters.l:append(parameters.n)
q:put { n = parameters.n }
for _ = 1, 50 do
  lock:with(function() parameters.d.total = (parameters.d.total or 0) + 1 end)
end"#;
    let ended = Project::new().main(body).file("share.lua", script).job(&[]);
    let expected = "200\ttrue\ttrue\ttrue\ttrue\t4\t4\n4\ttrue\t3\n10\tnil\tnil\tempty\n";
    ended.code(0).stdout(expected);
    assert_tidy(&ended);
}

#[test]
fn four_times_ten_thousand_additions_are_forty_thousand_also_when_a_fifth_task_is_killed() {
    let body = r#"local d, killed = runtime.synchro.dict(), runtime.synchro.dict()
  local fifth = job.Task { testscript = "count.lua", taskid = "fifth", d = killed, count = 1000000000, started = d }
  fifth:start()
  local tasks = { limit = 4 }
  for i = 1, 4 do tasks[i] = { testscript = "count.lua", d = d, count = 10000 } end
  local first = job.Task { testscript = "kill.lua", d = killed, pid = fifth }
  local list = {}
  for i = 1, 4 do
    list[i] = job.Task(tasks[i])
    list[i]:start()
  end
  while (killed.n or 0) < 100 do fifth:join(0.001) end
  os.execute("kill -9 " .. fifth.pid)
  job.wait_all(list)
  print(d.n, math.type(d.n))
  local ok, result = fifth:wait()
  print(ok, result.reason)
  local n = killed.n
  print(n >= 100, killed.n == n)"#;
    let body = body.replace("  local first = job.Task { testscript = \"kill.lua\", d = killed, pid = fifth }\n", "");
    let script = "for _ = 1, parameters.count do parameters.d:add('n', 1) end";
    let ended = Project::new().main(&body).file("count.lua", script).job(&[]);
    ended.code(1).stdout("40000\tinteger\nfalse\tkilled by SIGKILL (signal 9)\ntrue\ttrue\n");
}

#[test]
fn what_cannot_cross_is_refused_with_its_place() {
    let body = r#"local s = runtime.synchro
  local d, l, q, v = s.dict(), s.list(), s.queue(), s.value()
  local function try(f) print((tostring(select(2, pcall(f))):gsub("%.t%.t[%.t]*", ".t.t…"))) end
  try(function() d.f = print end)
  try(function() d.a = { b = { 1, print } } end)
  try(function() d[1] = { 1, nil, 3 } end)
  try(function() d[{}] = 1 end)
  try(function() l[1] = coroutine.create(print) end)
  try(function() l:append(runtime.job) end)
  try(function() q:put { x = { [{}] = 1 } } end)
  try(function() v.value = runtime end)
  try(function() d:update { a = 1, f = print } end)
  try(function() local t = {} t.t = t d.t = t end)
  print(d:has("a"), #l, #q, v.value)
  print(job.run { testscript = "any.lua", hook = print })
  print(job.run { testscript = "any.lua", list = { d, { hook = print } } })"#;
    let project = Project::new().main(body).file("any.lua", "");
    let ended = project.job(&[]);
    let expected = "job.lua:6: dict:1.f is a function, which cannot be handed to another process\n\
         job.lua:7: dict:1.a.b[2] is a function, which cannot be handed to another process\n\
         job.lua:8: dict:1[1] is a list with a hole: item 2 is missing (nil), and others follow; leave it out, or write \
         false\n\
         job.lua:9: dict:1 has strings, numbers and booleans as keys, got a table\n\
         job.lua:10: list:2[1] is a thread, which cannot be handed to another process\n\
         job.lua:11: list:2:append is runtime.job, which cannot be handed to another process\n\
         job.lua:12: queue:3:put.x has a table as a key; keys are names, numbers and booleans\n\
         job.lua:13: value:4.value is the runtime, which cannot be handed to another process; every task has its own: runtime\n\
         job.lua:14: dict:1.f is a function, which cannot be handed to another process\n\
         job.lua:15: dict:1.t.t… is a table that holds itself, which cannot be handed to another process\n\
         false\t0\t0\tnil\nfalse\terrored\nfalse\terrored\n";
    ended.code(1).stdout(expected);
    ended.reason_has("Task-1", "parameter 'hook' is a function, which cannot be handed to another process");
    ended.reason_has("Task-2", "parameter 'list'[2].hook is a function");
}

#[test]
fn values_come_back_as_they_went() {
    let body = r#"local s = runtime.synchro
  local d = s.dict { a = 1, b = { "x", 2.5 } }
  local keep = { 1, 1.0, -0.5, math.maxinteger, math.mininteger, true, false, "", "é\0", "\xff\xfe", {}, { 1, { k = "v" } } }
  for i, value in ipairs(keep) do d[i] = value end
  assert(job.run { testscript = "echo.lua", d = d })
  for i = 1, 10 do
    local back = d["back" .. i]
    print(back == keep[i], math.type(back) == math.type(keep[i]))
  end
  print(type(d.back11), next(d.back11), d.back12[1], d.back12[2].k, d.b[1], d.b[2])
  d.a = nil
  print(d.a, d:has("a"), d.nothing, d[true], d["1"], d[1.0])
  d[true] = "yes"
  print(d[true], d["true"], s.namespace { x = 3 }.x, s.value("v").value, #s.list { 1, 2 })"#;
    let script = "for i = 1, 12 do parameters.d['back' .. i] = parameters.d[i] end";
    let expected =
        "true\ttrue\n".repeat(10) + "table\tnil\t1\tv\tx\t2.5\nnil\tfalse\tnil\tnil\tnil\t1\nyes\tnil\t3\tv\t2\n";
    Project::new().main(body).file("echo.lua", script).job(&[]).code(0).stdout(&expected);
}

#[test]
fn every_kind_does_what_its_name_says() {
    let body = r#"local s = runtime.synchro
  local d = s.dict()
  d.b = 1
  d.a = 2
  d[1] = "one"
  for k, v in pairs(d) do io.write(tostring(k), "=", tostring(v), " ") end
  d:set("update", 5)
  print(#d, d:get("update"), type(d.update), table.concat(d:keys(), ","), d:pop("a"), d:pop("a"), d:add("n"), d:add("n", 2.5))
  d:update { x = 1, [2] = "two" }
  local copy = d:copy()
  d:clear()
  print(copy.x, copy[2], #d, d == d, d == s.dict(), tostring(d))
  local l = s.list { "a", "b" }
  l[3] = "c"
  l:insert(1, "z")
  l:extend { 1, 2 }
  print(#l, l[1], l[9], l:pop(), l:pop(1), table.concat(l:copy(), ""), l:add(4, 10))
  for i, v in pairs(l) do io.write(i, ":", v, " ") end
  local lock, rlock, sem = s.lock(), s.rlock(), s.semaphore(2)
  print(lock:acquire(), lock:is_held(), lock:try_acquire(), lock:acquire(0.01))
  lock:release()
  print(rlock:acquire(), rlock:acquire(), rlock:release(), rlock:is_held(), rlock:release(), rlock:is_held())
  print(sem:acquire(), #sem, sem:try_acquire(), sem:try_acquire())
  print(lock:is_held(), lock:with(function(...) return lock:is_held(), ... end, 1, nil, 3))
  print(lock:is_held(), select(2, pcall(lock.with, lock, function() error({ kind = "mine" }) end)).kind)
  print(lock:is_held())
  local e, b, v = s.event(), s.barrier(1), s.value(3)
  print(e:is_set(), e:wait(0.01), e:set(), e:is_set(), e:wait(), e:clear(), e:is_set())
  print(b:wait(), b:wait(), #b, s.barrier(2):wait(0.01))
  v.value = v.value + 1
  print(v:add(), v:add(-1.5), v:get(), v:set(nil), v.value, v:add(2))"#;
    let ended = Project::new().main(body).job(&[]);
    ended.code(4).stdout(
        "b=1 a=2 1=one 4\t5\tfunction\tb,a,1,update\t2\tnil\t1\t3.5\n\
         1\ttwo\t0\ttrue\tfalse\tdict:1\n\
         6\tz\tnil\t2\tz\tabc1\t11\n1:a 2:b 3:c 4:11 true\ttrue\tfalse\tfalse\ttimeout\n\
         true\ttrue\tnil\ttrue\tnil\tfalse\n\
         true\t1\ttrue\tfalse\ttimeout\n\
         false\ttrue\t1\tnil\t3\nfalse\tmine\nfalse\n\
         false\tfalse\tnil\ttrue\ttrue\tnil\tfalse\n1\t1\t0\tnil\ttimeout\n5\t3.5\t3.5\tnil\tnil\t2\n",
    );
}

#[test]
fn a_wrong_use_is_told_with_the_nearest_name() {
    let body = r#"local s = runtime.synchro
  local d, l, q, lock, sem, e, v, n = s.dict(), s.list(), s.queue(), s.lock(), s.semaphore(1), s.event(), s.value(1), s.namespace()
  local tries = {
    function() return s.dct() end, function() return l.apend end, function() return q.gett end,
    function() lock.x = 1 end, function() v.valeu = 1 end, function() return e[1] end, function() l.append = 1 end,
    function() d.update = 1 end, function() d.get("x") end, function() l.append(d, 1) end,
    function() d:add("x", "1") end, function() d.s = "t" d:add("s", 1) end, function() l[3] = 1 end, function() l.x = 1 end,
    function() n[1] = 1 end, function() s.semaphore(0) end, function() s.barrier() end, function() s.lock(1) end,
    function() q:get(-1) end, function() q:get("1") end, function() lock:release() end, function() sem:release() end,
    function() lock:acquire() lock:acquire() end, function() lock:with() end, function() d:update(1) end,
    function() pairs(q) end, function() return #e end,
  }
  for i, try in ipairs(tries) do
    local ok, err = pcall(try)
    print(i, ok, err.kind, err.message)
  end"#;
    let ended = Project::new().main(body).job(&[]);
    let out = ended.code(4).out();
    let expected = [
        "runtime.synchro has no field 'dct'; did you mean 'dict'?",
        "a list has no field 'apend'; did you mean 'append'?",
        "a queue has no field 'gett'; did you mean 'get'?",
        "a lock has no field 'x'; it has: acquire,",
        "a value has no field 'valeu'; did you mean 'value'?",
        "an event has no items, got the number 1 as a key",
        "list.append cannot be set",
        "'update' is a method of a dict, so it cannot be set as a field; as a key write d:set(\"update\", value)",
        "call it with a colon",
        "'append' is a method of a list; call it with a colon",
        "dict:1:add takes a number, got the string '1'",
        "dict:1 under 's' holds \"t\", which is no number",
        "list:2 has 0 items; 'set' takes a position from 1 to 1",
        "a list has no field 'x'",
        "namespace:8 has names as keys, got the number 1",
        "semaphore(n) takes a whole number from 1, got 0",
        "barrier(n) takes a whole number from 1, got nothing",
        "lock() takes nothing, got 1",
        "timeout must be a number of seconds from 0, got the number -1",
        "timeout must be a number of seconds from 0, got the string '1'",
        "lock:4 cannot be released: nobody holds it; only who acquired it may release it",
        "semaphore:5 cannot be released: the caller has no slot of it",
        "lock:4 is held by this caller already",
        "with takes a function",
        "dict:1:update takes a table, got the number 1",
        "a queue has no items to go through",
        "event:6 has no operation 'length'",
    ];
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{ended}");
    for (number, (line, expected)) in (1..).zip(lines.iter().zip(expected)) {
        assert!(
            line.starts_with(&format!("{number}\tfalse\tusage\t")) && line.contains(expected),
            "{line}\n{expected}"
        );
    }
}

#[test]
fn a_killed_holder_releases_its_locks_and_slots_and_its_values_stay() {
    let body = r#"local s = runtime.synchro
  local lock, rlock, sem, d = s.lock(), s.rlock(), s.semaphore(2), s.dict()
  local holder = job.Task { testscript = "die.lua", lock = lock, rlock = rlock, sem = sem, d = d }
  local waiter = job.Task { testscript = "wait.lua", lock = lock, rlock = rlock, sem = sem, d = d }
  holder:start() waiter:start()
  print(waiter:wait())
  print(holder:wait())
  print(d.holder, d.got, lock:is_held(), rlock:is_held(), #sem)"#;
    let die = "local p = parameters
p.lock:acquire() p.rlock:acquire() p.rlock:acquire() p.sem:acquire() p.sem:acquire()
p.d.holder = 'was here'
while not p.d.waits do end
os.execute('kill -9 $PPID')";
    let wait = "local p = parameters
while not p.d.holder do end
p.d.waits = true
p.lock:with(function() p.rlock:with(function() p.sem:with(function() p.d.got = true end) end) end)";
    let ended = Project::new().main(body).file("die.lua", die).file("wait.lua", wait).job(&[]);
    ended.code(1).stdout("true\tpassed\nfalse\terrored\nwas here\ttrue\tfalse\tfalse\t2\n");
}

#[test]
fn a_lock_is_free_for_the_next_attempt() {
    let body = r#"local lock, d = runtime.synchro.lock(), runtime.synchro.dict()
  print(job.run { testscript = "flaky.lua", lock = lock, d = d, retries = 1 })
  print(d.n)"#;
    let script = "parameters.lock:acquire()
if parameters.d:add('n', 1) == 1 then os.execute('kill -9 $PPID') end";
    let ended = Project::new().main(body).file("flaky.lua", script).job(&[]);
    ended.code(0).stdout("true\tpassx\n2\n");
}

#[test]
fn who_waits_in_vain_is_told_so() {
    // The body of main, what the script does, and what the tasks' reasons or the output must be.
    let cases = [
        (
            "local q = s.queue()\nprint(job.run { testscript = 't.lua', q = q, n = 1 })",
            "p.q:get()",
            "queue:1 is empty, and nobody is left who could put something into it",
        ),
        (
            // The other consumer does not help, and neither does one that does not know the queue.
            "local q = s.queue()\njob.parallel { limit = 3, { testscript = 't.lua', q = q }, { testscript = 't.lua', deep = { q } }, { testscript = '/bin/true' } }",
            "local q = p.q or p.deep[1] q:get()",
            "queue:1 is empty, and nobody is left who could put something into it",
        ),
        (
            "local b = s.barrier(3)\njob.parallel { limit = 3, { testscript = 't.lua', b = b }, { testscript = 't.lua', b = b }, { testscript = 'die.lua', b = b } }",
            "p.b:wait()",
            "arrived, and not enough are left to come",
        ),
        (
            "local e = s.event()\njob.parallel { limit = 2, { testscript = 't.lua', e = e }, { testscript = 'die.lua', e = e } }",
            "p.e:wait()",
            "event:1 is not set, and nobody is left who could set it",
        ),
        (
            // Each has what the other wants.
            "local a, b, both = s.lock(), s.lock(), s.barrier(2)\njob.parallel { limit = 2, { testscript = 't.lua', a = a, b = b, both = both }, { testscript = 't.lua', a = b, b = a, both = both } }",
            "p.a:acquire() p.both:wait() p.b:acquire()",
            "which cannot go on: each waits for another",
        ),
        (
            // There is room for one only, and it waits for the other.
            "local b = s.barrier(2)\njob.parallel { limit = 1, { testscript = 't.lua', b = b }, { testscript = 't.lua', b = b } }",
            "p.b:wait()",
            "barrier:1 waits for 2, of which 1 arrived, and not enough are left to come",
        ),
        (
            "local b = s.barrier(2)\nlocal t = job.Task { testscript = 't.lua', b = b, taskid = 'a' } t:start()\nlocal u = job.Task { testscript = '/bin/true', needs = { 'a' }, b = b } u:start() job.wait_all { t, u }",
            "p.b:wait()",
            "barrier:1 waits for 2, of which 1 arrived, and not enough are left to come",
        ),
    ];
    for (body, script, reason) in cases {
        let body = format!("local s = runtime.synchro\n{body}");
        let project = Project::new().main(&body).file("t.lua", format!("local p = parameters\n{script}"));
        let project = project.file("die.lua", "os.execute('kill -9 $PPID')");
        let ended = project.job(&[]);
        ended.code(1).stderr_has(reason);
        let results = ended.the_run().results();
        let of_script = |task: &&Value| task.to_string().contains("t.lua");
        for task in results["tasks"].as_array().expect("a list").iter().filter(of_script) {
            let found = &task["result"]["reason"];
            assert!(found.as_str().is_some_and(|found| found.contains(reason)), "{body}\n{found}\n{ended}");
        }
        assert_tidy(&ended);
    }
}

#[test]
fn a_broken_wait_can_be_caught_and_main_is_told_too() {
    let body = r#"local s = runtime.synchro
  local q, e, lock = s.queue(), s.event(), s.lock()
  local ok, err = pcall(q.get, q)
  print(ok, err.kind, err.message)
  local t = job.Task { testscript = "hold.lua", lock = lock, q = q }
  t:start()
  print(q:get())
  print(pcall(lock.acquire, lock))
  print(pcall(e.wait, e))
  print(t:wait())"#;
    let hold =
        "parameters.lock:acquire() parameters.q:put('held') assert(pcall(function() parameters.q:get() end) == false)";
    let ended = Project::new().main(body).file("hold.lua", hold).job(&[]);
    ended.code(0).stdout(
        "false\tbroken\tqueue:1 is empty, and nobody is left who could put something into it\nheld\n\
         false\tjob.lua:10: lock:3 is held by task 1, which cannot go on: each waits for another\n\
         false\tjob.lua:11: event:2 is not set, and nobody is left who could set it\ntrue\tpassed\n",
    );
}

#[test]
fn nobody_is_told_too_early() {
    // A consumer waits while main runs another task and puts only then; a barrier whose last task needs another first; one
    // of whom three wait in turn for places.
    let body = r#"local s = runtime.synchro
  local q, b, d = s.queue(), s.barrier(3), s.dict()
  local c = job.Task { testscript = "get.lua", q = q, d = d }
  c:start()
  assert(job.run { testscript = "slow.lua", q2 = s.queue(), d = d })
  q:put("late")
  print(c:wait())
  print(d.got)
  local list = {}
  for i = 1, 3 do
    list[i] = job.Task { testscript = "meet.lua", taskid = "m" .. i, b = b, d = d, needs = i == 3 and { "first" } or {} }
    list[i]:start()
  end
  local first = job.Task { testscript = "slow.lua", taskid = "first", d = d }
  first:start()
  list[4] = first
  for _, result in ipairs(job.wait_all(list)) do print(result, result.reason) end
  print(d.sum)
  local inner = s.queue()
  d.box = inner
  print(job.parallel { limit = 2, { testscript = "box.lua", d = d }, { testscript = "fill.lua", d = d } }[1])"#;
    let project = Project::new()
        .main(body)
        .file("get.lua", "parameters.d.got = parameters.q:get()")
        // It goes on for longer than it takes to look who waits in vain.
        .file("slow.lua", "os.execute('sleep 0.2')")
        .file("meet.lua", "parameters.d:add('sum', parameters.b:wait())")
        .file("box.lua", "assert(parameters.d.box:get() == 3)")
        .file("fill.lua", "os.execute('sleep 0.2') parameters.d.box:put(3)");
    let ended = project.job(&[]);
    ended.code(0).stdout("true\tpassed\nlate\npassed\tnil\npassed\tnil\npassed\tnil\npassed\tnil\n6\npassed\n");
}

#[test]
fn objects_are_found_in_objects_and_a_task_may_make_one() {
    let body = r#"local s = runtime.synchro
  local d, l = s.dict(), s.list()
  d.inner = { list = l, deep = { s.dict { x = 1 } } }
  print(job.run { testscript = "nest.lua", d = d })
  print(l[1], d.inner.deep[1].x, d.made:get(), d.made == d.same, d.same ~= d)
  d.me = d
  d.me.me.me.x = "through"
  print(d.x)"#;
    let script = "local d = parameters.d
d.inner.list:append('from the task')
d.inner.deep[1]:add('x', 4)
local q = runtime.synchro.queue()
q:put({ 'made' })
d.made, d.same = runtime.synchro.value(q:get()[1]), nil
d.same = d.made
print(select(2, pcall(function() return runtime.synchro.qeue() end)))";
    let ended = Project::new().main(body).file("nest.lua", script).job(&[]);
    ended.code(0).stdout("true\tpassed\nfrom the task\t5\tmade\ttrue\ttrue\nthrough\n");
    let said = String::from_utf8(ended.the_run().output("Task-1", "stdout")).unwrap();
    assert!(said.is_empty() || said.contains("did you mean 'queue'?"), "{said}");
}

#[test]
fn a_job_that_shares_nothing_has_no_server() {
    let body = "job.run { testscript = 'see.lua' }\njob.run { testscript = 'see.sh' }";
    let project = Project::new()
        .main(body)
        .file("see.lua", "assert(os.getenv('RILLE_SYNCHRO') == nil)\nlocal ok, err = pcall(runtime.synchro.dict) assert(not ok and err.kind == 'usage' and err.message:find('use runtime.synchro in main', 1, true), tostring(err))")
        .executable("see.sh", "#!/bin/sh\n[ -z \"$RILLE_SYNCHRO\" ] && [ ! -e \"$RILLE_RUN_DIR/synchro\" ]\n");
    project.job(&[]).code(0).outcomes("Task-1=passed Task-2=passed");
}

#[test]
fn a_shell_task_reads_and_changes_what_is_shared() {
    let script = r#"#!/bin/sh
set -e
r() { "$RILLE" synchro "$@"; }
test "$d" = dict:1
r set d name 'a text'
r set d n 3
r set dict:1 list '[1, "two"]'
r set d 7 seven
test "$(r get d name)" = 'a text'
test "$(r --json get d name)" = '"a text"'
test "$(r get d list)" = '[1,"two"]'
test "$(r add d n)" = 4
test "$(r add d n -2.5)" = 1.5
test "$(r get d 7)" = seven
test "$(r keys d | tr '\n' ' ')" = 'name n list 7 '
r get d missing && exit 1
r has d name > /dev/null
r has d nmae > /dev/null && exit 1
r update d '{"u": 1}'
test "$(r length d)" = 5
test "$(r pop d u)" = 1
r append l -- -x
r insert l 1 first
r extend l '[true]'
test "$(r copy l)" = '["first","-x",true]'
test "$(r pop l)" = true
r put q 1
test "$(r get q)" = 1
code=0; r get q --timeout 0.01 2> late || code=$?
test $code = 124
grep -q "'get' of queue:3 was not done within 0.01 s" late
r set e
r wait e
r is-set e > /dev/null
test "$(r wait b)" = 1
test "$(r add v 2)" = 5
r set v '{"k": [null]}'
test "$(r get v)" = '{"k":[null]}'
test "$(r lock lock -- "$RILLE" synchro is-set lock)" = true
code=0; r lock lock -- sh -c 'exit 7' || code=$?
test $code = 7
code=0; r is-set lock > /dev/null || code=$?
test $code = 1
code=0; r get dd x 2> e1 || code=$?
test $code = 2
grep -q "there is no parameter 'dd'" e1
code=0; r lenght d 2> e2 || code=$?
grep -q "there is no operation 'lenght'; did you mean 'length'?" e2
code=0; r acquire lock 2> e3 || code=$?
grep -q "rille synchro lock lock -- COMMAND" e3
code=0; r append d 1 2> e4 || code=$?
grep -q "dict:1 has no operation 'append'" e4
code=0; r get d 2> e5 || code=$?
grep -q "'get' of dict:1 takes KEY, got 0 words" e5
code=0; r get dict:99 x 2> e6 || code=$?
grep -q "there is no dict:99 in this run" e6
code=0; r lock d -- true 2> e7 || code=$?
grep -q "dict:1 cannot be held" e7
code=0; RILLE_SYNCHRO=/nowhere r keys d 2> e8 || code=$?
grep -q "cannot reach the shared objects of the run at /nowhere" e8
code=0; RILLE_TASK_NUMBER=77 r keys d 2> e9 || code=$?
grep -q "task 77 is no task of this run" e9
r set d done true
"#;
    let body = r#"local s = runtime.synchro
  local d, l, q, lock, e, b, v = s.dict(), s.list(), s.queue(), s.lock(), s.event(), s.barrier(1), s.value(3)
  print(job.run { testscript = "all.sh", d = d, l = l, q = q, lock = lock, e = e, b = b, v = v })
  print(d.done, d.name, d.n, d[7], d.list[2], l[1], l[2])"#;
    let project = Project::new().env("RILLE", env!("CARGO_BIN_EXE_rille")).main(body).executable("all.sh", script);
    let ended = project.job(&["-v"]);
    ended.code(0).stdout("true\tpassed\ntrue\ta text\t1.5\tseven\ttwo\tfirst\t-x\n");
}

#[test]
fn outside_a_run_rille_synchro_says_what_is_missing() {
    let project = Project::new();
    project
        .run(&["synchro", "get", "dict:1", "x"])
        .code(2)
        .stderr_has("RILLE_SYNCHRO is not set")
        .stderr_has("runtime.synchro");
    project.run(&["synchro", "get", "d", "x"]).code(2).stderr_has("there is no parameter 'd'");
    project.run(&["synchro", "--help"]).code(0).stdout_has("lock -- COMMAND");
    project.run(&["synchro", "get", "dict:1", "x", "--timeout", "-1"]).code(2).stderr_has("--timeout");
}

#[test]
fn a_killed_shell_command_releases_its_lock() {
    let body = r#"local lock, d = runtime.synchro.lock(), runtime.synchro.dict()
  local t = job.Task { testscript = "hold.sh", lock = lock, d = d }
  t:start()
  while not d.held do t:join(0.005) end
  print(lock:try_acquire())
  os.execute("kill -9 " .. d.held)
  print(lock:acquire(30))
  lock:release()
  t:terminate()"#;
    let script = "#!/bin/sh\n\"$RILLE\" synchro lock lock -- sh -c '\"$RILLE\" synchro set d held $$; exec sleep 1000'\nexec sleep 1000\n";
    let project = Project::new().env("RILLE", env!("CARGO_BIN_EXE_rille")).main(body).executable("hold.sh", script);
    project.job(&["--grace", "0.1"]).code(1).stdout("false\ttimeout\ntrue\n");
}

#[test]
fn a_python_task_speaks_the_protocol() {
    if !needs("python3") {
        return;
    }
    let script = r#"
import json, os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["RILLE_SYNCHRO"])
f = s.makefile("rw")
def call(**request):
    f.write(json.dumps(request) + "\n")
    f.flush()
    answer = json.loads(f.readline())
    return answer["ok"] if "ok" in answer else answer
print(call(op="hello", task=int(os.environ["RILLE_TASK_NUMBER"]), attempt=int(os.environ["RILLE_ATTEMPT"])))
d = os.environ["d"]
for _ in range(1000):
    call(op="add", object=d, key="n", value=1)
q = call(op="get", object=d, key="q")["__synchro__"]
call(op="put", object="%s:%d" % (q["type"], q["id"]), value={"from": ["python", None, "é"]})
print(call(op="get", object="queue:99"))
print(call(op="gett", object=d))
print(call(op="wait", object=os.environ["e"], timeout=0.01))
"#;
    let body = r#"local s = runtime.synchro
  local d, q, e = s.dict(), s.queue(), s.event()
  d.q = q
  job.parallel { limit = 2, { testscript = "speak.py", taskid = "py", d = d, e = e }, { testscript = "add.lua", d = d } }
  print(d.n)
  local got = q:get()
  print(got.from[1], got.from[3])"#;
    let project = Project::new().main(body).file("speak.py", script);
    let project = project.file("add.lua", "for _ = 1, 1000 do parameters.d:add('n', 1) end");
    let ended = project.job(&[]);
    ended.code(0).stdout("2000\npython\té\n");
    let said = String::from_utf8(ended.the_run().output("py", "stdout")).unwrap();
    let expected = "{'protocol': 1}\n{'error': {'kind': 'usage', 'message': 'there is no queue:99 in this run'}}\n\
                    {'error': {'kind': 'usage', 'message': \"there is no operation 'gett'; did you mean 'get'?\"}}\n\
                    {'timeout': True}\n";
    assert_eq!(said, expected);
}

#[test]
fn the_socket_moves_where_the_path_of_the_run_is_too_long() {
    let body = r#"local d = runtime.synchro.dict()
  print(job.run { testscript = "set.lua", d = d })
  print(d.socket:find(runtime.directory, 1, true), #d.socket < 108)
  print(d.socket)"#;
    let project = Project::new().main(body).file("set.lua", "parameters.d.socket = os.getenv('RILLE_SYNCHRO')");
    let deep = "d".repeat(120);
    let ended = project.run(&["run", "--run-dir", &deep, "job.lua"]);
    ended.code(0).stdout_has("true\tpassed\nnil\ttrue\n");
    let socket = PathBuf::from(ended.out().lines().last().expect("a path").to_owned());
    assert!(!socket.exists() && !socket.parent().expect("a folder").exists(), "{} is left", socket.display());
}

/// A job that shares a queue and two more objects, says "ready" with a task that has the number 1, and ends when it is told.
fn waiting_job() -> (Project, Running) {
    let body = r#"local s = runtime.synchro
  local q, d, lock = s.queue(), s.dict(), s.lock()
  local t = job.Task { testscript = "stay.lua", q = q, d = d, lock = lock }
  t:start()
  while not d.ready do t:join(0.005) end
  print("ready")
  print(q:get())
  print(d.n, lock:is_held())
  q:put("go")
  t:wait()"#;
    let stay = "parameters.d.ready = true\nassert(parameters.q:get() == 'go')";
    let stay = stay.replace("parameters.q:get()", "(function() while not parameters.d.done do end return 'go' end)()");
    let body = body.replace("  q:put(\"go\")\n", "  d.done = true\n");
    let project = Project::new().main(&body).file("stay.lua", stay);
    let running = project.start(&["run", "job.lua"]);
    (project, running)
}

const HELLO: &str = r#"{"op":"hello","task":1,"attempt":1}"#;

#[test]
fn garbage_costs_only_the_connection_on_which_it_came() {
    let (project, running) = waiting_job();
    let mut good = Speaker::connect(&running, &project);
    assert_eq!(good.ask(HELLO), json!({ "ok": { "protocol": 1 } }));
    // What is no JSON, what is too long, what is no object, what does not say who it is.
    for line in ["garbage", "\u{1}\u{2}", "[1]", "3", ""] {
        let mut bad = Speaker::connect(&running, &project);
        bad.ask(HELLO);
        assert_eq!(bad.ask(line)["error"]["kind"], "protocol", "{line}");
        assert!(bad.is_over(), "{line}");
    }
    let mut bad = Speaker::connect(&running, &project);
    bad.ask(HELLO);
    // It may be gone before all is sent.
    let _ = bad.lines.get_mut().write_all(&vec![b'x'; 17 << 20]);
    assert!(matches!(bad.answer(), answer if answer.is_null() || answer["error"]["kind"] == "protocol"));
    for line in [
        r#"{"op":"get","object":"dict:2","key":"x"}"#,
        r#"{"op":"hello","task":9,"attempt":1}"#,
        r#"{"op":"hello","task":1,"attempt":7}"#,
        r#"{"op":"hello","task":0,"attempt":1}"#,
        r#"{"op":"hello"}"#,
    ] {
        let mut bad = Speaker::connect(&running, &project);
        assert!(bad.ask(line)["error"]["message"].is_string(), "{line}");
        assert!(bad.is_over(), "{line}");
    }
    // A wrong request is answered, and the next is served.
    for line in [
        r#"{"op":"dig","object":"dict:2"}"#,
        r#"{"op":"get","object":"dict:2","kye":"x"}"#,
        r#"{"op":"get","object":"dict:2","key":[1]}"#,
        r#"{"op":"get","object":"queue:2"}"#,
        r#"{"op":"get","object":"x","key":"x"}"#,
        r#"{"object":"dict:2"}"#,
        r#"{"op":"get","object":"queue:1","timeout":-1}"#,
        r#"{"op":"put","object":"queue:1","value":{"__synchro__":{"type":"lock","id":77}}}"#,
        HELLO,
    ] {
        assert_eq!(good.ask(line)["error"]["kind"], "usage", "{line}");
    }
    // One that hangs up in the middle of a line, and one that holds a lock.
    let mut half = Speaker::connect(&running, &project);
    half.ask(HELLO);
    assert_eq!(half.ask(r#"{"op":"acquire","object":"lock:3"}"#), json!({ "ok": true }));
    half.send(r#"{"op":"set","object":"dict:2","key":"ok","value":1}"#);
    half.lines.get_mut().write_all(b"{\"op\":\"set\",\"object\":\"dict:2\",\"key\":\"n\",").unwrap();
    drop(half);
    assert_eq!(good.ask(r#"{"op":"acquire","object":"lock:3","timeout":30}"#), json!({ "ok": true }));
    assert_eq!(good.ask(r#"{"op":"get","object":"dict:2","key":"ok"}"#), json!({ "ok": 1 }));
    assert_eq!(good.ask(r#"{"op":"add","object":"dict:2","key":"n","value":2}"#), json!({ "ok": 2 }));
    // Several at once are answered in their order.
    good.send("{\"op\":\"add\",\"object\":\"dict:2\",\"key\":\"n\"}\n{\"op\":\"release\",\"object\":\"lock:3\"}");
    assert_eq!([good.answer(), good.answer()], [json!({ "ok": 3 }), json!({ "ok": null })]);
    good.send(r#"{"op":"put","object":"queue:1","value":"done"}"#);
    assert_eq!(good.answer(), json!({ "ok": null }));
    let ended = running.wait();
    ended.code(0).stdout("ready\ndone\n3\tfalse\n");
    assert_tidy(&ended);
}

#[test]
fn a_reader_that_does_not_read_and_300_connections_hold_nobody_up() {
    let (project, running) = waiting_job();
    let mut slow = Speaker::connect(&running, &project);
    slow.ask(HELLO);
    let big = "x".repeat(1 << 20);
    slow.ask(&format!(r#"{{"op":"set","object":"dict:2","key":"big","value":"{big}"}}"#));
    let copies = r#"{"op":"copy","object":"dict:2"}"#;
    for _ in 0..100 {
        slow.send(copies);
    }
    let mut crowd: Vec<Speaker> = (0..300).map(|_| Speaker::connect(&running, &project)).collect();
    for speaker in &mut crowd {
        speaker.send(HELLO);
        speaker.send(r#"{"op":"add","object":"dict:2","key":"n"}"#);
    }
    for speaker in &mut crowd {
        assert_eq!(speaker.answer(), json!({ "ok": { "protocol": 1 } }));
        assert!(speaker.answer()["ok"].is_number());
    }
    // The memory of the host does not grow with what is not read.
    for _ in 0..100 {
        assert_eq!(slow.answer()["ok"]["big"].as_str().map(str::len), Some(1 << 20));
    }
    drop(slow);
    crowd[0].send(r#"{"op":"put","object":"queue:1","value":"done"}"#);
    crowd[0].answer();
    running.wait().code(0).stdout("ready\ndone\n300\tfalse\n");
}

#[test]
fn the_socket_is_for_its_owner_alone() {
    let (project, running) = waiting_job();
    let mut owner = Speaker::connect(&running, &project);
    owner.ask(HELLO);
    let folder = project.the_run().path().join("synchro");
    let mode = |path: &PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("socket"))), (0o700, 0o600));
    if rustix::process::geteuid().is_root() && needs("python3") {
        // Also where the folder lets somebody in, the server does not.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("a mode can be set");
        fs::set_permissions(folder.join("socket"), fs::Permissions::from_mode(0o777)).expect("a mode can be set");
        let script = format!(
            "import os, socket\nos.chdir({:?})\ns = socket.socket(socket.AF_UNIX)\nos.setgid(65534); os.setuid(65534)\n\
             s.connect('socket')\ntry:\n  s.sendall(b'{}\\n')\n  print(s.recv(100))\nexcept OSError: print(b'')",
            folder.display().to_string(),
            HELLO
        );
        let said = std::process::Command::new("python3").arg("-c").arg(script).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&said.stdout), "b''\n", "{}", String::from_utf8_lossy(&said.stderr));
    }
    owner.ask(r#"{"op":"put","object":"queue:1","value":"done"}"#);
    running.wait().code(0);
}

#[test]
fn a_wait_can_be_given_up_however_the_word_comes() {
    let (project, running) = waiting_job();
    let mut asker = Speaker::connect(&running, &project);
    asker.ask(HELLO);
    // Main waits at this queue, so it stays empty for who comes later. In one piece, with more behind it, and one by one.
    let (wait, cancel, add) =
        (r#"{"op":"get","object":"queue:1"}"#, r#"{"op":"cancel"}"#, r#"{"op":"add","object":"dict:2","key":"n"}"#);
    asker.send(&format!("{wait}\n{cancel}"));
    assert_eq!(asker.answer()["error"]["kind"], "cancelled");
    asker.send(&format!("{wait}\n{cancel}\n{add}\n{wait}\n{cancel}"));
    assert_eq!(asker.answer()["error"]["kind"], "cancelled");
    assert_eq!(asker.answer(), json!({ "ok": 1 }));
    assert_eq!(asker.answer()["error"]["kind"], "cancelled");
    asker.send(wait);
    asker.send(cancel);
    assert_eq!(asker.answer()["error"]["kind"], "cancelled");
    // A word that comes too late gives up nothing.
    assert_eq!(asker.ask(add), json!({ "ok": 2 }));
    asker.send(cancel);
    assert_eq!(asker.ask(add), json!({ "ok": 3 }));
    asker.ask(r#"{"op":"put","object":"queue:1","value":"done"}"#);
    running.wait().code(0);
}

#[test]
fn an_interrupt_ends_what_main_waits_for() {
    let body = r#"local q, d = runtime.synchro.queue(), runtime.synchro.dict()
  local t = job.Task { testscript = "stay.lua", q = q, d = d }
  t:start()
  while not d.ready do t:join(0.005) end
  print("waiting")
  local ok, err = pcall(q.get, q)
  print(ok, err.kind)
  error(err)"#;
    let project = Project::new()
        .main(body)
        .file("stay.lua", "parameters.d.ready = true while true do os.execute('sleep 0.01') end");
    let running = project.start(&["run", "--grace", "0.2", "job.lua"]);
    running.wait_for_line("waiting");
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.code(130).stdout("waiting\nfalse\tcancelled\n");
    assert_tidy(&ended);
}

#[test]
fn a_job_ends_although_its_tasks_wait_for_what_it_shares() {
    let body = r#"local q = runtime.synchro.queue()
  job.Task { testscript = "get.lua", q = q }:start()
  local d = runtime.synchro.dict()
  local t = job.Task { testscript = "get.lua", q = q, d = d }
  t:start()
  while not d.ready do t:join(0.005) end
  error("enough")"#;
    let script = "if parameters.d then parameters.d.ready = true end parameters.q:get()";
    let ended = Project::new().main(body).file("get.lua", script).job(&["--grace", "0.2"]);
    ended.code(1).stderr_has("enough");
    assert_tidy(&ended);
}

#[test]
fn two_hundred_tasks_at_once_share_a_barrier_and_a_dict() {
    let body = r#"local s = runtime.synchro
  local b, d, lock = s.barrier(200), s.dict(), s.lock()
  local tasks = { limit = 200 }
  for i = 1, 200 do tasks[i] = { testscript = "meet.lua", b = b, d = d, lock = lock } end
  local passed = 0
  for _, result in ipairs(job.parallel(tasks)) do
    if result.value == "passed" then passed = passed + 1 else print(result.reason) end
  end
  print(passed, d.sum, d.n)"#;
    let script = "local p = parameters
p.d:add('sum', p.b:wait())
p.lock:with(function() p.d.n = (p.d.n or 0) + 1 end)";
    let ended = Project::new().main(body).file("meet.lua", script).job(&["-q"]);
    ended.code(0).stdout("200\t20100\t200\n");
}

#[test]
fn a_host_that_is_killed_leaves_no_process_that_waits() {
    let (project, running) = waiting_job();
    let mut waiter = Speaker::connect(&running, &project);
    waiter.ask(HELLO);
    waiter.send(r#"{"op":"acquire","object":"lock:3"}"#);
    waiter.answer();
    running.signal(Signal::KILL);
    assert!(waiter.is_over());
    until("the end of all processes", DEADLINE, || project.survivors().list().is_empty().then_some(()));
}
